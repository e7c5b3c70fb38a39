/*
 * The way through an HTTP proxy: CONNECT (RFC 9110, 9.3.6).  Once it has agreed, the
 * socket is as good as one that was connected to the host behind it.  Belongs to one
 * loop and its thread.
 */
#ifndef COMMON_NET_HTTP_PROXY_H
#define COMMON_NET_HTTP_PROXY_H

#include "common/base/address.h"
#include "common/base/reason.h"
#include "common/config/settings.h"

#include <ev.h>

enum {
	/** Bytes that the header of the proxy's answer may have. */
	HTTP_PROXY_ANSWER = 8192,
};

struct http_proxy;

/** @fd: the socket, from which nothing behind the proxy's header was read; or -1 with
 * @reason (PROXY_REFUSED, OPEN_TIMEOUT) and @why, one line that names the proxy and what
 * it was asked for, without a password, and only valid during the call. */
typedef void http_proxy_done(void *arg, int fd, enum reason reason, const char *why);

/**
 * Ask the proxy at the other end of @fd, a socket connected to @proxy which is the
 * callee's from now on, for settings->route.  @settings must live until the end.  @done
 * is called exactly once within @seconds, never from inside this call, unless
 * http_proxy_cancel() comes first; the attempt is gone then.  NULL: out of memory, and
 * @fd is closed.
 */
struct http_proxy *http_proxy_start(struct ev_loop *loop, int fd,
    const struct address *proxy, const struct service_settings *settings, double seconds,
    http_proxy_done *done, void *arg);

/** Close the socket; @done is not called.  NULL is fine.  Not for use inside @done. */
void http_proxy_cancel(struct http_proxy *attempt);

#endif
