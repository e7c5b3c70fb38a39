/*
 * What is known of a path's idle limit: routers, load balancers and firewalls cut
 * connections over which nothing has passed for long enough.  It shows as connections
 * that are lost, one after the other, after the same silence; those of a peer that dies
 * now and then are lost after different ones.
 *
 * All times are in seconds, by one clock.  Not safe with threads.
 */
#ifndef COMMON_CARRIER_IDLE_LIMIT_H
#define COMMON_CARRIER_IDLE_LIMIT_H

#include <stdbool.h>

/** All 0: nothing is known. */
struct idle_limit {
	double lost;     /* when the latest loss that counts was; 0: there was none */
	double silence;  /* ahead of it */
	double interval; /* never be silent for longer; 0: nothing is learnt */
};

/**
 * A connection was lost at @now: it was open since @opened, the last byte passed over it
 * @silence ago, and it has outlived a silence of @borne.  True: that lowers the interval.
 *
 * Connections that were open at the same time count once, for what ends all of them at
 * once is no limit of any.
 */
bool idle_limit_note(
    struct idle_limit *limit, double opened, double now, double silence, double borne);

/** The shorter of @wanted and what is learnt. */
double idle_limit_interval(const struct idle_limit *limit, double wanted);

#endif
