/*
 * What a stream sees: opening, bytes both ways, and endings.
 */
#include "common/h2/carrier.h"
#include "tests/unit/h2_scene.h"
#include "tests/unit/unit.h"

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

UNIT_MAIN("h2_channel", a_channel_opens_with_the_address_of_the_program,
    a_refusal_carries_its_words_and_may_be_tried_elsewhere,
    a_channel_released_before_its_answer_may_be_tried_elsewhere,
    a_request_given_up_before_the_answer_cuts_the_far_channel,
    early_bytes_are_bounded_and_come_first, many_bytes_pass_both_ways_whole,
    bytes_from_elsewhere_than_the_scratch_space_pass_whole,
    a_half_closed_channel_goes_on_the_other_way, a_reset_comes_behind_the_bytes,
    a_reset_after_a_fin_is_told, a_fin_behind_a_full_window_is_not_lost)
