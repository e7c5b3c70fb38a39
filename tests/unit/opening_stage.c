#include "tests/unit/opening_stage.h"

#include "common/base/address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const double patience = 10; /* seconds that no step of a test should take */

/* ---- the loop -------------------------------------------------------------------- */

static void
on_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	((struct stage *)timer->data)->gave_up = true;
}

void
stage_turn(struct stage *s)
{
	ev_run(s->loop, EVRUN_NOWAIT);
	usleep(100);
}

void
stage_turns(struct stage *s, int count)
{
	while (count-- > 0)
		stage_turn(s);
}

void
stage_begin_to_wait(struct stage *s)
{
	s->gave_up = false;
	ev_timer_stop(s->loop, &s->timer);
	ev_timer_set(&s->timer, patience, 0);
	ev_timer_start(s->loop, &s->timer);
}

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

void
visit_accept(struct visit *v)
{
	channel_answer(v->channel, REASON_NONE, NULL);
	endpoint_wait(&v->channel->endpoint, true, false);
}

static void
visit_begin(struct gate *listen_socket, int arrival, struct channel *channel)
{
	struct stage *s = listen_socket->s;
	struct visit *v = &s->visits[s->asked++];

	ck_assert_int_le(s->asked, CALLERS);
	*v = (struct visit){.listen_socket = (int)(listen_socket - s->listen_sockets),
	    .arrival = arrival,
	    .channel = channel};
	channel->endpoint.wake = on_visit_wake;
	channel->endpoint.owner = v;
	if (s->accepts)
		visit_accept(v);
	else
		endpoint_wait(&channel->endpoint, false, false);
}

void
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
	struct arrival *a = owner;
	enum reason reason = a->listen_socket->s->refuses[a->pod];

	(void)forwarded;
	if (reason != REASON_NONE) {
		a->listen_socket->s->refused++;
		channel_answer(channel, reason, "as it is");
		channel_release(channel);
		return;
	}
	visit_begin(
	    a->listen_socket, (int)(a - a->listen_socket->s->arrivals) + 1, channel);
}

static void
on_carrier_ended(void *owner, enum reason reason)
{
	struct arrival *a = owner;

	(void)reason;
	if (a->listen_socket->carrier == a->carrier)
		a->listen_socket->carrier = NULL;
	a->carrier = NULL;
}

static const struct h2_carrier_events carrier_events = {
    .asked = on_asked,
    .ended = on_carrier_ended,
};

static void
on_link_opened(void *owner, struct link *link)
{
	struct gate *listen_socket = owner;
	struct stage *s = listen_socket->s;
	struct arrival *a;

	if (!tls_is_h2(&link->tls)) {
		visit_begin(listen_socket, 0, carrier_raw_new(link));
		return;
	}
	a = &s->arrivals[s->arrived++];
	ck_assert_int_le(s->arrived, ARRIVALS);
	a->listen_socket = listen_socket;
	a->pod = s->pods > 0 ? (s->arrived - 1) % s->pods + 1 : 0;
	s->server_links.instance = (uint64_t)a->pod << 32;
	listen_socket->carrier = a->carrier =
	    h2_carrier_new(link, LOG_LEVEL_INFO, &carrier_events, a);
	ck_assert_ptr_nonnull(a->carrier);
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
	struct gate *listen_socket = io->data;
	struct stage *s = listen_socket->s;
	int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK);

	(void)loop;
	(void)events;
	ck_assert_int_ge(fd, 0);
	listen_socket->came++;
	if (!listen_socket->mute)
		ck_assert_ptr_nonnull(link_new(&s->server_links,
		    listen_socket->raw ? s->raw_server : s->server, NULL, fd, 10,
		    &link_events, listen_socket));
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
		stream_open_cancel(c->opening);
		c->opening = NULL;
	} else if (*c->words != '\0') {
		stream_open_feed(c->opening, &c->program);
	}
}

/* What comes behind the opening is no concern of these tests. */
static void
on_caller_wake(void *owner)
{
	(void)owner;
}

static void
on_opened(void *owner, int fd, struct channel *channel, struct buf first, size_t fed)
{
	struct caller *c = owner;

	ck_assert_int_eq(fd, -1);
	c->opening = NULL;
	c->opened++;
	c->channel = channel;
	channel->endpoint.wake = on_caller_wake;
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

static const struct stream_open_events stream_open_events = {
    .hungry = on_hungry,
    .opened = on_opened,
    .failed = on_failed,
};

struct caller *
call(struct stage *s, int i, const char *words)
{
	struct caller *c = &s->callers[i];

	*c = (struct caller){.program.ops = &program_ops, .s = s, .words = words};
	c->opening = stream_open_start(
	    &s->dialer, s->client, "nobody", NULL, &stream_open_events, c);
	ck_assert_ptr_nonnull(c->opening);
	on_hungry(c);
	return c;
}

void
caller_end(struct caller *c)
{
	stream_open_cancel(c->opening);
	c->opening = NULL;
	buf_clear(&c->rest);
	if (c->channel == NULL)
		return;
	endpoint_end(&c->channel->endpoint, ENDING_RST);
	channel_release(c->channel);
	c->channel = NULL;
}

/* ---- the stage ------------------------------------------------------------------- */

static void
listen_socket_init(struct gate *listen_socket, struct stage *s, struct address_name *name)
{
	static char host[] = "127.0.0.1";
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);

	listen_socket->s = s;
	listen_socket->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(listen_socket->fd, (struct sockaddr *)&address, length), 0);
	ck_assert_int_eq(listen(listen_socket->fd, 8), 0);
	ck_assert_int_eq(
	    getsockname(listen_socket->fd, (struct sockaddr *)&address, &length), 0);
	*name = (struct address_name){.host = host, .port = ntohs(address.sin_port)};
	ev_io_init(&listen_socket->io, on_knock, listen_socket->fd, EV_READ);
	listen_socket->io.data = listen_socket;
	ev_io_start(s->loop, &listen_socket->io);
}

void
stage_init(struct stage *s)
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
		listen_socket_init(&s->listen_sockets[i], s, &s->names[i]);
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

void
stage_begin(struct stage *s)
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

void
stage_clear(struct stage *s)
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
		ev_io_stop(s->loop, &s->listen_sockets[i].io);
		close(s->listen_sockets[i].fd);
	}
	service_release(s->client);
	service_release(s->server);
	service_release(s->raw_server);
	resolver_free(s->resolver);
	reactor_clear(&s->reactor);
	ev_loop_destroy(s->loop);
	bench_clear(&s->bench);
}

int
count_opened(const struct stage *s)
{
	int n = 0;

	for (int i = 0; i < CALLERS; i++)
		n += s->callers[i].opened;
	return n;
}

int
count_carriers(const struct stage *s)
{
	int n = 0;

	for (int i = 0; i < s->arrived; i++)
		n += s->arrivals[i].carrier != NULL;
	return n;
}
