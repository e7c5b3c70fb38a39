/*
 * A service at work: its settings, its SSL_CTX and its targets.  Shared by all workers
 * and not changed once it is made, but for what a target remembers.  A change of the
 * settings or of a file makes another service, for what begins from then on; what is
 * under way keeps the one it began with.  Whoever keeps a pointer to it holds it.
 */
#ifndef COMMON_CARRIER_SERVICE_H
#define COMMON_CARRIER_SERVICE_H

#include "common/base/counters.h"
#include "common/base/file_stamp.h"
#include "common/config/settings.h"
#include "common/carrier/target.h"
#include "common/pki/own_chain.h"

#include <stdatomic.h>
#include <time.h>

struct service {
	atomic_int holders;
	struct settings *whole; /* that `settings` is a part of; held */
	const struct service_settings *settings;
	SSL_CTX *context;
	struct own_expiry expiry;  /* of its own certificates */
	struct counters *counters; /* held; shared with the service before it */
	struct target *targets;
	size_t target_count;
	atomic_bool told;   /* that there is TLS without heartbeats */
	atomic_size_t turn; /* of failover = rr: whose it is */
	/** What the files it was made from looked like just before. */
	struct file_stamp stamps[SETTINGS_FILES];

	/* the main thread's */
	struct file_stamp seen[SETTINGS_FILES]; /* at its last look */
	bool tried; /* to make another service of what it saw */
	unsigned long
	    renewed; /* by the generation of this number, which not all workers follow
			yet; 0: that was logged, or it came in no such way */
};

/** Load certificates and keys.  @settings is a part of @whole, or outlives the service
 * where that is NULL.  NULL: @e says why.  The caller holds it. */
struct service *service_new(
    struct settings *whole, const struct service_settings *settings, struct err *e);

/** Count on where @before, which it takes the place of, has come to, and remember what it
 * knew of the targets that stay.  Before anybody else knows @service. */
void service_succeed(struct service *service, const struct service *before);

/** Returns @service. */
struct service *service_hold(struct service *service);

/** Whoever lets go last frees it.  NULL is fine. */
void service_release(struct service *service);

/** What its files look like now.  True: not as when it was made. */
bool service_look(const struct service *service, struct file_stamp now[SETTINGS_FILES]);

/** Files that are gone now, for another root is: what was read of them is good until they
 * are there again.  Before the workers start. */
void service_forgive_gone(struct service *service);

/** True at the first call: what is said once for each service is to be said now. */
bool service_tells_once(struct service *service);

/** Has it as many streams as maxStreams allows? */
bool service_is_full(struct service *service);

/** What a socket of the service gets once it is connected: socket_tune(), and what the
 * settings say for @side.  For accepted ones their listening socket has the first. */
void
service_tune(const struct service *service, int fd, enum socket_side side, bool plain);

/** Where a new stream begins to look for a target: at the first with failover = prio, at
 * the next in turn with rr. */
size_t service_first_target(struct service *service);

#endif
