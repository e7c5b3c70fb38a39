/*
 * One worker's share of a listening socket.  It accepts on the worker's loop; out of
 * descriptors or memory it pauses.
 */
#ifndef COMMON_WORKER_LISTENER_H
#define COMMON_WORKER_LISTENER_H

#include "common/worker/generation.h"

#include <ev.h>
#include <sys/queue.h>

/** All listeners of a worker. */
LIST_HEAD(listener_list, listener);

/** A connection: non-blocking, close-on-exec, tuned; @fd is the callee's. */
typedef void listener_accepted(
    void *owner, struct service *service, int fd, const struct address *peer);

/** May another connection be accepted for @service?  If not it is asked again a little
 * later. */
typedef bool listener_may_accept(void *owner, struct service *service);

/** There are no descriptors, or no memory, for another connection; it is tried again a
 * little later. */
typedef void listener_shortage(void *owner);

/** What a worker does with connections. */
struct listener_events {
	listener_accepted *accepted;
	listener_may_accept *may_accept;
	listener_shortage *shortage;
};

/** Follow a generation as worker @index: accept at its listen sockets, once @loop runs,
 * for the services that it names, and close those that it does not have.  Doors that stay
 * are left open. False: out of memory; what could be done was done. */
bool listener_list_follow(struct listener_list *list, struct ev_loop *loop,
    const struct generation *generation, size_t index,
    const struct listener_events *events, void *owner);

/** Accept what is waiting already. */
void listener_list_drain(struct listener_list *list);

/** Close them all. */
void listener_list_clear(struct listener_list *list);

#endif
