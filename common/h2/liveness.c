/*
 * Is the far end alive?  After some silence it is asked by a PING, and any byte is an
 * answer.
 */
#include "common/h2/internal.h"

#include <time.h>

/* Seconds. */
static const double keepalive = 30, keepalive_limit = 10;

void
h2_liveness_init(struct h2_carrier *c)
{
	c->in.last_at = reactor_now();
	c->liveness.idle = keepalive;
	c->liveness.limit = keepalive_limit;
}

/* Any byte is life. */
void
h2_liveness_note(struct h2_carrier *c)
{
	c->in.last_at = reactor_now();
	c->liveness.asked_at = 0;
}

void
h2_liveness_ask(struct h2_carrier *c, double now)
{
	c->liveness.asked_at = now;
	h2_rtt_ping(c, H2_PING_LIFE);
	h2_output_pump(c);
}

/* What the far end was let in by, its certificates and what was said of them, counts
 * until a date. */
bool
h2_liveness_is_out_of_date(const struct h2_carrier *c)
{
	time_t until = c->link != NULL ? tls_until(&c->link->tls) : 0;

	return until != 0 && time(NULL) >= until;
}

/* Be called in @seconds, or when that date is over. */
void
h2_liveness_set_timer(struct h2_carrier *c, double seconds)
{
	time_t until = tls_until(&c->link->tls);
	double left = difftime(until, time(NULL));

	link_set_timer(c->link, until != 0 && c->state == H2_OPEN && left < seconds
				    ? (left > 0 ? left : 0)
				    : seconds);
}

/* The time of the next look is put off only here, not at each byte. */
bool
h2_liveness_on_timer(struct h2_carrier *c)
{
	double now = reactor_now(), left;

	left = c->liveness.asked_at > 0 ? c->liveness.asked_at + c->liveness.limit - now
					: c->in.last_at + c->liveness.idle - now;
	if (left <= 0 && c->liveness.asked_at > 0) {
		/* If it was us who slept, the answer may be here. */
		c->liveness.overdue = true;
		h2_liveness_set_timer(c, c->liveness.idle);
		return true;
	}
	if (left <= 0) {
		h2_liveness_ask(c, now);
		left = c->liveness.limit;
	}
	/* Looked at again soon, since an answer begins a new time of silence. */
	h2_liveness_set_timer(c, left < c->liveness.idle ? left : c->liveness.idle);
	return false;
}

void
h2_liveness_set_keepalive(struct h2_carrier *c, double idle, double limit)
{
	c->liveness.idle = idle;
	c->liveness.limit = limit;
	if (c->link != NULL && c->state < H2_FINISHING)
		h2_liveness_set_timer(c, c->liveness.asked_at > 0 ? limit : idle);
}

/* The time is over, and what the socket had was read. */
void
h2_liveness_check(struct h2_carrier *c)
{
	if (!c->liveness.overdue)
		return;
	c->liveness.overdue = false;
	if (c->liveness.asked_at > 0)
		h2_carrier_fail(
		    c, "no sign of life for %.0f s", reactor_now() - c->in.last_at);
}
