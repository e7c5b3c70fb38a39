#include "common/carrier/link_internal.h"

#include "common/base/log.h"
#include "common/carrier/route_check.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Seconds for the peer to read why it was refused. */
static const double refused_wait = 1;

/* ---- the handshake --------------------------------------------------------------- */

static void
refuse(struct link *l, enum reason reason, const char *detail)
{
	l->refused = true;
	ocsp_client_cancel(l->ask);
	l->ask = NULL;
	link_advance(l, LINK_REFUSED);
	count_add(&l->counts->failures[reason], 1);
	l->events->failed(l->owner, reason, detail);
	tls_retire(&l->tls);
	link_enter_closing(l, refused_wait);
}

/* It is gone at once, since there is a flood of them. */
bool
link_set_give_way(struct link_set *set)
{
	struct link *l = link_set_draw(set);

	if (l == NULL)
		return false;
	if (l->state == LINK_HANDSHAKE) {
		l->refused = true;
		count_add(&l->counts->failures[REASON_FULL], 1);
		l->events->failed(l->owner, REASON_FULL,
		    "too many unfinished handshakes: one gave way");
	}
	link_reap(l, false);
	return true;
}

static void
make_way(struct link_set *set)
{
	while (set->stranger_count >= set->stranger_most && link_set_give_way(set))
		;
}

void
link_refuse(struct link *l, enum reason reason, const char *detail)
{
	assert(l->state == LINK_OPEN && l->carrier == NULL);
	l->must_rst = !tls_abort(&l->tls);
	make_way(l->set);
	link_enter_strangers(l, LINK_REFUSED);
	refuse(l, reason, detail);
}

static void
enter_open(struct link *l)
{
	l->state = LINK_OPEN;
	link_leave_strangers(l);
	l->kind = tls_is_h2(&l->tls) ? COUNT_H2 : COUNT_RAW;
	if (l->target != NULL)
		route_note(l->target, &l->tls);
	count_add(&l->counts->carriers[l->kind], 1);
	count_add(tls_is_resumed(&l->tls) ? &l->counts->resumed : &l->counts->full, 1);
	ev_timer_stop(link_loop(l), &l->timer);
	if (l->target != NULL && l->kind == COUNT_RAW)
		link_name(l, 0);
	l->events->opened(l->owner, l);
}

/* What the peer is let in by lasts no longer than the answer about it. */
static void
limit_by_answer(struct link *l, OCSP_RESPONSE *response)
{
	STACK_OF(X509) *chain = SSL_get0_verified_chain(l->tls.ssl);
	const struct ocsp_matter matter = {
	    .certificate = sk_X509_value(chain, 0),
	    .issuer = sk_X509_value(chain, 1),
	};

	if (response != NULL)
		tls_session_limit(
		    SSL_get_session(l->tls.ssl), ocsp_until(&matter, response));
}

/* What the responders say of the peer. */
static void
on_answer(void *arg, enum ocsp_answer answer, OCSP_RESPONSE *response, const char *why)
{
	struct link *l = arg;
	const struct service_settings *s = l->service->settings;
	char detail[TLS_DETAIL_SIZE], names[IDENTITY_NAMES_SIZE];

	l->ask = NULL;
	identity_names(SSL_get0_peer_certificate(l->tls.ssl), names, sizeof(names));
	snprintf(detail, sizeof(detail), "OCSP on the certificate (%s): %s", names, why);
	if (answer == OCSP_GOOD) {
		limit_by_answer(l, response);
		enter_open(l);
	} else if (answer == OCSP_REVOKED || s->ocsp_require) {
		(void)tls_abort(&l->tls);
		refuse(l,
		    answer == OCSP_REVOKED ? REASON_CERT_REVOKED : REASON_OCSP_SILENT,
		    detail);
	} else {
		log_event_cause(LOG_LEVEL_WARNING, s->name, "ocsp-silent",
		    LOG_TEXT("detail", detail));
		enter_open(l);
	}
}

/* Has the peer to wait until a responder has spoken?  A session is that of a peer about
 * whom one has. */
static bool
must_ask(const struct link *l)
{
	const struct service_settings *s = l->service->settings;

	return (s->ocsp_aia || s->ocsp_url != NULL) && l->set->resolver != NULL &&
	       !tls_is_resumed(&l->tls) && !l->tls.stapled &&
	       sk_X509_num(SSL_get0_verified_chain(l->tls.ssl)) > 1;
}

static void
ask(struct link *l)
{
	const struct service_settings *s = l->service->settings;
	STACK_OF(X509) *chain = SSL_get0_verified_chain(l->tls.ssl);
	const struct ocsp_matter matter = {
	    .certificate = sk_X509_value(chain, 0),
	    .issuer = sk_X509_value(chain, 1),
	    .store = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(l->tls.ssl)),
	    .chain = chain,
	    .flags = s->ocsp_flags,
	};
	const struct ocsp_way way = {.settings = s,
	    .url = s->ocsp_url,
	    .aia = s->ocsp_aia,
	    .nonce = s->ocsp_nonce,
	    .seconds = s->timeout_ocsp};

	l->ask = ocsp_client_start(
	    link_loop(l), l->set->resolver, &matter, &way, on_answer, l);
	if (l->ask == NULL)
		refuse(l, REASON_NO_MEMORY, "out of memory");
	else
		link_wait(l, false);
}

/* Only what OpenSSL has taken whole counts, for a byte is soon sent. */
static void
note_progress(struct link *l)
{
	if (SSL_get0_peer_certificate(l->tls.ssl) != NULL)
		link_advance(l, LINK_CERTIFIED);
	else if (l->tls.asked != NULL)
		link_advance(l, LINK_GREETED);
}

static void
handshake_step(struct link *l)
{
	struct tls *t = &l->tls;
	char detail[TLS_DETAIL_SIZE];

	if (l->ask != NULL)
		return;
	if (t->state == TLS_HANDSHAKE)
		tls_handshake(t);
	if (t->state == TLS_HANDSHAKE) {
		note_progress(l);
		link_wait(l, true);
	} else if (l->offers_h2 && route_is_downgraded(l->target, t, detail)) {
		if (t->state != TLS_BROKEN)
			(void)tls_abort(t);
		refuse(l, REASON_ROUTE_UNKNOWN, detail);
	} else if (t->state == TLS_BROKEN) {
		refuse(l, t->reason, t->detail);
	} else if (must_ask(l)) {
		link_advance(l, LINK_CERTIFIED);
		ask(l);
	} else {
		enter_open(l);
	}
}

/* ---- waiting --------------------------------------------------------------------- */

void
link_adopt(struct link *l, const struct link_carrier *carrier, void *owner)
{
	l->carrier = carrier;
	l->owner = owner;
}

/* For whoever looks what this worker is at. */
static void
note(const struct link *l)
{
	static const char *const what[] = {
	    [LINK_HANDSHAKE] = "a TLS handshake",
	    [LINK_OPEN] = "a carrier",
	    [LINK_CLOSING] = "the end of a TLS connection",
	};

	progress_note(&l->set->reactor->turn, what[l->state]);
}

static void
on_ready(void *owner, int events)
{
	struct link *l = owner;

	note(l);
	switch (l->state) {
	case LINK_HANDSHAKE:
		if (l->tls.state != TLS_HANDSHAKE || !link_set_is_turn_over(l->set))
			handshake_step(l);
		break;
	case LINK_OPEN:
		l->carrier->ready(l->owner, events);
		break;
	case LINK_CLOSING:
		link_closing_step(l);
		break;
	}
}

const char *
link_silence(const struct link *l)
{
	return l->ask != NULL ? "no OCSP responder answers in time"
			      : tls_silence(&l->tls);
}

static void
on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct link *l = timer->data;

	(void)loop;
	(void)events;
	note(l);
	switch (l->state) {
	case LINK_HANDSHAKE:
		refuse(l, REASON_OPEN_TIMEOUT, link_silence(l));
		break;
	case LINK_OPEN:
		l->carrier->timer(l->owner);
		break;
	case LINK_CLOSING:
		link_closing_timeout(l);
		break;
	}
}

/* ---- life ------------------------------------------------------------------------ */

static void
keep_session(void *keeper, SSL_SESSION *session)
{
	struct link *l = keeper;

	if (session == NULL) {
		target_keep_session(l->target, l->offered, NULL, true);
	} else if (l->is_named) {
		target_keep_session(
		    l->target, l->instance, session, tls_is_resumed(&l->tls));
	} else {
		SSL_SESSION_free(l->session);
		l->session = session;
	}
}

void
link_name(struct link *l, uint64_t instance)
{
	l->instance = instance;
	l->is_named = true;
	target_meet(l->target, instance);
	if (l->session != NULL)
		keep_session(l, l->session);
	l->session = NULL;
}

/* From now on the link is the chosen service's. */
static bool
change_service(struct link *l, struct service *service)
{
	struct counts *counts = counters_share(service->counters, l->set->reactor->index);

	if (counts == NULL)
		return false;
	service_hold(service);
	service_release(l->service);
	l->service = service;
	l->counts = counts;
	return true;
}

static SSL_CTX *
choose(void *chooser, const char *name, enum reason *reason)
{
	struct link *l = chooser;
	struct service *service = l->events->choose(l->owner, name, reason);

	if (service != NULL && service != l->service && !change_service(l, service)) {
		*reason = REASON_NO_MEMORY;
		service = NULL;
	}
	return service != NULL ? service->context : NULL;
}

/* The client speaks first. */
static bool
say_hello(struct link *l)
{
	const struct service_settings *s = l->service->settings;
	SSL_SESSION *session =
	    target_session(l->target, (double)s->session_cache_timeout, &l->offered);
	bool ok = tls_prepare(&l->tls, s->sni, session, l->offers_h2);

	SSL_SESSION_free(session);
	l->tls.keep_session = keep_session;
	l->tls.keeper = l;
	if (ok && tls_handshake(&l->tls) != TLS_HANDSHAKE)
		ev_feed_event(
		    link_loop(l), &l->watch.io, EV_READ); /* told from the loop */
	return ok;
}

struct link *
link_new(struct link_set *set, struct service *service, struct target *target, int fd,
    double seconds, const struct link_events *events, void *owner)
{
	struct counts *counts = counters_share(service->counters, set->reactor->index);
	struct link *l = counts != NULL ? calloc(1, sizeof(*l)) : NULL;

	if (l == NULL || !tls_init(&l->tls, set->reactor, service->context, fd)) {
		free(l);
		close(fd);
		return NULL;
	}
	l->set = set;
	l->service = service_hold(service);
	l->counts = counts;
	l->target = target;
	l->events = events;
	l->owner = owner;
	l->offers_h2 = target != NULL && target_may_h2(target);
	LIST_INSERT_HEAD(&set->links, l, entry);
	link_set_hold(set);
	watch_init(&l->watch, set->reactor, fd, on_ready, l);
	ev_init(&l->timer, on_timer);
	l->timer.data = l;
	link_set_timer(l, seconds);
	note(l);
	if (target != NULL && !say_hello(l)) {
		link_reap(l, false);
		return NULL;
	}
	link_wait(l, true);
	l->tls.choose = events->choose != NULL ? choose : NULL;
	l->tls.chooser = l;
	if (target != NULL)
		return l; /* strangers come to servers */
	make_way(set);
	link_enter_strangers(l, LINK_SILENT);
	return l;
}

void
link_look(struct link *l)
{
	l->tls.looks = true;
}

void
link_cancel(struct link *l)
{
	assert(l->state == LINK_HANDSHAKE);
	link_reap(l, true);
}

void
link_set_drain(struct link_set *set,
    bool (*spares)(const void *arg, const struct service *service), const void *arg)
{
	struct link *l, *next;

	for (l = LIST_FIRST(&set->links); l != NULL; l = next) {
		next = LIST_NEXT(l, entry); /* draining may end this one, and no other */
		if (l->state == LINK_OPEN && l->carrier->drain != NULL &&
		    (spares == NULL || !spares(arg, l->service)))
			l->carrier->drain(l->owner);
	}
}

void
link_set_clear(struct link_set *set)
{
	struct link *l;

	set->emptied = NULL;
	while ((l = LIST_FIRST(&set->links)) != NULL) {
		if (l->state == LINK_OPEN && l->carrier->end != NULL) {
			l->carrier->end(l->owner);
			continue;
		}
		if (l->state == LINK_HANDSHAKE) {
			l->refused = true;
			l->events->failed(l->owner, REASON_STOPPED, NULL);
		}
		link_reap(l, false);
	}
}
