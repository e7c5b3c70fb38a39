#include "common/tunnel/pool_internal.h"

#include "common/base/log.h"
#include "common/base/sysinfo.h"

#include <stdlib.h>

/* Seconds between two dials for the sake of maxAge. */
static const double age_look = 60;

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

/* It takes no more streams; what it has goes on. */
static void
retire(struct pooled *c)
{
	leave_count(c);
	c->retired = true;
	c->pool->events->retired(c->pool);
}

void
pool_drain(struct pooled *c)
{
	retire(c);
	h2_carrier_drain(c->carrier);
}

/* ---- the carrier's news ---------------------------------------------------------- */

static void
pool_on_carrier_retired(void *owner)
{
	struct pooled *c = owner;

	retire(c);
	c->pool->events->settled(c->pool);
}

static void
pool_on_carrier_ended(void *owner, enum reason reason)
{
	struct pooled *c = owner;
	struct pool *p = c->pool;

	(void)reason;
	LIST_REMOVE(c, entry);
	retire(c);
	p->old--;
	count_add(&p->counts->old_ended, 1);
	free(c);
	p->events->settled(p);
}

static void
pool_on_carrier_room(void *owner)
{
	struct pooled *c = owner;

	pool_serve(c->pool);
}

static const struct h2_carrier_events carrier_events = {
    .retired = pool_on_carrier_retired,
    .ended = pool_on_carrier_ended,
    .room = pool_on_carrier_room,
};

/* Make before break: only another one relieves it.  If the dial fails it goes on, and the
 * next attempt is not before a while. */
static void
pool_on_age(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct pooled *c = timer->data;
	struct pool *p = c->pool;

	(void)events;
	if (p->set->draining)
		return;
	c->aged = true;
	ev_timer_set(timer, sysinfo_jitter(age_look, 0.1), 0);
	ev_timer_start(loop, timer);
	p->events->aged(p);
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
	ev_timer_init(&c->age, pool_on_age, sysinfo_jitter(settings->max_age, 0.1), 0);
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
