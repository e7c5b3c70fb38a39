/*
 * The status port: an HTTP/1.1 responder of our own, for GET and HEAD, on the main loop.
 *
 *	/livez		200 while every worker turns, else 503
 *	/readyz		200 while streams are welcome and the app is there, else 503
 *	/metrics	Prometheus' text format
 *
 * It tells and does nothing else: each connection gets one answer, and is closed.
 */
#ifndef COMMON_STATUS_SERVER_H
#define COMMON_STATUS_SERVER_H

#include "common/status/subject.h"
#include "common/worker/generation.h"

#include <ev.h>

struct status;

/** It listens once it follows a generation.  NULL: out of memory. */
struct status *status_new(struct ev_loop *loop, const struct status_subject *about);

/** NULL is fine. */
void status_free(struct status *status);

/** From now on tell of @generation, made from @settings, both of which it holds, and
 * listen at its listen sockets; those that stay are left open. */
void status_follow(
    struct status *status, struct generation *generation, struct settings *settings);

/** The program was told to stop: not ready any more.  @why: a literal. */
void status_stop(struct status *status, const char *why);

#endif
