/*
 * What the other files of the h2 carrier note, about a carrier and about its channels.
 * Nothing here sends, wakes an owner or frees: the carrier's next step looks at what was
 * noted.  All of the other files use these, and these use none of them.
 */
#include "common/h2/internal.h"

#include "common/base/log.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const state_names[] = {
    [H2_OPEN] = "open",
    [H2_DRAINING] = "draining",
    [H2_FINISHING] = "finishing",
    [H2_LOST] = "lost",
};

/* ---- of a carrier ---------------------------------------------------------------- */

void
h2_carrier_enter(struct h2_carrier *c, enum h2_state next)
{
	assert(next > c->state);
	log_debug("event=carrier service=%s from=%s to=%s channels=%zu", c->service,
	    state_names[c->state], state_names[next], c->channel_count);
	c->state = next;
}

void
h2_carrier_later(struct h2_carrier *c)
{
	ev_timer_start(c->reactor->loop, &c->later);
}

void
h2_carrier_retire(struct h2_carrier *c)
{
	if (c->state != H2_OPEN)
		return;
	h2_carrier_enter(c, H2_DRAINING);
	c->drain.retiring = true;
	h2_carrier_later(c);
}

void
h2_carrier_fail(struct h2_carrier *c, const char *format, ...)
{
	va_list args;

	if (c->failed)
		return;
	c->failed = true;
	va_start(args, format);
	vsnprintf(c->failure, sizeof(c->failure), format, args);
	va_end(args);
	h2_carrier_later(c);
}

/* ---- of a channel ---------------------------------------------------------------- */

bool
h2_channel_is_over(const struct h2_channel *ch)
{
	return ch->closed || ch->reset || ch->carrier->session == NULL;
}

void
h2_channel_ready(struct h2_channel *ch)
{
	struct h2_carrier *c = ch->carrier;

	if (!ch->is_ready) {
		TAILQ_INSERT_TAIL(&c->ready, ch, ready_entry);
		c->ready_count++;
		ch->is_ready = true;
	}
	if (c->in.received == NULL)
		h2_carrier_later(c);
}

void
h2_channel_refuse(struct h2_channel *ch, enum reason reason)
{
	ch->answer = H2_REFUSED;
	ch->refusal = reason;
	h2_channel_ready(ch);
}

/* No 200 was seen.  Only what certainly reached no app may be tried again: none of its
 * DATA was given to the socket, or the far end says so. */
static bool
is_certain(const struct h2_channel *ch)
{
	return ch->refused_late || ch->given == 0 ||
	       ch->data_at >= ch->carrier->out.written;
}

void
h2_channel_break(struct h2_channel *ch, enum reason reason, const char *detail)
{
	struct endpoint *e = &ch->channel.endpoint;

	if (!ch->carrier->server && ch->answer == H2_UNANSWERED) {
		ch->again = is_certain(ch);
		ch->detail = detail;
		h2_channel_refuse(ch, reason);
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
	h2_channel_ready(ch);
}
