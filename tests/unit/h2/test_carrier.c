#include "common/h2/carrier.h"

#include "common/h2/headers.h"
#include "tests/unit/h2_scene.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- opening --------------------------------------------------------------------- */

START_TEST(a_channel_opens_with_the_address_of_the_program)
{
	const struct link_facts *facts;
	struct link_facts space;
	struct scene s;

	scene_init(&s);
	meet(&s);
	open_channel(&s, 0);
	EXPECT(&s, s.far[0].channel != NULL);
	ck_assert_str_eq(s.far[0].forwarded, "[2001:db8::7]:4711");
	ck_assert_int_eq(s.near[0].accepted + s.near[0].refused, 0);
	channel_answer(s.far[0].channel, REASON_NONE, NULL);
	EXPECT(&s, s.near[0].accepted == 1);
	ck_assert_uint_eq(h2_carrier_load(s.client.carrier), 1);
	ck_assert_uint_eq(h2_carrier_load(s.server.carrier), 1);
	facts = channel_facts(s.near[0].channel, &space);
	ck_assert_str_eq(facts->sni, "orders.apps.example");
	ck_assert_str_eq(facts->names, "DNS:orders.apps.example");
	scene_clear(&s);
}
END_TEST

START_TEST(a_refusal_carries_its_words_and_may_be_tried_elsewhere)
{
	struct scene s;

	scene_init(&s);
	meet(&s);
	open_channel(&s, 0);
	give_text(&s.near[0], "early");
	EXPECT(&s, s.far[0].channel != NULL);
	channel_answer(s.far[0].channel, REASON_APP_UNREACHABLE,
	    "connect 127.0.0.1:5432:\r\nConnection refused ");
	endpoint_end(&s.far[0].channel->endpoint, ENDING_RST);
	release(&s.far[0]);
	EXPECT(&s, s.near[0].refused == 1);
	ck_assert_int_eq(s.near[0].reason, REASON_APP_UNREACHABLE);
	ck_assert_str_eq(s.near[0].detail, "connect 127.0.0.1:5432:  Connection refused");
	ck_assert(s.near[0].again);
	release(&s.near[0]);
	turns(&s, 5);
	ck_assert_uint_eq(h2_carrier_load(s.client.carrier), 0);
	ck_assert_int_eq(s.client.ended + s.server.ended, 0);
	scene_clear(&s);
}
END_TEST

START_TEST(a_channel_released_before_its_answer_may_be_tried_elsewhere)
{
	struct scene s;

	scene_init(&s);
	meet(&s);
	open_channel(&s, 0);
	give_text(&s.near[0], "early");
	EXPECT(&s, s.far[0].channel != NULL);
	release(&s.far[0]);
	EXPECT(&s, s.near[0].refused == 1);
	ck_assert_int_eq(s.near[0].reason, REASON_FULL);
	ck_assert(s.near[0].again);
	scene_clear(&s);
}
END_TEST

START_TEST(a_request_given_up_before_the_answer_cuts_the_far_channel)
{
	struct scene s;

	scene_init(&s);
	meet(&s);
	open_channel(&s, 0);
	EXPECT(&s, s.far[0].channel != NULL);
	release(&s.near[0]);
	EXPECT(&s, s.far[0].channel->endpoint.deaf);
	ck_assert_int_eq(s.far[0].channel->endpoint.reason, REASON_FAR_RESET);
	channel_answer(s.far[0].channel, REASON_NONE, NULL);
	scene_clear(&s);
}
END_TEST

START_TEST(early_bytes_are_bounded_and_come_first)
{
	struct scene s;

	scene_init(&s);
	meet(&s);
	open_channel(&s, 0);
	send_pattern(&s.near[0], 300000, true);
	EXPECT(&s, s.far[0].channel != NULL);
	turns(&s, 20);
	ck_assert_uint_eq(s.near[0].sent, 65536);
	accept_channel(&s, 0);
	EXPECT(&s, s.far[0].source == SOURCE_FINISHED);
	ck_assert_uint_eq(s.far[0].got, 300000);
	scene_clear(&s);
}
END_TEST

/* ---- bytes and endings ----------------------------------------------------------- */

START_TEST(many_bytes_pass_both_ways_whole)
{
	struct scene s;

	scene_init(&s);
	meet(&s);
	connect_channel(&s, 0);
	send_pattern(&s.near[0], 3 << 20, true);
	send_pattern(&s.far[0], 2 << 20, true);
	EXPECT(&s,
	    s.far[0].source == SOURCE_FINISHED && s.near[0].source == SOURCE_FINISHED);
	ck_assert_uint_eq(s.far[0].got, 3 << 20);
	ck_assert_uint_eq(s.near[0].got, 2 << 20);
	release(&s.near[0]);
	release(&s.far[0]);
	turns(&s, 3);
	ck_assert_uint_eq(h2_carrier_load(s.client.carrier), 0);
	ck_assert_uint_eq(h2_carrier_load(s.server.carrier), 0);
	scene_clear(&s);
}
END_TEST

START_TEST(bytes_from_elsewhere_than_the_scratch_space_pass_whole)
{
	struct scene s;

	scene_init(&s);
	meet(&s);
	connect_channel(&s, 0);
	s.near[0].elsewhere = s.far[0].elsewhere = true;
	send_pattern(&s.near[0], 1 << 20, true);
	send_pattern(&s.far[0], 100001, true);
	EXPECT(&s,
	    s.far[0].source == SOURCE_FINISHED && s.near[0].source == SOURCE_FINISHED);
	ck_assert_uint_eq(s.far[0].got, 1 << 20);
	ck_assert_uint_eq(s.near[0].got, 100001);
	scene_clear(&s);
}
END_TEST

START_TEST(a_half_closed_channel_goes_on_the_other_way)
{
	for (int client = 0; client < 2; client++) {
		struct owner *a, *b;
		struct scene s;

		scene_init(&s);
		meet(&s);
		connect_channel(&s, 0);
		a = client ? &s.near[0] : &s.far[0];
		b = client ? &s.far[0] : &s.near[0];
		give_text(a, "question");
		endpoint_end(&a->channel->endpoint, ENDING_FIN);
		EXPECT(&s, b->source == SOURCE_FINISHED);
		ck_assert_str_eq(b->text, "question");
		turns(&s, 10);
		give_text(b, "answer");
		EXPECT(&s, a->got == 6);
		ck_assert_int_eq(a->source, SOURCE_OPEN);
		endpoint_end(&b->channel->endpoint, ENDING_FIN);
		EXPECT(&s, a->source == SOURCE_FINISHED);
		ck_assert(!a->channel->endpoint.deaf && !b->channel->endpoint.deaf);
		scene_clear(&s);
	}
}
END_TEST

START_TEST(a_reset_comes_behind_the_bytes)
{
	for (int client = 0; client < 2; client++) {
		struct owner *a, *b;
		struct scene s;

		scene_init(&s);
		meet(&s);
		connect_channel(&s, 0);
		a = client ? &s.near[0] : &s.far[0];
		b = client ? &s.far[0] : &s.near[0];
		give_text(a, "last words");
		endpoint_end(&a->channel->endpoint, ENDING_RST);
		release(a);
		EXPECT(&s, b->source == SOURCE_BROKEN);
		ck_assert_str_eq(b->text, "last words");
		ck_assert(b->channel->endpoint.deaf);
		ck_assert_int_eq(b->channel->endpoint.reason, REASON_FAR_RESET);
		ck_assert_ptr_nonnull(channel_detail(b->channel));
		scene_clear(&s);
	}
}
END_TEST

START_TEST(a_reset_after_a_fin_is_told)
{
	struct scene s;

	scene_init(&s);
	meet(&s);
	connect_channel(&s, 0);
	endpoint_end(&s.near[0].channel->endpoint, ENDING_FIN);
	EXPECT(&s, s.far[0].source == SOURCE_FINISHED);
	endpoint_end(&s.near[0].channel->endpoint, ENDING_RST);
	EXPECT(&s, s.far[0].channel->endpoint.deaf);
	scene_clear(&s);
}
END_TEST

START_TEST(a_fin_behind_a_full_window_is_not_lost)
{
	struct scene s;

	scene_init(&s);
	meet(&s);
	connect_channel(&s, 0);
	s.far[0].stalled = true;
	send_pattern(&s.near[0], 64 * 1024, false);
	EXPECT(&s, s.near[0].sent == 64 * 1024);
	ck_assert_uint_eq(endpoint_room(&s.near[0].channel->endpoint), 0);
	endpoint_end(&s.near[0].channel->endpoint, ENDING_FIN);
	endpoint_end(&s.far[0].channel->endpoint, ENDING_FIN);
	EXPECT(&s, s.near[0].source == SOURCE_FINISHED);
	release(&s.near[0]);
	turns(&s, 10);
	unstall(&s.far[0]);
	EXPECT(&s, s.far[0].source == SOURCE_FINISHED);
	ck_assert_uint_eq(s.far[0].got, 64 * 1024);
	scene_clear(&s);
}
END_TEST

/* ---- neighbours ------------------------------------------------------------------ */

START_TEST(a_stalled_channel_is_bounded_by_its_window_and_stalls_no_other)
{
	struct scene s;

	scene_init(&s);
	meet(&s);
	connect_channel(&s, 0);
	connect_channel(&s, 1);
	s.far[0].stalled = true;
	send_pattern(&s.near[0], 4 << 20, true);
	turns(&s, 50);
	send_pattern(&s.near[1], 4 << 20, true);
	EXPECT(&s, s.far[1].source == SOURCE_FINISHED);
	ck_assert_uint_eq(s.far[1].got, 4 << 20);
	ck_assert_uint_eq(s.near[0].sent, 64 * 1024);
	unstall(&s.far[0]);
	EXPECT(&s, s.far[0].source == SOURCE_FINISHED);
	ck_assert_uint_eq(s.far[0].got, 4 << 20);
	scene_clear(&s);
}
END_TEST

START_TEST(a_thousand_channels_share_a_carrier)
{
	struct scene s;
	int done;

	scene_init(&s);
	meet(&s);
	turns(&s, 10); /* the far end's limit is known then */
	s.auto_accept = true;
	for (int i = 0; i < OWNERS; i++) {
		EXPECT(&s, h2_carrier_has_room(s.client.carrier));
		open_channel(&s, i);
		send_pattern(&s.near[i], 5000, true);
	}
	EXPECT(&s, s.asked == OWNERS);
	for (int i = 0; i < OWNERS; i++)
		send_pattern(&s.far[i], 3000, true);
	do {
		done = 0;
		turns(&s, 1);
		for (int i = 0; i < OWNERS; i++)
			done += s.near[i].source == SOURCE_FINISHED &&
				s.far[i].source == SOURCE_FINISHED;
	} while (done < OWNERS);
	for (int i = 0; i < OWNERS; i++) {
		ck_assert_uint_eq(s.near[i].got, 3000);
		ck_assert_uint_eq(s.far[i].got, 5000);
		release(&s.near[i]);
		release(&s.far[i]);
	}
	scene_clear(&s);
}
END_TEST

START_TEST(no_more_channels_are_opened_than_the_far_end_takes)
{
	struct scene s;

	scene_init(&s);
	meet_client(&s);
	for (int i = 0; i < 100; i++)
		open_channel(&s, i);
	ck_assert(!h2_carrier_has_room(s.client.carrier));
	ck_assert_ptr_null(h2_carrier_open(s.client.carrier, "", NULL, NULL));
	peer_settings(&s);
	EXPECT(&s, h2_carrier_has_room(s.client.carrier));
	scene_clear(&s);
}
END_TEST

START_TEST(an_owner_may_release_every_channel_inside_a_wake)
{
	struct scene s;

	scene_init(&s);
	meet(&s);
	for (int i = 0; i < 5; i++)
		connect_channel(&s, i);
	s.release_all_at_wake = true;
	for (int i = 0; i < 5; i++) {
		give_text(&s.near[i], "some bytes");
		endpoint_end(&s.near[i].channel->endpoint, ENDING_FIN);
	}
	EXPECT(&s, h2_carrier_load(s.server.carrier) == 0);
	EXPECT(&s, s.near[4].source == SOURCE_BROKEN);
	scene_clear(&s);
}
END_TEST

static void
count_record(
    int sent, int version, int type, const void *bytes, size_t n, SSL *ssl, void *count)
{
	(void)sent;
	(void)version;
	(void)bytes;
	(void)n;
	(void)ssl;
	*(int *)count += type == SSL3_RT_HEADER;
}

START_TEST(small_frames_of_one_turn_leave_in_one_record)
{
	int records = 0;
	struct scene s;

	scene_init(&s);
	meet_client(&s);
	peer_settings(&s);
	turns(&s, 5);
	peer_reads(&s);
	SSL_set_msg_callback(s.peer.ssl, count_record);
	SSL_set_msg_callback_arg(s.peer.ssl, &records);
	for (int i = 0; i < 32; i++) {
		open_channel(&s, i);
		give_text(&s.near[i], "a small question");
	}
	EXPECT(&s, (peer_reads(&s), s.seen[FRAME_DATA] == 32));
	ck_assert_int_eq(records, 1);
	scene_clear(&s);
}
END_TEST

/* ---- drain ----------------------------------------------------------------------- */

START_TEST(a_drained_server_lets_its_channels_finish)
{
	struct scene s;

	scene_init(&s);
	meet(&s);
	connect_channel(&s, 0);
	h2_carrier_drain(s.server.carrier);
	EXPECT(&s, s.client.retired == 1);
	ck_assert(!h2_carrier_has_room(s.client.carrier));
	turns(&s, 10);
	send_pattern(&s.near[0], 1 << 20, true);
	send_pattern(&s.far[0], 1 << 20, true);
	EXPECT(&s,
	    s.far[0].source == SOURCE_FINISHED && s.near[0].source == SOURCE_FINISHED);
	ck_assert_int_eq(s.client.ended + s.server.ended, 0);
	release(&s.near[0]);
	release(&s.far[0]);
	EXPECT(&s, s.client.ended == 1 && s.server.ended == 1);
	ck_assert_int_eq(s.client.reason, REASON_FINISHED);
	ck_assert_int_eq(s.server.reason, REASON_FINISHED);
	ck_assert_int_eq(s.client.retired, 1);
	EXPECT(&s, s.client.set.count == 0 && s.server.set.count == 0);
	scene_clear(&s);
}
END_TEST

START_TEST(a_request_that_crosses_the_shutdown_notice_is_served)
{
	struct scene s;

	scene_init(&s);
	meet(&s);
	s.auto_accept = true;
	h2_carrier_drain(s.server.carrier);
	open_channel(&s, 0);
	EXPECT(&s, s.near[0].accepted == 1);
	turns(&s, 10);
	give_text(&s.near[0], "still here");
	EXPECT(&s, s.far[0].got == 10);
	scene_clear(&s);
}
END_TEST

/* Nor one that has said by itself, ahead of that, that it goes. */
START_TEST(a_client_that_leaves_the_notice_unanswered_opens_no_streams_for_ever)
{
	for (int goes = 0; goes < 2; goes++) {
		struct scene s;
		int asked;

		scene_init(&s);
		meet_server(&s);
		s.auto_accept = true;
		peer_settings(&s);
		h2_carrier_set_keepalive(s.server.carrier, 30, 0.05);
		if (goes)
			peer_frame(&s, FRAME_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0", 8);
		peer_connects(&s, 1);
		EXPECT(&s, s.asked == 1);
		h2_carrier_drain(s.server.carrier);
		EXPECT(&s, (peer_reads(&s), s.seen[FRAME_GOAWAY] >= 1));
		usleep(100000);
		peer_connects(&s, 3);
		EXPECT(&s, (peer_reads(&s), s.seen[FRAME_GOAWAY] == 2 - goes));
		asked = s.asked;
		peer_connects(&s, 5);
		turns(&s, 10);
		ck_assert_int_eq(s.asked, asked);
		give_text(&s.far[0], "goes on");
		EXPECT(&s, (peer_reads(&s), s.data == 7));
		scene_clear(&s);
	}
}
END_TEST

START_TEST(a_drained_client_ends_with_its_last_channel)
{
	struct scene s;

	scene_init(&s);
	meet(&s);
	connect_channel(&s, 0);
	h2_carrier_drain(s.client.carrier);
	turns(&s, 10);
	ck_assert_int_eq(s.client.ended + s.client.retired, 0);
	endpoint_end(&s.near[0].channel->endpoint, ENDING_FIN);
	endpoint_end(&s.far[0].channel->endpoint, ENDING_FIN);
	EXPECT(&s,
	    s.near[0].source == SOURCE_FINISHED && s.far[0].source == SOURCE_FINISHED);
	release(&s.near[0]);
	release(&s.far[0]);
	EXPECT(&s, s.client.ended == 1 && s.server.ended == 1);
	EXPECT(&s, s.client.set.count == 0 && s.server.set.count == 0);
	ck_assert_int_eq(s.server.reason, REASON_FINISHED);
	scene_clear(&s);
}
END_TEST

START_TEST(an_empty_carrier_that_is_drained_ends_at_once)
{
	for (int client = 0; client < 2; client++) {
		struct scene s;

		scene_init(&s);
		meet(&s);
		h2_carrier_drain(client ? s.client.carrier : s.server.carrier);
		EXPECT(&s, s.client.ended == 1 && s.server.ended == 1);
		EXPECT(&s, s.client.set.count == 0 && s.server.set.count == 0);
		scene_clear(&s);
	}
}
END_TEST

/* ---- loss ------------------------------------------------------------------------ */

START_TEST(a_lost_carrier_cuts_its_channels_behind_their_bytes)
{
	struct scene s;

	scene_init(&s);
	meet_client(&s);
	peer_settings(&s);
	open_channel(&s, 0);
	open_channel(&s, 1);
	EXPECT(&s, peer_reads(&s) > 0 && s.seen[FRAME_HEADERS] == 2);
	peer_frame(&s, FRAME_HEADERS, END_HEADERS, 1, "\x88", 1);
	peer_frame(&s, FRAME_DATA, 0, 1, "bytes", 5);
	end_peer(&s);
	EXPECT(&s, s.near[0].source == SOURCE_BROKEN);
	ck_assert_int_eq(s.near[0].accepted, 1);
	ck_assert_str_eq(s.near[0].text, "bytes");
	ck_assert_int_eq(s.near[0].channel->endpoint.reason, REASON_CARRIER_LOST);
	EXPECT(&s, s.near[1].refused == 1);
	ck_assert_msg(s.near[1].again, "it was never given a byte");
	ck_assert_int_eq(s.client.retired, 1);
	ck_assert_int_eq(s.client.ended, 0);
	release(&s.near[0]);
	release(&s.near[1]);
	EXPECT(&s, s.client.ended == 1);
	ck_assert_int_eq(s.client.reason, REASON_CARRIER_LOST);
	scene_clear(&s);
}
END_TEST

START_TEST(what_was_given_to_a_lost_carrier_is_not_tried_again)
{
	struct scene s;

	scene_init(&s);
	meet_client(&s);
	peer_settings(&s);
	open_channel(&s, 0);
	give_text(&s.near[0], "transfer 100 to Bob");
	EXPECT(&s, peer_reads(&s) > 0 && s.seen[FRAME_DATA] == 1);
	end_peer(&s);
	EXPECT(&s, s.near[0].refused == 1);
	ck_assert(!s.near[0].again);
	scene_clear(&s);
}
END_TEST

START_TEST(a_silent_peer_is_asked_and_then_given_up)
{
	struct scene s;

	scene_init(&s);
	meet_client(&s);
	peer_settings(&s);
	turns(&s, 5);
	h2_carrier_set_keepalive(s.client.carrier, 0.1, 0.1);
	EXPECT(&s, (peer_reads(&s), s.seen[FRAME_PING] == 1));
	peer_frame(&s, FRAME_PING, ACK, 0, "\0\0\0\0\0\0\0\0", 8);
	EXPECT(&s, (peer_reads(&s), s.seen[FRAME_PING] == 2));
	ck_assert_int_eq(s.client.ended, 0);
	EXPECT(&s, s.client.ended == 1);
	ck_assert_int_eq(s.client.reason, REASON_CARRIER_LOST);
	scene_clear(&s);
}
END_TEST

START_TEST(a_sign_of_life_that_came_while_we_slept_counts)
{
	struct scene s;

	scene_init(&s);
	meet_client(&s);
	peer_settings(&s);
	turns(&s, 5);
	h2_carrier_set_keepalive(s.client.carrier, 0.1, 0.1);
	EXPECT(&s, (peer_reads(&s), s.seen[FRAME_PING] == 1));
	peer_frame(&s, FRAME_PING, ACK, 0, "\0\0\0\0\0\0\0\0", 8);
	usleep(200000);
	EXPECT(&s, (peer_reads(&s), s.seen[FRAME_PING] == 2));
	ck_assert_int_eq(s.client.ended, 0);
	EXPECT(&s, s.client.ended == 1);
	scene_clear(&s);
}
END_TEST

START_TEST(close_notify_under_open_channels_is_a_loss)
{
	struct scene s;

	scene_init(&s);
	meet_client(&s);
	peer_settings(&s);
	open_channel(&s, 0);
	turns(&s, 5);
	peer_frame(&s, FRAME_HEADERS, END_HEADERS, 1, "\x88", 1);
	tls_finish(&s.peer);
	EXPECT(&s, s.near[0].source == SOURCE_BROKEN);
	scene_clear(&s);
}
END_TEST

START_TEST(a_worker_may_close_its_carriers_at_once)
{
	struct scene s;

	scene_init(&s);
	meet(&s);
	connect_channel(&s, 0);
	endpoint_end(&s.near[0].channel->endpoint, ENDING_RST);
	release(&s.near[0]);
	h2_carrier_close(s.client.carrier);
	s.client.carrier = NULL;
	EXPECT(&s, s.far[0].source == SOURCE_BROKEN);
	release(&s.far[0]);
	EXPECT(&s, s.server.ended == 1);
	ck_assert_int_eq(s.client.ended, 0);
	EXPECT(&s, s.client.set.count == 0 && s.server.set.count == 0);
	scene_clear(&s);
}
END_TEST

START_TEST(a_worker_may_close_a_carrier_in_the_middle_of_a_request)
{
	static const char half[] = "\x02\x07"
				   "CONNECT";
	struct scene s;

	scene_init(&s);
	meet_server(&s);
	peer_settings(&s);
	peer_frame(&s, FRAME_HEADERS, 0, 1, half, sizeof(half) - 1);
	EXPECT(&s, h2_carrier_load(s.server.carrier) == 1);
	h2_carrier_close(s.server.carrier);
	s.server.carrier = NULL;
	ck_assert_int_eq(s.asked, 0);
	scene_clear(&s);
}
END_TEST

START_TEST(a_worker_waits_for_a_carrier_that_outlives_its_link)
{
	struct scene s;

	scene_init(&s);
	meet_client(&s);
	peer_settings(&s);
	open_channel(&s, 0);
	turns(&s, 5);
	end_peer(&s);
	EXPECT(&s, LIST_EMPTY(&s.client.set.links));
	ck_assert_int_eq(s.client.ended, 0);
	ck_assert_uint_eq(s.client.set.count, 1);
	release(&s.near[0]);
	EXPECT(&s, s.client.ended == 1);
	ck_assert_uint_eq(s.client.set.count, 0);
	scene_clear(&s);
}
END_TEST

/* ---- a scripted server ----------------------------------------------------------- */

START_TEST(streams_above_the_last_id_of_goaway_may_be_tried_elsewhere)
{
	struct scene s;

	scene_init(&s);
	meet_client(&s);
	peer_settings(&s);
	open_channel(&s, 0);
	open_channel(&s, 1);
	give_text(&s.near[0], "served");
	give_text(&s.near[1], "not served");
	turns(&s, 5);
	peer_frame(&s, FRAME_GOAWAY, 0, 0, "\0\0\0\1\0\0\0\0", 8);
	EXPECT(&s, s.near[1].refused == 1);
	ck_assert(s.near[1].again);
	ck_assert_int_eq(s.client.retired, 1);
	peer_frame(&s, FRAME_HEADERS, END_HEADERS, 1, "\x88", 1);
	EXPECT(&s, s.near[0].accepted == 1);
	scene_clear(&s);
}
END_TEST

START_TEST(a_goaway_with_an_error_is_a_loss)
{
	struct scene s;

	scene_init(&s);
	meet_client(&s);
	peer_settings(&s);
	open_channel(&s, 0);
	give_text(&s.near[0], "given");
	turns(&s, 5);
	peer_frame(&s, FRAME_GOAWAY, 0, 0, "\0\0\0\1\0\0\0\2", 8);
	EXPECT(&s, s.near[0].refused == 1);
	ck_assert(!s.near[0].again);
	scene_clear(&s);
}
END_TEST

START_TEST(refused_stream_after_the_answer_is_not_believed)
{
	struct scene s;

	scene_init(&s);
	meet_client(&s);
	peer_settings(&s);
	open_channel(&s, 0);
	turns(&s, 5);
	peer_frame(&s, FRAME_HEADERS, END_HEADERS, 1, "\x88", 1);
	peer_frame(&s, FRAME_RST_STREAM, 0, 1, "\0\0\0\7", 4);
	EXPECT(&s, s.near[0].source == SOURCE_BROKEN);
	ck_assert_int_eq(s.near[0].accepted, 1);
	ck_assert_int_eq(s.near[0].refused, 0);
	scene_clear(&s);
}
END_TEST

START_TEST(a_reset_with_no_error_is_no_clean_end)
{
	struct scene s;

	scene_init(&s);
	meet_client(&s);
	peer_settings(&s);
	open_channel(&s, 0);
	turns(&s, 5);
	peer_frame(&s, FRAME_HEADERS, END_HEADERS, 1, "\x88", 1);
	peer_frame(&s, FRAME_RST_STREAM, 0, 1, "\0\0\0\0", 4);
	EXPECT(&s, s.near[0].source == SOURCE_BROKEN);
	scene_clear(&s);
}
END_TEST

START_TEST(trailers_cut_the_stream_and_no_other)
{
	struct scene s;

	scene_init(&s);
	meet_client(&s);
	peer_settings(&s);
	open_channel(&s, 0);
	open_channel(&s, 1);
	turns(&s, 5);
	peer_frame(&s, FRAME_HEADERS, END_HEADERS, 1, "\x88", 1);
	peer_frame(&s, FRAME_HEADERS, END_HEADERS, 3, "\x88", 1);
	peer_frame(&s, FRAME_HEADERS, END_HEADERS | END_STREAM, 1, "\0\1a\1b", 5);
	EXPECT(&s, s.near[0].source == SOURCE_BROKEN);
	EXPECT(&s, s.near[1].accepted == 1);
	EXPECT(&s, (peer_reads(&s), s.seen[FRAME_RST_STREAM] == 1));
	scene_clear(&s);
}
END_TEST

/* ---- a scripted client ----------------------------------------------------------- */

START_TEST(garbage_ends_the_carrier)
{
	struct scene s;

	scene_init(&s);
	meet_server(&s);
	peer_gives(&s, "GET / HTTP/1.1\r\nHost: orders\r\n\r\n", 32);
	EXPECT(&s, s.server.ended == 1);
	ck_assert_int_eq(s.server.reason, REASON_CARRIER_LOST);
	scene_clear(&s);
}
END_TEST

START_TEST(data_before_its_connect_ends_the_carrier)
{
	struct scene s;

	scene_init(&s);
	meet_server(&s);
	peer_settings(&s);
	peer_frame(&s, FRAME_DATA, 0, 1, "bytes", 5);
	EXPECT(&s, s.server.ended == 1);
	ck_assert_int_eq(s.asked, 0);
	scene_clear(&s);
}
END_TEST

START_TEST(what_is_no_connect_never_reaches_the_app)
{
	/* GET with scheme and path; CONNECT with a path; CONNECT without an authority */
	static const char get[] = "\x82\x86\x84\x41\x01"
				  "a";
	static const char path[] = "\x02\x07"
				   "CONNECT\x41\x01"
				   "a\x84";
	static const char nowhere[] = "\x02\x07"
				      "CONNECT";
	struct scene s;

	scene_init(&s);
	meet_server(&s);
	peer_settings(&s);
	peer_frame(&s, FRAME_HEADERS, END_HEADERS, 1, get, sizeof(get) - 1);
	peer_frame(&s, FRAME_DATA, END_STREAM, 1, "body", 4);
	peer_frame(&s, FRAME_HEADERS, END_HEADERS, 3, path, sizeof(path) - 1);
	peer_frame(&s, FRAME_HEADERS, END_HEADERS, 5, nowhere, sizeof(nowhere) - 1);
	EXPECT(
	    &s, (peer_reads(&s), s.seen[FRAME_HEADERS] + s.seen[FRAME_RST_STREAM] >= 3));
	turns(&s, 5);
	ck_assert_int_eq(s.asked, 0);
	ck_assert_int_eq(s.server.ended, 0);
	ck_assert_uint_eq(h2_carrier_load(s.server.carrier), 0);
	peer_connects(&s, 7);
	EXPECT(&s, s.asked == 1);
	scene_clear(&s);
}
END_TEST

START_TEST(headers_beyond_the_limit_cost_the_stream)
{
	char block[200 * 60];
	size_t n = 0;
	struct scene s;

	scene_init(&s);
	meet_server(&s);
	peer_settings(&s);
	n += peer_block(block + n, ":method", "CONNECT");
	n += peer_block(block + n, ":authority", "orders");
	for (int i = 0; i < 150; i++)
		n += peer_block(
		    block + n, "x-a", "1234567890123456789012345678901234567890");
	ck_assert_uint_lt(n, sizeof(block));
	peer_frame(&s, FRAME_HEADERS, END_HEADERS, 1, block, n);
	EXPECT(&s, (peer_reads(&s), s.seen[FRAME_RST_STREAM] == 1));
	ck_assert_int_eq(s.asked, 0);
	ck_assert_int_eq(s.server.ended, 0);
	scene_clear(&s);
}
END_TEST

START_TEST(too_many_headers_beyond_the_limit_end_the_carrier)
{
	char block[16384] = "\x02\x07"
			    "CONNECT\x41\x01"
			    "a\x40\x01x\x7f\x91\x02";
	size_t n = 18 + 400; /* a header of 400 bytes, then named again and again */
	struct scene s;

	memset(block + 18, 'y', 400);
	memset(block + n, 0xbe, sizeof(block) - n);
	scene_init(&s);
	meet_server(&s);
	peer_settings(&s);
	for (int32_t id = 1; id < 240 && s.server.ended == 0; id += 2) {
		peer_frame(&s, FRAME_HEADERS, END_HEADERS, id, block, sizeof(block));
		turns(&s, 1);
	}
	EXPECT(&s, s.server.ended == 1);
	ck_assert_int_eq(s.asked, 0);
	scene_clear(&s);
}
END_TEST

START_TEST(a_reset_in_the_same_breath_never_reaches_the_app)
{
	struct scene s;

	scene_init(&s);
	meet_server(&s);
	peer_settings(&s);
	turns(&s, 5);
	s.batching = true;
	for (int32_t id = 1; id < 201; id += 2) {
		peer_connects(&s, id);
		peer_frame(&s, FRAME_RST_STREAM, 0, id, "\0\0\0\10", 4);
	}
	peer_sends(&s);
	turns(&s, 10);
	ck_assert_int_eq(s.asked, 0);
	ck_assert_int_eq(s.server.ended, 0);
	scene_clear(&s);
}
END_TEST

START_TEST(too_many_resets_end_the_carrier)
{
	struct scene s;

	scene_init(&s);
	meet_server(&s);
	peer_settings(&s);
	s.batching = true;
	for (int32_t id = 1; s.server.ended == 0 && id < 60000; id += 2) {
		peer_connects(&s, id);
		peer_frame(&s, FRAME_RST_STREAM, 0, id, "\0\0\0\10", 4);
		if (id % 1001 == 0) {
			peer_sends(&s);
			turns(&s, 1);
		}
	}
	EXPECT(&s, s.server.ended == 1);
	scene_clear(&s);
}
END_TEST

START_TEST(too_many_requests_that_are_no_connect_end_the_carrier)
{
	static const char get[] = "\x82\x86\x84\x41\x01"
				  "a";
	struct scene s;

	scene_init(&s);
	meet_server(&s);
	peer_settings(&s);
	s.batching = true;
	for (int32_t id = 1; id < 4000; id += 2)
		peer_frame(&s, FRAME_HEADERS, END_HEADERS | END_STREAM, id, get,
		    sizeof(get) - 1);
	peer_sends(&s);
	EXPECT(&s, s.server.ended == 1);
	ck_assert_int_eq(s.asked, 0);
	scene_clear(&s);
}
END_TEST

START_TEST(too_many_pings_settings_or_empty_frames_end_the_carrier)
{
	static const char *const words[] = {"too many PING", "too many SETTINGS",
	    "too many empty DATA", "too many PRIORITY"};

	for (int kind = 0; kind < 4; kind++) {
		struct scene s;

		scene_init(&s);
		meet_server(&s);
		peer_settings(&s);
		peer_connects(&s, 1);
		turns(&s, 5);
		s.batching = true;
		for (int i = 0; i < 3000; i++) {
			if (kind == 0)
				peer_frame(&s, FRAME_PING, 0, 0, "\0\0\0\0\0\0\0\0", 8);
			else if (kind == 1)
				peer_frame(&s, FRAME_SETTINGS, 0, 0, "", 0);
			else if (kind == 2)
				peer_frame(&s, FRAME_DATA, 0, 1, "", 0);
			else
				peer_frame(&s, FRAME_PRIORITY, 0, 1, "\0\0\0\0\1", 5);
		}
		peer_sends(&s);
		EXPECT(&s, s.far[0].channel->endpoint.deaf);
		ck_assert_str_eq(channel_detail(s.far[0].channel), words[kind]);
		release(&s.far[0]);
		EXPECT(&s, s.server.ended == 1);
		scene_clear(&s);
	}
}
END_TEST

START_TEST(many_tiny_pieces_come_whole_and_in_order)
{
	char byte;
	struct scene s;

	scene_init(&s);
	meet_server(&s);
	peer_settings(&s);
	s.auto_accept = true;
	peer_connects(&s, 1);
	EXPECT(&s, s.far[0].channel != NULL);
	s.batching = s.far[0].patterned = true;
	for (size_t i = 0; i < 20000; i++) {
		byte = (char)pattern(i);
		peer_frame(&s, FRAME_DATA, i == 19999 ? END_STREAM : 0, 1, &byte, 1);
	}
	peer_sends(&s);
	EXPECT(&s, s.far[0].source == SOURCE_FINISHED);
	ck_assert_uint_eq(s.far[0].got, 20000);
	scene_clear(&s);
}
END_TEST

START_TEST(bytes_beyond_the_window_cost_the_peer_its_stream_or_carrier)
{
	static char bytes[16384];
	struct scene s;

	scene_init(&s);
	meet_server(&s);
	peer_settings(&s);
	peer_connects(&s, 1);
	turns(&s, 5);
	for (int i = 0; i < 17; i++) {
		peer_frame(&s, FRAME_DATA, 0, 1, bytes, sizeof(bytes));
		turns(&s, 1);
	}
	EXPECT(&s, s.far[0].channel->endpoint.deaf);
	scene_clear(&s);
}
END_TEST

/* ---- text in HEADERS ------------------------------------------------------------- */

START_TEST(a_forwarded_address_is_read_as_rfc_7239_has_it)
{
	static const struct {
		const char *value, *address;
	} rows[] = {
	    {"for=192.0.2.43", "192.0.2.43"},
	    {"for=\"192.0.2.43:4711\"", "192.0.2.43:4711"},
	    {"For=\"[2001:db8:cafe::17]:4711\"", "[2001:db8:cafe::17]:4711"},
	    {"by=x;for=192.0.2.60;proto=http", "192.0.2.60"},
	    {"by=\";for=evil\"; for=good", "good"},
	    {"for=first, for=second", "first"},
	    {"for=\"a\\\"b\"", "a\"b"},
	    {"by=first, for=second", ""},
	    {"xfor=no", ""},
	    {"for=", ""},
	    {"for=\"", ""},
	    {"\\", ""},
	    {"", ""},
	};
	char out[HEADERS_H2_FORWARDED_SIZE], again[HEADERS_H2_FORWARDED_SIZE];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		h2_headers_read_forwarded(out, rows[i].value, strlen(rows[i].value));
		ck_assert_msg(
		    strcmp(out, rows[i].address) == 0, "%s: %s", rows[i].value, out);
	}
	h2_headers_write_forwarded(out, "@a \"socket\"\n\\");
	h2_headers_read_forwarded(again, out, strlen(out));
	ck_assert_str_eq(again, "@a \"socket\"\\");
}
END_TEST

START_TEST(a_refusal_s_text_is_made_safe_and_understood)
{
	char out[HEADERS_H2_ERROR_SIZE], longest[400];
	const char *detail;

	h2_headers_write_error(out, REASON_FULL, " \x01\x7f\t\r\n ");
	ck_assert_str_eq(out, "full:");
	ck_assert_int_eq(h2_headers_read_error(503, out, &detail), REASON_FULL);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	h2_headers_write_error(out, REASON_APP_UNREACHABLE, longest);
	ck_assert_uint_eq(strlen(out), 200);
	h2_headers_write_error(out, REASON_APP_UNREACHABLE, NULL);
	ck_assert_int_eq(
	    h2_headers_read_error(502, out, &detail), REASON_APP_UNREACHABLE);
	ck_assert_ptr_null(detail);
	ck_assert_int_eq(h2_headers_read_error(504, NULL, &detail), REASON_OPEN_TIMEOUT);
	ck_assert_int_eq(
	    h2_headers_read_error(502, "none: ha", &detail), REASON_APP_UNREACHABLE);
	ck_assert_str_eq(detail, "none: ha");
}
END_TEST

UNIT_MAIN("carrier_h2", a_channel_opens_with_the_address_of_the_program,
    a_refusal_carries_its_words_and_may_be_tried_elsewhere,
    a_channel_released_before_its_answer_may_be_tried_elsewhere,
    a_request_given_up_before_the_answer_cuts_the_far_channel,
    early_bytes_are_bounded_and_come_first, many_bytes_pass_both_ways_whole,
    bytes_from_elsewhere_than_the_scratch_space_pass_whole,
    a_half_closed_channel_goes_on_the_other_way, a_reset_comes_behind_the_bytes,
    a_reset_after_a_fin_is_told, a_fin_behind_a_full_window_is_not_lost,
    a_stalled_channel_is_bounded_by_its_window_and_stalls_no_other,
    a_thousand_channels_share_a_carrier,
    no_more_channels_are_opened_than_the_far_end_takes,
    an_owner_may_release_every_channel_inside_a_wake,
    small_frames_of_one_turn_leave_in_one_record,
    a_drained_server_lets_its_channels_finish,
    a_request_that_crosses_the_shutdown_notice_is_served,
    a_client_that_leaves_the_notice_unanswered_opens_no_streams_for_ever,
    a_drained_client_ends_with_its_last_channel,
    an_empty_carrier_that_is_drained_ends_at_once,
    a_lost_carrier_cuts_its_channels_behind_their_bytes,
    what_was_given_to_a_lost_carrier_is_not_tried_again,
    a_silent_peer_is_asked_and_then_given_up,
    a_sign_of_life_that_came_while_we_slept_counts,
    close_notify_under_open_channels_is_a_loss, a_worker_may_close_its_carriers_at_once,
    a_worker_may_close_a_carrier_in_the_middle_of_a_request,
    a_worker_waits_for_a_carrier_that_outlives_its_link,
    streams_above_the_last_id_of_goaway_may_be_tried_elsewhere,
    a_goaway_with_an_error_is_a_loss, refused_stream_after_the_answer_is_not_believed,
    a_reset_with_no_error_is_no_clean_end, trailers_cut_the_stream_and_no_other,
    garbage_ends_the_carrier, data_before_its_connect_ends_the_carrier,
    what_is_no_connect_never_reaches_the_app, headers_beyond_the_limit_cost_the_stream,
    too_many_headers_beyond_the_limit_end_the_carrier,
    a_reset_in_the_same_breath_never_reaches_the_app, too_many_resets_end_the_carrier,
    too_many_requests_that_are_no_connect_end_the_carrier,
    too_many_pings_settings_or_empty_frames_end_the_carrier,
    many_tiny_pieces_come_whole_and_in_order,
    bytes_beyond_the_window_cost_the_peer_its_stream_or_carrier,
    a_forwarded_address_is_read_as_rfc_7239_has_it,
    a_refusal_s_text_is_made_safe_and_understood)
