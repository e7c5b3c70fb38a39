#include "common/tunnel/stream.h"

#include "common/base/socket.h"
#include "common/tunnel/flow.h"
#include "common/base/log.h"
#include "common/tunnel/plain_socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Seconds for the last bytes, at least. */
static const double least_to_end = 1;

struct stream {
	struct flow_stream common; /* number and reason */
	struct stream_set *set;
	LIST_ENTRY(stream) entry; /* of the set */
	struct service *service;
	struct counts *counts; /* of the service, for this worker */

	struct stream_open *opening; /* NULL once the far side is reached */
	struct channel *channel;     /* NULL while there is none */
	struct plain_socket plain;   /* its fd is -1 while there is none */
	struct flow out;             /* plain socket to channel */
	struct flow in;              /* channel to plain socket */

	ev_timer limit;    /* TIMEOUTidle, or TIMEOUTclose once it is ending */
	bool hungry;       /* the opening takes the program's first bytes */
	bool ending;       /* the limit is TIMEOUTclose */
	double started;    /* these two: by reactor_now() */
	double moved;      /* when bytes last moved */
	uint64_t progress; /* the sum of positions at that time */
	char peer[];       /* in text */
};

static void stream_step(struct stream *s);

static struct ev_loop *
loop_of(const struct stream *s)
{
	return s->set->dialer.reactor->loop;
}

/* ---- the end --------------------------------------------------------------------- */

static void
log_close(const struct stream *s)
{
	bool client = s->service->settings->role == ROLE_CLIENT;
	const struct flow *up = client ? &s->out : &s->in;
	const struct flow *down = client ? &s->in : &s->out;
	struct link_facts space = {.tls = "none"};
	const struct link_facts *facts = &space;
	const char *detail = s->channel != NULL ? channel_detail(s->channel) : NULL;

	if (s->channel != NULL)
		facts = channel_facts(s->channel, &space);
	log_stream_event(LOG_LEVEL_INFO, s->common.id, "close",
	    LOG_WORD("why", reason_word(s->common.reason)),
	    LOG_TEXT("service", s->service->settings->name), LOG_TEXT("peer", s->peer),
	    LOG_TEXT("sni", facts->sni), LOG_WORD("tls", facts->tls),
	    LOG_WORD("resumed", facts->resumed ? "yes" : "no"),
	    LOG_TEXT("names", facts->names), LOG_COUNT("up", up->given),
	    LOG_COUNT("down", down->given),
	    LOG_COUNT("dropped", flow_dropped(up) + flow_dropped(down)),
	    LOG_DECIMAL("ms", (reactor_now() - s->started) * 1000, 0),
	    LOG_TEXT("detail", detail));
}

/* A refused certificate is for somebody to mend, though the handshake looked good. */
static void
log_refused(const struct stream *s)
{
	const char *detail = channel_detail(s->channel);

	log_event_cause(LOG_LEVEL_ERROR, s->service->settings->name, "failed",
	    LOG_WORD("why", reason_word(s->common.reason)),
	    LOG_TEXT("service", s->service->settings->name),
	    LOG_TEXT("detail", detail != NULL ? detail : reason_text(s->common.reason)));
}

/* Both sides have been told how it ended. */
static void
reap(struct stream *s)
{
	struct stream_set *set = s->set;

	if (s->common.reason == REASON_NONE)
		s->common.reason = REASON_FINISHED;
	if (s->common.reason == REASON_CERT_REFUSED && s->channel != NULL)
		log_refused(s);
	if (log_is_on(LOG_LEVEL_INFO))
		log_close(s);
	count_add(&s->counts->endings[s->common.reason], 1);
	ev_timer_stop(loop_of(s), &s->limit);
	stream_open_cancel(s->opening);
	plain_socket_close(&s->plain);
	if (s->channel != NULL)
		channel_release(s->channel);
	LIST_REMOVE(s, entry);
	counters_end_stream(s->service->counters);
	service_release(s->service);
	free(s);
	set->count--;
	set->ended(set->owner);
}

/* The first reason: of a side that is gone already, if one is. */
static void
blame(struct stream *s, enum reason reason)
{
	if (s->common.reason != REASON_NONE)
		return;
	if (s->opening == NULL && s->plain.endpoint.deaf)
		reason = s->plain.endpoint.reason;
	else if (s->opening == NULL && s->channel != NULL && s->channel->endpoint.deaf)
		reason = s->channel->endpoint.reason;
	s->common.reason = reason;
}

/* End it on both sides by RST. */
static void
cut(struct stream *s, enum reason reason)
{
	blame(s, reason);
	flow_cut(&s->in);
	flow_cut(&s->out);
	plain_socket_reset(&s->plain);
	if (s->channel != NULL)
		endpoint_end(&s->channel->endpoint, ENDING_RST);
	reap(s);
}

/* ---- limits of time -------------------------------------------------------------- */

/* Nothing new can come, or nobody is left on one side; only the rest is to be delivered.
 */
static bool
is_ending(const struct stream *s)
{
	return (flow_has_ended(&s->in) && flow_has_ended(&s->out)) ||
	       s->plain.endpoint.deaf || s->channel->endpoint.deaf;
}

/* Seconds.  TIMEOUTclose = 0 waits for no far end, but what is left must leave. */
static double
time_to_end(const struct service_settings *settings)
{
	return settings->timeout_close > least_to_end ? settings->timeout_close
						      : least_to_end;
}

static void
on_limit(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct stream *s = timer->data;
	const struct service_settings *settings = s->service->settings;
	double limit = s->ending ? time_to_end(settings) : settings->timeout_idle;
	double left = s->moved + limit - reactor_now();

	(void)events;
	progress_note(&s->set->dialer.reactor->turn, "a stream's limit of time");
	if (left <= 0) {
		cut(s, s->ending ? REASON_CLOSE_TIMEOUT : REASON_IDLE);
		return;
	}
	ev_timer_set(timer, left, 0);
	ev_timer_start(loop, timer);
}

/* Bytes that move put off the limit; that costs no call to libev until it is due. */
static void
note_progress(struct stream *s)
{
	uint64_t progress = s->in.taken + s->in.given + s->out.taken + s->out.given -
			    (uint64_t)s->plain.waiting;

	if (progress != s->progress) {
		s->progress = progress;
		s->moved = reactor_now();
	}
}

/* The bytes that @f gave since it stood @before. */
static void
count_given(const struct stream *s, const struct flow *f, uint64_t before)
{
	count_add(f->is_up ? &s->counts->up : &s->counts->down, f->given - before);
}

/* The limit is another one from now on, perhaps an earlier one. */
static void
renew_limit(struct stream *s)
{
	s->ending = true;
	s->moved = reactor_now();
	ev_timer_stop(loop_of(s), &s->limit);
	on_limit(loop_of(s), &s->limit, 0);
}

/* ---- moving ---------------------------------------------------------------------- */

/* A flow may find out that its sink is gone, which is news for the other flow. */
static void
step_flows(struct stream *s)
{
	bool deaf = s->plain.endpoint.deaf || s->channel->endpoint.deaf;
	uint64_t in = s->in.given, out = s->out.given;

	flow_step(&s->in);
	flow_step(&s->out);
	if (!deaf && (s->plain.endpoint.deaf || s->channel->endpoint.deaf)) {
		flow_step(&s->in);
		flow_step(&s->out);
	}
	count_given(s, &s->in, in);
	count_given(s, &s->out, out);
}

/* The one place that takes a stream as far as it will go. */
static void
stream_step(struct stream *s)
{
	step_flows(s);
	note_progress(s);
	if (s->common.reason == REASON_NO_MEMORY) {
		cut(s, REASON_NO_MEMORY);
		return;
	}
	if (flow_is_over(&s->in) && flow_is_over(&s->out)) {
		reap(s);
		return;
	}
	endpoint_wait(
	    &s->plain.endpoint, flow_wants_source(&s->out), flow_wants_sink(&s->in));
	endpoint_wait(
	    &s->channel->endpoint, flow_wants_source(&s->in), flow_wants_sink(&s->out));
	if (!s->ending && is_ending(s))
		renew_limit(s);
}

/* The program is gone.  With its first bytes on the way that is a reset like any other.
 */
static void
drop_opening(struct stream *s)
{
	s->out.taken = s->out.given = stream_open_given(s->opening);
	count_given(s, &s->out, 0);
	cut(s, s->out.given > 0 ? REASON_PROGRAM_RESET : REASON_PROGRAM_GONE);
}

/* While the client's stream opens, the program's first words are worth something, and a
 * break. */
static void
look_at_program(struct stream *s)
{
	struct endpoint *program = &s->plain.endpoint;

	if (s->hungry && program->readable && !program->deaf)
		s->hungry = stream_open_feed(s->opening, program);
	if (program->deaf)
		drop_opening(s);
	else
		endpoint_wait(program, s->hungry, false);
}

/* While the server's stream opens, a break is. */
static void
look_at_channel(struct stream *s)
{
	if (s->channel->endpoint.deaf)
		cut(s, s->channel->endpoint.reason);
	else
		endpoint_wait(&s->channel->endpoint, false, false);
}

/* Either side has news. */
static void
on_wake(void *owner)
{
	struct stream *s = owner;

	if (s->opening == NULL)
		stream_step(s);
	else if (s->channel != NULL)
		look_at_channel(s);
	else
		look_at_program(s);
}

static void
start_moving(struct stream *s)
{
	s->opening = NULL;
	flow_connect(&s->out, &s->plain.endpoint, &s->channel->endpoint);
	flow_connect(&s->in, &s->channel->endpoint, &s->plain.endpoint);
	s->moved = reactor_now();
	ev_timer_set(&s->limit, s->service->settings->timeout_idle, 0);
	ev_timer_start(loop_of(s), &s->limit);
	stream_step(s);
}

/* ---- opening --------------------------------------------------------------------- */

static void
adopt_channel(struct stream *s, struct channel *channel)
{
	s->channel = channel;
	channel->endpoint.wake = on_wake;
	channel->endpoint.owner = s;
}

static void
on_hungry(void *owner)
{
	struct stream *s = owner;

	s->hungry = true;
	if (s->opening != NULL)
		look_at_program(s);
}

static void
on_opened(void *owner, int fd, struct channel *channel, struct buf first, size_t fed)
{
	struct stream *s = owner;

	if (channel != NULL) {
		adopt_channel(s, channel);
	} else {
		plain_socket_init(&s->plain, s->set->dialer.reactor, fd, on_wake, s);
		s->plain.endpoint.readable = false; /* an app seldom speaks first */
		channel_answer(s->channel, REASON_NONE, NULL);
		count_set(&s->counts->answered, (uint64_t)(reactor_now() * 1000));
		s->channel->endpoint.readable = true; /* by now there usually are bytes */
	}
	flow_resume(&s->out, first, fed);
	count_given(s, &s->out, 0);
	start_moving(s);
}

static void
on_failed(void *owner, enum reason reason, const char *detail)
{
	struct stream *s = owner;

	s->opening = NULL;
	if (s->channel != NULL)
		channel_answer(s->channel, reason, detail);
	cut(s, reason);
}

static const struct stream_open_events stream_open_events = {
    .hungry = on_hungry,
    .opened = on_opened,
    .failed = on_failed,
};

/* What logs call it. */
static unsigned long
new_id(struct stream_set *set, enum log_id kind)
{
	unsigned long id = set->next_id;

	switch (kind) {
	case LOG_ID_SEQUENTIAL:
		set->next_id += set->id_step;
		return id;
	case LOG_ID_UNIQUE:
		return set->unique_id++;
	case LOG_ID_THREAD:
		return (unsigned long)gettid();
	case LOG_ID_PROCESS:
		return (unsigned long)getpid();
	case LOG_ID_NONE:
		break;
	}
	return 0;
}

static struct stream *
stream_new(struct stream_set *set, struct service *service, const char *peer)
{
	bool client = service->settings->role == ROLE_CLIENT;
	size_t room = strlen(peer) + 1;
	struct counts *counts =
	    counters_share(service->counters, set->dialer.reactor->index);
	struct stream *s = counts != NULL ? calloc(1, sizeof(*s) + room) : NULL;

	if (s == NULL)
		return NULL;
	s->counts = counts;
	count_add(&counts->streams, 1);
	memcpy(s->peer, peer, room);
	s->set = set;
	s->service = service_hold(service);
	counters_begin_stream(service->counters);
	s->common.id = new_id(set, service->settings->log_id);
	s->plain.fd = -1;
	flow_init(&s->out, client, &s->common);
	flow_init(&s->in, !client, &s->common);
	s->started = reactor_now();
	ev_init(&s->limit, on_limit);
	s->limit.data = s;
	LIST_INSERT_HEAD(&set->streams, s, entry);
	set->count++;
	log_stream_event(LOG_LEVEL_DEBUG, s->common.id, "accept",
	    LOG_TEXT("service", service->settings->name), LOG_TEXT("peer", s->peer));
	return s;
}

static void
begin_opening(struct stream *s)
{
	s->opening = stream_open_start(
	    &s->set->dialer, s->service, s->peer, s->channel, &stream_open_events, s);
	if (s->opening == NULL)
		cut(s, REASON_NO_MEMORY);
	else
		on_wake(s);
}

void
stream_from_program(
    struct stream_set *set, struct service *service, int fd, const char *peer)
{
	struct stream *s = stream_new(set, service, peer);

	if (s == NULL) {
		socket_reset(fd);
		set->ended(set->owner);
		return;
	}
	plain_socket_init(&s->plain, set->dialer.reactor, fd, on_wake, s);
	begin_opening(s);
}

void
stream_from_channel(struct stream_set *set, struct service *service,
    struct channel *channel, const char *peer)
{
	struct stream *s = stream_new(set, service, peer);

	if (s == NULL) {
		channel_answer(channel, REASON_NO_MEMORY, NULL);
		endpoint_end(&channel->endpoint, ENDING_RST);
		channel_release(channel);
		set->ended(set->owner);
		return;
	}
	adopt_channel(s, channel);
	begin_opening(s);
}

void
stream_set_cut(struct stream_set *set, enum reason reason)
{
	while (!LIST_EMPTY(&set->streams))
		cut(LIST_FIRST(&set->streams), reason);
}
