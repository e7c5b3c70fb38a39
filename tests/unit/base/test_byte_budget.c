#include "common/base/byte_budget.h"
#include "tests/unit/unit.h"

#include <pthread.h>

START_TEST(one_gets_at_most_a_quarter_of_what_is_left)
{
	struct byte_budget b = {.most = 1600};

	ck_assert_uint_eq(byte_budget_take(&b, 300), 300);
	ck_assert_uint_eq(byte_budget_take(&b, 1000), 325);
	ck_assert_uint_eq(b.used, 625);
	byte_budget_return(&b, 625);
	ck_assert_uint_eq(b.used, 0);
}
END_TEST

START_TEST(an_empty_budget_gives_nothing)
{
	struct byte_budget b = {.most = 0};

	ck_assert_uint_eq(byte_budget_take(&b, 1), 0);
}
END_TEST

static void *
take_and_return(void *argument)
{
	struct byte_budget *b = argument;
	size_t n;

	for (int i = 0; i < 100000; i++) {
		n = byte_budget_take(b, 1000);
		ck_assert_uint_le(atomic_load(&b->used), b->most);
		byte_budget_return(b, n);
	}
	return NULL;
}

START_TEST(threads_never_take_more_than_there_is)
{
	struct byte_budget b = {.most = 2000};
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, take_and_return, &b), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(b.used, 0);
}
END_TEST

UNIT_MAIN("budget", one_gets_at_most_a_quarter_of_what_is_left,
    an_empty_budget_gives_nothing, threads_never_take_more_than_there_is)
