#include "common/net/http_proxy.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	LONG = 30, /* seconds that no test takes */
};

#define ASKED "proxy unix: CONNECT route.test:443: "

/* What http_proxy_done was told. */
struct heard {
	int calls;
	int fd;
	enum reason reason;
	char why[1200];
};

static struct ev_loop *loop;
static struct service_settings settings;
static struct heard heard;
static struct http_proxy *attempt;
static int proxy; /* the other end */

static void
hear(void *arg, int fd, enum reason reason, const char *why)
{
	ck_assert_ptr_eq(arg, &heard);
	ck_assert((fd >= 0) == (why == NULL));
	heard.calls++;
	heard.fd = fd;
	heard.reason = reason;
	snprintf(heard.why, sizeof(heard.why), "%s", why != NULL ? why : "");
}

static void
start(double seconds)
{
	struct address address = {.length = sizeof(sa_family_t)};
	int fds[2];

	loop = ev_loop_new(EVFLAG_AUTO);
	heard = (struct heard){.fd = -1};
	settings.protocol = PROTOCOL_CONNECT;
	settings.route.port = 443;
	if (settings.route.host == NULL)
		settings.route.host = (char *)(uintptr_t) "route.test";
	address.any.sa_family = AF_UNIX;
	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	proxy = fds[1];
	attempt =
	    http_proxy_start(loop, fds[0], &address, &settings, seconds, hear, &heard);
	ck_assert_ptr_nonnull(attempt);
	ck_assert_int_eq(heard.calls, 0);
}

static void
stop(void)
{
	if (heard.calls == 0)
		http_proxy_cancel(attempt);
	if (heard.fd >= 0)
		close(heard.fd);
	if (proxy >= 0)
		close(proxy);
	ev_loop_destroy(loop);
	settings = (struct service_settings){0};
}

static void
turn(void)
{
	for (int i = 0; i < 5; i++)
		ev_run(loop, EVRUN_NOWAIT);
}

/* What the proxy is asked. */
static void
expect_request(const char *text)
{
	char got[2048];
	ssize_t n;

	turn();
	n = recv(proxy, got, sizeof(got) - 1, 0);
	ck_assert_int_gt(n, 0);
	got[n] = '\0';
	ck_assert_str_eq(got, text);
}

static void
say(const char *text)
{
	ck_assert_int_eq(
	    send(proxy, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	turn();
}

/* The proxy answers @text, and that is refused with these words. */
static void
expect_refused(const char *text, const char *why)
{
	start(LONG);
	turn();
	say(text);
	ck_assert_int_eq(heard.calls, 1);
	ck_assert_int_eq(heard.reason, REASON_PROXY_REFUSED);
	ck_assert_str_eq(heard.why, why);
	stop();
}

START_TEST(the_proxy_is_asked_for_the_route)
{
	start(LONG);
	expect_request("CONNECT route.test:443 HTTP/1.1\r\n"
		       "Host: route.test:443\r\n"
		       "\r\n");
	say("HTTP/1.1 200 Connection established\r\n\r\n");
	ck_assert_int_eq(heard.calls, 1);
	ck_assert_int_eq(heard.reason, REASON_NONE);
	ck_assert_int_ge(heard.fd, 0);
	stop();
}
END_TEST

START_TEST(an_ipv6_address_stands_in_brackets)
{
	settings.route.host = (char *)(uintptr_t) "2001:db8::1";
	start(LONG);
	expect_request("CONNECT [2001:db8::1]:443 HTTP/1.1\r\n"
		       "Host: [2001:db8::1]:443\r\n"
		       "\r\n");
	stop();
}
END_TEST

/* RFC 7617, 2: its own example. */
START_TEST(name_password_and_header_fields_go_along)
{
	char *fields[] = {
	    (char *)(uintptr_t) "User-Agent: x", (char *)(uintptr_t) "X-A: b c"};

	settings.protocol_username = (char *)(uintptr_t) "Aladdin";
	settings.protocol_password = (char *)(uintptr_t) "open sesame";
	settings.protocol_header = (struct strlist){fields, 2};
	start(LONG);
	expect_request("CONNECT route.test:443 HTTP/1.1\r\n"
		       "Host: route.test:443\r\n"
		       "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"
		       "User-Agent: x\r\n"
		       "X-A: b c\r\n"
		       "\r\n");
	stop();
}
END_TEST

START_TEST(what_follows_the_header_is_left_in_the_socket)
{
	char got[8] = "";

	start(LONG);
	turn();
	say("HTTP/1.0 200 OK\r\nVia: proxy\r\n\r\nfirst");
	ck_assert_int_ge(heard.fd, 0);
	ck_assert_int_eq(recv(heard.fd, got, sizeof(got), 0), 5);
	ck_assert_str_eq(got, "first");
	stop();
}
END_TEST

START_TEST(a_header_may_come_byte_by_byte)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nVia: \r\n\r\n";

	start(LONG);
	turn();
	for (size_t i = 0; i < sizeof(answer) - 1; i++) {
		ck_assert_int_eq(heard.calls, 0);
		ck_assert_int_eq(send(proxy, answer + i, 1, 0), 1);
		turn();
	}
	ck_assert_int_ge(heard.fd, 0);
	stop();
}
END_TEST

START_TEST(lines_may_end_without_a_carriage_return)
{
	start(LONG);
	turn();
	say("HTTP/1.1 200\n\n");
	ck_assert_int_ge(heard.fd, 0);
	stop();
}
END_TEST

START_TEST(an_interim_answer_is_passed_over)
{
	start(LONG);
	turn();
	say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
	ck_assert_int_eq(heard.calls, 0);
	say("HTTP/1.1 204 No Content\r\n\r\n");
	ck_assert_int_ge(heard.fd, 0);
	stop();
}
END_TEST

START_TEST(a_refusal_is_told_in_the_proxys_words)
{
	expect_refused("HTTP/1.1 403 Filtered\r\n\r\n",
	    ASKED "403 Filtered (its rules forbid this)");
	expect_refused("HTTP/1.1 502 Bad Gateway\r\n\r\n",
	    ASKED "502 Bad Gateway (it does not reach this host)");
	expect_refused(
	    "HTTP/1.1 405 Method Not Allowed\r\n\r\n", ASKED "405 Method Not Allowed");
	expect_refused("HTTP/1.1 302 Found\r\nLocation: x\r\n\r\n", ASKED "302 Found");
}
END_TEST

START_TEST(what_would_help_against_407_is_told)
{
	expect_refused("HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n",
	    ASKED "407 No (add protocolUsername and protocolPassword)");
	expect_refused("HTTP/1.1 407 No\r\nproxy-authenticate: Negotiate\r\n"
		       "Proxy-Authenticate: NTLM\r\n\r\n",
	    ASKED "407 No (it wants \"Negotiate\", and routeport only has Basic)");
	settings.protocol_username = (char *)(uintptr_t) "me";
	settings.protocol_password = (char *)(uintptr_t) "hush";
	expect_refused("HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM\r\n"
		       "Proxy-Authenticate: basic realm=\"x\"\r\n\r\n",
	    ASKED "407 No (it does not take this protocolUsername and protocolPassword)");
}
END_TEST

START_TEST(what_is_no_http_is_refused_at_its_first_bytes)
{
	expect_refused("SSH-2.0-x\r\n", ASKED "this is no HTTP proxy");
	expect_refused("HT2", ASKED "this is no HTTP proxy");
	expect_refused("HTTP/1.1 OK\r\n\r\n",
	    ASKED "this is no answer of an HTTP proxy: HTTP/1.1 OK");
	expect_refused("HTTP/1.1 999 x\r\n\r\n",
	    ASKED "this is no answer of an HTTP proxy: HTTP/1.1 999 x");
	expect_refused(
	    "HTTP/1.1\r\n\r\n", ASKED "this is no answer of an HTTP proxy: HTTP/1.1");
}
END_TEST

START_TEST(a_header_without_an_end_is_refused)
{
	char line[1024];
	char why[128];

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	snprintf(why, sizeof(why),
	    ASKED "the header of its answer is longer than %d bytes", HTTP_PROXY_ANSWER);
	start(LONG);
	turn();
	say("HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 7; i++)
		say(line);
	ck_assert_int_eq(heard.calls, 0);
	say(line);
	ck_assert_int_eq(heard.calls, 1);
	ck_assert_str_eq(heard.why, why);
	stop();
}
END_TEST

START_TEST(an_end_without_an_answer_is_refused)
{
	start(LONG);
	turn();
	say("HTTP/1.1 200 OK\r\n");
	close(proxy);
	proxy = -1;
	turn();
	ck_assert_int_eq(heard.reason, REASON_PROXY_REFUSED);
	ck_assert_ptr_nonnull(strstr(heard.why, ASKED));
	stop();
}
END_TEST

START_TEST(no_answer_ends_by_the_limit_of_time)
{
	start(0.1);
	while (heard.calls == 0)
		ev_run(loop, EVRUN_ONCE);
	ck_assert_int_eq(heard.reason, REASON_OPEN_TIMEOUT);
	ck_assert_str_eq(heard.why, ASKED "no answer within 0.1 s");
	stop();
}
END_TEST

START_TEST(a_cancelled_attempt_calls_nobody_and_closes_its_socket)
{
	char byte;

	start(LONG);
	http_proxy_cancel(attempt);
	attempt = NULL;
	turn();
	ck_assert_int_eq(recv(proxy, &byte, 1, 0), 0);
	ck_assert_int_eq(heard.calls, 0);
	http_proxy_cancel(NULL);
	stop();
}
END_TEST

UNIT_MAIN("http_proxy", the_proxy_is_asked_for_the_route,
    an_ipv6_address_stands_in_brackets, name_password_and_header_fields_go_along,
    what_follows_the_header_is_left_in_the_socket, a_header_may_come_byte_by_byte,
    lines_may_end_without_a_carriage_return, an_interim_answer_is_passed_over,
    a_refusal_is_told_in_the_proxys_words, what_would_help_against_407_is_told,
    what_is_no_http_is_refused_at_its_first_bytes, a_header_without_an_end_is_refused,
    an_end_without_an_answer_is_refused, no_answer_ends_by_the_limit_of_time,
    a_cancelled_attempt_calls_nobody_and_closes_its_socket)
