#include "common/base/counters.h"

#include <stdlib.h>
#include <string.h>

struct counters {
	atomic_int holders;
	atomic_long open;                                  /* streams */
	_Atomic(struct counts *) shares[COUNTERS_WORKERS]; /* NULL: not asked for yet */
};

struct counters *
counters_new(void)
{
	struct counters *c = calloc(1, sizeof(*c));

	if (c != NULL)
		atomic_init(&c->holders, 1);
	return c;
}

struct counters *
counters_hold(struct counters *c)
{
	atomic_fetch_add(&c->holders, 1);
	return c;
}

void
counters_release(struct counters *c)
{
	if (c == NULL || atomic_fetch_sub(&c->holders, 1) > 1)
		return;
	for (size_t i = 0; i < COUNTERS_WORKERS; i++)
		free(atomic_load(&c->shares[i]));
	free(c);
}

void
counters_begin_stream(struct counters *c)
{
	atomic_fetch_add_explicit(&c->open, 1, memory_order_relaxed);
}

void
counters_end_stream(struct counters *c)
{
	atomic_fetch_sub_explicit(&c->open, 1, memory_order_relaxed);
}

long
counters_open_streams(const struct counters *c)
{
	return atomic_load_explicit(&c->open, memory_order_relaxed);
}

struct counts *
counters_share(struct counters *c, size_t index)
{
	_Atomic(struct counts *) *place = &c->shares[index % COUNTERS_WORKERS];
	struct counts *share = atomic_load_explicit(place, memory_order_relaxed);

	if (share != NULL)
		return share;
	if ((share = aligned_alloc(COUNTERS_LINE, sizeof(*share))) == NULL)
		return NULL;
	memset(share, 0, sizeof(*share));
	atomic_store_explicit(place, share, memory_order_release);
	return share;
}

static void
add_each(counter *sum, const counter *share, size_t n)
{
	for (size_t i = 0; i < n; i++)
		count_add(&sum[i], count_of(&share[i]));
}

/* Ends before beginnings, so that what is open is seldom told too low, and never below
 * nothing. */
static void
add(struct counts *sum, const struct counts *share)
{
	uint64_t answered = count_of(&share->answered);

	add_each(sum->endings, share->endings, REASON_COUNT);
	add_each(sum->carriers_closed, share->carriers_closed, COUNT_KINDS);
	add_each(&sum->streams, &share->streams, 1);
	add_each(sum->carriers, share->carriers, COUNT_KINDS);
	add_each(&sum->up, &share->up, 1);
	add_each(&sum->down, &share->down, 1);
	add_each(&sum->full, &share->full, 1);
	add_each(&sum->resumed, &share->resumed, 1);
	add_each(sum->failures, share->failures, REASON_COUNT);
	add_each(&sum->old_ended, &share->old_ended, 1);
	add_each(&sum->old, &share->old, 1);
	add_each(sum->renewals, share->renewals, COUNT_RENEWALS);
	add_each(sum->retries, share->retries, REASON_COUNT);
	if (answered > count_of(&sum->answered))
		count_set(&sum->answered, answered);
}

void
counters_sum(const struct counters *c, struct counts *sum)
{
	const struct counts *share;

	memset(sum, 0, sizeof(*sum));
	for (size_t i = 0; i < COUNTERS_WORKERS; i++) {
		share = atomic_load_explicit(&c->shares[i], memory_order_acquire);
		if (share != NULL)
			add(sum, share);
	}
}

static uint64_t
less(uint64_t began, uint64_t ended)
{
	return began > ended ? began - ended : 0;
}

uint64_t
counts_open_streams(const struct counts *sum)
{
	uint64_t ended = 0;

	for (size_t i = 0; i < REASON_COUNT; i++)
		ended += count_of(&sum->endings[i]);
	return less(count_of(&sum->streams), ended);
}

uint64_t
counts_open_carriers(const struct counts *sum, enum count_kind kind)
{
	return less(
	    count_of(&sum->carriers[kind]), count_of(&sum->carriers_closed[kind]));
}

uint64_t
counts_old_carriers(const struct counts *sum)
{
	return less(count_of(&sum->old), count_of(&sum->old_ended));
}
