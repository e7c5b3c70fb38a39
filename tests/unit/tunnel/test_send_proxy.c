#include "common/tunnel/send_proxy.h"

#include "common/net/proxy_protocol.h"
#include "tests/unit/unit.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the channel knows of its far end. */
static struct link_facts known;

static const struct link_facts *
on_facts(const struct channel *channel, struct link_facts *space)
{
	(void)channel;
	(void)space;
	return &known;
}

static const struct channel_ops channel_ops = {.facts = on_facts};
static const struct channel channel = {.ops = &channel_ops};

static struct service_settings settings;

static struct address
address(const char *text)
{
	struct address a;

	ck_assert(proxy_protocol_read_address(&a, text));
	return a;
}

/* A router has dialled us. */
static void
setup(int version)
{
	settings = (struct service_settings){
	    .protocol = PROTOCOL_PROXY,
	    .protocol_version = version,
	};
	known = (struct link_facts){
	    .tls = "TLSv1.3",
	    .cipher = "TLS_AES_128_GCM_SHA256",
	    .sni = "orders.example",
	    .common_name = "legacy",
	    .shown = true,
	    .verified = true,
	    .ours = address("198.51.100.7:8443"),
	    .peers = address("198.51.100.1:40000"),
	};
}

/* What the app gets, which @length bytes have room for; says how many came. */
static size_t
greet(const char *peer, char *out, size_t length)
{
	struct err e = {.text = ""};
	ssize_t n;
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	ck_assert_msg(
	    send_proxy_header(ends[0], &settings, &channel, peer, &e) == REASON_NONE,
	    "%s", e.text);
	n = recv(ends[1], out, length, 0);
	close(ends[0]);
	close(ends[1]);
	return n > 0 ? (size_t)n : 0;
}

static void
expect_greeting(const char *peer, const char *expected)
{
	char out[PROXY_PROTOCOL_SIZE + 1] = "";

	greet(peer, out, sizeof(out) - 1);
	ck_assert_str_eq(out, expected);
}

START_TEST(without_the_option_nothing_is_said)
{
	setup(1);
	settings.protocol = PROTOCOL_NONE;
	expect_greeting("192.0.2.1:51234", "");
}
END_TEST

START_TEST(the_address_that_came_along_is_the_source)
{
	setup(1);
	expect_greeting(
	    "192.0.2.1:51234", "PROXY TCP4 192.0.2.1 198.51.100.7 51234 8443\r\n");
	expect_greeting("[2001:db8::7]:51234",
	    "PROXY TCP6 2001:db8::7 ::ffff:c633:6407 51234 8443\r\n");
}
END_TEST

START_TEST(what_is_no_address_gives_way_to_that_of_the_connection)
{
	static const char *const peers[] = {"unix", "", "unknown", "_secret",
	    "localhost:80", "1.2.3.4 5.6.7.8 1 2\r\nx", "/run/legacy.sock"};

	setup(1);
	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++)
		expect_greeting(
		    peers[i], "PROXY TCP4 198.51.100.1 198.51.100.7 40000 8443\r\n");
}
END_TEST

START_TEST(over_unix_sockets_there_is_no_address)
{
	setup(1);
	known.ours = known.peers = (struct address){
	    .length = sizeof(sa_family_t), .un = {.sun_family = AF_UNIX}};
	expect_greeting("unix", "PROXY UNKNOWN\r\n");
}
END_TEST

START_TEST(the_second_version_tells_of_tls_and_of_the_certificate)
{
	char out[PROXY_PROTOCOL_SIZE];
	size_t n;

	setup(2);
	n = greet("192.0.2.1:51234", out, sizeof(out));
	ck_assert_uint_eq(n, 16 + 12 + (3 + 14) + 8 + (3 + 7) + (3 + 6) + (3 + 22));
	ck_assert_mem_eq(out + 28, "\x02\0\x0eorders.example\x20\0\x31\x07\0\0\0\0", 25);
	known.resumed = true;
	greet("192.0.2.1:51234", out, sizeof(out));
	ck_assert_int_eq(out[28 + 17 + 3], 5);
	known.shown = known.verified = false;
	known.common_name[0] = '\0';
	greet("192.0.2.1:51234", out, sizeof(out));
	ck_assert_mem_eq(out + 28 + 17 + 3, "\x01\0\0\0\x01", 5);
}
END_TEST

/* Nothing is said over @fd, for @reason and with these words. */
static void
expect_failure(int fd, const char *peer, enum reason reason, const char *words)
{
	struct err e = {.text = ""};

	ck_assert_int_eq(send_proxy_header(fd, &settings, &channel, peer, &e), reason);
	ck_assert_str_eq(e.text, words);
}

/* The app would take the stream for one from its own host. */
START_TEST(a_connection_that_is_gone_is_not_announced_as_unknown)
{
	const char *words = "the connection is gone, and nobody is there to name to the "
			    "app";
	struct address address = {0};
	int ends[2];
	char byte;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	setup(1);
	known.peers = address;
	expect_failure(ends[0], "unix", REASON_CARRIER_LOST, words);
	setup(1);
	known.ours = address;
	expect_failure(ends[0], "192.0.2.1:51234", REASON_CARRIER_LOST, words);
	ck_assert_int_eq(recv(ends[1], &byte, 1, 0), -1);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(an_app_that_is_gone_again_is_unreachable)
{
	int ends[2];

	setup(1);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	close(ends[1]);
	expect_failure(ends[0], "192.0.2.1:51234", REASON_APP_UNREACHABLE,
	    "send the PROXY header: Broken pipe");
	close(ends[0]);
}
END_TEST

START_TEST(a_socket_that_takes_no_header_is_no_way_to_the_app)
{
	char bytes[4096] = "";
	int ends[2], small = 1;

	setup(2);
	memset(known.sni, 'x', sizeof(known.sni) - 1);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	while (send(ends[0], bytes, sizeof(bytes), 0) > 0)
		;
	expect_failure(ends[0], "192.0.2.1:51234", REASON_APP_UNREACHABLE,
	    "send the PROXY header: Resource temporarily unavailable");
	close(ends[0]);
	close(ends[1]);
}
END_TEST

UNIT_MAIN("greeting", without_the_option_nothing_is_said,
    the_address_that_came_along_is_the_source,
    what_is_no_address_gives_way_to_that_of_the_connection,
    over_unix_sockets_there_is_no_address,
    the_second_version_tells_of_tls_and_of_the_certificate,
    a_connection_that_is_gone_is_not_announced_as_unknown,
    an_app_that_is_gone_again_is_unreachable,
    a_socket_that_takes_no_header_is_no_way_to_the_app)
