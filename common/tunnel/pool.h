/*
 * A pool: one worker's h2 carriers to one target.  It says which carrier a new stream
 * goes to, dials another when all are busy, keeps one open ahead of time, and renews
 * them: the new one first, then the old one has its streams to their end.
 *
 * A carrier stays with the pod that the router once chose, so new streams leave it after
 * freshFor, for one that the router of now chooses.  That is dialled when a stream comes,
 * never for its own sake; and as long as it is not to be had, all goes on as it was.
 *
 * It also finds out, by that first dial, whether the target speaks h2 at all.
 */
#ifndef COMMON_TUNNEL_POOL_H
#define COMMON_TUNNEL_POOL_H

#include "common/h2/carrier.h"
#include "common/net/resolver.h"

#include <sys/queue.h>

struct pool;

/** All pools of a worker. */
struct pool_set {
	struct reactor *reactor;
	struct resolver *resolver;
	struct link_set *links;
	LIST_HEAD(, pool) pools;
	bool draining;      /* no new dials of our own accord, */
	double short_until; /* nor till then, by reactor_now() */
};

/** Who waits for a carrier; embedded in its owner. */
struct pool_waiter {
	TAILQ_ENTRY(pool_waiter) entry;
	struct pool *pool; /* NULL: it does not wait */
	bool refused;      /* by all that have room; set ahead of pool_wait() */
	void *owner;
	/** A carrier has room: pick again. */
	void (*ready)(void *owner);
	/** The target is raw.  @link: open, and the callee's; or NULL: dial your own. */
	void (*raw)(void *owner, struct link *link);
	void (*failed)(void *owner, enum reason reason, const char *detail);
};

/** The pool of @target, made when first asked for; it goes by itself once it has neither
 * carriers nor anybody who waits, unless it is kept.  NULL: out of memory. */
struct pool *
pool_of(struct pool_set *set, struct service *service, struct target *target);

/** The carrier for a new stream: of the fresh ones with room that with the fewest
 * streams, else a stale one.  NULL: pool_wait().  Dials another beside it when that one
 * is busy, or stale.  @refused: the stream was; then none will do that refuses. */
struct h2_carrier *pool_pick(struct pool *pool, bool refused);

/** Is one being dialled? */
bool pool_is_dialling(const struct pool *pool);

/** What a dial under way still waits for, in words; NULL: for an address or TCP, or there
 * is no dial. */
const char *pool_silence(const struct pool *pool);

/** The far end of @carrier has refused a stream that may be tried elsewhere, or accepted
 * one.  While it refuses new streams go elsewhere, if that is to be had.  Else they are
 * answered by it, and have another carrier dialled once a second. */
void pool_note_answer(struct pool *pool, const struct h2_carrier *carrier, bool accepted);

/** Wait for room on a carrier, in the order of asking; another one is dialled, unless
 * there are as many as may be.  A dial that takes long, or a carrier that was silent for
 * long, may be dead: in a second there is one more dial, and a stale carrier is ready. At
 * most one of the waiter's calls comes, from the loop, unless pool_leave() comes first;
 * how long to wait is the waiter's. */
void pool_wait(struct pool *pool, struct pool_waiter *waiter);

/** The same, and @link, which is open and h2, is the pool's from now on: it may serve
 * those who wait.  A call may come before this returns. */
void pool_wait_with(struct pool *pool, struct pool_waiter *waiter, struct link *link);

/** Fine when not waiting. */
void pool_leave(struct pool_waiter *waiter);

/** Keep a carrier open from now on, streams or not. */
void pool_keep(struct pool *pool);

/** Find out whether @target lives, which no stream waits for: target_rouse() if so, else
 * target_fail_look(). */
void pool_look(struct pool_set *set, struct service *service, struct target *target);

/** Pools of services that @spares, which gets @what, does not spare take nothing new, and
 * are kept no more. */
void pool_set_follow(struct pool_set *set,
    bool (*spares)(const void *what, const struct service *service), const void *what);

/** The program is told to stop: dial no more than streams need. */
void pool_set_drain(struct pool_set *set);

/** Descriptors or memory are short: close the carriers without streams, and keep none
 * open for a while. */
void pool_set_shed(struct pool_set *set);

/** Once no carrier is left. */
void pool_set_clear(struct pool_set *set);

#endif
