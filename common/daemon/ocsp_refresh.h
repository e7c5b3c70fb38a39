/*
 * Keeps OCSP answers about our own certificates at hand: asks for them on the main loop,
 * ahead of their end, so that no handshake ever waits for one.
 */
#ifndef COMMON_DAEMON_OCSP_REFRESH_H
#define COMMON_DAEMON_OCSP_REFRESH_H

#include "common/worker/generation.h"

#include <ev.h>

struct staples;

/** NULL: out of memory. */
struct staples *staples_new(struct ev_loop *loop);

/** NULL is fine. */
void staples_free(struct staples *s);

/** Ask for what the services of @plan need by now.  To be called every few seconds. */
void staples_look(struct staples *s, const struct plan *plan);

#endif
