/*
 * PING and the round trip.
 */
#include "common/h2/internal.h"

#include <math.h>

/* Seconds. */
static const double measure_every = 1;
static const double least_period = 60; /* of which the least round trip is taken */
static const double round_trip_most = 60;

/* Behind what it is for stands when it was sent, in us of the carrier's life: the answer
 * brings that back. */
void
h2_rtt_ping(struct h2_carrier *c, enum h2_ping_kind what)
{
	uint8_t opaque[8] = {(uint8_t)what};
	uint64_t now = (uint64_t)((reactor_now() - c->opened) * 1e6);

	for (int i = 7; i > 0; i--, now >>= 8)
		opaque[i] = (uint8_t)now;
	nghttp2_submit_ping(c->session, NGHTTP2_FLAG_NONE, opaque);
}

double
h2_rtt_sent_at(const struct h2_carrier *c, const nghttp2_ping *ping)
{
	uint64_t us = 0;

	for (int i = 1; i < 8; i++)
		us = us << 8 | ping->opaque_data[i];
	return c->opened + (double)us / 1e6;
}

void
h2_rtt_measure(struct h2_carrier *c, double now)
{
	if (now - c->rtt.measured_at < measure_every)
		return;
	c->rtt.measured_at = now;
	h2_rtt_ping(c, H2_PING_MEASURE);
}

/* The least of this period and of the one before: what waits on the way with bulk is no
 * part of the path, and yet a path that became longer is known in a while.  A peer that
 * answers what was never asked tells us nothing. */
void
h2_rtt_note(struct h2_carrier *c, double seconds)
{
	double gone = c->rtt.seconds > 0 ? c->in.last_at - c->rtt.least_since : HUGE_VAL;

	if (seconds <= 0 || seconds > round_trip_most)
		return;
	if (gone > least_period) {
		c->rtt.least_before = gone > 2 * least_period ? seconds : c->rtt.least;
		c->rtt.least = seconds;
		c->rtt.least_since = c->in.last_at;
	} else if (seconds < c->rtt.least) {
		c->rtt.least = seconds;
	}
	c->rtt.seconds =
	    c->rtt.least < c->rtt.least_before ? c->rtt.least : c->rtt.least_before;
}
