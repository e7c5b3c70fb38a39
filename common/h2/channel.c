/*
 * A channel of an h2 carrier, as the stream on it sees it.  Nothing here wakes an owner:
 * that is the carrier's, from the loop.
 */
#include "common/h2/internal.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static struct h2_channel *
channel_of(const struct endpoint *e)
{
	return (struct h2_channel *)((char *)(uintptr_t)e -
				     offsetof(struct h2_channel, channel.endpoint));
}

/* ---- queues ---------------------------------------------------------------------- */

static void
leave_queues(struct h2_channel *ch)
{
	struct h2_carrier *c = ch->carrier;

	if (ch->is_ready) {
		TAILQ_REMOVE(&c->ready, ch, ready_entry);
		c->ready_count--;
	}
	ch->is_ready = false;
	h2_scheduler_leave(ch);
}

/* ---- bytes --------------------------------------------------------------- */

static enum source
h2_channel_take(struct endpoint *e, size_t most, struct batch *batch)
{
	return h2_receive_take(channel_of(e), most, batch);
}

static void
h2_channel_credit(struct endpoint *e, size_t n)
{
	h2_receive_consumed(channel_of(e), (uint32_t)n); /* of one batch */
}

/* What the far end lets in, of this stream. */
static size_t
own_room(const struct h2_channel *ch)
{
	struct h2_carrier *c = ch->carrier;
	int32_t window =
	    nghttp2_session_get_stream_remote_window_size(c->session, ch->id);
	size_t room = window > 0 ? (size_t)window : 0;
	size_t early = ch->given < H2_EARLY ? H2_EARLY - (size_t)ch->given : 0;

	if (ch->answer == H2_UNANSWERED && early < room)
		room = early;
	return room;
}

/* What the carrier lets out. */
static size_t
shared_room(const struct h2_channel *ch)
{
	struct h2_carrier *c = ch->carrier;
	int32_t window = nghttp2_session_get_remote_window_size(c->session);

	if (tls_room(&c->link->tls) == 0 || window <= 0)
		return 0;
	return (size_t)window < c->scheduler.chunk ? (size_t)window : c->scheduler.chunk;
}

static bool
is_sending(const struct h2_channel *ch)
{
	return ch->can_send && !h2_channel_is_over(ch) && !ch->out_ended &&
	       !ch->channel.endpoint.deaf && ch->carrier->state < H2_FINISHING;
}

static size_t
h2_channel_room(const struct endpoint *e)
{
	const struct h2_channel *ch = channel_of(e);
	size_t own, shared;

	if (!is_sending(ch))
		return 0;
	own = own_room(ch);
	shared = shared_room(ch);
	return own < shared ? own : shared;
}

static size_t
h2_channel_give(struct endpoint *e, const struct batch *batch)
{
	size_t room = h2_channel_room(e);

	return room > 0 && batch->length > 0 ? h2_output_give(channel_of(e), batch, room)
					     : 0;
}

/* Before the app was reached the stream may be tried elsewhere. */
static uint32_t
reset_code(const struct h2_channel *ch)
{
	if (ch->answer == H2_ACCEPTED)
		return ch->carrier->links->phase == LINK_SET_CUTS ? H2_CODE_STOPPED
								  : NGHTTP2_CONNECT_ERROR;
	if (ch->carrier->server && ch->taken == 0)
		return NGHTTP2_REFUSED_STREAM;
	return ch->carrier->server ? NGHTTP2_CONNECT_ERROR : NGHTTP2_CANCEL;
}

/* Everything before it is serialized already, so nothing is thrown away.  Behind a
 * refusal nothing is left to be said. */
static void
reset_stream(struct h2_channel *ch)
{
	struct h2_carrier *c = ch->carrier;

	if (h2_channel_is_over(ch) || (c->server && ch->answer == H2_REFUSED))
		return;
	nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, ch->id, reset_code(ch));
	ch->reset = true;
	h2_output_pump(c);
}

static bool
h2_channel_end(struct endpoint *e, enum ending ending)
{
	struct h2_channel *ch = channel_of(e);

	if (ending == ENDING_RST) {
		reset_stream(ch);
	} else if (!h2_channel_is_over(ch) && !ch->out_ended) {
		ch->out_ended = true;
		h2_output_data(ch);
	}
	return true;
}

/* An owner that found no room is woken when there is some, even if it does not ask. */
static void
h2_channel_wait(struct endpoint *e, bool readable, bool writable)
{
	struct h2_channel *ch = channel_of(e);
	struct h2_carrier *c = ch->carrier;

	h2_receive_return_borrowed(ch);
	ch->wants_bytes = readable;
	ch->window_blocked = false;
	if (readable &&
	    (h2_receive_has_bytes(ch) || (ch->end != SOURCE_OPEN && !ch->end_taken)))
		h2_channel_ready(ch);
	if (!is_sending(ch))
		return;
	if (own_room(ch) == 0) {
		ch->window_blocked = true;
	} else if (shared_room(ch) == 0) {
		h2_scheduler_wait(ch);
	} else if (writable) {
		h2_scheduler_wait(ch);
		h2_carrier_later(c);
	}
}

static const struct endpoint_ops endpoint_ops = {
    .take = h2_channel_take,
    .room = h2_channel_room,
    .give = h2_channel_give,
    .credit = h2_channel_credit,
    .end = h2_channel_end,
    .wait = h2_channel_wait,
};

/* ---- opening and ending ---------------------------------------------------------- */

/* The app of a pod that ends goes first.  To the client that is no app that is down, but
 * one that there soon is in another pod. */
static enum reason
reason_to_tell(const struct h2_carrier *c, enum reason reason)
{
	return reason == REASON_APP_UNREACHABLE && c->links->phase != LINK_SET_SERVES
		   ? REASON_STOPPED
		   : reason;
}

static void
h2_channel_answer(struct channel *channel, enum reason reason, const char *detail)
{
	struct h2_channel *ch = channel_of(&channel->endpoint);

	if (!ch->carrier->server || ch->answer != H2_UNANSWERED)
		return;
	if (h2_channel_is_over(ch))
		ch->answer = reason == REASON_NONE ? H2_ACCEPTED : H2_REFUSED;
	else if (reason == REASON_NONE)
		h2_request_accept(ch);
	else
		h2_request_refuse(ch, reason_to_tell(ch->carrier, reason), detail);
	h2_output_pump(ch->carrier);
}

static const struct link_facts *
h2_channel_facts(const struct channel *channel, struct link_facts *space)
{
	(void)space;
	return &channel_of(&channel->endpoint)->carrier->facts;
}

static const char *
h2_channel_detail(const struct channel *channel)
{
	return channel_of(&channel->endpoint)->detail;
}

/* Both directions have ended: nghttp2 sends what is left by itself. */
static bool
has_ended(const struct h2_channel *ch)
{
	return (ch->out_ended && ch->end == SOURCE_FINISHED) ||
	       (ch->carrier->server && ch->answer == H2_REFUSED);
}

static void
h2_channel_release(struct channel *channel)
{
	struct h2_channel *ch = channel_of(&channel->endpoint);
	struct h2_carrier *c = ch->carrier;

	if (!h2_channel_is_over(ch) && !has_ended(ch))
		reset_stream(ch);
	if (!ch->closed && c->session != NULL)
		nghttp2_session_set_stream_user_data(c->session, ch->id, NULL);
	h2_channel_free(ch);
	if ((c->state != H2_OPEN || c->drain.superseded) && c->channel_count == 0)
		h2_carrier_later(c);
}

static const struct channel_ops channel_ops = {
    .answer = h2_channel_answer,
    .facts = h2_channel_facts,
    .detail = h2_channel_detail,
    .release = h2_channel_release,
};

struct h2_channel *
h2_channel_new(struct h2_carrier *c)
{
	struct h2_channel *ch = calloc(1, sizeof(*ch));

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
h2_channel_free(struct h2_channel *ch)
{
	struct h2_carrier *c = ch->carrier;

	leave_queues(ch);
	if (c->current == ch)
		c->current = NULL;
	h2_receive_release_window(ch);
	c->channel_count--;
	LIST_REMOVE(ch, entry);
	h2_receive_clear(ch);
	free(ch->text);
	free(ch);
}

/* A far end that goes away refuses what it has no time for. */
static enum reason
reason_of_close(const struct h2_channel *ch, uint32_t code)
{
	if (code == H2_CODE_STOPPED && ch->answer == H2_ACCEPTED)
		return REASON_STOPPED;
	if (code != NGHTTP2_REFUSED_STREAM || ch->answer != H2_UNANSWERED)
		return REASON_FAR_RESET;
	return ch->carrier->drain.goaway_came ? REASON_STOPPED : REASON_FULL;
}

void
h2_channel_closed(struct h2_channel *ch, uint32_t code)
{
	bool clean = ch->end == SOURCE_FINISHED && ch->out_finished;
	struct h2_carrier *c = ch->carrier;

	ch->closed = true;
	if (clean || ch->reset || (c->server && ch->answer == H2_REFUSED))
		return;
	if (c->server || ch->answer != H2_REFUSED) {
		ch->refused_late = code == NGHTTP2_REFUSED_STREAM;
		h2_channel_break(ch, reason_of_close(ch, code),
		    code == H2_CODE_STOPPED ? "the far end's drain is over"
					    : nghttp2_http2_strerror(code));
	}
}
