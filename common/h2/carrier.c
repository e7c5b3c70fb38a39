#include "common/h2/internal.h"

#include "common/base/log.h"

#include <stdio.h>
#include <stdlib.h>

static const double doubt_after = 5; /* seconds of silence */

static void
read_link(struct h2_carrier *c)
{
	struct tls *t = &c->link->tls;
	struct batch batch;

	batch_empty(&batch);
	t->heard = false;
	tls_take(t, c->reactor->frames, &batch);
	if (t->heard)
		h2_liveness_note(c);
	if (batch.length > 0 && c->state < H2_FINISHING)
		h2_session_receive(c, &batch);
}

static void
tell_room(struct h2_carrier *c)
{
	if (!c->server && h2_carrier_has_room(c))
		c->events->room(c->owner);
}

/* The one place that takes the carrier as far as it will go, and frees it. */
static void
h2_carrier_step(struct h2_carrier *c, bool readable)
{
	struct h2_received received;
	const struct h2_carrier_events *events = c->events;
	void *owner = c->owner;

	received.count = 0;
	c->in.received = &received;
	if (c->link != NULL && readable)
		read_link(c);
	h2_liveness_check(c);
	h2_shutdown_submit_goaway(c);
	h2_output_pump(c);
	if (c->link != NULL)
		h2_shutdown_check(c);
	h2_deliver_retired(c);
	h2_deliver_news(c);
	c->in.received = NULL;
	tell_room(c); /* first: those who wait fill the socket again */
	h2_deliver_room(c);
	if (c->ready_count > 0)
		h2_carrier_later(c);
	if (c->link == NULL && c->channel_count == 0) {
		enum reason reason = c->reason;

		h2_shutdown_free(c);
		events->ended(owner, reason);
		return;
	}
	h2_output_wait(c);
}

static void
h2_carrier_on_ready(void *owner, int events)
{
	struct h2_carrier *c = owner;
	struct tls *t = &c->link->tls;

	if ((events & EV_WRITE) && tls_flush(t))
		h2_output_send(c);
	if (events & WATCH_BROKEN)
		link_check(c->link);
	h2_carrier_step(c, events & (EV_READ | WATCH_BROKEN));
}

static void
h2_carrier_on_later(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct h2_carrier *c = timer->data;

	(void)loop;
	(void)events;
	h2_carrier_step(c, c->link != NULL && !c->link->tls.dry);
}

/* ---- time ------------------------------------------------------------------------ */

/* Then it takes no new streams; the far end is let in anew on another carrier, or not. */
static void
end_by_date(struct h2_carrier *c)
{
	if (c->server)
		h2_carrier_drain(c);
	else
		h2_carrier_retire(c);
}

static void
h2_carrier_on_timer(void *owner)
{
	struct h2_carrier *c = owner;

	if (c->state == H2_FINISHING) {
		h2_shutdown_close_link(c, false);
		h2_carrier_step(c, false);
		return;
	}
	if (h2_liveness_is_out_of_date(c))
		end_by_date(c);
	if (h2_liveness_on_timer(c))
		h2_carrier_step(c, true);
}

void
h2_carrier_set_keepalive(struct h2_carrier *c, double idle, double limit)
{
	h2_liveness_set_keepalive(c, idle, limit);
}

/* ---- for its owner --------------------------------------------------------------- */

static void
h2_carrier_on_drain(void *owner)
{
	h2_carrier_drain(owner);
}

static void
h2_carrier_on_end(void *owner)
{
	struct h2_carrier *c = owner;
	const struct h2_carrier_events *events = c->events;
	void *events_owner = c->owner;

	h2_carrier_close(c);
	events->ended(events_owner, REASON_STOPPED);
}

static const struct link_carrier link_carrier = {
    .ready = h2_carrier_on_ready,
    .timer = h2_carrier_on_timer,
    .drain = h2_carrier_on_drain,
    .end = h2_carrier_on_end,
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
init_carrier(struct h2_carrier *c, struct link *link)
{
	c->link = link;
	c->links = link->set;
	c->reactor = link->set->reactor;
	c->service = link->service->settings->name;
	c->server = link->service->settings->role == ROLE_SERVER;
	TAILQ_INIT(&c->ready);
	ev_timer_init(&c->later, h2_carrier_on_later, 0, 0);
	c->later.data = c;
	c->opened = reactor_now();
	h2_liveness_init(c);
	c->in.windows = link->set->windows;
	c->in.window_most = (size_t)link->service->settings->stream_window << 20;
	link_facts(link, &c->facts);
	name_authority(c);
	h2_output_init(c);
	h2_scheduler_init(c);
}

static void
log_opening(const struct h2_carrier *c, enum log_level level)
{
	log_event(level, "carrier-open", LOG_TEXT("service", c->service),
	    LOG_WORD("tls", c->facts.tls),
	    LOG_WORD("resumed", c->facts.resumed ? "yes" : "no"),
	    LOG_TEXT("names", c->facts.names));
}

struct h2_carrier *
h2_carrier_new(struct link *link, enum log_level level,
    const struct h2_carrier_events *events, void *owner)
{
	struct h2_carrier *c = calloc(1, sizeof(*c));

	if (c == NULL)
		goto fail;
	init_carrier(c, link);
	c->events = events;
	c->owner = owner;
	if (!h2_session_init(c))
		goto fail;
	link_adopt(link, &link_carrier, c);
	link_set_hold(c->links);
	h2_liveness_set_timer(c, c->liveness.idle);
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
	return c->in.instance;
}

double
h2_carrier_opened(const struct h2_carrier *c)
{
	return c->opened;
}

static size_t
stream_limit(const struct h2_carrier *c)
{
	return c->in.settings_came ? nghttp2_session_get_remote_settings(c->session,
					 NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
				   : H2_STREAMS_BEFORE_SETTINGS;
}

static bool
takes_streams(const struct h2_carrier *c)
{
	return c->state == H2_OPEN && c->link != NULL && !c->failed &&
	       !c->drain.goaway_came && !c->link->tls.deaf &&
	       !h2_liveness_is_out_of_date(c);
}

bool
h2_carrier_is_in_doubt(const struct h2_carrier *c)
{
	return takes_streams(c) && reactor_now() - c->in.last_at > doubt_after;
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
	if (c->liveness.asked_at > 0 || !takes_streams(c))
		return;
	h2_liveness_ask(c, reactor_now());
	h2_liveness_set_timer(c, c->liveness.limit);
}

double
h2_carrier_unanswered(const struct h2_carrier *c)
{
	return c->liveness.asked_at > 0 ? reactor_now() - c->liveness.asked_at : 0;
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
	h2_shutdown_drain(c);
}

void
h2_carrier_relieve(struct h2_carrier *c)
{
	c->drain.superseded = true;
	h2_carrier_later(c);
}

void
h2_carrier_close(struct h2_carrier *c)
{
	if (c->link != NULL) {
		if (c->state < H2_FINISHING)
			h2_shutdown_finish(c);
		c->reason = REASON_STOPPED;
		h2_shutdown_close_link(c, false);
	}
	h2_shutdown_free_unannounced(c);
	assert(c->channel_count == 0);
	h2_shutdown_free(c);
}

const char *
h2_carrier_library_version(void)
{
	return nghttp2_version(0)->version_str;
}
