/*
 * One server with a context for each of two names: which of them a ClientHello gets.
 */
#include "common/tls/conn.h"

#include "tests/unit/tls_bench.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

struct scene {
	struct bench first, second; /* clients and servers of their own CAs */
	struct ev_loop *loop;
	struct reactor reactor;
	SSL_CTX *server_contexts[2], *client_contexts[2];
	struct tls client, server;
	int fds[2];
	SSL_SESSION *session; /* the newest that a client was given */
	enum reason refusal;  /* of a name that is neither's */
	int choices;          /* how often the server was asked */
};

static SSL_CTX *
choose(void *chooser, const char *name, enum reason *reason)
{
	struct scene *s = chooser;

	s->choices++;
	if (strcmp(name, "first.example") == 0)
		return s->server_contexts[0];
	if (strcmp(name, "second.example") == 0)
		return s->server_contexts[1];
	*reason = s->refusal;
	return NULL;
}

static void
keep_session(void *keeper, SSL_SESSION *session)
{
	struct scene *s = keeper;

	SSL_SESSION_free(s->session);
	s->session = session;
}

static void
scene_init(struct scene *s, int version)
{
	struct bench *benches[] = {&s->first, &s->second};
	static char names[][16] = {"first.example", "second.example"};
	struct err e = {.text = ""};

	*s = (struct scene){
	    .loop = ev_loop_new(EVFLAG_AUTO), .refusal = REASON_SNI_UNKNOWN};
	ck_assert(reactor_init(&s->reactor, s->loop, &e));
	for (size_t i = 0; i < 2; i++) {
		struct bench *b = benches[i];
		char dns[32];

		bench_init(b);
		b->host = names[i];
		b->server.name = names[i];
		b->server.tls_max = b->client.tls_max = version;
		snprintf(dns, sizeof(dns), "DNS:%s", names[i]);
		bench_give_certificate(&b->server, dns, &b->ca);
		s->server_contexts[i] = bench_context(&b->server);
		s->client_contexts[i] = bench_context(&b->client);
	}
}

static void
close_ends(struct scene *s)
{
	tls_clear(&s->client);
	tls_clear(&s->server);
	close(s->fds[0]);
	close(s->fds[1]);
}

static void
scene_clear(struct scene *s)
{
	close_ends(s);
	SSL_SESSION_free(s->session);
	for (size_t i = 0; i < 2; i++) {
		SSL_CTX_free(s->server_contexts[i]);
		SSL_CTX_free(s->client_contexts[i]);
	}
	bench_clear(&s->first);
	bench_clear(&s->second);
	reactor_clear(&s->reactor);
	ev_loop_destroy(s->loop);
}

/* A client of bench @which that asks for @name, and a server that begins with the first.
 */
static void
open_ends(struct scene *s, int which, const char *name, SSL_SESSION *session)
{
	SSL_SESSION *copy = session != NULL ? SSL_SESSION_dup(session) : NULL;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s->fds), 0);
	ck_assert(
	    tls_init(&s->client, &s->reactor, s->client_contexts[which], s->fds[0]));
	ck_assert(tls_init(&s->server, &s->reactor, s->server_contexts[0], s->fds[1]));
	s->client.keep_session = keep_session;
	s->server.choose = choose;
	s->client.keeper = s->server.chooser = s;
	ck_assert(tls_prepare(&s->client, name, copy, false));
	SSL_SESSION_free(copy);
}

static void
shake(struct scene *s)
{
	uint8_t *space = s->reactor.plain;
	struct batch batch = {0};

	for (int i = 0; i < 10; i++) {
		if (s->client.state == TLS_HANDSHAKE)
			tls_handshake(&s->client);
		if (s->server.state == TLS_HANDSHAKE)
			tls_handshake(&s->server);
	}
	if (s->client.state == TLS_OPEN)
		tls_take(&s->client, space, &batch); /* the ticket */
}

static void
expect_open(struct scene *s, bool resumed)
{
	ck_assert_msg(s->server.state == TLS_OPEN, "%s", s->server.detail);
	ck_assert_msg(s->client.state == TLS_OPEN, "%s", s->client.detail);
	ck_assert_int_eq(SSL_session_reused(s->server.ssl), resumed);
	ck_assert_int_eq(SSL_session_reused(s->client.ssl), resumed);
	ck_assert_uint_eq(buf_length(&s->server.hello), 0);
	ck_assert_uint_eq(buf_length(&s->server.in), 0);
}

START_TEST(a_name_gets_the_context_that_it_is_for)
{
	static const char *const names[] = {"first.example", "second.example"};

	for (size_t i = 0; i < 4; i++) {
		struct scene s;

		scene_init(&s, versions[i / 2]);
		open_ends(&s, (int)i % 2, names[i % 2], NULL);
		shake(&s);
		expect_open(&s, false);
		ck_assert_int_eq(s.choices, 1);
		ck_assert_ptr_eq(SSL_get_SSL_CTX(s.server.ssl), s.server_contexts[i % 2]);
		ck_assert_str_eq(
		    SSL_get_servername(s.server.ssl, TLSEXT_NAMETYPE_host_name),
		    names[i % 2]);
		scene_clear(&s);
	}
}
END_TEST

START_TEST(a_hello_that_comes_byte_by_byte_is_read_again_as_a_whole)
{
	struct scene s;
	uint8_t hello[4096];
	ssize_t n;

	scene_init(&s, TLS1_3_VERSION);
	open_ends(&s, 1, "second.example", NULL);
	tls_handshake(&s.client);
	n = recv(s.fds[1], hello, sizeof(hello), 0);
	ck_assert_int_gt(n, 0);
	for (ssize_t i = 0; i < n; i++) {
		ck_assert_int_eq(s.choices, 0);
		ck_assert_int_eq(send(s.fds[0], hello + i, 1, 0), 1);
		ck_assert_int_eq(tls_handshake(&s.server), TLS_HANDSHAKE);
	}
	ck_assert_int_eq(s.choices, 1);
	shake(&s);
	expect_open(&s, false);
	ck_assert_ptr_eq(SSL_get_SSL_CTX(s.server.ssl), s.server_contexts[1]);
	scene_clear(&s);
}
END_TEST

START_TEST(a_hello_without_end_is_not_kept_for_ever)
{
	static const uint8_t record[] = {22, 3, 1, 0x40, 0, 1, 0, 0x80, 0};
	static const uint8_t more[0x4000];
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	open_ends(&s, 0, "first.example", NULL);
	ck_assert_int_eq(send(s.fds[0], record, sizeof(record), 0), sizeof(record));
	for (int i = 0; i < 8 && s.server.state == TLS_HANDSHAKE; i++) {
		ck_assert_int_gt(
		    send(s.fds[0], more, i == 0 ? 0x4000 - 4 : 0x4000, 0), 0);
		tls_handshake(&s.server);
		if (s.server.state == TLS_HANDSHAKE)
			ck_assert_int_eq(send(s.fds[0], record, 5, 0), 5);
		tls_handshake(&s.server);
	}
	ck_assert_int_eq(s.server.state, TLS_BROKEN);
	ck_assert_int_eq(s.server.reason, REASON_TLS_FAILED);
	ck_assert_str_eq(s.server.detail, "the ClientHello is too large");
	scene_clear(&s);
}
END_TEST

START_TEST(a_session_is_never_resumed_in_another_context)
{
	for (size_t i = 0; i < 2; i++) {
		struct scene s;

		scene_init(&s, versions[i]);
		open_ends(&s, 1, "second.example", NULL);
		shake(&s);
		expect_open(&s, false);
		ck_assert_ptr_nonnull(s.session);

		/* The same client again: this is how it is resumed. */
		close_ends(&s);
		open_ends(&s, 1, "second.example", s.session);
		shake(&s);
		expect_open(&s, true);

		/* It verifies nothing, and offers that session under the other name. */
		close_ends(&s);
		SSL_CTX_set_verify(s.client_contexts[1], SSL_VERIFY_NONE, NULL);
		open_ends(&s, 1, "first.example", s.session);
		shake(&s);
		ck_assert_int_eq(SSL_session_reused(s.server.ssl), 0);
		ck_assert_int_eq(s.server.state, TLS_BROKEN);
		ck_assert_int_eq(s.server.reason, REASON_UNKNOWN_CA);
		scene_clear(&s);
	}
}
END_TEST

START_TEST(a_name_that_nobody_has_is_refused_by_its_alert)
{
	static const char *const names[] = {"third.example", NULL};
	static const char *const words[] = {
	    "no service is for third.example", "no service is for a client without SNI"};

	for (size_t i = 0; i < 4; i++) {
		struct scene s;

		scene_init(&s, versions[i / 2]);
		open_ends(&s, 0, names[i % 2], NULL);
		shake(&s);
		ck_assert_int_eq(s.server.state, TLS_BROKEN);
		ck_assert_int_eq(s.server.reason, REASON_SNI_UNKNOWN);
		ck_assert_str_eq(s.server.detail, words[i % 2]);
		ck_assert_int_eq(s.client.state, TLS_BROKEN);
		ck_assert_int_eq(s.client.reason, REASON_SNI_UNKNOWN);
		ck_assert(s.client.alerted);
		scene_clear(&s);
	}
}
END_TEST

START_TEST(a_service_that_is_full_says_nothing)
{
	struct scene s;
	char byte;

	scene_init(&s, TLS1_3_VERSION);
	s.refusal = REASON_FULL;
	open_ends(&s, 0, "third.example", NULL);
	shake(&s);
	ck_assert_int_eq(s.server.state, TLS_BROKEN);
	ck_assert_int_eq(s.server.reason, REASON_FULL);
	ck_assert_str_eq(s.server.detail, "maxStreams is reached");
	ck_assert_int_eq(s.client.state, TLS_HANDSHAKE);
	ck_assert_int_eq(recv(s.fds[0], &byte, 1, 0), -1);
	scene_clear(&s);
}
END_TEST

/* The client's first group is none of the server's, which asks for another hello. */
START_TEST(a_second_hello_is_for_the_same_context)
{
	static char client_groups[] = "X25519:P-256", server_groups[] = "P-256";
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	s.second.client.curves = client_groups;
	s.second.server.curves = server_groups;
	SSL_CTX_free(s.client_contexts[1]);
	SSL_CTX_free(s.server_contexts[1]);
	s.client_contexts[1] = bench_context(&s.second.client);
	s.server_contexts[1] = bench_context(&s.second.server);
	open_ends(&s, 1, "second.example", NULL);
	shake(&s);
	expect_open(&s, false);
	ck_assert_int_eq(s.choices, 1);
	ck_assert_ptr_eq(SSL_get_SSL_CTX(s.server.ssl), s.server_contexts[1]);
	scene_clear(&s);
}
END_TEST

START_TEST(a_second_hello_that_asks_for_another_name_is_refused)
{
	static char client_groups[] = "X25519:P-256", server_groups[] = "P-256";
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	s.first.client.curves = client_groups;
	s.first.server.curves = server_groups;
	SSL_CTX_free(s.client_contexts[0]);
	SSL_CTX_free(s.server_contexts[0]);
	s.client_contexts[0] = bench_context(&s.first.client);
	s.server_contexts[0] = bench_context(&s.first.server);
	open_ends(&s, 0, "first.example", NULL);
	tls_handshake(&s.client);
	ck_assert_int_eq(tls_handshake(&s.server), TLS_HANDSHAKE);
	ck_assert(tls_prepare(&s.client, "second.example", NULL, false));
	tls_handshake(&s.client);
	ck_assert_int_eq(tls_handshake(&s.server), TLS_BROKEN);
	ck_assert_int_eq(s.server.reason, REASON_TLS_FAILED);
	ck_assert_str_eq(s.server.detail, "the second ClientHello is for another name");
	ck_assert_int_eq(s.choices, 1);
	scene_clear(&s);
}
END_TEST

UNIT_MAIN("tls_names", a_name_gets_the_context_that_it_is_for,
    a_hello_that_comes_byte_by_byte_is_read_again_as_a_whole,
    a_hello_without_end_is_not_kept_for_ever,
    a_session_is_never_resumed_in_another_context,
    a_name_that_nobody_has_is_refused_by_its_alert, a_service_that_is_full_says_nothing,
    a_second_hello_is_for_the_same_context,
    a_second_hello_that_asks_for_another_name_is_refused)
