/*
 * What every test program shares: one file of cases is one program.
 */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <check.h>
#include <stddef.h>

/** Run all cases of one file; the exit status for main(). */
int unit_run(const char *name, const TTest *const *cases, size_t count);

/** Defines main(): UNIT_MAIN("buf", case1, case2, ...), each named by START_TEST. */
#define UNIT_MAIN(name, ...)                                                             \
	int main(void)                                                                   \
	{                                                                                \
		const TTest *const cases[] = {__VA_ARGS__};                              \
                                                                                         \
		return unit_run(name, cases, sizeof(cases) / sizeof(cases[0]));          \
	}

#endif
