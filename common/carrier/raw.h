/*
 * The raw carrier: one link that carries one stream's bytes and nothing else.  What
 * stunnel, haproxy and others speak.
 *
 * On TLS 1.3 it sends a heartbeat when it sent nothing for `keepalive` seconds: that
 * keeps the path through a router open and proves nothing, since a peer answers it at
 * most by TCP.  Heartbeats go on when the peer has finished, and end when we have.  The
 * path is dead when TCP acknowledges nothing for keepalive + keepaliveTimeout although it
 * has to; a reader that takes nothing acknowledges that.
 */
#ifndef COMMON_CARRIER_RAW_H
#define COMMON_CARRIER_RAW_H

#include "common/carrier/channel.h"
#include "common/carrier/link.h"

/** Make an open link the channel of a stream; the link is the carrier's from now on, even
 * on failure.  NULL: out of memory. */
struct channel *carrier_raw_new(struct link *link);

#endif
