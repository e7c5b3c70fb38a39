/*
 * One worker's share of a listening socket.  It accepts on the worker's loop; out of
 * descriptors or memory it pauses.
 */
#ifndef COMMON_LISTENER_H
#define COMMON_LISTENER_H

#include "common/net.h"
#include "common/service.h"

#include <ev.h>
#include <sys/queue.h>

/** All listeners of a worker. */
LIST_HEAD(listener_list, listener);

/** A connection: non-blocking, close-on-exec, tuned; @fd is the callee's. */
typedef void listener_accepted(
    void *owner, struct service *service, int fd, const struct net_address *peer);

/** Accept from @fd, as net_listen() makes it, once @loop runs.  False: out of memory; @fd
 * is still the caller's. */
bool listener_add(struct listener_list *list, struct ev_loop *loop,
    struct service *service, int fd, listener_accepted *accepted, void *owner);

/** Accept what is waiting already. */
void listener_list_drain(struct listener_list *list);

/** Close them all. */
void listener_list_clear(struct listener_list *list);

#endif
