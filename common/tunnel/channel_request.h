/*
 * The request for a channel on an h2 carrier of one target, on one carrier after the
 * other, until the far end's app has accepted or it makes no more sense to try.
 *
 * The program's first bytes go along with it.  They are kept until the answer, and
 * another carrier, or by the owner another target, is tried exactly when it is certain
 * that none of them reached an app.
 */
#ifndef COMMON_TUNNEL_CHANNEL_REQUEST_H
#define COMMON_TUNNEL_CHANNEL_REQUEST_H

#include "common/base/buf.h"
#include "common/tunnel/failover.h"
#include "common/tunnel/pool.h"
#include "common/tunnel/refusals.h"

/** Once one of them but `hungry` has come the request is over. */
struct channel_request_events {
	/** channel_request_feed() is of use now.  The callee may stop the request. */
	void (*hungry)(void *owner);
	/** @channel is the callee's. */
	void (*accepted)(void *owner, struct channel *channel);
	/** The target is raw.  @link: open, and the callee's; or NULL: dial your own. */
	void (*raw)(void *owner, struct link *link);
	/** @certain: that no byte reached an app, so that another target may be tried.
	 * @detail in words, or NULL; both only for the call. */
	void (*failed)(void *owner, enum reason reason, const char *detail, bool certain);
};

/** Embedded in its owner. */
struct channel_request {
	struct reactor *reactor;
	struct pool_set *pools;
	struct service *service;
	const char *peer;
	struct failover_walk *walk; /* whose turn it is, and for how long */
	const struct channel_request_events *events;
	void *owner;

	int tries;                  /* carriers of this target that were lost */
	struct refusals refusals;   /* of its far ends */
	struct pool_waiter waiter;  /* for a carrier */
	struct channel *channel;    /* asked, not answered, */
	struct h2_carrier *carrier; /* on that one */
	ev_timer limit;             /* of waiting for a carrier and an answer */
	struct buf first;           /* the program's first bytes */
	size_t given; /* how many of them this channel has accepted; 0: no channel */
};

/** All but its own fields is set by the caller, and outlives it. */
void channel_request_init(struct channel_request *r);

/** Begin with the target whose turn it is.  An event may come before this returns.
 * False: out of memory. */
bool channel_request_start(struct channel_request *r);

/** The same with an open h2 @link to it, which is the request's from now on even on
 * failure. */
bool channel_request_start_with(struct channel_request *r, struct link *link);

/** Take the program's first bytes along.  True: more would be taken. */
bool channel_request_feed(struct channel_request *r, struct endpoint *program);

/** No event will come.  The first bytes stay, for the next target.  Fine when it was
 * never started. */
void channel_request_stop(struct channel_request *r);

/** Accepted, or raw: the first bytes that the channel has not accepted yet, which are the
 * caller's from now on. */
struct buf channel_request_take_rest(struct channel_request *r);

/** Stopped or over: forget all. */
void channel_request_clear(struct channel_request *r);

#endif
