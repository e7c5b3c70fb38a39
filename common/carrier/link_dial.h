/*
 * The way to an open link with a target: its name, TCP, perhaps through a proxy, and the
 * TLS handshake, all within one limit of time.
 */
#ifndef COMMON_CARRIER_LINK_DIAL_H
#define COMMON_CARRIER_LINK_DIAL_H

#include "common/carrier/link.h"
#include "common/net/resolver.h"

struct link_dial;

/** Exactly one event comes, from the loop, within @seconds, unless link_dial_cancel()
 * comes first; the link dial is gone then.  @service and @target must live as long.
 * @looks: see link_look().  NULL: out of memory. */
struct link_dial *link_dial_start(struct link_set *links, struct resolver *resolver,
    struct service *service, struct target *target, bool looks, double seconds,
    const struct link_events *events, void *owner);

/** What it still waits for, in words, for whoever has no more time; NULL: for an address
 * or TCP. */
const char *link_dial_silence(const struct link_dial *link_dial);

/** No event will come.  NULL is fine. */
void link_dial_cancel(struct link_dial *link_dial);

#endif
