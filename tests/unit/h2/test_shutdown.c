/*
 * How a carrier ends: drained, or lost.
 */
#include "common/h2/carrier.h"
#include "tests/unit/h2_scene.h"
#include "tests/unit/unit.h"

#include <unistd.h>

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

UNIT_MAIN("h2_shutdown", a_drained_server_lets_its_channels_finish,
    a_request_that_crosses_the_shutdown_notice_is_served,
    a_client_that_leaves_the_notice_unanswered_opens_no_streams_for_ever,
    a_drained_client_ends_with_its_last_channel,
    an_empty_carrier_that_is_drained_ends_at_once,
    a_lost_carrier_cuts_its_channels_behind_their_bytes,
    what_was_given_to_a_lost_carrier_is_not_tried_again,
    close_notify_under_open_channels_is_a_loss,
    streams_above_the_last_id_of_goaway_may_be_tried_elsewhere,
    a_goaway_with_an_error_is_a_loss)
