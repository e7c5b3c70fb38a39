/*
 * The bytes that come for a channel.  In the step in which they came, its owner gets them
 * where they lie; what it leaves is copied, at most a window.
 */
#include "common/h2/internal.h"

/* Seconds. */
static const double pause_limit = 1;    /* without a byte; then it is counted anew */
static const double slow_cycle = 1;     /* for a window */
static const double short_trip = 0.001; /* batches want as much as a path like that */

bool
h2_receive_has_bytes(const struct h2_channel *ch)
{
	return buf_length(&ch->pending) > ch->borrowed || ch->first >= 0;
}

/* The owner has used what it looked at in `pending`. */
void
h2_receive_return_borrowed(struct h2_channel *ch)
{
	buf_consume(&ch->pending, ch->borrowed);
	ch->borrowed = 0;
}

void
h2_receive_clear(struct h2_channel *ch)
{
	buf_clear(&ch->pending);
	ch->borrowed = 0;
	ch->first = ch->last = -1;
}

static void
append_pending(struct h2_channel *ch, const uint8_t *bytes, size_t n)
{
	if (buf_append(&ch->pending, bytes, n)) {
		ch->reader_lags |= buf_length(&ch->pending) >= ch->window / 2;
		return;
	}
	h2_receive_clear(ch);
	if (!h2_channel_is_over(ch))
		nghttp2_submit_rst_stream(
		    ch->carrier->session, NGHTTP2_FLAG_NONE, ch->id, NGHTTP2_CANCEL);
	ch->reset = true;
	h2_channel_break(ch, REASON_NO_MEMORY, NULL);
}

void
h2_receive_copy_rest(struct h2_channel *ch)
{
	int i;

	h2_receive_return_borrowed(ch);
	while ((i = ch->first) >= 0) {
		const struct h2_piece *piece = &ch->carrier->in.received->pieces[i];

		ch->first = piece->next;
		append_pending(ch, piece->bytes, piece->length);
	}
	ch->last = -1;
}

/* The window that its first bytes fill was granted a round trip ago. */
static void
note_pause(struct h2_channel *ch)
{
	struct h2_carrier *c = ch->carrier;

	if (c->in.last_at - ch->last_at > pause_limit) {
		ch->cycle_start = c->in.last_at - c->rtt.seconds;
		ch->cycle_bytes = 0;
		ch->last_cycle_seconds = 0;
		ch->last_cycle_bytes = 0;
	}
	ch->last_at = c->in.last_at;
}

void
h2_receive_add(struct h2_channel *ch, const uint8_t *bytes, size_t n)
{
	struct h2_received *received = ch->carrier->in.received;

	note_pause(ch);
	if (received->count == H2_PIECES) {
		h2_receive_copy_rest(ch);
		if (ch->end == SOURCE_OPEN) /* nothing comes behind a gap */
			append_pending(ch, bytes, n);
	} else {
		received->pieces[received->count] = (struct h2_piece){bytes, n, -1};
		if (ch->last >= 0)
			received->pieces[ch->last].next = received->count;
		else
			ch->first = received->count;
		ch->last = received->count++;
	}
	ch->channel.endpoint.readable = true;
	h2_channel_ready(ch);
}

/* Hand out pieces of this step, as many as fit. */
static void
take_pieces(struct h2_channel *ch, size_t most, struct batch *batch)
{
	while (ch->first >= 0 && batch->count < BATCH_PARTS && batch->length < most) {
		struct h2_piece *piece = &ch->carrier->in.received->pieces[ch->first];
		size_t n = most - batch->length;

		n = n < piece->length ? n : piece->length;
		batch_add(batch, piece->bytes, n);
		piece->bytes += n;
		piece->length -= n;
		if (piece->length == 0)
			ch->first = piece->next;
	}
	if (ch->first < 0)
		ch->last = -1;
}

enum source
h2_receive_take(struct h2_channel *ch, size_t most, struct batch *batch)
{
	struct endpoint *e = &ch->channel.endpoint;
	size_t pending;

	h2_receive_return_borrowed(ch);
	pending = buf_length(&ch->pending);
	ch->borrowed = (uint32_t)(pending < most ? pending : most);
	if (ch->borrowed > 0)
		batch_add(batch, buf_bytes(&ch->pending), ch->borrowed);
	take_pieces(ch, most, batch);
	ch->taken += batch->length;
	e->readable = h2_receive_has_bytes(ch);
	if (e->readable || ch->end == SOURCE_OPEN)
		return SOURCE_OPEN;
	ch->end_taken = true;
	return ch->end;
}

/* ---- the window ------------------------------------------------------------------ */

/* Returns by how much. */
static size_t
grow_window(struct h2_channel *ch, size_t more)
{
	struct h2_carrier *c = ch->carrier;
	size_t left = c->in.window_most > ch->window ? c->in.window_most - ch->window : 0;

	more = byte_budget_take(c->in.windows, more < left ? more : left);
	ch->window += (uint32_t)more;
	return more;
}

/* What was promised cannot be taken back, but consumed bytes need not be returned to
 * the sender.  Gives how many of @n are to be returned. */
static uint32_t
shrink_window(struct h2_channel *ch, uint32_t n)
{
	uint32_t less = n < ch->excess ? n : ch->excess;

	ch->excess -= less;
	ch->window -= less;
	byte_budget_return(ch->carrier->in.windows, less);
	return n - less;
}

/* Of the last two windows, for bytes come in bursts: so much passes in a second. */
static double
rate_of(struct h2_channel *ch, double now)
{
	double gone = now - ch->cycle_start, passed = (double)ch->cycle_bytes;
	double rate =
	    (passed + ch->last_cycle_bytes) / (gone + (double)ch->last_cycle_seconds);

	ch->last_cycle_seconds = (float)gone;
	ch->last_cycle_bytes = ch->cycle_bytes;
	ch->cycle_start = now;
	ch->cycle_bytes = 0;
	return rate;
}

/*
 * A whole window was credited.  It is to be as wide as what passes in four round trips:
 * with less it would be us who hold TCP back (BBR sends up to three round trips' worth at
 * once while it looks for the rate), and more would only wait on the way, in front of
 * other streams.  It grows by no more than itself at a time, and only while the reader
 * keeps up; one that only makes up for its own delay proves nothing.  Returns by how much
 * it grew.
 */
static size_t
review_window(struct h2_channel *ch)
{
	struct h2_carrier *c = ch->carrier;
	double now = reactor_now(), window = (double)ch->window;
	double trip = c->rtt.seconds > short_trip ? c->rtt.seconds : short_trip;
	double wanted = 4 * trip * rate_of(ch, now);
	bool lagged = ch->reader_lags;

	ch->reader_lags = buf_length(&ch->pending) >= ch->window / 2;
	h2_rtt_measure(c, now);
	if (ch->last_cycle_seconds > slow_cycle && wanted < window / 4)
		ch->excess = (ch->window - H2_WINDOW) / 2;
	if (wanted <= window || lagged || c->rtt.seconds == 0)
		return 0;
	ch->excess = 0;
	return grow_window(
	    ch, (size_t)((wanted < 2 * window ? wanted : 2 * window) - window));
}

void
h2_receive_consumed(struct h2_channel *ch, uint32_t n)
{
	size_t step = ch->window / 8 < H2_UPDATE_STEP ? ch->window / 8 : H2_UPDATE_STEP;
	size_t more = 0;

	ch->cycle_bytes += n;
	ch->consumed += shrink_window(ch, n);
	if (h2_channel_is_over(ch) || ch->end != SOURCE_OPEN)
		return;
	if (ch->cycle_bytes >= ch->window)
		more = review_window(ch);
	if (ch->consumed < step && more == 0)
		return;
	nghttp2_submit_window_update(ch->carrier->session, NGHTTP2_FLAG_NONE, ch->id,
	    (int32_t)(ch->consumed + more));
	ch->consumed = 0;
	h2_output_pump(ch->carrier);
}

void
h2_receive_release_window(struct h2_channel *ch)
{
	byte_budget_return(ch->carrier->in.windows, ch->window - H2_WINDOW);
	ch->window = H2_WINDOW;
}
