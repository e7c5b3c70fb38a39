#include "common/pool.h"

#include "common/approach.h"
#include "common/log.h"
#include "common/machine.h"

#include <stdlib.h>

enum {
	/* Streams on a carrier from which on another one is wanted. */
	BUSY = 64,
	/* Dials under way. */
	MOST_DIALS = 2,
};

/* Seconds between two dials that nobody waits for; doubling. */
static const double retry_first = 1, retry_last = 60;

/* Seconds that those who wait have for a dial before there is another one: what it leads
 * to may hang, and all of them with it. */
static const double patience = 1;

/* A carrier in the pool. */
struct pooled {
	LIST_ENTRY(pooled) entry;
	struct pool *pool;
	struct carrier_h2 *carrier;
	ev_timer age;
	bool old;     /* to be retired when another one is there */
	bool retired; /* takes no more streams */
};

/* A dial, and where it belongs. */
struct pool_dial {
	struct pool *pool;
	struct approach *approach; /* NULL: none */
};

struct pool {
	LIST_ENTRY(pool) entry;
	struct pool_set *set;
	struct service *service; /* held */
	struct target *target;
	LIST_HEAD(, pooled) carriers;
	TAILQ_HEAD(, pool_waiter) waiters;
	size_t waiting;
	long count; /* of carriers that are not retired */
	struct pool_dial dials[MOST_DIALS];
	bool hedged;       /* the latest of them began beside another one */
	ev_timer patience; /* with the latest of them */
	bool keep;
	bool leaving; /* its service is no more: nothing new */
	ev_timer retry;
	double retry_in; /* seconds */
};

static void begin_dial(struct pool *p);

static bool
is_dialling(const struct pool *p)
{
	for (int i = 0; i < MOST_DIALS; i++)
		if (p->dials[i].approach != NULL)
			return true;
	return false;
}

/* ---- waiters --------------------------------------------------------------------- */

void
pool_leave(struct pool_waiter *waiter)
{
	struct pool *p = waiter->pool;

	if (p == NULL)
		return;
	TAILQ_REMOVE(&p->waiters, waiter, entry);
	p->waiting--;
	waiter->pool = NULL;
}

static struct pool_waiter *
next_waiter(struct pool *p)
{
	struct pool_waiter *w = TAILQ_FIRST(&p->waiters);

	if (w != NULL)
		pool_leave(w);
	return w;
}

static bool
is_better(const struct carrier_h2 *a, const struct carrier_h2 *b)
{
	if (carrier_h2_is_full(a) != carrier_h2_is_full(b))
		return carrier_h2_is_full(b);
	return carrier_h2_load(a) < carrier_h2_load(b);
}

/* The carrier with the fewest streams that has room. */
static struct carrier_h2 *
least_loaded(const struct pool *p)
{
	struct pooled *c;
	struct carrier_h2 *best = NULL;

	LIST_FOREACH (c, &p->carriers, entry)
		if (!c->retired && carrier_h2_has_room(c->carrier) &&
		    (best == NULL || is_better(c->carrier, best)))
			best = c->carrier;
	return best;
}

/* Ask those that may be dead whether they are.  Returns how many there are. */
static long
ask_doubtful(const struct pool *p)
{
	struct pooled *c;
	long count = 0;

	LIST_FOREACH (c, &p->carriers, entry) {
		if (c->retired || !carrier_h2_is_in_doubt(c->carrier))
			continue;
		carrier_h2_ask(c->carrier);
		count++;
	}
	return count;
}

/* Those who wait now go on, each once, while there is room. */
static void
serve(struct pool *p)
{
	struct pool_waiter *w;

	for (size_t n = p->waiting; n > 0 && least_loaded(p) != NULL; n--)
		if ((w = next_waiter(p)) != NULL)
			w->ready(w->owner);
}

static void
fail_all(struct pool *p, enum reason reason, const char *detail)
{
	struct pool_waiter *w;

	for (size_t n = p->waiting; n > 0 && (w = next_waiter(p)) != NULL; n--)
		w->failed(w->owner, reason, detail);
}

/* Those who wait are dialled for again only in a while. */
static void
be_patient(struct pool *p)
{
	ev_timer_stop(p->set->reactor->loop, &p->patience);
	ev_timer_set(&p->patience, patience, 0);
	ev_timer_start(p->set->reactor->loop, &p->patience);
}

/* Nobody waits for nothing; but a carrier that is asked whether it lives has a moment to
 * answer. */
static void
dial_for_waiters(struct pool *p)
{
	if (p->waiting == 0 || ev_is_active(&p->patience))
		return;
	if (ask_doubtful(p) > 0)
		be_patient(p);
	else if (p->count < p->service->settings->carriers)
		begin_dial(p);
}

static void
on_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct pool *p = timer->data;

	(void)loop;
	(void)events;
	if (is_dialling(p) && p->hedged)
		return; /* two are enough to tell those who wait why they fail */
	if (p->waiting > 0 && p->count - ask_doubtful(p) < p->service->settings->carriers)
		begin_dial(p);
}

void
pool_wait(struct pool *p, struct pool_waiter *waiter)
{
	TAILQ_INSERT_TAIL(&p->waiters, waiter, entry);
	p->waiting++;
	waiter->pool = p;
	dial_for_waiters(p);
}

static void
tell_raw(struct pool *p, struct link *link)
{
	struct pool_waiter *w;

	target_set_raw(p->target);
	for (size_t n = p->waiting; n > 0 && (w = next_waiter(p)) != NULL; n--) {
		w->raw(w->owner, link);
		link = NULL;
	}
	if (link != NULL) {
		tls_finish(&link->tls);
		link_close(link, false);
	}
}

/* ---- carriers -------------------------------------------------------------------- */

/* Dial again, later and later, while a carrier is to be kept and none is there. */
static void
keep_one(struct pool *p)
{
	struct ev_loop *loop = p->set->reactor->loop;

	if (!p->keep || p->set->draining || p->count > 0 || is_dialling(p) ||
	    ev_is_active(&p->retry) || !target_may_h2(p->target))
		return;
	ev_timer_set(&p->retry, machine_jitter(p->retry_in, 0.25), 0);
	ev_timer_start(loop, &p->retry);
	p->retry_in = p->retry_in * 2 < retry_last ? p->retry_in * 2 : retry_last;
}

static void
on_retry(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct pool *p = timer->data;

	(void)loop;
	(void)events;
	if (p->count == 0 && !is_dialling(p) && !p->set->draining)
		begin_dial(p);
}

static void
cancel_dials(struct pool *p)
{
	ev_timer_stop(p->set->reactor->loop, &p->patience);
	for (int i = 0; i < MOST_DIALS; i++) {
		approach_cancel(p->dials[i].approach);
		p->dials[i].approach = NULL;
	}
}

static void
pool_free(struct pool *p)
{
	ev_timer_stop(p->set->reactor->loop, &p->retry);
	cancel_dials(p);
	LIST_REMOVE(p, entry);
	service_release(p->service);
	free(p);
}

/* Only for the end of what the loop told. */
static void
reap_unused(struct pool *p)
{
	if (!p->keep && LIST_EMPTY(&p->carriers) && p->waiting == 0 && !is_dialling(p))
		pool_free(p);
}

/* It takes no more streams; what it has goes on. */
static void
retire(struct pooled *c)
{
	if (!c->retired)
		c->pool->count--;
	c->retired = true;
	ev_timer_stop(c->pool->set->reactor->loop, &c->age);
	dial_for_waiters(c->pool);
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
	LIST_REMOVE(c, entry);
	retire(c);
	free(c);
	keep_one(p);
	reap_unused(p);
}

static void
on_room(void *owner)
{
	struct pooled *c = owner;

	serve(c->pool);
}

static const struct carrier_h2_events carrier_events = {
    .retired = on_retired,
    .ended = on_ended,
    .room = on_room,
};

/* ---- renewal --------------------------------------------------------------------- */

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
	c->old = true;
	ev_timer_set(timer, machine_jitter(retry_last, 0.1), 0);
	ev_timer_start(loop, timer);
	if (!is_dialling(p))
		begin_dial(p);
}

static void
relieve_old(struct pool *p)
{
	struct pooled *c;

	LIST_FOREACH (c, &p->carriers, entry) {
		if (!c->old || c->retired)
			continue;
		retire(c);
		carrier_h2_drain(c->carrier);
	}
}

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
	ev_timer_init(&c->age, on_age, machine_jitter(settings->max_age, 0.1), 0);
	c->age.data = c;
	if (settings->max_age > 0)
		ev_timer_start(p->set->reactor->loop, &c->age);
	LIST_INSERT_HEAD(&p->carriers, c, entry);
	p->count++;
	p->retry_in = retry_first;
	relieve_old(p);
	return true;
}

struct carrier_h2 *
pool_pick(struct pool *p)
{
	struct carrier_h2 *best = least_loaded(p);

	if (best != NULL && (carrier_h2_load(best) >= BUSY || carrier_h2_is_full(best)) &&
	    p->count < p->service->settings->carriers && !is_dialling(p))
		begin_dial(p);
	return best;
}

/* ---- dialling -------------------------------------------------------------------- */

/* Who waits may still find room on a carrier that is there. */
static void
dial_failed(struct pool *p, enum reason reason, const char *detail)
{
	if (reason == REASON_NO_PROTOCOL &&
	    p->service->settings->multiplex == MULTIPLEX_AUTO) {
		tell_raw(p, NULL);
		return;
	}
	if (p->count == 0 && !is_dialling(p))
		fail_all(p, reason, detail);
	if (p->waiting > 0 && !ev_is_active(&p->patience))
		be_patient(p);
	keep_one(p);
}

/* Those who wait may have it, and when the program is told to stop nobody else. */
static void
put_to_use(struct pool *p)
{
	struct pooled *c = LIST_FIRST(&p->carriers);

	serve(p);
	if (p->leaving) {
		retire(c);
		carrier_h2_drain(c->carrier);
	}
}

static void
on_link_opened(void *owner, struct link *link)
{
	struct pool_dial *d = owner;
	struct pool *p = d->pool;

	d->approach = NULL;
	cancel_dials(p); /* of a slower one nobody has need */
	target_rouse(p->target, reactor_now());
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
	reap_unused(p);
}

static void
on_link_failed(void *owner, enum reason reason, const char *detail)
{
	struct pool_dial *d = owner;
	struct pool *p = d->pool;

	d->approach = NULL;
	dial_failed(p, reason, detail);
	reap_unused(p);
}

static const struct link_events link_events = {
    .opened = on_link_opened,
    .failed = on_link_failed,
};

/* Out of memory is told by the retry timer, from the loop. */
static void
begin_dial(struct pool *p)
{
	struct ev_loop *loop = p->set->reactor->loop;
	struct pool_dial *d = p->dials;

	while (d->approach != NULL)
		if (++d == p->dials + MOST_DIALS)
			return;
	ev_timer_stop(loop, &p->retry);
	p->hedged = is_dialling(p);
	d->approach = approach_start(p->set->links, p->set->resolver, p->service,
	    p->target, p->service->settings->timeout_connect, &link_events, d);
	be_patient(p);
	if (d->approach == NULL && !is_dialling(p)) {
		ev_timer_set(&p->retry, retry_first, 0);
		ev_timer_start(loop, &p->retry);
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
	p->service = service_hold(service);
	p->target = target;
	p->retry_in = retry_first;
	p->leaving = set->draining;
	TAILQ_INIT(&p->waiters);
	for (int i = 0; i < MOST_DIALS; i++)
		p->dials[i].pool = p;
	ev_init(&p->patience, on_patience);
	p->patience.data = p;
	ev_init(&p->retry, on_retry);
	p->retry.data = p;
	LIST_INSERT_HEAD(&set->pools, p, entry);
	return p;
}

void
pool_keep(struct pool *p)
{
	p->keep = true;
	if (p->count == 0 && !is_dialling(p))
		begin_dial(p);
}

/* Nobody is asked for new streams any more but by those that are under way. */
static void
retire_all(struct pool *p)
{
	struct pooled *c;

	p->keep = false;
	p->leaving = true;
	ev_timer_stop(p->set->reactor->loop, &p->retry);
	if (p->waiting == 0)
		cancel_dials(p);
	LIST_FOREACH (c, &p->carriers, entry) {
		if (c->retired)
			continue;
		retire(c);
		carrier_h2_drain(c->carrier);
	}
}

void
pool_set_follow(struct pool_set *set, const struct plan *plan)
{
	struct pool *p, *next;

	for (p = LIST_FIRST(&set->pools); p != NULL; p = next) {
		next = LIST_NEXT(p, entry);
		if (plan_has(plan, p->service))
			continue;
		retire_all(p);
		reap_unused(p);
	}
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
