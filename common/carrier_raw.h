/*
 * The raw carrier: one link that carries one stream's bytes and nothing else.  What
 * stunnel, haproxy and others speak.
 */
#ifndef COMMON_CARRIER_RAW_H
#define COMMON_CARRIER_RAW_H

#include "common/channel.h"
#include "common/link.h"

/** Make an open link the channel of a stream; the link is the carrier's from now on, even
 * on failure.  NULL: out of memory. */
struct channel *carrier_raw_new(struct link *link);

#endif
