/*
 * Looks each second, from the main loop, whether the workers turn.  One that has not for
 * ten seconds is named in the log, with what it was doing, once; and once it is back.
 */
#ifndef COMMON_WORKER_WATCHDOG_H
#define COMMON_WORKER_WATCHDOG_H

#include "common/worker/worker.h"

struct watchdog;

/** Watch all of @workers, which outlive it.  NULL: out of memory. */
struct watchdog *
watchdog_new(struct ev_loop *loop, struct worker *const *workers, size_t count);

/** NULL is fine. */
void watchdog_free(struct watchdog *watchdog);

/** The index of a worker that is stuck, or -1; @what: what it was doing. */
long watchdog_stuck(const struct watchdog *watchdog, const char **what);

/** How many are. */
size_t watchdog_count(const struct watchdog *watchdog);

#endif
