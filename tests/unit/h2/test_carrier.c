/*
 * Many channels on one carrier, and its end with the worker.
 */
#include "common/h2/carrier.h"
#include "tests/unit/h2_scene.h"
#include "tests/unit/unit.h"

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

UNIT_MAIN("h2_carrier", a_stalled_channel_is_bounded_by_its_window_and_stalls_no_other,
    a_thousand_channels_share_a_carrier,
    no_more_channels_are_opened_than_the_far_end_takes,
    an_owner_may_release_every_channel_inside_a_wake,
    small_frames_of_one_turn_leave_in_one_record, a_worker_may_close_its_carriers_at_once,
    a_worker_may_close_a_carrier_in_the_middle_of_a_request,
    a_worker_waits_for_a_carrier_that_outlives_its_link)
