/*
 * A service at work: its settings, its SSL_CTX and its targets.  Shared by all workers
 * and not changed once it is made, but for what a target remembers.  A change of the
 * settings or of a file makes another service, for what begins from then on; what is
 * under way keeps the one it began with.  Whoever keeps a pointer to it holds it.
 */
#ifndef COMMON_SERVICE_H
#define COMMON_SERVICE_H

#include "common/file_stamp.h"
#include "common/settings.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
	/** cert, key, CAfile, CApath. */
	SERVICE_FILES = 4,
};

/** One `connect` line and what is remembered of it. */
struct target {
	const struct net_name *name;
	bool multiplex;           /* of the service: not `no` */
	char text[NET_TEXT_SIZE]; /* the name, for the log */
	pthread_mutex_t lock;     /* taken once per TLS handshake */
	SSL_SESSION *session;     /* the newest that was not refused; NULL: none */
	double raw_until;         /* by reactor_now(): till then h2 is not offered */
	atomic_uint overrun;      /* heartbeats in a row at which it aborted; 0: never */
};

struct service {
	atomic_int holders;
	struct settings *whole; /* that `settings` is a part of; held */
	const struct service_settings *settings;
	SSL_CTX *context;
	struct target *targets;
	size_t target_count;
	atomic_bool told;    /* that there is TLS without heartbeats */
	atomic_long streams; /* that are open */
	/** What the files it was made from looked like just before. */
	struct file_stamp stamps[SERVICE_FILES];

	/* the main thread's */
	struct file_stamp seen[SERVICE_FILES]; /* at its last look */
	bool tried; /* to make another service of what it saw */
};

/** Load certificates and keys.  @settings is a part of @whole, or outlives the service
 * where that is NULL.  NULL: @e says why.  The caller holds it. */
struct service *service_new(
    struct settings *whole, const struct service_settings *settings, struct err *e);

/** Returns @service. */
struct service *service_hold(struct service *service);

/** Whoever lets go last frees it.  NULL is fine. */
void service_release(struct service *service);

/** What its files look like now.  True: not as when it was made. */
bool service_look(const struct service *service, struct file_stamp now[SERVICE_FILES]);

/** When the first certificate of its own chain expires, by the wall clock; 0: it has
 * none.
 */
time_t service_expiry(const struct service *service);

/** True at the first call: what is said once for each service is to be said now. */
bool service_tells_once(struct service *service);

/** Has it as many streams as maxStreams allows? */
bool service_is_full(struct service *service);

/** Does the target take h2 carriers, as far as is known? */
bool target_may_h2(struct target *target);

/** It has shown that it does not: do not ask again for a while. */
void target_set_raw(struct target *target);

/** Does it take so many heartbeats in a row, with no data between, as far as is known? */
bool target_bears(struct target *target, unsigned heartbeats);

/** It aborted behind so many. */
void target_set_overrun(struct target *target, unsigned heartbeats);

/** A copy of the session kept for a target, or NULL; the caller frees it. */
SSL_SESSION *target_session(struct target *target);

/** Keep @session, which is the target's from now on, in place of the one before. */
void target_keep_session(struct target *target, SSL_SESSION *session);

#endif
