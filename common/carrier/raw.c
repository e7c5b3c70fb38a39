#include "common/carrier/raw.h"

#include "common/base/log.h"
#include "common/base/socket.h"
#include "common/carrier/route_check.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Seconds; a router gives up a half-closed pair after 1. */
static const double probe_after = 1.5;

struct carrier_raw {
	struct channel channel;
	struct link *link;
	bool abort; /* the stream ended in an RST */
	/* By reactor_now(); 0: there is no such time. */
	double look_at; /* ask whether anybody is behind the peer's FIN */
	double asked;   /* since then TCP has something to acknowledge */
};

static struct carrier_raw *
carrier_of(const struct endpoint *e)
{
	return (struct carrier_raw *)((char *)(uintptr_t)e -
				      offsetof(struct carrier_raw, channel.endpoint));
}

/* ---- the link's news ------------------------------------------------------------- */

/* Tell the endpoint what the connection has come to.  Once both close_notifies are out,
 * and nothing is kept, how TCP ends says nothing any more. */
static void
mirror(struct carrier_raw *c)
{
	struct endpoint *e = &c->channel.endpoint;
	struct tls *t = &c->link->tls;
	bool was_deaf = e->deaf;

	e->deaf = t->state == TLS_BROKEN || (t->deaf && !tls_is_complete(t));
	if (e->deaf)
		e->reason = t->reason != REASON_NONE ? t->reason : REASON_CARRIER_LOST;
	if (e->deaf && !was_deaf && e->reason == REASON_CARRIER_LOST && c->asked == 0 &&
	    c->link->target != NULL)
		route_note_loss(c->link->target, t);
	if (t->overrun && c->link->target != NULL)
		target_set_overrun(c->link->target, t->updates_sent);
}

/* ---- heartbeats and dead paths --------------------------------------------------- */

/* Seconds without a byte of ours. */
static double
beat_after(const struct link *link)
{
	double keepalive = link->service->settings->keepalive;

	return link->target != NULL ? target_keepalive(link->target, keepalive)
				    : keepalive;
}

/*
 * When to look again.  Bytes that move put off the heartbeat; that costs no call to libev
 * until it would have been due.
 */
static void
arm(struct carrier_raw *c, double now, double silence)
{
	const struct service_settings *s = c->link->service->settings;
	double next = now + s->keepalive;
	double times[] = {
	    c->link->tls.sent + beat_after(c->link),
	    c->look_at,
	    c->asked > 0 ? c->asked + s->keepalive_timeout : now + s->keepalive - silence,
	};

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (times[i] > now && times[i] < next)
			next = times[i];
	link_set_timer(c->link, next - now);
}

/* TCP owes us an acknowledgement, either of a heartbeat or because it gave none for as
 * long; it gets keepaliveTimeout for that, from a time at which we looked: the silence
 * alone could be our own, of a process that was stopped. */
static bool
waits_in_vain(struct carrier_raw *c, double now, double silence)
{
	const struct service_settings *s = c->link->service->settings;

	if (silence < now - c->asked)
		c->asked = 0; /* it came, or nothing is owed */
	if (c->asked == 0 && silence >= s->keepalive)
		c->asked = now;
	return c->asked > 0 && now - c->asked >= s->keepalive_timeout;
}

static void
beat_if_due(struct carrier_raw *c, double now)
{
	struct link *link = c->link;
	struct tls *t = &link->tls;
	bool look = c->look_at > 0 && now >= c->look_at;

	if (look)
		c->look_at = 0;
	if (!look && now < t->sent + beat_after(link))
		return;
	if (link->target != NULL && !target_bears(link->target, t->updates_sent + 1))
		return;
	if (tls_probe(t) && c->asked == 0)
		c->asked = now;
}

static void
on_timer(void *owner)
{
	struct carrier_raw *c = owner;
	struct endpoint *e = &c->channel.endpoint;
	struct tls *t = &c->link->tls;
	double now = reactor_now(), silence;

	if (t->deaf || t->state == TLS_BROKEN)
		return;
	silence = socket_unanswered(t->fd);
	if (waits_in_vain(c, now, silence))
		tls_time_out(t, silence);
	else
		beat_if_due(c, now);
	if (!t->deaf) {
		arm(c, now, silence);
		return;
	}
	e->readable = true; /* what has arrived, then the end */
	mirror(c);
	e->wake(e->owner);
}

/*
 * Behind close_notify only the end of TCP can come.  From a foreign peer a FIN there
 * still is a half-close; but a pod's RST arrives as FIN too, so ask once whether
 * anybody is there.
 */
static void
watch_for_tcp_end(struct carrier_raw *c)
{
	struct tls *t = &c->link->tls;
	double now = reactor_now();

	if (t->eof || !tls_discard(t) || t->deaf)
		return;
	c->look_at = now + probe_after;
	arm(c, now, 0);
}

static void
on_ready(void *owner, int events)
{
	struct carrier_raw *c = owner;
	struct endpoint *e = &c->channel.endpoint;
	struct tls *t = &c->link->tls;

	if (events & EV_WRITE)
		tls_flush(t);
	if (events & (EV_READ | WATCH_BROKEN)) {
		e->readable = true;
		if (t->state == TLS_FINISHED)
			watch_for_tcp_end(c);
	}
	if (events & WATCH_BROKEN)
		link_check(c->link);
	mirror(c);
	e->wake(e->owner);
}

static const struct link_carrier link_carrier = {
    .ready = on_ready,
    .timer = on_timer,
};

/* ---- the channel ----------------------------------------------------------------- */

static enum source
raw_take(struct endpoint *e, size_t most, struct batch *batch)
{
	struct carrier_raw *c = carrier_of(e);
	struct tls *t = &c->link->tls;
	enum tls_state state = tls_take(t, t->reactor->plain, batch);

	(void)most; /* a plain socket has room for a batch */
	e->readable = !t->dry && state == TLS_OPEN;
	mirror(c);
	if (state == TLS_OPEN)
		return SOURCE_OPEN;
	return state == TLS_FINISHED ? SOURCE_FINISHED : SOURCE_BROKEN;
}

static size_t
raw_room(const struct endpoint *e)
{
	return tls_room(&carrier_of(e)->link->tls);
}

static size_t
raw_give(struct endpoint *e, const struct batch *batch)
{
	struct carrier_raw *c = carrier_of(e);

	if (!e->deaf && tls_give(&c->link->tls, batch))
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
		tls_finish(&c->link->tls);
	else
		c->abort = true;
	return true;
}

/* Behind close_notify the socket is watched for the end of TCP. */
static void
raw_wait(struct endpoint *e, bool readable, bool writable)
{
	struct carrier_raw *c = carrier_of(e);
	const struct tls *t = &c->link->tls;

	(void)writable; /* it always says when it is */
	link_wait(c->link,
	    t->state == TLS_OPEN ? readable : t->state == TLS_FINISHED && !t->eof);
}

static const struct link_facts *
raw_facts(const struct channel *channel, struct link_facts *space)
{
	link_facts(carrier_of(&channel->endpoint)->link, space);
	return space;
}

/* The far end has no ear for it. */
static void
raw_answer(struct channel *channel, enum reason reason, const char *detail)
{
	(void)channel;
	(void)reason;
	(void)detail;
}

static const char *
raw_detail(const struct channel *channel)
{
	return carrier_of(&channel->endpoint)->link->tls.detail;
}

static void
raw_release(struct channel *channel)
{
	struct carrier_raw *c = carrier_of(&channel->endpoint);

	link_close(c->link, c->abort);
	free(c);
}

static const struct endpoint_ops endpoint_ops = {
    .take = raw_take,
    .room = raw_room,
    .give = raw_give,
    .end = raw_end,
    .wait = raw_wait,
};

static const struct channel_ops channel_ops = {
    .answer = raw_answer,
    .facts = raw_facts,
    .detail = raw_detail,
    .release = raw_release,
};

/* Once for a service: on TLS 1.2 there is nothing to beat with. */
static void
warn_without_heartbeat(struct link *link)
{
	if (tls_has_heartbeat(&link->tls) || !service_tells_once(link->service))
		return;
	log_event(LOG_LEVEL_WARNING, "no-heartbeat",
	    LOG_TEXT("service", link->service->settings->name),
	    LOG_WORD("tls", SSL_get_version(link->tls.ssl)),
	    LOG_TEXT("detail", "TLS 1.2 has no heartbeat: routers and load balancers cut "
			       "a silent stream at their idle limit; sslVersionMin = "
			       "TLSv1.3 at both ends, or multiplex, keeps it open"));
}

struct channel *
carrier_raw_new(struct link *link)
{
	struct carrier_raw *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		link_close(link, true);
		return NULL;
	}
	c->channel = (struct channel){
	    .endpoint = {.ops = &endpoint_ops, .readable = !link->tls.dry},
	    .ops = &channel_ops,
	};
	c->link = link;
	link_adopt(link, &link_carrier, c);
	arm(c, reactor_now(), 0);
	warn_without_heartbeat(link);
	return &c->channel;
}
