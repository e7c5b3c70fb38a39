#include "common/tunnel/stream_open.h"

#include "common/base/socket.h"
#include "common/carrier/link_dial.h"
#include "common/tunnel/failover.h"
#include "common/net/dial.h"
#include "common/tunnel/send_proxy.h"
#include "common/tunnel/refusals.h"

#include <stdlib.h>
#include <string.h>

enum {
	/* The most bytes that go along with the question. */
	FIRST_BYTES = 64 * 1024,
	/* Carriers of one target that may turn a stream away. */
	MOST_TRIES = 4,
};

struct stream_open {
	const struct dialer *dialer;
	struct service *service;
	const char *peer;
	const struct channel *caller; /* the server's; NULL in the client */
	const struct stream_open_events *events;
	void *owner;
	struct failover_walk attempts;
	int tries; /* of this target's carriers */

	/* What is under way, one at a time: */
	struct dial *dial;          /* to the app */
	struct link_dial *approach; /* to a raw link */
	struct pool_waiter waiter;  /* for an h2 carrier */
	struct channel *channel;    /* asked, not answered, */
	struct h2_carrier *carrier; /* on that one */
	struct refusals refusals;   /* of this target's far ends */

	ev_timer limit;   /* of waiting for a carrier and an answer */
	struct buf first; /* the program's first bytes */
	size_t given;     /* how many of them this channel has accepted; 0: no channel */
	bool tried[];     /* by target */
};

static bool try_next(struct stream_open *o);
static bool try_carrier(struct stream_open *o);
static void start_limit(struct stream_open *o);

static struct ev_loop *
loop_of(const struct stream_open *o)
{
	return o->dialer->reactor->loop;
}

static struct target *
target_of(const struct stream_open *o)
{
	return failover_target(&o->attempts);
}

static struct pool *
pool_of_target(const struct stream_open *o)
{
	return pool_of(o->dialer->pools, o->service, target_of(o));
}

static bool
is_client(const struct stream_open *o)
{
	return o->service->settings->role == ROLE_CLIENT;
}

/* ---- the end --------------------------------------------------------------------- */

/* Stop whatever is under way. */
static void
stop(struct stream_open *o)
{
	ev_timer_stop(loop_of(o), &o->limit);
	dial_cancel(o->dial);
	o->dial = NULL;
	link_dial_cancel(o->approach);
	o->approach = NULL;
	pool_leave(&o->waiter);
	if (o->channel != NULL) {
		endpoint_end(&o->channel->endpoint, ENDING_RST);
		channel_release(o->channel);
	}
	o->channel = NULL;
	o->given = 0;
}

static void
discard(struct stream_open *o)
{
	failover_clear(&o->attempts);
	refusals_clear(&o->refusals);
	free(o);
}

void
stream_open_cancel(struct stream_open *o)
{
	if (o == NULL)
		return;
	stop(o);
	buf_clear(&o->first);
	discard(o);
}

static void
give_up(struct stream_open *o)
{
	const struct stream_open_events *events = o->events;
	enum reason reason = o->attempts.reason;
	void *owner = o->owner;
	struct buf words = failover_give_up(&o->attempts);

	stream_open_cancel(o);
	events->failed(owner, reason,
	    buf_length(&words) > 0 ? (const char *)buf_bytes(&words)
				   : reason_text(reason));
	buf_clear(&words);
}

/* Try the next target, if there is one and time is left. */
static void
target_failed(struct stream_open *o, enum reason reason, const char *detail)
{
	failover_fail(&o->attempts, reason, detail);
	stop(o);
	if (!try_next(o))
		give_up(o);
}

/* It is not certain that no byte reached an app: nothing else may be tried. */
static void
fail_for_good(struct stream_open *o, enum reason reason, const char *detail)
{
	failover_blame(&o->attempts, reason, detail);
	give_up(o);
}

static void
opened(struct stream_open *o, int fd, struct channel *channel)
{
	const struct stream_open_events *events = o->events;
	void *owner = o->owner;
	size_t fed = buf_length(&o->first);
	struct buf rest;

	failover_succeed(&o->attempts);
	buf_consume(&o->first, o->given);
	rest = o->first;
	ev_timer_stop(loop_of(o), &o->limit);
	discard(o);
	events->opened(owner, fd, channel, rest, fed);
}

/* ---- raw carriers and sockets ---------------------------------------------------- */

static void
use_raw(struct stream_open *o, struct link *link)
{
	struct channel *channel = carrier_raw_new(link);

	if (channel != NULL)
		opened(o, -1, channel);
	else
		target_failed(o, REASON_NO_MEMORY, NULL);
}

/* h2 was not to be had when the dial began, but by now it is. */
static void
use_h2(struct stream_open *o, struct link *link)
{
	struct pool *pool = pool_of_target(o);

	if (pool == NULL) {
		link_close(link, true);
		target_failed(o, REASON_NO_MEMORY, NULL);
		return;
	}
	start_limit(o);
	pool_wait_with(pool, &o->waiter, link);
}

static void
on_link_opened(void *owner, struct link *link)
{
	struct stream_open *o = owner;

	o->approach = NULL;
	if (tls_is_h2(&link->tls))
		use_h2(o, link);
	else
		use_raw(o, link);
}

static void
on_link_failed(void *owner, enum reason reason, const char *detail)
{
	struct stream_open *o = owner;

	o->approach = NULL;
	target_failed(o, reason, detail);
}

static const struct link_events link_events = {
    .opened = on_link_opened,
    .failed = on_link_failed,
};

/* No byte of the stream has reached an app that does not take what goes ahead of it. */
static void
use_app(struct stream_open *o, int fd)
{
	struct err e = {.text = ""};
	enum reason reason =
	    send_proxy_header(fd, o->service->settings, o->caller, o->peer, &e);

	if (reason == REASON_NONE) {
		opened(o, fd, NULL);
		return;
	}
	socket_reset(fd);
	target_failed(o, reason, e.text);
}

static void
on_connected(
    void *arg, int fd, const struct address *to, enum reason reason, const char *why)
{
	struct stream_open *o = arg;

	(void)to;
	o->dial = NULL;
	if (fd < 0) {
		/* An app that resets at once was reached: nobody need try elsewhere. */
		target_failed(o,
		    reason == REASON_FAR_RESET ? REASON_PROGRAM_RESET
					       : REASON_APP_UNREACHABLE,
		    why);
		return;
	}
	service_tune(o->service, fd, SOCKET_REMOTE, true);
	use_app(o, fd);
}

static bool
dial_app(struct stream_open *o)
{
	o->dial = dial_start(loop_of(o), o->dialer->resolver, target_of(o)->name,
	    o->service->settings, failover_left(&o->attempts), on_connected, o);
	return o->dial != NULL;
}

static bool
dial_raw(struct stream_open *o)
{
	o->approach = link_dial_start(o->dialer->links, o->dialer->resolver, o->service,
	    target_of(o), false, failover_left(&o->attempts), &link_events, o);
	return o->approach != NULL;
}

/* ---- refusals -------------------------------------------------------------------- */

static void
note_refusal(struct stream_open *o, enum reason reason, const char *detail)
{
	struct counts *counts =
	    counters_share(o->service->counters, o->dialer->reactor->index);

	if (counts != NULL)
		count_add(&counts->retries[reason], 1);
	pool_note_answer(pool_of_target(o), o->carrier, false);
	refusals_add(&o->refusals, reason, detail, h2_carrier_instance(o->carrier));
}

/* It stays with the refusal. */
static void
give_in(struct stream_open *o)
{
	struct refusals r = o->refusals;

	o->refusals = (struct refusals){.reason = REASON_NONE};
	target_failed(o, r.reason, r.words);
	free(r.words);
}

/* ---- h2 carriers ----------------------------------------------------------------- */

static void
on_carrier_ready(void *owner)
{
	struct stream_open *o = owner;

	if (!try_carrier(o))
		target_failed(o, REASON_NO_MEMORY, NULL);
}

static void
on_carrier_raw(void *owner, struct link *link)
{
	struct stream_open *o = owner;

	ev_timer_stop(loop_of(o), &o->limit);
	if (link != NULL)
		use_raw(o, link);
	else if (!dial_raw(o))
		target_failed(o, REASON_NO_MEMORY, NULL);
}

static void
on_carrier_failed(void *owner, enum reason reason, const char *detail)
{
	struct stream_open *o = owner;

	if (refusals_end_soon(&o->refusals) && failover_left(&o->attempts) > 0)
		pool_wait(pool_of_target(o), &o->waiter);
	else if (o->refusals.count > 0)
		give_in(o);
	else
		target_failed(o, reason, detail);
}

static void
on_accepted(void *owner)
{
	struct stream_open *o = owner;
	struct channel *channel = o->channel;

	pool_note_answer(pool_of_target(o), o->carrier, true);
	o->channel = NULL;
	opened(o, -1, channel);
}

static void
on_refused(void *owner, enum reason reason, const char *detail, bool again)
{
	struct stream_open *o = owner;

	if (!again) {
		fail_for_good(o, reason, detail);
		return;
	}
	if (refusals_may_differ(reason)) {
		note_refusal(o, reason, detail);
	} else if (reason != REASON_CARRIER_LOST || ++o->tries == MOST_TRIES) {
		target_failed(o, reason, detail);
		return;
	}
	stop(o); /* and @detail with it */
	if (refusals_suffice(&o->refusals))
		give_in(o);
	else if (!try_carrier(o))
		target_failed(o, REASON_NO_MEMORY, NULL);
}

static const struct channel_events channel_events = {
    .accepted = on_accepted,
    .refused = on_refused,
};

/* Give the channel what it has not had of the first bytes. */
static void
push(struct stream_open *o)
{
	struct endpoint *e = &o->channel->endpoint;
	struct batch batch;
	size_t left = buf_length(&o->first) - o->given, room = endpoint_room(e);

	if (left > room)
		left = room;
	if (left > 0) {
		batch_empty(&batch);
		batch_add(&batch, buf_bytes(&o->first) + o->given, left);
		o->given += endpoint_give(e, &batch);
	}
	endpoint_wait(e, false, o->given < buf_length(&o->first));
}

static void
on_channel_wake(void *owner)
{
	struct stream_open *o = owner;

	if (!o->channel->endpoint.deaf)
		push(o);
}

static void
start_limit(struct stream_open *o)
{
	double left = failover_left(&o->attempts);
	double look = refusals_left(&o->refusals);

	if (o->refusals.count > 0 && o->channel == NULL &&
	    !refusals_end_soon(&o->refusals) && look < left)
		left = look;
	ev_timer_stop(loop_of(o), &o->limit);
	ev_timer_set(&o->limit, left, 0);
	ev_timer_start(loop_of(o), &o->limit);
}

/* Who has no carrier yet waits for a dial. */
static const char *
silence(const struct stream_open *o)
{
	const struct pool *pool = o->channel == NULL ? o->waiter.pool : NULL;
	const char *words = pool != NULL ? pool_silence(pool) : NULL;

	return words != NULL ? words : "the far end does not answer in time";
}

/* Bytes that are on their way may have reached an app: then nothing else may be tried,
 * and all the time that there is goes to this answer. */
static void
on_limit(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct stream_open *o = timer->data;
	const char *why = silence(o);

	(void)loop;
	(void)events;
	if (o->refusals.count > 0 && o->channel == NULL) {
		give_in(o);
	} else if (o->given == 0) {
		target_failed(o, REASON_OPEN_TIMEOUT, why);
	} else if (failover_extend(&o->attempts)) {
		start_limit(o);
	} else {
		fail_for_good(o, REASON_OPEN_TIMEOUT, why);
	}
}

static void
ask(struct stream_open *o, struct h2_carrier *carrier)
{
	struct endpoint *e;

	o->channel = h2_carrier_open(carrier, o->peer, &channel_events, o);
	if (o->channel == NULL)
		return;
	o->carrier = carrier;
	e = &o->channel->endpoint;
	e->wake = on_channel_wake;
	e->owner = o;
	o->given = 0;
	push(o);
}

/* False: out of memory.  Else the opening may be gone. */
static bool
try_carrier(struct stream_open *o)
{
	struct pool *pool = pool_of_target(o);
	struct h2_carrier *carrier;

	if (pool == NULL)
		return false;
	if ((carrier = pool_pick(pool, o->refusals.count > 0)) != NULL)
		ask(o, carrier);
	start_limit(o);
	if (o->channel != NULL) {
		o->events->hungry(o->owner); /* who may find the program gone */
	} else if (o->refusals.count > 0 && !refusals_end_soon(&o->refusals) &&
		   o->attempts.untried > 0 && !pool_is_dialling(pool)) {
		give_in(o); /* rather than wait for the next dial */
	} else {
		o->waiter.refused = o->refusals.count > 0;
		pool_wait(pool, &o->waiter);
	}
	return true;
}

bool
stream_open_feed(struct stream_open *o, struct endpoint *program)
{
	size_t space = FIRST_BYTES - buf_length(&o->first);
	struct batch batch;
	enum source source;
	int i;

	if (o->channel == NULL || space == 0)
		return false;
	source = endpoint_take(program, space, &batch); /* an end shows again later */
	for (i = 0; i < batch.count; i++)
		if (!buf_append(
			&o->first, batch.parts[i].iov_base, batch.parts[i].iov_len))
			program->deaf = true;
	push(o);
	return source == SOURCE_OPEN && buf_length(&o->first) < FIRST_BYTES;
}

size_t
stream_open_given(const struct stream_open *o)
{
	return o->given;
}

/* ---- the beginning --------------------------------------------------------------- */

/* False: there is none, or no time or no memory left. */
static bool
try_next(struct stream_open *o)
{
	struct target *rested;

	if (!failover_next(&o->attempts))
		return false;
	o->tries = 0;
	refusals_clear(&o->refusals);
	if (!is_client(o))
		return dial_app(o);
	if ((rested = failover_look(&o->attempts)) != NULL)
		pool_look(o->dialer->pools, o->service, rested);
	return target_may_h2(target_of(o)) ? try_carrier(o) : dial_raw(o);
}

struct stream_open *
stream_open_start(const struct dialer *dialer, struct service *service, const char *peer,
    const struct channel *caller, const struct stream_open_events *events, void *owner)
{
	struct stream_open *o =
	    malloc(sizeof(*o) + service->target_count * sizeof(o->tried[0]));

	if (o == NULL)
		return NULL;
	*o = (struct stream_open){
	    .dialer = dialer,
	    .service = service,
	    .peer = peer,
	    .caller = caller,
	    .events = events,
	    .owner = owner,
	    .waiter =
		{
		    .owner = o,
		    .ready = on_carrier_ready,
		    .raw = on_carrier_raw,
		    .failed = on_carrier_failed,
		},
	};
	failover_init(&o->attempts, service, o->tried);
	ev_init(&o->limit, on_limit);
	o->limit.data = o;
	if (!try_next(o)) {
		free(o);
		return NULL;
	}
	return o;
}
