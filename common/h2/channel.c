/*
 * A channel of an h2 carrier, as the stream on it sees it.  Nothing here wakes an owner:
 * that is the carrier's, from the loop.
 */
#include "common/h2/internal.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static struct channel_h2 *
channel_of(const struct endpoint *e)
{
	return (struct channel_h2 *)((char *)(uintptr_t)e -
				     offsetof(struct channel_h2, channel.endpoint));
}

bool
channel_h2_is_mute(const struct channel_h2 *ch)
{
	return ch->closed || ch->reset || ch->carrier->session == NULL;
}

/* ---- queues ---------------------------------------------------------------------- */

void
channel_h2_ready(struct channel_h2 *ch)
{
	struct carrier_h2 *c = ch->carrier;

	if (!ch->is_ready) {
		TAILQ_INSERT_TAIL(&c->ready, ch, ready_entry);
		c->ready_count++;
		ch->is_ready = true;
	}
	if (c->turn == NULL)
		carrier_h2_later(c);
}

void
channel_h2_leave_queues(struct channel_h2 *ch)
{
	struct carrier_h2 *c = ch->carrier;

	if (ch->is_ready) {
		TAILQ_REMOVE(&c->ready, ch, ready_entry);
		c->ready_count--;
	}
	ch->is_ready = false;
	share_h2_leave(ch);
}

void
channel_h2_feed(struct channel_h2 *ch)
{
	if (ch->starved) {
		ch->starved = false;
		share_h2_wait(ch);
	}
}

/* ---- bytes --------------------------------------------------------------- */

static enum source
h2_take(struct endpoint *e, size_t most, struct batch *batch)
{
	return inbound_h2_take(channel_of(e), most, batch);
}

static void
h2_credit(struct endpoint *e, size_t n)
{
	inbound_h2_credit(channel_of(e), (uint32_t)n); /* of one batch */
}

/* What the far end lets in, of this stream. */
static size_t
own_room(const struct channel_h2 *ch)
{
	struct carrier_h2 *c = ch->carrier;
	int32_t window =
	    nghttp2_session_get_stream_remote_window_size(c->session, ch->id);
	size_t room = window > 0 ? (size_t)window : 0;
	size_t early = ch->given < H2_EARLY ? H2_EARLY - (size_t)ch->given : 0;

	if (ch->verdict == H2_PENDING && early < room)
		room = early;
	return room;
}

/* What the carrier lets out. */
static size_t
shared_room(const struct channel_h2 *ch)
{
	struct carrier_h2 *c = ch->carrier;
	int32_t window = nghttp2_session_get_remote_window_size(c->session);

	if (tls_room(&c->link->tls) == 0 || window <= 0)
		return 0;
	return (size_t)window < c->chunk ? (size_t)window : c->chunk;
}

static bool
is_sending(const struct channel_h2 *ch)
{
	return ch->can_send && !channel_h2_is_mute(ch) && !ch->out_ended &&
	       !ch->channel.endpoint.deaf && ch->carrier->state < H2_FINISHING;
}

static size_t
h2_room(const struct endpoint *e)
{
	const struct channel_h2 *ch = channel_of(e);
	size_t own, shared;

	if (!is_sending(ch))
		return 0;
	own = own_room(ch);
	shared = shared_room(ch);
	return own < shared ? own : shared;
}

static size_t
h2_give(struct endpoint *e, const struct batch *batch)
{
	size_t room = h2_room(e);

	return room > 0 && batch->length > 0 ? output_h2_give(channel_of(e), batch, room)
					     : 0;
}

/* Before the app was reached the stream may be tried elsewhere. */
static uint32_t
reset_code(const struct channel_h2 *ch)
{
	if (ch->verdict == H2_ACCEPTED)
		return ch->carrier->links->phase == LINK_SET_CUTS ? H2_CODE_STOPPED
								  : NGHTTP2_CONNECT_ERROR;
	if (ch->carrier->server && ch->taken == 0)
		return NGHTTP2_REFUSED_STREAM;
	return ch->carrier->server ? NGHTTP2_CONNECT_ERROR : NGHTTP2_CANCEL;
}

/* Everything before it is serialized already, so nothing is thrown away.  Behind a
 * refusal nothing is left to be said. */
static void
reset(struct channel_h2 *ch)
{
	struct carrier_h2 *c = ch->carrier;

	if (channel_h2_is_mute(ch) || (c->server && ch->verdict == H2_REFUSED))
		return;
	nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, ch->id, reset_code(ch));
	ch->reset = true;
	output_h2_pump(c);
}

static bool
h2_end(struct endpoint *e, enum ending ending)
{
	struct channel_h2 *ch = channel_of(e);

	if (ending == ENDING_RST) {
		reset(ch);
	} else if (!channel_h2_is_mute(ch) && !ch->out_ended) {
		ch->out_ended = true;
		output_h2_data(ch);
	}
	return true;
}

/* An owner that found no room is told when there is some, asked or not. */
static void
h2_wait(struct endpoint *e, bool readable, bool writable)
{
	struct channel_h2 *ch = channel_of(e);
	struct carrier_h2 *c = ch->carrier;

	inbound_h2_end_loan(ch);
	ch->wants_bytes = readable;
	ch->starved = false;
	if (readable &&
	    (inbound_h2_has_bytes(ch) || (ch->end != SOURCE_OPEN && !ch->end_taken)))
		channel_h2_ready(ch);
	if (!is_sending(ch))
		return;
	if (own_room(ch) == 0) {
		ch->starved = true;
	} else if (shared_room(ch) == 0) {
		share_h2_wait(ch);
	} else if (writable) {
		share_h2_wait(ch);
		carrier_h2_later(c);
	}
}

static const struct endpoint_ops endpoint_ops = {
    .take = h2_take,
    .room = h2_room,
    .give = h2_give,
    .credit = h2_credit,
    .end = h2_end,
    .wait = h2_wait,
};

/* ---- opening and ending ---------------------------------------------------------- */

/* The app of a pod that ends goes first.  To the client that is no app that is down, but
 * one that there soon is in another pod. */
static enum reason
reason_to_tell(const struct carrier_h2 *c, enum reason reason)
{
	return reason == REASON_APP_UNREACHABLE && c->links->phase != LINK_SET_SERVES
		   ? REASON_STOPPED
		   : reason;
}

static void
h2_answer(struct channel *channel, enum reason reason, const char *detail)
{
	struct channel_h2 *ch = channel_of(&channel->endpoint);

	if (!ch->carrier->server || ch->verdict != H2_PENDING)
		return;
	if (channel_h2_is_mute(ch))
		ch->verdict = reason == REASON_NONE ? H2_ACCEPTED : H2_REFUSED;
	else if (reason == REASON_NONE)
		session_h2_accept(ch);
	else
		session_h2_refuse(ch, reason_to_tell(ch->carrier, reason), detail);
	output_h2_pump(ch->carrier);
}

static const struct link_facts *
h2_facts(const struct channel *channel, struct link_facts *space)
{
	(void)space;
	return &channel_of(&channel->endpoint)->carrier->facts;
}

static const char *
h2_detail(const struct channel *channel)
{
	return channel_of(&channel->endpoint)->detail;
}

/* Both ends were told: what is left to send, nghttp2 knows by itself. */
static bool
has_ended(const struct channel_h2 *ch)
{
	return (ch->out_ended && ch->end == SOURCE_FINISHED) ||
	       (ch->carrier->server && ch->verdict == H2_REFUSED);
}

static void
h2_release(struct channel *channel)
{
	struct channel_h2 *ch = channel_of(&channel->endpoint);
	struct carrier_h2 *c = ch->carrier;

	if (!channel_h2_is_mute(ch) && !has_ended(ch))
		reset(ch);
	if (!ch->closed && c->session != NULL)
		nghttp2_session_set_stream_user_data(c->session, ch->id, NULL);
	channel_h2_free(ch);
	if ((c->state != H2_OPEN || c->relieved) && c->channel_count == 0)
		carrier_h2_later(c);
}

static const struct channel_ops channel_ops = {
    .answer = h2_answer,
    .facts = h2_facts,
    .detail = h2_detail,
    .release = h2_release,
};

struct channel_h2 *
channel_h2_new(struct carrier_h2 *c)
{
	struct channel_h2 *ch = calloc(1, sizeof(*ch));

	if (ch == NULL)
		return NULL;
	ch->channel =
	    (struct channel){.endpoint.ops = &endpoint_ops, .ops = &channel_ops};
	ch->carrier = c;
	ch->first = ch->last = -1;
	ch->window = H2_WINDOW;
	LIST_INSERT_HEAD(&c->channels, ch, entry);
	c->channel_count++;
	return ch;
}

void
channel_h2_free(struct channel_h2 *ch)
{
	struct carrier_h2 *c = ch->carrier;

	channel_h2_leave_queues(ch);
	if (c->current == ch)
		c->current = NULL;
	inbound_h2_stop(ch);
	c->channel_count--;
	LIST_REMOVE(ch, entry);
	inbound_h2_drop(ch);
	free(ch->text);
	free(ch);
}

void
channel_h2_refuse(struct channel_h2 *ch, enum reason reason)
{
	ch->verdict = H2_REFUSED;
	ch->refusal = reason;
	channel_h2_ready(ch);
}

/* No 200 was seen.  Only what certainly reached no app may be tried again: none of its
 * DATA was given to the socket, or the far end says so. */
static bool
is_certain(const struct channel_h2 *ch)
{
	return ch->refused_late || ch->given == 0 || ch->data_at >= ch->carrier->written;
}

void
channel_h2_break(struct channel_h2 *ch, enum reason reason, const char *detail)
{
	struct endpoint *e = &ch->channel.endpoint;

	if (!ch->carrier->server && ch->verdict == H2_PENDING) {
		ch->again = is_certain(ch);
		ch->detail = detail;
		channel_h2_refuse(ch, reason);
	}
	if (!e->deaf) {
		e->deaf = true;
		e->reason = reason;
		ch->detail = detail;
	}
	ch->end = SOURCE_BROKEN;
	ch->end_taken = false;
	ch->broke = true;
	e->readable = true;
	channel_h2_ready(ch);
}

/* A far end that goes away refuses what it has no time for. */
static enum reason
reason_of_close(const struct channel_h2 *ch, uint32_t code)
{
	if (code == H2_CODE_STOPPED && ch->verdict == H2_ACCEPTED)
		return REASON_STOPPED;
	if (code != NGHTTP2_REFUSED_STREAM || ch->verdict != H2_PENDING)
		return REASON_FAR_RESET;
	return ch->carrier->goaway_came ? REASON_STOPPED : REASON_FULL;
}

void
channel_h2_closed(struct channel_h2 *ch, uint32_t code)
{
	bool clean = ch->end == SOURCE_FINISHED && ch->out_finished;
	struct carrier_h2 *c = ch->carrier;

	ch->closed = true;
	if (clean || ch->reset || (c->server && ch->verdict == H2_REFUSED))
		return;
	if (c->server || ch->verdict != H2_REFUSED) {
		ch->refused_late = code == NGHTTP2_REFUSED_STREAM;
		channel_h2_break(ch, reason_of_close(ch, code),
		    code == H2_CODE_STOPPED ? "the far end's drain is over"
					    : nghttp2_http2_strerror(code));
	}
}
