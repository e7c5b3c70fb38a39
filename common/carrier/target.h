/*
 * A target: one `connect` line and what is remembered of it, by all workers.
 *
 *	  WELL --fails--> RESTS --due--> LOOKED_AT --lives--> ALIVE --> TRIED
 *	   ^                ^                |                           | |
 *	   |                +----------------+------- fails: longer -----+ |
 *	   +----------------------------- answers -------------------------+
 *
 * While it rests others are tried first.  A rest is 1 s at first and doubles up to 60 s,
 * give or take a quarter, so that not everybody comes back at once.  Once it is over, a
 * dial that no stream waits for looks whether the target lives, and if so one stream
 * tries it.  One answer, and it is as good as ever.  The server cannot look without being
 * seen by the app: there, and where all rest, a stream tries it once it is due.
 */
#ifndef COMMON_CARRIER_TARGET_H
#define COMMON_CARRIER_TARGET_H

#include "common/base/address.h"
#include "common/carrier/idle_limit.h"
#include "common/tls/context.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
	/** Servers behind one target whose sessions are kept. */
	TARGET_SESSIONS = 8,
};

/** What is kept of one server behind a target. */
struct target_session {
	uint64_t instance; /* which process it is; 0: it does not say */
	bool met;
	SSL_SESSION *session; /* the newest that was not refused; NULL: none */
	double judged; /* when its certificate was, for that; both by reactor_now() */
	double used;   /* when it was met last, or the session kept */
	uint64_t next; /* the instance that was met after it */
};

enum target_health {
	TARGET_WELL,
	TARGET_RESTS,     /* left alone until it is due */
	TARGET_LOOKED_AT, /* whether it lives; till it is due others do not look */
	TARGET_ALIVE,     /* the next stream tries it */
	TARGET_TRIED,     /* by one stream; till it is due others do not try */
};

struct target {
	const struct address_name *name;
	bool multiplex;               /* of the service: not `no` */
	char text[ADDRESS_TEXT_SIZE]; /* the name, for the log */
	atomic_bool told;             /* that it never asked for our certificate */
	atomic_uint overrun; /* heartbeats in a row at which it aborted; 0: never */

	pthread_mutex_t lock; /* of all below; taken per opening and TLS handshake */
	struct target_session sessions[TARGET_SESSIONS];
	uint64_t met;           /* the instance that was met last */
	double raw_until;       /* till then h2 is not offered; both by reactor_now() */
	struct idle_limit idle; /* of the path */
	bool spoke_h2; /* once at least: from then on it is never taken for raw */
	enum target_health health;
	double rest; /* seconds, of its latest rest; 0: it is well */
	double due;  /* when that is over */
};

/** @name must outlive it. */
void target_init(struct target *target, const struct address_name *name, bool multiplex);
void target_clear(struct target *target);

/** Remember what was known of the same target before: whether it rests, and what it can.
 * The session stays, for it may be of another certificate; that it spoke h2, and what
 * was told once, is forgotten
 * unless @same_section, so that an operator can say that it is meant to stop.  Before
 * anybody else knows @target. */
void target_succeed(struct target *target, struct target *before, bool same_section);

/** Does the target take h2 carriers, as far as is known? */
bool target_may_h2(struct target *target);

/** It has opened one. */
void target_set_h2(struct target *target);

/** Has it ever?  Then it must not be spoken to raw: see route_check.h. */
bool target_spoke_h2(struct target *target);

/** True at the first call: what is said once for each target is to be said now. */
bool target_tells_once(struct target *target);

/** It has shown that it does not: do not ask again for a while.  Without effect on one
 * that has opened an h2 carrier, perhaps on another worker meanwhile. */
void target_set_raw(struct target *target);

/** Does it take so many heartbeats in a row, with no data between, as far as is known? */
bool target_bears(struct target *target, unsigned heartbeats);

/** It aborted behind so many. */
void target_set_overrun(struct target *target, unsigned heartbeats);

/** A connection to it was lost: see idle_limit.h.  Seconds that connections may be silent
 * for from now on if that has become less, else 0. */
double target_note_loss(
    struct target *target, double opened, double now, double silence, double borne);

/** @keepalive, or less if the path cuts sooner. */
double target_keepalive(struct target *target, double keepalive);

/* ---- sessions: target_sessions.c.  A route may lead to several servers, each of which
 * knows its own sessions alone: they are kept by instance. -----------------------------
 */

/** A copy of the session to offer, or NULL; the caller frees it.  It is that of the
 * server that came after this one the last time, as where the router takes them in turn;
 * if nothing is known of that, the newest.  However often it was resumed and given anew
 * since: @most seconds behind a full handshake there is another one, in which the server
 * is judged.  @instance: whose it is. */
SSL_SESSION *target_session(struct target *target, double most, uint64_t *instance);

/** Keep @session, which is the target's from now on, in place of the one before of this
 * @instance; NULL: keep none.  @resumed: the connection that brought it was itself
 * resumed. */
void target_keep_session(
    struct target *target, uint64_t instance, SSL_SESSION *session, bool resumed);

/** A connection has led to @instance. */
void target_meet(struct target *target, uint64_t instance);

void target_clear_sessions(struct target *target);

/* ---- whom to try; @now by reactor_now() ------------------------------------------ */

/** Which of @count targets to try, going round from @first: the next that is well or
 * alive, or else the one that is due first.  @looks: the caller has those whose rest is
 * over looked at, by target_look(); without, they are as good as well ones.  Only those
 * with @tried false come into question; there must be one.  Of a target that was resting
 * only one stream is told. */
size_t target_next(struct target *targets, size_t count, size_t first, const bool *tried,
    bool looks, double now);

/** One that is not @tried whose rest is over: now find out whether it lives, and tell by
 * target_rouse() or target_fail_look().  NULL: there is none. */
struct target *
target_look(struct target *targets, size_t count, const bool *tried, double now);

/** An attempt failed before a byte reached an app.  Seconds that it is left alone for if
 * it was well before, else 0. */
double target_fail(struct target *target, double now);

/** It does not live.  Without effect unless it is looked at. */
void target_fail_look(struct target *target, double now);

/** An attempt succeeded.  True: it was resting. */
bool target_answer(struct target *target);

/** There is a sign of life: if it rests, the next stream tries it. */
void target_rouse(struct target *target);

#endif
