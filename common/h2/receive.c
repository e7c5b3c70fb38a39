/*
 * The bytes that come for a channel.  In the turn in which they came they are handed out
 * where they lie; what its owner leaves is copied, at most a window.
 */
#include "common/h2/internal.h"

/* Seconds. */
static const double rest = 1;           /* without a byte; then it is counted anew */
static const double slow = 1;           /* for a window */
static const double short_trip = 0.001; /* batches want as much as a path like that */

bool
h2_receive_has_bytes(const struct h2_channel *ch)
{
	return buf_length(&ch->kept) > ch->lent || ch->first >= 0;
}

/* What is on loan has been used. */
void
h2_receive_end_loan(struct h2_channel *ch)
{
	buf_consume(&ch->kept, ch->lent);
	ch->lent = 0;
}

void
h2_receive_drop(struct h2_channel *ch)
{
	buf_clear(&ch->kept);
	ch->lent = 0;
	ch->first = ch->last = -1;
}

static void
keep(struct h2_channel *ch, const uint8_t *bytes, size_t n)
{
	if (buf_append(&ch->kept, bytes, n)) {
		ch->behind |= buf_length(&ch->kept) >= ch->window / 2;
		return;
	}
	h2_receive_drop(ch);
	if (!h2_channel_is_mute(ch))
		nghttp2_submit_rst_stream(
		    ch->carrier->session, NGHTTP2_FLAG_NONE, ch->id, NGHTTP2_CANCEL);
	ch->reset = true;
	h2_channel_break(ch, REASON_NO_MEMORY, NULL);
}

void
h2_receive_settle(struct h2_channel *ch)
{
	int i;

	h2_receive_end_loan(ch);
	while ((i = ch->first) >= 0) {
		const struct h2_piece *piece = &ch->carrier->in.received->pieces[i];

		ch->first = piece->next;
		keep(ch, piece->bytes, piece->length);
	}
	ch->last = -1;
}

/* The window that its first bytes fill was granted a round trip ago. */
static void
note_rest(struct h2_channel *ch)
{
	struct h2_carrier *c = ch->carrier;

	if (c->in.last_at - ch->heard > rest) {
		ch->cycle = c->in.last_at - c->rtt.seconds;
		ch->cycle_credit = 0;
		ch->last_gone = 0;
		ch->last_passed = 0;
	}
	ch->heard = c->in.last_at;
}

void
h2_receive_receive(struct h2_channel *ch, const uint8_t *bytes, size_t n)
{
	struct h2_received *turn = ch->carrier->in.received;

	note_rest(ch);
	if (turn->count == H2_PIECES) {
		h2_receive_settle(ch);
		if (ch->end == SOURCE_OPEN) /* nothing comes behind a gap */
			keep(ch, bytes, n);
	} else {
		turn->pieces[turn->count] = (struct h2_piece){bytes, n, -1};
		if (ch->last >= 0)
			turn->pieces[ch->last].next = turn->count;
		else
			ch->first = turn->count;
		ch->last = turn->count++;
	}
	ch->channel.endpoint.readable = true;
	h2_channel_ready(ch);
}

/* Hand out pieces of this turn, as many as fit. */
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
	size_t kept;

	h2_receive_end_loan(ch);
	kept = buf_length(&ch->kept);
	ch->lent = (uint32_t)(kept < most ? kept : most);
	if (ch->lent > 0)
		batch_add(batch, buf_bytes(&ch->kept), ch->lent);
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
widen(struct h2_channel *ch, size_t more)
{
	struct h2_carrier *c = ch->carrier;
	size_t left = c->in.window_most > ch->window ? c->in.window_most - ch->window : 0;

	more = byte_budget_take(c->in.windows, more < left ? more : left);
	ch->window += (uint32_t)more;
	return more;
}

/* What was promised cannot be taken back, but as bytes pass they need not be credited.
 * Returns how many of them are to be. */
static uint32_t
narrow(struct h2_channel *ch, uint32_t n)
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
	double gone = now - ch->cycle, passed = (double)ch->cycle_credit;
	double rate = (passed + ch->last_passed) / (gone + (double)ch->last_gone);

	ch->last_gone = (float)gone;
	ch->last_passed = ch->cycle_credit;
	ch->cycle = now;
	ch->cycle_credit = 0;
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
judge(struct h2_channel *ch)
{
	struct h2_carrier *c = ch->carrier;
	double now = reactor_now(), window = (double)ch->window;
	double trip = c->rtt.seconds > short_trip ? c->rtt.seconds : short_trip;
	double wanted = 4 * trip * rate_of(ch, now);
	bool behind = ch->behind;

	ch->behind = buf_length(&ch->kept) >= ch->window / 2;
	h2_rtt_measure(c, now);
	if (ch->last_gone > slow && wanted < window / 4)
		ch->excess = (ch->window - H2_WINDOW) / 2;
	if (wanted <= window || behind || c->rtt.seconds == 0)
		return 0;
	ch->excess = 0;
	return widen(ch, (size_t)((wanted < 2 * window ? wanted : 2 * window) - window));
}

void
h2_receive_credit(struct h2_channel *ch, uint32_t n)
{
	size_t step = ch->window / 8 < H2_CREDIT_STEP ? ch->window / 8 : H2_CREDIT_STEP;
	size_t more = 0;

	ch->cycle_credit += n;
	ch->credit += narrow(ch, n);
	if (h2_channel_is_mute(ch) || ch->end != SOURCE_OPEN)
		return;
	if (ch->cycle_credit >= ch->window)
		more = judge(ch);
	if (ch->credit < step && more == 0)
		return;
	nghttp2_submit_window_update(ch->carrier->session, NGHTTP2_FLAG_NONE, ch->id,
	    (int32_t)(ch->credit + more));
	ch->credit = 0;
	h2_output_pump(ch->carrier);
}

void
h2_receive_stop(struct h2_channel *ch)
{
	byte_budget_return(ch->carrier->in.windows, ch->window - H2_WINDOW);
	ch->window = H2_WINDOW;
}
