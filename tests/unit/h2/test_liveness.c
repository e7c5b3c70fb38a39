/*
 * A peer that is silent.
 */
#include "common/h2/carrier.h"
#include "tests/unit/h2_scene.h"
#include "tests/unit/unit.h"

#include <unistd.h>

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

UNIT_MAIN("h2_liveness", a_silent_peer_is_asked_and_then_given_up,
    a_sign_of_life_that_came_while_we_slept_counts)
