/*
 * A worker: one thread, its loop, what it accepts, its streams and carriers.  What begins
 * on a worker ends there, so nothing on the data path is locked.  The calls below are for
 * the main thread; a worker hears of them through its inbox.
 *
 * Each worker accepts for itself.  A connection changes hands, before anything is made of
 * it, only to go in turn, or to a worker that has far fewer.
 */
#ifndef COMMON_WORKER_WORKER_H
#define COMMON_WORKER_WORKER_H

#include "common/worker/generation.h"
#include "common/tunnel/stream.h"

#include <stdatomic.h>

struct worker;

/** What is made of a connection that was accepted; runs on the worker.  Takes @fd, and
 * calls worker_release() when the connection, or what became of it, is gone. */
typedef void worker_arrival(
    struct worker *worker, struct service *service, int fd, const struct address *peer);

/** What all workers of a program have in common; outlives them. */
struct worker_setup {
	struct worker **workers;
	unsigned long count; /* of workers */
	struct generation
	    *generation;   /* the first one; those that follow come by worker_follow() */
	atomic_long most;  /* connections that all workers may have */
	atomic_long total; /* how many they have */
	long handshakes;   /* of strangers that all workers may leave unfinished */
	long ahead;        /* carriers that each worker may open ahead of streams */
	atomic_long
	    carriers; /* of the server, with many streams; as many at most again */
	struct byte_budget *windows; /* of their h2 carriers */
	uint64_t instance; /* of this process, for the far ends; 0: it has none */
	/** A connection goes to the worker whose turn it is, for it may stand for many
	 * streams; else it stays with the one that accepted it. */
	bool in_turn;
	atomic_ulong turn;
	/** When `most` or maxStreams is reached: accept no more, instead of turning away.
	 */
	bool waits_when_full;
	worker_arrival *arrival;
	/** `most` is reached: end @fd so that the peer understands. */
	void (*reject)(int fd);
	/** A worker follows another generation, or has ended; called on its thread. */
	void (*changed)(void *owner);
	void *owner;
};

/** Make worker @index, and have it accept once it is started.  NULL: @e. */
struct worker *worker_new(unsigned long index, struct worker_setup *setup, struct err *e);

/** Start it, once all are made. */
bool worker_start(struct worker *worker, struct err *e);

/** From now on follow @generation, which the worker holds: what begins is for its
 * services. */
void worker_follow(struct worker *worker, struct generation *generation);

/** Does it follow the generation of that @number or a later one?  True of one that has
 * ended.
 */
bool worker_follows(const struct worker *worker, unsigned long number);

/** The program is told to stop, and still accepts: h2 carriers of before are told to take
 * new streams elsewhere, which may lead them here again.  For the server. */
void worker_linger(struct worker *worker);

/** Accept nothing more; end when the last connection has. */
void worker_drain(struct worker *worker);

/** End now: cut the streams off, give the far ends a second to hear of it. */
void worker_stop(struct worker *worker);

/** What its loop is at. */
const struct progress *worker_progress(const struct worker *worker);

/** It has ended and can be joined without waiting. */
bool worker_is_over(const struct worker *worker);

/** Wait for the end, after worker_drain() or worker_stop(). */
void worker_join(struct worker *worker);

/** Once all workers are joined, for they look at each other.  NULL is fine. */
void worker_free(struct worker *worker);

/* For worker_arrival, on the worker: */

/** Where its streams are, with all that they need. */
struct stream_set *worker_streams(struct worker *worker);

/** What it follows now. */
const struct generation *worker_generation(const struct worker *worker);

/** It takes nothing new any more. */
bool worker_is_draining(const struct worker *worker);

/** Count a carrier of many streams, apart from them: silent ones should not keep streams
 * out.  False: too many. */
bool worker_charge_carrier(struct worker *worker);
void worker_release_carrier(struct worker *worker);

/** Count a stream that came on a carrier, for which a handshake that somebody left
 * unfinished gives way; worker_release() follows.  False: too many. */
bool worker_charge(struct worker *worker);

/** One of the connections handed over is gone. */
void worker_release(struct worker *worker);

#endif
