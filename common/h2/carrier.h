/*
 * The h2 carrier: one link that carries many streams, as HTTP/2 (RFC 9113) whose every
 * stream is one CONNECT (8.5).  The ALPN is routeport/1.  Only this room knows nghttp2,
 * and that as a codec: scheduling, credit, limits, certainty and endings are ours.
 *
 * DATA is bytes, END_STREAM is FIN, RST_STREAM is RST, PING is liveness, GOAWAY is drain.
 * The stream window is given back only as the plain socket takes the bytes, the
 * connection's at once, so that one stalled stream never stalls its neighbours.  A stream
 * begins with a small window, which grows with what it needs, up to the service's
 * streamWindow; what all of the program grow by comes out of the link set's budget.
 *
 *	OPEN --our GOAWAY, or the peer's--> DRAINING --last channel released--> closed
 *	  any state --link lost, peer over a limit, no sign of life--> LOST: every channel
 *	  is cut, and the carrier goes with the last release
 */
#ifndef COMMON_H2_CARRIER_H
#define COMMON_H2_CARRIER_H

#include "common/carrier/channel.h"
#include "common/carrier/link.h"
#include "common/base/log.h"

struct h2_carrier;

struct h2_carrier_events {
	/** Server: the far end asks for the app; @forwarded is the legacy program's
	 * address in text, or "".  The channel is the callee's, who calls
	 * channel_answer() and at the end channel_release(), both from inside or later.
	 */
	void (*asked)(void *owner, struct channel *channel, const char *forwarded);
	/** Client: it takes no new channels any more (GOAWAY, ids used up, lost).  Comes
	 * at most once, and not for a h2_carrier_drain(). */
	void (*retired)(void *owner);
	/** The carrier is gone; so are all its channels.  Comes last, once, from the
	 * loop, when the last channel is released.  REASON_FINISHED: in good order. */
	void (*ended)(void *owner, enum reason reason);
	/** Client: there may be room for another channel now; comes from the loop, and
	 * often. */
	void (*room)(void *owner);
};

/** Make an open link an h2 carrier; the link is the carrier's from now on, even on
 * failure.  Its role is the service's.  @level: of the line that tells of it in the log.
 * NULL: out of memory, and no event comes. */
struct h2_carrier *h2_carrier_new(struct link *link, enum log_level level,
    const struct h2_carrier_events *events, void *owner);

/** Client: how many channels it has, and whether it takes another one now (the peer's
 * stream limit, GOAWAY); not while it is in doubt. */
size_t h2_carrier_load(const struct h2_carrier *carrier);
bool h2_carrier_has_room(const struct h2_carrier *carrier);

/** Client: its socket takes nothing at the moment, so that a channel may wait a little.
 */
bool h2_carrier_is_full(const struct h2_carrier *carrier);

/** Client: nothing has come for a while, so that it may be dead, and what is given to it
 * lost.  `room` is told once there is a sign of life, which h2_carrier_ask() asks for. */
bool h2_carrier_is_in_doubt(const struct h2_carrier *carrier);
void h2_carrier_ask(struct h2_carrier *carrier);

/** Client: for how many seconds it has owed a sign of life that it was asked for; 0: it
 * owes none. */
double h2_carrier_unanswered(const struct h2_carrier *carrier);

/** What became of an asked channel; see h2_carrier_open(). */
struct channel_events {
	/** The app has accepted: the channel is OPEN. */
	void (*accepted)(void *owner);
	/**
	 * It has not.  @again: it is certain that no byte reached an app, so that another
	 * carrier or target may be tried.  @detail, perhaps NULL, is the far end's own
	 * words, only for the call.  The channel is then only good for channel_release().
	 */
	void (*refused)(void *owner, enum reason reason, const char *detail, bool again);
};

/**
 * Client: ask for a channel.  @forwarded: the legacy program's address in text.  Bytes
 * may be given at once, as many as endpoint_room() says, and are lost if it is refused:
 * keep a copy.  Exactly one event comes, from the loop, unless channel_release() comes
 * first. NULL: out of memory, or no room.
 */
struct channel *h2_carrier_open(struct h2_carrier *carrier, const char *forwarded,
    const struct channel_events *events, void *owner);

/** Take no new channels; end when the last one is released.  The server tells the client
 * by GOAWAY as H2's shutdown sequence has it: notice, PING, and at its answer, or when
 * the limit for a sign of life has passed without it, the last id.  One that went by
 * itself needs no notice. */
void h2_carrier_drain(struct h2_carrier *carrier);

/** Client: another carrier has taken over: it ends once it has no channel, and that is
 * logged at debug.  Until then it still takes new ones. */
void h2_carrier_relieve(struct h2_carrier *carrier);

/** Client: which process of a server is at the far end: a number that no other one has,
 * in all likelihood.  0: it does not say, or has not yet. */
uint64_t h2_carrier_instance(const struct h2_carrier *carrier);

/** Since when it has been open, by reactor_now(). */
double h2_carrier_opened(const struct h2_carrier *carrier);

/**
 * When nothing was received for @idle seconds, ask for a sign of life; none within @limit
 * more is a lost carrier.  Without this call it is 30 and 10.
 */
void h2_carrier_set_keepalive(struct h2_carrier *carrier, double idle, double limit);

/**
 * End it at once, without an event; all its channels must have been released.  What they
 * have said is still sent, GOAWAY and close_notify behind it, by the link on its own.
 * For the end of a worker.  Not for use inside an event.
 */
void h2_carrier_close(struct h2_carrier *carrier);

/** Which nghttp2 is at work, "1.52.0". */
const char *h2_carrier_library_version(void);

#endif
