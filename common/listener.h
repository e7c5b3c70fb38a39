/*
 * One listening socket of a service, on the main loop.  It accepts and hands out; out of
 * descriptors it pauses.
 */
#ifndef COMMON_LISTENER_H
#define COMMON_LISTENER_H

#include "common/net.h"
#include "common/service.h"

#include <ev.h>

struct listener;

/** A connection: non-blocking, close-on-exec, tuned; @fd is the callee's. */
typedef void listener_accepted(
    void *owner, struct service *service, int fd, const struct net_address *peer);

/** Listen at once; accepting begins when @loop runs.  NULL: @e. */
struct listener *listener_new(struct ev_loop *loop, struct service *service,
    const struct net_address *address, listener_accepted *accepted, void *owner,
    struct err *e);

/** Stop listening.  A Unix socket's file is removed. */
void listener_free(struct listener *listener);

#endif
