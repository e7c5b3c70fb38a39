#include "common/carrier/target.h"
#include "tests/unit/unit.h"

#include <string.h>

enum {
	COUNT = 3,
};

static const struct address_name names[COUNT] = {
    {.host = (char *)(uintptr_t) "a.test", .port = 443},
    {.host = (char *)(uintptr_t) "b.test", .port = 443},
    {.host = (char *)(uintptr_t) "::1", .port = 443},
};

static struct target targets[COUNT];
static double now; /* a clock of our own */
static bool looks; /* as the client does; else as the server */

static void
setup(void)
{
	now = 1000;
	looks = false;
	for (int i = 0; i < COUNT; i++)
		target_init(&targets[i], &names[i], true);
}

static void
teardown(void)
{
	for (int i = 0; i < COUNT; i++)
		target_clear(&targets[i]);
}

/* The target that a new stream tries first, going round from @first. */
static int
next_from(size_t first)
{
	const bool tried[COUNT] = {false};

	return (int)target_next(targets, COUNT, first, tried, looks, now);
}

static int
next(void)
{
	return next_from(0);
}

/* Target 0 rests from now on. */
static double
fail_first(void)
{
	ck_assert_int_eq(next(), 0);
	return target_fail(&targets[0], now);
}

START_TEST(a_target_is_called_by_its_line)
{
	setup();
	ck_assert_str_eq(targets[0].text, "a.test:443");
	ck_assert_str_eq(targets[2].text, "[::1]:443");
	teardown();
}
END_TEST

START_TEST(while_all_are_well_the_first_is_tried)
{
	setup();
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(next(), 0);
	for (int i = 0; i < COUNT; i++)
		ck_assert_int_eq(next_from((size_t)i), i);
	teardown();
}
END_TEST

START_TEST(of_one_stream_no_target_is_tried_twice)
{
	bool tried[COUNT] = {false};

	setup();
	for (int i = 0; i < COUNT; i++) {
		size_t at = target_next(targets, COUNT, 1, tried, looks, now);

		ck_assert_uint_eq(at, (size_t)(i + 1) % COUNT);
		tried[at] = true;
	}
	teardown();
}
END_TEST

START_TEST(a_target_that_failed_is_left_alone_until_it_is_due)
{
	double rest;

	setup();
	rest = fail_first();
	ck_assert_double_ge(rest, 0.75);
	ck_assert_double_le(rest, 1.25);
	now += rest - 0.01;
	ck_assert_int_eq(next(), 1);
	now += 0.02;
	ck_assert_int_eq(next(), 0);
	teardown();
}
END_TEST

START_TEST(only_one_stream_tries_a_target_whose_rest_is_over)
{
	setup();
	now += fail_first();
	ck_assert_int_eq(next(), 0);
	ck_assert_int_eq(next(), 1);
	now += 1; /* whoever tried it never told */
	ck_assert_int_eq(next(), 0);
	teardown();
}
END_TEST

START_TEST(a_target_that_answers_is_at_once_as_good_as_ever)
{
	setup();
	for (int i = 0; i < 4; i++) {
		fail_first();
		now += 100;
	}
	ck_assert_int_eq(next(), 0);
	ck_assert(target_answer(&targets[0]));
	ck_assert(!target_answer(&targets[0]));
	ck_assert_int_eq(next(), 0);
	ck_assert_int_eq(next(), 0);
	ck_assert_double_gt(target_fail(&targets[0], now), 0);
	ck_assert_double_eq(targets[0].rest, 1);
	teardown();
}
END_TEST

START_TEST(rests_double_up_to_a_minute_and_differ)
{
	double rest = 1, took;
	bool longer = false, shorter = false;

	setup();
	ck_assert_double_gt(fail_first(), 0);
	for (int i = 0; i < 40; i++) {
		now = targets[0].due;
		ck_assert_double_eq(fail_first(), 0); /* it was resting already */
		rest = rest * 2 < 60 ? rest * 2 : 60;
		took = targets[0].due - now;
		ck_assert_double_ge(took, rest * 0.75);
		ck_assert_double_le(took, rest * 1.25);
		longer |= took > rest;
		shorter |= took < rest;
	}
	ck_assert_double_eq(rest, 60);
	ck_assert(longer && shorter);
	teardown();
}
END_TEST

START_TEST(many_failures_at_once_are_one_failure)
{
	double due;

	setup();
	fail_first();
	due = targets[0].due;
	for (int i = 0; i < 100; i++)
		ck_assert_double_eq(target_fail(&targets[0], now), 0);
	ck_assert_double_eq(targets[0].due, due);
	ck_assert_double_eq(targets[0].rest, 1);
	teardown();
}
END_TEST

START_TEST(if_all_rest_the_one_that_is_due_first_is_tried_at_once)
{
	bool tried[COUNT] = {false};

	setup();
	for (int i = 0; i < COUNT; i++)
		target_fail(&targets[i], now);
	targets[0].due = now + 3;
	targets[1].due = now + 2;
	targets[2].due = now + 4;
	ck_assert_int_eq(next(), 1);
	ck_assert_int_eq(next(), 1);
	tried[1] = true;
	ck_assert_uint_eq(target_next(targets, COUNT, 0, tried, looks, now), 0);
	teardown();
}
END_TEST

START_TEST(a_sign_of_life_ends_a_rest_early)
{
	setup();
	fail_first();
	target_rouse(&targets[0]);
	ck_assert_int_eq(next(), 0); /* one stream tries whether it is true */
	target_rouse(&targets[0]);
	ck_assert_int_eq(next(), 1);
	target_fail(&targets[0], now);
	ck_assert_double_eq(targets[0].rest, 2);
	teardown();
}
END_TEST

START_TEST(a_sign_of_life_means_nothing_to_a_target_that_is_well)
{
	setup();
	target_rouse(&targets[0]);
	ck_assert(!target_answer(&targets[0]));
	ck_assert_int_eq(next(), 0);
	teardown();
}
END_TEST

/* ---- looks ----------------------------------------------------------------------- */

static const bool none_tried[COUNT] = {false};

/* Target 0 has rested, and is looked at. */
static void
look_at_first(void)
{
	fail_first();
	looks = true;
	ck_assert_ptr_null(target_look(targets, COUNT, none_tried, now));
	now = targets[0].due;
	ck_assert_int_eq(next(), 1);
	ck_assert_ptr_eq(target_look(targets, COUNT, none_tried, now), &targets[0]);
	ck_assert_ptr_null(target_look(targets, COUNT, none_tried, now));
}

START_TEST(no_stream_tries_a_target_before_a_look_has_shown_that_it_lives)
{
	setup();
	look_at_first();
	ck_assert_int_eq(next(), 1);
	target_rouse(&targets[0]);
	now += 1000;
	ck_assert_int_eq(next(), 0);
	ck_assert_int_eq(next(), 1); /* one stream tries it */
	ck_assert(target_answer(&targets[0]));
	ck_assert_int_eq(next(), 0);
	ck_assert_int_eq(next(), 0);
	ck_assert_ptr_null(target_look(targets, COUNT, none_tried, now));
	teardown();
}
END_TEST

START_TEST(a_look_that_fails_makes_the_rest_longer)
{
	setup();
	look_at_first();
	ck_assert_double_eq(target_fail(&targets[0], now), 0); /* a stream's old news */
	ck_assert_double_eq(targets[0].rest, 1);
	target_fail_look(&targets[0], now);
	ck_assert_double_eq(targets[0].rest, 2);
	target_fail_look(&targets[0], now);
	ck_assert_double_eq(targets[0].rest, 2);
	ck_assert_ptr_null(target_look(targets, COUNT, none_tried, now + 1));
	ck_assert_ptr_eq(target_look(targets, COUNT, none_tried, now + 2.6), &targets[0]);
	teardown();
}
END_TEST

START_TEST(rests_grow_where_looks_succeed_and_streams_do_not)
{
	setup();
	look_at_first();
	for (double rest = 2; rest <= 8; rest *= 2) {
		target_rouse(&targets[0]);
		ck_assert_int_eq(next(), 0);
		ck_assert_double_eq(target_fail(&targets[0], now), 0);
		ck_assert_double_eq(targets[0].rest, rest);
		now = targets[0].due;
		ck_assert_ptr_eq(
		    target_look(targets, COUNT, none_tried, now), &targets[0]);
	}
	teardown();
}
END_TEST

START_TEST(a_look_that_never_ends_is_not_the_last)
{
	setup();
	look_at_first();
	now += 1;
	ck_assert_int_eq(next(), 1);
	ck_assert_ptr_eq(target_look(targets, COUNT, none_tried, now), &targets[0]);
	teardown();
}
END_TEST

START_TEST(where_all_rest_a_stream_tries_one_that_is_due)
{
	setup();
	for (int i = 0; i < COUNT; i++)
		target_fail(&targets[i], now);
	looks = true;
	targets[0].due = targets[1].due = now + 3;
	targets[2].due = now + 2;
	ck_assert_int_eq(next(), 2);
	now += 2;
	ck_assert_int_eq(next(), 2);
	ck_assert_ptr_null(target_look(targets, COUNT, none_tried, now));
	now += 1;
	ck_assert_int_eq(next(), 0);
	ck_assert_ptr_eq(target_look(targets, COUNT, none_tried, now), &targets[1]);
	teardown();
}
END_TEST

START_TEST(a_target_that_speaks_no_h2_is_not_asked_for_it)
{
	struct target never;

	setup();
	ck_assert(target_may_h2(&targets[0]));
	target_set_raw(&targets[0]);
	ck_assert(!target_may_h2(&targets[0]));
	ck_assert(target_may_h2(&targets[1]));
	targets[0].raw_until = 0; /* a while later */
	ck_assert(target_may_h2(&targets[0]));
	target_init(&never, &names[0], false);
	ck_assert(!target_may_h2(&never));
	target_clear(&never);
	teardown();
}
END_TEST

START_TEST(a_reload_forgets_nothing_of_a_target_that_stays)
{
	struct target next_one;

	setup();
	fail_first();
	target_set_raw(&targets[0]);
	target_set_overrun(&targets[0], 17);
	target_init(&next_one, &names[0], true);
	target_succeed(&next_one, &targets[0], false);
	ck_assert(!target_may_h2(&next_one));
	ck_assert(!target_bears(&next_one, 17));
	ck_assert(target_answer(&next_one)); /* it was resting */
	target_clear(&next_one);
	teardown();
}
END_TEST

START_TEST(a_target_that_spoke_h2_is_never_taken_for_raw)
{
	setup();
	ck_assert(!target_spoke_h2(&targets[0]));
	target_set_raw(&targets[0]);
	target_set_h2(&targets[0]);
	ck_assert(target_spoke_h2(&targets[0]) && target_may_h2(&targets[0]));
	target_set_raw(&targets[0]);
	ck_assert(target_may_h2(&targets[0]));
	ck_assert(!target_spoke_h2(&targets[1]));
	teardown();
}
END_TEST

START_TEST(that_it_spoke_h2_is_forgotten_once_the_section_changed)
{
	for (int same = 0; same < 2; same++) {
		struct target next_one;

		setup();
		target_set_h2(&targets[0]);
		target_init(&next_one, &names[0], true);
		target_succeed(&next_one, &targets[0], same);
		ck_assert_int_eq(target_spoke_h2(&next_one), same);
		target_clear(&next_one);
		teardown();
	}
}
END_TEST

START_TEST(an_idle_limit_is_forgotten_once_the_section_changed)
{
	for (int same = 0; same < 2; same++) {
		struct target next_one;

		setup();
		ck_assert_double_eq(target_note_loss(&targets[0], 100, 105, 5, 0), 0);
		ck_assert_double_gt(target_note_loss(&targets[0], 106, 111, 5, 0), 0);
		ck_assert_double_lt(target_keepalive(&targets[0], 30), 5);
		ck_assert_double_eq(target_keepalive(&targets[1], 30), 30);
		target_init(&next_one, &names[0], true);
		target_succeed(&next_one, &targets[0], same);
		ck_assert_int_eq(target_keepalive(&next_one, 30) < 30, same);
		target_clear(&next_one);
		teardown();
	}
}
END_TEST

static SSL_SESSION *
new_session(void)
{
	SSL_SESSION *session = SSL_SESSION_new();

	ck_assert_ptr_nonnull(session);
	ck_assert_int_eq(
	    SSL_SESSION_set1_id(session, (const unsigned char *)"0123", 4), 1);
	return session;
}

static bool
has_session(double most)
{
	uint64_t whose;
	SSL_SESSION *session = target_session(&targets[0], most, &whose);

	SSL_SESSION_free(session);
	return session != NULL;
}

START_TEST(a_session_is_not_resumed_without_end)
{
	double judged;

	setup();
	target_keep_session(&targets[0], 0, new_session(), false);
	ck_assert(has_session(3600));
	ck_assert(!has_session(0));
	judged = targets[0].sessions[0].judged;
	targets[0].sessions[0].judged = judged - 3601; /* so long ago */
	ck_assert(!has_session(3600));
	target_keep_session(&targets[0], 0, new_session(), true);
	ck_assert(!has_session(3600));
	target_keep_session(&targets[0], 0, new_session(), false);
	ck_assert(has_session(3600));
	teardown();
}
END_TEST

/* A connection leads to @instance.  Was a session of it offered? */
static bool
lead_to(uint64_t instance)
{
	uint64_t whose;
	SSL_SESSION *session = target_session(&targets[0], 3600, &whose);
	bool offered = session != NULL && whose == instance;

	SSL_SESSION_free(session);
	target_meet(&targets[0], instance);
	if (!offered)
		target_keep_session(&targets[0], instance, new_session(), false);
	return offered;
}

START_TEST(of_servers_that_come_in_turn_each_is_offered_its_own_session)
{
	int offered = 0;

	setup();
	for (int i = 0; i < 30; i++)
		offered += lead_to(1 + (uint64_t)(i % 3));
	ck_assert_int_ge(offered, 24);
	for (int i = 0; i < 3; i++) /* the others are gone */
		(void)lead_to(2);
	for (int i = 0; i < 10; i++)
		ck_assert(lead_to(2));
	teardown();
}
END_TEST

START_TEST(sessions_of_many_servers_are_not_kept_without_end)
{
	setup();
	for (uint64_t i = 1; i < 10 * TARGET_SESSIONS; i++)
		(void)lead_to(i);
	ck_assert(!lead_to(1));
	ck_assert(!lead_to(10 * TARGET_SESSIONS));
	teardown();
}
END_TEST

UNIT_MAIN("target", of_servers_that_come_in_turn_each_is_offered_its_own_session,
    sessions_of_many_servers_are_not_kept_without_end, a_target_is_called_by_its_line,
    a_reload_forgets_nothing_of_a_target_that_stays,
    a_target_that_spoke_h2_is_never_taken_for_raw,
    that_it_spoke_h2_is_forgotten_once_the_section_changed,
    an_idle_limit_is_forgotten_once_the_section_changed,
    a_session_is_not_resumed_without_end, while_all_are_well_the_first_is_tried,
    of_one_stream_no_target_is_tried_twice,
    a_target_that_failed_is_left_alone_until_it_is_due,
    only_one_stream_tries_a_target_whose_rest_is_over,
    a_target_that_answers_is_at_once_as_good_as_ever,
    rests_double_up_to_a_minute_and_differ, many_failures_at_once_are_one_failure,
    if_all_rest_the_one_that_is_due_first_is_tried_at_once,
    a_sign_of_life_ends_a_rest_early,
    no_stream_tries_a_target_before_a_look_has_shown_that_it_lives,
    a_look_that_fails_makes_the_rest_longer,
    rests_grow_where_looks_succeed_and_streams_do_not,
    a_look_that_never_ends_is_not_the_last, where_all_rest_a_stream_tries_one_that_is_due,
    a_sign_of_life_means_nothing_to_a_target_that_is_well,
    a_target_that_speaks_no_h2_is_not_asked_for_it)
