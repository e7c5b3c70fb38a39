#include "common/base/err.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

START_TEST(setting_a_text_returns_false)
{
	struct err e = {.text = ""};

	ck_assert(!err_set(&e, "line %d", 12));
	ck_assert_str_eq(e.text, "line 12");
}
END_TEST

START_TEST(a_text_replaces_the_one_before)
{
	struct err e = {.text = ""};

	err_set(&e, "a long text that stood here before");
	err_set(&e, "short");
	ck_assert_str_eq(e.text, "short");
}
END_TEST

START_TEST(a_prefix_stands_before_the_text_with_a_colon)
{
	struct err e = {.text = ""};

	err_set(&e, "Connection refused");
	ck_assert(!err_prefix(&e, "connect %s", "127.0.0.1:80"));
	ck_assert_str_eq(e.text, "connect 127.0.0.1:80: Connection refused");
}
END_TEST

START_TEST(an_error_number_is_told_in_words)
{
	struct err e = {.text = ""};

	ck_assert(!err_errno(&e, ENOENT, "open %s", "/x"));
	ck_assert_str_eq(e.text, "open /x: No such file or directory");
}
END_TEST

START_TEST(a_text_too_long_is_cut_and_ends_in_nul)
{
	struct err e = {.text = ""};
	char huge[2 * sizeof(e.text)];

	memset(huge, 'x', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	err_set(&e, "%s", huge);
	ck_assert_uint_eq(strlen(e.text), sizeof(e.text) - 1);
	err_prefix(&e, "%s", huge);
	ck_assert_uint_eq(strlen(e.text), sizeof(e.text) - 1);
	err_errno(&e, EPERM, "%s", huge);
	ck_assert_uint_eq(strlen(e.text), sizeof(e.text) - 1);
}
END_TEST

UNIT_MAIN("err", setting_a_text_returns_false, a_text_replaces_the_one_before,
    a_prefix_stands_before_the_text_with_a_colon, an_error_number_is_told_in_words,
    a_text_too_long_is_cut_and_ends_in_nul)
