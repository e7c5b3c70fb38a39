/*
 * The way to the far side of a new stream: each target in turn, until one is reached or
 * TIMEOUTconnect is over.  In the client that is a socket and a good TLS handshake, in
 * the server a socket to the app.  As no byte of the stream has been read by then, the
 * next target can always be tried.
 */
#ifndef COMMON_OPENING_H
#define COMMON_OPENING_H

#include "common/carrier_raw.h"
#include "common/resolve.h"
#include "common/service.h"

/** What a worker lends to those who dial. */
struct dialer {
	struct reactor *reactor;
	struct resolver *resolver;
	struct link_set *links;
};

struct opening_events {
	/** Client: @channel, and @fd is -1.  Server: @fd, and @channel is NULL. */
	void (*opened)(void *owner, int fd, struct channel *channel);
	/** No target was reached; each was logged. */
	void (*failed)(void *owner, enum reason reason);
};

struct opening;

/** Exactly one event comes, from the loop; the opening is gone then.  NULL: out of
 * memory. */
struct opening *opening_start(const struct dialer *dialer, struct service *service,
    const struct opening_events *events, void *owner);

/** No event will come.  NULL is fine. */
void opening_cancel(struct opening *opening);

#endif
