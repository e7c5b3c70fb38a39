#include "common/tls/conn_internal.h"

#include "tests/unit/tls_bench.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	MUCH = 1024 * 1024,
};

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* Two struct tls that meet over a socket pair; `bench` says who they are. */
struct scene {
	struct bench bench;
	struct ev_loop *loop;
	struct reactor reactor;
	SSL_CTX *client_context, *server_context;
	struct tls client, server;
	int fds[2];           /* the client's, the server's */
	SSL_SESSION *session; /* the newest that the client was given */
	int sessions;
	bool offers_h2;
};

static void
keep_session(void *keeper, SSL_SESSION *session)
{
	struct scene *s = keeper;

	SSL_SESSION_free(s->session);
	s->session = session;
	s->sessions++;
}

static void
scene_init(struct scene *s, int version)
{
	struct err e = {.text = ""};

	*s = (struct scene){.loop = ev_loop_new(EVFLAG_AUTO)};
	ck_assert_ptr_nonnull(s->loop);
	ck_assert(reactor_init(&s->reactor, s->loop, &e));
	bench_init(&s->bench);
	s->bench.server.tls_max = s->bench.client.tls_max = version;
}

/* New connections of the same two services. */
static void
open_ends(struct scene *s, SSL_SESSION *session)
{
	if (s->client_context == NULL) {
		s->client_context = bench_context(&s->bench.client);
		s->server_context = bench_context(&s->bench.server);
	}
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s->fds), 0);
	ck_assert(tls_init(&s->client, &s->reactor, s->client_context, s->fds[0]));
	ck_assert(tls_init(&s->server, &s->reactor, s->server_context, s->fds[1]));
	s->client.keep_session = keep_session;
	s->client.keeper = s;
	ck_assert(tls_prepare(&s->client, "orders.apps.example", session, s->offers_h2));
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
	SSL_CTX_free(s->client_context);
	SSL_CTX_free(s->server_context);
	bench_clear(&s->bench);
	reactor_clear(&s->reactor);
	ev_loop_destroy(s->loop);
}

/* As far as both come.  No scratch space may be left in use between two calls. */
static void
shake(struct scene *s)
{
	for (int i = 0; i < 20; i++) {
		if (s->client.state == TLS_HANDSHAKE)
			tls_handshake(&s->client);
		ck_assert_uint_eq(s->client.scratch_used, 0);
		if (s->server.state == TLS_HANDSHAKE)
			tls_handshake(&s->server);
		ck_assert_uint_eq(s->server.scratch_used, 0);
	}
}

static void
meet(struct scene *s, SSL_SESSION *session)
{
	open_ends(s, session);
	shake(s);
	ck_assert_msg(s->client.state == TLS_OPEN, "%s",
	    s->client.detail ? s->client.detail : "no detail");
	ck_assert_msg(s->server.state == TLS_OPEN, "%s",
	    s->server.detail ? s->server.detail : "no detail");
}

static void
give(struct tls *t, const void *bytes, size_t length)
{
	struct batch batch = {0};

	ck_assert_uint_gt(tls_room(t), 0);
	batch_add(&batch, bytes, length);
	ck_assert(tls_give(t, &batch));
	ck_assert_uint_eq(t->scratch_used, 0);
}

static enum tls_state
take(struct tls *t, const char *bytes)
{
	struct batch batch = {0};
	enum tls_state state = tls_take(t, t->reactor->plain, &batch);

	ck_assert_uint_eq(batch.length, strlen(bytes));
	if (batch.length > 0)
		ck_assert_int_eq(memcmp(batch.parts[0].iov_base, bytes, batch.length), 0);
	ck_assert_uint_eq(t->scratch_used, 0);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	return state;
}

/* Until there is no room.  Returns how many bytes. */
static size_t
fill(struct tls *t)
{
	static const char zeros[REACTOR_BATCH];
	size_t given = 0;

	for (; tls_room(t) > 0; given += sizeof(zeros))
		give(t, zeros, sizeof(zeros));
	ck_assert_uint_gt(buf_length(&t->out), 0);
	return given;
}

/* Returns how many bytes came. */
static size_t
take_some(struct tls *t)
{
	struct batch batch = {0};

	ck_assert_int_eq(tls_take(t, t->reactor->plain, &batch), TLS_OPEN);
	return batch.length;
}

static void
expect_words(const struct tls *t, enum reason reason, const char *words)
{
	ck_assert_int_eq(t->state, TLS_BROKEN);
	ck_assert_msg(t->reason == reason, "%s instead of %s: %s", reason_word(t->reason),
	    reason_word(reason), t->detail ? t->detail : "no detail");
	ck_assert_ptr_nonnull(t->detail);
	ck_assert_msg(
	    strstr(t->detail, words) != NULL, "\"%s\" in \"%s\"", words, t->detail);
}

/* ---- bytes ---------------------------------------------------------------------- */

START_TEST(two_ends_meet_and_talk)
{
	for (size_t i = 0; i < 2; i++) {
		struct scene s;

		scene_init(&s, versions[i]);
		meet(&s, NULL);
		ck_assert_int_eq(SSL_version(s.client.ssl), versions[i]);
		give(&s.client, "question", 8);
		ck_assert_int_eq(take(&s.server, "question"), TLS_OPEN);
		give(&s.server, "answer", 6);
		ck_assert_int_eq(take(&s.client, "answer"), TLS_OPEN);
		ck_assert_int_eq(take(&s.client, ""), TLS_OPEN);
		ck_assert(s.client.dry && s.server.read_bytes && !s.client.eof);
		ck_assert_ptr_null(s.client.in.memory);
		ck_assert_ptr_null(s.client.out.memory);
		ck_assert_int_eq(s.client.reason, REASON_NONE);
		scene_clear(&s);
	}
}
END_TEST

START_TEST(a_batch_has_several_parts)
{
	struct scene s;
	struct batch batch = {0};

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	batch_add(&batch, "one ", 4);
	batch_add(&batch, "two", 3);
	ck_assert(tls_give(&s.client, &batch));
	ck_assert_int_eq(take(&s.server, "one two"), TLS_OPEN);
	scene_clear(&s);
}
END_TEST

/* Push @from's mebibyte to @to, which reads now and then.  Both ends may be full. */
static void
carry_much(struct tls *from, struct tls *to, const uint8_t *much)
{
	size_t given = 0, got = 0;
	struct batch batch;

	for (int turn = 0; got < MUCH && turn < 10000; turn++) {
		if (tls_flush(from) && given < MUCH) {
			size_t n =
			    MUCH - given < REACTOR_BATCH ? MUCH - given : REACTOR_BATCH;

			give(from, much + given, n);
			given += n;
		}
		batch = (struct batch){0};
		ck_assert_int_eq(tls_take(to, to->reactor->plain, &batch), TLS_OPEN);
		for (int i = 0; i < batch.count; i++) {
			ck_assert_uint_le(got + batch.parts[i].iov_len, MUCH);
			ck_assert_int_eq(memcmp(much + got, batch.parts[i].iov_base,
					     batch.parts[i].iov_len),
			    0);
			got += batch.parts[i].iov_len;
		}
	}
	ck_assert_uint_eq(got, MUCH);
	ck_assert_ptr_null(from->out.memory);
	ck_assert_ptr_null(to->in.memory);
}

START_TEST(a_mebibyte_passes_in_both_directions)
{
	uint8_t *much = malloc(MUCH);

	ck_assert_ptr_nonnull(much);
	for (size_t i = 0; i < MUCH; i++)
		much[i] = (uint8_t)(i * 2654435761U >> 13);
	for (size_t i = 0; i < 2; i++) {
		struct scene s;

		scene_init(&s, versions[i]);
		meet(&s, NULL);
		carry_much(&s.client, &s.server, much);
		carry_much(&s.server, &s.client, much);
		scene_clear(&s);
	}
	free(much);
}
END_TEST

START_TEST(what_a_full_socket_does_not_take_is_kept_and_sent_later)
{
	struct scene s;
	size_t given, got = 0;

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	given = fill(&s.client);
	ck_assert(!tls_flush(&s.client));
	for (int turn = 0; got < given && turn < 1000; turn++) {
		got += take_some(&s.server);
		tls_flush(&s.client);
	}
	ck_assert_uint_eq(got, given);
	ck_assert(tls_flush(&s.client));
	ck_assert_uint_gt(tls_room(&s.client), 0);
	ck_assert_ptr_null(s.client.out.memory);
	scene_clear(&s);
}
END_TEST

START_TEST(bytes_right_behind_the_handshake_are_not_lost)
{
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	open_ends(&s, NULL);
	tls_handshake(&s.client);
	tls_handshake(&s.server);
	ck_assert_int_eq(tls_handshake(&s.client), TLS_OPEN);
	give(&s.client, "early", 5);
	tls_finish(&s.client);
	ck_assert_int_eq(tls_handshake(&s.server), TLS_OPEN);
	ck_assert_int_eq(take(&s.server, "early"), TLS_FINISHED);
	ck_assert_ptr_null(s.server.in.memory);
	scene_clear(&s);
}
END_TEST

START_TEST(a_record_that_came_in_part_waits_for_its_rest)
{
	struct scene s;
	char record[256];
	ssize_t n;

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	give(&s.client, "question", 8);
	n = recv(s.fds[1], record, sizeof(record), 0);
	ck_assert_int_gt(n, 10);
	for (ssize_t i = 0; i < n - 1; i++) {
		ck_assert_int_eq(send(s.fds[0], record + i, 1, 0), 1);
		ck_assert_int_eq(take(&s.server, ""), TLS_OPEN);
	}
	ck_assert_int_eq(send(s.fds[0], record + n - 1, 1, 0), 1);
	ck_assert_int_eq(take(&s.server, "question"), TLS_OPEN);
	scene_clear(&s);
}
END_TEST

/* ---- ends ----------------------------------------------------------------------- */

/* In the handshake it is not encrypted: anybody on the way can write it. */
START_TEST(close_notify_in_the_middle_of_the_handshake_is_no_end_in_good_order)
{
	static const char close_notify[] = {0x15, 3, 3, 0, 2, 1, 0};

	for (int to = 0; to < 2; to++) {
		struct scene s;
		struct tls *victim;

		scene_init(&s, TLS1_3_VERSION);
		open_ends(&s, NULL);
		victim = to == 0 ? &s.client : &s.server;
		tls_handshake(&s.client);
		ck_assert_int_eq(
		    send(s.fds[1 - to], close_notify, sizeof(close_notify), MSG_NOSIGNAL),
		    sizeof(close_notify));
		ck_assert_int_eq(tls_handshake(victim), TLS_BROKEN);
		expect_words(victim, REASON_TLS_FAILED, "close_notify");
		scene_clear(&s);
	}
}
END_TEST

START_TEST(close_notify_is_a_half_close)
{
	for (size_t i = 0; i < 2; i++) {
		struct scene s;

		scene_init(&s, versions[i]);
		meet(&s, NULL);
		give(&s.client, "last", 4);
		tls_finish(&s.client);
		tls_finish(&s.client);
		ck_assert(s.client.finished && !s.client.answered);
		ck_assert_int_eq(take(&s.server, "last"), TLS_FINISHED);
		ck_assert(!s.server.eof && !s.server.deaf);
		ck_assert_int_eq(take(&s.server, ""), TLS_FINISHED);
		give(&s.server, "answer", 6);
		ck_assert_int_eq(take(&s.client, "answer"), TLS_OPEN);
		give(&s.server, "more", 4);
		tls_finish(&s.server);
		ck_assert(s.server.answered);
		ck_assert_int_eq(take(&s.client, "more"), TLS_FINISHED);
		ck_assert(!s.client.aborted && !s.server.aborted);
		scene_clear(&s);
	}
}
END_TEST

START_TEST(nothing_behind_close_notify_is_taken)
{
	for (size_t i = 0; i < 2; i++) {
		struct scene s;

		scene_init(&s, versions[i]);
		meet(&s, NULL);
		give(&s.client, "last", 4);
		tls_finish(&s.client);
		ck_assert_int_eq(send(s.fds[0], "junk", 4, 0), 4);
		ck_assert_int_eq(take(&s.server, "last"), TLS_FINISHED);
		ck_assert_int_eq(send(s.fds[0], "more junk", 9, 0), 9);
		ck_assert_int_eq(take(&s.server, ""), TLS_FINISHED);
		ck_assert_ptr_null(s.server.in.memory);
		ck_assert(!tls_discard(&s.server));
		shutdown(s.fds[0], SHUT_WR);
		ck_assert(tls_discard(&s.server));
		ck_assert(s.server.eof);
		give(&s.server, "answer", 6);
		ck_assert_int_eq(take(&s.client, "answer"), TLS_OPEN);
		scene_clear(&s);
	}
}
END_TEST

START_TEST(an_abort_is_an_alert_behind_the_bytes_and_never_a_clean_end)
{
	for (size_t i = 0; i < 2; i++) {
		struct scene s;

		scene_init(&s, versions[i]);
		meet(&s, NULL);
		give(&s.client, "last", 4);
		ck_assert(tls_abort(&s.client));
		ck_assert(tls_abort(&s.client));
		ck_assert(s.client.aborted);
		tls_finish(&s.client);
		ck_assert(!s.client.finished);
		ck_assert_int_eq(take(&s.server, "last"), TLS_BROKEN);
		expect_words(&s.server, REASON_FAR_RESET, "cut the stream");
		ck_assert(s.server.alerted && !s.server.eof);
		ck_assert_int_eq(take(&s.server, ""), TLS_BROKEN);
		ck_assert_int_eq(SSL_get_shutdown(s.client.ssl) & SSL_SENT_SHUTDOWN, 0);
		scene_clear(&s);
	}
}
END_TEST

START_TEST(an_abort_works_when_the_peer_has_finished)
{
	for (size_t i = 0; i < 2; i++) {
		struct scene s;

		scene_init(&s, versions[i]);
		meet(&s, NULL);
		tls_finish(&s.server);
		ck_assert_int_eq(take(&s.client, ""), TLS_FINISHED);
		give(&s.client, "last", 4);
		ck_assert(tls_abort(&s.client));
		ck_assert_int_eq(take(&s.server, "last"), TLS_BROKEN);
		ck_assert_int_eq(s.server.reason, REASON_FAR_RESET);
		scene_clear(&s);
	}
}
END_TEST

START_TEST(an_abort_works_in_the_middle_of_a_record)
{
	struct scene s;
	char record[256];
	ssize_t n;

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	give(&s.server, "answer", 6);
	n = recv(s.fds[0], record, sizeof(record), 0);
	/* A session ticket is in front. */
	ck_assert_int_eq(send(s.fds[1], record, (size_t)n - 3, 0), n - 3);
	ck_assert_int_eq(take(&s.client, ""), TLS_OPEN);
	ck_assert(tls_abort(&s.client));
	ck_assert_int_eq(take(&s.server, ""), TLS_BROKEN);
	ck_assert_int_eq(s.server.reason, REASON_FAR_RESET);
	scene_clear(&s);
}
END_TEST

START_TEST(an_abort_waits_its_turn_behind_kept_bytes)
{
	static const char zeros[REACTOR_BATCH];
	struct scene s;
	struct batch batch;
	size_t given = 0, got = 0;
	enum tls_state state = TLS_OPEN;

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	while (tls_room(&s.client) > 0) {
		give(&s.client, zeros, sizeof(zeros));
		given += sizeof(zeros);
	}
	ck_assert(tls_abort(&s.client));
	for (int turn = 0; state == TLS_OPEN && turn < 1000; turn++) {
		batch = (struct batch){0};
		state = tls_take(&s.server, s.server.reactor->plain, &batch);
		got += batch.length;
		tls_flush(&s.client);
	}
	ck_assert_uint_eq(got, given);
	expect_words(&s.server, REASON_FAR_RESET, "cut the stream");
	scene_clear(&s);
}
END_TEST

START_TEST(after_close_notify_no_alert_can_be_sent)
{
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	tls_finish(&s.client);
	ck_assert(!tls_abort(&s.client));
	ck_assert(!s.client.aborted);
	scene_clear(&s);
}
END_TEST

/* The words must not send people to the server's log for nothing. */
START_TEST(an_abort_behind_the_first_bytes_is_not_called_one_before_them)
{
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	give(&s.server, "answer", 6);
	ck_assert(tls_abort(&s.server));
	ck_assert_int_eq(take(&s.client, "answer"), TLS_BROKEN);
	ck_assert_int_eq(s.client.reason, REASON_FAR_RESET);
	ck_assert_msg(strstr(s.client.detail, "before its first byte") == NULL, "%s",
	    s.client.detail);
	scene_clear(&s);
}
END_TEST

START_TEST(a_cut_stream_never_looks_complete)
{
	for (size_t i = 0; i < 2; i++) {
		struct scene s;

		scene_init(&s, versions[i]);
		meet(&s, NULL);
		give(&s.client, "last", 4);
		shutdown(s.fds[0], SHUT_WR);
		ck_assert_int_eq(take(&s.server, "last"), TLS_OPEN);
		ck_assert_int_eq(take(&s.server, ""), TLS_BROKEN);
		expect_words(
		    &s.server, REASON_CARRIER_LOST, "closed without close_notify");
		ck_assert_int_eq(take(&s.server, ""), TLS_BROKEN);
		scene_clear(&s);
	}
}
END_TEST

START_TEST(a_stream_cut_inside_a_record_gives_what_was_whole_before_it)
{
	struct scene s;
	char record[256];
	ssize_t n;

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	give(&s.client, "whole", 5);
	give(&s.client, "torn", 4);
	n = recv(s.fds[1], record, sizeof(record), 0);
	ck_assert_int_eq(send(s.fds[0], record, (size_t)n - 1, 0), n - 1);
	shutdown(s.fds[0], SHUT_WR);
	ck_assert_int_eq(take(&s.server, "whole"), TLS_OPEN);
	ck_assert_int_eq(take(&s.server, ""), TLS_BROKEN);
	ck_assert_int_eq(s.server.reason, REASON_CARRIER_LOST);
	scene_clear(&s);
}
END_TEST

START_TEST(a_forged_record_breaks_the_stream_behind_the_bytes_before_it)
{
	for (size_t i = 0; i < 2; i++) {
		struct scene s;
		char record[256];
		ssize_t n;

		scene_init(&s, versions[i]);
		meet(&s, NULL);
		give(&s.client, "whole", 5);
		give(&s.client, "forged", 6);
		n = recv(s.fds[1], record, sizeof(record), 0);
		record[n - 1] ^= 1;
		ck_assert_int_eq(send(s.fds[0], record, (size_t)n, 0), n);
		ck_assert_int_eq(take(&s.server, "whole"), TLS_BROKEN);
		expect_words(&s.server, REASON_CARRIER_LOST, "TLS: ");
		ck_assert(tls_abort(&s.server)); /* it has written an alert */
		ck_assert_int_eq(take(&s.client, ""), TLS_BROKEN);
		ck_assert(s.client.alerted);
		scene_clear(&s);
	}
}
END_TEST

START_TEST(garbage_behind_the_handshake_breaks_the_stream)
{
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	ck_assert_int_eq(send(s.fds[0], "SSH-2.0-OpenSSH_9\r\n", 19, 0), 19);
	ck_assert_int_eq(take(&s.server, ""), TLS_BROKEN);
	ck_assert_int_eq(s.server.reason, REASON_CARRIER_LOST);
	scene_clear(&s);
}
END_TEST

START_TEST(a_lost_socket_holds_nothing_back)
{
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	ck_assert_int_eq(take(&s.client, ""), TLS_OPEN);
	fill(&s.client);
	close(s.fds[1]); /* with bytes unread: ECONNRESET */
	s.fds[1] = open("/dev/null", O_RDONLY);
	ck_assert_int_eq(take(&s.client, ""), TLS_BROKEN);
	ck_assert(s.client.deaf);
	ck_assert(tls_flush(&s.client));
	/* With bytes kept it would wait for a writable socket, which a broken one always
	 * is. */
	ck_assert_msg(buf_length(&s.client.out) == 0, "%zu bytes are kept for nobody",
	    buf_length(&s.client.out));
	scene_clear(&s);
}
END_TEST

START_TEST(a_write_to_a_lost_socket_makes_it_deaf)
{
	struct scene s;
	struct batch batch = {0};

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	shutdown(s.fds[1], SHUT_RDWR);
	batch_add(&batch, "x", 1);
	ck_assert(!tls_give(&s.client, &batch));
	ck_assert(s.client.deaf);
	ck_assert_uint_eq(s.client.scratch_used, 0);
	ck_assert(tls_abort(&s.client));
	tls_finish(&s.client);
	tls_probe(&s.client);
	ck_assert_uint_eq(s.client.scratch_used, 0);
	scene_clear(&s);
}
END_TEST

/* ---- before the stream ---------------------------------------------------------- */

START_TEST(eof_before_server_hello_means_no_pod)
{
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	open_ends(&s, NULL);
	ck_assert_int_eq(tls_handshake(&s.client), TLS_HANDSHAKE);
	shutdown(s.fds[1], SHUT_RDWR);
	ck_assert_int_eq(tls_handshake(&s.client), TLS_BROKEN);
	expect_words(&s.client, REASON_NO_POD, "closed at once, before ServerHello");
	scene_clear(&s);
}
END_TEST

/* What a router is likely to have met, by the seconds that it took. */
START_TEST(the_time_of_an_early_end_tells_its_cause)
{
	static const struct {
		double seconds;
		const char *words;
	} ends[] = {
	    {0.0, "no ready pod"},
	    {1.9, "no ready pod"},
	    {2.1, "nothing listens on the route's targetPort"},
	    {3.0, "nothing listens on the route's targetPort"},
	    {3.9, "nothing listens on the route's targetPort"},
	    {4.1, "pod-concurrent-connections"},
	    {5.0, "pod-concurrent-connections"},
	    {7.9, "pod-concurrent-connections"},
	    {8.1, "8 to 15 s"},
	    {15.1, "NetworkPolicy"},
	    {20.0, "NetworkPolicy"},
	    {3600, "NetworkPolicy"},
	};
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		open_ends(&s, NULL);
		ck_assert_int_eq(tls_handshake(&s.client), TLS_HANDSHAKE);
		s.client.sent -= ends[i].seconds;
		shutdown(s.fds[1], SHUT_RDWR);
		ck_assert_int_eq(tls_handshake(&s.client), TLS_BROKEN);
		expect_words(&s.client, REASON_NO_POD, ends[i].words);
		close_ends(&s);
	}
	open_ends(&s, NULL);
	scene_clear(&s);
}
END_TEST

START_TEST(a_silent_peer_is_told_apart_from_a_slow_one)
{
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	open_ends(&s, NULL);
	tls_handshake(&s.client);
	ck_assert_ptr_nonnull(strstr(tls_silence(&s.client), "without TLS, which waits"));
	ck_assert_ptr_null(strstr(tls_silence(&s.server), "ClientHello"));
	ck_assert_int_eq(send(s.fds[1], "\x16\x03", 2, 0), 2);
	ck_assert_int_eq(tls_handshake(&s.client), TLS_HANDSHAKE);
	ck_assert_ptr_null(strstr(tls_silence(&s.client), "without TLS"));
	scene_clear(&s);
}
END_TEST

START_TEST(eof_before_client_hello_is_a_probe)
{
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	open_ends(&s, NULL);
	shutdown(s.fds[0], SHUT_RDWR);
	ck_assert_int_eq(tls_handshake(&s.server), TLS_BROKEN);
	ck_assert_int_eq(s.server.reason, REASON_PROBE);
	scene_clear(&s);
}
END_TEST

static SSL_CTX *
choose_same(void *chooser, const char *name, enum reason *reason)
{
	struct scene *s = chooser;

	(void)name;
	(void)reason;
	return s->server_context;
}

/* How many bytes wait to be read from a socket. */
static ssize_t
waiting(int fd)
{
	static char space[65536];

	return recv(fd, space, sizeof(space), MSG_PEEK);
}

/* The server hears @bytes, in two pieces, cut at @first. */
static void
hear(struct scene *s, const char *bytes, size_t length, size_t first)
{
	scene_init(s, TLS1_3_VERSION);
	open_ends(s, NULL);
	s->server.choose = choose_same;
	s->server.chooser = s;
	ck_assert_int_eq(write(s->fds[0], bytes, first), (ssize_t)first);
	tls_handshake(&s->server);
	if (first < length)
		ck_assert_int_eq(write(s->fds[0], bytes + first, length - first),
		    (ssize_t)(length - first));
	tls_handshake(&s->server);
}

/* The last that came on @fd. */
static void
expect_fatal_alert(int fd)
{
	unsigned char bytes[4096];
	ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

	ck_assert_int_ge(n, 7);
	ck_assert_int_eq(bytes[n - 7], SSL3_RT_ALERT);
	ck_assert_int_eq(bytes[n - 2], SSL3_AL_FATAL);
}

/* As soon as it is said, and before there is room for it; by an alert. */
START_TEST(a_client_hello_that_claims_to_be_huge_is_refused_at_once)
{
	static const struct {
		const char *bytes;
		size_t length;
		enum tls_state state;
	} cases[] = {
	    {"\x16\3\1\2\0\1\0\x80\1", 9, TLS_BROKEN},
	    {"\x16\3\1\0\3\1\1\0\x16\3\1\0\3\0\0\0", 16, TLS_BROKEN},
	    {"\x16\3\1\0\1\1\x16\3\1\0\3\1\0\0", 14, TLS_BROKEN},
	    {"\x16\3\1\2\0\1\0\1\xfc", 9, TLS_HANDSHAKE},
	    {"\x16\3\1\0\3\1\0\1\x16\3\1\0\1\xfc", 14, TLS_HANDSHAKE},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t first = 1; first <= cases[i].length; first++) {
			struct scene s;

			hear(&s, cases[i].bytes, cases[i].length, first);
			ck_assert_msg(s.server.state == cases[i].state,
			    "case %zu in %zu bytes", i, first);
			if (cases[i].state == TLS_BROKEN) {
				expect_words(&s.server, REASON_TLS_FAILED,
				    "the ClientHello is too large");
				expect_fatal_alert(s.fds[0]);
			}
			scene_clear(&s);
		}
}
END_TEST

START_TEST(a_warning_in_front_of_a_client_hello_hides_nothing)
{
	static const uint8_t bytes[] = {21, 3, 1, 0, 2, 1, SSL_AD_USER_CANCELLED, 22, 3,
	    1, 2, 0, SSL3_MT_CLIENT_HELLO, 1, 0, 0};
	struct scene s;

	scene_init(&s, TLS1_2_VERSION);
	open_ends(&s, NULL);
	ck_assert(tls_hello_look(&s.server, bytes, sizeof(bytes) - 1));
	ck_assert(!tls_hello_look(&s.server, bytes + sizeof(bytes) - 1, 1));
	scene_clear(&s);
}
END_TEST

/* Behind a HelloRetryRequest, which somebody gets who offers no key for our groups. */
START_TEST(a_second_client_hello_is_looked_at_too)
{
	static const char huge[] = "\x14\3\3\0\1\1\x16\3\3\x40\0\1\1\0\0";
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	open_ends(&s, NULL);
	ck_assert_int_eq(SSL_set1_groups_list(s.client.ssl, "P-384:P-256"), 1);
	ck_assert_int_eq(SSL_set1_groups_list(s.server.ssl, "P-256"), 1);
	tls_handshake(&s.client);
	tls_handshake(&s.server);
	ck_assert_int_eq(s.server.state, TLS_HANDSHAKE);
	ck_assert_int_gt(waiting(s.fds[0]), 0);
	ck_assert_int_eq(write(s.fds[0], huge, sizeof(huge) - 1), sizeof(huge) - 1);
	ck_assert_int_eq(tls_handshake(&s.server), TLS_BROKEN);
	expect_words(&s.server, REASON_TLS_FAILED, "the ClientHello is too large");
	expect_fatal_alert(s.fds[0]);
	scene_clear(&s);
}
END_TEST

/* Its groups make the server ask again. */
START_TEST(an_honest_second_client_hello_passes)
{
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	open_ends(&s, NULL);
	ck_assert_int_eq(SSL_set1_groups_list(s.client.ssl, "P-384:P-256"), 1);
	ck_assert_int_eq(SSL_set1_groups_list(s.server.ssl, "P-256"), 1);
	shake(&s);
	ck_assert_int_eq(s.client.state, TLS_OPEN);
	ck_assert_int_eq(s.server.state, TLS_OPEN);
	scene_clear(&s);
}
END_TEST

START_TEST(a_certificate_of_a_client_may_be_as_large_as_any_honest_one)
{
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	open_ends(&s, NULL);
	ck_assert_int_eq(SSL_get_max_cert_list(s.server.ssl), 32 * 1024);
	scene_clear(&s);
}
END_TEST

START_TEST(eof_in_the_middle_of_the_handshake_says_so)
{
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	open_ends(&s, NULL);
	tls_handshake(&s.client);
	ck_assert_int_eq(tls_handshake(&s.server), TLS_HANDSHAKE);
	shutdown(s.fds[0], SHUT_RDWR);
	ck_assert_int_eq(tls_handshake(&s.server), TLS_BROKEN);
	expect_words(&s.server, REASON_TLS_FAILED, "middle of the handshake");
	scene_clear(&s);
}
END_TEST

/* What @words in place of TLS make of one end, in pieces of @most bytes. */
static void
expect_not_tls(bool server, const char *words, size_t n, size_t most, const char *detail)
{
	struct scene s;
	struct tls *t = server ? &s.server : &s.client;
	size_t piece;

	scene_init(&s, TLS1_3_VERSION);
	open_ends(&s, NULL);
	tls_handshake(t);
	for (; n > 0 && t->state == TLS_HANDSHAKE; words += piece, n -= piece) {
		piece = n < most ? n : most;
		ck_assert_uint_eq(
		    (size_t)send(s.fds[server ? 0 : 1], words, piece, 0), piece);
		tls_handshake(t);
	}
	shutdown(s.fds[server ? 0 : 1], SHUT_WR);
	if (t->state == TLS_HANDSHAKE)
		tls_handshake(t);
	expect_words(t, REASON_NOT_TLS, "does not speak TLS");
	expect_words(t, REASON_NOT_TLS, detail);
	for (const char *c = t->detail; *c != '\0'; c++)
		ck_assert_msg(*c >= ' ' && *c <= '~', "byte %d in \"%s\"", *c, t->detail);
	ck_assert_ptr_null(strstr(t->detail, "secret"));
	scene_clear(&s);
}

#define WORDS(text) text, sizeof(text) - 1

START_TEST(a_peer_without_tls_is_shown)
{
	static const struct {
		const char *words;
		size_t n;
		const char *shown;
	} peers[] = {
	    {WORDS("HTTP/1.1 400 Bad request\r\n\r\nsecret"),
		"\"HTTP/1.1 400 Bad request\""},
	    {WORDS("SSH-2.0-OpenSSH_9.2p1\r\n"), "\"SSH-2.0-OpenSSH_9.2p1\""},
	    {WORDS("J\0\0\0\n8.0\"why=x\n\x1b[1m\xff and more than is shown, secret"),
		"\"J????8.0?why=x??[1m? and more th\""},
	    {WORDS("no"), "\"no\""},
	};

	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++)
		expect_not_tls(
		    false, peers[i].words, peers[i].n, SIZE_MAX, peers[i].shown);
	expect_not_tls(false, WORDS("SSH-2.0-x"), 2, "\"SSH-2.\"");
}
END_TEST

/* A program's own bytes, which may be a password, never. */
START_TEST(a_client_without_tls_is_named_by_its_protocol_alone)
{
	static const struct {
		const char *words;
		size_t n;
		const char *name;
	} clients[] = {
	    {WORDS("GET /secret HTTP/1.1\r\n\r\n"), "this is HTTP;"},
	    {WORDS("DELETE /secret HTTP/1.1\r\n\r\n"), "this is HTTP;"},
	    {WORDS("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "this is HTTP/2 without TLS;"},
	    {WORDS("PROXY TCP4 192.0.2.1 192.0.2.2 secret"), "this is a PROXY header;"},
	    {WORDS("\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c"), "this is a PROXY header;"},
	    {WORDS("\0\0\0\x08\x04\xd2\x16\x2f"), "this is PostgreSQL;"},
	    {WORDS("\0\0\0\x20\0\3\0\0user\0secret"), "this is PostgreSQL;"},
	    {WORDS("SSH-2.0-secret\r\n"), "this is SSH;"},
	    {WORDS("AUTH secret\r\n"), "does not speak TLS (wrong version number)"},
	    {WORDS("\0\0"), "does not speak TLS (closed)"},
	};

	for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++)
		expect_not_tls(
		    true, clients[i].words, clients[i].n, SIZE_MAX, clients[i].name);
}
END_TEST

START_TEST(a_client_that_shows_no_certificate_is_refused)
{
	for (size_t i = 0; i < 2; i++) {
		struct scene s;

		scene_init(&s, versions[i]);
		bench_take_certificates(&s.bench.client);
		open_ends(&s, NULL);
		shake(&s);
		expect_words(
		    &s.server, REASON_CERT_MISSING, "the client shows no certificate");
		if (versions[i] == TLS1_3_VERSION)
			ck_assert_int_eq(take(&s.client, ""), TLS_BROKEN);
		expect_words(&s.client, REASON_CERT_REFUSED, "refuses our certificate");
		ck_assert_int_eq(s.sessions, 0);
		scene_clear(&s);
	}
}
END_TEST

static struct certificate
make_other_ca(void)
{
	return certificate_make(
	    &(struct certificate_wish){.common_name = "other CA", .is_ca = true});
}

/* However it came about; no list of ciphers that we load would let it.  A server that
 * wants a certificate asks for one even then, and OpenSSL's clients take that ill. */
START_TEST(nobody_comes_in_who_shows_nothing)
{
	struct scene s;
	SSL_CTX *contexts[2];

	scene_init(&s, TLS1_2_VERSION);
	s.bench.server.require_cert = s.bench.server.ask_cert = false;
	contexts[0] = s.client_context = bench_context(&s.bench.client);
	contexts[1] = s.server_context = bench_context(&s.bench.server);
	for (int i = 0; i < 2; i++) {
		SSL_CTX_set_security_level(contexts[i], 0);
		ck_assert_int_eq(SSL_CTX_set_cipher_list(contexts[i], "AECDH"), 1);
	}
	open_ends(&s, NULL);
	shake(&s);
	ck_assert_int_eq(s.server.state, TLS_OPEN);
	expect_words(
	    &s.client, REASON_CERT_MISSING, "neither a certificate nor a pre-shared key");
	scene_clear(&s);
}
END_TEST

START_TEST(a_client_certificate_of_another_ca_is_refused)
{
	for (size_t i = 0; i < 2; i++) {
		struct scene s;
		struct certificate other = make_other_ca();

		scene_init(&s, versions[i]);
		bench_give_certificate(&s.bench.client, "DNS:stranger.example", &other);
		open_ends(&s, NULL);
		shake(&s);
		expect_words(&s.server, REASON_UNKNOWN_CA, "DNS:stranger.example");
		if (versions[i] == TLS1_3_VERSION)
			ck_assert_int_eq(take(&s.client, ""), TLS_BROKEN);
		expect_words(&s.client, REASON_CERT_REFUSED, "refuses our certificate");
		ck_assert_int_eq(s.sessions, 0);
		certificate_free(&other);
		scene_clear(&s);
	}
}
END_TEST

START_TEST(a_server_that_has_another_name_is_refused_and_its_names_are_told)
{
	for (size_t i = 0; i < 2; i++) {
		struct scene s;

		scene_init(&s, versions[i]);
		bench_give_certificate(
		    &s.bench.server, "DNS:console.apps.example", &s.bench.ca);
		open_ends(&s, NULL);
		shake(&s);
		expect_words(&s.client, REASON_NAME_MISMATCH, "DNS:console.apps.example");
		expect_words(&s.client, REASON_NAME_MISMATCH, "orders.apps.example");
		ck_assert_int_eq(s.server.state, TLS_BROKEN);
		ck_assert(s.server.alerted);
		ck_assert_int_eq(s.sessions, 0);
		scene_clear(&s);
	}
}
END_TEST

START_TEST(a_server_of_an_unknown_ca_is_refused)
{
	struct scene s;
	struct certificate other = make_other_ca();

	scene_init(&s, TLS1_3_VERSION);
	bench_give_certificate(&s.bench.server, "DNS:orders.apps.example", &other);
	open_ends(&s, NULL);
	shake(&s);
	expect_words(&s.client, REASON_UNKNOWN_CA, "not trusted");
	certificate_free(&other);
	scene_clear(&s);
}
END_TEST

/* As when the certificates were made anew on one side alone. */
START_TEST(a_ca_of_the_same_name_and_another_key_is_told_as_an_unknown_one)
{
	for (size_t i = 0; i < 2; i++) {
		struct scene s;
		struct certificate other = certificate_make_ca();

		scene_init(&s, versions[i]);
		bench_give_certificate(&s.bench.client, "DNS:stranger.example", &other);
		open_ends(&s, NULL);
		shake(&s);
		ck_assert_int_eq(s.server.reason, REASON_UNKNOWN_CA);
		if (versions[i] == TLS1_3_VERSION)
			ck_assert_int_eq(take(&s.client, ""), TLS_BROKEN);
		expect_words(&s.client, REASON_CERT_REFUSED, "refuses our certificate");
		certificate_free(&other);
		scene_clear(&s);
	}
}
END_TEST

START_TEST(an_expired_server_is_refused)
{
	struct scene s;
	struct certificate old;

	scene_init(&s, TLS1_3_VERSION);
	old = certificate_make(
	    &(struct certificate_wish){.names = "DNS:orders.apps.example",
		.purpose = "serverAuth",
		.begins = -7200,
		.ends = -3600,
		.issuer = &s.bench.ca});
	bench_take_certificates(&s.bench.server);
	bench_add_pair(&s.bench.server, certificate_write("old.crt", &old, NULL),
	    certificate_write_key("old.key", &old, NULL));
	open_ends(&s, NULL);
	shake(&s);
	expect_words(&s.client, REASON_CERT_EXPIRED, "expired on");
	certificate_free(&old);
	scene_clear(&s);
}
END_TEST

/* ---- what an end without words means -------------------------------------------- */

START_TEST(eof_right_behind_the_handshake_is_put_down_to_our_certificate)
{
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	open_ends(&s, NULL);
	tls_handshake(&s.client);
	tls_handshake(&s.server);
	ck_assert_int_eq(tls_handshake(&s.client), TLS_OPEN);
	shutdown(s.fds[1], SHUT_RDWR);
	ck_assert_int_eq(take(&s.client, ""), TLS_BROKEN);
	expect_words(&s.client, REASON_CERT_REFUSED, "probably our certificate");
	scene_clear(&s);
}
END_TEST

/* In TLS 1.2 the server judges our certificate before it says that it is done. */
START_TEST(eof_after_a_handshake_of_tls_1_2_is_not_about_our_certificate)
{
	struct scene s;

	scene_init(&s, TLS1_2_VERSION);
	meet(&s, NULL);
	shutdown(s.fds[1], SHUT_RDWR);
	ck_assert_int_eq(take(&s.client, ""), TLS_BROKEN);
	expect_words(&s.client, REASON_CARRIER_LOST, "closed without close_notify");
	scene_clear(&s);
}
END_TEST

START_TEST(eof_from_a_server_that_never_asked_is_not_about_our_certificate)
{
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	s.bench.server.ask_cert = s.bench.server.require_cert = false;
	meet(&s, NULL);
	ck_assert_int_eq(take(&s.client, ""), TLS_OPEN);
	shutdown(s.fds[1], SHUT_RDWR);
	ck_assert_int_eq(take(&s.client, ""), TLS_BROKEN);
	expect_words(&s.client, REASON_CARRIER_LOST, "closed without close_notify");
	scene_clear(&s);
}
END_TEST

/* A server that gives a ticket has let us in. */
START_TEST(eof_after_a_ticket_is_not_about_our_certificate)
{
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	ck_assert_int_eq(take(&s.client, ""), TLS_OPEN);
	ck_assert_int_eq(s.sessions, 1);
	shutdown(s.fds[1], SHUT_RDWR);
	ck_assert_int_eq(take(&s.client, ""), TLS_BROKEN);
	expect_words(&s.client, REASON_CARRIER_LOST, "closed without close_notify");
	scene_clear(&s);
}
END_TEST

/* ---- the router's wildcard ------------------------------------------------------ */

/* The server's certificate fits the client's rule only through its wildcard. */
static void
wildcard_init(struct scene *s, int version)
{
	scene_init(s, version);
	bench_give_certificate(&s->bench.server, "DNS:*.apps.example", &s->bench.ca);
	s->bench.server.multiplex = MULTIPLEX_AUTO;
}

/* The client has been given a session, and resumes it. */
static void
meet_again(struct scene *s)
{
	SSL_SESSION *copy;

	ck_assert_int_eq(take(&s->client, ""), TLS_OPEN);
	ck_assert_int_ge(s->sessions, 1);
	close_ends(s);
	copy = SSL_SESSION_dup(s->session);
	meet(s, copy);
	SSL_SESSION_free(copy);
	ck_assert(SSL_session_reused(s->client.ssl));
}

START_TEST(that_nobody_asked_for_our_certificate_is_remembered_with_the_session)
{
	for (size_t i = 0; i < 4; i++) {
		struct scene s;

		scene_init(&s, versions[i % 2]);
		s.bench.server.ask_cert = s.bench.server.require_cert = i < 2;
		meet(&s, NULL);
		ck_assert_int_eq(s.client.asked_us, i < 2);
		meet_again(&s);
		ck_assert_int_eq(s.client.asked_us, i < 2);
		meet_again(&s);
		ck_assert_int_eq(s.client.asked_us, i < 2);
		scene_clear(&s);
	}
}
END_TEST

/* With clientTLS the router's own TLS asks for our certificate, too. */
START_TEST(a_wildcard_is_the_router_whether_it_asks_for_our_certificate_or_not)
{
	for (size_t i = 0; i < 4; i++) {
		struct scene s;

		wildcard_init(&s, versions[i % 2]);
		s.bench.server.ask_cert = s.bench.server.require_cert = i < 2;
		s.bench.server.multiplex = MULTIPLEX_NO;
		s.offers_h2 = true;
		open_ends(&s, NULL);
		shake(&s);
		expect_words(&s.client, REASON_ROUTE_UNKNOWN, "DNS:*.apps.example");
		ck_assert_int_eq(s.client.asked_us, i < 2);
		ck_assert_int_eq(take(&s.client, ""), TLS_BROKEN);
		ck_assert_int_eq(s.sessions, 0);
		scene_clear(&s);
	}
}
END_TEST

START_TEST(a_wildcard_counts_where_our_protocol_is_selected)
{
	for (size_t i = 0; i < 4; i++) {
		struct scene s;

		wildcard_init(&s, versions[i % 2]);
		s.bench.server.ask_cert = s.bench.server.require_cert = i < 2;
		s.offers_h2 = true;
		meet(&s, NULL);
		meet_again(&s);
		ck_assert(tls_is_h2(&s.client));
		scene_clear(&s);
	}
}
END_TEST

/* The session is good, and says nothing of who has it now. */
START_TEST(a_wildcard_is_judged_anew_in_a_resumed_handshake)
{
	for (size_t i = 0; i < 2; i++) {
		struct scene s;

		wildcard_init(&s, versions[i]);
		s.offers_h2 = true;
		meet(&s, NULL);
		ck_assert_int_eq(take(&s.client, ""), TLS_OPEN);
		ck_assert_int_eq(s.sessions, 1);
		close_ends(&s);
		s.offers_h2 = false;
		open_ends(&s, s.session);
		shake(&s);
		ck_assert(SSL_session_reused(s.client.ssl));
		expect_words(&s.client, REASON_ROUTE_UNKNOWN, "DNS:*.apps.example");
		scene_clear(&s);
	}
}
END_TEST

START_TEST(a_wildcard_that_is_the_rule_itself_is_good_enough)
{
	static char rule[] = "*.apps.example";

	for (size_t i = 0; i < 2; i++) {
		struct scene s;

		wildcard_init(&s, versions[i]);
		s.bench.server.ask_cert = s.bench.server.require_cert = false;
		s.bench.host = rule;
		meet(&s, NULL);
		meet_again(&s);
		scene_clear(&s);
	}
}
END_TEST

/* verifyPeer: the certificate is among those that are trusted, and no CA is. */
START_TEST(a_wildcard_of_a_certificate_that_is_pinned_is_good_enough)
{
	for (size_t i = 0; i < 2; i++) {
		struct scene s;

		wildcard_init(&s, versions[i]);
		s.bench.client.verify_chain = false;
		s.bench.client.verify_peer = true;
		free(s.bench.client.ca_file);
		s.bench.client.ca_file = strdup(s.bench.server.cert.items[0]);
		meet(&s, NULL);
		meet_again(&s);
		scene_clear(&s);
	}
}
END_TEST

/* checkFingerprint */
START_TEST(a_wildcard_of_a_key_that_is_pinned_is_good_enough)
{
	for (size_t i = 0; i < 2; i++) {
		struct scene s;
		char digits[IDENTITY_FINGERPRINT_SIZE], *rule = digits;

		wildcard_init(&s, versions[i]);
		s.server_context = bench_context(&s.bench.server);
		ck_assert(identity_fingerprint(
		    SSL_CTX_get0_certificate(s.server_context), digits));
		s.bench.client.check_fingerprint =
		    (struct strlist){.items = &rule, .count = 1};
		s.client_context = bench_context(&s.bench.client);
		meet(&s, NULL);
		meet_again(&s);
		scene_clear(&s);
	}
}
END_TEST

/* ---- resumption ----------------------------------------------------------------- */

START_TEST(a_session_is_resumed)
{
	for (size_t i = 0; i < 2; i++) {
		struct scene s;
		SSL_SESSION *copy;

		scene_init(&s, versions[i]);
		meet(&s, NULL);
		ck_assert(!SSL_session_reused(s.client.ssl));
		ck_assert_int_eq(take(&s.client, ""), TLS_OPEN);
		ck_assert_int_eq(s.sessions, 1);
		tls_finish(&s.client);
		tls_finish(&s.server);
		close_ends(&s);
		for (int round = 0; round < 3; round++) {
			copy = SSL_SESSION_dup(s.session);
			meet(&s, copy);
			SSL_SESSION_free(copy);
			ck_assert(SSL_session_reused(s.client.ssl));
			ck_assert(SSL_session_reused(s.server.ssl));
			give(&s.server, "answer", 6);
			ck_assert_int_eq(take(&s.client, "answer"), TLS_OPEN);
			ck_assert_int_eq(s.sessions, 1);
			if (round < 2)
				close_ends(&s); /* without close_notify */
		}
		scene_clear(&s);
	}
}
END_TEST

/* In TLS 1.3 it comes when the responder has spoken. */
START_TEST(a_session_of_who_is_still_to_be_asked_about_is_not_kept)
{
	for (size_t i = 0; i < 4; i++) {
		struct scene s;

		scene_init(&s, versions[i % 2]);
		s.bench.client.ocsp_aia = i < 2;
		s.bench.client.ocsp_url = i < 2 ? NULL : "http://127.0.0.1/";
		meet(&s, NULL);
		ck_assert_int_eq(s.sessions, 0);
		take(&s.client, "");
		ck_assert_int_eq(s.sessions, versions[i % 2] == TLS1_3_VERSION ? 1 : 0);
		scene_clear(&s);
	}
}
END_TEST

/* The far end forgets it, as RFC 8446, 6.2 asks; but the copy is ours alone, since other
 * workers look at it. */
static void
expect_session_survives_abort(bool by_server)
{
	for (size_t i = 0; i < 2; i++) {
		struct scene s;

		scene_init(&s, versions[i]);
		meet(&s, NULL);
		ck_assert_int_eq(take(&s.client, ""), TLS_OPEN);
		ck_assert_int_eq(s.sessions, 1);
		ck_assert(tls_abort(by_server ? &s.server : &s.client));
		ck_assert_int_eq(take(by_server ? &s.client : &s.server, ""), TLS_BROKEN);
		close_ends(&s);
		ck_assert_msg(SSL_SESSION_is_resumable(s.session),
		    "the session that was kept is marked bad");
		scene_clear(&s);
	}
}

START_TEST(an_abort_by_the_client_leaves_the_session_good)
{
	expect_session_survives_abort(false);
}
END_TEST

START_TEST(an_abort_by_the_server_leaves_the_session_good)
{
	expect_session_survives_abort(true);
}
END_TEST

START_TEST(who_resumes_is_judged_by_today_s_rules)
{
	static char other[] = "billing.apps.example";

	for (size_t i = 0; i < 2; i++) {
		struct scene s;

		scene_init(&s, versions[i]);
		meet(&s, NULL);
		ck_assert_int_eq(take(&s.client, ""), TLS_OPEN);
		close_ends(&s);
		s.bench.host = other;
		open_ends(&s, s.session);
		shake(&s);
		ck_assert(SSL_session_reused(s.client.ssl));
		expect_words(&s.client, REASON_NAME_MISMATCH, "somebody else's");
		scene_clear(&s);
	}
}
END_TEST

START_TEST(the_server_judges_who_resumes_too)
{
	static char other_name[] = "other.legacy.example";
	static char *other = other_name;

	for (size_t i = 0; i < 2; i++) {
		struct scene s;

		scene_init(&s, versions[i]);
		meet(&s, NULL);
		ck_assert_int_eq(take(&s.client, ""), TLS_OPEN);
		close_ends(&s);
		s.bench.server.check_host.items = &other;
		s.bench.server.check_host.count = 1;
		open_ends(&s, s.session);
		shake(&s);
		expect_words(&s.server, REASON_NAME_MISMATCH, "somebody else's");
		s.bench.server.check_host.count = 0;
		scene_clear(&s);
	}
}
END_TEST

/* ---- the probe ------------------------------------------------------------------ */

START_TEST(a_probe_changes_nothing)
{
	for (size_t i = 0; i < 2; i++) {
		struct scene s;

		scene_init(&s, versions[i]);
		meet(&s, NULL);
		ck_assert_int_eq(take(&s.client, ""), TLS_OPEN); /* tickets */
		ck_assert(tls_probe(&s.client) == (versions[i] == TLS1_3_VERSION));
		ck_assert(tls_probe(&s.server) == (versions[i] == TLS1_3_VERSION));
		ck_assert_uint_eq(s.client.scratch_used, 0);
		ck_assert_int_eq(take(&s.server, ""), TLS_OPEN);
		ck_assert_int_eq(take(&s.client, ""), TLS_OPEN);
		give(&s.client, "question", 8);
		ck_assert_int_eq(take(&s.server, "question"), TLS_OPEN);
		give(&s.server, "answer", 6);
		ck_assert_int_eq(take(&s.client, "answer"), TLS_OPEN);
		scene_clear(&s);
	}
}
END_TEST

START_TEST(a_probe_behind_the_peer_s_close_notify_is_sent)
{
	struct scene s;
	char record[256];

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	tls_finish(&s.server);
	ck_assert_int_eq(take(&s.client, ""), TLS_FINISHED);
	tls_probe(&s.client);
	ck_assert_int_gt(recv(s.fds[1], record, sizeof(record), MSG_PEEK), 0);
	ck_assert_int_eq(take(&s.server, ""), TLS_OPEN);
	give(&s.client, "more", 4);
	ck_assert_int_eq(take(&s.server, "more"), TLS_OPEN);
	tls_finish(&s.client);
	ck_assert_int_eq(take(&s.server, ""), TLS_FINISHED);
	scene_clear(&s);
}
END_TEST

START_TEST(after_our_own_close_notify_there_is_no_probe)
{
	struct scene s;
	char record[256];

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	tls_finish(&s.client);
	ck_assert_int_eq(take(&s.server, ""), TLS_FINISHED);
	ck_assert(!tls_probe(&s.client));
	ck_assert_int_eq(recv(s.fds[1], record, sizeof(record), 0), -1);
	scene_clear(&s);
}
END_TEST

START_TEST(after_an_abort_there_is_no_probe)
{
	struct scene s;
	char record[256];

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	ck_assert(tls_abort(&s.client));
	ck_assert_int_eq(take(&s.server, ""), TLS_BROKEN);
	ck_assert(!tls_probe(&s.client));
	ck_assert(!tls_probe(&s.server));
	ck_assert_int_eq(recv(s.fds[1], record, sizeof(record), 0), -1);
	scene_clear(&s);
}
END_TEST

START_TEST(there_is_no_probe_while_bytes_wait)
{
	struct scene s;
	size_t kept;

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	fill(&s.client);
	kept = buf_length(&s.client.out);
	ck_assert(!tls_probe(&s.client));
	ck_assert_uint_eq(buf_length(&s.client.out), kept);
	scene_clear(&s);
}
END_TEST

/* The kernel has them, the peer has not. */
START_TEST(there_is_no_probe_while_bytes_are_on_their_way)
{
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	give(&s.client, "slow", 4);
	ck_assert_uint_gt(tls_room(&s.client), 0);
	ck_assert(!tls_probe(&s.client));
	ck_assert_int_eq(take(&s.server, "slow"), TLS_OPEN);
	ck_assert(tls_probe(&s.client));
	scene_clear(&s);
}
END_TEST

START_TEST(the_time_of_the_last_send_is_noted)
{
	struct scene s;
	double before;

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	before = s.client.sent;
	ck_assert(before > 0 && before <= reactor_now());
	usleep(2000);
	ck_assert_int_eq(take(&s.client, ""), TLS_OPEN);
	ck_assert(s.client.sent == before);
	give(&s.client, "word", 4);
	ck_assert(s.client.sent > before);
	before = s.client.sent;
	ck_assert_int_eq(take(&s.server, "word"), TLS_OPEN);
	usleep(2000);
	ck_assert(tls_probe(&s.client));
	ck_assert(s.client.sent > before);
	scene_clear(&s);
}
END_TEST

/* ---- the peer's KeyUpdates ------------------------------------------------------- */

static void
send_updates(struct tls *t, int type, int count)
{
	while (count-- > 0) {
		ck_assert_int_eq(SSL_key_update(t->ssl, type), 1);
		ck_assert_int_eq(SSL_do_handshake(t->ssl), 1);
		tls_flush(t);
	}
}

enum {
	UPDATE_SIZE = 27, /* of a record with a KeyUpdate and a tag of 16 bytes */
};

START_TEST(a_request_for_a_key_update_is_answered_at_once)
{
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	ck_assert_int_eq(take(&s.client, ""), TLS_OPEN);
	send_updates(&s.client, SSL_KEY_UPDATE_NOT_REQUESTED, 1);
	ck_assert_int_eq(take(&s.server, ""), TLS_OPEN);
	ck_assert_int_eq(waiting(s.fds[0]), -1);
	for (int i = 0; i < 3; i++) {
		send_updates(&s.client, SSL_KEY_UPDATE_REQUESTED, 1);
		ck_assert_int_eq(take(&s.server, ""), TLS_OPEN);
		ck_assert_int_eq(waiting(s.fds[0]), UPDATE_SIZE);
		ck_assert_int_eq(take(&s.client, ""), TLS_OPEN);
	}
	give(&s.server, "answer", 6);
	ck_assert_int_eq(take(&s.client, "answer"), TLS_OPEN);
	scene_clear(&s);
}
END_TEST

START_TEST(a_request_is_answered_behind_kept_bytes)
{
	struct scene s;
	size_t given, got = 0;

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	given = fill(&s.server);
	send_updates(&s.client, SSL_KEY_UPDATE_REQUESTED, 1);
	ck_assert_int_eq(take(&s.server, ""), TLS_OPEN);
	ck_assert_uint_eq(s.server.updates_sent, 0);
	while (!tls_flush(&s.server))
		got += take_some(&s.client);
	ck_assert_uint_eq(s.server.updates_sent, 1);
	while (got < given)
		got += take_some(&s.client);
	give(&s.server, "behind", 6);
	ck_assert_int_eq(take(&s.client, "behind"), TLS_OPEN);
	scene_clear(&s);
}
END_TEST

/* It never reads; OpenSSL keeps an answer for each request but the last.  Not one byte
 * more is read from it until they have left, and bytes of a program wait in front. */
START_TEST(requests_behind_kept_bytes_do_not_fill_our_memory)
{
	static char space[65536];
	struct scene s;
	size_t kept;

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	fill(&s.server);
	kept = buf_length(&s.server.out);
	s.server.opened -= 1e6; /* it may send any number */
	for (int i = 0; i < 40; i++) {
		send_updates(&s.client, SSL_KEY_UPDATE_REQUESTED, 100);
		ck_assert_int_eq(take(&s.server, ""), TLS_OPEN);
	}
	ck_assert(tls_is_choked(&s.server));
	ck_assert_uint_lt(buf_length(&s.server.out) - kept, 2 * 100 * UPDATE_SIZE);
	ck_assert_int_gt(waiting(s.fds[1]), 0);
	while (!tls_flush(&s.server))
		while (recv(s.fds[0], space, sizeof(space), 0) > 0)
			;
	ck_assert(!tls_is_choked(&s.server));
	ck_assert_int_eq(take(&s.server, ""), TLS_OPEN);
	ck_assert_int_eq(waiting(s.fds[1]), -1);
	scene_clear(&s);
}
END_TEST

START_TEST(bytes_of_a_program_that_wait_keep_nothing_from_being_read)
{
	for (size_t i = 0; i < 2; i++) {
		struct scene s;

		scene_init(&s, versions[i]);
		meet(&s, NULL);
		fill(&s.server);
		give(&s.client, "word", 4);
		ck_assert_int_eq(take(&s.server, "word"), TLS_OPEN);
		ck_assert(!tls_is_choked(&s.server));
		scene_clear(&s);
	}
}
END_TEST

START_TEST(a_flood_of_tickets_breaks_the_stream)
{
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	give(&s.server, "last", 4);
	for (int i = 0; i < 400; i++) {
		ck_assert_int_eq(SSL_new_session_ticket(s.server.ssl), 1);
		ck_assert_int_eq(SSL_do_handshake(s.server.ssl), 1);
		tls_flush(&s.server);
	}
	ck_assert_int_eq(take(&s.client, "last"), TLS_BROKEN);
	ck_assert_int_eq(s.client.reason, REASON_CARRIER_LOST);
	ck_assert_ptr_nonnull(strstr(s.client.detail, "tickets"));
	ck_assert_int_lt(s.sessions, 100);
	ck_assert(tls_abort(&s.client));
	ck_assert_int_eq(take(&s.server, ""), TLS_BROKEN);
	ck_assert_int_eq(s.server.reason, REASON_FAR_RESET);
	scene_clear(&s);
}
END_TEST

START_TEST(a_flood_of_requests_for_another_handshake_breaks_the_stream)
{
	struct scene s;

	scene_init(&s, TLS1_2_VERSION);
	meet(&s, NULL);
	give(&s.server, "last", 4);
	SSL_clear_options(s.server.ssl, SSL_OP_NO_RENEGOTIATION);
	for (int i = 0; i < 400; i++) {
		ck_assert_int_eq(SSL_renegotiate(s.server.ssl), 1);
		ck_assert_int_eq(SSL_do_handshake(s.server.ssl), 1);
		tls_flush(&s.server);
	}
	ck_assert_int_eq(take(&s.client, "last"), TLS_BROKEN);
	ck_assert_int_eq(s.client.reason, REASON_CARRIER_LOST);
	ck_assert_ptr_nonnull(strstr(s.client.detail, "another handshake"));
	ck_assert(s.client.messages_came < 100); /* not one more was worked off */
	scene_clear(&s);
}
END_TEST

/* Both a request and its answer; no peer that asks now and then loses anything. */
START_TEST(a_few_requests_for_another_handshake_are_refused_each)
{
	struct scene s;

	scene_init(&s, TLS1_2_VERSION);
	meet(&s, NULL);
	SSL_clear_options(s.server.ssl, SSL_OP_NO_RENEGOTIATION);
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(SSL_renegotiate(s.server.ssl), 1);
		ck_assert_int_eq(SSL_do_handshake(s.server.ssl), 1);
		tls_flush(&s.server);
		ck_assert_int_eq(take(&s.client, ""), TLS_OPEN);
	}
	give(&s.client, "word", 4);
	scene_clear(&s);
}
END_TEST

START_TEST(behind_our_close_notify_no_request_is_answered)
{
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	tls_finish(&s.server);
	ck_assert_int_eq(take(&s.client, ""), TLS_FINISHED);
	send_updates(&s.client, SSL_KEY_UPDATE_REQUESTED, 1);
	ck_assert_int_eq(take(&s.server, ""), TLS_OPEN);
	ck_assert_int_eq(waiting(s.fds[0]), -1);
	give(&s.client, "more", 4);
	ck_assert_int_eq(take(&s.server, "more"), TLS_OPEN);
	scene_clear(&s);
}
END_TEST

START_TEST(a_flood_of_key_updates_breaks_the_stream_behind_the_bytes_before_it)
{
	for (int type = SSL_KEY_UPDATE_NOT_REQUESTED; type <= SSL_KEY_UPDATE_REQUESTED;
	     type++) {
		struct scene s;

		scene_init(&s, TLS1_3_VERSION);
		meet(&s, NULL);
		s.client.opened -= 100; /* it bears all of the answers */
		give(&s.client, "last", 4);
		send_updates(&s.client, type, 400);
		ck_assert_int_eq(take(&s.server, "last"), TLS_BROKEN);
		ck_assert_int_eq(s.server.reason, REASON_CARRIER_LOST);
		ck_assert_ptr_nonnull(strstr(s.server.detail, "KeyUpdates"));
		ck_assert(s.server.messages_came < 100); /* not one more was worked off */
		ck_assert(tls_abort(&s.server));
		ck_assert_int_eq(take(&s.client, ""), TLS_BROKEN);
		ck_assert_int_eq(s.client.reason, REASON_FAR_RESET);
		scene_clear(&s);
	}
}
END_TEST

/* Their reader was busy elsewhere for an hour. */
START_TEST(heartbeats_that_waited_for_long_are_no_flood)
{
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	s.server.opened -= 3600;
	for (int i = 0; i < 36; i++) {
		send_updates(&s.client, SSL_KEY_UPDATE_NOT_REQUESTED, 100);
		ck_assert_int_eq(take(&s.server, ""), TLS_OPEN);
	}
	give(&s.client, "word", 4);
	ck_assert_int_eq(take(&s.server, "word"), TLS_OPEN);
	scene_clear(&s);
}
END_TEST

/* As BoringSSL and Go do. */
START_TEST(an_abort_behind_heartbeats_is_told_as_too_many_of_them)
{
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	ck_assert_int_eq(take(&s.client, ""), TLS_OPEN);
	for (int i = 0; i < 17; i++) {
		ck_assert(tls_probe(&s.client));
		ck_assert_int_eq(take(&s.server, ""), TLS_OPEN);
	}
	ERR_raise(ERR_LIB_SSL, SSL_AD_REASON_OFFSET + SSL_AD_UNEXPECTED_MESSAGE);
	tls_blame_openssl(&s.client);
	ck_assert(s.client.overrun);
	ck_assert_int_eq(s.client.reason, REASON_FAR_RESET);
	ck_assert_ptr_nonnull(strstr(s.client.detail, "17 heartbeats"));
	scene_clear(&s);
}
END_TEST

START_TEST(an_abort_behind_data_has_nothing_to_do_with_heartbeats)
{
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	ck_assert(tls_probe(&s.client));
	ck_assert_int_eq(take(&s.server, ""), TLS_OPEN);
	give(&s.client, "word", 4);
	ERR_raise(ERR_LIB_SSL, SSL_AD_REASON_OFFSET + SSL_AD_UNEXPECTED_MESSAGE);
	tls_blame_openssl(&s.client);
	ck_assert(!s.client.overrun);
	ck_assert_ptr_null(strstr(s.client.detail, "heartbeats"));
	scene_clear(&s);
}
END_TEST

/* ---- a dead path ----------------------------------------------------------------- */

START_TEST(a_connection_that_timed_out_ends_behind_what_had_arrived)
{
	struct scene s;

	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	give(&s.client, "last", 4);
	tls_time_out(&s.server, 40);
	ck_assert(s.server.deaf);
	ck_assert_int_eq(take(&s.server, "last"), TLS_OPEN);
	ck_assert_int_eq(take(&s.server, ""), TLS_BROKEN);
	ck_assert_int_eq(s.server.reason, REASON_CARRIER_LOST);
	ck_assert_str_eq(s.server.detail, "no acknowledgement for 40 s");
	scene_clear(&s);
}
END_TEST

/* ---- memory --------------------------------------------------------------------- */

static long in_use; /* bytes of OpenSSL's in blocks as large as a record */

static void *
count_malloc(size_t size, const char *file, int line)
{
	size_t *block = malloc(size + 16);

	(void)file;
	(void)line;
	if (block == NULL)
		return NULL;
	*block = size;
	in_use += size >= 16384 ? (long)size : 0;
	return (char *)block + 16;
}

static void
count_free(void *bytes, const char *file, int line)
{
	size_t *block;

	(void)file;
	(void)line;
	if (bytes == NULL)
		return;
	block = (size_t *)(void *)((char *)bytes - 16);
	in_use -= *block >= 16384 ? (long)*block : 0;
	free(block);
}

static void *
count_realloc(void *bytes, size_t size, const char *file, int line)
{
	void *grown = count_malloc(size, file, line);
	size_t before;

	if (bytes == NULL || grown == NULL)
		return grown;
	before = *(size_t *)(void *)((char *)bytes - 16);
	memcpy(grown, bytes, before < size ? before : size);
	count_free(bytes, file, line);
	return grown;
}

/* Before OpenSSL has taken any memory: only where each case has its own process. */
static bool
count_memory(void)
{
	return CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free) == 1;
}

START_TEST(an_idle_connection_holds_no_record_buffers)
{
	struct scene s;
	struct batch batch = {0};

	if (!count_memory())
		return;
	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	ck_assert_int_eq(in_use, 0);
	/* The client gets a ticket and a greeting at once, and never writes. */
	give(&s.server, "greeting", 8);
	tls_take(&s.client, s.client.reactor->plain, &batch);
	ck_assert_uint_eq(batch.length, 8);
	ck_assert_msg(in_use == 0, "%ld bytes behind a ticket and a greeting", in_use);
	tls_probe(&s.server);
	ck_assert_msg(in_use == 0, "%ld bytes behind a probe", in_use);
	batch = (struct batch){0};
	tls_take(&s.client, s.client.reactor->plain, &batch);
	ck_assert_msg(in_use == 0, "%ld bytes behind a heartbeat", in_use);
	scene_clear(&s);
}
END_TEST

START_TEST(a_probe_leaves_no_buffer_behind)
{
	struct scene s;

	if (!count_memory())
		return;
	scene_init(&s, TLS1_3_VERSION);
	meet(&s, NULL);
	ck_assert_int_eq(take(&s.client, ""), TLS_OPEN);
	ck_assert_int_eq(in_use, 0);
	tls_probe(&s.server);
	ck_assert_msg(in_use == 0, "%ld bytes behind a probe", in_use);
	scene_clear(&s);
}
END_TEST

UNIT_MAIN("tls", an_idle_connection_holds_no_record_buffers,
    a_probe_leaves_no_buffer_behind, two_ends_meet_and_talk, a_batch_has_several_parts,
    a_mebibyte_passes_in_both_directions,
    what_a_full_socket_does_not_take_is_kept_and_sent_later,
    bytes_right_behind_the_handshake_are_not_lost,
    a_record_that_came_in_part_waits_for_its_rest,
    close_notify_in_the_middle_of_the_handshake_is_no_end_in_good_order,
    close_notify_is_a_half_close, nothing_behind_close_notify_is_taken,
    an_abort_is_an_alert_behind_the_bytes_and_never_a_clean_end,
    an_abort_works_when_the_peer_has_finished, an_abort_works_in_the_middle_of_a_record,
    an_abort_waits_its_turn_behind_kept_bytes, after_close_notify_no_alert_can_be_sent,
    an_abort_behind_the_first_bytes_is_not_called_one_before_them,
    a_cut_stream_never_looks_complete,
    a_stream_cut_inside_a_record_gives_what_was_whole_before_it,
    a_forged_record_breaks_the_stream_behind_the_bytes_before_it,
    garbage_behind_the_handshake_breaks_the_stream, a_lost_socket_holds_nothing_back,
    a_write_to_a_lost_socket_makes_it_deaf, eof_before_server_hello_means_no_pod,
    the_time_of_an_early_end_tells_its_cause, a_silent_peer_is_told_apart_from_a_slow_one,
    eof_before_client_hello_is_a_probe,
    a_client_hello_that_claims_to_be_huge_is_refused_at_once,
    a_warning_in_front_of_a_client_hello_hides_nothing,
    a_second_client_hello_is_looked_at_too, an_honest_second_client_hello_passes,
    a_certificate_of_a_client_may_be_as_large_as_any_honest_one,
    eof_in_the_middle_of_the_handshake_says_so, a_peer_without_tls_is_shown,
    a_client_without_tls_is_named_by_its_protocol_alone,
    a_client_that_shows_no_certificate_is_refused, nobody_comes_in_who_shows_nothing,
    a_client_certificate_of_another_ca_is_refused,
    a_server_that_has_another_name_is_refused_and_its_names_are_told,
    a_server_of_an_unknown_ca_is_refused,
    a_ca_of_the_same_name_and_another_key_is_told_as_an_unknown_one,
    an_expired_server_is_refused,
    eof_right_behind_the_handshake_is_put_down_to_our_certificate,
    eof_after_a_handshake_of_tls_1_2_is_not_about_our_certificate,
    eof_from_a_server_that_never_asked_is_not_about_our_certificate,
    eof_after_a_ticket_is_not_about_our_certificate,
    a_wildcard_is_the_router_whether_it_asks_for_our_certificate_or_not,
    a_wildcard_counts_where_our_protocol_is_selected,
    a_wildcard_is_judged_anew_in_a_resumed_handshake,
    a_wildcard_that_is_the_rule_itself_is_good_enough,
    a_wildcard_of_a_certificate_that_is_pinned_is_good_enough,
    a_wildcard_of_a_key_that_is_pinned_is_good_enough,
    that_nobody_asked_for_our_certificate_is_remembered_with_the_session,
    a_session_is_resumed, a_session_of_who_is_still_to_be_asked_about_is_not_kept,
    an_abort_by_the_client_leaves_the_session_good,
    an_abort_by_the_server_leaves_the_session_good,
    who_resumes_is_judged_by_today_s_rules, the_server_judges_who_resumes_too,
    a_probe_changes_nothing, a_probe_behind_the_peer_s_close_notify_is_sent,
    after_our_own_close_notify_there_is_no_probe, after_an_abort_there_is_no_probe,
    there_is_no_probe_while_bytes_wait, there_is_no_probe_while_bytes_are_on_their_way,
    the_time_of_the_last_send_is_noted, a_request_for_a_key_update_is_answered_at_once,
    a_request_is_answered_behind_kept_bytes,
    requests_behind_kept_bytes_do_not_fill_our_memory,
    behind_our_close_notify_no_request_is_answered,
    a_flood_of_key_updates_breaks_the_stream_behind_the_bytes_before_it,
    bytes_of_a_program_that_wait_keep_nothing_from_being_read,
    a_flood_of_tickets_breaks_the_stream,
    a_flood_of_requests_for_another_handshake_breaks_the_stream,
    a_few_requests_for_another_handshake_are_refused_each,
    heartbeats_that_waited_for_long_are_no_flood,
    an_abort_behind_heartbeats_is_told_as_too_many_of_them,
    an_abort_behind_data_has_nothing_to_do_with_heartbeats,
    a_connection_that_timed_out_ends_behind_what_had_arrived)
