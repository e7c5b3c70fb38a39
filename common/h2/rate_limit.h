/*
 * How much a peer may ask of us without a stream getting any further for it: an allowance
 * of each kind that fills up again with time.  All are far above what an honest peer
 * needs; one that is over the limit loses its carrier.
 */
#ifndef COMMON_H2_RATE_LIMIT_H
#define COMMON_H2_RATE_LIMIT_H

#include <stdbool.h>

enum h2_rate_limit {
	LIMIT_RESET,   /* of a stream that was not answered yet */
	LIMIT_GONE,    /* RST_STREAM of one that nobody has any more */
	LIMIT_INVALID, /* frames that make us reset a stream */
	LIMIT_SETTINGS,
	LIMIT_PING,
	LIMIT_PRIORITY,
	LIMIT_WINDOW_UPDATE,
	LIMIT_EMPTY_DATA,
	LIMIT_HEADER_BYTES,
	LIMIT_H2_COUNT,
};

struct h2_rate_limits {
	double used[LIMIT_H2_COUNT];
	double since[LIMIT_H2_COUNT]; /* by reactor_now() */
};

/** Count @n at the time @now (reactor_now()).  False: over the limit. */
bool h2_rate_limit_count(
    struct h2_rate_limits *l, enum h2_rate_limit which, double n, double now);

/** What it is called in the log: "PING". */
const char *h2_rate_limit_name(enum h2_rate_limit which);

#endif
