#include "common/carrier_raw.h"

#include "common/log.h"
#include "common/net.h"
#include "common/tls.h"

#include <assert.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum state {
	HANDSHAKE,
	OPEN,
	CLOSING
};

/* Seconds. */
static const double refused_wait = 1;  /* for the peer to read why it was refused */
static const double probe_after = 1.5; /* a router gives up a half-closed pair after 1 */
static const double empty_look = 0.005;

struct carrier_raw {
	struct channel channel;
	struct tls tls;
	struct watch watch;
	ev_timer timer; /* HANDSHAKE: the limit; OPEN: the probe; CLOSING: the limit */
	enum state state;
	bool want_read; /* the stream takes bytes */
	bool refused;   /* the handshake failed */
	bool must_rst;  /* no alert could be sent */
	bool shut;      /* our TCP FIN is sent */
	double close_by;

	struct carrier_set *set;
	LIST_ENTRY(carrier_raw) entry; /* of the set */
	struct service *service;
	struct target *target;
	const struct carrier_events *events;
	void *owner; /* of the handshake */
};

static struct carrier_raw *
carrier_of(const struct endpoint *e)
{
	return (struct carrier_raw *)((char *)(uintptr_t)e -
				      offsetof(struct carrier_raw, channel.endpoint));
}

static struct ev_loop *
loop_of(const struct carrier_raw *c)
{
	return c->set->reactor->loop;
}

/* ---- the end of a carrier -------------------------------------------------------- */

static void
reap(struct carrier_raw *c, bool reset)
{
	struct carrier_set *set = c->set;
	int fd = c->tls.fd;

	watch_stop(&c->watch);
	ev_timer_stop(loop_of(c), &c->timer);
	tls_clear(&c->tls);
	if (reset)
		net_reset(fd);
	else
		close(fd);
	LIST_REMOVE(c, entry);
	free(c);
	if (--set->count == 0 && set->emptied != NULL)
		set->emptied(set->owner);
}

static void
set_timer(struct carrier_raw *c, double seconds)
{
	ev_timer_stop(loop_of(c), &c->timer);
	ev_timer_set(&c->timer, seconds, 0);
	ev_timer_start(loop_of(c), &c->timer);
}

/* Does TCP have nothing more to wait for? */
static bool
is_over(const struct carrier_raw *c)
{
	const struct tls *t = &c->tls;

	return t->eof || t->deaf || t->alerted;
}

/* Is it for us to close TCP first?  After a clean end, if we read the second
 * close_notify; and when we refused the peer. */
static bool
closes_first(const struct carrier_raw *c)
{
	const struct tls *t = &c->tls;

	return c->refused || (t->finished && t->state == TLS_FINISHED && !t->answered);
}

/* Send an RST as soon as the bytes before it have left. */
static void
reset_when_empty(struct carrier_raw *c)
{
	int n = 0;

	if (ioctl(c->tls.fd, SIOCOUTQ, &n) < 0 || n == 0 ||
	    ev_now(loop_of(c)) >= c->close_by)
		reap(c, true);
	else
		set_timer(c, empty_look);
}

static void
closing_step(struct carrier_raw *c)
{
	struct tls *t = &c->tls;
	bool sent = tls_flush(t);

	tls_discard(t);
	if (is_over(c)) {
		reap(c, c->must_rst);
		return;
	}
	watch_wait(&c->watch, EV_READ | (sent ? 0 : EV_WRITE));
	if (sent && c->must_rst) {
		reset_when_empty(c);
	} else if (sent && closes_first(c) && !c->shut) {
		c->shut = true;
		shutdown(t->fd, SHUT_WR);
	}
}

static void
enter_closing(struct carrier_raw *c, double seconds)
{
	assert(c->state != CLOSING);
	c->state = CLOSING;
	c->close_by = ev_now(loop_of(c)) + seconds;
	set_timer(c, seconds);
	closing_step(c);
}

/* ---- the handshake --------------------------------------------------------------- */

static void
refuse(struct carrier_raw *c, enum reason reason, const char *detail)
{
	const struct carrier_events *events = c->events;

	c->refused = true;
	if (events != NULL)
		events->failed(c->owner, reason, detail);
	enter_closing(c, refused_wait);
}

static void
handshake_step(struct carrier_raw *c)
{
	struct tls *t = &c->tls;

	if (t->state == TLS_HANDSHAKE)
		tls_handshake(t);
	if (t->state == TLS_HANDSHAKE) {
		watch_wait(&c->watch, EV_READ | (tls_room(t) > 0 ? 0 : EV_WRITE));
	} else if (t->state == TLS_BROKEN) {
		refuse(c, t->reason, t->detail);
	} else {
		c->state = OPEN;
		c->channel.endpoint.readable = true;
		ev_timer_stop(loop_of(c), &c->timer);
		c->events->opened(c->owner, &c->channel);
	}
}

/* ---- the channel ----------------------------------------------------------------- */

/* What to wait for follows from the state alone. */
static void
wait_open(struct carrier_raw *c)
{
	struct tls *t = &c->tls;
	int events = 0;

	if (t->state == TLS_OPEN ? c->want_read : t->state == TLS_FINISHED && !t->eof)
		events |= EV_READ;
	if (tls_room(t) == 0)
		events |= EV_WRITE;
	watch_wait(&c->watch, events);
}

/* TCP broke while nobody was reading it. */
static bool
is_tcp_broken(const struct carrier_raw *c)
{
	struct pollfd look = {.fd = c->tls.fd};

	return poll(&look, 1, 0) == 1 && (look.revents & (POLLERR | POLLHUP));
}

/*
 * Behind close_notify only the end of TCP can come.  From a foreign peer a FIN there
 * still is a half-close; but a pod's RST arrives as FIN too, so ask once whether anybody
 * is there.
 */
static void
watch_for_tcp_end(struct carrier_raw *c)
{
	struct tls *t = &c->tls;

	if (t->eof || !tls_discard(t))
		return;
	if (!t->deaf)
		set_timer(c, probe_after);
}

/* Tell the endpoint what the connection has come to. */
static void
mirror(struct carrier_raw *c)
{
	struct endpoint *e = &c->channel.endpoint;
	struct tls *t = &c->tls;

	e->deaf = t->deaf || t->state == TLS_BROKEN;
	if (e->deaf)
		e->reason = t->reason != REASON_NONE ? t->reason : REASON_CARRIER_LOST;
}

static void
open_step(struct carrier_raw *c, int events)
{
	struct endpoint *e = &c->channel.endpoint;

	if (events & EV_WRITE)
		tls_flush(&c->tls);
	if (events & (EV_READ | WATCH_BROKEN))
		e->readable = true;
	if (c->tls.state == TLS_FINISHED && (events & (EV_READ | WATCH_BROKEN)))
		watch_for_tcp_end(c);
	if ((events & WATCH_BROKEN) && is_tcp_broken(c))
		c->tls.deaf = true;
	mirror(c);
	e->wake(e->owner);
}

static enum source
raw_take(struct endpoint *e, struct batch *batch)
{
	struct carrier_raw *c = carrier_of(e);
	enum tls_state state = tls_take(&c->tls, batch);

	e->readable = !c->tls.dry && state == TLS_OPEN;
	mirror(c);
	if (state == TLS_OPEN)
		return SOURCE_OPEN;
	return state == TLS_FINISHED ? SOURCE_FINISHED : SOURCE_BROKEN;
}

static size_t
raw_room(const struct endpoint *e)
{
	return tls_room(&carrier_of(e)->tls);
}

static size_t
raw_give(struct endpoint *e, const struct batch *batch)
{
	struct carrier_raw *c = carrier_of(e);

	if (!e->deaf && tls_give(&c->tls, batch))
		return batch->length;
	mirror(c);
	e->readable = true; /* an alert may be there, ahead of the reset */
	return 0;
}

static bool
raw_end(struct endpoint *e, enum ending ending)
{
	struct carrier_raw *c = carrier_of(e);

	if (ending == ENDING_FIN)
		tls_finish(&c->tls);
	else
		c->must_rst = !tls_abort(&c->tls);
	return true;
}

static void
raw_wait(struct endpoint *e, bool readable, bool writable)
{
	struct carrier_raw *c = carrier_of(e);

	(void)writable; /* it always says when it is */
	c->want_read = readable;
	wait_open(c);
}

static void
raw_facts(const struct channel *channel, struct channel_facts *facts)
{
	const struct carrier_raw *c = carrier_of(&channel->endpoint);
	const char *sni = c->target != NULL
			      ? c->service->settings->sni
			      : SSL_get_servername(c->tls.ssl, TLSEXT_NAMETYPE_host_name);
	X509 *certificate = SSL_get0_peer_certificate(c->tls.ssl);

	*facts = (struct channel_facts){
	    .tls = SSL_get_version(c->tls.ssl),
	    .resumed = SSL_session_reused(c->tls.ssl),
	};
	if (sni != NULL)
		strncat(facts->sni, sni, sizeof(facts->sni) - 1);
	if (certificate != NULL)
		identity_names(certificate, facts->names, sizeof(facts->names));
}

static const char *
raw_detail(const struct channel *channel)
{
	return carrier_of(&channel->endpoint)->tls.detail;
}

static void
raw_release(struct channel *channel)
{
	struct carrier_raw *c = carrier_of(&channel->endpoint);

	enter_closing(c, c->service->settings->timeout_close);
}

static const struct endpoint_ops endpoint_ops = {
    .take = raw_take,
    .room = raw_room,
    .give = raw_give,
    .end = raw_end,
    .wait = raw_wait,
};

static const struct channel_ops channel_ops = {
    .facts = raw_facts,
    .detail = raw_detail,
    .release = raw_release,
};

/* ---- life ------------------------------------------------------------------------ */

static void
on_ready(void *owner, int events)
{
	struct carrier_raw *c = owner;

	switch (c->state) {
	case HANDSHAKE:
		handshake_step(c);
		break;
	case OPEN:
		open_step(c, events);
		break;
	case CLOSING:
		closing_step(c);
		break;
	}
}

static void
on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct carrier_raw *c = timer->data;

	(void)events;
	switch (c->state) {
	case HANDSHAKE:
		refuse(c, REASON_OPEN_TIMEOUT, "no answer to the TLS handshake in time");
		break;
	case OPEN:
		tls_probe(&c->tls);
		break;
	case CLOSING:
		if (c->must_rst && ev_now(loop) < c->close_by)
			closing_step(c);
		else
			reap(c, c->must_rst || tls_room(&c->tls) == 0);
		break;
	}
}

static void
keep_session(void *keeper, SSL_SESSION *session)
{
	target_keep_session(keeper, session);
}

/* The client speaks first. */
static bool
say_hello(struct carrier_raw *c)
{
	SSL_SESSION *session = target_session(c->target);
	bool ok = tls_prepare(&c->tls, c->service->settings->sni, session);

	SSL_SESSION_free(session);
	c->tls.keep_session = keep_session;
	c->tls.keeper = c->target;
	if (ok && tls_handshake(&c->tls) != TLS_HANDSHAKE)
		ev_feed_event(loop_of(c), &c->watch.io, EV_READ); /* told from the loop */
	return ok;
}

struct carrier_raw *
carrier_raw_new(struct carrier_set *set, struct service *service, struct target *target,
    int fd, double seconds, const struct carrier_events *events, void *owner)
{
	struct carrier_raw *c = calloc(1, sizeof(*c));

	if (c == NULL || !tls_init(&c->tls, set->reactor, service->context, fd)) {
		free(c);
		close(fd);
		return NULL;
	}
	c->channel =
	    (struct channel){.endpoint = {.ops = &endpoint_ops}, .ops = &channel_ops};
	c->set = set;
	c->service = service;
	c->target = target;
	c->events = events;
	c->owner = owner;
	LIST_INSERT_HEAD(&set->carriers, c, entry);
	set->count++;
	watch_init(&c->watch, set->reactor, fd, on_ready, c);
	ev_timer_init(&c->timer, on_timer, seconds, 0);
	c->timer.data = c;
	ev_timer_start(loop_of(c), &c->timer);
	if (target != NULL && !say_hello(c)) {
		reap(c, false);
		return NULL;
	}
	watch_wait(&c->watch, EV_READ | (tls_room(&c->tls) > 0 ? 0 : EV_WRITE));
	return c;
}

void
carrier_raw_cancel(struct carrier_raw *c)
{
	assert(c->state == HANDSHAKE);
	reap(c, true);
}

void
carrier_set_clear(struct carrier_set *set)
{
	set->emptied = NULL;
	while (!LIST_EMPTY(&set->carriers))
		reap(LIST_FIRST(&set->carriers), false);
}
