#include "tests/unit/opening_stage.h"
#include "tests/unit/unit.h"

#include <string.h>

/* ---- waiting for a carrier ------------------------------------------------------- */

START_TEST(openings_that_a_new_carrier_has_no_room_for_wait_for_the_next)
{
	static struct stage s;

	stage_init(&s);
	stage_begin(&s);
	s.accepts = true;
	for (int i = 0; i < CALLERS; i++)
		call(&s, i, "");
	EXPECT(&s, count_opened(&s) == CALLERS);
	ck_assert_int_gt(s.listen_sockets[0].came, 1);
	stage_clear(&s);
}
END_TEST

START_TEST(a_program_may_be_gone_when_there_is_a_carrier)
{
	static struct stage s;

	stage_init(&s);
	stage_begin(&s);
	s.accepts = true;
	for (int i = 0; i < CALLERS; i++)
		call(&s, i, "")->gone = i % 2;
	EXPECT(&s, count_opened(&s) == CALLERS / 2);
	stage_clear(&s);
}
END_TEST

/* ---- a limit of time -------------------------------------------------------------- */

/* A far end that takes the question and does not answer it. */
static struct caller *
ask_in_vain(struct stage *s, const char *words, double timeout)
{
	s->bench.client.connect.count = 2;
	s->bench.client.timeout_connect = timeout;
	stage_begin(s);
	call(s, 0, words);
	EXPECT(s, s->asked == 1);
	ck_assert_int_eq(s->visits[0].listen_socket, 0);
	return &s->callers[0];
}

START_TEST(a_silent_program_s_stream_is_tried_elsewhere_when_no_answer_comes)
{
	static struct stage s;
	struct caller *c;

	stage_init(&s);
	c = ask_in_vain(&s, "", 2);
	s.accepts = true;
	EXPECT(&s, c->opened == 1);
	ck_assert_int_eq(s.visits[1].listen_socket, 1);
	stage_clear(&s);
}
END_TEST

START_TEST(
    bytes_that_may_have_reached_an_app_are_not_said_elsewhere_for_lack_of_an_answer)
{
	static struct stage s;
	struct caller *c;

	stage_init(&s);
	c = ask_in_vain(&s, "words", 2);
	EXPECT(&s, c->failed == 1);
	ck_assert_int_eq(c->reason, REASON_OPEN_TIMEOUT);
	ck_assert_int_eq(s.asked, 1);
	ck_assert_int_eq(s.listen_sockets[1].came, 0);
	stage_clear(&s);
}
END_TEST

START_TEST(an_answer_to_bytes_may_take_the_time_of_the_other_targets)
{
	static struct stage s;
	struct caller *c;
	double asked;

	stage_init(&s);
	c = ask_in_vain(&s, "words", 6);
	asked = reactor_now();
	EXPECT(&s, reactor_now() > asked + 3.2); /* more than its share */
	visit_accept(&s.visits[0]);
	EXPECT(&s, c->opened == 1);
	EXPECT(&s, strcmp(s.visits[0].words, "words") == 0);
	stage_clear(&s);
}
END_TEST

/* ---- certainty -------------------------------------------------------------------- */

START_TEST(what_a_far_end_that_goes_away_refuses_is_asked_on_another_carrier)
{
	static struct stage s;
	struct caller *c;

	stage_init(&s);
	stage_begin(&s);
	c = call(&s, 0, "words");
	EXPECT(&s, s.asked == 1);
	h2_carrier_drain(s.listen_sockets[0].carrier);
	stage_turns(&s, 20);
	s.accepts = true;
	visit_end(&s.visits[0]);
	EXPECT(&s, c->opened == 1);
	EXPECT(&s, strcmp(s.visits[1].words, "words") == 0);
	ck_assert_int_eq(s.listen_sockets[0].came, 2);
	stage_clear(&s);
}
END_TEST

/* The first target refuses a program's bytes; the second has its turn. */
static struct caller *
refuse(struct stage *s)
{
	struct caller *c;

	s->bench.client.connect.count = 2;
	s->refuses[0] = REASON_APP_UNREACHABLE;
	stage_begin(s);
	c = call(s, 0, "words");
	EXPECT(s, s->refused == 3);
	return c;
}

START_TEST(refused_bytes_are_said_once_to_a_raw_target)
{
	static struct stage s;
	struct caller *c;

	stage_init(&s);
	s.listen_sockets[1].raw = true;
	c = refuse(&s);
	EXPECT(&s, c->opened == 1);
	EXPECT(&s, s.asked == 1);
	ck_assert_uint_eq(c->fed, 5);
	ck_assert_uint_eq(buf_length(&c->rest), 5);
	ck_assert_mem_eq(buf_bytes(&c->rest), "words", 5);
	stage_clear(&s);
}
END_TEST

START_TEST(refused_bytes_are_not_with_anybody)
{
	static struct stage s;
	struct caller *c;

	stage_init(&s);
	s.listen_sockets[1].mute = true;
	c = refuse(&s);
	EXPECT(&s, s.listen_sockets[1].came == 1);
	ck_assert_uint_eq(stream_open_given(c->opening), 0);
	stage_clear(&s);
}
END_TEST

/* ---- targets that rested ----------------------------------------------------------- */

/* The first target has rested; a stream goes to the second, beside a look at the first.
 */
static void
begin_with_a_look(struct stage *s, bool raw, enum multiplex multiplex)
{
	stage_init(s);
	s->bench.client.connect.count = 2;
	s->bench.client.multiplex = multiplex;
	s->listen_sockets[0].raw = s->listen_sockets[1].raw = raw;
	stage_begin(s);
	s->accepts = true;
	ck_assert_double_gt(target_fail(&s->client->targets[0], reactor_now() - 2), 0);
	call(s, 0, "");
	EXPECT(s, s->callers[0].opened == 1);
	EXPECT(s, s->asked == 1);
	ck_assert_int_eq(s->visits[0].listen_socket, 1);
	EXPECT(s, s->listen_sockets[0].came == 1);
}

START_TEST(a_target_that_lives_again_is_tried_by_the_stream_after_the_look)
{
	static const enum multiplex multiplex[] = {
	    MULTIPLEX_AUTO, MULTIPLEX_AUTO, MULTIPLEX_NO};

	for (int i = 0; i < 3; i++) {
		static struct stage s;
		struct target *target;

		begin_with_a_look(&s, i > 0, multiplex[i]);
		target = &s.client->targets[0];
		EXPECT(&s, target->health == TARGET_ALIVE);
		call(&s, 1, "");
		EXPECT(&s, s.callers[1].opened == 1);
		EXPECT(&s, s.asked == 2); /* and not by the look */
		ck_assert_int_eq(s.visits[1].listen_socket, 0);
		ck_assert_int_eq(target->health, TARGET_WELL);
		stage_clear(&s);
	}
}
END_TEST

START_TEST(a_stream_may_end_before_the_look_that_it_began)
{
	static struct stage s;

	begin_with_a_look(&s, true, MULTIPLEX_NO);
	caller_end(&s.callers[0]);
	EXPECT(&s, s.client->targets[0].health == TARGET_ALIVE);
	stage_clear(&s);
}
END_TEST

START_TEST(a_look_that_fails_lets_the_target_rest_longer)
{
	static struct stage s;
	struct target *target;

	stage_init(&s);
	s.bench.client.connect.count = 2;
	s.bench.client.timeout_connect = 1;
	s.listen_sockets[0].mute = true;
	stage_begin(&s);
	s.accepts = true;
	target = &s.client->targets[0];
	ck_assert_double_gt(target_fail(target, reactor_now() - 2), 0);
	for (int i = 0; i < 10; i++) {
		call(&s, i, "");
		EXPECT(&s, s.callers[i].opened == 1);
	}
	EXPECT(&s, target->health == TARGET_RESTS);
	ck_assert_double_eq(target->rest, 2);
	ck_assert_int_eq(s.listen_sockets[0].came, 1);
	stage_clear(&s);
}
END_TEST

/* ---- what a target speaks -----------------------------------------------------------
 */

START_TEST(a_link_that_was_to_be_raw_and_speaks_h2_serves_as_a_carrier)
{
	static struct stage s;
	struct target *target;

	stage_init(&s);
	stage_begin(&s);
	s.accepts = true;
	target = &s.client->targets[0];
	target_set_raw(target);
	call(&s, 0, "words");
	target->raw_until = 0; /* before TCP is there */
	EXPECT(&s, s.callers[0].opened == 1);
	call(&s, 1, "");
	EXPECT(&s, s.callers[1].opened == 1);
	EXPECT(&s, strcmp(s.visits[0].words, "words") == 0);
	ck_assert_int_eq(s.visits[0].arrival, 1);
	ck_assert_int_eq(s.visits[1].arrival, 1);
	ck_assert_int_eq(s.listen_sockets[0].came, 1);
	stage_clear(&s);
}
END_TEST

UNIT_MAIN("opening", a_link_that_was_to_be_raw_and_speaks_h2_serves_as_a_carrier,
    a_target_that_lives_again_is_tried_by_the_stream_after_the_look,
    a_stream_may_end_before_the_look_that_it_began,
    a_look_that_fails_lets_the_target_rest_longer,
    openings_that_a_new_carrier_has_no_room_for_wait_for_the_next,
    a_program_may_be_gone_when_there_is_a_carrier,
    a_silent_program_s_stream_is_tried_elsewhere_when_no_answer_comes,
    bytes_that_may_have_reached_an_app_are_not_said_elsewhere_for_lack_of_an_answer,
    an_answer_to_bytes_may_take_the_time_of_the_other_targets,
    what_a_far_end_that_goes_away_refuses_is_asked_on_another_carrier,
    refused_bytes_are_said_once_to_a_raw_target, refused_bytes_are_not_with_anybody)
