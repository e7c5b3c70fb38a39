#include "common/base/reason.h"
#include "tests/unit/unit.h"

#include <string.h>

#define COUNT_ROW(name, word, text) +1
static const enum reason count = (enum reason)(0 REASONS(COUNT_ROW));

START_TEST(every_reason_has_a_word_of_its_own)
{
	for (enum reason a = 0; a < count; a++)
		for (enum reason b = 0; b < a; b++)
			ck_assert_str_ne(reason_word(a), reason_word(b));
}
END_TEST

START_TEST(a_word_needs_no_quotes_in_the_log)
{
	for (enum reason r = 0; r < count; r++) {
		const char *word = reason_word(r);

		ck_assert_uint_gt(strlen(word), 0);
		ck_assert_uint_eq(
		    strspn(word, "abcdefghijklmnopqrstuvwxyz-"), strlen(word));
	}
}
END_TEST

START_TEST(every_reason_is_told_in_a_sentence_without_its_full_stop)
{
	for (enum reason r = 0; r < count; r++) {
		const char *text = reason_text(r);

		ck_assert_uint_gt(strlen(text), strlen("end"));
		ck_assert_int_ne(text[strlen(text) - 1], '.');
	}
}
END_TEST

START_TEST(the_first_reason_is_that_nothing_ended)
{
	ck_assert_int_eq(REASON_NONE, 0);
	ck_assert_str_eq(reason_word(REASON_NONE), "none");
	ck_assert_str_eq(reason_word(REASON_PROGRAM_RESET), "program-reset");
}
END_TEST

UNIT_MAIN("reason", every_reason_has_a_word_of_its_own, a_word_needs_no_quotes_in_the_log,
    every_reason_is_told_in_a_sentence_without_its_full_stop,
    the_first_reason_is_that_nothing_ended)
