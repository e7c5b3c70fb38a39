#include "common/tunnel/stream.h"

#include "common/base/socket.h"
#include "common/carrier/raw.h"
#include "common/base/log.h"
#include "tests/unit/tls_bench.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const double patience = 10; /* seconds that no step of a test should take */

/* One role's half of the way, as a worker has it. */
struct half {
	struct link_set links;
	struct pool_set pools;
	struct stream_set streams;
	struct service *service;
	int ended;
};

/* Both halves on one loop, between a program and an app that the test plays. */
struct scene {
	struct bench bench;
	struct ev_loop *loop;
	struct reactor reactor;
	struct resolver *resolver;
	struct half client, server;
	struct address_name routes[2], app_name;
	int route; /* listens for carriers; -1: nobody does */
	int app_listener;
	ev_io route_io;
	int program, app;   /* -1: none */
	const char *peer;   /* of every stream, in text */
	char *log;          /* the file's path */
	bool small_send;    /* of the client's to the program */
	bool small_program; /* its socket holds next to nothing */
	ev_timer timer;
	bool gave_up;
};

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
	usleep(200);
}

static void
turns(struct scene *s, int count)
{
	while (count-- > 0)
		turn(s);
}

/* Turn for some seconds, however many turns that are on a busy machine. */
static void
turn_for(struct scene *s, double seconds)
{
	for (double end = ev_time() + seconds; ev_time() < end;)
		turn(s);
}

static void
begin_to_wait(struct scene *s)
{
	s->gave_up = false;
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

/* A listening socket on a free port of the loopback. */
static int
listen_somewhere(struct address_name *name, int queue)
{
	static char host[] = "127.0.0.1";
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, length), 0);
	ck_assert_int_eq(listen(fd, queue), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	*name = (struct address_name){.host = host, .port = ntohs(address.sin_port)};
	return fd;
}

static void
on_link(void *owner, struct link *link)
{
	struct scene *s = owner;
	struct channel *channel = carrier_raw_new(link);

	ck_assert_ptr_nonnull(channel);
	stream_from_channel(&s->server.streams, s->server.service, channel, s->peer);
}

static void
on_no_link(void *owner, enum reason reason, const char *detail)
{
	(void)owner;
	(void)reason;
	(void)detail;
}

static const struct link_events link_events = {
    .opened = on_link,
    .failed = on_no_link,
};

static void
on_carrier(struct ev_loop *loop, ev_io *io, int events)
{
	struct scene *s = io->data;
	int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK);

	(void)loop;
	(void)events;
	ck_assert_int_ge(fd, 0);
	socket_tune(fd, false);
	ck_assert_ptr_nonnull(
	    link_new(&s->server.links, s->server.service, NULL, fd, 10, &link_events, s));
}

static void
on_ended(void *owner)
{
	((struct half *)owner)->ended++;
}

static void
half_init(struct half *h, struct scene *s, const struct service_settings *settings)
{
	struct err e = {.text = ""};

	h->service = service_new(NULL, settings, &e);
	ck_assert_msg(h->service != NULL, "%s", e.text);
	link_set_init(&h->links, &s->reactor, NULL);
	h->streams = (struct stream_set){
	    .dialer = {.reactor = &s->reactor,
		.resolver = s->resolver,
		.links = &h->links,
		.pools = &h->pools},
	    .next_id = 1,
	    .id_step = 1,
	    .ended = on_ended,
	    .owner = h,
	};
}

static void
scene_init(struct scene *s)
{
	struct service_settings *both[2] = {&s->bench.client, &s->bench.server};
	struct err e = {.text = ""};

	*s = (struct scene){
	    .loop = ev_loop_new(EVFLAG_AUTO), .program = -1, .app = -1, .peer = "nobody"};
	ck_assert_ptr_nonnull(s->loop);
	ck_assert(reactor_init(&s->reactor, s->loop, &e));
	s->resolver = resolver_new(s->loop, &e);
	ck_assert_ptr_nonnull(s->resolver);
	s->log = certificates_path("log");
	ck_assert(log_open(s->log, true, &e));
	bench_init(&s->bench);
	for (int i = 0; i < 2; i++) {
		both[i]->timeout_close = 60;
		both[i]->timeout_connect = 10;
		both[i]->timeout_idle = 1000;
	}
	s->bench.client.sni = s->bench.host;
	s->route = listen_somewhere(&s->routes[1], 8);
	s->routes[0] = s->routes[1];
	s->app_listener = listen_somewhere(&s->app_name, 8);
	s->bench.client.connect = (struct name_list){.items = s->routes, .count = 1};
	s->bench.server.connect = (struct name_list){.items = &s->app_name, .count = 1};
	ev_io_init(&s->route_io, on_carrier, s->route, EV_READ);
	s->route_io.data = s;
	ev_io_start(s->loop, &s->route_io);
	ev_init(&s->timer, on_patience);
	s->timer.data = s;
}

static void
close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
stop_route(struct scene *s)
{
	ev_io_stop(s->loop, &s->route_io);
	close_one(&s->route);
}

static void
half_clear(struct half *h)
{
	if (h->service == NULL)
		return;
	stream_set_cut(&h->streams, REASON_STOPPED);
	ck_assert_uint_eq(h->streams.count, 0);
	link_set_clear(&h->links);
	service_release(h->service);
}

static void
scene_clear(struct scene *s)
{
	stop_route(s);
	half_clear(&s->client);
	half_clear(&s->server);
	close_one(&s->program);
	close_one(&s->app);
	close_one(&s->app_listener);
	resolver_free(s->resolver);
	reactor_clear(&s->reactor);
	ev_loop_destroy(s->loop);
	bench_clear(&s->bench);
	free(s->log);
}

/* A program connects. */
static void
begin(struct scene *s)
{
	struct address_name name;
	struct address address[2];
	int listen_socket = listen_somewhere(&name, 1), small = 4096, fd;

	if (s->client.service == NULL) {
		half_init(&s->client, s, &s->bench.client);
		half_init(&s->server, s, &s->bench.server);
	}
	ck_assert_uint_eq(address_name_addresses(&name, address), 1);
	s->program = socket(AF_INET, SOCK_STREAM, 0);
	if (s->small_program)
		setsockopt(s->program, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	ck_assert_int_eq(connect(s->program, &address[0].any, address[0].length), 0);
	ck_assert_int_eq(fcntl(s->program, F_SETFL, O_NONBLOCK), 0);
	fd = accept4(listen_socket, NULL, NULL, SOCK_NONBLOCK);
	ck_assert_int_ge(fd, 0);
	close(listen_socket);
	socket_tune(fd, true);
	if (s->small_send)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	stream_from_program(&s->client.streams, s->client.service, fd, s->peer);
}

static bool
app_accepts(struct scene *s)
{
	s->app = accept4(s->app_listener, NULL, NULL, SOCK_NONBLOCK);
	return s->app >= 0;
}

/* A program, an app, and an open stream between them. */
static void
meet(struct scene *s)
{
	begin(s);
	EXPECT(s, app_accepts(s));
	turns(s, 10);
}

static bool
has_ended(const struct scene *s)
{
	return s->client.ended == 1 && s->server.ended == 1;
}

static bool
is_empty(const struct scene *s)
{
	return has_ended(s) && s->client.links.count == 0 && s->server.links.count == 0;
}

static void
say(int fd, const char *text)
{
	ck_assert_int_eq(
	    send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Send until nobody on the way takes more; TCP is slow to say so.  Returns how many
 * bytes.
 */
static size_t
stuff(struct scene *s, int fd)
{
	static const char zeros[64 * 1024];
	double idle = ev_time();
	size_t all = 0;
	ssize_t n;

	while (ev_time() < idle + 0.5) {
		while ((n = send(fd, zeros, sizeof(zeros), MSG_NOSIGNAL)) > 0) {
			all += (size_t)n;
			idle = ev_time();
		}
		turn(s);
	}
	return all;
}

/* Send as many zeros. */
static void
stuff_some(struct scene *s, int fd, size_t length)
{
	static const char zeros[64 * 1024];
	size_t sent = 0;
	ssize_t n;

	while (sent < length) {
		n = send(fd, zeros,
		    length - sent < sizeof(zeros) ? length - sent : sizeof(zeros),
		    MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
		turns(s, 20);
	}
}

/* How many bytes went down to the program from this half. */
static uint64_t
bytes_given(const struct half *h)
{
	struct counts sum;

	counters_sum(h->service->counters, &sum);
	return atomic_load(&sum.down);
}

/* Has the far kernel all that this half's only link has sent? */
static bool
has_arrived(const struct half *h)
{
	const struct link *link = LIST_FIRST(&h->links.links);
	int left = 0;

	ck_assert_int_eq(ioctl(link->tls.fd, SIOCOUTQ, &left), 0);
	return left == 0 && buf_length(&link->tls.out) == 0;
}

/* What one end has heard. */
struct heard {
	size_t length;
	int end; /* -1: not yet; 0: FIN; else errno */
	char start[64];
};

static bool
hear(int fd, struct heard *h)
{
	static char space[64 * 1024];
	ssize_t n;

	while ((n = recv(fd, space, sizeof(space), 0)) > 0) {
		for (ssize_t i = 0; i < n && h->length + (size_t)i < sizeof(h->start) - 1;
		     i++)
			h->start[h->length + (size_t)i] = space[i];
		h->length += (size_t)n;
	}
	h->end = n == 0 ? 0 : errno == EAGAIN ? -1 : errno;
	return h->end >= 0;
}

/* One small read. */
static void
hear_some(int fd, struct heard *h)
{
	char space[4096];
	ssize_t n = recv(fd, space, sizeof(space), 0);

	h->length += n > 0 ? (size_t)n : 0;
	h->end = n > 0 || (n < 0 && errno == EAGAIN) ? -1 : n == 0 ? 0 : errno;
}

static void
expect_end(struct scene *s, int fd, const char *bytes, int end)
{
	struct heard h = {0};

	EXPECT(s, hear(fd, &h));
	ck_assert_str_eq(h.start, bytes);
	ck_assert_msg(h.end == end, "%s instead of %s", h.end ? strerror(h.end) : "FIN",
	    end ? strerror(end) : "FIN");
}

static void
expect_bytes(struct scene *s, int fd, const char *bytes)
{
	struct heard h = {0};

	EXPECT(s, (hear(fd, &h), h.length >= strlen(bytes)));
	ck_assert_str_eq(h.start, bytes);
	ck_assert_int_eq(h.end, -1);
}

static const char *
read_log(const struct scene *s)
{
	static char text[256 * 1024];
	FILE *file = fopen(s->log, "r");

	ck_assert_ptr_nonnull(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

static void
expect_log(const struct scene *s, const char *words)
{
	const char *text = read_log(s);

	ck_assert_msg(strstr(text, words) != NULL, "\"%s\" in:\n%s", words, text);
}

static int
count_in_log(const struct scene *s, const char *words)
{
	const char *at = read_log(s);
	int count = 0;

	while ((at = strstr(at, words)) != NULL) {
		at += strlen(words);
		count++;
	}
	return count;
}

/* ---- good order ----------------------------------------------------------------- */

START_TEST(a_question_and_its_answer_pass_and_all_ends_in_good_order)
{
	struct scene s;

	scene_init(&s);
	meet(&s);
	say(s.program, "question");
	shutdown(s.program, SHUT_WR);
	expect_end(&s, s.app, "question", 0);
	say(s.app, "answer");
	close_one(&s.app);
	expect_end(&s, s.program, "answer", 0);
	EXPECT(&s, is_empty(&s));
	expect_log(&s, "why=finished service=orders");
	expect_log(&s, "up=8 down=6 dropped=0");
	scene_clear(&s);
}
END_TEST

START_TEST(the_app_may_end_first)
{
	struct scene s;

	scene_init(&s);
	meet(&s);
	say(s.app, "greeting");
	shutdown(s.app, SHUT_WR);
	expect_end(&s, s.program, "greeting", 0);
	say(s.program, "thanks");
	expect_bytes(&s, s.app, "thanks");
	close_one(&s.program);
	expect_end(&s, s.app, "", 0);
	EXPECT(&s, is_empty(&s));
	scene_clear(&s);
}
END_TEST

START_TEST(much_passes_in_both_directions_at_once)
{
	enum {
		MUCH = 8 * 1024 * 1024,
		PIECE = 50000
	};
	static uint8_t piece[PIECE];
	size_t sent[2] = {0, 0};
	struct heard heard[2] = {{0}, {0}};
	struct scene s;

	scene_init(&s);
	meet(&s);
	for (int turn_count = 0; turn_count < 5000; turn_count++) {
		int fds[2] = {s.program, s.app};
		bool done = true;

		for (int i = 0; i < 2; i++) {
			ssize_t n =
			    sent[i] < MUCH ? send(fds[i], piece, PIECE, MSG_NOSIGNAL) : 0;

			if (n > 0 && (sent[i] += (size_t)n) >= MUCH)
				shutdown(fds[i], SHUT_WR);
			done &= hear(fds[1 - i], &heard[i]);
		}
		if (done)
			break;
		ev_run(s.loop, EVRUN_NOWAIT);
	}
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(heard[i].length, sent[i]);
		ck_assert_int_eq(heard[i].end, 0);
	}
	EXPECT(&s, is_empty(&s));
	scene_clear(&s);
}
END_TEST

/* The route's port is where the stream came in, and it came from a port of the loopback.
 */
START_TEST(the_app_gets_a_header_first_that_counts_nowhere)
{
	struct heard h = {0};
	char line[128];
	unsigned port;
	struct scene s;

	scene_init(&s);
	s.bench.server.protocol = PROTOCOL_PROXY;
	s.bench.server.protocol_version = 1;
	begin(&s);
	say(s.program, "question");
	EXPECT(&s, app_accepts(&s));
	EXPECT(&s, (hear(s.app, &h), strchr(h.start, 'q') != NULL));
	ck_assert_int_eq(sscanf(h.start, "PROXY TCP4 127.0.0.1 127.0.0.1 %u ", &port), 1);
	snprintf(line, sizeof(line), "PROXY TCP4 127.0.0.1 127.0.0.1 %u %u\r\nquestion",
	    port, s.routes[0].port);
	ck_assert_str_eq(h.start, line);
	say(s.app, "answer");
	close_one(&s.app);
	expect_end(&s, s.program, "answer", 0);
	close_one(&s.program);
	EXPECT(&s, is_empty(&s));
	ck_assert_int_eq(count_in_log(&s, "up=8 down=6 dropped=0"), 2);
	scene_clear(&s);
}
END_TEST

START_TEST(an_app_that_speaks_first_has_its_header_before)
{
	struct heard h = {0};
	struct scene s;

	scene_init(&s);
	s.bench.server.protocol = PROTOCOL_PROXY;
	s.bench.server.protocol_version = 2;
	begin(&s);
	EXPECT(&s, app_accepts(&s));
	EXPECT(&s, (hear(s.app, &h), h.length >= 16));
	ck_assert_mem_eq(h.start, "\r\n\r\n\0\r\nQUIT\n\x21\x11", 14);
	say(s.app, "greeting");
	expect_bytes(&s, s.program, "greeting");
	scene_clear(&s);
}
END_TEST

/* ---- resets --------------------------------------------------------------------- */

START_TEST(a_reset_by_the_app_comes_behind_its_bytes)
{
	struct scene s;

	scene_init(&s);
	meet(&s);
	say(s.app, "answer");
	socket_reset(s.app);
	s.app = -1;
	expect_end(&s, s.program, "answer", ECONNRESET);
	EXPECT(&s, is_empty(&s));
	expect_log(&s, "why=program-reset");
	expect_log(&s, "why=far-reset");
	scene_clear(&s);
}
END_TEST

START_TEST(a_reset_by_the_program_comes_behind_its_bytes)
{
	/* Which of the two events is seen first is a matter of luck. */
	for (int i = 0; i < 10; i++) {
		struct scene s;

		scene_init(&s);
		meet(&s);
		say(s.program, "last");
		socket_reset(s.program);
		s.program = -1;
		expect_end(&s, s.app, "last", ECONNRESET);
		EXPECT(&s, is_empty(&s));
		scene_clear(&s);
	}
}
END_TEST

START_TEST(an_app_that_answers_with_our_bytes_unread_ends_in_the_answer_and_a_reset)
{
	struct scene s;

	scene_init(&s);
	meet(&s);
	say(s.program, "question");
	turns(&s, 20);
	say(s.app, "answer");
	close_one(&s.app);
	expect_end(&s, s.program, "answer", ECONNRESET);
	EXPECT(&s, is_empty(&s));
	scene_clear(&s);
}
END_TEST

START_TEST(a_program_that_resets_after_its_fin_resets_the_app)
{
	struct scene s;

	scene_init(&s);
	meet(&s);
	say(s.program, "last");
	shutdown(s.program, SHUT_WR);
	expect_end(&s, s.app, "last", 0);
	socket_reset(s.program);
	s.program = -1;
	EXPECT(&s, has_ended(&s));
	ck_assert_int_eq(send(s.app, "x", 1, MSG_NOSIGNAL), -1);
	EXPECT(&s, is_empty(&s));
	scene_clear(&s);
}
END_TEST

START_TEST(a_full_close_that_meets_our_bytes_is_a_reset)
{
	struct scene s;

	scene_init(&s);
	meet(&s);
	close_one(&s.program);
	expect_end(&s, s.app, "", 0);
	say(s.app, "anybody there?");
	EXPECT(&s, send(s.app, "x", 1, MSG_NOSIGNAL) < 0);
	EXPECT(&s, is_empty(&s));
	scene_clear(&s);
}
END_TEST

/* It is the app that is slow; the reset waits behind what the program sent. */
START_TEST(a_reset_behind_a_full_way_arrives_once_the_app_reads)
{
	struct scene s;

	scene_init(&s);
	meet(&s);
	ck_assert_uint_gt(stuff(&s, s.program), 0);
	socket_reset(s.program);
	s.program = -1;
	turns(&s, 20);
	{
		struct heard h = {0};

		EXPECT(&s, hear(s.app, &h));
		ck_assert_int_eq(h.end, ECONNRESET);
	}
	EXPECT(&s, is_empty(&s));
	scene_clear(&s);
}
END_TEST

/* ---- opening -------------------------------------------------------------------- */

START_TEST(the_next_target_is_tried)
{
	struct scene s;
	int dead;

	scene_init(&s);
	dead = listen_somewhere(&s.routes[0], 1);
	close(dead);
	s.bench.client.connect.count = 2;
	meet(&s);
	say(s.app, "hello");
	expect_bytes(&s, s.program, "hello");
	expect_log(&s, "why=connect-failed");
	scene_clear(&s);
}
END_TEST

START_TEST(a_target_that_closes_before_its_hello_is_passed_over)
{
	struct scene s;
	int bad, fd;

	scene_init(&s);
	bad = listen_somewhere(&s.routes[0], 1);
	s.bench.client.connect.count = 2;
	begin(&s);
	EXPECT(&s, (fd = accept(bad, NULL, NULL)) >= 0);
	close(fd);
	close(bad);
	EXPECT(&s, app_accepts(&s));
	expect_log(&s, "why=no-pod");
	scene_clear(&s);
}
END_TEST

START_TEST(a_target_that_never_answers_is_passed_over)
{
	struct scene s;
	int silent;

	scene_init(&s);
	silent = listen_somewhere(&s.routes[0], 1);
	s.bench.client.connect.count = 2;
	s.bench.client.timeout_connect = 2;
	begin(&s);
	EXPECT(&s, app_accepts(&s));
	expect_log(&s, "why=open-timeout");
	close(silent);
	scene_clear(&s);
}
END_TEST

START_TEST(without_any_target_the_program_is_reset)
{
	struct scene s;

	scene_init(&s);
	stop_route(&s);
	begin(&s);
	expect_end(&s, s.program, "", ECONNRESET);
	ck_assert_int_eq(s.client.ended, 1);
	expect_log(&s, "why=connect-failed");
	scene_clear(&s);
}
END_TEST

START_TEST(an_app_that_cannot_be_reached_resets_the_program)
{
	struct scene s;

	scene_init(&s);
	close_one(&s.app_listener);
	begin(&s);
	expect_end(&s, s.program, "", ECONNRESET);
	EXPECT(&s, is_empty(&s));
	expect_log(&s, "why=app-unreachable");
	scene_clear(&s);
}
END_TEST

START_TEST(a_program_that_resets_while_it_waits_ends_the_dial)
{
	struct scene s;
	int silent;

	scene_init(&s);
	silent = listen_somewhere(&s.routes[0], 1);
	begin(&s);
	turns(&s, 10);
	socket_reset(s.program);
	s.program = -1;
	EXPECT(&s, s.client.ended == 1);
	ck_assert_uint_eq(s.client.links.count, 0);
	expect_log(&s, "why=program-gone");
	close(silent);
	scene_clear(&s);
}
END_TEST

START_TEST(a_program_that_finishes_while_it_waits_is_still_served)
{
	struct scene s;

	scene_init(&s);
	begin(&s);
	say(s.program, "deliver this");
	close_one(&s.program);
	EXPECT(&s, app_accepts(&s));
	expect_end(&s, s.app, "deliver this", 0);
	close_one(&s.app);
	EXPECT(&s, is_empty(&s));
	scene_clear(&s);
}
END_TEST

/* ---- limits --------------------------------------------------------------------- */

START_TEST(a_silent_stream_is_reset_on_both_sides)
{
	struct scene s;

	scene_init(&s);
	s.bench.client.timeout_idle = 1;
	meet(&s);
	say(s.program, "x");
	expect_end(&s, s.program, "", ECONNRESET);
	expect_end(&s, s.app, "x", ECONNRESET);
	EXPECT(&s, is_empty(&s));
	expect_log(&s, "why=idle");
	scene_clear(&s);
}
END_TEST

START_TEST(a_half_closed_silent_stream_has_the_idle_limit)
{
	struct scene s;

	scene_init(&s);
	s.bench.client.timeout_close = s.bench.server.timeout_close = 0.02;
	s.bench.client.timeout_idle = 2;
	meet(&s);
	shutdown(s.program, SHUT_WR);
	expect_end(&s, s.app, "", 0);
	turn_for(&s, 0.1); /* longer than TIMEOUTclose */
	ck_assert_int_eq(s.client.ended + s.server.ended, 0);
	expect_end(&s, s.program, "", ECONNRESET);
	expect_log(&s, "why=idle");
	scene_clear(&s);
}
END_TEST

START_TEST(what_is_not_taken_within_timeout_close_is_cut)
{
	struct scene s;

	scene_init(&s);
	s.small_program = true;
	s.bench.client.timeout_close = 0.2;
	meet(&s);
	say(s.app, "answer");
	stuff_some(&s, s.app, 100000);
	socket_reset(s.app);
	s.app = -1;
	EXPECT(&s, s.client.ended == 1); /* the program has read nothing */
	expect_end(&s, s.program, "answer", ECONNRESET);
	scene_clear(&s);
}
END_TEST

static void
expect_taken_whole(double timeout_close)
{
	struct heard h = {0};
	struct scene s;

	scene_init(&s);
	s.small_program = true;
	s.bench.client.timeout_close = s.bench.server.timeout_close = timeout_close;
	meet(&s);
	stuff_some(&s, s.app, 100000);
	socket_reset(s.app);
	s.app = -1;
	turn_for(&s, 0.05);
	ck_assert_int_eq(s.client.ended, 0);
	EXPECT(&s, hear(s.program, &h));
	ck_assert_uint_eq(h.length, 100000);
	ck_assert_int_eq(h.end, ECONNRESET);
	EXPECT(&s, is_empty(&s));
	scene_clear(&s);
}

START_TEST(what_is_taken_within_timeout_close_is_whole)
{
	expect_taken_whole(60);
}
END_TEST

START_TEST(no_wait_for_the_far_end_still_gives_the_last_bytes_a_moment)
{
	expect_taken_whole(0);
}
END_TEST

/* The app sends @count zeros, and the client's kernel has them all; @all: so many in all.
 */
static void
bring_to_client(struct scene *s, size_t count, uint64_t all)
{
	stuff_some(s, s->app, count);
	EXPECT(s, bytes_given(&s->server) == all && has_arrived(&s->server));
	turns(s, 2); /* the client takes what it will take */
}

/*
 * The program thinks for longer than TIMEOUTclose, then says that it is done, and only
 * then reads: it has not been slow since both sides ended.
 *
 * The client must have heard of the app's end while it keeps bytes.  It takes nothing
 * while it keeps any; so it is brought to keep some, then the last bytes and the end
 * behind them come to its kernel, and it takes both at once when the program has read
 * what was kept.
 */
START_TEST(timeout_close_begins_when_both_sides_have_ended)
{
	enum {
		FIRST = 32 * 1024,
		ALL = FIRST + 24 * 1024, /* which one receive buffer can hold */
	};
	struct heard h = {0};
	struct scene s;

	scene_init(&s);
	s.small_program = s.small_send = true;
	s.bench.client.timeout_close = 2;
	meet(&s);
	log_set_level(LOG_LEVEL_DEBUG);
	bring_to_client(&s, FIRST, FIRST);
	bring_to_client(&s, ALL - FIRST, ALL);
	shutdown(s.app, SHUT_WR);
	EXPECT(&s, count_in_log(&s, "flow=down from=drain to=finished") == 1);
	EXPECT(&s, has_arrived(&s.server));
	ck_assert_int_eq(count_in_log(&s, "flow=down from=open to=drain"), 1);
	EXPECT(&s, (hear_some(s.program, &h),
		       count_in_log(&s, "flow=down from=open to=drain") == 2));
	ck_assert_int_eq(count_in_log(&s, "flow=down from=drain to=finished"), 1);
	turn_for(&s, 2.2);
	shutdown(s.program, SHUT_WR);
	turns(&s, 20);
	EXPECT(&s, hear(s.program, &h));
	ck_assert_msg(h.length == ALL && h.end == 0, "%zu of %d bytes, and %s", h.length,
	    ALL, h.end ? strerror(h.end) : "FIN");
	scene_clear(&s);
}
END_TEST

/* The program is gone; what it sent is not to be kept for as long as a silent stream. */
START_TEST(what_a_program_left_behind_is_kept_for_timeout_close_only)
{
	struct scene s;

	scene_init(&s);
	s.bench.client.timeout_close = s.bench.server.timeout_close = 0.2;
	meet(&s);
	ck_assert_uint_gt(stuff(&s, s.program), 0);
	socket_reset(s.program);
	s.program = -1;
	EXPECT(&s, s.client.ended == 1);
	scene_clear(&s);
}
END_TEST

START_TEST(a_peer_s_text_cannot_forge_a_line)
{
	struct scene s;

	scene_init(&s);
	s.peer = "x why=finished";
	meet(&s);
	close_one(&s.program);
	close_one(&s.app);
	EXPECT(&s, has_ended(&s));
	ck_assert_int_eq(count_in_log(&s, "peer=\"x why=finished\" "), 2);
	scene_clear(&s);
}
END_TEST

START_TEST(a_stop_resets_both_programs)
{
	struct scene s;

	scene_init(&s);
	meet(&s);
	stream_set_cut(&s.server.streams, REASON_STOPPED);
	expect_end(&s, s.program, "", ECONNRESET);
	expect_end(&s, s.app, "", ECONNRESET);
	EXPECT(&s, is_empty(&s));
	expect_log(&s, "why=stopped");
	scene_clear(&s);
}
END_TEST

UNIT_MAIN("stream", a_question_and_its_answer_pass_and_all_ends_in_good_order,
    the_app_may_end_first, the_app_gets_a_header_first_that_counts_nowhere,
    an_app_that_speaks_first_has_its_header_before,
    much_passes_in_both_directions_at_once, a_reset_by_the_app_comes_behind_its_bytes,
    a_reset_by_the_program_comes_behind_its_bytes,
    an_app_that_answers_with_our_bytes_unread_ends_in_the_answer_and_a_reset,
    a_program_that_resets_after_its_fin_resets_the_app,
    a_full_close_that_meets_our_bytes_is_a_reset,
    a_reset_behind_a_full_way_arrives_once_the_app_reads, the_next_target_is_tried,
    a_target_that_closes_before_its_hello_is_passed_over,
    a_target_that_never_answers_is_passed_over, without_any_target_the_program_is_reset,
    an_app_that_cannot_be_reached_resets_the_program,
    a_program_that_resets_while_it_waits_ends_the_dial,
    a_program_that_finishes_while_it_waits_is_still_served,
    a_silent_stream_is_reset_on_both_sides,
    a_half_closed_silent_stream_has_the_idle_limit,
    what_is_not_taken_within_timeout_close_is_cut,
    what_is_taken_within_timeout_close_is_whole,
    no_wait_for_the_far_end_still_gives_the_last_bytes_a_moment,
    timeout_close_begins_when_both_sides_have_ended,
    what_a_program_left_behind_is_kept_for_timeout_close_only,
    a_peer_s_text_cannot_forge_a_line, a_stop_resets_both_programs)
