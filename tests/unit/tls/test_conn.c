#include "tests/unit/tls_scene.h"
#include "tests/unit/unit.h"

#include <fcntl.h>

enum {
	MUCH = 1024 * 1024,
};

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* ---- bytes ---------------------------------------------------------------------- */

START_TEST(two_ends_meet_and_talk)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_scene s;

		tls_scene_init(&s, versions[i]);
		tls_scene_meet(&s, NULL);
		ck_assert_int_eq(SSL_version(s.client.ssl), versions[i]);
		tls_scene_give(&s.client, "question", 8);
		ck_assert_int_eq(tls_scene_take(&s.server, "question"), TLS_OPEN);
		tls_scene_give(&s.server, "answer", 6);
		ck_assert_int_eq(tls_scene_take(&s.client, "answer"), TLS_OPEN);
		ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_OPEN);
		ck_assert(s.client.dry && s.server.read_bytes && !s.client.eof);
		ck_assert_ptr_null(s.client.in.memory);
		ck_assert_ptr_null(s.client.out.memory);
		ck_assert_int_eq(s.client.reason, REASON_NONE);
		tls_scene_clear(&s);
	}
}
END_TEST

START_TEST(a_batch_has_several_parts)
{
	struct tls_scene s;
	struct batch batch = {0};

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	batch_add(&batch, "one ", 4);
	batch_add(&batch, "two", 3);
	ck_assert(tls_give(&s.client, &batch));
	ck_assert_int_eq(tls_scene_take(&s.server, "one two"), TLS_OPEN);
	tls_scene_clear(&s);
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

			tls_scene_give(from, much + given, n);
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
		struct tls_scene s;

		tls_scene_init(&s, versions[i]);
		tls_scene_meet(&s, NULL);
		carry_much(&s.client, &s.server, much);
		carry_much(&s.server, &s.client, much);
		tls_scene_clear(&s);
	}
	free(much);
}
END_TEST

START_TEST(what_a_full_socket_does_not_take_is_kept_and_sent_later)
{
	struct tls_scene s;
	size_t given, got = 0;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	given = tls_scene_fill(&s.client);
	ck_assert(!tls_flush(&s.client));
	for (int turn = 0; got < given && turn < 1000; turn++) {
		got += tls_scene_take_some(&s.server);
		tls_flush(&s.client);
	}
	ck_assert_uint_eq(got, given);
	ck_assert(tls_flush(&s.client));
	ck_assert_uint_gt(tls_room(&s.client), 0);
	ck_assert_ptr_null(s.client.out.memory);
	tls_scene_clear(&s);
}
END_TEST

START_TEST(bytes_right_behind_the_handshake_are_not_lost)
{
	struct tls_scene s;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_open(&s, NULL);
	tls_handshake(&s.client);
	tls_handshake(&s.server);
	ck_assert_int_eq(tls_handshake(&s.client), TLS_OPEN);
	tls_scene_give(&s.client, "early", 5);
	tls_finish(&s.client);
	ck_assert_int_eq(tls_handshake(&s.server), TLS_OPEN);
	ck_assert_int_eq(tls_scene_take(&s.server, "early"), TLS_FINISHED);
	ck_assert_ptr_null(s.server.in.memory);
	tls_scene_clear(&s);
}
END_TEST

START_TEST(a_record_that_came_in_part_waits_for_its_rest)
{
	struct tls_scene s;
	char record[256];
	ssize_t n;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	tls_scene_give(&s.client, "question", 8);
	n = recv(s.fds[1], record, sizeof(record), 0);
	ck_assert_int_gt(n, 10);
	for (ssize_t i = 0; i < n - 1; i++) {
		ck_assert_int_eq(send(s.fds[0], record + i, 1, 0), 1);
		ck_assert_int_eq(tls_scene_take(&s.server, ""), TLS_OPEN);
	}
	ck_assert_int_eq(send(s.fds[0], record + n - 1, 1, 0), 1);
	ck_assert_int_eq(tls_scene_take(&s.server, "question"), TLS_OPEN);
	tls_scene_clear(&s);
}
END_TEST

/* ---- ends ----------------------------------------------------------------------- */

/* In the handshake it is not encrypted: anybody on the way can write it. */
START_TEST(close_notify_in_the_middle_of_the_handshake_is_no_end_in_good_order)
{
	static const char close_notify[] = {0x15, 3, 3, 0, 2, 1, 0};

	for (int to = 0; to < 2; to++) {
		struct tls_scene s;
		struct tls *victim;

		tls_scene_init(&s, TLS1_3_VERSION);
		tls_scene_open(&s, NULL);
		victim = to == 0 ? &s.client : &s.server;
		tls_handshake(&s.client);
		ck_assert_int_eq(
		    send(s.fds[1 - to], close_notify, sizeof(close_notify), MSG_NOSIGNAL),
		    sizeof(close_notify));
		ck_assert_int_eq(tls_handshake(victim), TLS_BROKEN);
		tls_scene_expect(victim, REASON_TLS_FAILED, "close_notify");
		tls_scene_clear(&s);
	}
}
END_TEST

START_TEST(close_notify_is_a_half_close)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_scene s;

		tls_scene_init(&s, versions[i]);
		tls_scene_meet(&s, NULL);
		tls_scene_give(&s.client, "last", 4);
		tls_finish(&s.client);
		tls_finish(&s.client);
		ck_assert(s.client.finished && !s.client.answered);
		ck_assert_int_eq(tls_scene_take(&s.server, "last"), TLS_FINISHED);
		ck_assert(!s.server.eof && !s.server.deaf);
		ck_assert_int_eq(tls_scene_take(&s.server, ""), TLS_FINISHED);
		tls_scene_give(&s.server, "answer", 6);
		ck_assert_int_eq(tls_scene_take(&s.client, "answer"), TLS_OPEN);
		tls_scene_give(&s.server, "more", 4);
		tls_finish(&s.server);
		ck_assert(s.server.answered);
		ck_assert_int_eq(tls_scene_take(&s.client, "more"), TLS_FINISHED);
		ck_assert(!s.client.aborted && !s.server.aborted);
		tls_scene_clear(&s);
	}
}
END_TEST

START_TEST(nothing_behind_close_notify_is_taken)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_scene s;

		tls_scene_init(&s, versions[i]);
		tls_scene_meet(&s, NULL);
		tls_scene_give(&s.client, "last", 4);
		tls_finish(&s.client);
		ck_assert_int_eq(send(s.fds[0], "junk", 4, 0), 4);
		ck_assert_int_eq(tls_scene_take(&s.server, "last"), TLS_FINISHED);
		ck_assert_int_eq(send(s.fds[0], "more junk", 9, 0), 9);
		ck_assert_int_eq(tls_scene_take(&s.server, ""), TLS_FINISHED);
		ck_assert_ptr_null(s.server.in.memory);
		ck_assert(!tls_discard(&s.server));
		shutdown(s.fds[0], SHUT_WR);
		ck_assert(tls_discard(&s.server));
		ck_assert(s.server.eof);
		tls_scene_give(&s.server, "answer", 6);
		ck_assert_int_eq(tls_scene_take(&s.client, "answer"), TLS_OPEN);
		tls_scene_clear(&s);
	}
}
END_TEST

START_TEST(an_abort_is_an_alert_behind_the_bytes_and_never_a_clean_end)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_scene s;

		tls_scene_init(&s, versions[i]);
		tls_scene_meet(&s, NULL);
		tls_scene_give(&s.client, "last", 4);
		ck_assert(tls_abort(&s.client));
		ck_assert(tls_abort(&s.client));
		ck_assert(s.client.aborted);
		tls_finish(&s.client);
		ck_assert(!s.client.finished);
		ck_assert_int_eq(tls_scene_take(&s.server, "last"), TLS_BROKEN);
		tls_scene_expect(&s.server, REASON_FAR_RESET, "cut the stream");
		ck_assert(s.server.alerted && !s.server.eof);
		ck_assert_int_eq(tls_scene_take(&s.server, ""), TLS_BROKEN);
		ck_assert_int_eq(SSL_get_shutdown(s.client.ssl) & SSL_SENT_SHUTDOWN, 0);
		tls_scene_clear(&s);
	}
}
END_TEST

START_TEST(an_abort_works_when_the_peer_has_finished)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_scene s;

		tls_scene_init(&s, versions[i]);
		tls_scene_meet(&s, NULL);
		tls_finish(&s.server);
		ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_FINISHED);
		tls_scene_give(&s.client, "last", 4);
		ck_assert(tls_abort(&s.client));
		ck_assert_int_eq(tls_scene_take(&s.server, "last"), TLS_BROKEN);
		ck_assert_int_eq(s.server.reason, REASON_FAR_RESET);
		tls_scene_clear(&s);
	}
}
END_TEST

START_TEST(an_abort_works_in_the_middle_of_a_record)
{
	struct tls_scene s;
	char record[256];
	ssize_t n;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	tls_scene_give(&s.server, "answer", 6);
	n = recv(s.fds[0], record, sizeof(record), 0);
	/* A session ticket is in front. */
	ck_assert_int_eq(send(s.fds[1], record, (size_t)n - 3, 0), n - 3);
	ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_OPEN);
	ck_assert(tls_abort(&s.client));
	ck_assert_int_eq(tls_scene_take(&s.server, ""), TLS_BROKEN);
	ck_assert_int_eq(s.server.reason, REASON_FAR_RESET);
	tls_scene_clear(&s);
}
END_TEST

START_TEST(an_abort_waits_its_turn_behind_kept_bytes)
{
	static const char zeros[REACTOR_BATCH];
	struct tls_scene s;
	struct batch batch;
	size_t given = 0, got = 0;
	enum tls_state state = TLS_OPEN;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	while (tls_room(&s.client) > 0) {
		tls_scene_give(&s.client, zeros, sizeof(zeros));
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
	tls_scene_expect(&s.server, REASON_FAR_RESET, "cut the stream");
	tls_scene_clear(&s);
}
END_TEST

START_TEST(after_close_notify_no_alert_can_be_sent)
{
	struct tls_scene s;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	tls_finish(&s.client);
	ck_assert(!tls_abort(&s.client));
	ck_assert(!s.client.aborted);
	tls_scene_clear(&s);
}
END_TEST

/* The words must not send people to the server's log for nothing. */
START_TEST(an_abort_behind_the_first_bytes_is_not_called_one_before_them)
{
	struct tls_scene s;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	tls_scene_give(&s.server, "answer", 6);
	ck_assert(tls_abort(&s.server));
	ck_assert_int_eq(tls_scene_take(&s.client, "answer"), TLS_BROKEN);
	ck_assert_int_eq(s.client.reason, REASON_FAR_RESET);
	ck_assert_msg(strstr(s.client.detail, "before its first byte") == NULL, "%s",
	    s.client.detail);
	tls_scene_clear(&s);
}
END_TEST

START_TEST(a_cut_stream_never_looks_complete)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_scene s;

		tls_scene_init(&s, versions[i]);
		tls_scene_meet(&s, NULL);
		tls_scene_give(&s.client, "last", 4);
		shutdown(s.fds[0], SHUT_WR);
		ck_assert_int_eq(tls_scene_take(&s.server, "last"), TLS_OPEN);
		ck_assert_int_eq(tls_scene_take(&s.server, ""), TLS_BROKEN);
		tls_scene_expect(
		    &s.server, REASON_CARRIER_LOST, "closed without close_notify");
		ck_assert_int_eq(tls_scene_take(&s.server, ""), TLS_BROKEN);
		tls_scene_clear(&s);
	}
}
END_TEST

START_TEST(a_stream_cut_inside_a_record_gives_what_was_whole_before_it)
{
	struct tls_scene s;
	char record[256];
	ssize_t n;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	tls_scene_give(&s.client, "whole", 5);
	tls_scene_give(&s.client, "torn", 4);
	n = recv(s.fds[1], record, sizeof(record), 0);
	ck_assert_int_eq(send(s.fds[0], record, (size_t)n - 1, 0), n - 1);
	shutdown(s.fds[0], SHUT_WR);
	ck_assert_int_eq(tls_scene_take(&s.server, "whole"), TLS_OPEN);
	ck_assert_int_eq(tls_scene_take(&s.server, ""), TLS_BROKEN);
	ck_assert_int_eq(s.server.reason, REASON_CARRIER_LOST);
	tls_scene_clear(&s);
}
END_TEST

START_TEST(a_forged_record_breaks_the_stream_behind_the_bytes_before_it)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_scene s;
		char record[256];
		ssize_t n;

		tls_scene_init(&s, versions[i]);
		tls_scene_meet(&s, NULL);
		tls_scene_give(&s.client, "whole", 5);
		tls_scene_give(&s.client, "forged", 6);
		n = recv(s.fds[1], record, sizeof(record), 0);
		record[n - 1] ^= 1;
		ck_assert_int_eq(send(s.fds[0], record, (size_t)n, 0), n);
		ck_assert_int_eq(tls_scene_take(&s.server, "whole"), TLS_BROKEN);
		tls_scene_expect(&s.server, REASON_CARRIER_LOST, "TLS: ");
		ck_assert(tls_abort(&s.server)); /* it has written an alert */
		ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_BROKEN);
		ck_assert(s.client.alerted);
		tls_scene_clear(&s);
	}
}
END_TEST

START_TEST(garbage_behind_the_handshake_breaks_the_stream)
{
	struct tls_scene s;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	ck_assert_int_eq(send(s.fds[0], "SSH-2.0-OpenSSH_9\r\n", 19, 0), 19);
	ck_assert_int_eq(tls_scene_take(&s.server, ""), TLS_BROKEN);
	ck_assert_int_eq(s.server.reason, REASON_CARRIER_LOST);
	tls_scene_clear(&s);
}
END_TEST

START_TEST(a_lost_socket_holds_nothing_back)
{
	struct tls_scene s;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_OPEN);
	tls_scene_fill(&s.client);
	close(s.fds[1]); /* with bytes unread: ECONNRESET */
	s.fds[1] = open("/dev/null", O_RDONLY);
	ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_BROKEN);
	ck_assert(s.client.deaf);
	ck_assert(tls_flush(&s.client));
	/* With bytes kept it would wait for a writable socket, which a broken one always
	 * is. */
	ck_assert_msg(buf_length(&s.client.out) == 0, "%zu bytes are kept for nobody",
	    buf_length(&s.client.out));
	tls_scene_clear(&s);
}
END_TEST

START_TEST(a_write_to_a_lost_socket_makes_it_deaf)
{
	struct tls_scene s;
	struct batch batch = {0};

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	shutdown(s.fds[1], SHUT_RDWR);
	batch_add(&batch, "x", 1);
	ck_assert(!tls_give(&s.client, &batch));
	ck_assert(s.client.deaf);
	ck_assert_uint_eq(s.client.scratch_used, 0);
	ck_assert(tls_abort(&s.client));
	tls_finish(&s.client);
	tls_probe(&s.client);
	ck_assert_uint_eq(s.client.scratch_used, 0);
	tls_scene_clear(&s);
}
END_TEST

/* ---- a dead path ----------------------------------------------------------------- */

START_TEST(a_connection_that_timed_out_ends_behind_what_had_arrived)
{
	struct tls_scene s;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	tls_scene_give(&s.client, "last", 4);
	tls_time_out(&s.server, 40);
	ck_assert(s.server.deaf);
	ck_assert_int_eq(tls_scene_take(&s.server, "last"), TLS_OPEN);
	ck_assert_int_eq(tls_scene_take(&s.server, ""), TLS_BROKEN);
	ck_assert_int_eq(s.server.reason, REASON_CARRIER_LOST);
	ck_assert_str_eq(s.server.detail, "no acknowledgement for 40 s");
	tls_scene_clear(&s);
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
	struct tls_scene s;
	struct batch batch = {0};

	if (!count_memory())
		return;
	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	ck_assert_int_eq(in_use, 0);
	/* The client gets a ticket and a greeting at once, and never writes. */
	tls_scene_give(&s.server, "greeting", 8);
	tls_take(&s.client, s.client.reactor->plain, &batch);
	ck_assert_uint_eq(batch.length, 8);
	ck_assert_msg(in_use == 0, "%ld bytes behind a ticket and a greeting", in_use);
	tls_probe(&s.server);
	ck_assert_msg(in_use == 0, "%ld bytes behind a probe", in_use);
	batch = (struct batch){0};
	tls_take(&s.client, s.client.reactor->plain, &batch);
	ck_assert_msg(in_use == 0, "%ld bytes behind a heartbeat", in_use);
	tls_scene_clear(&s);
}
END_TEST

START_TEST(a_probe_leaves_no_buffer_behind)
{
	struct tls_scene s;

	if (!count_memory())
		return;
	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_OPEN);
	ck_assert_int_eq(in_use, 0);
	tls_probe(&s.server);
	ck_assert_msg(in_use == 0, "%ld bytes behind a probe", in_use);
	tls_scene_clear(&s);
}
END_TEST

UNIT_MAIN("tls_conn", an_idle_connection_holds_no_record_buffers,
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
    a_write_to_a_lost_socket_makes_it_deaf,
    a_connection_that_timed_out_ends_behind_what_had_arrived)
