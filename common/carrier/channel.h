/*
 * A stream's place on a carrier: an endpoint with a far side.  Made by a carrier,
 * used by a stream, given back by channel_release().
 */
#ifndef COMMON_CARRIER_CHANNEL_H
#define COMMON_CARRIER_CHANNEL_H

#include "common/carrier/endpoint.h"
#include "common/carrier/link.h"

struct channel;

struct channel_ops {
	void (*answer)(struct channel *, enum reason, const char *detail);
	const struct link_facts *(*facts)(
	    const struct channel *, struct link_facts *space);
	const char *(*detail)(const struct channel *);
	void (*release)(struct channel *);
};

struct channel {
	struct endpoint endpoint;
	const struct channel_ops *ops;
};

/** Server: tell the far end, once, that the app has accepted (REASON_NONE), or why it
 * cannot be reached, with perhaps NULL words. */
static inline void
channel_answer(struct channel *c, enum reason reason, const char *detail)
{
	c->ops->answer(c, reason, detail);
}

/** Who is at the other end.  They stand in @space, or with the carrier for as long as the
 * channel is there. */
static inline const struct link_facts *
channel_facts(const struct channel *c, struct link_facts *space)
{
	return c->ops->facts(c, space);
}

/** What broke the channel, in words beside `reason`; NULL: nothing to add. */
static inline const char *
channel_detail(const struct channel *c)
{
	return c->ops->detail(c);
}

/** The stream is done with it, having told it an ending.  What was given is still
 * delivered, and the end told, as far as the carrier can within its limit of time. */
static inline void
channel_release(struct channel *c)
{
	c->ops->release(c);
}

#endif
