#include "common/h2/rate_limit.h"

static const struct {
	const char *name;
	double most;       /* at once */
	double per_second; /* in the long run */
} rows[] = {
    [LIMIT_RESET] = {"RST_STREAM before the answer", 10000, 2000},
    [LIMIT_GONE] = {"RST_STREAM of streams that are gone", 20000, 5000},
    [LIMIT_INVALID] = {"invalid frames", 1000, 100},
    [LIMIT_SETTINGS] = {"SETTINGS", 100, 10},
    [LIMIT_PING] = {"PING", 500, 100}, /* nghttp2 gives up at 1000, and names nothing */
    [LIMIT_PRIORITY] = {"PRIORITY", 1000, 100},
    [LIMIT_WINDOW_UPDATE] = {"WINDOW_UPDATE", 400000, 200000},
    [LIMIT_EMPTY_DATA] = {"empty DATA", 1000, 100},
    [LIMIT_HEADER_BYTES] = {"header bytes", 64e6, 16e6},
};

bool
h2_rate_limit_count(
    struct h2_rate_limits *l, enum h2_rate_limit which, double n, double now)
{
	double gone = (now - l->since[which]) * rows[which].per_second;
	double used = l->used[which] > gone ? l->used[which] - gone : 0;

	l->used[which] = used + n;
	l->since[which] = now;
	return l->used[which] <= rows[which].most;
}

const char *
h2_rate_limit_name(enum h2_rate_limit which)
{
	return rows[which].name;
}
