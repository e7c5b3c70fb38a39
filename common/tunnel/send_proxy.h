/*
 * What an app gets ahead of the stream: with `protocol = proxy` a PROXY header, else
 * nothing.  It counts in no position of the stream.
 */
#ifndef COMMON_TUNNEL_SEND_PROXY_H
#define COMMON_TUNNEL_SEND_PROXY_H

#include "common/carrier/channel.h"
#include "common/base/err.h"

/**
 * Say it over @fd, a fresh socket to the app, which takes it at once, for the stream that
 * came on @channel.  @peer is who connected, in text as the far end or the kernel told
 * it; where it is no address, the TLS connection's own stands in.  REASON_NONE, or
 * APP_UNREACHABLE or CARRIER_LOST with @e; the socket is good for nothing then.
 */
enum reason send_proxy_header(int fd, const struct service_settings *settings,
    const struct channel *channel, const char *peer, struct err *e);

#endif
