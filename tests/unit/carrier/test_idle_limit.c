#include "common/carrier/idle_limit.h"
#include "tests/unit/unit.h"

static struct idle_limit limit;
static double now;

/* A connection opens a second after the one before was lost, and is lost in silence.
 * True: something is learnt. */
static bool
lose_after(double silence, double borne)
{
	double opened = now + 1;

	now = opened + borne + silence;
	return idle_limit_note(&limit, opened, now, silence, borne);
}

static void
setup(void)
{
	limit = (struct idle_limit){0};
	now = 1000;
}

static double
interval(void)
{
	return idle_limit_interval(&limit, 30);
}

START_TEST(two_losses_after_the_same_silence_are_a_limit)
{
	setup();
	ck_assert_double_eq(interval(), 30);
	ck_assert(!lose_after(5.01, 0));
	ck_assert_double_eq(interval(), 30);
	ck_assert(lose_after(5.1, 0));
	ck_assert_double_lt(interval(), 4);
	ck_assert_double_gt(interval(), 2);
	ck_assert_double_eq(idle_limit_interval(&limit, 1), 1);
}
END_TEST

START_TEST(losses_after_different_silences_are_none)
{
	static const double silences[] = {5, 12, 5, 7.5, 20, 19, 11};

	setup();
	for (size_t i = 0; i < sizeof(silences) / sizeof(silences[0]); i++)
		ck_assert(!lose_after(silences[i], 0));
	ck_assert_double_eq(interval(), 30);
}
END_TEST

START_TEST(connections_that_end_at_once_tell_no_more_than_one)
{
	setup();
	for (int i = 0; i < 8; i++)
		ck_assert(!idle_limit_note(&limit, 1000, 1005, 5, 0));
	ck_assert_double_eq(interval(), 30);
}
END_TEST

/* A peer that crashes each minute. */
START_TEST(a_silence_that_was_outlived_before_is_no_limit)
{
	setup();
	for (int i = 0; i < 3; i++)
		ck_assert(!lose_after(15, 30));
	ck_assert_double_eq(interval(), 30);
}
END_TEST

START_TEST(losses_without_a_silence_are_no_limit)
{
	setup();
	for (int i = 0; i < 3; i++)
		ck_assert(!lose_after(0.2, 0));
	ck_assert_double_eq(interval(), 30);
}
END_TEST

START_TEST(what_is_learnt_becomes_only_shorter)
{
	double first;

	setup();
	lose_after(10, 0);
	ck_assert(lose_after(10, 0));
	first = interval();
	ck_assert(!lose_after(20, 0));
	ck_assert(!lose_after(20, 0)); /* began before it was learnt */
	ck_assert_double_eq(interval(), first);
	lose_after(4, 0);
	ck_assert(lose_after(4, 0));
	ck_assert_double_lt(interval(), 4);
}
END_TEST

UNIT_MAIN("idle_limit", two_losses_after_the_same_silence_are_a_limit,
    losses_after_different_silences_are_none,
    connections_that_end_at_once_tell_no_more_than_one,
    a_silence_that_was_outlived_before_is_no_limit, losses_without_a_silence_are_no_limit,
    what_is_learnt_becomes_only_shorter)
