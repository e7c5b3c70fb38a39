#include "common/tunnel/pool_internal.h"

void
pool_leave(struct pool_waiter *waiter)
{
	struct pool *p = waiter->pool;

	if (p == NULL)
		return;
	TAILQ_REMOVE(&p->waiters, waiter, entry);
	p->waiting--;
	p->refused -= waiter->refused;
	waiter->pool = NULL;
}

static struct pool_waiter *
next_waiter(struct pool *p)
{
	struct pool_waiter *w = TAILQ_FIRST(&p->waiters);

	if (w != NULL)
		pool_leave(w);
	return w;
}

void
pool_enqueue(struct pool *p, struct pool_waiter *waiter)
{
	TAILQ_INSERT_TAIL(&p->waiters, waiter, entry);
	p->waiting++;
	p->refused += waiter->refused;
	waiter->pool = p;
}

void
pool_serve(struct pool *p)
{
	struct pool_waiter *w;

	if (pool_choose(p, p->refused == p->waiting) == NULL)
		return;
	for (size_t n = p->waiting; n > 0 && (w = next_waiter(p)) != NULL; n--) {
		if (pool_choose(p, w->refused) != NULL)
			w->ready(w->owner);
		else
			pool_enqueue(p, w);
	}
}

void
pool_fail_waiters(struct pool *p, bool refused, enum reason reason, const char *detail)
{
	struct pool_waiter *w;

	for (size_t n = p->waiting; n > 0 && (w = next_waiter(p)) != NULL; n--) {
		if (w->refused || !refused)
			w->failed(w->owner, reason, detail);
		else
			pool_enqueue(p, w);
	}
}

void
pool_tell_raw(struct pool *p, struct link *link)
{
	struct pool_waiter *w;

	target_set_raw(p->target);
	for (size_t n = p->waiting; n > 0 && (w = next_waiter(p)) != NULL; n--) {
		w->raw(w->owner, link);
		link = NULL;
	}
	if (link != NULL) {
		tls_finish(&link->tls);
		link_close(link, false);
	}
}
