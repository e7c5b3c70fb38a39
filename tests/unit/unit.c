#include "tests/unit/unit.h"

#include <stdlib.h>

int
unit_run(const char *name, const TTest *const *cases, size_t count)
{
	Suite *suite = suite_create(name);
	SRunner *runner = srunner_create(suite);
	TCase *all;
	int failed;

	/* Check's own limit, 4 s a case, is short where others use the machine too. */
	(void)setenv("CK_DEFAULT_TIMEOUT", "60", 0);
	all = tcase_create(name);
	for (size_t i = 0; i < count; i++)
		tcase_add_test(all, cases[i]);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
