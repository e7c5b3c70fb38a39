#include "common/tunnel/pool_internal.h"

#include "common/carrier/link_dial.h"
#include "common/base/log.h"
#include "common/base/sysinfo.h"

/* Seconds between two dials that nobody waits for; doubling. */
static const double retry_first = 1, retry_last = 60;

/* Seconds to each dial while there are carriers: with those that follow each other at
 * once there is still no more than one a second in the long run. */
static const double dial_every = 1.2;

/* Seconds that those who wait have for a dial before there is another one: what it leads
 * to may hang, and all of them with it. */
static const double patience = 1;

/* ---- not too many ---------------------------------------------------------------- */

/* While there are carriers, whatever streams and far ends do is no loop of handshakes.
 * Returns the seconds until the next dial may begin; 0: it may now, and is counted. */
static double
take_credit(struct pool *p)
{
	double now = reactor_now();

	p->credit += (now - p->counted_at) / dial_every;
	p->counted_at = now;
	if (p->credit > POOL_DIALS_IN_A_ROW)
		p->credit = POOL_DIALS_IN_A_ROW;
	if (p->credit < 1)
		return (1 - p->credit) * dial_every;
	p->credit -= 1;
	return 0;
}

static bool
is_due(const struct pool_backoff *b)
{
	return reactor_now() >= b->after;
}

static void
put_off(struct pool_backoff *b, double most)
{
	double seconds = sysinfo_jitter(b->next, 0.25);

	b->after = reactor_now() + (seconds < most ? seconds : most);
	b->next = b->next * 2 < most ? b->next * 2 : most;
}

static void
reset(struct pool_backoff *b)
{
	*b = (struct pool_backoff){.next = retry_first};
}

/* ---- who waits ------------------------------------------------------------------- */

/* Those who wait are dialled for again only in a while. */
static void
be_patient(struct pool *p, double seconds)
{
	ev_timer_stop(p->set->reactor->loop, &p->patience);
	ev_timer_set(&p->patience, seconds, 0);
	ev_timer_start(p->set->reactor->loop, &p->patience);
}

/* To those who were refused the carriers are of no use, however many there are. */
static void
dial_for_waiters(struct pool *p, long doubtful)
{
	enum pool_why why;

	if (p->refused > 0 && pool_is_stale(p, &why))
		pool_dial(p, POOL_LOOK);
	else if (p->waiting > 0 && p->count - doubtful < p->service->settings->carriers)
		pool_dial(p, POOL_NEEDED);
}

void
pool_dial_for_waiters(struct pool *p)
{
	long doubtful = p->waiting > 0 ? pool_ask_doubtful(p) : 0;

	if (p->waiting == 0 || ev_is_active(&p->patience))
		return;
	if (doubtful > 0)
		be_patient(p, patience);
	else
		dial_for_waiters(p, 0);
}

/* The dial takes long: a stale carrier will do, and there may be another dial. */
static void
pool_on_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct pool *p = timer->data;

	(void)loop;
	(void)events;
	pool_serve(p);
	if (pool_is_dialling(p) && p->hedged)
		return; /* two are enough to tell those who wait why they fail */
	dial_for_waiters(p, p->waiting > 0 ? pool_ask_doubtful(p) : 0);
}

/* ---- of our own accord ----------------------------------------------------------- */

/* Not all pools at once when the shortage is over. */
static double
next_retry(const struct pool *p)
{
	double shortage = p->set->short_until - reactor_now();
	double seconds = sysinfo_jitter(p->retry_in, 0.25);

	return shortage > 0 ? shortage + seconds : seconds;
}

void
pool_keep_one(struct pool *p)
{
	struct ev_loop *loop = p->set->reactor->loop;

	if (!p->keep || p->set->draining || p->count > 0 || pool_is_dialling(p) ||
	    ev_is_active(&p->retry) || !target_may_h2(p->target))
		return;
	ev_timer_set(&p->retry, next_retry(p), 0);
	ev_timer_start(loop, &p->retry);
	p->retry_in = p->retry_in * 2 < retry_last ? p->retry_in * 2 : retry_last;
}

static void
pool_on_retry(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct pool *p = timer->data;

	(void)loop;
	(void)events;
	if (p->count == 0 && !p->set->draining && !pool_is_short(p))
		pool_dial(p, POOL_NEEDED);
	pool_keep_one(p);
}

void
pool_renew(struct pool *p)
{
	enum pool_why why;

	if (p->leaving || pool_is_dialling(p) || !pool_is_stale(p, &why) ||
	    (why != POOL_LOOK && !is_due(&p->renewal)))
		return;
	pool_ask_doubtful(p);
	pool_dial(p, why);
}

/* ---- a dial's end ---------------------------------------------------------------- */

static void
cancel_all(struct pool *p)
{
	ev_timer_stop(p->set->reactor->loop, &p->patience);
	for (int i = 0; i < POOL_DIALS; i++) {
		link_dial_cancel(p->dials[i].link_dial);
		p->dials[i].link_dial = NULL;
	}
}

/* While there are carriers that live it changes nothing; the next time is later. */
static void
go_on_without(struct pool *p, enum reason reason, const char *detail)
{
	put_off(&p->renewal, retry_last);
	log_event(LOG_LEVEL_DEBUG, "carrier-not-renewed",
	    LOG_TEXT("service", p->service->settings->name),
	    LOG_WORD("target", p->target->text), LOG_WORD("why", reason_word(reason)),
	    LOG_DECIMAL("next", p->renewal.after - reactor_now(), 1),
	    LOG_TEXT("detail", detail != NULL ? detail : reason_text(reason)));
	pool_serve(p);
	pool_fail_waiters(p, true, reason, detail);
}

/* As a stream would tell it; of several targets another may be well. */
static void
tell_failure(const struct pool *p, enum reason reason, const char *detail)
{
	const char *service = p->service->settings->name;

	log_event_cause(
	    p->service->target_count > 1 ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR, service,
	    "failed", LOG_WORD("why", reason_word(reason)), LOG_TEXT("service", service),
	    LOG_WORD("target", p->target->text),
	    LOG_TEXT("detail", detail != NULL ? detail : reason_text(reason)));
}

static void
dial_failed(struct pool *p, enum reason reason, const char *detail)
{
	if (pool_has_live(p)) {
		go_on_without(p, reason, detail);
	} else if (reason == REASON_NO_PROTOCOL &&
		   p->service->settings->multiplex == MULTIPLEX_AUTO) {
		pool_tell_raw(p, NULL);
		return;
	} else if (!pool_has_any(p) && !pool_is_dialling(p)) {
		if (p->waiting == 0 && p->keep)
			tell_failure(p, reason, detail);
		pool_fail_waiters(p, false, reason, detail);
	}
	if (p->waiting > 0 && !ev_is_active(&p->patience))
		be_patient(p, patience);
	pool_keep_one(p);
}

/* When the program is told to stop nobody but those who wait may have it. */
void
pool_use(struct pool *p, struct link *link, enum pool_why why)
{
	struct pooled *c = pool_add(p, link, why);

	if (c == NULL) {
		dial_failed(p, REASON_NO_MEMORY, NULL);
		return;
	}
	p->retry_in = retry_first;
	reset(&p->renewal);
	pool_serve(p);
	if (p->leaving)
		pool_drain(c);
}

static void
pool_on_link_opened(void *owner, struct link *link)
{
	struct pool_dial *d = owner;
	struct pool *p = d->pool;

	d->link_dial = NULL;
	cancel_all(p); /* of a slower one nobody has need */
	target_rouse(p->target);
	if (tls_is_h2(&link->tls)) {
		pool_use(p, link, d->why);
	} else if (d->looks && !link->offers_h2) {
		link_close(link, true); /* that it lives was all there was to find out */
		if (p->waiting > 0)
			pool_tell_raw(p, NULL);
	} else if (p->service->settings->multiplex == MULTIPLEX_AUTO &&
		   !pool_has_live(p)) {
		if (d->looks)
			link_close(link, true);
		pool_tell_raw(p, d->looks ? NULL : link);
	} else {
		link_close(link, true);
		dial_failed(p, REASON_NO_PROTOCOL,
		    "multiplex = yes, or h2 carriers are open, but the far end does not "
		    "select " TLS_PROTOCOL_H2);
	}
	p->events->settled(p);
}

static void
pool_on_link_failed(void *owner, enum reason reason, const char *detail)
{
	struct pool_dial *d = owner;
	struct pool *p = d->pool;

	d->link_dial = NULL;
	if (!pool_is_dialling(p))
		target_fail_look(p->target, reactor_now());
	dial_failed(p, reason, detail);
	p->events->settled(p);
}

static const struct link_events link_events = {
    .opened = pool_on_link_opened,
    .failed = pool_on_link_failed,
};

/* Out of memory is told by the retry timer, from the loop. */
void
pool_dial(struct pool *p, enum pool_why why)
{
	struct ev_loop *loop = p->set->reactor->loop;
	struct pool_dial *d = p->dials;
	double seconds;

	while (d->link_dial != NULL)
		if (++d == p->dials + POOL_DIALS)
			return;
	if (pool_has_any(p) && (seconds = take_credit(p)) > 0) {
		be_patient(p, seconds);
		return;
	}
	be_patient(p, patience);
	ev_timer_stop(loop, &p->retry);
	p->hedged = pool_is_dialling(p);
	d->why = why;
	d->looks = why != POOL_NEEDED || p->waiting == 0;
	d->link_dial = link_dial_start(p->set->links, p->set->resolver, p->service,
	    p->target, d->looks, p->service->settings->timeout_connect, &link_events, d);
	if (d->link_dial == NULL && !pool_is_dialling(p)) {
		ev_timer_set(&p->retry, retry_first, 0);
		ev_timer_start(loop, &p->retry);
	}
}

/* ---- life ------------------------------------------------------------------------ */

void
pool_dials_init(struct pool *p)
{
	p->retry_in = retry_first;
	reset(&p->renewal);
	p->credit = POOL_DIALS_IN_A_ROW;
	p->counted_at = reactor_now();
	for (int i = 0; i < POOL_DIALS; i++)
		p->dials[i].pool = p;
	ev_init(&p->patience, pool_on_patience);
	p->patience.data = p;
	ev_init(&p->retry, pool_on_retry);
	p->retry.data = p;
}

void
pool_dials_cancel(struct pool *p)
{
	ev_timer_stop(p->set->reactor->loop, &p->retry);
	if (p->waiting == 0)
		cancel_all(p);
}

void
pool_dials_clear(struct pool *p)
{
	ev_timer_stop(p->set->reactor->loop, &p->retry);
	cancel_all(p);
}
