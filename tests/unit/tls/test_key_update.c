#include "tests/unit/tls_scene.h"
#include "tests/unit/unit.h"

#include <openssl/err.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* ---- the probe ------------------------------------------------------------------ */

START_TEST(a_probe_changes_nothing)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_scene s;

		tls_scene_init(&s, versions[i]);
		tls_scene_meet(&s, NULL);
		ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_OPEN); /* tickets */
		ck_assert(tls_probe(&s.client) == (versions[i] == TLS1_3_VERSION));
		ck_assert(tls_probe(&s.server) == (versions[i] == TLS1_3_VERSION));
		ck_assert_uint_eq(s.client.scratch_used, 0);
		ck_assert_int_eq(tls_scene_take(&s.server, ""), TLS_OPEN);
		ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_OPEN);
		tls_scene_give(&s.client, "question", 8);
		ck_assert_int_eq(tls_scene_take(&s.server, "question"), TLS_OPEN);
		tls_scene_give(&s.server, "answer", 6);
		ck_assert_int_eq(tls_scene_take(&s.client, "answer"), TLS_OPEN);
		tls_scene_clear(&s);
	}
}
END_TEST

START_TEST(a_probe_behind_the_peer_s_close_notify_is_sent)
{
	struct tls_scene s;
	char record[256];

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	tls_finish(&s.server);
	ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_FINISHED);
	tls_probe(&s.client);
	ck_assert_int_gt(recv(s.fds[1], record, sizeof(record), MSG_PEEK), 0);
	ck_assert_int_eq(tls_scene_take(&s.server, ""), TLS_OPEN);
	tls_scene_give(&s.client, "more", 4);
	ck_assert_int_eq(tls_scene_take(&s.server, "more"), TLS_OPEN);
	tls_finish(&s.client);
	ck_assert_int_eq(tls_scene_take(&s.server, ""), TLS_FINISHED);
	tls_scene_clear(&s);
}
END_TEST

START_TEST(after_our_own_close_notify_there_is_no_probe)
{
	struct tls_scene s;
	char record[256];

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	tls_finish(&s.client);
	ck_assert_int_eq(tls_scene_take(&s.server, ""), TLS_FINISHED);
	ck_assert(!tls_probe(&s.client));
	ck_assert_int_eq(recv(s.fds[1], record, sizeof(record), 0), -1);
	tls_scene_clear(&s);
}
END_TEST

START_TEST(after_an_abort_there_is_no_probe)
{
	struct tls_scene s;
	char record[256];

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	ck_assert(tls_abort(&s.client));
	ck_assert_int_eq(tls_scene_take(&s.server, ""), TLS_BROKEN);
	ck_assert(!tls_probe(&s.client));
	ck_assert(!tls_probe(&s.server));
	ck_assert_int_eq(recv(s.fds[1], record, sizeof(record), 0), -1);
	tls_scene_clear(&s);
}
END_TEST

START_TEST(there_is_no_probe_while_bytes_wait)
{
	struct tls_scene s;
	size_t kept;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	tls_scene_fill(&s.client);
	kept = buf_length(&s.client.out);
	ck_assert(!tls_probe(&s.client));
	ck_assert_uint_eq(buf_length(&s.client.out), kept);
	tls_scene_clear(&s);
}
END_TEST

/* The kernel has them, the peer has not. */
START_TEST(there_is_no_probe_while_bytes_are_on_their_way)
{
	struct tls_scene s;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	tls_scene_give(&s.client, "slow", 4);
	ck_assert_uint_gt(tls_room(&s.client), 0);
	ck_assert(!tls_probe(&s.client));
	ck_assert_int_eq(tls_scene_take(&s.server, "slow"), TLS_OPEN);
	ck_assert(tls_probe(&s.client));
	tls_scene_clear(&s);
}
END_TEST

START_TEST(the_time_of_the_last_send_is_noted)
{
	struct tls_scene s;
	double before;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	before = s.client.sent;
	ck_assert(before > 0 && before <= reactor_now());
	usleep(2000);
	ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_OPEN);
	ck_assert(s.client.sent == before);
	tls_scene_give(&s.client, "word", 4);
	ck_assert(s.client.sent > before);
	before = s.client.sent;
	ck_assert_int_eq(tls_scene_take(&s.server, "word"), TLS_OPEN);
	usleep(2000);
	ck_assert(tls_probe(&s.client));
	ck_assert(s.client.sent > before);
	tls_scene_clear(&s);
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
	struct tls_scene s;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_OPEN);
	send_updates(&s.client, SSL_KEY_UPDATE_NOT_REQUESTED, 1);
	ck_assert_int_eq(tls_scene_take(&s.server, ""), TLS_OPEN);
	ck_assert_int_eq(tls_scene_waiting(s.fds[0]), -1);
	for (int i = 0; i < 3; i++) {
		send_updates(&s.client, SSL_KEY_UPDATE_REQUESTED, 1);
		ck_assert_int_eq(tls_scene_take(&s.server, ""), TLS_OPEN);
		ck_assert_int_eq(tls_scene_waiting(s.fds[0]), UPDATE_SIZE);
		ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_OPEN);
	}
	tls_scene_give(&s.server, "answer", 6);
	ck_assert_int_eq(tls_scene_take(&s.client, "answer"), TLS_OPEN);
	tls_scene_clear(&s);
}
END_TEST

START_TEST(a_request_is_answered_behind_kept_bytes)
{
	struct tls_scene s;
	size_t given, got = 0;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	given = tls_scene_fill(&s.server);
	send_updates(&s.client, SSL_KEY_UPDATE_REQUESTED, 1);
	ck_assert_int_eq(tls_scene_take(&s.server, ""), TLS_OPEN);
	ck_assert_uint_eq(s.server.updates_sent, 0);
	while (!tls_flush(&s.server))
		got += tls_scene_take_some(&s.client);
	ck_assert_uint_eq(s.server.updates_sent, 1);
	while (got < given)
		got += tls_scene_take_some(&s.client);
	tls_scene_give(&s.server, "behind", 6);
	ck_assert_int_eq(tls_scene_take(&s.client, "behind"), TLS_OPEN);
	tls_scene_clear(&s);
}
END_TEST

/* It never reads; OpenSSL keeps an answer for each request but the last.  Not one byte
 * more is read from it until they have left, and bytes of a program wait in front. */
START_TEST(requests_behind_kept_bytes_do_not_fill_our_memory)
{
	static char space[65536];
	struct tls_scene s;
	size_t kept;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	tls_scene_fill(&s.server);
	kept = buf_length(&s.server.out);
	s.server.opened -= 1e6; /* it may send any number */
	for (int i = 0; i < 40; i++) {
		send_updates(&s.client, SSL_KEY_UPDATE_REQUESTED, 100);
		ck_assert_int_eq(tls_scene_take(&s.server, ""), TLS_OPEN);
	}
	ck_assert(tls_is_choked(&s.server));
	ck_assert_uint_lt(buf_length(&s.server.out) - kept, 2 * 100 * UPDATE_SIZE);
	ck_assert_int_gt(tls_scene_waiting(s.fds[1]), 0);
	while (!tls_flush(&s.server))
		while (recv(s.fds[0], space, sizeof(space), 0) > 0)
			;
	ck_assert(!tls_is_choked(&s.server));
	ck_assert_int_eq(tls_scene_take(&s.server, ""), TLS_OPEN);
	ck_assert_int_eq(tls_scene_waiting(s.fds[1]), -1);
	tls_scene_clear(&s);
}
END_TEST

START_TEST(bytes_of_a_program_that_wait_keep_nothing_from_being_read)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_scene s;

		tls_scene_init(&s, versions[i]);
		tls_scene_meet(&s, NULL);
		tls_scene_fill(&s.server);
		tls_scene_give(&s.client, "word", 4);
		ck_assert_int_eq(tls_scene_take(&s.server, "word"), TLS_OPEN);
		ck_assert(!tls_is_choked(&s.server));
		tls_scene_clear(&s);
	}
}
END_TEST

START_TEST(a_flood_of_tickets_breaks_the_stream)
{
	struct tls_scene s;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	tls_scene_give(&s.server, "last", 4);
	for (int i = 0; i < 400; i++) {
		ck_assert_int_eq(SSL_new_session_ticket(s.server.ssl), 1);
		ck_assert_int_eq(SSL_do_handshake(s.server.ssl), 1);
		tls_flush(&s.server);
	}
	ck_assert_int_eq(tls_scene_take(&s.client, "last"), TLS_BROKEN);
	ck_assert_int_eq(s.client.reason, REASON_CARRIER_LOST);
	ck_assert_ptr_nonnull(strstr(s.client.detail, "tickets"));
	ck_assert_int_lt(s.sessions, 100);
	ck_assert(tls_abort(&s.client));
	ck_assert_int_eq(tls_scene_take(&s.server, ""), TLS_BROKEN);
	ck_assert_int_eq(s.server.reason, REASON_FAR_RESET);
	tls_scene_clear(&s);
}
END_TEST

START_TEST(a_flood_of_requests_for_another_handshake_breaks_the_stream)
{
	struct tls_scene s;

	tls_scene_init(&s, TLS1_2_VERSION);
	tls_scene_meet(&s, NULL);
	tls_scene_give(&s.server, "last", 4);
	SSL_clear_options(s.server.ssl, SSL_OP_NO_RENEGOTIATION);
	for (int i = 0; i < 400; i++) {
		ck_assert_int_eq(SSL_renegotiate(s.server.ssl), 1);
		ck_assert_int_eq(SSL_do_handshake(s.server.ssl), 1);
		tls_flush(&s.server);
	}
	ck_assert_int_eq(tls_scene_take(&s.client, "last"), TLS_BROKEN);
	ck_assert_int_eq(s.client.reason, REASON_CARRIER_LOST);
	ck_assert_ptr_nonnull(strstr(s.client.detail, "another handshake"));
	ck_assert(s.client.messages_came < 100); /* not one more was worked off */
	tls_scene_clear(&s);
}
END_TEST

/* Both a request and its answer; no peer that asks now and then loses anything. */
START_TEST(a_few_requests_for_another_handshake_are_refused_each)
{
	struct tls_scene s;

	tls_scene_init(&s, TLS1_2_VERSION);
	tls_scene_meet(&s, NULL);
	SSL_clear_options(s.server.ssl, SSL_OP_NO_RENEGOTIATION);
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(SSL_renegotiate(s.server.ssl), 1);
		ck_assert_int_eq(SSL_do_handshake(s.server.ssl), 1);
		tls_flush(&s.server);
		ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_OPEN);
	}
	tls_scene_give(&s.client, "word", 4);
	tls_scene_clear(&s);
}
END_TEST

START_TEST(behind_our_close_notify_no_request_is_answered)
{
	struct tls_scene s;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	tls_finish(&s.server);
	ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_FINISHED);
	send_updates(&s.client, SSL_KEY_UPDATE_REQUESTED, 1);
	ck_assert_int_eq(tls_scene_take(&s.server, ""), TLS_OPEN);
	ck_assert_int_eq(tls_scene_waiting(s.fds[0]), -1);
	tls_scene_give(&s.client, "more", 4);
	ck_assert_int_eq(tls_scene_take(&s.server, "more"), TLS_OPEN);
	tls_scene_clear(&s);
}
END_TEST

START_TEST(a_flood_of_key_updates_breaks_the_stream_behind_the_bytes_before_it)
{
	for (int type = SSL_KEY_UPDATE_NOT_REQUESTED; type <= SSL_KEY_UPDATE_REQUESTED;
	     type++) {
		struct tls_scene s;

		tls_scene_init(&s, TLS1_3_VERSION);
		tls_scene_meet(&s, NULL);
		s.client.opened -= 100; /* it bears all of the answers */
		tls_scene_give(&s.client, "last", 4);
		send_updates(&s.client, type, 400);
		ck_assert_int_eq(tls_scene_take(&s.server, "last"), TLS_BROKEN);
		ck_assert_int_eq(s.server.reason, REASON_CARRIER_LOST);
		ck_assert_ptr_nonnull(strstr(s.server.detail, "KeyUpdates"));
		ck_assert(s.server.messages_came < 100); /* not one more was worked off */
		ck_assert(tls_abort(&s.server));
		ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_BROKEN);
		ck_assert_int_eq(s.client.reason, REASON_FAR_RESET);
		tls_scene_clear(&s);
	}
}
END_TEST

/* Their reader was busy elsewhere for an hour. */
START_TEST(heartbeats_that_waited_for_long_are_no_flood)
{
	struct tls_scene s;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	s.server.opened -= 3600;
	for (int i = 0; i < 36; i++) {
		send_updates(&s.client, SSL_KEY_UPDATE_NOT_REQUESTED, 100);
		ck_assert_int_eq(tls_scene_take(&s.server, ""), TLS_OPEN);
	}
	tls_scene_give(&s.client, "word", 4);
	ck_assert_int_eq(tls_scene_take(&s.server, "word"), TLS_OPEN);
	tls_scene_clear(&s);
}
END_TEST

/* As BoringSSL and Go do. */
START_TEST(an_abort_behind_heartbeats_is_told_as_too_many_of_them)
{
	struct tls_scene s;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_OPEN);
	for (int i = 0; i < 17; i++) {
		ck_assert(tls_probe(&s.client));
		ck_assert_int_eq(tls_scene_take(&s.server, ""), TLS_OPEN);
	}
	ERR_raise(ERR_LIB_SSL, SSL_AD_REASON_OFFSET + SSL_AD_UNEXPECTED_MESSAGE);
	tls_blame_openssl(&s.client);
	ck_assert(s.client.overrun);
	ck_assert_int_eq(s.client.reason, REASON_FAR_RESET);
	ck_assert_ptr_nonnull(strstr(s.client.detail, "17 heartbeats"));
	tls_scene_clear(&s);
}
END_TEST

START_TEST(an_abort_behind_data_has_nothing_to_do_with_heartbeats)
{
	struct tls_scene s;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	ck_assert(tls_probe(&s.client));
	ck_assert_int_eq(tls_scene_take(&s.server, ""), TLS_OPEN);
	tls_scene_give(&s.client, "word", 4);
	ERR_raise(ERR_LIB_SSL, SSL_AD_REASON_OFFSET + SSL_AD_UNEXPECTED_MESSAGE);
	tls_blame_openssl(&s.client);
	ck_assert(!s.client.overrun);
	ck_assert_ptr_null(strstr(s.client.detail, "heartbeats"));
	tls_scene_clear(&s);
}
END_TEST

UNIT_MAIN("tls_key_update", a_probe_changes_nothing,
    a_probe_behind_the_peer_s_close_notify_is_sent,
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
    an_abort_behind_data_has_nothing_to_do_with_heartbeats)
