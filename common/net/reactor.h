/*
 * What all sockets of one worker share: its loop, scratch space for a batch of bytes, and
 * a watch over sockets that are waited for in no direction.
 *
 * libev hides EPOLLERR, so a socket whose watchers are stopped (back-pressure, or after
 * its FIN) would never report an RST.  Such sockets sit, with no events asked for,
 * in a second epoll whose own descriptor libev watches.
 */
#ifndef COMMON_NET_REACTOR_H
#define COMMON_NET_REACTOR_H

#include "common/base/err.h"
#include "common/base/progress.h"

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/** The most bytes that one turn moves in one direction of a stream. */
	REACTOR_BATCH = 256 * 1024,
	/** One record more than a batch: what an unfinished record of the batch before
	 * adds. */
	REACTOR_PLAIN = REACTOR_BATCH + 17 * 1024,
	/** Free bytes ahead of what a plain socket brings, for a frame's header. */
	REACTOR_HEADROOM = 64,
	/** A batch with the overhead of all its records. */
	REACTOR_OUT = REACTOR_BATCH + 32 * 1024,
};

struct reactor {
	struct ev_loop *loop;
	size_t index;         /* of the worker; set by it */
	struct progress turn; /* what the loop is at */
	uint8_t *plain;       /* REACTOR_HEADROOM and REACTOR_PLAIN bytes of plaintext */
	uint8_t *frames;      /* REACTOR_PLAIN bytes of HTTP/2 just received */
	uint8_t *in;          /* REACTOR_BATCH bytes of ciphertext just received */
	uint8_t *out;         /* REACTOR_OUT bytes of ciphertext about to be sent */
	int broken;           /* the second epoll */
	ev_io broken_io;
	/** The process has no descriptor left: let go of what is idle.  Comes again and
	 * again.  NULL: there is nothing. */
	void (*shortage)(void *owner);
	void *owner;
};

/** Before the first loop is made: where memory is short, loops wait for it.  libev would
 * end the program, with all its streams, for some bytes that one more socket takes. */
void reactor_prepare(void);

/** @loop stays the caller's and must outlive the reactor. */
bool reactor_init(struct reactor *r, struct ev_loop *loop, struct err *e);
void reactor_clear(struct reactor *r);

/** Call the `shortage` of the reactor that @loop has, if it has one. */
void reactor_tell_shortage(struct ev_loop *loop);

/** Seconds on a clock that never jumps. */
double reactor_now(void);

enum {
	/** Beside EV_READ and EV_WRITE: the socket reported an error, or both directions
	 * of it are shut. */
	WATCH_BROKEN = EV_CUSTOM,
};

struct watch;
/** @events: EV_READ, EV_WRITE or WATCH_BROKEN.  May end the watch and its owner. */
typedef void watch_ready(void *owner, int events);

/** One socket's watch; embedded in whatever owns the socket. */
struct watch {
	ev_io io; /* its data is the owner */
	struct reactor *reactor;
	watch_ready *ready;
	bool guarded; /* sits in the second epoll, for good */
};

void
watch_init(struct watch *w, struct reactor *r, int fd, watch_ready *ready, void *owner);

/** Wait for EV_READ, EV_WRITE, both, or 0: for nothing but a break.  A break is reported
 * once, as WATCH_BROKEN, or as the events asked for. */
void watch_wait(struct watch *w, int events);

/** Before the descriptor is closed, which is left to the caller. */
void watch_stop(struct watch *w);

#endif
