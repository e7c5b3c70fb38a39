/*
 * What a worker's loop is at, for the main thread to see: when its present turn began,
 * and what it began last.  And the main thread's judgement: a loop that is found in one
 * and the same turn by every look for as long as PROGRESS_LOOKS is stuck.  Looks are
 * counted, not seconds, so that a process which was stopped as a whole accuses nobody.
 */
#ifndef COMMON_BASE_PROGRESS_H
#define COMMON_BASE_PROGRESS_H

#include <stdatomic.h>
#include <stdbool.h>

enum {
	/** Of a second each. */
	PROGRESS_LOOKS = 10,
};

/** Written by the loop's thread alone.  All zero: it waits. */
struct progress {
	atomic_ulong number;        /* of the turn; 0: it waits for events */
	_Atomic(const char *) what; /* a text that is never freed */
	unsigned long last;
};

/** The loop has events. */
static inline void
progress_begin(struct progress *t)
{
	if (++t->last == 0)
		t->last++;
	atomic_store_explicit(&t->what, "a turn of the loop", memory_order_relaxed);
	atomic_store_explicit(&t->number, t->last, memory_order_relaxed);
}

/** It is about to wait for more. */
static inline void
progress_end(struct progress *t)
{
	atomic_store_explicit(&t->number, 0, memory_order_relaxed);
}

/** @what: a literal, which names what begins now. */
static inline void
progress_note(struct progress *t, const char *what)
{
	atomic_store_explicit(&t->what, what, memory_order_relaxed);
}

/** What the main thread has seen of a turn; all zero at first. */
struct progress_seen {
	unsigned long number;
	int looks; /* that found it */
	bool stuck;
};

enum progress_news {
	PROGRESS_SAME,
	PROGRESS_STUCK,
	PROGRESS_BACK
};

/** Look, once a second. */
enum progress_news
progress_look(struct progress_seen *sight, const struct progress *turn);

#endif
