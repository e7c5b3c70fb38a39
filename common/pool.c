#include "common/pool.h"

#include "common/connect.h"
#include "common/log.h"

#include <stdlib.h>

enum {
	/* Streams on a carrier from which on another one is wanted. */
	BUSY = 64,
};

/* Seconds between two dials that nobody waits for; doubling. */
static const double retry_first = 1, retry_last = 60;

/* A carrier in the pool. */
struct pooled {
	LIST_ENTRY(pooled) entry;
	struct pool *pool;
	struct carrier_h2 *carrier;
	bool retired;
};

struct pool {
	LIST_ENTRY(pool) entry;
	struct pool_set *set;
	struct service *service;
	struct target *target;
	LIST_HEAD(, pooled) carriers;
	LIST_HEAD(, pool_waiter) waiters;
	long count;           /* of carriers that are not retired */
	struct connect *dial; /* these two: what is under way */
	struct link *link;
	double dial_ends; /* by reactor_now() */
	bool keep;
	ev_timer retry;
	double retry_in; /* seconds */
};

static void begin_dial(struct pool *p);

/* ---- waiters --------------------------------------------------------------------- */

/* The next of those who wait now; one who waits anew is not among them. */
static struct pool_waiter *
next_waiter(struct pool *p)
{
	struct pool_waiter *w = LIST_FIRST(&p->waiters);

	if (w != NULL)
		pool_leave(w);
	return w;
}

static void
tell_ready(struct pool *p)
{
	struct pool_waiter *w;

	while ((w = next_waiter(p)) != NULL)
		w->ready(w->owner);
}

static void
tell_raw(struct pool *p, struct link *link)
{
	struct pool_waiter *w;

	target_set_raw(p->target);
	while ((w = next_waiter(p)) != NULL) {
		w->raw(w->owner, link);
		link = NULL;
	}
	if (link != NULL) {
		tls_finish(&link->tls);
		link_close(link, false);
	}
}

void
pool_wait(struct pool *p, struct pool_waiter *waiter)
{
	LIST_INSERT_HEAD(&p->waiters, waiter, entry);
	waiter->waiting = true;
	if (p->dial == NULL && p->link == NULL)
		begin_dial(p);
}

void
pool_leave(struct pool_waiter *waiter)
{
	if (waiter->waiting)
		LIST_REMOVE(waiter, entry);
	waiter->waiting = false;
}

/* ---- carriers -------------------------------------------------------------------- */

/* Dial again, later and later, while a carrier is to be kept and none is there. */
static void
keep_one(struct pool *p)
{
	struct ev_loop *loop = p->set->reactor->loop;

	if (!p->keep || p->set->draining || p->count > 0 || p->dial != NULL ||
	    p->link != NULL || ev_is_active(&p->retry) || !target_may_h2(p->target))
		return;
	ev_timer_set(&p->retry, p->retry_in * (0.75 + drand48() / 2), 0);
	ev_timer_start(loop, &p->retry);
	p->retry_in = p->retry_in * 2 < retry_last ? p->retry_in * 2 : retry_last;
}

static void
on_retry(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct pool *p = timer->data;

	(void)loop;
	(void)events;
	if (p->count == 0 && p->dial == NULL && p->link == NULL && !p->set->draining)
		begin_dial(p);
}

static void
retire(struct pooled *c)
{
	if (!c->retired)
		c->pool->count--;
	c->retired = true;
}

static void
on_retired(void *owner)
{
	struct pooled *c = owner;

	retire(c);
	keep_one(c->pool);
}

static void
on_ended(void *owner, enum reason reason)
{
	struct pooled *c = owner;
	struct pool *p = c->pool;

	(void)reason;
	retire(c);
	LIST_REMOVE(c, entry);
	free(c);
	keep_one(p);
}

static const struct carrier_h2_events carrier_events = {
    .retired = on_retired,
    .ended = on_ended,
};

static bool
add_carrier(struct pool *p, struct link *link)
{
	const struct service_settings *settings = p->service->settings;
	struct pooled *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		link_close(link, true);
		return false;
	}
	c->pool = p;
	if ((c->carrier = carrier_h2_new(link, &carrier_events, c)) == NULL) {
		free(c);
		return false;
	}
	carrier_h2_set_keepalive(
	    c->carrier, settings->keepalive, settings->keepalive_timeout);
	LIST_INSERT_HEAD(&p->carriers, c, entry);
	p->count++;
	p->retry_in = retry_first;
	return true;
}

struct carrier_h2 *
pool_pick(struct pool *p)
{
	struct pooled *c;
	struct carrier_h2 *best = NULL;
	size_t load, least = 0;

	LIST_FOREACH (c, &p->carriers, entry) {
		if (c->retired || !carrier_h2_has_room(c->carrier))
			continue;
		load = carrier_h2_load(c->carrier);
		if (best == NULL || load < least) {
			best = c->carrier;
			least = load;
		}
	}
	if (best != NULL && least >= BUSY && p->count < p->service->settings->carriers &&
	    p->dial == NULL && p->link == NULL)
		begin_dial(p);
	return best;
}

/* ---- dialling -------------------------------------------------------------------- */

static void
dial_failed(struct pool *p, enum reason reason, const char *detail)
{
	struct pool_waiter *w;

	if (reason == REASON_NO_PROTOCOL &&
	    p->service->settings->multiplex == MULTIPLEX_AUTO) {
		tell_raw(p, NULL);
		return;
	}
	while ((w = next_waiter(p)) != NULL)
		w->failed(w->owner, reason, detail);
	keep_one(p);
}

/* Those who wait may have it, and when the program is told to stop nobody else. */
static void
put_to_use(struct pool *p)
{
	struct pooled *c = LIST_FIRST(&p->carriers);

	tell_ready(p);
	if (p->set->draining)
		carrier_h2_drain(c->carrier);
}

static void
on_link_opened(void *owner, struct link *link)
{
	struct pool *p = owner;

	p->link = NULL;
	if (tls_is_h2(&link->tls)) {
		if (add_carrier(p, link))
			put_to_use(p);
		else
			dial_failed(p, REASON_NO_MEMORY, NULL);
	} else if (p->service->settings->multiplex == MULTIPLEX_AUTO) {
		tell_raw(p, link);
	} else {
		link_close(link, true);
		dial_failed(p, REASON_NO_PROTOCOL,
		    "multiplex = yes, but the far end does not select " TLS_PROTOCOL_H2);
	}
}

static void
on_link_failed(void *owner, enum reason reason, const char *detail)
{
	struct pool *p = owner;

	p->link = NULL;
	dial_failed(p, reason, detail);
}

static const struct link_events link_events = {
    .opened = on_link_opened,
    .failed = on_link_failed,
};

static void
on_connected(
    void *arg, int fd, const struct net_address *to, enum reason reason, const char *why)
{
	struct pool *p = arg;

	(void)to;
	p->dial = NULL;
	if (fd < 0) {
		dial_failed(p, reason, why);
		return;
	}
	net_tune(fd, false);
	p->link = link_new(p->set->links, p->service, p->target, fd,
	    p->dial_ends - reactor_now(), &link_events, p);
	if (p->link == NULL)
		dial_failed(p, REASON_NO_MEMORY, NULL);
}

/* Out of memory is told by the retry timer, from the loop. */
static void
begin_dial(struct pool *p)
{
	double seconds = p->service->settings->timeout_connect;

	ev_timer_stop(p->set->reactor->loop, &p->retry);
	p->dial_ends = reactor_now() + seconds;
	p->dial = connect_start(p->set->reactor->loop, p->set->resolver, p->target->name,
	    seconds, on_connected, p);
	if (p->dial == NULL) {
		ev_timer_set(&p->retry, retry_first, 0);
		ev_timer_start(p->set->reactor->loop, &p->retry);
	}
}

/* ---- life ------------------------------------------------------------------------ */

struct pool *
pool_of(struct pool_set *set, struct service *service, struct target *target)
{
	struct pool *p;

	LIST_FOREACH (p, &set->pools, entry)
		if (p->target == target)
			return p;
	if ((p = calloc(1, sizeof(*p))) == NULL)
		return NULL;
	p->set = set;
	p->service = service;
	p->target = target;
	p->retry_in = retry_first;
	ev_init(&p->retry, on_retry);
	p->retry.data = p;
	LIST_INSERT_HEAD(&set->pools, p, entry);
	return p;
}

void
pool_keep(struct pool *p)
{
	p->keep = true;
	if (p->count == 0 && p->dial == NULL && p->link == NULL)
		begin_dial(p);
}

void
pool_set_drain(struct pool_set *set)
{
	struct pool *p;

	set->draining = true;
	LIST_FOREACH (p, &set->pools, entry)
		ev_timer_stop(set->reactor->loop, &p->retry);
}

void
pool_set_clear(struct pool_set *set)
{
	struct pool *p;

	while ((p = LIST_FIRST(&set->pools)) != NULL) {
		ev_timer_stop(set->reactor->loop, &p->retry);
		connect_cancel(p->dial);
		LIST_REMOVE(p, entry);
		free(p);
	}
}
