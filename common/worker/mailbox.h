/*
 * What other threads have for a worker: connections, generations, orders.  Posting and
 * asking whether something came are the only things that threads do to each other's
 * workers, and the only lock on the way of a connection.
 */
#ifndef COMMON_WORKER_MAILBOX_H
#define COMMON_WORKER_MAILBOX_H

#include "common/worker/generation.h"

#include <ev.h>
#include <pthread.h>

/** In order of urgency. */
enum command {
	COMMAND_NONE,
	COMMAND_LINGER,
	COMMAND_DRAIN,
	COMMAND_STOP
};

/** A connection on its way from the worker that accepted it. */
struct handoff {
	struct handoff *next;
	struct service *service; /* held */
	int fd;
	struct address peer;
};

struct mail {
	struct handoff *handoffs; /* the receiver's: see handoff_free() */
	struct generation
	    *generation;    /* the latest, held by the receiver; NULL: none came */
	bool shortage;      /* of descriptors or memory; told anew each time */
	enum command order; /* the most urgent of all that ever came */
};

struct mailbox {
	struct ev_loop *loop;
	ev_async came;
	void (*wake)(void *owner);
	void *owner;
	pthread_mutex_t lock; /* of what follows */
	struct mail mail;
	struct handoff **end; /* where the next handoff goes */
};

/** @wake comes on @loop's thread once something was posted. */
void mailbox_init(
    struct mailbox *box, struct ev_loop *loop, void (*wake)(void *owner), void *owner);

/** Empty already. */
void mailbox_clear(struct mailbox *box);

/* For any thread. */

/** False: out of memory, and nothing was taken. */
bool mailbox_post_connection(
    struct mailbox *box, struct service *service, int fd, const struct address *peer);
void mailbox_post_generation(struct mailbox *box, struct generation *generation);
void mailbox_post_command(struct mailbox *box, enum command order);
void mailbox_post_shortage(struct mailbox *box);

/* For the owner. */

/** Take out all that came. */
struct mail mailbox_empty(struct mailbox *box);

/** Free the first handoff, of whose descriptor care was taken.  Returns the next one. */
struct handoff *handoff_free(struct handoff *handoff);

#endif
