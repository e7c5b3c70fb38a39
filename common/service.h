/*
 * A service at work: its settings, its SSL_CTX and its targets.  Made at start, shared by
 * all workers, not changed after, but for what a target remembers.
 */
#ifndef COMMON_SERVICE_H
#define COMMON_SERVICE_H

#include "common/settings.h"

#include <openssl/ssl.h>
#include <pthread.h>

/** One `connect` line and what is remembered of it. */
struct target {
	const struct net_name *name;
	bool multiplex;           /* of the service: not `no` */
	char text[NET_TEXT_SIZE]; /* the name, for the log */
	pthread_mutex_t lock;     /* taken once per TLS handshake */
	SSL_SESSION *session;     /* the newest that was not refused; NULL: none */
	double raw_until;         /* by reactor_now(): till then h2 is not offered */
};

struct service {
	const struct service_settings *settings;
	SSL_CTX *context;
	struct target *targets;
	size_t target_count;
};

/** Loads certificates and keys.  NULL: @e says why.  @settings must outlive it. */
struct service *service_new(const struct service_settings *settings, struct err *e);

/** NULL is fine.  No thread may use the service any more. */
void service_free(struct service *service);

/** Does the target take h2 carriers, as far as is known? */
bool target_may_h2(struct target *target);

/** It has shown that it does not: do not ask again for a while. */
void target_set_raw(struct target *target);

/** A copy of the session kept for a target, or NULL; the caller frees it. */
SSL_SESSION *target_session(struct target *target);

/** Keep @session, which is the target's from now on, in place of the one before. */
void target_keep_session(struct target *target, SSL_SESSION *session);

#endif
