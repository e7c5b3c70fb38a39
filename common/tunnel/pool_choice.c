#include "common/tunnel/pool_internal.h"

#include "common/carrier/link_dial.h"

/* Seconds. */
static const double grace = 1;     /* for which a stale one serves who comes, unasked */
static const double answer_in = 1; /* a sign of life that it is asked for */

/* ---- dials under way --------------------------------------------------------------- */

bool
pool_is_dialling(const struct pool *p)
{
	for (int i = 0; i < POOL_DIALS; i++)
		if (p->dials[i].link_dial != NULL)
			return true;
	return false;
}

const char *
pool_silence(const struct pool *p)
{
	const char *words = NULL;

	for (int i = 0; i < POOL_DIALS && words == NULL; i++)
		if (p->dials[i].link_dial != NULL)
			words = link_dial_silence(p->dials[i].link_dial);
	return words;
}

/* The latest dial is young enough for those who could do without to wait for it. */
static bool
is_dial_young(const struct pool *p)
{
	return pool_is_dialling(p) && ev_is_active(&p->patience);
}

bool
pool_is_short(const struct pool *p)
{
	return reactor_now() < p->set->short_until;
}

/* ---- fresh and stale ------------------------------------------------------------- */

/* The router of now would perhaps send new streams elsewhere.  Streams that live long
 * hold old carriers, so the more of these, the longer the others serve; else there would
 * be no end to them. */
static double
fresh_for(const struct pool *p)
{
	const struct service_settings *s = p->service->settings;
	double seconds = s->fresh_for;

	for (long n = p->old; n > s->carriers; n--)
		seconds *= 2;
	return s->max_age > 0 && seconds > s->max_age ? s->max_age : seconds;
}

/* Since when has its time been over, in seconds?  Below 0: it is not. */
static double
overdue(const struct pooled *c)
{
	double seconds = fresh_for(c->pool);

	return seconds > 0 ? reactor_now() - h2_carrier_opened(c->carrier) - seconds : -1;
}

bool
pool_is_fresh(const struct pooled *c)
{
	return !c->relieved && !c->aged && !c->refuses && overdue(c) < 0;
}

/* Does it take a stream while another one is dialled in its place?  One that has just
 * become stale serves those who come meanwhile; after a silence they wait a moment, but
 * not if the last such dial failed. */
static bool
bridges(const struct pooled *c)
{
	return overdue(c) < grace || c->pool->renewal.after > 0 ||
	       !is_dial_young(c->pool);
}

bool
pool_is_stale(const struct pool *p, enum pool_why *why)
{
	const struct pooled *c;
	bool any = false;

	*why = POOL_FRESH;
	LIST_FOREACH (c, &p->carriers, entry) {
		if (c->retired)
			continue;
		if (pool_is_fresh(c))
			return false;
		any = true;
		if (c->refuses)
			*why = POOL_LOOK;
		else if (c->aged && *why == POOL_FRESH)
			*why = POOL_AGE;
	}
	return any;
}

/* ---- the choice ------------------------------------------------------------------ */

/* One that refuses comes last.  Fresh before stale before relieved; of the last the
 * newest, of the others the one with the fewest streams. */
static bool
is_better(const struct pooled *a, const struct pooled *b)
{
	bool fresh = pool_is_fresh(a);

	if (a->refuses != b->refuses)
		return b->refuses;
	if (fresh != pool_is_fresh(b))
		return fresh;
	if (a->relieved != b->relieved)
		return b->relieved;
	if (a->relieved)
		return h2_carrier_opened(a->carrier) > h2_carrier_opened(b->carrier);
	if (h2_carrier_is_full(a->carrier) != h2_carrier_is_full(b->carrier))
		return h2_carrier_is_full(b->carrier);
	return h2_carrier_load(a->carrier) < h2_carrier_load(b->carrier);
}

struct pooled *
pool_choose(struct pool *p, bool refused)
{
	struct pooled *c, *best = NULL;

	LIST_FOREACH (c, &p->carriers, entry)
		if (!c->retired && !(refused && c->refuses) &&
		    h2_carrier_has_room(c->carrier) &&
		    (best == NULL || is_better(c, best)))
			best = c;
	return best == NULL || pool_is_fresh(best) || refused || bridges(best) ? best
									       : NULL;
}

void
pool_note_answer(struct pool *p, const struct h2_carrier *carrier, bool accepted)
{
	struct pooled *c;

	LIST_FOREACH (c, &p->carriers, entry)
		if (c->carrier == carrier)
			c->refuses = !accepted;
}

bool
pool_has_any(const struct pool *p)
{
	const struct pooled *c;

	LIST_FOREACH (c, &p->carriers, entry)
		if (!c->retired)
			return true;
	return false;
}

bool
pool_has_live(const struct pool *p)
{
	const struct pooled *c;

	LIST_FOREACH (c, &p->carriers, entry)
		if (!c->retired && h2_carrier_unanswered(c->carrier) < answer_in)
			return true;
	return false;
}

long
pool_ask_doubtful(struct pool *p)
{
	struct pooled *c;
	long count = 0;

	LIST_FOREACH (c, &p->carriers, entry) {
		if (c->retired || !h2_carrier_is_in_doubt(c->carrier))
			continue;
		h2_carrier_ask(c->carrier);
		count += !c->relieved;
	}
	return count;
}
