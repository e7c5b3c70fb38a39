#include "common/opening.h"

#include "common/net.h"
#include "tests/unit/tls_bench.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	DOORS = 2,
	CALLERS = 300,
};

static const double patience = 10; /* seconds that no step of a test should take */

struct scene;

/** A program's words, as opening_feed() takes them; and what becomes of its opening. */
struct caller {
	struct endpoint program;
	const char *words; /* not taken yet */
	bool gone;         /* as is found out when it is asked for them */
	struct scene *s;
	struct opening *opening;
	int opened, failed;
	enum reason reason;
	struct channel *channel;
	struct buf rest;
	size_t fed;
};

/** A channel that was asked for, on the server's side. */
struct visit {
	int door; /* where its carrier came in */
	struct channel *channel;
	char words[64];
	size_t length;
};

/** A target: h2 carriers come in, or raw ones. */
struct gate {
	struct scene *s;
	struct net_name name;
	int fd;
	ev_io io;
	int came;                   /* TCP connections */
	struct carrier_h2 *carrier; /* the newest; NULL: none */
	bool raw;                   /* does not select h2 */
	bool mute;                  /* takes connections, says nothing */
};

struct scene {
	struct bench bench;
	struct ev_loop *loop;
	struct reactor reactor;
	struct resolver *resolver;
	struct link_set client_links, server_links;
	struct pool_set pools;
	struct dialer dialer;
	struct service *client, *server, *raw_server;
	struct service_settings raw_settings;
	struct net_name names[DOORS];
	struct budget windows;
	struct gate doors[DOORS];
	struct caller callers[CALLERS];
	struct visit visits[CALLERS];
	int asked;
	bool accepts; /* each channel that is asked for */
	ev_timer timer;
	bool gave_up;
};

/* ---- the loop -------------------------------------------------------------------- */

static void
on_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	((struct scene *)timer->data)->gave_up = true;
}

static void
turn(struct scene *s)
{
	ev_run(s->loop, EVRUN_NOWAIT);
	usleep(100);
}

static void
turns(struct scene *s, int count)
{
	while (count-- > 0)
		turn(s);
}

static void
begin_to_wait(struct scene *s)
{
	s->gave_up = false;
	ev_timer_stop(s->loop, &s->timer);
	ev_timer_set(&s->timer, patience, 0);
	ev_timer_start(s->loop, &s->timer);
}

/* Turn the loop until @condition holds; fails when it never does. */
#define EXPECT(s, condition)                                                             \
	do {                                                                             \
		begin_to_wait(s);                                                        \
		while (!(condition)) {                                                   \
			ck_assert_msg(!(s)->gave_up, "never: %s", #condition);           \
			turn(s);                                                         \
		}                                                                        \
		ev_timer_stop((s)->loop, &(s)->timer);                                   \
	} while (0)

/* ---- the far end ----------------------------------------------------------------- */

static void
on_visit_wake(void *owner)
{
	struct visit *v = owner;
	struct endpoint *e = &v->channel->endpoint;
	struct batch batch;

	if (!e->readable || e->deaf)
		return;
	(void)endpoint_take(e, sizeof(v->words) - v->length - 1, &batch);
	for (int i = 0; i < batch.count; i++) {
		memcpy(v->words + v->length, batch.parts[i].iov_base,
		    batch.parts[i].iov_len);
		v->length += batch.parts[i].iov_len;
	}
	endpoint_wait(e, true, false);
}

static void
visit_accept(struct visit *v)
{
	channel_answer(v->channel, REASON_NONE, NULL);
	endpoint_wait(&v->channel->endpoint, true, false);
}

static void
visit_begin(struct gate *door, struct channel *channel)
{
	struct scene *s = door->s;
	struct visit *v = &s->visits[s->asked++];

	ck_assert_int_le(s->asked, CALLERS);
	*v = (struct visit){.door = (int)(door - s->doors), .channel = channel};
	channel->endpoint.wake = on_visit_wake;
	channel->endpoint.owner = v;
	if (s->accepts)
		visit_accept(v);
	else
		endpoint_wait(&channel->endpoint, false, false);
}

static void
visit_end(struct visit *v)
{
	struct channel *channel = v->channel;

	v->channel = NULL;
	if (channel == NULL)
		return;
	endpoint_end(&channel->endpoint, ENDING_RST);
	channel_release(channel);
}

static void
on_asked(void *owner, struct channel *channel, const char *forwarded)
{
	(void)forwarded;
	visit_begin(owner, channel);
}

static void
on_carrier_ended(void *owner, enum reason reason)
{
	((struct gate *)owner)->carrier = NULL;
	(void)reason;
}

static const struct carrier_h2_events carrier_events = {
    .asked = on_asked,
    .ended = on_carrier_ended,
};

static void
on_link_opened(void *owner, struct link *link)
{
	struct gate *door = owner;

	if (tls_is_h2(&link->tls)) {
		door->carrier = carrier_h2_new(link, &carrier_events, door);
		ck_assert_ptr_nonnull(door->carrier);
	} else {
		visit_begin(door, carrier_raw_new(link));
	}
}

static void
on_link_failed(void *owner, enum reason reason, const char *detail)
{
	(void)owner;
	(void)reason;
	(void)detail;
}

static const struct link_events link_events = {
    .opened = on_link_opened,
    .failed = on_link_failed,
};

static void
on_knock(struct ev_loop *loop, ev_io *io, int events)
{
	struct gate *door = io->data;
	struct scene *s = door->s;
	int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK);

	(void)loop;
	(void)events;
	ck_assert_int_ge(fd, 0);
	door->came++;
	if (!door->mute)
		ck_assert_ptr_nonnull(
		    link_new(&s->server_links, door->raw ? s->raw_server : s->server,
			NULL, fd, 10, &link_events, door));
}

/* ---- the near end ---------------------------------------------------------------- */

static enum source
program_take(struct endpoint *e, size_t most, struct batch *batch)
{
	struct caller *c = (struct caller *)e; /* its first member */
	size_t n = strlen(c->words);

	ck_assert_uint_ge(most, n);
	e->readable = false;
	if (n > 0)
		batch_add(batch, c->words, n);
	c->words = "";
	return SOURCE_OPEN;
}

static const struct endpoint_ops program_ops = {.take = program_take};

static void
on_hungry(void *owner)
{
	struct caller *c = owner;

	if (c->opening == NULL)
		return;
	if (c->gone) {
		opening_cancel(c->opening);
		c->opening = NULL;
	} else if (*c->words != '\0') {
		opening_feed(c->opening, &c->program);
	}
}

static void
on_opened(void *owner, int fd, struct channel *channel, struct buf first, size_t fed)
{
	struct caller *c = owner;

	ck_assert_int_eq(fd, -1);
	c->opening = NULL;
	c->opened++;
	c->channel = channel;
	c->rest = first;
	c->fed = fed;
}

static void
on_failed(void *owner, enum reason reason, const char *detail)
{
	struct caller *c = owner;

	(void)detail;
	c->opening = NULL;
	c->failed++;
	c->reason = reason;
}

static const struct opening_events opening_events = {
    .hungry = on_hungry,
    .opened = on_opened,
    .failed = on_failed,
};

static struct caller *
call(struct scene *s, int i, const char *words)
{
	struct caller *c = &s->callers[i];

	*c = (struct caller){.program.ops = &program_ops, .s = s, .words = words};
	c->opening =
	    opening_start(&s->dialer, s->client, "nobody", NULL, &opening_events, c);
	ck_assert_ptr_nonnull(c->opening);
	on_hungry(c);
	return c;
}

static void
caller_end(struct caller *c)
{
	opening_cancel(c->opening);
	c->opening = NULL;
	buf_clear(&c->rest);
	if (c->channel == NULL)
		return;
	endpoint_end(&c->channel->endpoint, ENDING_RST);
	channel_release(c->channel);
	c->channel = NULL;
}

/* ---- the scene ------------------------------------------------------------------- */

static void
door_init(struct gate *door, struct scene *s, struct net_name *name)
{
	static char host[] = "127.0.0.1";
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);

	door->s = s;
	door->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(door->fd, (struct sockaddr *)&address, length), 0);
	ck_assert_int_eq(listen(door->fd, 8), 0);
	ck_assert_int_eq(getsockname(door->fd, (struct sockaddr *)&address, &length), 0);
	*name = (struct net_name){.host = host, .port = ntohs(address.sin_port)};
	ev_io_init(&door->io, on_knock, door->fd, EV_READ);
	door->io.data = door;
	ev_io_start(s->loop, &door->io);
}

static void
scene_init(struct scene *s)
{
	struct service_settings *client = &s->bench.client;
	struct err e = {.text = ""};

	memset(s, 0, sizeof(*s));
	s->loop = ev_loop_new(EVFLAG_AUTO);
	ck_assert_ptr_nonnull(s->loop);
	ck_assert(reactor_init(&s->reactor, s->loop, &e));
	s->resolver = resolver_new(s->loop, &e);
	ck_assert_ptr_nonnull(s->resolver);
	bench_init(&s->bench);
	for (int i = 0; i < DOORS; i++)
		door_init(&s->doors[i], s, &s->names[i]);
	client->sni = s->bench.host;
	client->timeout_close = s->bench.server.timeout_close = 60;
	client->timeout_connect = 10;
	client->carriers = 4;
	client->multiplex = s->bench.server.multiplex = MULTIPLEX_AUTO;
	client->keepalive = s->bench.server.keepalive = 60;
	client->keepalive_timeout = s->bench.server.keepalive_timeout = 60;
	client->connect = (struct name_list){.items = s->names, .count = 1};
	link_set_init(&s->client_links, &s->reactor, &s->windows);
	link_set_init(&s->server_links, &s->reactor, &s->windows);
	s->pools = (struct pool_set){
	    .reactor = &s->reactor, .resolver = s->resolver, .links = &s->client_links};
	s->dialer = (struct dialer){.reactor = &s->reactor,
	    .resolver = s->resolver,
	    .links = &s->client_links,
	    .pools = &s->pools};
	ev_init(&s->timer, on_patience);
	s->timer.data = s;
}

/* With the settings as they are now. */
static void
scene_begin(struct scene *s)
{
	struct err e = {.text = ""};

	s->client = service_new(NULL, &s->bench.client, &e);
	ck_assert_msg(s->client != NULL, "%s", e.text);
	s->server = service_new(NULL, &s->bench.server, &e);
	ck_assert_msg(s->server != NULL, "%s", e.text);
	s->raw_settings = s->bench.server;
	s->raw_settings.multiplex = MULTIPLEX_NO;
	s->raw_server = service_new(NULL, &s->raw_settings, &e);
	ck_assert_msg(s->raw_server != NULL, "%s", e.text);
}

static void
scene_clear(struct scene *s)
{
	for (int i = 0; i < CALLERS; i++) {
		caller_end(&s->callers[i]);
		visit_end(&s->visits[i]);
	}
	s->pools.draining = true;
	link_set_clear(&s->client_links);
	link_set_clear(&s->server_links);
	pool_set_clear(&s->pools);
	for (int i = 0; i < DOORS; i++) {
		ev_io_stop(s->loop, &s->doors[i].io);
		close(s->doors[i].fd);
	}
	service_release(s->client);
	service_release(s->server);
	service_release(s->raw_server);
	resolver_free(s->resolver);
	reactor_clear(&s->reactor);
	ev_loop_destroy(s->loop);
	bench_clear(&s->bench);
}

static int
count_opened(const struct scene *s)
{
	int n = 0;

	for (int i = 0; i < CALLERS; i++)
		n += s->callers[i].opened;
	return n;
}

/* ---- waiting for a carrier ------------------------------------------------------- */

START_TEST(openings_that_a_new_carrier_has_no_room_for_wait_for_the_next)
{
	static struct scene s;

	scene_init(&s);
	scene_begin(&s);
	s.accepts = true;
	for (int i = 0; i < CALLERS; i++)
		call(&s, i, "");
	EXPECT(&s, count_opened(&s) == CALLERS);
	ck_assert_int_gt(s.doors[0].came, 1);
	scene_clear(&s);
}
END_TEST

START_TEST(a_program_may_be_gone_when_there_is_a_carrier)
{
	static struct scene s;

	scene_init(&s);
	scene_begin(&s);
	s.accepts = true;
	for (int i = 0; i < CALLERS; i++)
		call(&s, i, "")->gone = i % 2;
	EXPECT(&s, count_opened(&s) == CALLERS / 2);
	scene_clear(&s);
}
END_TEST

/* ---- a limit of time -------------------------------------------------------------- */

/* A far end that takes the question and does not answer it. */
static struct caller *
ask_in_vain(struct scene *s, const char *words, double timeout)
{
	s->bench.client.connect.count = 2;
	s->bench.client.timeout_connect = timeout;
	scene_begin(s);
	call(s, 0, words);
	EXPECT(s, s->asked == 1);
	ck_assert_int_eq(s->visits[0].door, 0);
	return &s->callers[0];
}

START_TEST(a_silent_program_s_stream_is_tried_elsewhere_when_no_answer_comes)
{
	static struct scene s;
	struct caller *c;

	scene_init(&s);
	c = ask_in_vain(&s, "", 2);
	s.accepts = true;
	EXPECT(&s, c->opened == 1);
	ck_assert_int_eq(s.visits[1].door, 1);
	scene_clear(&s);
}
END_TEST

START_TEST(
    bytes_that_may_have_reached_an_app_are_not_said_elsewhere_for_lack_of_an_answer)
{
	static struct scene s;
	struct caller *c;

	scene_init(&s);
	c = ask_in_vain(&s, "words", 2);
	EXPECT(&s, c->failed == 1);
	ck_assert_int_eq(c->reason, REASON_OPEN_TIMEOUT);
	ck_assert_int_eq(s.asked, 1);
	ck_assert_int_eq(s.doors[1].came, 0);
	scene_clear(&s);
}
END_TEST

START_TEST(an_answer_to_bytes_may_take_the_time_of_the_other_targets)
{
	static struct scene s;
	struct caller *c;
	double asked;

	scene_init(&s);
	c = ask_in_vain(&s, "words", 6);
	asked = reactor_now();
	EXPECT(&s, reactor_now() > asked + 3.2); /* more than its share */
	visit_accept(&s.visits[0]);
	EXPECT(&s, c->opened == 1);
	EXPECT(&s, strcmp(s.visits[0].words, "words") == 0);
	scene_clear(&s);
}
END_TEST

/* ---- certainty -------------------------------------------------------------------- */

START_TEST(what_a_far_end_that_goes_away_refuses_is_asked_on_another_carrier)
{
	static struct scene s;
	struct caller *c;

	scene_init(&s);
	scene_begin(&s);
	c = call(&s, 0, "words");
	EXPECT(&s, s.asked == 1);
	carrier_h2_drain(s.doors[0].carrier);
	turns(&s, 20);
	s.accepts = true;
	visit_end(&s.visits[0]);
	EXPECT(&s, c->opened == 1);
	EXPECT(&s, strcmp(s.visits[1].words, "words") == 0);
	ck_assert_int_eq(s.doors[0].came, 2);
	scene_clear(&s);
}
END_TEST

/* The first target refuses a program's bytes; the second has its turn. */
static struct caller *
refuse(struct scene *s)
{
	struct caller *c;

	s->bench.client.connect.count = 2;
	scene_begin(s);
	c = call(s, 0, "words");
	EXPECT(s, s->asked == 1);
	ck_assert_uint_eq(opening_given(c->opening), 5);
	channel_answer(s->visits[0].channel, REASON_APP_UNREACHABLE, NULL);
	visit_end(&s->visits[0]);
	return c;
}

START_TEST(refused_bytes_are_said_once_to_a_raw_target)
{
	static struct scene s;
	struct caller *c;

	scene_init(&s);
	s.doors[1].raw = true;
	c = refuse(&s);
	EXPECT(&s, c->opened == 1);
	EXPECT(&s, s.asked == 2);
	ck_assert_uint_eq(c->fed, 5);
	ck_assert_uint_eq(buf_length(&c->rest), 5);
	ck_assert_mem_eq(buf_bytes(&c->rest), "words", 5);
	scene_clear(&s);
}
END_TEST

START_TEST(refused_bytes_are_not_with_anybody)
{
	static struct scene s;
	struct caller *c;

	scene_init(&s);
	s.doors[1].mute = true;
	c = refuse(&s);
	EXPECT(&s, s.doors[1].came == 1);
	ck_assert_uint_eq(opening_given(c->opening), 0);
	scene_clear(&s);
}
END_TEST

UNIT_MAIN("opening", openings_that_a_new_carrier_has_no_room_for_wait_for_the_next,
    a_program_may_be_gone_when_there_is_a_carrier,
    a_silent_program_s_stream_is_tried_elsewhere_when_no_answer_comes,
    bytes_that_may_have_reached_an_app_are_not_said_elsewhere_for_lack_of_an_answer,
    an_answer_to_bytes_may_take_the_time_of_the_other_targets,
    what_a_far_end_that_goes_away_refuses_is_asked_on_another_carrier,
    refused_bytes_are_said_once_to_a_raw_target, refused_bytes_are_not_with_anybody)
