#include "common/base/counters.h"
#include "tests/unit/unit.h"

#include <pthread.h>

START_TEST(shares_of_all_workers_add_up)
{
	struct counters *c = counters_new();
	struct counts sum;

	count_add(&counters_share(c, 0)->up, 10);
	count_add(&counters_share(c, 0)->up, 1);
	count_add(&counters_share(c, 7)->up, 100);
	count_add(&counters_share(c, 7)->endings[REASON_IDLE], 3);
	counters_sum(c, &sum);
	ck_assert_uint_eq(count_of(&sum.up), 111);
	ck_assert_uint_eq(count_of(&sum.down), 0);
	ck_assert_uint_eq(count_of(&sum.endings[REASON_IDLE]), 3);
	counters_release(c);
}
END_TEST

START_TEST(a_worker_keeps_its_share)
{
	struct counters *c = counters_new();

	ck_assert_ptr_eq(counters_share(c, 3), counters_share(c, 3));
	ck_assert_ptr_ne(counters_share(c, 3), counters_share(c, 4));
	ck_assert_uint_eq((uintptr_t)counters_share(c, 3) % COUNTERS_LINE, 0);
	ck_assert_uint_eq(sizeof(struct counts) % COUNTERS_LINE, 0);
	counters_release(c);
}
END_TEST

START_TEST(what_is_open_began_and_did_not_end)
{
	struct counters *c = counters_new();
	struct counts *mine = counters_share(c, 0), sum;

	count_add(&mine->streams, 5);
	count_add(&mine->endings[REASON_FINISHED], 2);
	count_add(&mine->endings[REASON_STOPPED], 1);
	count_add(&mine->carriers[COUNT_H2], 4);
	count_add(&mine->carriers_closed[COUNT_H2], 1);
	count_add(&mine->carriers_closed[COUNT_RAW], 1); /* seen before its beginning */
	counters_sum(c, &sum);
	ck_assert_uint_eq(counts_open_streams(&sum), 2);
	ck_assert_uint_eq(counts_open_carriers(&sum, COUNT_H2), 3);
	ck_assert_uint_eq(counts_open_carriers(&sum, COUNT_RAW), 0);
	counters_release(c);
}
END_TEST

START_TEST(what_is_open_is_known_at_any_time)
{
	struct counters *c = counters_new();

	ck_assert_int_eq(counters_open_streams(c), 0);
	counters_begin_stream(c);
	counters_begin_stream(c);
	counters_end_stream(c);
	ck_assert_int_eq(counters_open_streams(c), 1);
	counters_release(c);
}
END_TEST

START_TEST(the_latest_answer_of_the_app_counts)
{
	struct counters *c = counters_new();
	struct counts sum;

	count_set(&counters_share(c, 0)->answered, 2000);
	count_set(&counters_share(c, 1)->answered, 1000);
	counters_sum(c, &sum);
	ck_assert_uint_eq(count_of(&sum.answered), 2000);
	counters_release(c);
}
END_TEST

START_TEST(they_live_as_long_as_somebody_holds_them)
{
	struct counters *c = counters_new();
	struct counts sum;

	count_add(&counters_share(counters_hold(c), 0)->streams, 1);
	counters_release(c);
	counters_sum(c, &sum);
	ck_assert_uint_eq(count_of(&sum.streams), 1);
	counters_release(c);
	counters_release(NULL);
}
END_TEST

enum {
	WRITERS = 3,
	TIMES = 100000,
};

struct writer {
	struct counters *counters;
	size_t index;
};

static void *
write_much(void *arg)
{
	struct writer *w = arg;
	struct counts *mine = counters_share(w->counters, w->index);

	for (int i = 0; i < TIMES; i++)
		count_add(&mine->down, 2);
	return NULL;
}

START_TEST(no_count_is_lost_while_others_read)
{
	struct counters *c = counters_new();
	struct writer writers[WRITERS];
	pthread_t threads[WRITERS];
	struct counts sum;
	uint64_t last = 0;

	for (size_t i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){c, i};
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, write_much, &writers[i]), 0);
	}
	for (int i = 0; i < 100; i++) {
		counters_sum(c, &sum);
		ck_assert_uint_ge(count_of(&sum.down), last);
		last = count_of(&sum.down);
	}
	for (size_t i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	counters_sum(c, &sum);
	ck_assert_uint_eq(count_of(&sum.down), 2ULL * WRITERS * TIMES);
	counters_release(c);
}
END_TEST

UNIT_MAIN("counters", what_is_open_is_known_at_any_time, shares_of_all_workers_add_up,
    a_worker_keeps_its_share, what_is_open_began_and_did_not_end,
    the_latest_answer_of_the_app_counts, they_live_as_long_as_somebody_holds_them,
    no_count_is_lost_while_others_read)
