/*
 * What the files of a worker share:
 *
 *	worker     the thread, its loop, and what it is told
 *	admission  who is let in, on which worker, and who is turned away
 */
#ifndef COMMON_WORKER_WORKER_INTERNAL_H
#define COMMON_WORKER_WORKER_INTERNAL_H

#include "common/worker/listener.h"
#include "common/worker/mailbox.h"
#include "common/worker/worker.h"

#include <pthread.h>

struct worker {
	pthread_t thread;
	bool started;
	struct ev_loop *loop;
	struct listener_list listeners;
	struct reactor reactor;
	struct resolver *resolver;
	struct link_set links;
	struct stream_set streams;
	struct pool_set pools;
	struct worker_setup *setup;
	unsigned long index;
	struct generation *generation;
	ev_timer farewell;
	ev_check iteration_begins;
	ev_prepare iteration_ends;
	enum command order;   /* obeyed so far */
	double shortage_told; /* when, to all; by reactor_now() */

	atomic_bool over;
	atomic_ulong follows; /* the number of its generation */
	atomic_long load;
	struct mailbox mailbox; /* other threads' only way into the loop */
};

/** What a worker does with those who come; the owner is the worker. */
extern const struct listener_events admission_events;

/** So many handshakes of strangers may one of @workers leave unfinished: they count among
 * the @connections, of which they are at most half, and all together are at most
 * @by_memory.  A few always may. */
long admission_handshakes(long connections, long by_memory, long workers);

/** After the settings changed. */
void admission_limit_handshakes(struct worker *worker);

/** One of the connections that the worker was charged with is gone. */
void admission_discharge(struct worker *worker);

#endif
