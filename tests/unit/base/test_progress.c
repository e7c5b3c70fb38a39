#include "common/base/progress.h"
#include "tests/unit/unit.h"

START_TEST(a_loop_that_waits_is_never_stuck)
{
	struct progress turn = {0};
	struct progress_seen sight = {0};

	progress_begin(&turn);
	progress_end(&turn);
	for (int i = 0; i < 10 * PROGRESS_LOOKS; i++)
		ck_assert_int_eq(progress_look(&sight, &turn), PROGRESS_SAME);
	ck_assert(!sight.stuck);
}
END_TEST

START_TEST(a_loop_that_turns_each_time_is_not_stuck)
{
	struct progress turn = {0};
	struct progress_seen sight = {0};

	for (int i = 0; i < 10 * PROGRESS_LOOKS; i++) {
		progress_begin(&turn);
		ck_assert_int_eq(progress_look(&sight, &turn), PROGRESS_SAME);
	}
	ck_assert(!sight.stuck);
}
END_TEST

START_TEST(one_turn_that_all_looks_find_is_told_once_and_its_end_too)
{
	struct progress turn = {0};
	struct progress_seen sight = {0};

	progress_begin(&turn);
	progress_note(&turn, "a TLS handshake");
	for (int i = 0; i < PROGRESS_LOOKS; i++)
		ck_assert_int_eq(progress_look(&sight, &turn), PROGRESS_SAME);
	ck_assert_int_eq(progress_look(&sight, &turn), PROGRESS_STUCK);
	ck_assert(sight.stuck);
	ck_assert_str_eq(atomic_load(&turn.what), "a TLS handshake");
	for (int i = 0; i < 3 * PROGRESS_LOOKS; i++)
		ck_assert_int_eq(progress_look(&sight, &turn), PROGRESS_SAME);
	ck_assert(sight.stuck);
	progress_end(&turn);
	ck_assert_int_eq(progress_look(&sight, &turn), PROGRESS_BACK);
	ck_assert(!sight.stuck);
	ck_assert_int_eq(progress_look(&sight, &turn), PROGRESS_SAME);
}
END_TEST

START_TEST(the_next_turn_is_another_one_and_may_take_its_time)
{
	struct progress turn = {0};
	struct progress_seen sight = {0};

	progress_begin(&turn);
	for (int i = 0; i < PROGRESS_LOOKS; i++)
		ck_assert_int_eq(progress_look(&sight, &turn), PROGRESS_SAME);
	progress_end(&turn);
	progress_begin(&turn);
	for (int i = 0; i < PROGRESS_LOOKS; i++)
		ck_assert_int_eq(progress_look(&sight, &turn), PROGRESS_SAME);
	ck_assert_int_eq(progress_look(&sight, &turn), PROGRESS_STUCK);
}
END_TEST

START_TEST(what_was_begun_is_forgotten_with_its_turn)
{
	struct progress turn = {0};

	progress_begin(&turn);
	progress_note(&turn, "a carrier");
	progress_end(&turn);
	progress_begin(&turn);
	ck_assert_str_eq(atomic_load(&turn.what), "a turn of the loop");
}
END_TEST

START_TEST(no_turn_has_the_number_of_waiting)
{
	struct progress turn = {.last = (unsigned long)-1};

	progress_begin(&turn);
	ck_assert_uint_ne(atomic_load(&turn.number), 0);
}
END_TEST

UNIT_MAIN("turn", a_loop_that_waits_is_never_stuck,
    a_loop_that_turns_each_time_is_not_stuck,
    one_turn_that_all_looks_find_is_told_once_and_its_end_too,
    the_next_turn_is_another_one_and_may_take_its_time,
    what_was_begun_is_forgotten_with_its_turn, no_turn_has_the_number_of_waiting)
