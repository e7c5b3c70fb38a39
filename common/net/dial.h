/*
 * The way to a target: a connected socket, through an HTTP proxy where the settings say
 * so.  Belongs to one loop and its thread.
 */
#ifndef COMMON_NET_DIAL_H
#define COMMON_NET_DIAL_H

#include "common/net/connect.h"
#include "common/config/settings.h"

struct dial;

/** As connect_start(), with one more reason: PROXY_REFUSED.  @settings, too, must live
 * until the end. */
struct dial *dial_start(struct ev_loop *loop, struct resolver *resolver,
    const struct address_name *name, const struct service_settings *settings,
    double seconds, connect_done *done, void *arg);

/** As connect_cancel(). */
void dial_cancel(struct dial *dial);

#endif
