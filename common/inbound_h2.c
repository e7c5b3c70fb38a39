/*
 * The bytes that come for a channel.  In the turn in which they came they are handed out
 * where they lie; what its owner leaves is copied, at most a window.
 */
#include "common/carrier_h2_inside.h"

bool
inbound_h2_has_bytes(const struct channel_h2 *ch)
{
	return buf_length(&ch->kept) > ch->lent || ch->first >= 0;
}

/* What is on loan has been used. */
void
inbound_h2_end_loan(struct channel_h2 *ch)
{
	buf_consume(&ch->kept, ch->lent);
	ch->lent = 0;
}

void
inbound_h2_drop(struct channel_h2 *ch)
{
	buf_clear(&ch->kept);
	ch->lent = 0;
	ch->first = ch->last = -1;
}

static void
keep(struct channel_h2 *ch, const uint8_t *bytes, size_t n)
{
	if (buf_append(&ch->kept, bytes, n))
		return;
	inbound_h2_drop(ch);
	if (!channel_h2_is_mute(ch))
		nghttp2_submit_rst_stream(
		    ch->carrier->session, NGHTTP2_FLAG_NONE, ch->id, NGHTTP2_CANCEL);
	ch->reset = true;
	channel_h2_break(ch, REASON_NO_MEMORY, NULL);
}

void
inbound_h2_settle(struct channel_h2 *ch)
{
	int i;

	inbound_h2_end_loan(ch);
	while ((i = ch->first) >= 0) {
		const struct h2_piece *piece = &ch->carrier->turn->pieces[i];

		ch->first = piece->next;
		keep(ch, piece->bytes, piece->length);
	}
	ch->last = -1;
}

void
inbound_h2_receive(struct channel_h2 *ch, const uint8_t *bytes, size_t n)
{
	struct h2_turn *turn = ch->carrier->turn;

	if (ch->cycle == 0)
		ch->cycle = reactor_now();
	if (turn->count == H2_PIECES) {
		inbound_h2_settle(ch);
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
	channel_h2_ready(ch);
}

/* Hand out pieces of this turn, as many as fit. */
static void
take_pieces(struct channel_h2 *ch, size_t most, struct batch *batch)
{
	while (ch->first >= 0 && batch->count < BATCH_PARTS && batch->length < most) {
		struct h2_piece *piece = &ch->carrier->turn->pieces[ch->first];
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
inbound_h2_take(struct channel_h2 *ch, size_t most, struct batch *batch)
{
	struct endpoint *e = &ch->channel.endpoint;
	size_t kept;

	inbound_h2_end_loan(ch);
	kept = buf_length(&ch->kept);
	ch->lent = kept < most ? kept : most;
	if (ch->lent > 0)
		batch_add(batch, buf_bytes(&ch->kept), ch->lent);
	take_pieces(ch, most, batch);
	ch->taken += batch->length;
	e->readable = inbound_h2_has_bytes(ch);
	if (e->readable || ch->end == SOURCE_OPEN)
		return SOURCE_OPEN;
	ch->end_taken = true;
	return ch->end;
}

/* A stream that empties its window within two round trips could use a larger one. */
static size_t
growth(struct channel_h2 *ch, size_t n)
{
	struct carrier_h2 *c = ch->carrier;
	size_t more = ch->window;
	double now, gone;

	if ((ch->cycle_credit += n) < ch->window)
		return 0;
	now = reactor_now();
	gone = now - ch->cycle;
	ch->cycle = now;
	ch->cycle_credit = 0;
	if (gone >= 2 * c->round_trip || ch->window + more > c->window_most ||
	    c->window_extra + more > c->window_budget)
		return 0;
	ch->window += more;
	c->window_extra += more;
	return more;
}

void
inbound_h2_credit(struct channel_h2 *ch, size_t n)
{
	size_t step = ch->window / 8 < H2_CREDIT_STEP ? ch->window / 8 : H2_CREDIT_STEP;

	ch->credit += n;
	if (channel_h2_is_mute(ch) || ch->end != SOURCE_OPEN)
		return;
	n = growth(ch, n);
	if (ch->credit < step && n == 0)
		return;
	nghttp2_submit_window_update(
	    ch->carrier->session, NGHTTP2_FLAG_NONE, ch->id, (int32_t)(ch->credit + n));
	ch->credit = 0;
	output_h2_pump(ch->carrier);
}
