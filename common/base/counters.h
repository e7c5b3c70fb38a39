/*
 * What happened, in numbers, for whoever asks: per service, and in there per worker.  A
 * worker writes its own share, on cache lines of its own, with neither lock nor locked
 * instruction; a reader adds the shares up.  Numbers of one share only grow; what is open
 * now is what began less what ended.
 *
 * Counters outlive the services that they count for: one that is made anew, by a reload
 * or for a new certificate, goes on with those of the one before it.
 */
#ifndef COMMON_BASE_COUNTERS_H
#define COMMON_BASE_COUNTERS_H

#include "common/base/reason.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/** The most workers that count. */
	COUNTERS_WORKERS = 1024,
	COUNTERS_LINE = 64, /* bytes */
};

/** Of carriers. */
enum count_kind {
	COUNT_RAW,
	COUNT_H2,
	COUNT_KINDS
};

/** Why a carrier takes over from others that still serve. */
enum count_renewal {
	COUNT_FRESH,   /* freshFor is over */
	COUNT_AGE,     /* maxAge is */
	COUNT_REFUSED, /* their far ends refuse streams */
	COUNT_RENEWALS
};

typedef _Atomic uint64_t counter;

/** One worker's share. */
struct counts {
	_Alignas(
	    COUNTERS_LINE) counter up; /* bytes, from the legacy program to the app */
	counter down;
	counter streams; /* that began */
	counter endings[REASON_COUNT];
	counter carriers[COUNT_KINDS]; /* TLS connections that opened */
	counter carriers_closed[COUNT_KINDS];
	counter full; /* handshakes that were good */
	counter resumed;
	counter failures[REASON_COUNT]; /* handshakes that were not */
	counter
	    old; /* client: carriers that live for their streams alone from then on, */
	counter old_ended;
	counter renewals[COUNT_RENEWALS]; /* client: carriers that opened for that */
	counter retries[REASON_COUNT];    /* client: refusals of streams that tried on */
	counter answered; /* server: when the app last answered a dial, in ms by
			   reactor_now(); 0: never */
};

struct counters;

/** NULL: out of memory.  The caller holds them. */
struct counters *counters_new(void);

/** Returns @counters. */
struct counters *counters_hold(struct counters *counters);

/** Whoever lets go last frees them.  NULL is fine. */
void counters_release(struct counters *counters);

/** The share of the calling thread, which is worker @index; made when first asked for,
 * and valid as long as the counters are held.  NULL: out of memory. */
struct counts *counters_share(struct counters *counters, size_t index);

/** A stream begins, or ends; for any thread. */
void counters_begin_stream(struct counters *counters);
void counters_end_stream(struct counters *counters);

/** How many are open, to the stream. */
long counters_open_streams(const struct counters *counters);

/** The shares of all workers, added up, of `answered` the latest; for any thread. */
void counters_sum(const struct counters *counters, struct counts *sum);

/** For the share's own thread. */
static inline void
count_add(counter *c, uint64_t n)
{
	atomic_store_explicit(
	    c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline void
count_set(counter *c, uint64_t value)
{
	atomic_store_explicit(c, value, memory_order_relaxed);
}

static inline uint64_t
count_of(const counter *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

/** What is open now, of a sum. */
uint64_t counts_open_streams(const struct counts *sum);
uint64_t counts_open_carriers(const struct counts *sum, enum count_kind kind);
uint64_t counts_old_carriers(const struct counts *sum);

#endif
