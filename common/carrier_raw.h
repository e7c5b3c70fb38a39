/*
 * The raw carrier: one TLS connection that carries one stream's bytes and nothing else.
 *
 *	HANDSHAKE --good--> OPEN --the stream releases it--> CLOSING --> freed
 *	    |                                                   ^
 *	    +--refused, timed out, cancelled---------------------+
 *
 * CLOSING outlives the stream: the bytes given and the end behind them must pass the
 * router, which throws away what it holds when TCP ends too early.  So
 *   - after a clean end, who read the second close_notify closes TCP, who wrote it waits;
 *   - after our alert, TCP stays open until the far end closes it;
 *   - where no alert can be sent any more, an RST follows once the bytes have left;
 * each for at most TIMEOUTclose.
 */
#ifndef COMMON_CARRIER_RAW_H
#define COMMON_CARRIER_RAW_H

#include "common/channel.h"
#include "common/reactor.h"
#include "common/service.h"

#include <sys/queue.h>

struct carrier_raw;

/** All carriers of a worker, so that it can wait for them and end them. */
struct carrier_set {
	struct reactor *reactor;
	LIST_HEAD(, carrier_raw) carriers;
	size_t count;
	void (*emptied)(void *owner); /* the last one is gone; called from the loop */
	void *owner;
};

struct carrier_events {
	/** The handshake is good; @channel is the callee's until channel_release(). */
	void (*opened)(void *owner, struct channel *channel);
	/** It is not; the carrier ends by itself.  @detail, perhaps NULL, only for the
	 * call. */
	void (*failed)(void *owner, enum reason reason, const char *detail);
};

/**
 * Start TLS over @fd, which is the carrier's from now on even on failure.  @target: the
 * client's, NULL in the server.  Exactly one event comes, from the loop, within
 * @seconds, unless carrier_raw_cancel() comes first.  NULL: out of memory.
 */
struct carrier_raw *
carrier_raw_new(struct carrier_set *set, struct service *service, struct target *target,
    int fd, double seconds, const struct carrier_events *events, void *owner);

/** Nobody waits for the handshake any more.  Not for use inside an event. */
void carrier_raw_cancel(struct carrier_raw *carrier);

/** Close every carrier now; for the end of a worker. */
void carrier_set_clear(struct carrier_set *set);

#endif
