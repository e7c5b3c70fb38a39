#include "common/tunnel/pool_internal.h"

#include "common/base/log.h"
#include "common/base/sysinfo.h"

#include <stdlib.h>

/* Seconds. */
static const double grace = 1;     /* for which a stale one serves who comes, unasked */
static const double answer_in = 1; /* a sign of life that it is asked for */
static const double age_look = 60; /* between two dials for the sake of maxAge */

/* ---- fresh and stale ------------------------------------------------------------- */

/* The router of now would perhaps send new streams elsewhere.  Streams that live long
 * hold old carriers, so the more of these, the longer the others serve; else there would
 * be no end to them. */
static double
fresh_for(const struct pool *p)
{
	const struct service_settings *s = p->service->settings;
	double seconds = s->fresh_for;

	for (long n = p->old; n > s->carriers; n--)
		seconds *= 2;
	return s->max_age > 0 && seconds > s->max_age ? s->max_age : seconds;
}

/* Since when has its time been over, in seconds?  Below 0: it is not. */
static double
overdue(const struct pooled *c)
{
	double seconds = fresh_for(c->pool);

	return seconds > 0 ? reactor_now() - h2_carrier_opened(c->carrier) - seconds : -1;
}

bool
pool_is_fresh(const struct pooled *c)
{
	return !c->relieved && !c->aged && !c->refuses && overdue(c) < 0;
}

/* Does it take a stream while another one is dialled in its place?  One that has just
 * become stale serves those who come meanwhile; after a silence they wait a moment, but
 * not if the last such dial failed. */
static bool
bridges(const struct pooled *c)
{
	return overdue(c) < grace || c->pool->renewal.after > 0 ||
	       !pool_is_dial_young(c->pool);
}

bool
pool_is_stale(const struct pool *p, enum pool_why *why)
{
	const struct pooled *c;
	bool any = false;

	*why = POOL_FRESH;
	LIST_FOREACH (c, &p->carriers, entry) {
		if (c->retired)
			continue;
		if (pool_is_fresh(c))
			return false;
		any = true;
		if (c->refuses)
			*why = POOL_LOOK;
		else if (c->aged && *why == POOL_FRESH)
			*why = POOL_AGE;
	}
	return any;
}

/* ---- the choice ------------------------------------------------------------------ */

/* One that refuses comes last.  Fresh before stale before relieved; of the last the
 * newest, of the others the one with the fewest streams. */
static bool
is_better(const struct pooled *a, const struct pooled *b)
{
	bool fresh = pool_is_fresh(a);

	if (a->refuses != b->refuses)
		return b->refuses;
	if (fresh != pool_is_fresh(b))
		return fresh;
	if (a->relieved != b->relieved)
		return b->relieved;
	if (a->relieved)
		return h2_carrier_opened(a->carrier) > h2_carrier_opened(b->carrier);
	if (h2_carrier_is_full(a->carrier) != h2_carrier_is_full(b->carrier))
		return h2_carrier_is_full(b->carrier);
	return h2_carrier_load(a->carrier) < h2_carrier_load(b->carrier);
}

struct pooled *
pool_choose(struct pool *p, bool refused)
{
	struct pooled *c, *best = NULL;

	LIST_FOREACH (c, &p->carriers, entry)
		if (!c->retired && !(refused && c->refuses) &&
		    h2_carrier_has_room(c->carrier) &&
		    (best == NULL || is_better(c, best)))
			best = c;
	return best == NULL || pool_is_fresh(best) || refused || bridges(best) ? best
									       : NULL;
}

void
pool_note_answer(struct pool *p, const struct h2_carrier *carrier, bool accepted)
{
	struct pooled *c;

	LIST_FOREACH (c, &p->carriers, entry)
		if (c->carrier == carrier)
			c->refuses = !accepted;
}

bool
pool_has_any(const struct pool *p)
{
	const struct pooled *c;

	LIST_FOREACH (c, &p->carriers, entry)
		if (!c->retired)
			return true;
	return false;
}

bool
pool_has_live(const struct pool *p)
{
	const struct pooled *c;

	LIST_FOREACH (c, &p->carriers, entry)
		if (!c->retired && h2_carrier_unanswered(c->carrier) < answer_in)
			return true;
	return false;
}

long
pool_ask_doubtful(struct pool *p)
{
	struct pooled *c;
	long count = 0;

	LIST_FOREACH (c, &p->carriers, entry) {
		if (c->retired || !h2_carrier_is_in_doubt(c->carrier))
			continue;
		h2_carrier_ask(c->carrier);
		count += !c->relieved;
	}
	return count;
}

/* ---- those that have had their time ---------------------------------------------- */

/* It is no more among those that take new streams. */
static void
leave_count(struct pooled *c)
{
	if (c->relieved || c->retired)
		return;
	c->pool->count--;
	c->pool->old++;
	count_add(&c->pool->counts->old, 1);
	ev_timer_stop(c->pool->set->reactor->loop, &c->age);
}

void
pool_relieve_stale(struct pool *p)
{
	struct pooled *c;

	LIST_FOREACH (c, &p->carriers, entry) {
		if (c->retired || c->relieved || pool_is_fresh(c))
			continue;
		leave_count(c);
		c->relieved = true;
		h2_carrier_relieve(c->carrier);
	}
}

void
pool_retire(struct pooled *c)
{
	leave_count(c);
	c->retired = true;
	pool_dial_for_waiters(c->pool);
}

void
pool_drain(struct pooled *c)
{
	pool_retire(c);
	h2_carrier_drain(c->carrier);
}

/* ---- the carrier's news ---------------------------------------------------------- */

static void
on_retired(void *owner)
{
	struct pooled *c = owner;

	pool_retire(c);
	pool_keep_one(c->pool);
}

static void
on_ended(void *owner, enum reason reason)
{
	struct pooled *c = owner;
	struct pool *p = c->pool;

	(void)reason;
	LIST_REMOVE(c, entry);
	pool_retire(c);
	p->old--;
	count_add(&p->counts->old_ended, 1);
	free(c);
	pool_keep_one(p);
	pool_reap_unused(p);
}

static void
on_room(void *owner)
{
	struct pooled *c = owner;

	pool_serve(c->pool);
}

static const struct h2_carrier_events carrier_events = {
    .retired = on_retired,
    .ended = on_ended,
    .room = on_room,
};

/* Make before break: only another one relieves it.  If the dial fails it goes on, and the
 * next attempt is not before a while. */
static void
on_age(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct pooled *c = timer->data;
	struct pool *p = c->pool;

	(void)events;
	if (p->set->draining)
		return;
	c->aged = true;
	ev_timer_set(timer, sysinfo_jitter(age_look, 0.1), 0);
	ev_timer_start(loop, timer);
	if (!pool_is_dialling(p))
		pool_dial(p, POOL_AGE);
}

/* ---- a new one ------------------------------------------------------------------- */

struct pooled *
pool_add(struct pool *p, struct link *link, enum pool_why why)
{
	const struct service_settings *settings = p->service->settings;
	struct pooled *c = calloc(1, sizeof(*c));
	bool routine = why == POOL_FRESH || why == POOL_LOOK;

	if (c == NULL) {
		link_close(link, true);
		return NULL;
	}
	c->pool = p;
	c->carrier = h2_carrier_new(
	    link, routine ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, &carrier_events, c);
	if (c->carrier == NULL) {
		free(c);
		return NULL;
	}
	h2_carrier_set_keepalive(c->carrier,
	    target_keepalive(p->target, settings->keepalive),
	    settings->keepalive_timeout);
	ev_timer_init(&c->age, on_age, sysinfo_jitter(settings->max_age, 0.1), 0);
	c->age.data = c;
	if (settings->max_age > 0)
		ev_timer_start(p->set->reactor->loop, &c->age);
	LIST_INSERT_HEAD(&p->carriers, c, entry);
	p->count++;
	if (why != POOL_NEEDED)
		count_add(&p->counts->renewals[why], 1);
	pool_relieve_stale(p);
	return c;
}
