/*
 * The round trip, as PING and SETTINGS measure it.
 */
#include "common/h2/internal.h"
#include "tests/unit/unit.h"

#include <check.h>

START_TEST(the_round_trip_is_the_least_of_late)
{
	struct h2_carrier c = {.in.last_at = 5};

	h2_rtt_note(&c, 0.3); /* the first may have come late */
	ck_assert_double_eq(c.rtt.seconds, 0.3);
	c.in.last_at = 6;
	h2_rtt_note(&c, 0.04);
	ck_assert_double_eq(c.rtt.seconds, 0.04);
	c.in.last_at = 7;
	h2_rtt_note(&c, 0.09); /* behind bulk */
	ck_assert_double_eq(c.rtt.seconds, 0.04);
}
END_TEST

START_TEST(a_path_that_became_longer_is_known_in_two_minutes)
{
	struct h2_carrier c = {.in.last_at = 5};

	h2_rtt_note(&c, 0.01);
	for (c.in.last_at = 10; c.in.last_at < 140; c.in.last_at++)
		h2_rtt_note(&c, 0.05);
	ck_assert_double_eq(c.rtt.seconds, 0.05);
	c.in.last_at = 1000; /* what was known is of long ago */
	h2_rtt_note(&c, 0.2);
	ck_assert_double_eq(c.rtt.seconds, 0.2);
}
END_TEST

START_TEST(an_answer_that_was_never_asked_for_tells_nothing)
{
	struct h2_carrier c = {.in.last_at = 5};

	h2_rtt_note(&c, 0.04);
	h2_rtt_note(&c, -1);
	h2_rtt_note(&c, 0);
	h2_rtt_note(&c, 1e9);
	ck_assert_double_eq(c.rtt.seconds, 0.04);
}
END_TEST

UNIT_MAIN("h2_rtt", the_round_trip_is_the_least_of_late,
    a_path_that_became_longer_is_known_in_two_minutes,
    an_answer_that_was_never_asked_for_tells_nothing)
