/*
 * A listening socket on a loop, and what is accepted there.  Out of descriptors or
 * memory, or where its owner is full, it pauses for a fraction of a second.
 */
#ifndef COMMON_NET_ACCEPTOR_H
#define COMMON_NET_ACCEPTOR_H

#include "common/base/address.h"

#include <ev.h>
#include <stdbool.h>

/** Of its owner; may not stop the acceptor. */
struct acceptor_events {
	/** A connection, non-blocking and close-on-exec; @fd is the callee's. */
	void (*accepted)(void *owner, int fd, const struct address *peer);
	/** May another be accepted?  If not, it is asked again after a pause.  NULL: any
	 * may. */
	bool (*may_accept)(void *owner);
	/** There are no descriptors, or no memory, for another (@errnum); it is tried
	 * again after a pause.  NULL: the owner need not know. */
	void (*shortage)(void *owner, int errnum);
};

struct acceptor {
	struct ev_loop *loop;
	ev_io io;
	ev_timer pause;
	int batch;
	const struct acceptor_events *events;
	void *owner;
};

/** Accept at @fd, a listening socket that is the acceptor's from now on: at most @batch
 * connections in one iteration of @loop.  @events outlive it. */
void acceptor_start(struct acceptor *a, struct ev_loop *loop, int fd, int batch,
    const struct acceptor_events *events, void *owner);

/** Accept all that is waiting already. */
void acceptor_drain(struct acceptor *a);

/** Close the socket. */
void acceptor_stop(struct acceptor *a);

#endif
