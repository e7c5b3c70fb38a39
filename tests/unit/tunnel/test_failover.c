#include "common/tunnel/failover.h"

#include "common/net/reactor.h"
#include "tests/unit/unit.h"

#include <string.h>

enum {
	COUNT = 3,
};

static const struct address_name names[COUNT] = {
    {.host = (char *)(uintptr_t) "a.test", .port = 443},
    {.host = (char *)(uintptr_t) "b.test", .port = 443},
    {.host = (char *)(uintptr_t) "c.test", .port = 443},
};

/** An opening of a service with some targets. */
struct scene {
	struct service_settings settings;
	struct target targets[COUNT];
	struct service service;
	bool tried[COUNT];
	struct failover_walk attempts;
};

static void
scene_init(struct scene *s, size_t targets, double timeout)
{
	memset(s, 0, sizeof(*s));
	s->settings = (struct service_settings){
	    .name = (char *)(uintptr_t) "svc", .timeout_connect = timeout};
	for (size_t i = 0; i < targets; i++)
		target_init(&s->targets[i], &names[i], true);
	s->service = (struct service){
	    .settings = &s->settings, .targets = s->targets, .target_count = targets};
	failover_init(&s->attempts, &s->service, s->tried);
}

static void
scene_clear(struct scene *s)
{
	failover_clear(&s->attempts);
	for (size_t i = 0; i < s->service.target_count; i++)
		target_clear(&s->targets[i]);
}

/* Another stream. */
static void
begin_again(struct scene *s)
{
	failover_clear(&s->attempts);
	failover_init(&s->attempts, &s->service, s->tried);
}

static const char *
next(struct scene *s)
{
	return failover_next(&s->attempts) ? failover_target(&s->attempts)->text : "none";
}

static void
expect_words(struct scene *s, const char *words)
{
	struct buf all = failover_give_up(&s->attempts);

	ck_assert_str_eq((const char *)buf_bytes(&all), words);
	buf_clear(&all);
}

START_TEST(each_target_is_tried_once)
{
	struct scene s;

	scene_init(&s, COUNT, 10);
	ck_assert_str_eq(next(&s), "a.test:443");
	ck_assert_str_eq(next(&s), "b.test:443");
	ck_assert_str_eq(next(&s), "c.test:443");
	ck_assert_str_eq(next(&s), "none");
	scene_clear(&s);
}
END_TEST

START_TEST(each_target_has_its_share_and_the_last_one_all_that_is_left)
{
	struct scene s;

	scene_init(&s, COUNT, 3000);
	next(&s);
	ck_assert_double_eq_tol(failover_left(&s.attempts), 1000, 10);
	next(&s);
	ck_assert_double_eq_tol(failover_left(&s.attempts), 1500, 10);
	next(&s);
	ck_assert_double_eq_tol(failover_left(&s.attempts), 3000, 10);
	ck_assert(!failover_extend(&s.attempts));
	scene_clear(&s);
}
END_TEST

/* Whatever the clock says, and however its sums are rounded. */
START_TEST(the_last_one_s_time_is_never_extended)
{
	struct scene s;

	for (int i = 0; i < 1000; i++) {
		scene_init(&s, 1 + (size_t)i % COUNT, 2000 + i / 7.0);
		while (s.attempts.untried > 0)
			next(&s);
		ck_assert(!failover_extend(&s.attempts));
		scene_clear(&s);
	}
}
END_TEST

START_TEST(a_share_is_at_least_a_second)
{
	double before;
	struct scene s;

	scene_init(&s, COUNT, 1);
	before = reactor_now();
	next(&s);
	ck_assert_double_ge(s.attempts.share_ends, before + 1);
	scene_clear(&s);
}
END_TEST

START_TEST(one_that_may_have_bytes_gets_all_the_time_there_is)
{
	struct scene s;

	scene_init(&s, COUNT, 3000);
	next(&s);
	ck_assert(failover_extend(&s.attempts));
	ck_assert_double_eq_tol(failover_left(&s.attempts), 3000, 10);
	ck_assert(!failover_extend(&s.attempts));
	scene_clear(&s);
}
END_TEST

START_TEST(no_target_is_tried_once_the_time_is_over)
{
	struct scene s;

	scene_init(&s, COUNT, 0);
	ck_assert_str_eq(next(&s), "none");
	scene_clear(&s);
}
END_TEST

START_TEST(the_first_reason_counts_and_all_are_told)
{
	struct scene s;

	scene_init(&s, 2, 10);
	next(&s);
	failover_fail(&s.attempts, REASON_NO_POD, "closed early");
	next(&s);
	failover_fail(&s.attempts, REASON_CONNECT_FAILED, NULL);
	ck_assert_int_eq(s.attempts.reason, REASON_NO_POD);
	expect_words(&s, "a.test:443: no-pod (closed early); "
			 "b.test:443: connect-failed (nothing answers at the target)");
	scene_clear(&s);
}
END_TEST

START_TEST(the_only_target_needs_no_name_and_never_rests)
{
	struct scene s;

	scene_init(&s, 1, 10);
	next(&s);
	failover_fail(&s.attempts, REASON_NO_POD, "closed early");
	ck_assert(!target_answer(&s.targets[0])); /* it was not resting */
	expect_words(&s, "closed early");
	scene_clear(&s);
}
END_TEST

START_TEST(a_target_that_failed_comes_last_until_it_answers)
{
	struct scene s;

	scene_init(&s, 2, 10);
	next(&s);
	failover_fail(&s.attempts, REASON_NO_POD, NULL);
	begin_again(&s);
	ck_assert_str_eq(next(&s), "b.test:443");
	ck_assert_str_eq(next(&s), "a.test:443");
	failover_succeed(&s.attempts);
	begin_again(&s);
	ck_assert_str_eq(next(&s), "a.test:443");
	scene_clear(&s);
}
END_TEST

START_TEST(what_is_no_fault_of_the_target_does_not_rest_it)
{
	struct scene s;

	scene_init(&s, 2, 10);
	next(&s);
	failover_blame(&s.attempts, REASON_OPEN_TIMEOUT, "no answer");
	ck_assert(!target_answer(&s.targets[0]));
	expect_words(&s, "a.test:443: open-timeout (no answer)");
	scene_clear(&s);
}
END_TEST

UNIT_MAIN("attempts", each_target_is_tried_once,
    each_target_has_its_share_and_the_last_one_all_that_is_left,
    the_last_one_s_time_is_never_extended, a_share_is_at_least_a_second,
    one_that_may_have_bytes_gets_all_the_time_there_is,
    no_target_is_tried_once_the_time_is_over, the_first_reason_counts_and_all_are_told,
    the_only_target_needs_no_name_and_never_rests,
    a_target_that_failed_comes_last_until_it_answers,
    what_is_no_fault_of_the_target_does_not_rest_it)
