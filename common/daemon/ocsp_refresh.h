/*
 * Keeps OCSP answers about our own certificates at hand: asks for them on the main loop,
 * ahead of their end, so that no handshake ever waits for one.
 */
#ifndef COMMON_DAEMON_OCSP_REFRESH_H
#define COMMON_DAEMON_OCSP_REFRESH_H

#include "common/worker/generation.h"

#include <ev.h>

struct ocsp_refresh;

/** NULL: out of memory. */
struct ocsp_refresh *ocsp_refresh_new(struct ev_loop *loop);

/** NULL is fine. */
void ocsp_refresh_free(struct ocsp_refresh *s);

/** Ask for what the services of @generation need by now.  To be called every few seconds.
 */
void ocsp_refresh_look(struct ocsp_refresh *s, const struct generation *generation);

#endif
