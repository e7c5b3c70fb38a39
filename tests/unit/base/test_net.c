#include "common/base/net.h"
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

/* @text is read as this host and port, and shown as @shown. */
static void
reads(const char *text, const char *host, unsigned port, const char *shown)
{
	struct err e = {.text = ""};
	struct net_name name = {0};
	char out[NET_TEXT_SIZE];

	ck_assert_msg(net_name_parse(&name, text, "default", &e), "%s: %s", text, e.text);
	ck_assert_str_eq(name.host, host);
	ck_assert_uint_eq(name.port, port);
	ck_assert_ptr_null(name.path);
	ck_assert_str_eq(net_name_format(&name, out, sizeof(out)), shown);
	net_name_clear(&name);
	ck_assert_ptr_null(name.host);
}

/* @text is refused, and the error has this in it. */
static void
refuses(const char *text, const char *why)
{
	struct err e = {.text = ""};
	struct net_name name = {.port = 7};

	ck_assert_msg(!net_name_parse(&name, text, "default", &e), "%s", text);
	ck_assert_msg(strstr(e.text, why) != NULL, "%s: %s", text, e.text);
	ck_assert_uint_eq(name.port, 7);
}

START_TEST(an_address_splits_at_its_last_colon)
{
	reads("db.example:5432", "db.example", 5432, "db.example:5432");
	reads("192.0.2.1:80", "192.0.2.1", 80, "192.0.2.1:80");
	reads("[::1]:80", "::1", 80, "[::1]:80");
	reads("::1:80", "::1", 80, "[::1]:80");
	reads("fe80::1%eth0:80", "fe80::1%eth0", 80, "[fe80::1%eth0]:80");
	reads("under_score.example.:65535", "under_score.example.", 65535,
	    "under_score.example.:65535");
}
END_TEST

START_TEST(three_colons_and_a_port_are_ipv6_any)
{
	reads(":::443", "::", 443, "[::]:443");
}
END_TEST

START_TEST(a_port_alone_gets_the_default_host)
{
	reads("443", "default", 443, "default:443");
	reads("0080", "default", 80, "default:80");
}
END_TEST

START_TEST(a_leading_slash_is_a_unix_socket)
{
	struct err e = {.text = ""};
	struct net_name name = {0};
	char out[NET_TEXT_SIZE];

	ck_assert(net_name_parse(&name, "/run/app:1.sock", "default", &e));
	ck_assert_str_eq(name.path, "/run/app:1.sock");
	ck_assert_ptr_null(name.host);
	ck_assert_uint_eq(name.port, 0);
	ck_assert_str_eq(net_name_format(&name, out, sizeof(out)), "/run/app:1.sock");
	net_name_clear(&name);
}
END_TEST

START_TEST(a_unix_path_longer_than_the_system_takes_is_refused)
{
	struct err e = {.text = ""};
	struct net_name name = {0};
	char path[109];

	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[107] = '\0';
	ck_assert(net_name_parse(&name, path, "default", &e));
	net_name_clear(&name);
	path[107] = 'x';
	path[108] = '\0';
	refuses(path, "at most 107 bytes");
}
END_TEST

START_TEST(a_port_is_a_number_from_1_to_65535)
{
	refuses("db:0", "from 1 to 65535");
	refuses("db:65536", "from 1 to 65535");
	refuses("db:18446744073709551617", "from 1 to 65535");
	refuses("db:-1", "\"-1\" is no port");
	refuses("db: 80", "is no port");
	refuses("db:https", "\"https\" is no port: write its number");
	refuses("https", "\"https\" is no port: write its number");
	refuses("db:", "no port");
	refuses("[::1]", "is no port");
	refuses("a.b:c.d", "\"c.d\" is no port");
	refuses("", "write [HOST:]PORT");
	refuses("orders.example",
	    "the port is missing: write orders.example:PORT, as in orders.example:443");
	refuses("localhost", "the port is missing: write localhost:PORT");
	refuses("192.0.2.1", "the port is missing: write 192.0.2.1:PORT");
}
END_TEST

START_TEST(what_cannot_be_a_host_is_refused)
{
	refuses(":80", "no host");
	refuses("[]:80", "no host");
	refuses("*:80", "\"*\" is no host: write the port alone to listen at every");
	refuses("my host:80", "is no host name");
	refuses("b\xc3\xbc"
		"cher.example:80",
	    "xn--");
	refuses("http://db:80", "write HOST:PORT, without http://");
	refuses("https://x.y:443/", "write HOST:PORT, without https://");
	refuses("::1", "is no IPv6 address");
	refuses("[db]x:80", "is no host name");
	refuses("1:2:3:80", "is no IPv6 address");
}
END_TEST

START_TEST(literals_are_told_from_names)
{
	ck_assert(net_is_literal("192.0.2.1"));
	ck_assert(net_is_literal("::1"));
	ck_assert(net_is_literal("fe80::1%nosuchinterface"));
	ck_assert(net_is_literal("::ffff:192.0.2.1"));
	ck_assert(!net_is_literal("127.1"));
	ck_assert(!net_is_literal("localhost"));
	ck_assert(!net_is_literal("192.0.2.1.example"));
	ck_assert(!net_is_literal("fe80::1%"));
	ck_assert(!net_is_literal(""));
}
END_TEST

/* The addresses that need no lookup, as text with a blank behind each. */
static const char *
addresses_of(const char *host, const char *path)
{
	struct net_name name = {.port = 80};
	struct net_address addresses[2];
	char text[NET_TEXT_SIZE];
	static char all[2 * NET_TEXT_SIZE];
	size_t n;

	name.host = host == NULL ? NULL : strdup(host);
	name.path = path == NULL ? NULL : strdup(path);
	n = net_name_addresses(&name, addresses);
	net_name_clear(&name);
	all[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		strcat(all, net_address_format(&addresses[i], text, sizeof(text)));
		strcat(all, " ");
	}
	return all;
}

START_TEST(literals_localhost_and_paths_need_no_lookup)
{
	ck_assert_str_eq(addresses_of("192.0.2.1", NULL), "192.0.2.1:80 ");
	ck_assert_str_eq(addresses_of("2001:db8::1", NULL), "[2001:db8::1]:80 ");
	ck_assert_str_eq(addresses_of("LocalHost", NULL), "[::1]:80 127.0.0.1:80 ");
	ck_assert_str_eq(addresses_of("localhost.", NULL), "[::1]:80 127.0.0.1:80 ");
	ck_assert_str_eq(addresses_of(NULL, "/run/app.sock"), "/run/app.sock ");
	ck_assert_str_eq(addresses_of("db.example", NULL), "");
}
END_TEST

START_TEST(a_scope_is_an_interface_by_name_or_number)
{
	ck_assert_str_eq(addresses_of("fe80::1%lo", NULL), "[fe80::1%lo]:80 ");
	ck_assert_str_eq(addresses_of("fe80::1%1", NULL), "[fe80::1%lo]:80 ");
	ck_assert_str_eq(addresses_of("fe80::1%77777", NULL), "[fe80::1%77777]:80 ");
	ck_assert_str_eq(addresses_of("fe80::1%nosuchone", NULL), "");
	ck_assert_str_eq(addresses_of("fe80::1%99999999999", NULL), "");
}
END_TEST

START_TEST(an_ipv4_peer_of_an_ipv6_socket_is_shown_as_ipv4)
{
	ck_assert_str_eq(addresses_of("::ffff:192.0.2.1", NULL), "192.0.2.1:80 ");
}
END_TEST

START_TEST(unix_addresses_are_shown_whatever_they_are)
{
	struct net_address a = {.un = {.sun_family = AF_UNIX}};
	char text[NET_TEXT_SIZE];

	a.length = offsetof(struct sockaddr_un, sun_path);
	ck_assert_str_eq(net_address_format(&a, text, sizeof(text)), "unix");
	memcpy(a.un.sun_path, "\0abc", 4);
	a.length += 4;
	ck_assert_str_eq(net_address_format(&a, text, sizeof(text)), "@abc");
	memset(a.un.sun_path, 'x', sizeof(a.un.sun_path));
	a.length = sizeof(a.un);
	ck_assert_uint_eq(
	    strlen(net_address_format(&a, text, sizeof(text))), sizeof(a.un.sun_path));
}
END_TEST

static struct net_address
loopback(unsigned port)
{
	return (struct net_address){
	    .length = sizeof(struct sockaddr_in),
	    .in = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = {htonl(INADDR_LOOPBACK)}},
	};
}

static struct net_address
local_address(int fd)
{
	struct net_address a = {.length = sizeof(a.un)};

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
	struct net_address a = loopback(0);
	struct err e = {.text = ""};
	int fd = net_listen(&a, NULL, &e);

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
	struct net_address a = loopback(0);
	struct err e = {.text = ""};
	int fd = net_listen(&a, NULL, &e);
	char expected[128];

	ck_assert_int_ne(fd, -1);
	a = local_address(fd);
	ck_assert_int_eq(net_listen(&a, NULL, &e), -1);
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
	struct net_address a = local_address(fd);
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
	struct net_address a = loopback(0);
	struct err e = {.text = ""};
	int fd = net_listen(&a, NULL, &e), beside;

	ck_assert_int_ne(fd, -1);
	ck_assert_msg((beside = net_listen_beside(fd, NULL, &e)) != -1, "%s", e.text);
	ck_assert_int_ne(fcntl(beside, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_ne(fcntl(beside, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert(is_shared(fd, beside));
	ck_assert(is_shared(beside, fd));
	a = local_address(fd);
	ck_assert_int_eq(net_listen(&a, NULL, &e), -1);
	close(fd);
	close(beside);
}
END_TEST

START_TEST(an_ipv6_socket_takes_ipv6_alone_unless_it_is_the_any_address)
{
	struct net_address a = {
	    .length = sizeof(struct sockaddr_in6),
	    .in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT},
	};
	struct err e = {.text = ""};
	int fd = net_listen(&a, NULL, &e);

	if (fd == -1) /* a host without IPv6 */
		return;
	ck_assert_int_eq(option_of(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
	close(fd);
	a.in6.sin6_addr = in6addr_any;
	fd = net_listen(&a, NULL, &e);
	ck_assert_msg(fd != -1, "%s", e.text);
	ck_assert_int_eq(option_of(fd, IPPROTO_IPV6, IPV6_V6ONLY), 0);
	close(fd);
}
END_TEST

/* A folder of this test's own, and the address of a socket in it. */
static struct net_address
socket_in_folder(char folder[32])
{
	struct net_address a = {.un = {.sun_family = AF_UNIX}};

	strcpy(folder, "/tmp/routeport-net-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(a.un.sun_path, sizeof(a.un.sun_path), "%s/s", folder);
	a.length = sizeof(a.un);
	return a;
}

START_TEST(a_unix_socket_left_behind_is_replaced)
{
	char folder[32];
	struct net_address a = socket_in_folder(folder);
	struct err e = {.text = ""};
	int first = net_listen(&a, NULL, &e), second, client;

	ck_assert_msg(first != -1, "%s", e.text);
	close(first);
	second = net_listen(&a, NULL, &e);
	client = net_socket(&a);
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
	struct net_address a = socket_in_folder(folder);
	struct err e = {.text = ""};
	int fd = net_listen(&a, NULL, &e), beside;

	ck_assert_int_ne(fd, -1);
	ck_assert_msg((beside = net_listen_beside(fd, NULL, &e)) != -1, "%s", e.text);
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
	struct net_address a = socket_in_folder(folder);
	struct err e = {.text = ""};
	int first = net_listen(&a, NULL, &e), second = net_listen(&a, NULL, &e);
	int client = net_socket(&a), reached = connect(client, &a.any, a.length);

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
	struct net_address a = socket_in_folder(folder);
	struct err e = {.text = ""};
	int file = open(a.un.sun_path, O_CREAT | O_WRONLY, 0600);
	int fd = net_listen(&a, NULL, &e), left = unlink(a.un.sun_path);

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
	struct net_address a = loopback(0);
	struct err e = {.text = ""};
	int listener = net_listen(&a, NULL, &e);

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
	net_reset(ends[1]);
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
	net_tune(ends[1], true);
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
	net_tune(ends[1], true);
	net_close(ends[1]);
	ck_assert_int_eq(end_of(ends[0]), 0);
}
END_TEST

START_TEST(a_tuned_socket_sends_at_once_and_a_program_s_keeps_alive)
{
	int ends[2];

	connect_pair(ends);
	net_tune(ends[0], false);
	net_tune(ends[1], true);
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
	struct net_address near[2], far[2];
	char text[2][NET_TEXT_SIZE];
	int ends[2];

	connect_pair(ends);
	for (int i = 0; i < 2; i++)
		net_ends(ends[i], &near[i], &far[i]);
	for (int i = 0; i < 2; i++)
		ck_assert_str_eq(net_address_format(&near[i], text[0], NET_TEXT_SIZE),
		    net_address_format(&far[1 - i], text[1], NET_TEXT_SIZE));
	net_reset(ends[1]);
	net_ends(ends[0], &near[0], &far[0]);
	ck_assert_uint_eq(near[0].length, sizeof(near[0].in));
	ck_assert_uint_eq(far[0].length, 0);
	close(ends[0]);
}
END_TEST

START_TEST(unnamed_unix_sockets_have_addresses_too)
{
	struct net_address near, far;
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	net_ends(ends[0], &near, &far);
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
	for (int i = 0; i < 300 && net_unanswered(fd) < 0.5; i++)
		usleep(10000);
	return net_unanswered(fd) >= 0.5;
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
	ck_assert_int_eq(net_unacknowledged(ends[0]), 0);
	ck_assert_int_eq(send(ends[0], "word", 4, 0), 4);
	for (int i = 0; i < 300 && net_unacknowledged(ends[0]) > 0; i++)
		usleep(10000);
	ck_assert_int_eq(net_unacknowledged(ends[0]), 0);
	ck_assert(net_unanswered(ends[0]) == 0);
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
		ck_assert(net_unanswered(ends[0]) < 0.5);
		usleep(10000);
	}
	ck_assert_int_gt(net_unacknowledged(ends[0]), 0);
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
		ck_assert(net_unanswered(ends[0]) == 0); /* it was asked nothing */
		ck_assert(full || send(ends[0], "word", 4, 0) == 4);
		ck_assert(owes_an_answer(ends[0]));
		ck_assert(full || net_unacknowledged(ends[0]) == 4);
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
	ck_assert(net_unanswered(ends[0]) == 0);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

UNIT_MAIN("net", an_address_splits_at_its_last_colon,
    three_colons_and_a_port_are_ipv6_any, a_port_alone_gets_the_default_host,
    a_leading_slash_is_a_unix_socket, a_unix_path_longer_than_the_system_takes_is_refused,
    a_port_is_a_number_from_1_to_65535, what_cannot_be_a_host_is_refused,
    literals_are_told_from_names, literals_localhost_and_paths_need_no_lookup,
    a_scope_is_an_interface_by_name_or_number,
    an_ipv4_peer_of_an_ipv6_socket_is_shown_as_ipv4,
    unix_addresses_are_shown_whatever_they_are,
    a_listening_socket_neither_blocks_nor_leaks_into_children,
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
