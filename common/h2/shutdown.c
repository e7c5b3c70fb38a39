/*
 * How a carrier ends: in good order once it is empty, or lost, with every channel cut
 * behind the bytes that came for it.
 */
#include "common/h2/internal.h"

#include "common/base/log.h"
#include "common/carrier/route_check.h"

#include <stdlib.h>
#include <sys/socket.h>

static void
log_end(const struct h2_carrier *c)
{
	enum log_level level = c->drain.superseded && c->reason == REASON_FINISHED
				   ? LOG_LEVEL_DEBUG
				   : LOG_LEVEL_INFO;

	log_event(level, "carrier-end", LOG_WORD("why", reason_word(c->reason)),
	    LOG_TEXT("service", c->service), LOG_COUNT("streams", c->streams_ever),
	    LOG_COUNT("in", c->in.bytes), LOG_COUNT("out", c->out.bytes),
	    LOG_DECIMAL("ms", (reactor_now() - c->opened) * 1000, 0),
	    LOG_TEXT("detail", c->failure[0] != '\0' ? c->failure : NULL));
}

/* Give the link away, and the session with it. */
void
h2_shutdown_close_link(struct h2_carrier *c, bool abort)
{
	struct link *link = c->link;

	h2_output_send(c);
	h2_output_clear(c);
	nghttp2_session_del(c->session);
	c->session = NULL;
	if (!abort)
		tls_finish(&link->tls);
	c->link = NULL;
	link_close(link, abort);
}

void
h2_shutdown_free(struct h2_carrier *c)
{
	struct link_set *links = c->links;

	log_end(c);
	ev_timer_stop(c->reactor->loop, &c->later);
	h2_output_clear(c);
	nghttp2_session_del(c->session);
	free(c);
	link_set_release(links);
}

/* Both directions have ended, and all of it was sent: the loss does not touch it. */
static bool
is_complete(const struct h2_channel *ch, bool unsent)
{
	return ch->closed && ch->end == SOURCE_FINISHED && ch->out_finished && !unsent;
}

void
h2_shutdown_free_unannounced(struct h2_carrier *c)
{
	struct h2_channel *ch, *next;

	for (ch = LIST_FIRST(&c->channels); ch != NULL; ch = next) {
		next = LIST_NEXT(ch, entry);
		if (c->server && !ch->announced)
			h2_channel_free(ch);
	}
}

/* Every channel is cut, behind the bytes that came for it. */
static void
cut_channels(struct h2_carrier *c, bool unsent)
{
	struct h2_channel *ch;

	h2_shutdown_free_unannounced(c);
	LIST_FOREACH (ch, &c->channels, entry)
		if (!is_complete(ch, unsent) && !ch->channel.endpoint.deaf)
			h2_channel_break(ch, c->reason, c->failure);
}

/* The peer did something it should not. */
static void
log_fault(const struct h2_carrier *c)
{
	log_event_cause(LOG_LEVEL_WARNING, c->service, "carrier-fault",
	    LOG_TEXT("service", c->service), LOG_TEXT("names", c->facts.names),
	    LOG_TEXT("detail", c->failure));
}

/*
 * The carrier ends although streams are open, or by a fault.
 *
 * What was gathered is sent first: h2_channel_break() then knows for certain which
 * streams' DATA never left, and only those may be tried elsewhere.  If the peer is gone
 * nothing is sent, and what lies here counts as not sent.  The channels stay, with the
 * bytes that came for them, until their owners release them; the carrier is freed with
 * the last one.
 */
static void
lose_carrier(struct h2_carrier *c)
{
	const struct tls *t = &c->link->tls;
	bool unsent;

	if (c->link->target != NULL && !c->failed && c->liveness.asked_at == 0 &&
	    t->state != TLS_FINISHED)
		route_note_loss(c->link->target, t);
	if (!t->deaf)
		h2_output_send(c); /* from here on it is certain what was sent */
	unsent = t->lost || tls_room(t) == 0 || c->out.gathered_length > 0;
	c->reason = t->reason == REASON_CERT_REFUSED ? t->reason : REASON_CARRIER_LOST;
	if (c->failed)
		log_fault(c);
	else
		h2_carrier_fail(c, "%s",
		    t->detail != NULL          ? t->detail
		    : t->state == TLS_FINISHED ? "the far end closed the connection"
					       : "the connection is broken");
	c->drain.retiring |= c->state == H2_OPEN;
	cut_channels(c, unsent);
	h2_carrier_enter(c, H2_LOST);
	h2_shutdown_close_link(c, true);
}

/* A clean end of an empty carrier: GOAWAY and close_notify; then the peer's. */
void
h2_shutdown_finish(struct h2_carrier *c)
{
	h2_carrier_enter(c, H2_FINISHING);
	c->reason = REASON_FINISHED;
	nghttp2_session_terminate_session(c->session, NGHTTP2_NO_ERROR);
	h2_output_pump(c);
	h2_output_send(c);
	tls_finish(&c->link->tls);
	link_set_timer(c->link, c->link->service->settings->timeout_close);
}

/* The far end has finished, and nothing of any stream is under way.  It may not be
 * reading any more, so TCP is for us to close first. */
static void
answer_end(struct h2_carrier *c)
{
	struct link *link = c->link;

	c->drain.retiring |= c->state == H2_OPEN;
	h2_shutdown_finish(c);
	if (tls_room(&link->tls) > 0 && !link->tls.deaf) {
		link->shut = true;
		shutdown(link->tls.fd, SHUT_WR);
	}
	h2_shutdown_close_link(c, false);
}

static bool
has_live_channel(const struct h2_carrier *c)
{
	const struct h2_channel *ch;

	LIST_FOREACH (ch, &c->channels, entry)
		if (!ch->closed)
			return true;
	return false;
}

static bool
is_empty(const struct h2_carrier *c)
{
	return (c->state == H2_DRAINING || c->drain.superseded) &&
	       c->channel_count == 0 && c->streams == 0 &&
	       (!c->server || c->drain.goaway == H2_GOAWAY_SENT || c->drain.goaway_came);
}

/* After a protocol error nghttp2_session_mem_recv() goes on to report success.  That the
 * session neither wants to read nor to write is the only sign of it. */
static bool
has_given_up(const struct h2_carrier *c)
{
	return (c->state == H2_OPEN || c->streams > 0) &&
	       nghttp2_session_want_read(c->session) == 0 &&
	       nghttp2_session_want_write(c->session) == 0;
}

/* Nothing more can come from the far end, in good order or not. */
static bool
is_cut_off(const struct h2_carrier *c)
{
	const struct tls *t = &c->link->tls;

	return t->state == TLS_BROKEN || (t->deaf && t->dry) ||
	       (t->state == TLS_FINISHED && has_live_channel(c));
}

/*
 * The order counts: a fault or a cut is a loss even if the link has ended cleanly since,
 * and a clean end of the link is answered before we think of ending by ourselves.
 */
void
h2_shutdown_check(struct h2_carrier *c)
{
	const struct tls *t = &c->link->tls;

	if (c->state == H2_FINISHING) {
		if (t->state != TLS_OPEN || (t->deaf && t->dry))
			h2_shutdown_close_link(c, t->state != TLS_FINISHED);
	} else if (c->failed || is_cut_off(c) || has_given_up(c)) {
		lose_carrier(c);
	} else if (t->state == TLS_FINISHED) {
		answer_end(c);
	} else if (is_empty(c)) {
		c->drain.retiring |= c->state == H2_OPEN;
		h2_shutdown_finish(c);
	} else if (t->deaf) {
		h2_carrier_later(c); /* bytes are still to be read */
	}
}

/* ---- drain ----------------------------------------------------------------------- */

/*
 * A GOAWAY at once would refuse requests that are under way.  So a server sends a notice
 * (a GOAWAY with the largest id) and a PING; when that is answered the client has seen
 * the notice, opens no more streams, and all that it had opened are here.  Only then the
 * GOAWAY with the last id leaves (RFC 9113, 6.8).
 */
void
h2_shutdown_drain(struct h2_carrier *c)
{
	if (c->state == H2_OPEN)
		h2_carrier_enter(c, H2_DRAINING);
	if (c->state != H2_DRAINING)
		return;
	if (c->drain.goaway_came) {
		if (c->server && c->drain.goaway < H2_GOAWAY_DUE)
			c->drain.goaway = H2_GOAWAY_DUE; /* it opens no more */
	} else if (c->server && c->drain.goaway == H2_GOAWAY_NONE) {
		nghttp2_submit_shutdown_notice(c->session);
		h2_rtt_ping(c, H2_PING_DRAIN);
		c->drain.goaway = H2_GOAWAY_NOTICE;
		c->drain.asked_at = reactor_now();
		h2_output_pump(c);
	}
	h2_carrier_later(c);
}

/* A client that never answers the PING behind the notice must not open streams for ever:
 * it has as long as the limit for a sign of life. */
static bool
is_goaway_due(const struct h2_carrier *c)
{
	return c->drain.goaway == H2_GOAWAY_DUE ||
	       (c->drain.goaway == H2_GOAWAY_NOTICE &&
		   reactor_now() >= c->drain.asked_at + c->liveness.limit);
}

/* The last id is that of a stream begun.  No input may be fed before this is serialized:
 * nghttp2 would go on taking requests, whose bytes reach an app, and yet the client would
 * take them for refused and try them again elsewhere. */
void
h2_shutdown_submit_goaway(struct h2_carrier *c)
{
	if (c->session == NULL || !is_goaway_due(c))
		return;
	nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE,
	    nghttp2_session_get_last_proc_stream_id(c->session), NGHTTP2_NO_ERROR, NULL,
	    0);
}
