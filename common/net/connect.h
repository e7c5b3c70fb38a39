/*
 * A name to one connected socket: look it up, then try its addresses as RFC 8305 tells,
 * each 250 ms after the one before or at once when that one failed.  The first that
 * connects wins; the others are closed.  Where the process has no descriptor left, its
 * reactor is told, and the try waits for one.  Belongs to one loop and its thread.
 */
#ifndef COMMON_NET_CONNECT_H
#define COMMON_NET_CONNECT_H

#include "common/base/address.h"
#include "common/base/reason.h"
#include "common/config/settings.h"
#include "common/net/resolver.h"

#include <ev.h>

struct connect;

/** @fd: a connected, non-blocking socket as socket_open() makes them, not tuned yet, the
 * callee's from now on, and the address it reached; or -1 with @reason (NAME_NOT_FOUND,
 * CONNECT_FAILED, OPEN_TIMEOUT, NO_MEMORY, or FAR_RESET where somebody took the
 * connection and reset it at once) and @why: one line, in plain words, naming what was
 * tried ("connect 127.0.0.1:5432: Connection refused", "look up db.example: no such
 * name", "connect 192.0.2.1:443: no answer within 10 s"), joined by "; ".  @to and
 * @why are only valid during the call. */
typedef void connect_done(
    void *arg, int fd, const struct address *to, enum reason reason, const char *why);

/**
 * Start, with the source address and the socket options of @settings; NULL: without.
 * @done is called exactly once, never from inside this call, unless
 * connect_cancel() comes first.  @seconds limits the whole, the lookup included.
 * @name, @settings and @resolver must live until then.  NULL: out of memory.  The attempt
 * is gone once @done is called, which may free all that was given here.
 */
struct connect *connect_start(struct ev_loop *loop, struct resolver *resolver,
    const struct address_name *name, const struct service_settings *settings,
    double seconds, connect_done *done, void *arg);

/** Close whatever is open; @done is not called.  NULL is fine.  Not for use inside @done.
 */
void connect_cancel(struct connect *attempt);

#endif
