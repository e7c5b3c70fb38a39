#include "common/status/readiness.h"

#include "common/net/connect.h"
#include "common/net/reactor.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Seconds. */
static const double lately = 5;      /* for which a stream's dial is proof */
static const double verdict = 2;     /* for which a dial of ours is */
static const double dial_limit = 1;  /* of each target */
static const double check_limit = 3; /* of all targets together */

/* One service's app. */
struct check {
	struct readiness *all;
	const struct service *service; /* held by the generation */
	struct connect *dial;
	size_t target; /* being dialled */
	double began;  /* these two: by reactor_now(); 0: never */
	double ended;
	bool good;
	char why[256];
};

struct readiness {
	struct ev_loop *loop;
	struct resolver *resolver; /* NULL: none was needed yet */
	void (*settled)(void *owner);
	void *owner;
	struct generation *generation; /* held; NULL: none yet */
	struct check *checks;
	size_t count;
};

struct readiness *
readiness_new(struct ev_loop *loop, void (*settled)(void *owner), void *owner)
{
	struct readiness *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->loop = loop;
	r->settled = settled;
	r->owner = owner;
	return r;
}

static void
forget(struct readiness *r)
{
	for (size_t i = 0; i < r->count; i++)
		connect_cancel(r->checks[i].dial);
	free(r->checks);
	r->checks = NULL;
	r->count = 0;
	generation_release(r->generation);
	r->generation = NULL;
}

void
readiness_free(struct readiness *r)
{
	if (r == NULL)
		return;
	forget(r);
	resolver_free(r->resolver);
	free(r);
}

/* What was found out of a service that stays is true of it still. */
static void
inherit(struct check *check, const struct readiness *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->checks[i].service == check->service) {
			check->ended = r->checks[i].ended;
			check->good = r->checks[i].good;
			memcpy(check->why, r->checks[i].why, sizeof(check->why));
		}
}

void
readiness_follow(struct readiness *r, struct generation *generation)
{
	size_t count = generation->service_count;
	struct check *checks = calloc(count, sizeof(*checks));

	for (size_t i = 0; checks != NULL && i < count; i++) {
		checks[i].all = r;
		checks[i].service = generation->services[i];
		inherit(&checks[i], r);
	}
	generation_hold(generation);
	forget(r);
	r->generation = generation;
	r->checks = checks;
	r->count = checks != NULL ? count : 0;
}

/* ---- asking ---------------------------------------------------------------------- */

static bool dial(struct check *c);

static bool
is_dialling(const struct readiness *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->checks[i].dial != NULL)
			return true;
	return false;
}

static void
conclude(struct check *c, bool good, const char *why)
{
	c->good = good;
	c->ended = reactor_now();
	c->why[0] = '\0';
	strncat(c->why, why, sizeof(c->why) - 1);
}

static void
on_connected(
    void *arg, int fd, const struct address *to, enum reason reason, const char *why)
{
	struct check *c = arg;
	struct readiness *r = c->all;

	(void)to;
	(void)reason;
	c->dial = NULL;
	if (fd >= 0) {
		close(fd);
		conclude(c, true, "");
	} else if (++c->target >= c->service->target_count ||
		   reactor_now() >= c->began + check_limit || !dial(c)) {
		conclude(c, false, why);
	}
	if (!is_dialling(r))
		r->settled(r->owner);
}

/* False: it cannot be. */
static bool
dial(struct check *c)
{
	struct readiness *r = c->all;
	struct err e;

	if (r->resolver == NULL)
		r->resolver = resolver_new(r->loop, &e);
	if (r->resolver != NULL)
		c->dial = connect_start(r->loop, r->resolver,
		    c->service->targets[c->target].name, c->service->settings, dial_limit,
		    on_connected, c);
	return c->dial != NULL;
}

/* A stream's dial, which the workers count. */
static bool
answered_lately(const struct check *c)
{
	struct counts sum;
	uint64_t answered;

	counters_sum(c->service->counters, &sum);
	answered = count_of(&sum.answered);
	return answered != 0 && (double)answered / 1000 + lately > reactor_now();
}

static void
begin(struct check *c)
{
	if (c->service->settings->role == ROLE_CLIENT || c->dial != NULL)
		return;
	if (c->ended > 0 && reactor_now() < c->ended + verdict)
		return;
	if (answered_lately(c)) {
		conclude(c, true, "");
		c->ended = 0; /* ask again next time */
		return;
	}
	c->target = 0;
	c->began = reactor_now();
	if (!dial(c))
		conclude(c, false, "out of memory or descriptors");
}

bool
readiness_ask(struct readiness *r)
{
	for (size_t i = 0; i < r->count; i++)
		begin(&r->checks[i]);
	return !is_dialling(r);
}

bool
readiness_tell(const struct readiness *r, FILE *out)
{
	bool ready = true;

	if (r->checks == NULL) {
		fputs("out of memory\n", out);
		return false;
	}
	for (size_t i = 0; i < r->count; i++) {
		const struct check *c = &r->checks[i];

		if (c->service->settings->role == ROLE_CLIENT || c->good)
			continue;
		fprintf(out, "[%s] the app: %s\n", c->service->settings->name, c->why);
		ready = false;
	}
	return ready;
}
