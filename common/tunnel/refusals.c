#include "common/tunnel/refusals.h"

#include "common/net/reactor.h"

#include <stdlib.h>
#include <string.h>

enum {
	/* Times that one far end may refuse a stream. */
	MOST = 3,
};

/* Seconds for which a stream looks for a far end that does not: the next dial may be
 * more than a second off, and takes a moment. */
static const double look_for = 1.5;

bool
refusals_may_differ(enum reason reason)
{
	return reason == REASON_APP_UNREACHABLE || reason == REASON_FULL ||
	       reason == REASON_NO_MEMORY || reason == REASON_STOPPED;
}

/* Those for whom there is no place share the last. */
void
refusals_add(struct refusals *r, enum reason reason, const char *words, uint64_t instance)
{
	int i = 0;

	free(r->words);
	r->words = words != NULL ? strdup(words) : NULL;
	r->reason = reason;
	if (r->count++ == 0)
		r->since = reactor_now();
	while (i < REFUSALS_FAR_ENDS - 1 && r->of[i] > 0 && r->by[i] != instance)
		i++;
	r->by[i] = instance;
	if (r->of[i] < MOST)
		r->of[i]++;
}

bool
refusals_end_soon(const struct refusals *r)
{
	return r->reason == REASON_STOPPED;
}

double
refusals_left(const struct refusals *r)
{
	return r->since + look_for - reactor_now();
}

bool
refusals_suffice(const struct refusals *r)
{
	if (r->count == 0 || refusals_end_soon(r))
		return false;
	for (int i = 0; i < REFUSALS_FAR_ENDS; i++)
		if (r->of[i] >= MOST)
			return true;
	return refusals_left(r) <= 0;
}

void
refusals_clear(struct refusals *r)
{
	free(r->words);
	*r = (struct refusals){.reason = REASON_NONE};
}
