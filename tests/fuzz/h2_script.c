#include "tests/fuzz/h2_script.h"

#include "common/h2/carrier.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/plain_ssl.h"
#include "tests/fuzz/script.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	WINDOWS = 1024 * 1024, /* bytes that they may grow by */
	OWNERS = 16,
	UNIT = 64, /* bytes */
	FRAME_HEADER = 9,
	LONGEST = 64 * 1024, /* of what the peer sends at a time */
	SOCKET = 16 * 1024,  /* what our end's takes */
};

/* Stands for a stream. */
struct owner {
	struct channel *channel; /* NULL before, and once released */
	bool answered;           /* server: by us; client: the channel is open */
	bool refused;            /* it is good for nothing but its release */
	bool stalled;
	enum source source;
	size_t to_give;
	bool fin, fin_told;
};

struct play {
	struct byte_budget windows;
	struct link_set links;
	struct service service;
	struct target target;
	struct h2_carrier *carrier; /* NULL before and after */
	int begun, ended;
	bool is_abrupt; /* it ends with the worker */
	int peer;       /* its end of the socket; -1: closed */
	bool peer_is_deaf;
	struct owner owners[OWNERS];
	struct script script;
};

/* For all plays: making these is dear. */
static struct reactor reactor;
static SSL_CTX *context;
static struct service_settings settings;
static double now;
static uint8_t nowhere[REACTOR_PLAIN];

/* The time is the script's, so that an input does the same each time. */
double __wrap_reactor_now(void);

double
__wrap_reactor_now(void)
{
	return now;
}

/* ---- owners ---------------------------------------------------------------------- */

static void
take(struct owner *o)
{
	struct endpoint *e = &o->channel->endpoint;
	struct batch batch;
	enum source source;

	if (o->stalled || !o->answered || !e->readable)
		return;
	source = endpoint_take(e, REACTOR_BATCH, &batch);
	MUST(batch.length == 0 || o->source == SOURCE_OPEN);
	for (int i = 0; i < batch.count; i++) /* a sanitizer sees what is not there */
		memcpy(nowhere, batch.parts[i].iov_base, batch.parts[i].iov_len);
	endpoint_credit(e, batch.length);
	MUST(source >= o->source);
	o->source = source;
}

/* Bytes of two kinds: those that lie in the scratch space and those that do not. */
static void
give(struct owner *o)
{
	struct endpoint *e = &o->channel->endpoint;
	size_t n = o->to_give, room = endpoint_room(e);
	struct batch batch = {.count = 0};

	n = n < room ? n : room;
	if (n > 0) {
		batch_add(&batch, reactor.plain + REACTOR_HEADROOM, n - n / 3);
		if (n / 3 > 0)
			batch_add(&batch, nowhere, n / 3);
		n = endpoint_give(e, &batch);
		MUST(n <= batch.length);
		o->to_give -= n;
	}
	if (o->fin && !o->fin_told && o->to_give == 0) {
		o->fin_told = true;
		endpoint_end(e, ENDING_FIN);
	}
}

static void
move(struct owner *o)
{
	if (o->channel == NULL || o->refused)
		return;
	take(o);
	give(o);
	endpoint_wait(&o->channel->endpoint,
	    o->answered && !o->stalled && o->source == SOURCE_OPEN, o->to_give > 0);
}

static void
on_wake(void *owner)
{
	struct owner *o = owner;

	MUST(o->channel != NULL);
	move(o);
}

static void
release(struct owner *o)
{
	struct channel *channel = o->channel;
	struct link_facts space;

	*o = (struct owner){.channel = NULL};
	if (channel == NULL)
		return;
	MUST(channel_facts(channel, &space)->tls != NULL); /* as a close line has it */
	MUST(channel_detail(channel) == NULL || strlen(channel_detail(channel)) < 16384);
	channel_release(channel);
}

static void
adopt(struct owner *o, struct channel *channel)
{
	*o = (struct owner){.channel = channel};
	channel->endpoint.wake = on_wake;
	channel->endpoint.owner = o;
}

static struct owner *
free_owner(struct play *p)
{
	for (int i = 0; i < OWNERS; i++)
		if (p->owners[i].channel == NULL)
			return &p->owners[i];
	return NULL;
}

/* ---- the carrier's news ---------------------------------------------------------- */

static void
on_asked(void *owner, struct channel *channel, const char *forwarded)
{
	struct owner *o = free_owner(owner);

	MUST(strlen(forwarded) < 200);
	if (o == NULL) {
		channel_answer(channel, REASON_FULL, "no more");
		channel_release(channel);
		return;
	}
	adopt(o, channel);
	endpoint_wait(&channel->endpoint, false, false);
}

static void
on_accepted(void *owner)
{
	struct owner *o = owner;

	MUST(o->channel != NULL && !o->answered && !o->refused);
	o->answered = true;
	move(o);
}

static void
on_refused(void *owner, enum reason reason, const char *detail, bool again)
{
	struct owner *o = owner;

	(void)again;
	MUST(o->channel != NULL && !o->answered && !o->refused);
	MUST(reason != REASON_NONE && reason != REASON_FINISHED);
	MUST(detail == NULL || strlen(detail) < 16384);
	o->refused = true;
}

static const struct channel_events channel_events = {
    .accepted = on_accepted,
    .refused = on_refused,
};

static void
on_room(void *owner)
{
	struct play *p = owner;

	MUST(p->ended == 0 && h2_carrier_has_room(p->carrier));
}

static void
on_retired(void *owner)
{
	struct play *p = owner;

	MUST(p->ended == 0 && p->carrier != NULL && !h2_carrier_has_room(p->carrier));
}

static void
on_ended(void *owner, enum reason reason)
{
	struct play *p = owner;

	(void)reason;
	MUST(p->ended++ == 0);
	for (int i = 0; i < OWNERS; i++)
		MUST(p->owners[i].channel == NULL);
	p->carrier = NULL;
}

static const struct h2_carrier_events carrier_events = {
    .asked = on_asked,
    .room = on_room,
    .retired = on_retired,
    .ended = on_ended,
};

static void
on_opened(void *owner, struct link *link)
{
	struct play *p = owner;

	p->begun++;
	p->carrier = h2_carrier_new(link, LOG_LEVEL_INFO, &carrier_events, p);
	MUST(p->carrier != NULL);
	h2_carrier_set_keepalive(p->carrier, 30, 10);
}

static void
on_failed(void *owner, enum reason reason, const char *detail)
{
	(void)owner;
	(void)detail;
	MUST(reason == REASON_NONE); /* there is none to fail */
}

static const struct link_events link_events = {
    .opened = on_opened,
    .failed = on_failed,
};

/* ---- the peer --------------------------------------------------------------------- */

static void
peer_reads(struct play *p)
{
	while (p->peer >= 0 && !p->peer_is_deaf &&
	       recv(p->peer, nowhere, sizeof(nowhere), 0) > 0)
		;
}

/* What the socket does not take is lost, which is one more thing to survive. */
static void
peer_sends(struct play *p, const uint8_t *bytes, size_t n)
{
	if (p->peer >= 0)
		(void)!send(p->peer, bytes, n, MSG_NOSIGNAL);
}

static void
turn(struct play *p)
{
	now += 0.001;
	peer_reads(p);
	ev_run(reactor.loop, EVRUN_NOWAIT);
}

/* The same frame so many times, at once. */
static void
peer_frame(
    struct play *p, const uint8_t head[3], const uint8_t *payload, size_t n, size_t times)
{
	static uint8_t frames[FRAME_HEADER + LONGEST];
	const uint8_t header[FRAME_HEADER] = {(uint8_t)(n >> 16), (uint8_t)(n >> 8),
	    (uint8_t)n, head[0], head[1], 0, 0, 0, head[2]};
	size_t length = 0;

	while (times-- > 0 && length + FRAME_HEADER + n <= sizeof(frames)) {
		memcpy(frames + length, header, FRAME_HEADER);
		if (n > 0)
			memcpy(frames + length + FRAME_HEADER, payload, n);
		length += FRAME_HEADER + n;
	}
	peer_sends(p, frames, length);
}

static void
peer_ends(struct play *p, bool in_good_order)
{
	if (p->peer < 0)
		return;
	plain_ssl_set_finished(in_good_order);
	shutdown(p->peer, SHUT_WR);
}

/* ---- the script ------------------------------------------------------------------- */

static void
begin(struct play *p, struct owner *o, size_t early)
{
	struct channel *channel;

	if (p->service.settings->role == ROLE_SERVER) {
		if (o->channel == NULL || o->answered)
			return;
		o->answered = true;
		channel_answer(o->channel, REASON_NONE, NULL);
		o->channel->endpoint.readable = true;
	} else {
		if (o->channel != NULL)
			return;
		channel =
		    h2_carrier_open(p->carrier, "192.0.2.7:4711", &channel_events, o);
		if (channel == NULL)
			return;
		adopt(o, channel);
		o->to_give = early * UNIT;
	}
	move(o);
}

static void
refuse(struct play *p, struct owner *o, unsigned reason)
{
	if (p->service.settings->role == ROLE_CLIENT || o->channel == NULL || o->answered)
		return;
	channel_answer(o->channel, (enum reason)(REASON_FAR_RESET + reason % 20),
	    "in words\nof two lines ");
	endpoint_end(&o->channel->endpoint, ENDING_RST);
	release(o);
}

static void
end(struct owner *o, enum ending ending)
{
	if (o->channel == NULL || o->fin_told)
		return;
	if (ending == ENDING_FIN) {
		o->fin = true;
		move(o);
	} else {
		endpoint_end(&o->channel->endpoint, ENDING_RST);
		release(o);
	}
}

/* What waits for a time is called as soon as its time may have come. */
static void
sleep_for(struct play *p, unsigned seconds)
{
	struct link *link = LIST_FIRST(&p->links.links);

	now += seconds;
	if (link != NULL)
		ev_feed_event(reactor.loop, &link->timer, EV_TIMER);
	turn(p);
}

static void
play_frame(struct play *p, unsigned doublings)
{
	uint8_t head[] = {
	    script_next(&p->script), script_next(&p->script), script_next(&p->script)};
	size_t n = script_next(&p->script);
	const uint8_t *payload = script_bytes(&p->script, n, &n);

	peer_frame(p, head, payload, n, (size_t)1 << doublings);
}

static void
play_fill(struct play *p)
{
	static const uint8_t zeros[255 * UNIT];
	uint8_t head[] = {
	    script_next(&p->script), script_next(&p->script), script_next(&p->script)};

	peer_frame(p, head, zeros, script_next(&p->script) * (size_t)UNIT, 1);
}

static void
play_bytes(struct play *p)
{
	size_t n = script_next(&p->script) * 256U;
	const uint8_t *bytes;

	n += script_next(&p->script);
	bytes = script_bytes(&p->script, n, &n);
	peer_sends(p, bytes, n);
}

static void
play_owner(struct play *p, struct owner *o, unsigned step)
{
	switch (step) {
	case 4:
		begin(p, o, script_next(&p->script));
		break;
	case 5:
		refuse(p, o, script_next(&p->script));
		break;
	case 6:
		o->to_give += o->fin ? 0 : script_next(&p->script) * (size_t)UNIT;
		move(o);
		break;
	case 7:
		end(o, ENDING_FIN);
		break;
	case 8:
		end(o, ENDING_RST);
		break;
	case 9:
		release(o);
		break;
	case 10:
		o->stalled = !o->stalled;
		move(o);
		break;
	default:
		break;
	}
}

static void
play_step(struct play *p)
{
	uint8_t step = script_next(&p->script);

	switch (step % 16) {
	case 0:
		play_frame(p, step / 16);
		break;
	case 1:
		play_bytes(p);
		break;
	case 2:
		turn(p);
		break;
	case 3:
		sleep_for(p, script_next(&p->script));
		break;
	case 11:
		link_set_drain(&p->links, NULL, NULL);
		break;
	case 12:
		p->peer_is_deaf = !p->peer_is_deaf;
		break;
	case 13:
		play_fill(p);
		break;
	case 14:
		peer_ends(p, true);
		break;
	case 15:
		peer_ends(p, false);
		break;
	default:
		play_owner(p, &p->owners[step / 16], step % 16);
		break;
	}
}

/* ---- before and after -------------------------------------------------------------- */

static void
set_stage(void)
{
	struct err e = {.text = ""};
	static char name[] = "fuzz";

	if (context != NULL)
		return;
	MUST(log_open(NULL, true, &e)); /* lines are made, and go nowhere */
	log_set_level(LOG_LEVEL_DEBUG);
	settings = (struct service_settings){.name = name, .role = ROLE_CLIENT};
	MUST((context = tls_context_new(&settings, &e)) != NULL);
	MUST(reactor_init(&reactor, ev_loop_new(EVFLAG_AUTO), &e));
}

static void
play_begin(struct play *p, const struct service_settings *s)
{
	bool client = s->role == ROLE_CLIENT;
	struct link *link;
	int fds[2], room = SOCKET;

	set_stage();
	now = 1000;
	plain_ssl_set_finished(false);
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	MUST(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)) == 0);
	p->peer = fds[1];
	p->windows.most = WINDOWS;
	link_set_init(&p->links, &reactor, &p->windows);
	p->service.settings = s;
	p->service.context = context;
	atomic_init(&p->service.holders, 1);
	MUST((p->service.counters = counters_new()) != NULL);
	pthread_mutex_init(&p->target.lock, NULL);
	link = link_new(&p->links, &p->service, client ? &p->target : NULL, fds[0], 60,
	    &link_events, p);
	MUST(link != NULL);
	ev_feed_event(
	    reactor.loop, &link->watch.io, EV_READ); /* the server waits for one */
	turn(p);
	MUST(p->begun == 1);
}

static void
peer_leaves(struct play *p)
{
	if (p->peer >= 0)
		close(p->peer);
	p->peer = -1;
}

/* Whatever happened, the carrier ends once nobody holds a channel and the peer is gone,
 * or else with its worker. */
static void
play_end(struct play *p)
{
	p->peer_is_deaf = false;
	turn(p);
	for (int i = 0; i < OWNERS; i++) {
		if (p->owners[i].channel != NULL)
			endpoint_end(&p->owners[i].channel->endpoint, ENDING_RST);
		release(&p->owners[i]);
	}
	turn(p);
	if (!p->is_abrupt) {
		peer_leaves(p);
		for (int i = 0; i < 10 && p->ended == 0; i++)
			turn(p);
		MUST(p->ended == 1);
	}
	link_set_clear(&p->links);
	MUST(p->ended == 1 && p->links.count == 0);
	MUST(atomic_load(&p->service.holders) == 1);
	peer_leaves(p);
	counters_release(p->service.counters);
	pthread_mutex_destroy(&p->target.lock);
}

void
h2_script_play(enum role role, const uint8_t *data, size_t size)
{
	static char name[] = "fuzz", sni[] = "orders.apps.example";
	const struct service_settings s = {.name = name,
	    .role = role,
	    .sni = sni,
	    .timeout_close = 60,
	    .stream_window = 1};
	struct play p = {.script = {data, size}, .is_abrupt = size % 2 == 1};

	play_begin(&p, &s);
	while (p.script.left > 0 && p.carrier != NULL)
		play_step(&p);
	play_end(&p);
}
