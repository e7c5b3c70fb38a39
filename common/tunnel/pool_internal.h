/*
 * What the files of the pool share.
 *
 *	pool		the pool's own life, and what streams ask of it
 *	pool_dial	when another one is dialled, and what becomes of the dial
 *	pool_carriers	those that it has, until they have had their time
 *	pool_waiters	who waits for one
 *	pool_choice	what is known of them, and which one a new stream goes to
 *
 * Each knows only those below it; the others hear by struct pool_events.
 *
 * A carrier in the pool is
 *
 *	fresh --its time is over, or it refuses--> stale --another is fresh--> relieved
 *	any of these --GOAWAY, lost, the service ends--> retired
 *
 * Fresh ones take new streams.  A stale one takes them until a fresh one does, a relieved
 * one only where no other can be had; it ends with its last stream.
 */
#ifndef COMMON_TUNNEL_POOL_INTERNAL_H
#define COMMON_TUNNEL_POOL_INTERNAL_H

#include "common/tunnel/pool.h"

enum {
	/* Dials under way. */
	POOL_DIALS = 2,
	/* Dials that may follow each other at once. */
	POOL_DIALS_IN_A_ROW = 2,
};

/** Why a carrier is dialled. */
enum pool_why {
	POOL_FRESH = COUNT_FRESH,     /* freshFor is over */
	POOL_AGE = COUNT_AGE,         /* maxAge is */
	POOL_LOOK = COUNT_REFUSED,    /* the far end refuses streams */
	POOL_NEEDED = COUNT_RENEWALS, /* there is none, or none with room */
};

struct pooled {
	LIST_ENTRY(pooled) entry;
	struct pool *pool;
	struct h2_carrier *carrier;
	ev_timer age;
	bool aged;     /* maxAge is over */
	bool refuses;  /* the last stream, though not for good */
	bool relieved; /* another one has taken over */
	bool retired;  /* takes no more streams */
};

/** A dial, and where it belongs. */
struct pool_dial {
	struct pool *pool;
	struct link_dial *link_dial; /* NULL: none */
	enum pool_why why;
	bool looks; /* no stream needs it: of no use but for h2 */
};

/** When to try again what failed: later and later. */
struct pool_backoff {
	double after; /* by reactor_now(); 0: at any time */
	double next;  /* seconds that the next failure puts it off */
};

struct pool;

/** What pool.c is told by those below it. */
struct pool_events {
	/** A carrier takes no more streams. */
	void (*retired)(struct pool *p);
	/** A carrier is to be renewed for its age. */
	void (*aged)(struct pool *p);
	/** What the loop told is dealt with.  The pool may be gone then. */
	void (*settled)(struct pool *p);
};

struct pool {
	LIST_ENTRY(pool) entry;
	const struct pool_events *events;
	struct pool_set *set;
	struct service *service; /* held */
	struct counts *counts;   /* of the service, for this worker */
	struct target *target;
	bool keep;    /* a carrier, streams or not */
	bool leaving; /* its service is no more: nothing new */

	LIST_HEAD(, pooled) carriers;
	long count; /* of carriers that are neither relieved nor retired */
	long old;   /* of the others: they live for their streams alone */

	TAILQ_HEAD(, pool_waiter) waiters;
	size_t waiting;
	size_t refused; /* of them */

	struct pool_dial dials[POOL_DIALS];
	double credit, counted_at; /* dials that may begin now, counted then */
	bool hedged;               /* the latest of them began beside another one */
	ev_timer patience;         /* with the latest of them */
	ev_timer retry;            /* of the carrier that is to be kept */
	double retry_in;           /* seconds */
	struct pool_backoff renewal;
};

/* ---- pool_choice.c --------------------------------------------------------------- */

/** There are no descriptors for carriers that nobody waits for. */
bool pool_is_short(const struct pool *p);

/** Is nothing better to be had while it is there? */
bool pool_is_fresh(const struct pooled *c);

/** Are there carriers, and none of them fresh?  @why: since when not. */
bool pool_is_stale(const struct pool *p, enum pool_why *why);

/** The carrier that a stream goes to now; NULL: it waits.  @refused: it was refused, so
 * that one that refuses is of no use to it. */
struct pooled *pool_choose(struct pool *p, bool refused);

/** Is there one that takes streams and lives, as far as is known? */
bool pool_has_live(const struct pool *p);

/** Is there one that is not retired? */
bool pool_has_any(const struct pool *p);

/** Ask those that may be dead whether they are.  Returns how many there are. */
long pool_ask_doubtful(struct pool *p);

/* ---- pool_waiters.c -------------------------------------------------------------- */

/** Last of those who wait, for a dial that comes or a carrier that has room. */
void pool_enqueue(struct pool *p, struct pool_waiter *waiter);

/** Those who wait go on, each once, while there is a carrier for them. */
void pool_serve(struct pool *p);

/** They fail, all of them, or those that were refused alone. */
void
pool_fail_waiters(struct pool *p, bool refused, enum reason reason, const char *detail);

/** The target is raw: the first has @link, perhaps NULL, which is closed where nobody
 * waits. */
void pool_tell_raw(struct pool *p, struct link *link);

/* ---- pool_carriers.c ------------------------------------------------------------- */

/** The fresh ones take over. */
void pool_relieve_stale(struct pool *p);

/** It takes no more streams, and ends with its last one, or now. */
void pool_drain(struct pooled *c);

/** Add the carrier of @link, which is the carrier's from now on even on failure.  NULL:
 * out of memory. */
struct pooled *pool_add(struct pool *p, struct link *link, enum pool_why why);

/* ---- pool_dial.c ----------------------------------------------------------------- */

/** Dial one more, unless there are enough under way, or too many have begun of late. */
void pool_dial(struct pool *p, enum pool_why why);

/** Make a carrier of @link, which is h2 and the pool's, for those who wait and others. */
void pool_use(struct pool *p, struct link *link, enum pool_why why);

/** Dial another one in place of stale ones, which still serve: if it fails no stream
 * notices. */
void pool_renew(struct pool *p);

/** Never leave waiters without a dial under way; but a carrier that is asked whether it
 * lives has a moment to answer. */
void pool_dial_for_waiters(struct pool *p);

/** Dial again, later and later, while a carrier is to be kept and none is there. */
void pool_keep_one(struct pool *p);

void pool_dials_init(struct pool *p);
void pool_dials_cancel(struct pool *p);
void pool_dials_clear(struct pool *p);

#endif
