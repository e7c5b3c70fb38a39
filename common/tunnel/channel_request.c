#include "common/tunnel/channel_request.h"

#include "common/net/reactor.h"

enum {
	/* The most bytes that go along with the request. */
	FIRST_BYTES = 64 * 1024,
	/* Carriers of one target that may be lost. */
	MOST_TRIES = 4,
};

static bool try_carrier(struct channel_request *r);

static struct ev_loop *
loop_of(const struct channel_request *r)
{
	return r->reactor->loop;
}

static struct pool *
pool_of_target(const struct channel_request *r)
{
	return pool_of(r->pools, r->service, failover_target(r->walk));
}

/* ---- the end --------------------------------------------------------------------- */

void
channel_request_stop(struct channel_request *r)
{
	ev_timer_stop(loop_of(r), &r->limit);
	pool_leave(&r->waiter);
	if (r->channel != NULL) {
		endpoint_end(&r->channel->endpoint, ENDING_RST);
		channel_release(r->channel);
	}
	r->channel = NULL;
	r->given = 0;
}

struct buf
channel_request_take_rest(struct channel_request *r)
{
	struct buf rest = r->first;

	buf_consume(&rest, r->given);
	r->first = (struct buf){0};
	return rest;
}

void
channel_request_clear(struct channel_request *r)
{
	buf_clear(&r->first);
	refusals_clear(&r->refusals);
}

static void
fail(struct channel_request *r, enum reason reason, const char *detail)
{
	r->events->failed(r->owner, reason, detail, true);
}

/* It is not certain that no byte reached an app: nothing else may be tried. */
static void
fail_for_good(struct channel_request *r, enum reason reason, const char *detail)
{
	r->events->failed(r->owner, reason, detail, false);
}

/* It stays with the refusal. */
static void
give_in(struct channel_request *r)
{
	struct refusals refusals = r->refusals;

	r->refusals = (struct refusals){.reason = REASON_NONE};
	fail(r, refusals.reason, refusals.words);
	refusals_clear(&refusals);
}

/* ---- the first bytes ------------------------------------------------------------- */

/* Give the channel what it has not had of the first bytes. */
static void
push(struct channel_request *r)
{
	struct endpoint *e = &r->channel->endpoint;
	struct batch batch;
	size_t left = buf_length(&r->first) - r->given, room = endpoint_room(e);

	if (left > room)
		left = room;
	if (left > 0) {
		batch_empty(&batch);
		batch_add(&batch, buf_bytes(&r->first) + r->given, left);
		r->given += endpoint_give(e, &batch);
	}
	endpoint_wait(e, false, r->given < buf_length(&r->first));
}

static void
request_on_channel_wake(void *owner)
{
	struct channel_request *r = owner;

	if (!r->channel->endpoint.deaf)
		push(r);
}

bool
channel_request_feed(struct channel_request *r, struct endpoint *program)
{
	size_t space = FIRST_BYTES - buf_length(&r->first);
	struct batch batch;
	enum source source;
	int i;

	if (r->channel == NULL || space == 0)
		return false;
	source = endpoint_take(program, space, &batch); /* an end shows again later */
	for (i = 0; i < batch.count; i++)
		if (!buf_append(
			&r->first, batch.parts[i].iov_base, batch.parts[i].iov_len))
			program->deaf = true;
	push(r);
	return source == SOURCE_OPEN && buf_length(&r->first) < FIRST_BYTES;
}

/* ---- a limit of time ------------------------------------------------------------- */

static void
start_limit(struct channel_request *r)
{
	double left = failover_left(r->walk);
	double look = refusals_left(&r->refusals);

	if (r->refusals.count > 0 && r->channel == NULL &&
	    !refusals_end_soon(&r->refusals) && look < left)
		left = look;
	ev_timer_stop(loop_of(r), &r->limit);
	ev_timer_set(&r->limit, left, 0);
	ev_timer_start(loop_of(r), &r->limit);
}

/* Who has no carrier yet waits for a dial. */
static const char *
silence(const struct channel_request *r)
{
	const struct pool *pool = r->channel == NULL ? r->waiter.pool : NULL;
	const char *words = pool != NULL ? pool_silence(pool) : NULL;

	return words != NULL ? words : "the far end does not answer in time";
}

/* Bytes that are on their way may have reached an app: then nothing else may be tried,
 * and all the time that there is goes to this answer. */
static void
request_on_limit(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct channel_request *r = timer->data;
	const char *why = silence(r);

	(void)loop;
	(void)events;
	if (r->refusals.count > 0 && r->channel == NULL)
		give_in(r);
	else if (r->given == 0)
		fail(r, REASON_OPEN_TIMEOUT, why);
	else if (failover_extend(r->walk))
		start_limit(r);
	else
		fail_for_good(r, REASON_OPEN_TIMEOUT, why);
}

/* ---- answers --------------------------------------------------------------------- */

static void
note_refusal(struct channel_request *r, enum reason reason, const char *detail)
{
	struct counts *counts = counters_share(r->service->counters, r->reactor->index);

	if (counts != NULL)
		count_add(&counts->retries[reason], 1);
	pool_note_answer(pool_of_target(r), r->carrier, false);
	refusals_add(&r->refusals, reason, detail, h2_carrier_instance(r->carrier));
}

static void
request_on_accepted(void *owner)
{
	struct channel_request *r = owner;
	struct channel *channel = r->channel;

	pool_note_answer(pool_of_target(r), r->carrier, true);
	ev_timer_stop(loop_of(r), &r->limit);
	r->channel = NULL;
	r->events->accepted(r->owner, channel);
}

static void
request_on_refused(void *owner, enum reason reason, const char *detail, bool again)
{
	struct channel_request *r = owner;

	if (!again) {
		fail_for_good(r, reason, detail);
		return;
	}
	if (refusals_may_differ(reason)) {
		note_refusal(r, reason, detail);
	} else if (reason != REASON_CARRIER_LOST || ++r->tries == MOST_TRIES) {
		fail(r, reason, detail);
		return;
	}
	channel_request_stop(r); /* and @detail with it */
	if (refusals_suffice(&r->refusals))
		give_in(r);
	else if (!try_carrier(r))
		fail(r, REASON_NO_MEMORY, NULL);
}

static const struct channel_events channel_events = {
    .accepted = request_on_accepted,
    .refused = request_on_refused,
};

/* ---- carriers -------------------------------------------------------------------- */

static void
ask(struct channel_request *r, struct h2_carrier *carrier)
{
	struct endpoint *e;

	r->channel = h2_carrier_open(carrier, r->peer, &channel_events, r);
	if (r->channel == NULL)
		return;
	r->carrier = carrier;
	e = &r->channel->endpoint;
	e->wake = request_on_channel_wake;
	e->owner = r;
	r->given = 0;
	push(r);
}

/* False: out of memory.  Else the request may be gone. */
static bool
try_carrier(struct channel_request *r)
{
	struct pool *pool = pool_of_target(r);
	struct h2_carrier *carrier;

	if (pool == NULL)
		return false;
	if ((carrier = pool_pick(pool, r->refusals.count > 0)) != NULL)
		ask(r, carrier);
	start_limit(r);
	if (r->channel != NULL) {
		r->events->hungry(r->owner); /* who may find the program gone */
	} else if (r->refusals.count > 0 && !refusals_end_soon(&r->refusals) &&
		   r->walk->untried > 0 && !pool_is_dialling(pool)) {
		give_in(r); /* rather than wait for the next dial */
	} else {
		r->waiter.refused = r->refusals.count > 0;
		pool_wait(pool, &r->waiter);
	}
	return true;
}

static void
request_on_carrier_ready(void *owner)
{
	struct channel_request *r = owner;

	if (!try_carrier(r))
		fail(r, REASON_NO_MEMORY, NULL);
}

static void
request_on_carrier_raw(void *owner, struct link *link)
{
	struct channel_request *r = owner;

	ev_timer_stop(loop_of(r), &r->limit);
	r->events->raw(r->owner, link);
}

static void
request_on_carrier_failed(void *owner, enum reason reason, const char *detail)
{
	struct channel_request *r = owner;

	if (refusals_end_soon(&r->refusals) && failover_left(r->walk) > 0)
		pool_wait(pool_of_target(r), &r->waiter);
	else if (r->refusals.count > 0)
		give_in(r);
	else
		fail(r, reason, detail);
}

/* ---- the beginning --------------------------------------------------------------- */

void
channel_request_init(struct channel_request *r)
{
	r->waiter = (struct pool_waiter){
	    .owner = r,
	    .ready = request_on_carrier_ready,
	    .raw = request_on_carrier_raw,
	    .failed = request_on_carrier_failed,
	};
	ev_init(&r->limit, request_on_limit);
	r->limit.data = r;
}

/* What was refused by another target does not count here. */
static void
begin(struct channel_request *r)
{
	r->tries = 0;
	refusals_clear(&r->refusals);
}

bool
channel_request_start(struct channel_request *r)
{
	begin(r);
	return try_carrier(r);
}

bool
channel_request_start_with(struct channel_request *r, struct link *link)
{
	struct pool *pool = pool_of_target(r);

	if (pool == NULL) {
		link_close(link, true);
		return false;
	}
	begin(r);
	start_limit(r);
	r->waiter.refused = false;
	pool_wait_with(pool, &r->waiter, link);
	return true;
}
