#include "common/tunnel/plain_socket.h"

#include "common/base/address.h"
#include "common/base/socket.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const double patience = 10; /* seconds that no step of a test should take */

/* A plain socket on a loop, and the program at the other end of it. */
struct scene {
	struct ev_loop *loop;
	struct reactor reactor;
	struct plain_socket plain;
	int program;
	int wakes;
	ev_timer patience;
	bool gave_up;
};

static void
on_wake(void *owner)
{
	((struct scene *)owner)->wakes++;
}

static void
on_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct scene *s = timer->data;

	(void)events;
	s->gave_up = true;
	ev_break(loop, EVBREAK_ALL);
}

static void
be_nonblocking(int fd)
{
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

static void
tcp_pair(int fds[2])
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int listening = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(listening, (struct sockaddr *)&address, length), 0);
	ck_assert_int_eq(listen(listening, 1), 0);
	ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&address, &length), 0);
	fds[1] = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(fds[1], (struct sockaddr *)&address, length), 0);
	fds[0] = accept(listening, NULL, NULL);
	ck_assert_int_ge(fds[0], 0);
	close(listening);
}

static void
scene_init(struct scene *s, int domain)
{
	struct err e = {.text = ""};
	int fds[2];

	*s = (struct scene){.loop = ev_loop_new(EVFLAG_AUTO)};
	ck_assert_ptr_nonnull(s->loop);
	ck_assert(reactor_init(&s->reactor, s->loop, &e));
	if (domain == AF_UNIX)
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	else
		tcp_pair(fds);
	be_nonblocking(fds[0]);
	be_nonblocking(fds[1]);
	plain_socket_init(&s->plain, &s->reactor, fds[0], on_wake, s);
	s->program = fds[1];
	ev_timer_init(&s->patience, on_patience, patience, 0);
	s->patience.data = s;
}

static void
scene_clear(struct scene *s)
{
	plain_socket_close(&s->plain);
	plain_socket_close(&s->plain); /* once more is fine */
	if (s->program >= 0)
		close(s->program);
	reactor_clear(&s->reactor);
	ev_loop_destroy(s->loop);
}

/* Run until the plain socket wakes its owner.  False: it never does. */
static bool
is_woken(struct scene *s)
{
	int before = s->wakes;

	s->gave_up = false;
	ev_timer_set(&s->patience, patience, 0);
	ev_timer_start(s->loop, &s->patience);
	while (s->wakes == before && !s->gave_up)
		ev_run(s->loop, EVRUN_ONCE);
	ev_timer_stop(s->loop, &s->patience);
	return s->wakes != before;
}

/* Let the loop turn a few times; returns how often the owner was woken. */
static int
wakes_in_turns(struct scene *s, int turns)
{
	int before = s->wakes;

	for (int i = 0; i < turns; i++)
		ev_run(s->loop, EVRUN_NOWAIT);
	return s->wakes - before;
}

static void
program_sends(struct scene *s, const char *text)
{
	ck_assert_int_eq(
	    send(s->program, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void
program_leaves(struct scene *s, bool reset)
{
	if (reset)
		socket_reset(s->program);
	else
		close(s->program);
	s->program = -1;
}

/* The loopback delivers at once, but be sure: until the socket has news. */
static void
await(struct scene *s, short events)
{
	struct pollfd look = {.fd = s->plain.fd, .events = events};

	ck_assert_int_eq(poll(&look, 1, 2000), 1);
}

static enum source
take(struct scene *s, const char *bytes)
{
	struct batch batch;
	enum source source = endpoint_take(&s->plain.endpoint, REACTOR_BATCH, &batch);

	ck_assert_uint_eq(batch.length, strlen(bytes));
	if (batch.length > 0) {
		ck_assert_int_eq(batch.count, 1);
		ck_assert_int_eq(memcmp(batch.parts[0].iov_base, bytes, batch.length), 0);
	}
	return source;
}

static size_t
give(struct scene *s, const void *bytes, size_t length)
{
	struct batch batch = {0};

	batch_add(&batch, bytes, length);
	return endpoint_give(&s->plain.endpoint, &batch);
}

/* Until the socket takes no more.  Returns how many bytes. */
static size_t
fill(struct scene *s)
{
	static const char zeros[64 * 1024];
	size_t all = 0, n;

	do
		all += n = give(s, zeros, sizeof(zeros));
	while (n > 0);
	return all;
}

/* All that the program has got.  @end: what recv() says behind it: 0, or errno. */
static size_t
program_reads(struct scene *s, int *end)
{
	static char space[64 * 1024];
	size_t all = 0;
	ssize_t n;

	while ((n = recv(s->program, space, sizeof(space), 0)) > 0)
		all += (size_t)n;
	*end = n < 0 ? errno : 0;
	return all;
}

static const int domains[] = {AF_INET, AF_UNIX};

START_TEST(bytes_come_and_go)
{
	char text[8];

	for (size_t i = 0; i < 2; i++) {
		struct scene s;

		scene_init(&s, domains[i]);
		program_sends(&s, "hello");
		await(&s, POLLIN);
		ck_assert_int_eq(take(&s, "hello"), SOURCE_OPEN);
		ck_assert_int_eq(take(&s, ""), SOURCE_OPEN);
		ck_assert(!s.plain.endpoint.readable);
		ck_assert_uint_gt(endpoint_room(&s.plain.endpoint), 0);
		ck_assert_uint_eq(give(&s, "answer", 6), 6);
		ck_assert_int_eq(recv(s.program, text, sizeof(text), 0), 6);
		scene_clear(&s);
	}
}
END_TEST

START_TEST(bytes_that_come_wake_the_owner)
{
	struct scene s;

	scene_init(&s, AF_INET);
	s.plain.endpoint.readable = false;
	endpoint_wait(&s.plain.endpoint, true, false);
	ck_assert_int_eq(wakes_in_turns(&s, 5), 0);
	program_sends(&s, "x");
	ck_assert(is_woken(&s));
	ck_assert(s.plain.endpoint.readable);
	scene_clear(&s);
}
END_TEST

START_TEST(bytes_for_a_quiet_socket_wake_nobody)
{
	struct scene s;

	scene_init(&s, AF_INET);
	endpoint_wait(&s.plain.endpoint, false, false);
	program_sends(&s, "x");
	await(&s, POLLIN);
	ck_assert_int_eq(wakes_in_turns(&s, 5), 0);
	endpoint_wait(&s.plain.endpoint, true, false);
	ck_assert(is_woken(&s));
	scene_clear(&s);
}
END_TEST

START_TEST(a_half_close_is_a_fin)
{
	for (size_t i = 0; i < 2; i++) {
		struct scene s;

		scene_init(&s, domains[i]);
		program_sends(&s, "last");
		shutdown(s.program, SHUT_WR);
		await(&s, POLLRDHUP);
		ck_assert_int_eq(take(&s, "last"), SOURCE_OPEN);
		ck_assert_int_eq(take(&s, ""), SOURCE_FINISHED);
		ck_assert(!s.plain.endpoint.deaf);
		ck_assert_uint_eq(give(&s, "x", 1), 1);
		scene_clear(&s);
	}
}
END_TEST

START_TEST(a_full_close_is_a_fin)
{
	struct scene s;

	scene_init(&s, AF_INET);
	program_sends(&s, "last");
	program_leaves(&s, false);
	await(&s, POLLRDHUP);
	ck_assert_int_eq(take(&s, "last"), SOURCE_OPEN);
	ck_assert_int_eq(take(&s, ""), SOURCE_FINISHED);
	scene_clear(&s);
}
END_TEST

/* A Unix socket has no RST, but POLLHUP at every full close. */
START_TEST(a_full_close_of_a_unix_socket_is_a_fin_too)
{
	struct scene s;

	scene_init(&s, AF_UNIX);
	program_sends(&s, "last");
	program_leaves(&s, false);
	await(&s, POLLRDHUP);
	ck_assert_int_eq(take(&s, "last"), SOURCE_OPEN);
	ck_assert_int_eq(take(&s, ""), SOURCE_FINISHED);
	scene_clear(&s);
}
END_TEST

START_TEST(a_unix_socket_that_is_closed_while_it_is_quiet_is_not_reset)
{
	struct scene s;

	scene_init(&s, AF_UNIX);
	endpoint_wait(&s.plain.endpoint, false, false);
	program_leaves(&s, false);
	await(&s, POLLRDHUP);
	wakes_in_turns(&s, 5);
	ck_assert(!s.plain.endpoint.deaf);
	ck_assert_int_eq(take(&s, ""), SOURCE_FINISHED);
	scene_clear(&s);
}
END_TEST

START_TEST(a_full_close_after_our_fin_is_a_fin)
{
	for (size_t i = 0; i < 2; i++) {
		struct scene s;

		scene_init(&s, domains[i]);
		ck_assert(endpoint_end(&s.plain.endpoint, ENDING_FIN));
		program_leaves(&s, false);
		await(&s, POLLRDHUP);
		ck_assert_int_eq(take(&s, ""), SOURCE_FINISHED);
		ck_assert(!s.plain.endpoint.deaf);
		scene_clear(&s);
	}
}
END_TEST

START_TEST(the_bytes_before_a_reset_come_first)
{
	struct scene s;

	scene_init(&s, AF_INET);
	program_sends(&s, "answer");
	program_leaves(&s, true);
	await(&s, POLLIN);
	ck_assert_int_eq(take(&s, "answer"), SOURCE_OPEN);
	ck_assert_int_eq(take(&s, ""), SOURCE_BROKEN);
	ck_assert(s.plain.endpoint.deaf);
	ck_assert_int_eq(s.plain.endpoint.reason, REASON_PROGRAM_RESET);
	scene_clear(&s);
}
END_TEST

START_TEST(a_reset_that_a_send_took_the_error_of_is_not_a_fin)
{
	struct scene s;

	scene_init(&s, AF_INET);
	program_sends(&s, "answer");
	program_leaves(&s, true);
	await(&s, POLLIN);
	ck_assert_uint_eq(give(&s, "x", 1), 0);
	ck_assert(s.plain.endpoint.deaf);
	ck_assert(s.plain.endpoint.readable);
	ck_assert_int_eq(take(&s, "answer"), SOURCE_OPEN);
	ck_assert_int_eq(take(&s, ""), SOURCE_BROKEN);
	ck_assert_uint_eq(give(&s, "x", 1), 0);
	scene_clear(&s);
}
END_TEST

START_TEST(a_reset_that_so_error_took_the_error_of_is_not_a_fin)
{
	struct scene s;
	socklen_t length = sizeof(int);
	int error;

	scene_init(&s, AF_INET);
	program_sends(&s, "answer");
	program_leaves(&s, true);
	await(&s, POLLIN);
	getsockopt(s.plain.fd, SOL_SOCKET, SO_ERROR, &error, &length);
	ck_assert_int_eq(error, ECONNRESET);
	ck_assert_int_eq(take(&s, "answer"), SOURCE_OPEN);
	ck_assert_int_eq(take(&s, ""), SOURCE_BROKEN);
	scene_clear(&s);
}
END_TEST

START_TEST(a_fin_and_then_a_reset_before_we_look_is_a_reset)
{
	struct scene s;

	scene_init(&s, AF_INET);
	program_sends(&s, "last");
	shutdown(s.program, SHUT_WR);
	program_leaves(&s, true);
	await(&s, POLLRDHUP);
	ck_assert_int_eq(take(&s, "last"), SOURCE_OPEN);
	ck_assert_int_eq(take(&s, ""), SOURCE_BROKEN);
	scene_clear(&s);
}
END_TEST

START_TEST(a_close_with_our_bytes_unread_is_the_answer_and_then_a_reset)
{
	struct scene s;

	scene_init(&s, AF_INET);
	ck_assert_uint_eq(give(&s, "question", 8), 8);
	program_sends(&s, "answer");
	program_leaves(&s, false);
	await(&s, POLLIN);
	ck_assert_int_eq(take(&s, "answer"), SOURCE_OPEN);
	ck_assert_int_eq(take(&s, ""), SOURCE_BROKEN);
	scene_clear(&s);
}
END_TEST

START_TEST(a_quiet_socket_is_guarded)
{
	struct scene s;

	scene_init(&s, AF_INET);
	s.plain.endpoint.readable = false;
	endpoint_wait(&s.plain.endpoint, false, false);
	ck_assert_int_eq(wakes_in_turns(&s, 5), 0);
	program_leaves(&s, true);
	ck_assert(is_woken(&s));
	ck_assert(s.plain.endpoint.deaf);
	ck_assert(s.plain.endpoint.readable);
	ck_assert_int_eq(wakes_in_turns(&s, 5), 0); /* told once */
	ck_assert_int_eq(take(&s, ""), SOURCE_BROKEN);
	scene_clear(&s);
}
END_TEST

START_TEST(a_socket_that_is_quiet_after_its_fin_is_guarded)
{
	struct scene s;

	scene_init(&s, AF_INET);
	shutdown(s.program, SHUT_WR);
	await(&s, POLLRDHUP);
	ck_assert_int_eq(take(&s, ""), SOURCE_FINISHED);
	endpoint_wait(&s.plain.endpoint, false, false);
	ck_assert_int_eq(wakes_in_turns(&s, 5), 0);
	program_leaves(&s, true);
	ck_assert(is_woken(&s));
	ck_assert(s.plain.endpoint.deaf);
	scene_clear(&s);
}
END_TEST

/* Its break was told already when the bytes before it are taken. */
START_TEST(bytes_and_a_reset_on_a_quiet_socket_come_both)
{
	struct scene s;

	scene_init(&s, AF_INET);
	s.plain.endpoint.readable = false;
	endpoint_wait(&s.plain.endpoint, false, false);
	program_sends(&s, "answer");
	program_leaves(&s, true);
	ck_assert(is_woken(&s));
	ck_assert_int_eq(take(&s, "answer"), SOURCE_OPEN);
	endpoint_wait(&s.plain.endpoint, true, false);
	ck_assert_msg(s.plain.endpoint.readable || is_woken(&s),
	    "nobody says that the reset is still to be taken");
	ck_assert_int_eq(take(&s, ""), SOURCE_BROKEN);
	scene_clear(&s);
}
END_TEST

START_TEST(a_full_socket_takes_a_part_and_says_when_it_takes_more)
{
	struct scene s;
	size_t given;
	int end;

	scene_init(&s, AF_INET);
	given = fill(&s);
	ck_assert_uint_gt(given, 0);
	ck_assert(!s.plain.endpoint.deaf);
	endpoint_wait(&s.plain.endpoint, false, true);
	ck_assert_int_eq(wakes_in_turns(&s, 5), 0);
	program_reads(&s, &end);
	ck_assert_int_eq(end, EAGAIN);
	ck_assert(is_woken(&s));
	ck_assert_uint_eq(give(&s, "x", 1), 1);
	scene_clear(&s);
}
END_TEST

START_TEST(a_reset_follows_once_the_program_s_kernel_has_every_byte)
{
	struct scene s;
	size_t given, got = 0;
	int end, turns;

	scene_init(&s, AF_INET);
	given = fill(&s);
	ck_assert(!endpoint_end(&s.plain.endpoint, ENDING_RST));
	ck_assert_int_ge(s.plain.fd, 0);
	endpoint_wait(&s.plain.endpoint, false, false);
	for (turns = 0; turns < 1000 && s.plain.fd >= 0; turns++) {
		got += program_reads(&s, &end);
		ck_assert_int_eq(end, EAGAIN);
		ck_assert(is_woken(&s));
		endpoint_end(&s.plain.endpoint, ENDING_RST);
	}
	ck_assert_int_eq(s.plain.fd, -1);
	got += program_reads(&s, &end);
	ck_assert_int_eq(end, ECONNRESET);
	ck_assert_uint_eq(got, given);
	scene_clear(&s);
}
END_TEST

START_TEST(a_reset_of_an_empty_socket_is_done_at_once)
{
	struct scene s;
	int end;

	scene_init(&s, AF_INET);
	ck_assert(endpoint_end(&s.plain.endpoint, ENDING_RST));
	ck_assert_int_eq(s.plain.fd, -1);
	ck_assert_uint_eq(program_reads(&s, &end), 0);
	ck_assert_int_eq(end, ECONNRESET);
	endpoint_wait(&s.plain.endpoint, true, true); /* fine, and nothing */
	scene_clear(&s);
}
END_TEST

START_TEST(a_program_that_leaves_while_its_last_bytes_drain_is_noticed)
{
	struct scene s;

	scene_init(&s, AF_INET);
	fill(&s);
	ck_assert(!endpoint_end(&s.plain.endpoint, ENDING_RST));
	endpoint_wait(&s.plain.endpoint, false, false);
	program_leaves(&s, true);
	while (!s.plain.endpoint.deaf)
		ck_assert(is_woken(&s));
	ck_assert(endpoint_end(&s.plain.endpoint, ENDING_RST));
	scene_clear(&s);
}
END_TEST

START_TEST(our_fin_is_seen_behind_the_bytes_and_the_other_direction_goes_on)
{
	for (size_t i = 0; i < 2; i++) {
		struct scene s;
		int end;

		scene_init(&s, domains[i]);
		ck_assert_uint_eq(give(&s, "bye", 3), 3);
		ck_assert(endpoint_end(&s.plain.endpoint, ENDING_FIN));
		ck_assert_uint_eq(program_reads(&s, &end), 3);
		ck_assert_int_eq(end, 0);
		program_sends(&s, "and you");
		await(&s, POLLIN);
		ck_assert_int_eq(take(&s, "and you"), SOURCE_OPEN);
		scene_clear(&s);
	}
}
END_TEST

START_TEST(a_reset_after_our_fin_is_a_reset)
{
	struct scene s;

	scene_init(&s, AF_INET);
	ck_assert(endpoint_end(&s.plain.endpoint, ENDING_FIN));
	program_sends(&s, "answer");
	program_leaves(&s, true);
	await(&s, POLLIN);
	ck_assert_int_eq(take(&s, "answer"), SOURCE_OPEN);
	ck_assert_int_eq(take(&s, ""), SOURCE_BROKEN);
	scene_clear(&s);
}
END_TEST

START_TEST(a_fin_for_a_socket_that_was_reset_finds_that_out)
{
	struct scene s;

	scene_init(&s, AF_INET);
	program_leaves(&s, true);
	await(&s, POLLIN);
	ck_assert(endpoint_end(&s.plain.endpoint, ENDING_FIN));
	ck_assert(s.plain.endpoint.deaf);
	scene_clear(&s);
}
END_TEST

UNIT_MAIN("plain", bytes_come_and_go, bytes_that_come_wake_the_owner,
    bytes_for_a_quiet_socket_wake_nobody, a_half_close_is_a_fin, a_full_close_is_a_fin,
    a_full_close_of_a_unix_socket_is_a_fin_too,
    a_unix_socket_that_is_closed_while_it_is_quiet_is_not_reset,
    a_full_close_after_our_fin_is_a_fin, the_bytes_before_a_reset_come_first,
    a_reset_that_a_send_took_the_error_of_is_not_a_fin,
    a_reset_that_so_error_took_the_error_of_is_not_a_fin,
    a_fin_and_then_a_reset_before_we_look_is_a_reset,
    a_close_with_our_bytes_unread_is_the_answer_and_then_a_reset,
    a_quiet_socket_is_guarded, a_socket_that_is_quiet_after_its_fin_is_guarded,
    bytes_and_a_reset_on_a_quiet_socket_come_both,
    a_full_socket_takes_a_part_and_says_when_it_takes_more,
    a_reset_follows_once_the_program_s_kernel_has_every_byte,
    a_reset_of_an_empty_socket_is_done_at_once,
    a_program_that_leaves_while_its_last_bytes_drain_is_noticed,
    our_fin_is_seen_behind_the_bytes_and_the_other_direction_goes_on,
    a_reset_after_our_fin_is_a_reset, a_fin_for_a_socket_that_was_reset_finds_that_out)
