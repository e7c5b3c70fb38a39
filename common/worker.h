/*
 * A worker: one thread, its loop, its streams and carriers.  What begins on a worker ends
 * there, so nothing on the data path is locked.  The calls below are for the main
 * thread; a worker hears of them through its inbox.
 */
#ifndef COMMON_WORKER_H
#define COMMON_WORKER_H

#include "common/stream.h"

struct worker;

/** What is made of a connection that was accepted; runs on the worker.  Takes @fd, and
 * calls worker_release() when the connection, or what became of it, is gone. */
typedef void worker_arrival(struct worker *worker, struct service *service, int fd,
    const struct net_address *peer);

/** Start worker @index of @count.  @ended is called with @owner, on the worker's thread,
 * when it ends.  NULL: @e. */
struct worker *worker_new(unsigned long index, unsigned long count,
    worker_arrival *arrival, void (*ended)(void *owner), void *owner, struct err *e);

/** How many connections it has, those under way to it included. */
long worker_load(const struct worker *worker);

/** Hand over a connection.  False: out of memory, and @fd is still the caller's. */
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

/** One of the connections handed over is gone. */
void worker_release(struct worker *worker);

#endif
