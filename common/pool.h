/*
 * A pool: one worker's h2 carriers to one target.  It says which carrier a new stream
 * goes to, dials another when all are busy, and keeps one open ahead of time.
 *
 * It also finds out, by that first dial, whether the target speaks h2 at all.
 */
#ifndef COMMON_POOL_H
#define COMMON_POOL_H

#include "common/carrier_h2.h"
#include "common/resolve.h"

#include <sys/queue.h>

struct pool;

/** All pools of a worker. */
struct pool_set {
	struct reactor *reactor;
	struct resolver *resolver;
	struct link_set *links;
	LIST_HEAD(, pool) pools;
	bool draining; /* no new dials of our own accord */
};

/** Who waits for a carrier; embedded in its owner. */
struct pool_waiter {
	LIST_ENTRY(pool_waiter) entry;
	bool waiting;
	void *owner;
	/** A carrier may have room now: pick again. */
	void (*ready)(void *owner);
	/** The target is raw.  @link: open, and the callee's; or NULL: dial your own. */
	void (*raw)(void *owner, struct link *link);
	void (*failed)(void *owner, enum reason reason, const char *detail);
};

/** The pool of @target, made when first asked for.  NULL: out of memory. */
struct pool *
pool_of(struct pool_set *set, struct service *service, struct target *target);

/** The carrier with the fewest streams that has room, or NULL.  Dials another beside it
 * when that one is busy. */
struct carrier_h2 *pool_pick(struct pool *pool);

/** Wait for a dial, which is begun unless one is under way.  Exactly one of the waiter's
 * calls comes, from the loop, unless pool_leave() comes first. */
void pool_wait(struct pool *pool, struct pool_waiter *waiter);

/** Fine when not waiting. */
void pool_leave(struct pool_waiter *waiter);

/** Keep a carrier open from now on, streams or not. */
void pool_keep(struct pool *pool);

/** The program is told to stop: dial no more than streams need. */
void pool_set_drain(struct pool_set *set);

/** Once no carrier is left. */
void pool_set_clear(struct pool_set *set);

#endif
