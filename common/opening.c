#include "common/opening.h"

#include "common/dial.h"
#include "common/greeting.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* The most bytes that go along with the question. */
	FIRST_BYTES = 64 * 1024,
	/* Carriers of one target that may turn a stream away. */
	MOST_TRIES = 4,
	/* Bytes that a line has for the words of each target, however many there are. */
	LEAST_WORDS = 64,
};

/* Seconds that every target gets, however many there are. */
static const double least_share = 1;

struct opening {
	const struct dialer *dialer;
	struct service *service;
	const char *peer;
	const struct channel *caller; /* the server's; NULL in the client */
	const struct opening_events *events;
	void *owner;
	size_t beginning;    /* the target to begin the round with */
	size_t current;      /* the target being tried */
	size_t untried;      /* how many are left */
	int tries;           /* of this target's carriers */
	double deadline;     /* of the whole; both by reactor_now() */
	double share_ends;   /* of this target */
	enum reason reason;  /* the first failure */
	struct buf failures; /* why each target failed, in words */

	/* What is under way, one at a time: */
	struct dial *dial;
	struct link *link;         /* in its handshake */
	struct pool_waiter waiter; /* for an h2 carrier */
	struct channel *channel;   /* asked, not answered */

	ev_timer limit;   /* of waiting for a carrier and an answer */
	struct buf first; /* the program's first bytes */
	size_t given;     /* how many of them this channel has accepted; 0: no channel */
	bool tried[];     /* by target */
};

static bool try_next(struct opening *o);
static bool try_carrier(struct opening *o);

static struct ev_loop *
loop_of(const struct opening *o)
{
	return o->dialer->reactor->loop;
}

static struct target *
target_of(const struct opening *o)
{
	return &o->service->targets[o->current];
}

/* Is there more than one target? */
static bool
has_choice(const struct opening *o)
{
	return o->service->target_count > 1;
}

static bool
is_client(const struct opening *o)
{
	return o->service->settings->role == ROLE_CLIENT;
}

/* ---- the end --------------------------------------------------------------------- */

/* Stop whatever is under way. */
static void
stop(struct opening *o)
{
	struct link *link = o->link;

	ev_timer_stop(loop_of(o), &o->limit);
	dial_cancel(o->dial);
	o->dial = NULL;
	o->link = NULL;
	if (link != NULL)
		link_cancel(link);
	pool_leave(&o->waiter);
	if (o->channel != NULL) {
		endpoint_end(&o->channel->endpoint, ENDING_RST);
		channel_release(o->channel);
	}
	o->channel = NULL;
	o->given = 0;
}

static void
discard(struct opening *o)
{
	buf_clear(&o->failures);
	free(o);
}

void
opening_cancel(struct opening *o)
{
	if (o == NULL)
		return;
	stop(o);
	buf_clear(&o->first);
	discard(o);
}

/* One line for somebody to act on. */
static void
log_failure(const struct opening *o, const char *detail)
{
	const char *service = o->service->settings->name;
	const char *why = reason_word(o->reason);
	char name[LOG_QUOTE_SIZE], text[LOG_QUOTE_SIZE];

	log_quote(service, name);
	log_quote(detail, text);
	if (has_choice(o))
		log_cause(LOG_LEVEL_ERROR, service,
		    "event=failed why=%s service=%s detail=%s", why, name, text);
	else
		log_cause(LOG_LEVEL_ERROR, service,
		    "event=failed why=%s service=%s target=%s detail=%s", why, name,
		    target_of(o)->text, text);
}

static void
give_up(struct opening *o)
{
	const struct opening_events *events = o->events;
	enum reason reason = o->reason;
	void *owner = o->owner;
	struct buf failures = o->failures;
	const char *detail = reason_text(reason);

	if (buf_append(&failures, "", 1))
		detail = (const char *)buf_bytes(&failures);
	o->failures = (struct buf){0};
	log_failure(o, detail);
	opening_cancel(o);
	events->failed(owner, reason, detail);
	buf_clear(&failures);
}

/* Of several targets each has a like share of the line. */
static void
keep_words(struct opening *o, enum reason reason, const char *detail)
{
	char piece[LOG_QUOTE_SIZE];
	size_t share = LOG_QUOTE_SIZE / o->service->target_count;
	int n;

	if (!has_choice(o)) {
		buf_append(&o->failures, detail, strlen(detail));
		return;
	}
	if (share < LEAST_WORDS)
		share = LEAST_WORDS;
	n = snprintf(piece, share, "%s%s: %s (%s)",
	    buf_length(&o->failures) > 0 ? "; " : "", target_of(o)->text,
	    reason_word(reason), detail);
	if ((size_t)n >= share)
		memcpy(piece + share - 4, "...", 4);
	buf_append(&o->failures, piece, strlen(piece));
}

/* There is nowhere else to go while the only target rests, so it never does. */
static void
note_failure(struct opening *o, enum reason reason, const char *detail)
{
	char name[LOG_QUOTE_SIZE], text[LOG_QUOTE_SIZE];
	double seconds;

	if (detail == NULL)
		detail = reason_text(reason);
	if (o->reason == REASON_NONE)
		o->reason = reason;
	keep_words(o, reason, detail);
	if (!has_choice(o) || reason == REASON_NO_MEMORY)
		return;
	if ((seconds = target_fail(target_of(o), reactor_now())) > 0)
		log_warning(
		    "event=target-rests target=%s service=%s for=%.1f why=%s detail=%s",
		    target_of(o)->text, log_quote(o->service->settings->name, name),
		    seconds, reason_word(reason), log_quote(detail, text));
}

static void
note_success(struct opening *o)
{
	char name[LOG_QUOTE_SIZE];

	if (has_choice(o) && target_answer(target_of(o)))
		log_info("event=target-back target=%s service=%s", target_of(o)->text,
		    log_quote(o->service->settings->name, name));
}

/* Try the next target, if there is one and time is left. */
static void
target_failed(struct opening *o, enum reason reason, const char *detail)
{
	note_failure(o, reason, detail);
	stop(o);
	if (o->untried == 0 || reactor_now() >= o->deadline || !try_next(o))
		give_up(o);
}

/* It is not certain that no byte reached an app: nothing else may be tried. */
static void
fail_for_good(struct opening *o, enum reason reason, const char *detail)
{
	if (o->reason == REASON_NONE)
		o->reason = reason;
	keep_words(o, reason, detail != NULL ? detail : reason_text(reason));
	give_up(o);
}

static void
opened(struct opening *o, int fd, struct channel *channel)
{
	const struct opening_events *events = o->events;
	void *owner = o->owner;
	size_t fed = buf_length(&o->first);
	struct buf rest;

	note_success(o);
	buf_consume(&o->first, o->given);
	rest = o->first;
	ev_timer_stop(loop_of(o), &o->limit);
	discard(o);
	events->opened(owner, fd, channel, rest, fed);
}

/* ---- raw carriers and sockets ---------------------------------------------------- */

static void
use_raw(struct opening *o, struct link *link)
{
	struct channel *channel = carrier_raw_new(link);

	if (channel != NULL)
		opened(o, -1, channel);
	else
		target_failed(o, REASON_NO_MEMORY, NULL);
}

static void
on_link_opened(void *owner, struct link *link)
{
	struct opening *o = owner;

	o->link = NULL;
	use_raw(o, link);
}

static void
on_link_failed(void *owner, enum reason reason, const char *detail)
{
	struct opening *o = owner;

	o->link = NULL;
	target_failed(o, reason, detail);
}

static const struct link_events link_events = {
    .opened = on_link_opened,
    .failed = on_link_failed,
};

/* No byte of the stream has reached an app that does not take what goes ahead of it. */
static void
use_app(struct opening *o, int fd)
{
	struct err e = {""};
	enum reason reason =
	    greeting_send(fd, o->service->settings, o->caller, o->peer, &e);

	if (reason == REASON_NONE) {
		opened(o, fd, NULL);
		return;
	}
	net_reset(fd);
	target_failed(o, reason, e.text);
}

static void
on_connected(
    void *arg, int fd, const struct net_address *to, enum reason reason, const char *why)
{
	struct opening *o = arg;

	(void)to;
	o->dial = NULL;
	if (fd < 0) {
		target_failed(o, is_client(o) ? reason : REASON_APP_UNREACHABLE, why);
		return;
	}
	service_tune(o->service, fd, SOCKET_REMOTE, !is_client(o));
	if (!is_client(o)) {
		use_app(o, fd);
		return;
	}
	o->link = link_new(o->dialer->links, o->service, target_of(o), fd,
	    o->share_ends - reactor_now(), &link_events, o);
	if (o->link == NULL)
		target_failed(o, REASON_NO_MEMORY, NULL);
}

static bool
dial(struct opening *o)
{
	o->dial = dial_start(loop_of(o), o->dialer->resolver, target_of(o)->name,
	    o->service->settings, o->share_ends - reactor_now(), on_connected, o);
	return o->dial != NULL;
}

/* ---- h2 carriers ----------------------------------------------------------------- */

static void
on_carrier_ready(void *owner)
{
	struct opening *o = owner;

	if (!try_carrier(o))
		target_failed(o, REASON_NO_MEMORY, NULL);
}

static void
on_carrier_raw(void *owner, struct link *link)
{
	struct opening *o = owner;

	ev_timer_stop(loop_of(o), &o->limit);
	if (link != NULL)
		use_raw(o, link);
	else if (!dial(o))
		target_failed(o, REASON_NO_MEMORY, NULL);
}

static void
on_carrier_failed(void *owner, enum reason reason, const char *detail)
{
	target_failed(owner, reason, detail);
}

static void
on_accepted(void *owner)
{
	struct opening *o = owner;
	struct channel *channel = o->channel;

	o->channel = NULL;
	opened(o, -1, channel);
}

/* A carrier that goes away says nothing of its target. */
static bool
is_carriers_end(enum reason reason)
{
	return reason == REASON_CARRIER_LOST || reason == REASON_STOPPED;
}

static void
on_refused(void *owner, enum reason reason, const char *detail, bool again)
{
	struct opening *o = owner;

	if (!again) {
		fail_for_good(o, reason, detail);
		return;
	}
	if (is_carriers_end(reason) && ++o->tries < MOST_TRIES) {
		stop(o);
		if (try_carrier(o))
			return;
	}
	target_failed(o, reason, detail);
}

static const struct channel_events channel_events = {
    .accepted = on_accepted,
    .refused = on_refused,
};

/* Give the channel what it has not had of the first bytes. */
static void
push(struct opening *o)
{
	struct endpoint *e = &o->channel->endpoint;
	struct batch batch = {0};
	size_t left = buf_length(&o->first) - o->given, room = endpoint_room(e);

	if (left > room)
		left = room;
	if (left > 0) {
		batch_add(&batch, buf_bytes(&o->first) + o->given, left);
		o->given += endpoint_give(e, &batch);
	}
	endpoint_wait(e, false, o->given < buf_length(&o->first));
}

static void
on_channel_wake(void *owner)
{
	struct opening *o = owner;

	if (!o->channel->endpoint.deaf)
		push(o);
}

static void
start_limit(struct opening *o)
{
	ev_timer_stop(loop_of(o), &o->limit);
	ev_timer_set(&o->limit, o->share_ends - reactor_now(), 0);
	ev_timer_start(loop_of(o), &o->limit);
}

/* Bytes that are on their way may have reached an app: then nothing else may be tried,
 * and all the time that there is goes to this answer. */
static void
on_limit(struct ev_loop *loop, ev_timer *timer, int events)
{
	static const char why[] = "the far end does not answer in time";
	struct opening *o = timer->data;

	(void)loop;
	(void)events;
	if (o->given == 0) {
		target_failed(o, REASON_OPEN_TIMEOUT, why);
	} else if (o->share_ends < o->deadline) {
		o->share_ends = o->deadline;
		start_limit(o);
	} else {
		fail_for_good(o, REASON_OPEN_TIMEOUT, why);
	}
}

static void
ask(struct opening *o, struct carrier_h2 *carrier)
{
	struct endpoint *e;

	o->channel = carrier_h2_open(carrier, o->peer, &channel_events, o);
	if (o->channel == NULL)
		return;
	e = &o->channel->endpoint;
	e->wake = on_channel_wake;
	e->owner = o;
	o->given = 0;
	push(o);
}

/* False: out of memory.  Else the opening may be gone. */
static bool
try_carrier(struct opening *o)
{
	struct pool *pool = pool_of(o->dialer->pools, o->service, target_of(o));
	struct carrier_h2 *carrier;

	if (pool == NULL)
		return false;
	start_limit(o);
	if ((carrier = pool_pick(pool)) != NULL)
		ask(o, carrier);
	if (o->channel == NULL)
		pool_wait(pool, &o->waiter);
	else
		o->events->hungry(o->owner); /* who may find the program gone */
	return true;
}

bool
opening_feed(struct opening *o, struct endpoint *program)
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
opening_given(const struct opening *o)
{
	return o->given;
}

/* ---- the beginning --------------------------------------------------------------- */

/* False: out of memory. */
static bool
try_next(struct opening *o)
{
	struct service *service = o->service;
	double now = reactor_now();
	double share = (o->deadline - now) / (double)o->untried;

	if (share < least_share)
		share = least_share;
	o->share_ends = now + share;
	o->tries = 0;
	o->current = target_next(
	    service->targets, service->target_count, o->beginning, o->tried, now);
	o->tried[o->current] = true;
	o->untried--;
	if (is_client(o) && target_may_h2(target_of(o)))
		return try_carrier(o);
	return dial(o);
}

struct opening *
opening_start(const struct dialer *dialer, struct service *service, const char *peer,
    const struct channel *caller, const struct opening_events *events, void *owner)
{
	size_t count = service->target_count;
	struct opening *o = malloc(sizeof(*o) + count * sizeof(o->tried[0]));

	if (o == NULL)
		return NULL;
	*o = (struct opening){
	    .dialer = dialer,
	    .service = service,
	    .peer = peer,
	    .caller = caller,
	    .events = events,
	    .owner = owner,
	    .beginning = service_first_target(service),
	    .untried = count,
	    .deadline = reactor_now() + service->settings->timeout_connect,
	    .waiter =
		{
		    .owner = o,
		    .ready = on_carrier_ready,
		    .raw = on_carrier_raw,
		    .failed = on_carrier_failed,
		},
	};
	memset(o->tried, 0, count * sizeof(o->tried[0]));
	ev_init(&o->limit, on_limit);
	o->limit.data = o;
	if (!try_next(o)) {
		free(o);
		return NULL;
	}
	return o;
}
