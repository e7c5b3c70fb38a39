#include "common/tunnel/pool_internal.h"

#include <stdlib.h>

/* Seconds for which no carrier is kept once descriptors were short. */
static const double shortage = 10;

enum {
	/* Streams on a carrier from which on another one is wanted. */
	BUSY = 64,
};

/* ---- streams --------------------------------------------------------------------- */

static bool
is_busy(const struct pooled *c)
{
	return h2_carrier_load(c->carrier) >= BUSY || h2_carrier_is_full(c->carrier);
}

/* Where none is there at all, who waits has one dialled. */
struct h2_carrier *
pool_pick(struct pool *p, bool refused)
{
	struct pooled *best = pool_choose(p, refused);

	if (best == NULL || !pool_is_fresh(best)) {
		pool_renew(p);
		best = pool_choose(p, refused); /* or the dial is waited for */
		return best != NULL ? best->carrier : NULL;
	}
	pool_relieve_stale(p);
	if (is_busy(best) && p->count < p->service->settings->carriers &&
	    !pool_is_dialling(p))
		pool_dial(p, POOL_NEEDED);
	return best->carrier;
}

/* ---- life ------------------------------------------------------------------------ */

static void
pool_free(struct pool *p)
{
	pool_dials_clear(p);
	LIST_REMOVE(p, entry);
	service_release(p->service);
	free(p);
}

/* Free it if nothing holds it.  Only for the end of what the loop told. */
static void
reap_unused(struct pool *p)
{
	if (!p->keep && LIST_EMPTY(&p->carriers) && p->waiting == 0 &&
	    !pool_is_dialling(p))
		pool_free(p);
}

static void
pool_on_aged(struct pool *p)
{
	if (!pool_is_dialling(p))
		pool_dial(p, POOL_AGE);
}

static void
pool_on_settled(struct pool *p)
{
	pool_keep_one(p);
	reap_unused(p);
}

static const struct pool_events pool_events = {
    .retired = pool_dial_for_waiters,
    .aged = pool_on_aged,
    .settled = pool_on_settled,
};

struct pool *
pool_of(struct pool_set *set, struct service *service, struct target *target)
{
	struct counts *counts;
	struct pool *p;

	LIST_FOREACH (p, &set->pools, entry)
		if (p->target == target)
			return p;
	counts = counters_share(service->counters, set->reactor->index);
	if (counts == NULL || (p = calloc(1, sizeof(*p))) == NULL)
		return NULL;
	p->events = &pool_events;
	p->counts = counts;
	p->set = set;
	p->service = service_hold(service);
	p->target = target;
	p->leaving = set->draining;
	TAILQ_INIT(&p->waiters);
	pool_dials_init(p);
	LIST_INSERT_HEAD(&set->pools, p, entry);
	return p;
}

void
pool_wait(struct pool *p, struct pool_waiter *waiter)
{
	pool_enqueue(p, waiter);
	pool_dial_for_waiters(p);
}

void
pool_wait_with(struct pool *p, struct pool_waiter *waiter, struct link *link)
{
	pool_enqueue(p, waiter);
	pool_use(p, link, POOL_NEEDED);
	reap_unused(p);
}

void
pool_keep(struct pool *p)
{
	p->keep = true;
	if (pool_is_short(p))
		pool_keep_one(p);
	else if (p->count == 0 && !pool_is_dialling(p))
		pool_dial(p, POOL_NEEDED);
}

void
pool_look(struct pool_set *set, struct service *service, struct target *target)
{
	struct pool *p;

	if (set->draining || reactor_now() < set->short_until ||
	    (p = pool_of(set, service, target)) == NULL)
		return;
	if (pool_has_live(p))
		target_rouse(target);
	else if (!p->leaving && !pool_is_dialling(p))
		pool_dial(p, POOL_NEEDED);
	reap_unused(p);
}

/* Nobody is asked for new streams any more but by those that are under way. */
static void
retire_all(struct pool *p)
{
	struct pooled *c;

	p->keep = false;
	p->leaving = true;
	pool_dials_cancel(p);
	LIST_FOREACH (c, &p->carriers, entry)
		if (!c->retired)
			pool_drain(c);
}

void
pool_set_follow(struct pool_set *set,
    bool (*spares)(const void *what, const struct service *service), const void *what)
{
	struct pool *p, *next;

	for (p = LIST_FIRST(&set->pools); p != NULL; p = next) {
		next = LIST_NEXT(p, entry);
		if (spares(what, p->service))
			continue;
		retire_all(p);
		reap_unused(p);
	}
}

void
pool_set_shed(struct pool_set *set)
{
	struct pool *p;
	struct pooled *c;

	set->short_until = reactor_now() + shortage;
	LIST_FOREACH (p, &set->pools, entry)
		LIST_FOREACH (c, &p->carriers, entry)
			if (!c->retired && p->waiting == 0 &&
			    h2_carrier_load(c->carrier) == 0)
				pool_drain(c);
}

void
pool_set_drain(struct pool_set *set)
{
	struct pool *p;

	set->draining = true;
	LIST_FOREACH (p, &set->pools, entry)
		retire_all(p);
}

void
pool_set_clear(struct pool_set *set)
{
	while (!LIST_EMPTY(&set->pools))
		pool_free(LIST_FIRST(&set->pools));
}
