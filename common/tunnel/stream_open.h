/*
 * The way to the far side of a new stream: one target after the other, until one is
 * reached or TIMEOUTconnect is over; those that failed lately come last.  In the client
 * that is a channel: on an h2 carrier once the far end's app has accepted, on a raw
 * carrier after a good TLS handshake.  In the server it is a socket to the app, which has
 * got what it is to get ahead of the stream.
 *
 * On an h2 carrier the program's first bytes go along with the question.  They are kept
 * until the answer, and another carrier or target is tried exactly when it is certain
 * that none of them reached an app.
 */
#ifndef COMMON_TUNNEL_STREAM_OPEN_H
#define COMMON_TUNNEL_STREAM_OPEN_H

#include "common/carrier/raw.h"
#include "common/tunnel/pool.h"

/** What a worker lends to those who dial. */
struct dialer {
	struct reactor *reactor;
	struct resolver *resolver;
	struct link_set *links;
	struct pool_set *pools; /* the client's */
};

struct stream_open_events {
	/** Client: stream_open_feed() is of use now, once the program has said something.
	 * The callee may cancel the opening. */
	void (*hungry)(void *owner);
	/** Client: @channel, @first: the bytes fed that it has not accepted yet, the
	 * callee's, and how many were @fed in all; @fd is -1.  Server: @fd alone. */
	void (*opened)(
	    void *owner, int fd, struct channel *channel, struct buf first, size_t fed);
	/** No target was reached, which was logged; @reason is that of the first.
	 * @detail tells of each that was tried, and is only for the call. */
	void (*failed)(void *owner, enum reason reason, const char *detail);
};

struct stream_open;

/** @peer: the legacy program's address in text, and @caller: the channel that asks for
 * the app, in the client NULL; both live as long as the opening.  Either `opened` or
 * `failed` comes, once, from the loop; the opening is gone then. NULL: out of memory. */
struct stream_open *
stream_open_start(const struct dialer *dialer, struct service *service, const char *peer,
    const struct channel *caller, const struct stream_open_events *events, void *owner);

/** Client: take the program's first bytes along.  True: more would be taken. */
bool stream_open_feed(struct stream_open *opening, struct endpoint *program);

/** How many of them the far side may have by now. */
size_t stream_open_given(const struct stream_open *opening);

/** No event will come.  NULL is fine. */
void stream_open_cancel(struct stream_open *opening);

#endif
