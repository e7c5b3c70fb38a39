/* Built with a clock that a test may put forward; timers go by the real one. */
#include "tests/unit/opening_stage.h"
#include "tests/unit/unit.h"

#include "common/net/reactor.h"

static double skipped;

double __real_reactor_now(void);
double __wrap_reactor_now(void);

double
__wrap_reactor_now(void)
{
	return __real_reactor_now() + skipped;
}

static const double fresh_for = 5;

/* All is as the settings' defaults have it, and the first stream is open. */
static void
begin(struct stage *s)
{
	skipped = 0;
	stage_init(s);
	s->bench.client.fresh_for = fresh_for;
	s->bench.client.max_age = 3600;
	stage_begin(s);
	s->accepts = true;
	call(s, 0, "");
	EXPECT(s, s->callers[0].opened == 1);
	ck_assert_int_eq(s->visits[0].arrival, 1);
}

/* One more stream.  Returns the number of the carrier on which it is. */
static int
open_one(struct stage *s, int i)
{
	int asked = s->asked;

	call(s, i, "");
	EXPECT(s, s->callers[i].opened == 1);
	ck_assert_int_eq(s->asked, asked + 1);
	ck_assert_int_gt(s->visits[asked].arrival, 0);
	return s->visits[asked].arrival;
}

static void
end_one(struct stage *s, int i)
{
	caller_end(&s->callers[i]);
	EXPECT(s, s->visits[i].channel->endpoint.deaf);
	visit_end(&s->visits[i]);
}

/* ---- fresh ----------------------------------------------------------------------- */

START_TEST(new_streams_share_a_carrier_while_it_is_fresh)
{
	static struct stage s;

	begin(&s);
	skipped = fresh_for - 1;
	for (int i = 1; i < 20; i++)
		ck_assert_int_eq(open_one(&s, i), 1);
	ck_assert_int_eq(s.listen_sockets[0].came, 1);
	stage_clear(&s);
}
END_TEST

START_TEST(after_a_silence_the_first_stream_waits_for_a_new_carrier)
{
	static struct stage s;

	begin(&s);
	skipped = 3000;
	ck_assert_int_eq(open_one(&s, 1), 2);
	ck_assert_int_eq(open_one(&s, 2), 2);
	stage_clear(&s);
}
END_TEST

START_TEST(streams_that_come_all_the_time_wait_for_no_new_carrier)
{
	static struct stage s;
	int on = 0;

	begin(&s);
	skipped = fresh_for;
	ck_assert_int_eq(open_one(&s, 1), 1);
	for (int i = 2; i < 100 && on != 2; i++)
		on = open_one(&s, i);
	ck_assert_int_eq(on, 2);
	ck_assert_int_eq(open_one(&s, 100), 2);
	stage_clear(&s);
}
END_TEST

START_TEST(a_carrier_is_not_renewed_for_its_own_sake)
{
	static struct stage s;

	begin(&s);
	end_one(&s, 0);
	for (int i = 0; i < 20; i++) {
		skipped += fresh_for;
		stage_turns(&s, 5);
	}
	ck_assert_int_eq(s.listen_sockets[0].came, 1);
	ck_assert_int_eq(count_carriers(&s), 1);
	stage_clear(&s);
}
END_TEST

START_TEST(freshness_can_be_switched_off)
{
	static struct stage s;

	skipped = 0;
	stage_init(&s);
	stage_begin(&s);
	s.accepts = true;
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(open_one(&s, i), 1);
		skipped += 3000;
	}
	stage_clear(&s);
}
END_TEST

/* ---- relieved -------------------------------------------------------------------- */

START_TEST(the_old_one_keeps_its_streams_and_ends_with_the_last)
{
	static struct stage s;
	struct counts sum;

	begin(&s);
	skipped = 10;
	ck_assert_int_eq(open_one(&s, 1), 2);
	ck_assert_int_eq(count_carriers(&s), 2);
	counters_sum(s.client->counters, &sum);
	ck_assert_uint_eq(counts_old_carriers(&sum), 1);
	ck_assert_uint_eq(count_of(&sum.renewals[COUNT_FRESH]), 1);
	ck_assert(!s.callers[0].channel->endpoint.deaf);
	end_one(&s, 0);
	EXPECT(&s, count_carriers(&s) == 1);
	ck_assert_ptr_nonnull(s.arrivals[1].carrier);
	EXPECT(
	    &s, (counters_sum(s.client->counters, &sum), counts_old_carriers(&sum) == 0));
	stage_clear(&s);
}
END_TEST

START_TEST(the_old_one_serves_again_where_no_newer_is_to_be_had)
{
	static struct stage s;

	begin(&s);
	skipped = 10;
	ck_assert_int_eq(open_one(&s, 1), 2);
	end_one(&s, 1);
	s.listen_sockets[0].mute = true;
	h2_carrier_close(s.arrivals[1].carrier);
	s.arrivals[1].carrier = s.listen_sockets[0].carrier = NULL;
	stage_turns(&s, 20);
	ck_assert_int_eq(open_one(&s, 2), 1);
	ck_assert_int_eq(s.listen_sockets[0].came, 3);
	stage_clear(&s);
}
END_TEST

/* One that lasts is begun every freshFor. */
START_TEST(streams_that_last_hold_only_so_many_carriers)
{
	static struct stage s;

	begin(&s);
	for (int i = 1; i < CALLERS; i++) {
		skipped += fresh_for + 2;
		open_one(&s, i);
	}
	ck_assert_int_gt(count_carriers(&s), 6);
	ck_assert_int_lt(count_carriers(&s), 20);
	stage_clear(&s);
}
END_TEST

/* ---- not to be had --------------------------------------------------------------- */

START_TEST(a_dial_that_hangs_holds_a_stream_up_once_for_a_second)
{
	static struct stage s;
	double began;

	begin(&s);
	s.listen_sockets[0].mute = true;
	skipped = 10;
	began = reactor_now();
	ck_assert_int_eq(open_one(&s, 1), 1);
	ck_assert_double_ge(reactor_now() - began, 0.9);
	ck_assert_int_eq(s.listen_sockets[0].came, 2);
	for (int i = 2; i < 10; i++)
		ck_assert_int_eq(open_one(&s, i), 1);
	stage_clear(&s);
}
END_TEST

START_TEST(a_far_end_that_is_raw_by_now_changes_nothing)
{
	static struct stage s;

	begin(&s);
	s.listen_sockets[0].raw = true;
	skipped = 10;
	ck_assert_int_eq(open_one(&s, 1), 1);
	ck_assert_int_eq(s.listen_sockets[0].came, 2);
	ck_assert(target_may_h2(&s.client->targets[0]));
	ck_assert_int_eq(open_one(&s, 2), 1);
	ck_assert_int_eq(s.listen_sockets[0].came, 2);
	skipped += 5;
	s.listen_sockets[0].raw = false;
	EXPECT(&s, open_one(&s, 3) >= 1 && s.listen_sockets[0].came == 3);
	EXPECT(&s, count_carriers(&s) == 2);
	ck_assert_int_eq(open_one(&s, 4), 2);
	stage_clear(&s);
}
END_TEST

START_TEST(tries_that_fail_come_later_and_later)
{
	static struct stage s;
	int i = 1;

	begin(&s);
	s.listen_sockets[0].raw = true;
	for (skipped = 10; skipped < 610; skipped += 5)
		ck_assert_int_eq(open_one(&s, i++), 1);
	ck_assert_int_gt(s.listen_sockets[0].came, 10);
	ck_assert_int_lt(s.listen_sockets[0].came, 25);
	stage_clear(&s);
}
END_TEST

/* ---- refusals -------------------------------------------------------------------- */

START_TEST(a_stream_that_one_pod_refuses_is_opened_in_another)
{
	static struct stage s;

	skipped = 0;
	stage_init(&s);
	s.bench.client.fresh_for = fresh_for;
	stage_begin(&s);
	s.pods = 2;
	s.accepts = true;
	s.refuses[1] = REASON_APP_UNREACHABLE;
	ck_assert_int_eq(open_one(&s, 0), 2);
	ck_assert_int_eq(s.refused, 1);
	for (int i = 1; i < 20; i++)
		ck_assert_int_eq(open_one(&s, i), 2);
	ck_assert_int_eq(s.refused, 1);
	EXPECT(&s, count_carriers(&s) == 1);
	stage_clear(&s);
}
END_TEST

/* A minute, in which programs come ten at a time. */
START_TEST(where_all_refuse_there_is_one_dial_a_second)
{
	static struct stage s;
	double began = reactor_now();

	begin(&s);
	s.refuses[0] = REASON_APP_UNREACHABLE;
	for (int i = 1; i <= 200; i += 10) {
		int came = s.listen_sockets[0].came;

		for (int k = i; k < i + 10; k++)
			call(&s, k, "");
		for (int k = i; k < i + 10; k++) {
			EXPECT(&s, s.callers[k].failed == 1);
			ck_assert_int_eq(s.callers[k].reason, REASON_APP_UNREACHABLE);
		}
		ck_assert_int_gt(s.listen_sockets[0].came, came);
		skipped += 3;
	}
	ck_assert_double_ge(reactor_now() - began, 60);
	ck_assert_double_le(s.listen_sockets[0].came, reactor_now() - began);
	stage_clear(&s);
}
END_TEST

/* As under source, once the router has dropped the pod. */
START_TEST(a_stream_that_is_refused_waits_for_the_next_dial)
{
	static struct stage s;

	begin(&s);
	s.refuses[0] = REASON_APP_UNREACHABLE;
	call(&s, 1, "");
	EXPECT(&s, s.callers[1].failed == 1);
	call(&s, 2, "");
	EXPECT(&s, s.refused == 4);
	stage_turns(&s, 20);
	ck_assert_int_eq(s.callers[2].failed, 0);
	s.refuses[0] = REASON_NONE;
	EXPECT(&s, s.callers[2].opened == 1);
	ck_assert_int_eq(s.listen_sockets[0].came, 4);
	stage_clear(&s);
}
END_TEST

START_TEST(a_stream_that_all_refuse_ends_in_good_time)
{
	static struct stage s;
	double began;

	begin(&s);
	s.refuses[0] = REASON_APP_UNREACHABLE;
	call(&s, 1, "");
	EXPECT(&s, s.callers[1].failed == 1);
	began = reactor_now();
	call(&s, 2, "");
	EXPECT(&s, s.callers[2].failed == 1);
	ck_assert_double_ge(reactor_now() - began, 1);
	stage_clear(&s);
}
END_TEST

START_TEST(the_same_far_end_is_asked_three_times_at_most)
{
	static struct stage s;
	struct counts sum;

	begin(&s);
	s.refuses[0] = REASON_FULL;
	call(&s, 1, "words");
	EXPECT(&s, s.callers[1].failed == 1);
	ck_assert_int_eq(s.callers[1].reason, REASON_FULL);
	ck_assert_int_eq(s.refused, 3);
	counters_sum(s.client->counters, &sum);
	ck_assert_uint_eq(count_of(&sum.retries[REASON_FULL]), 3);
	ck_assert_int_eq(s.listen_sockets[0].came, 3);
	stage_clear(&s);
}
END_TEST

START_TEST(a_far_end_that_ends_is_waited_for)
{
	static struct stage s;

	begin(&s);
	s.refuses[0] = REASON_STOPPED;
	call(&s, 1, "words");
	EXPECT(&s, s.refused == 5);
	ck_assert_int_eq(s.callers[1].failed, 0);
	s.refuses[0] = REASON_NONE;
	EXPECT(&s, s.callers[1].opened == 1);
	ck_assert_int_le(s.listen_sockets[0].came, 7);
	stage_clear(&s);
}
END_TEST

UNIT_MAIN("pool", a_stream_that_one_pod_refuses_is_opened_in_another,
    where_all_refuse_there_is_one_dial_a_second,
    a_stream_that_is_refused_waits_for_the_next_dial,
    a_stream_that_all_refuse_ends_in_good_time,
    the_same_far_end_is_asked_three_times_at_most, a_far_end_that_ends_is_waited_for,
    new_streams_share_a_carrier_while_it_is_fresh,
    after_a_silence_the_first_stream_waits_for_a_new_carrier,
    streams_that_come_all_the_time_wait_for_no_new_carrier,
    a_carrier_is_not_renewed_for_its_own_sake, freshness_can_be_switched_off,
    the_old_one_keeps_its_streams_and_ends_with_the_last,
    the_old_one_serves_again_where_no_newer_is_to_be_had,
    streams_that_last_hold_only_so_many_carriers,
    a_dial_that_hangs_holds_a_stream_up_once_for_a_second,
    a_far_end_that_is_raw_by_now_changes_nothing, tries_that_fail_come_later_and_later)
