/*
 * What a peer may send, and what it loses for what it may not.
 */
#include "common/h2/carrier.h"
#include "tests/unit/h2_scene.h"
#include "tests/unit/unit.h"

#include <string.h>

/* ---- a scripted server ----------------------------------------------------------- */

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

UNIT_MAIN("h2_frames", refused_stream_after_the_answer_is_not_believed,
    a_reset_with_no_error_is_no_clean_end, trailers_cut_the_stream_and_no_other,
    garbage_ends_the_carrier, data_before_its_connect_ends_the_carrier,
    what_is_no_connect_never_reaches_the_app, headers_beyond_the_limit_cost_the_stream,
    too_many_headers_beyond_the_limit_end_the_carrier,
    a_reset_in_the_same_breath_never_reaches_the_app, too_many_resets_end_the_carrier,
    too_many_requests_that_are_no_connect_end_the_carrier,
    too_many_pings_settings_or_empty_frames_end_the_carrier,
    many_tiny_pieces_come_whole_and_in_order,
    bytes_beyond_the_window_cost_the_peer_its_stream_or_carrier)
