/*
 * Waking owners.  Only the carrier's step does it, and outside of nghttp2, since an owner
 * may give, end and release whatever it likes.
 */
#include "common/h2/internal.h"

#include <stdlib.h>

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
	} else if (!c->server && !ch->answer_reported && ch->answer != H2_UNANSWERED) {
		ch->answer_reported = true;
		if (ch->answer == H2_ACCEPTED)
			ch->events->accepted(ch->events_owner);
		else
			ch->events->refused(
			    ch->events_owner, ch->refusal, ch->detail, ch->again);
	}
}

static void
wake_owner(struct h2_channel *ch)
{
	struct endpoint *e = &ch->channel.endpoint;

	if (e->wake != NULL && (ch->carrier->server || ch->answer != H2_REFUSED))
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
		wake_owner(ch);
	}
	if (c->current != NULL)
		h2_receive_copy_rest(ch);
	c->current = NULL;
}

void
h2_deliver_news(struct h2_carrier *c)
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

/* One after the other, a chunk each, while the socket takes any. */
void
h2_deliver_room(struct h2_carrier *c)
{
	struct h2_channel *ch;

	for (size_t n = c->scheduler.waiting_count; n > 0; n--) {
		if (c->link == NULL || tls_room(&c->link->tls) == 0 ||
		    nghttp2_session_get_remote_window_size(c->session) <= 0 ||
		    (ch = h2_scheduler_next(c)) == NULL)
			return;
		ch->window_blocked = endpoint_room(&ch->channel.endpoint) == 0;
		if (ch->window_blocked)
			continue;
		c->current = ch;
		wake_owner(ch);
		c->current = NULL;
	}
}

void
h2_deliver_retired(struct h2_carrier *c)
{
	bool retiring = c->drain.retiring && !c->server;

	c->drain.retiring = false;
	if (retiring)
		c->events->retired(c->owner);
}
