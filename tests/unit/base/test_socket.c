#include "common/base/socket.h"
#include "tests/unit/own_network.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct address
loopback(unsigned port)
{
	return (struct address){
	    .length = sizeof(struct sockaddr_in),
	    .in = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = {htonl(INADDR_LOOPBACK)}},
	};
}

static struct address
local_address(int fd)
{
	struct address a = {.length = sizeof(a.un)};

	ck_assert_int_eq(getsockname(fd, &a.any, &a.length), 0);
	return a;
}

static int
option_of(int fd, int level, int name)
{
	int value = -1;
	socklen_t length = sizeof(value);

	ck_assert_int_eq(getsockopt(fd, level, name, &value, &length), 0);
	return value;
}

START_TEST(a_listening_socket_neither_blocks_nor_leaks_into_children)
{
	struct address a = loopback(0);
	struct err e = {.text = ""};
	int fd = socket_listen(&a, NULL, &e);

	ck_assert_msg(fd != -1, "%s", e.text);
	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(option_of(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
	ck_assert_int_eq(option_of(fd, SOL_SOCKET, SO_REUSEADDR), 1);
	close(fd);
}
END_TEST

START_TEST(a_port_that_is_taken_is_named_in_the_error)
{
	struct address a = loopback(0);
	struct err e = {.text = ""};
	int fd = socket_listen(&a, NULL, &e);
	char expected[128];

	ck_assert_int_ne(fd, -1);
	a = local_address(fd);
	ck_assert_int_eq(socket_listen(&a, NULL, &e), -1);
	snprintf(expected, sizeof(expected),
	    "listen on 127.0.0.1:%u: Address already in use", ntohs(a.in.sin_port));
	ck_assert_str_eq(e.text, expected);
	close(fd);
}
END_TEST

/* Connect to where @fd listens until somebody comes to @beside; true once he did. */
static bool
is_shared(int fd, int beside)
{
	struct address a = local_address(fd);
	bool came = false;

	for (int i = 0; i < 200 && !came; i++) {
		int client = socket(a.any.sa_family, SOCK_STREAM, 0), server;

		ck_assert_int_eq(connect(client, &a.any, a.length), 0);
		if ((server = accept(beside, NULL, NULL)) >= 0)
			close(server);
		came = server >= 0;
		close(client);
	}
	return came;
}

START_TEST(a_port_is_shared_with_whom_we_let_and_with_no_other_program)
{
	struct address a = loopback(0);
	struct err e = {.text = ""};
	int fd = socket_listen(&a, NULL, &e), beside;

	ck_assert_int_ne(fd, -1);
	ck_assert_msg((beside = socket_listen_shared(fd, NULL, &e)) != -1, "%s", e.text);
	ck_assert_int_ne(fcntl(beside, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_ne(fcntl(beside, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert(is_shared(fd, beside));
	ck_assert(is_shared(beside, fd));
	a = local_address(fd);
	ck_assert_int_eq(socket_listen(&a, NULL, &e), -1);
	close(fd);
	close(beside);
}
END_TEST

START_TEST(an_ipv6_socket_takes_ipv6_alone_unless_it_is_the_any_address)
{
	struct address a = {
	    .length = sizeof(struct sockaddr_in6),
	    .in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT},
	};
	struct err e = {.text = ""};
	int fd = socket_listen(&a, NULL, &e);

	if (fd == -1) /* a host without IPv6 */
		return;
	ck_assert_int_eq(option_of(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
	close(fd);
	a.in6.sin6_addr = in6addr_any;
	fd = socket_listen(&a, NULL, &e);
	ck_assert_msg(fd != -1, "%s", e.text);
	ck_assert_int_eq(option_of(fd, IPPROTO_IPV6, IPV6_V6ONLY), 0);
	close(fd);
}
END_TEST

/* A folder of this test's own, and the address of a socket in it. */
static struct address
socket_in_folder(char folder[32])
{
	struct address a = {.un = {.sun_family = AF_UNIX}};

	strcpy(folder, "/tmp/routeport-socket-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(a.un.sun_path, sizeof(a.un.sun_path), "%s/s", folder);
	a.length = sizeof(a.un);
	return a;
}

START_TEST(a_unix_socket_left_behind_is_replaced)
{
	char folder[32];
	struct address a = socket_in_folder(folder);
	struct err e = {.text = ""};
	int first = socket_listen(&a, NULL, &e), second, client;

	ck_assert_msg(first != -1, "%s", e.text);
	close(first);
	second = socket_listen(&a, NULL, &e);
	client = socket_open(&a);
	unlink(a.un.sun_path);
	rmdir(folder);
	ck_assert_msg(second != -1, "%s", e.text);
	close(second);
	close(client);
}
END_TEST

START_TEST(a_unix_socket_is_shared_as_a_duplicate)
{
	char folder[32];
	struct address a = socket_in_folder(folder);
	struct err e = {.text = ""};
	int fd = socket_listen(&a, NULL, &e), beside;

	ck_assert_int_ne(fd, -1);
	ck_assert_msg((beside = socket_listen_shared(fd, NULL, &e)) != -1, "%s", e.text);
	ck_assert_int_ne(fcntl(beside, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert(is_shared(fd, beside));
	close(fd);
	close(beside);
	unlink(a.un.sun_path);
	rmdir(folder);
}
END_TEST

START_TEST(a_unix_socket_that_answers_is_not_replaced)
{
	char folder[32];
	struct address a = socket_in_folder(folder);
	struct err e = {.text = ""};
	int first = socket_listen(&a, NULL, &e), second = socket_listen(&a, NULL, &e);
	int client = socket_open(&a), reached = connect(client, &a.any, a.length);

	unlink(a.un.sun_path);
	rmdir(folder);
	ck_assert_int_ne(first, -1);
	ck_assert_int_eq(second, -1);
	ck_assert_int_eq(reached, 0);
	ck_assert_msg(strstr(e.text, "/s: Address already in use") != NULL, "%s", e.text);
	close(first);
	close(client);
}
END_TEST

START_TEST(a_file_that_is_no_socket_is_not_replaced)
{
	char folder[32];
	struct address a = socket_in_folder(folder);
	struct err e = {.text = ""};
	int file = open(a.un.sun_path, O_CREAT | O_WRONLY, 0600);
	int fd = socket_listen(&a, NULL, &e), left = unlink(a.un.sun_path);

	rmdir(folder);
	ck_assert_int_ne(file, -1);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(left, 0);
	ck_assert_msg(strstr(e.text, "Address already in use") != NULL, "%s", e.text);
	close(file);
}
END_TEST

/* Two ends of a TCP connection; the first blocks. */
static void
connect_pair(int ends[2])
{
	struct address a = loopback(0);
	struct err e = {.text = ""};
	int listener = socket_listen(&a, NULL, &e);

	ck_assert_int_ne(listener, -1);
	a = local_address(listener);
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(ends[0], &a.any, a.length), 0);
	ends[1] = accept(listener, NULL, NULL);
	ck_assert_int_ne(ends[1], -1);
	close(listener);
}

START_TEST(a_reset_is_seen_as_a_reset)
{
	int ends[2];
	char byte;

	connect_pair(ends);
	socket_reset(ends[1]);
	ck_assert_int_eq(recv(ends[0], &byte, 1, 0), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	close(ends[0]);
}
END_TEST

/* What the peer of a program's socket sees: 0 for FIN, or errno. */
static int
end_of(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, 0);

	ck_assert_int_lt(n, 1);
	close(fd);
	return n == 0 ? 0 : errno;
}

START_TEST(a_program_s_socket_is_reset_when_its_process_dies)
{
	int ends[2];
	pid_t child;

	connect_pair(ends);
	socket_tune(ends[1], true);
	if ((child = fork()) == 0) {
		for (;;)
			pause();
	}
	close(ends[1]); /* the child has the last one */
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	ck_assert_int_eq(end_of(ends[0]), ECONNRESET);
}
END_TEST

START_TEST(a_program_s_socket_is_closed_in_good_order_if_told)
{
	int ends[2];

	connect_pair(ends);
	socket_tune(ends[1], true);
	socket_close(ends[1]);
	ck_assert_int_eq(end_of(ends[0]), 0);
}
END_TEST

START_TEST(a_tuned_socket_sends_at_once_and_a_program_s_keeps_alive)
{
	int ends[2];

	connect_pair(ends);
	socket_tune(ends[0], false);
	socket_tune(ends[1], true);
	ck_assert_int_eq(option_of(ends[0], IPPROTO_TCP, TCP_NODELAY), 1);
	ck_assert_int_eq(option_of(ends[0], SOL_SOCKET, SO_KEEPALIVE), 0);
	ck_assert_int_eq(option_of(ends[1], IPPROTO_TCP, TCP_NODELAY), 1);
	ck_assert_int_eq(option_of(ends[1], SOL_SOCKET, SO_KEEPALIVE), 1);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(a_connection_has_two_addresses_until_it_is_reset)
{
	struct address near[2], far[2];
	char text[2][ADDRESS_TEXT_SIZE];
	int ends[2];

	connect_pair(ends);
	for (int i = 0; i < 2; i++)
		socket_ends(ends[i], &near[i], &far[i]);
	for (int i = 0; i < 2; i++)
		ck_assert_str_eq(address_format(&near[i], text[0], ADDRESS_TEXT_SIZE),
		    address_format(&far[1 - i], text[1], ADDRESS_TEXT_SIZE));
	socket_reset(ends[1]);
	socket_ends(ends[0], &near[0], &far[0]);
	ck_assert_uint_eq(near[0].length, sizeof(near[0].in));
	ck_assert_uint_eq(far[0].length, 0);
	close(ends[0]);
}
END_TEST

START_TEST(unnamed_unix_sockets_have_addresses_too)
{
	struct address near, far;
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	socket_ends(ends[0], &near, &far);
	ck_assert_int_eq(near.any.sa_family, AF_UNIX);
	ck_assert_int_eq(far.any.sa_family, AF_UNIX);
	ck_assert_uint_gt(near.length, 0);
	ck_assert_uint_gt(far.length, 0);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* ---- what the peer's kernel acknowledges ----------------------------------------- */

/* Whether the peer owes an answer after some time. */
static bool
owes_an_answer(int fd)
{
	for (int i = 0; i < 300 && socket_unanswered(fd) < 0.5; i++)
		usleep(10000);
	return socket_unanswered(fd) >= 0.5;
}

/* Until the socket takes no more, and the peer has closed its window. */
static void
fill(int fd)
{
	static const char zeros[65536];

	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	while (send(fd, zeros, sizeof(zeros), MSG_NOSIGNAL) > 0)
		;
}

START_TEST(a_peer_that_reads_owes_no_answer)
{
	int ends[2];

	connect_pair(ends);
	ck_assert_int_eq(socket_unacknowledged(ends[0]), 0);
	ck_assert_int_eq(send(ends[0], "word", 4, 0), 4);
	for (int i = 0; i < 300 && socket_unacknowledged(ends[0]) > 0; i++)
		usleep(10000);
	ck_assert_int_eq(socket_unacknowledged(ends[0]), 0);
	ck_assert(socket_unanswered(ends[0]) == 0);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* It closes its window, and answers every probe: TCP_USER_TIMEOUT would cut it. */
START_TEST(a_peer_that_takes_nothing_owes_no_answer_either)
{
	int ends[2];

	connect_pair(ends);
	fill(ends[0]);
	for (int i = 0; i < 150; i++) {
		ck_assert(socket_unanswered(ends[0]) < 0.5);
		usleep(10000);
	}
	ck_assert_int_gt(socket_unacknowledged(ends[0]), 0);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(a_dead_path_owes_an_answer_to_what_was_sent_and_to_probes_of_a_closed_window)
{
	for (int full = 0; full < 2; full++) {
		int ends[2];

		if (!own_network_enter())
			return;
		connect_pair(ends);
		if (full)
			fill(ends[0]);
		usleep(300000);
		own_network_cut();
		ck_assert(socket_unanswered(ends[0]) == 0); /* it was asked nothing */
		ck_assert(full || send(ends[0], "word", 4, 0) == 4);
		ck_assert(owes_an_answer(ends[0]));
		ck_assert(full || socket_unacknowledged(ends[0]) == 4);
		close(ends[0]);
		close(ends[1]);
	}
}
END_TEST

START_TEST(a_unix_socket_owes_no_answer)
{
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	ck_assert_int_eq(send(ends[0], "word", 4, 0), 4);
	ck_assert(socket_unanswered(ends[0]) == 0);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

UNIT_MAIN("socket", a_listening_socket_neither_blocks_nor_leaks_into_children,
    a_port_that_is_taken_is_named_in_the_error,
    a_port_is_shared_with_whom_we_let_and_with_no_other_program,
    an_ipv6_socket_takes_ipv6_alone_unless_it_is_the_any_address,
    a_unix_socket_left_behind_is_replaced, a_unix_socket_is_shared_as_a_duplicate,
    a_unix_socket_that_answers_is_not_replaced, a_file_that_is_no_socket_is_not_replaced,
    a_reset_is_seen_as_a_reset, a_program_s_socket_is_reset_when_its_process_dies,
    a_program_s_socket_is_closed_in_good_order_if_told,
    a_tuned_socket_sends_at_once_and_a_program_s_keeps_alive,
    a_connection_has_two_addresses_until_it_is_reset,
    unnamed_unix_sockets_have_addresses_too, a_peer_that_reads_owes_no_answer,
    a_peer_that_takes_nothing_owes_no_answer_either,
    a_dead_path_owes_an_answer_to_what_was_sent_and_to_probes_of_a_closed_window,
    a_unix_socket_owes_no_answer)
