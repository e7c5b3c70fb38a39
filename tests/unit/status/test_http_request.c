#include "common/status/http_request.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct request
good(const char *text)
{
	struct request r;

	ck_assert_int_eq(request_read(text, strlen(text), &r), REQUEST_GOOD);
	return r;
}

/* Every piece of it from the front, in memory of just that size, is no whole head. */
static void
needs_all_of(const char *text)
{
	struct request r;

	for (size_t n = 0; n < strlen(text); n++) {
		char *piece = malloc(n > 0 ? n : 1);

		memcpy(piece, text, n);
		ck_assert_msg(request_read(piece, n, &r) == REQUEST_MORE,
		    "%zu bytes of %s", n, text);
		free(piece);
	}
	good(text);
}

static void
refused(int code, const char *text)
{
	struct request r;

	ck_assert_msg(request_read(text, strlen(text), &r) == REQUEST_BAD, "%s", text);
	ck_assert_int_eq(r.code, code);
}

START_TEST(get_and_head_have_a_path)
{
	ck_assert_str_eq(good("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").path, "/livez");
	ck_assert(!good("GET / HTTP/1.1\r\nHost: a\r\n\r\n").head);
	ck_assert(good("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").head);
	ck_assert_str_eq(good("GET /x HTTP/1.0\r\n\r\n").path, "/x");
	ck_assert_str_eq(good("GET /x HTTP/1.0\n\n").path, "/x");
	ck_assert_str_eq(good("\r\nGET /x HTTP/1.0\r\n\r\n").path, "/x");
}
END_TEST

START_TEST(a_query_and_a_host_in_front_are_no_part_of_the_path)
{
	ck_assert_str_eq(good("GET /metrics?a=/b HTTP/1.0\r\n\r\n").path, "/metrics");
	ck_assert_str_eq(
	    good("GET http://h:1/livez HTTP/1.1\r\nHost: h\r\n\r\n").path, "/livez");
	refused(400, "GET http://h HTTP/1.1\r\nHost: h\r\n\r\n");
	refused(400, "GET http:///x HTTP/1.1\r\nHost: h\r\n\r\n");
}
END_TEST

START_TEST(a_path_longer_than_any_that_exists_is_none)
{
	char text[1000];

	snprintf(text, sizeof(text), "GET /%0*d HTTP/1.0\r\n\r\n", REQUEST_PATH - 1, 0);
	ck_assert_str_eq(good(text).path, "");
	snprintf(text, sizeof(text), "GET /%0*d HTTP/1.0\r\n\r\n", REQUEST_PATH - 2, 0);
	ck_assert_uint_eq(strlen(good(text).path), REQUEST_PATH - 1);
}
END_TEST

START_TEST(a_head_in_pieces_is_waited_for)
{
	needs_all_of("GET /livez HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n");
	needs_all_of("\r\n\nHEAD / HTTP/1.0\n\n");
}
END_TEST

START_TEST(what_is_behind_the_head_is_not_looked_at)
{
	ck_assert_str_eq(
	    good("GET /a HTTP/1.0\r\n\r\nGET /b HTTP/1.0\r\n\r\n").path, "/a");
	ck_assert_str_eq(good("GET /a HTTP/1.0\r\n\r\n\x01\x02\x03").path, "/a");
}
END_TEST

START_TEST(other_methods_are_not_allowed)
{
	refused(405, "POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
	refused(405, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
	refused(405, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n");
	refused(405, "get / HTTP/1.1\r\nHost: a\r\n\r\n");
}
END_TEST

START_TEST(garbage_is_refused)
{
	static const char *const garbage[] = {
	    "GET\r\n\r\n",
	    "GET /\r\n\r\n",
	    "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
	    "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
	    "GET / HTTP/1.x\r\nHost: a\r\n\r\n",
	    "GET / ABCD/1.1\r\nHost: a\r\n\r\n",
	    " / HTTP/1.1\r\nHost: a\r\n\r\n",
	    "G@T / HTTP/1.1\r\nHost: a\r\n\r\n",
	    "GET x HTTP/1.1\r\nHost: a\r\n\r\n",
	    "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n",
	    "GET /a?b\t HTTP/1.1\r\nHost: a\r\n\r\n",
	    "GET http://a\tb/ HTTP/1.1\r\nHost: a\r\n\r\n",
	    "POST \t HTTP/1.1\r\nHost: a\r\n\r\n",
	    "GET / HTTP/1.1\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: a\r\n: empty\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++)
		refused(400, garbage[i]);
	refused(505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n");
}
END_TEST

START_TEST(what_can_be_no_http_is_refused_before_its_end)
{
	struct request r;

	refused(400, "\x16\x03\x01");
	ck_assert_int_eq(request_read("GET /\0", 6, &r), REQUEST_BAD);
	ck_assert_int_eq(r.code, 400);
}
END_TEST

START_TEST(a_head_without_end_is_too_large)
{
	static char text[REQUEST_MOST];
	struct request r;

	memset(text, 'a', sizeof(text));
	ck_assert_int_eq(request_read(text, sizeof(text) - 1, &r), REQUEST_MORE);
	ck_assert_int_eq(request_read(text, sizeof(text), &r), REQUEST_BAD);
	ck_assert_int_eq(r.code, 431);
	memset(text, '\n', sizeof(text));
	ck_assert_int_eq(request_read(text, sizeof(text), &r), REQUEST_BAD);
}
END_TEST

/* Whatever bytes come, in memory of just that size: the sanitizers watch. */
START_TEST(any_bytes_are_judged)
{
	static const char alphabet[] = "GETHAD /:.1\r\n\r\n \tHost?\xff";
	struct request r;

	srand(1);
	for (int round = 0; round < 20000; round++) {
		size_t n = (size_t)(rand() % 40);
		char *bytes = malloc(n > 0 ? n : 1);

		for (size_t i = 0; i < n; i++)
			bytes[i] = alphabet[(size_t)rand() % sizeof(alphabet)];
		if (request_read(bytes, n, &r) == REQUEST_BAD)
			ck_assert_int_ge(r.code, 400);
		free(bytes);
	}
}
END_TEST

START_TEST(the_host_is_told_without_its_port)
{
	static const struct {
		const char *field, *host;
	} hosts[] = {
	    {"a", "a"},
	    {"", ""},
	    {"  Orders.Example.:9080 \t", "orders.example"},
	    {"127.0.0.1:9080", "127.0.0.1"},
	    {"[::1]:9080", "::1"},
	    {"[2001:DB8::7]", "2001:db8::7"},
	    {"[", "["},
	    {":9080", ""},
	};
	char text[128];

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost:%s\r\n\r\n",
		    hosts[i].field);
		ck_assert_str_eq(good(text).host, hosts[i].host);
	}
	ck_assert_str_eq(good("GET / HTTP/1.0\r\n\r\n").host, "");
	ck_assert_str_eq(good("GET http://B:1/x HTTP/1.1\r\nHost: a\r\n\r\n").host, "b");
}
END_TEST

START_TEST(a_host_longer_than_any_is_refused)
{
	char text[512], host[300];

	memset(host, 'a', sizeof(host));
	snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %.255s\r\n\r\n", host);
	ck_assert_uint_eq(strlen(good(text).host), 255);
	snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %.256s\r\n\r\n", host);
	refused(400, text);
}
END_TEST

UNIT_MAIN("http_request", get_and_head_have_a_path, the_host_is_told_without_its_port,
    a_host_longer_than_any_is_refused,
    a_query_and_a_host_in_front_are_no_part_of_the_path,
    a_path_longer_than_any_that_exists_is_none, a_head_in_pieces_is_waited_for,
    what_is_behind_the_head_is_not_looked_at, other_methods_are_not_allowed,
    garbage_is_refused, what_can_be_no_http_is_refused_before_its_end,
    a_head_without_end_is_too_large, any_bytes_are_judged)
