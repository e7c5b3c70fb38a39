#include "common/h2/internal.h"

#include "common/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* Seconds. */
static const double keepalive = 30, keepalive_limit = 10;
static const double doubt_after = 5; /* of silence */

/* ---- owners ---------------------------------------------------------------------- */

/* Its owner learns that there is a channel, or what became of it. */
static void
announce(struct h2_carrier *c, struct h2_channel *ch)
{
	char *text;

	if (c->server && !ch->announced) {
		ch->announced = true;
		text = ch->text;
		ch->text = NULL;
		c->events->asked(c->owner, &ch->channel, text != NULL ? text : "");
		free(text);
	} else if (!c->server && !ch->told && ch->verdict != H2_PENDING) {
		ch->told = true;
		if (ch->verdict == H2_ACCEPTED)
			ch->events->accepted(ch->events_owner);
		else
			ch->events->refused(
			    ch->events_owner, ch->refusal, ch->detail, ch->again);
	}
}

static void
wake(struct h2_channel *ch)
{
	struct endpoint *e = &ch->channel.endpoint;

	if (e->wake != NULL && (ch->carrier->server || ch->verdict != H2_REFUSED))
		e->wake(e->owner);
}

/* It may release any channel, also this one. */
static void
deliver_one(struct h2_carrier *c, struct h2_channel *ch)
{
	c->current = ch;
	announce(c, ch);
	if (c->current != NULL && (ch->broke || ch->wants_bytes)) {
		ch->broke = false;
		wake(ch);
	}
	if (c->current != NULL)
		h2_receive_settle(ch);
	c->current = NULL;
}

static void
deliver(struct h2_carrier *c)
{
	struct h2_channel *ch;

	for (size_t n = c->ready_count; n > 0 && c->ready_count > 0; n--) {
		ch = TAILQ_FIRST(&c->ready);
		TAILQ_REMOVE(&c->ready, ch, ready_entry);
		c->ready_count--;
		ch->is_ready = false;
		deliver_one(c, ch);
	}
}

/* In turn, a chunk each, while the socket takes any. */
static void
deliver_room(struct h2_carrier *c)
{
	struct h2_channel *ch;

	for (size_t n = c->waiting_count; n > 0; n--) {
		if (c->link == NULL || tls_room(&c->link->tls) == 0 ||
		    nghttp2_session_get_remote_window_size(c->session) <= 0 ||
		    (ch = h2_scheduler_next(c)) == NULL)
			return;
		ch->starved = endpoint_room(&ch->channel.endpoint) == 0;
		if (ch->starved)
			continue;
		c->current = ch;
		wake(ch);
		c->current = NULL;
	}
}

/* ---- a turn ---------------------------------------------------------------------- */

/* Any byte is life. */
static void
sign_of_life(struct h2_carrier *c)
{
	c->heard = reactor_now();
	c->asked_at = 0;
}

static void
receive(struct h2_carrier *c)
{
	struct tls *t = &c->link->tls;
	struct batch batch;

	batch_empty(&batch);
	t->heard = false;
	tls_take(t, c->reactor->frames, &batch);
	if (t->heard)
		sign_of_life(c);
	if (batch.length > 0 && c->state < H2_FINISHING)
		h2_session_receive(c, &batch);
}

/* The last id is that of a stream begun, and nothing is fed in between: else nghttp2
 * would take requests that the client then hears refused. */
static void
say_goaway(struct h2_carrier *c)
{
	c->goaway_due = false;
	nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE,
	    nghttp2_session_get_last_proc_stream_id(c->session), NGHTTP2_NO_ERROR, NULL,
	    0);
}

static void
tell_retired(struct h2_carrier *c)
{
	bool retiring = c->retiring && !c->server;

	c->retiring = false;
	if (retiring)
		c->events->retired(c->owner);
}

static void
tell_room(struct h2_carrier *c)
{
	if (!c->server && h2_carrier_has_room(c))
		c->events->room(c->owner);
}

/* The time is over, and what the socket had was read. */
static void
judge_life(struct h2_carrier *c)
{
	c->overdue = false;
	if (c->asked_at > 0)
		h2_carrier_blame(
		    c, "no sign of life for %.0f s", reactor_now() - c->heard);
}

/* A client that leaves the PING behind the notice without an answer opens streams no
 * longer than one that is slow to answer. */
static bool
is_goaway_due(const struct h2_carrier *c)
{
	return c->goaway_due || (c->notice_sent && !c->goaway_sent &&
				    reactor_now() >= c->drain_asked + c->keepalive_limit);
}

/* The one place that takes the carrier as far as it will go, and frees it. */
static void
step(struct h2_carrier *c, bool readable)
{
	struct h2_iteration turn;
	const struct h2_carrier_events *events = c->events;
	void *owner = c->owner;

	turn.count = 0;
	c->turn = &turn;
	if (c->link != NULL && readable)
		receive(c);
	if (c->overdue)
		judge_life(c);
	if (c->session != NULL && is_goaway_due(c))
		say_goaway(c);
	h2_output_pump(c);
	if (c->link != NULL)
		h2_shutdown_judge(c);
	tell_retired(c);
	deliver(c);
	c->turn = NULL;
	tell_room(c); /* first: those who wait fill the socket again */
	deliver_room(c);
	if (c->ready_count > 0)
		h2_carrier_later(c);
	if (c->link == NULL && c->channel_count == 0) {
		enum reason reason = c->reason;

		h2_shutdown_reap(c);
		events->ended(owner, reason);
		return;
	}
	h2_output_wait(c);
}

static void
on_ready(void *owner, int events)
{
	struct h2_carrier *c = owner;
	struct tls *t = &c->link->tls;

	if ((events & EV_WRITE) && tls_flush(t))
		h2_output_send(c);
	if (events & WATCH_BROKEN)
		link_check(c->link);
	step(c, events & (EV_READ | WATCH_BROKEN));
}

static void
on_later(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct h2_carrier *c = timer->data;

	(void)loop;
	(void)events;
	step(c, c->link != NULL && !c->link->tls.dry);
}

/* ---- liveness -------------------------------------------------------------------- */

static void
ask_for_life(struct h2_carrier *c, double now)
{
	c->asked_at = now;
	h2_rtt_ping(c, H2_PING_LIFE);
	h2_output_pump(c);
}

/* What the far end was let in by, its certificates and what was said of them, counts
 * until a date. */
static bool
is_out_of_date(const struct h2_carrier *c)
{
	time_t until = c->link != NULL ? tls_until(&c->link->tls) : 0;

	return until != 0 && time(NULL) >= until;
}

/* Then it takes no new streams; the far end is let in anew on another carrier, or not. */
static void
end_by_date(struct h2_carrier *c)
{
	if (c->server)
		h2_carrier_drain(c);
	else
		h2_carrier_retire(c);
}

/* Be called in @seconds, or when that date is over. */
static void
set_timer(struct h2_carrier *c, double seconds)
{
	time_t until = tls_until(&c->link->tls);
	double left = difftime(until, time(NULL));

	link_set_timer(c->link, until != 0 && c->state == H2_OPEN && left < seconds
				    ? (left > 0 ? left : 0)
				    : seconds);
}

/* Nothing came for a while?  The time is put off only here, not at each byte. */
static void
on_timer(void *owner)
{
	struct h2_carrier *c = owner;
	double now = reactor_now(), left;

	if (c->state == H2_FINISHING) {
		h2_shutdown_leave(c, false);
		step(c, false);
		return;
	}
	if (is_out_of_date(c))
		end_by_date(c);
	left = c->asked_at > 0 ? c->asked_at + c->keepalive_limit - now
			       : c->heard + c->keepalive - now;
	if (left <= 0 && c->asked_at > 0) {
		/* If it was us who slept, the answer may be here. */
		c->overdue = true;
		set_timer(c, c->keepalive);
		step(c, true);
		return;
	}
	if (left <= 0) {
		ask_for_life(c, now);
		left = c->keepalive_limit;
	}
	/* Looked at again soon, since an answer begins a new time of silence. */
	set_timer(c, left < c->keepalive ? left : c->keepalive);
}

void
h2_carrier_set_keepalive(struct h2_carrier *c, double idle, double limit)
{
	c->keepalive = idle;
	c->keepalive_limit = limit;
	if (c->link != NULL && c->state < H2_FINISHING)
		set_timer(c, c->asked_at > 0 ? limit : idle);
}

/* ---- for its owner --------------------------------------------------------------- */

static void
on_drain(void *owner)
{
	h2_carrier_drain(owner);
}

static void
on_end(void *owner)
{
	struct h2_carrier *c = owner;
	const struct h2_carrier_events *events = c->events;
	void *events_owner = c->owner;

	h2_carrier_close(c);
	events->ended(events_owner, REASON_STOPPED);
}

static const struct link_carrier link_carrier = {
    .ready = on_ready,
    .timer = on_timer,
    .drain = on_drain,
    .end = on_end,
};

/* It never chooses a destination. */
static void
name_authority(struct h2_carrier *c)
{
	const struct service_settings *s = c->link->service->settings;
	const struct target *target = c->link->target;
	unsigned port = target != NULL && target->name != NULL ? target->name->port : 443;

	if (s->sni != NULL)
		snprintf(c->authority, sizeof(c->authority), "%s:%u", s->sni, port);
	else
		snprintf(c->authority, sizeof(c->authority), "%s",
		    target != NULL && target->text[0] != '\0' ? target->text : "app");
}

static void
init(struct h2_carrier *c, struct link *link)
{
	c->link = link;
	c->links = link->set;
	c->reactor = link->set->reactor;
	c->service = link->service->settings->name;
	c->server = link->service->settings->role == ROLE_SERVER;
	TAILQ_INIT(&c->ready);
	ev_timer_init(&c->later, on_later, 0, 0);
	c->later.data = c;
	c->opened = c->heard = reactor_now();
	c->keepalive = keepalive;
	c->keepalive_limit = keepalive_limit;
	c->windows = link->set->windows;
	c->window_most = (size_t)link->service->settings->stream_window << 20;
	link_facts(link, &c->facts);
	name_authority(c);
	h2_output_init(c);
	h2_scheduler_init(c);
}

static void
log_opening(const struct h2_carrier *c, enum log_level level)
{
	char service[LOG_QUOTE_SIZE], names[LOG_QUOTE_SIZE];

	if (log_is_on(level))
		log_line(level,
		    "event=carrier-open service=%s tls=%s resumed=%s names=%s",
		    log_quote(c->service, service), c->facts.tls,
		    c->facts.resumed ? "yes" : "no", log_quote(c->facts.names, names));
}

struct h2_carrier *
h2_carrier_new(struct link *link, enum log_level level,
    const struct h2_carrier_events *events, void *owner)
{
	struct h2_carrier *c = calloc(1, sizeof(*c));

	if (c == NULL)
		goto fail;
	init(c, link);
	c->events = events;
	c->owner = owner;
	if (!h2_session_init(c))
		goto fail;
	link_adopt(link, &link_carrier, c);
	link_set_hold(c->links);
	set_timer(c, c->keepalive);
	h2_output_pump(c);
	h2_carrier_later(c); /* the handshake may have read more than its own */
	log_opening(c, level);
	return c;
fail:
	if (c != NULL)
		nghttp2_session_del(c->session);
	free(c);
	link_close(link, true);
	return NULL;
}

size_t
h2_carrier_load(const struct h2_carrier *c)
{
	return c->channel_count;
}

uint64_t
h2_carrier_instance(const struct h2_carrier *c)
{
	return c->instance;
}

double
h2_carrier_opened(const struct h2_carrier *c)
{
	return c->opened;
}

static size_t
stream_limit(const struct h2_carrier *c)
{
	return c->settings_came ? nghttp2_session_get_remote_settings(
				      c->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
				: H2_STREAMS_UNTOLD;
}

static bool
takes_streams(const struct h2_carrier *c)
{
	return c->state == H2_OPEN && c->link != NULL && !c->faulty && !c->goaway_came &&
	       !c->link->tls.deaf && !is_out_of_date(c);
}

bool
h2_carrier_is_in_doubt(const struct h2_carrier *c)
{
	return takes_streams(c) && reactor_now() - c->heard > doubt_after;
}

bool
h2_carrier_has_room(const struct h2_carrier *c)
{
	return takes_streams(c) && c->streams < stream_limit(c) &&
	       !h2_carrier_is_in_doubt(c);
}

bool
h2_carrier_is_full(const struct h2_carrier *c)
{
	return c->link != NULL && tls_room(&c->link->tls) == 0;
}

void
h2_carrier_ask(struct h2_carrier *c)
{
	if (c->asked_at > 0 || !takes_streams(c))
		return;
	ask_for_life(c, reactor_now());
	set_timer(c, c->keepalive_limit);
}

double
h2_carrier_unanswered(const struct h2_carrier *c)
{
	return c->asked_at > 0 ? reactor_now() - c->asked_at : 0;
}

struct channel *
h2_carrier_open(struct h2_carrier *c, const char *forwarded,
    const struct channel_events *events, void *owner)
{
	struct h2_channel *ch;

	if (!h2_carrier_has_room(c) || (ch = h2_channel_new(c)) == NULL)
		return NULL;
	ch->events = events;
	ch->events_owner = owner;
	if (!h2_request_send(ch, forwarded)) {
		h2_channel_free(ch);
		return NULL;
	}
	c->streams++;
	c->streams_ever++;
	h2_output_pump(c);
	if (nghttp2_session_get_next_stream_id(c->session) > H2_LAST_ID)
		h2_carrier_retire(c);
	return &ch->channel;
}

void
h2_carrier_drain(struct h2_carrier *c)
{
	if (c->state == H2_OPEN)
		h2_carrier_enter(c, H2_DRAINING);
	if (c->state != H2_DRAINING)
		return;
	if (c->goaway_came) {
		c->goaway_due = c->server && !c->goaway_sent; /* it opens no more */
	} else if (c->server && !c->notice_sent) {
		nghttp2_submit_shutdown_notice(c->session);
		h2_rtt_ping(c, H2_PING_DRAIN);
		c->notice_sent = true;
		c->drain_asked = reactor_now();
		h2_output_pump(c);
	}
	h2_carrier_later(c);
}

void
h2_carrier_relieve(struct h2_carrier *c)
{
	c->relieved = true;
	h2_carrier_later(c);
}

void
h2_carrier_close(struct h2_carrier *c)
{
	if (c->link != NULL) {
		if (c->state < H2_FINISHING)
			h2_shutdown_finish(c);
		c->reason = REASON_STOPPED;
		h2_shutdown_leave(c, false);
	}
	h2_shutdown_forget(c);
	assert(c->channel_count == 0);
	h2_shutdown_reap(c);
}
