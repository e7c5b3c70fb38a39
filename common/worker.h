/*
 * A worker: one thread, its loop, its streams and carriers.  What begins on a worker ends
 * there, so nothing on the data path is locked.  The calls below are for the main
 * thread; a worker hears of them through its inbox.
 */
#ifndef COMMON_WORKER_H
#define COMMON_WORKER_H

#include "common/stream.h"

#include <stdatomic.h>

struct worker;

/** What is made of a connection that was accepted; runs on the worker.  Takes @fd, and
 * calls worker_release() when the connection, or what became of it, is gone. */
typedef void worker_arrival(struct worker *worker, struct service *service, int fd,
    const struct net_address *peer);

/** What all workers of a program have in common; outlives them. */
struct worker_setup {
	unsigned long count; /* of workers */
	struct service **services;
	size_t service_count;
	long most;          /* connections that all workers may have */
	atomic_long *total; /* how many they have */
	worker_arrival *arrival;
	/** A worker has ended; called on its thread. */
	void (*ended)(void *owner);
	void *owner;
};

/** Start worker @index.  NULL: @e. */
struct worker *
worker_new(unsigned long index, const struct worker_setup *setup, struct err *e);

/** How many connections it has, those under way to it included.  An h2 carrier is none,
 * but each of its streams is. */
long worker_load(const struct worker *worker);

/** Hand over a connection.  False: too many, or out of memory; @fd is still the caller's.
 */
bool worker_hand(struct worker *worker, struct service *service, int fd,
    const struct net_address *peer);

/** End when the last connection has. */
void worker_drain(struct worker *worker);

/** End now: cut the streams off, give the far ends a second to hear of it. */
void worker_stop(struct worker *worker);

/** It has ended and can be joined without waiting. */
bool worker_is_over(const struct worker *worker);

/** Wait for the end, after worker_drain() or worker_stop(), and free it. */
void worker_join(struct worker *worker);

/* For worker_arrival, on the worker: */

/** Where its streams are, with all that they need. */
struct stream_set *worker_streams(struct worker *worker);

/** It takes nothing new any more. */
bool worker_is_draining(const struct worker *worker);

/** Count a stream that came on a carrier; worker_release() follows.  False: too many. */
bool worker_charge(struct worker *worker);

/** One of the connections handed over is gone. */
void worker_release(struct worker *worker);

#endif
