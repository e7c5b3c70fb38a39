/*
 * Is the app there?  In a server each service is asked about: its app has answered a
 * stream's dial within the last seconds, or else is dialled from here, on the main loop;
 * the connection is closed as soon as it is there.  A client has nothing to ask.
 */
#ifndef COMMON_STATUS_READINESS_H
#define COMMON_STATUS_READINESS_H

#include "common/worker/generation.h"

#include <ev.h>
#include <stdio.h>

struct readiness;

/** @settled is called from the loop when readiness_ask() is worth another try.  NULL: out
 * of memory. */
struct readiness *
readiness_new(struct ev_loop *loop, void (*settled)(void *owner), void *owner);

/** NULL is fine. */
void readiness_free(struct readiness *readiness);

/** From now on it is about the services of @generation, which it holds. */
void readiness_follow(struct readiness *readiness, struct generation *generation);

/** True: it is known.  False: apps are being dialled, and `settled` follows within a few
 * seconds.  An app is dialled at most once in two seconds, however often this is called.
 */
bool readiness_ask(struct readiness *readiness);

/** When it is known: are all apps there?  Writes a line to @out for each that is not. */
bool readiness_tell(const struct readiness *readiness, FILE *out);

#endif
