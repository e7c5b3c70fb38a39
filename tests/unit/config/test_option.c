#include "common/config/option.h"
#include "tests/unit/memory_file.h"
#include "tests/unit/unit.h"

#include "common/base/log.h"

#include <stdlib.h>
#include <string.h>

enum colour {
	RED = 3,
	BLUE = 5
};

struct place {
	int unused;
	bool flag;
	long number;
	double seconds;
	enum colour colour;
	enum colour shade;
	char *text;
	struct strlist texts;
	struct name_list addresses;
};

static const struct option_word colours[] = {
    {"red", RED},
    {"blue", BLUE},
    {NULL, 0},
};

static const struct option rows[] = {
    {
	.name = "flag",
	.type = OPTION_YES_NO,
	.offset = OPTION_AT(place, flag, bool),
	.fallback = {"yes", "no"},
	.help = "A flag",
    },
    {
	.name = "number",
	.type = OPTION_INTEGER,
	.scope = OPTION_GLOBAL,
	.offset = OPTION_AT(place, number, long),
	.fallback = {"7", "7"},
	.min = 1,
	.max = 1000,
	.help = "A number",
    },
    {
	.name = "seconds",
	.type = OPTION_SECONDS,
	.offset = OPTION_AT(place, seconds, double),
	.min = 0,
	.max = 31536000,
	.help = "A time",
    },
    {
	.name = "atMost",
	.type = OPTION_SECONDS,
	.offset = OPTION_AT(place, seconds, double),
	.min = 1,
	.max = 30,
	.clamped = true,
	.help = "A time of 30 seconds | less",
    },
    {
	.name = "colour",
	.alias = "color",
	.type = OPTION_WORD,
	.offset = OPTION_AT(place, colour, enum colour),
	.also = OPTION_AT(place, shade, enum colour),
	.words = colours,
	.cut_at = '.',
	.help = "A colour, and this sentence goes on for so long that no line of a "
		"terminal could ever hold it",
    },
    {
	.name = "text",
	.type = OPTION_TEXT,
	.roles = OPTION_CLIENT,
	.offset = OPTION_AT(place, text, char *),
	.fallback_help = {"as flag", NULL},
	.help = "Some text",
    },
    {
	.name = "maybe",
	.type = OPTION_TEXT,
	.roles = OPTION_SERVER,
	.offset = OPTION_AT(place, text, char *),
	.may_be_empty = true,
	.syntax = "words",
	.help = "Some text, or none",
    },
    {
	.name = "texts",
	.type = OPTION_TEXTS,
	.offset = OPTION_AT(place, texts, struct strlist),
	.help = "Several texts",
    },
    {
	.name = "addresses",
	.type = OPTION_ADDRESSES,
	.offset = OPTION_AT(place, addresses, struct name_list),
	.any_host = "localhost",
	.help = "Several addresses",
    },
    {
	.name = "past",
	.type = OPTION_NOTHING,
	.words = colours,
	.max = 9,
	.help = "What had a meaning elsewhere",
    },
};

static const struct option_refusal refusals[] = {
    {"exec pty", "is refused: nothing is started"},
    {"engine*", "is refused: no engines"},
    {NULL, NULL},
};

static const struct option_table table = {
    .rows = rows,
    .count = sizeof(rows) / sizeof(rows[0]),
    .refusals = refusals,
};

/* Set an option that exists to a value that is good. */
static void
set(struct place *place, const char *name, const char *value)
{
	struct err e = {.text = ""};
	const struct option *o = option_find(&table, name, &e);

	ck_assert_msg(o != NULL && option_set(o, place, value, &e), "%s", e.text);
}

static void
refuses(const char *name, const char *value, const char *why)
{
	struct place place = {.number = 42, .seconds = 42, .colour = BLUE};
	struct err e = {.text = ""};
	const struct option *o = option_find(&table, name, &e);

	ck_assert_ptr_nonnull(o);
	ck_assert_msg(!option_set(o, &place, value, &e), "%s = %s", name, value);
	ck_assert_str_eq(e.text, why);
	ck_assert_int_eq(place.number, 42);
	ck_assert_double_eq(place.seconds, 42);
	ck_assert_int_eq(place.colour, BLUE);
	ck_assert_ptr_null(place.text);
	ck_assert_uint_eq(place.texts.count + place.addresses.count, 0);
}

static void
clear(struct place *place)
{
	for (size_t i = 0; i < table.count; i++)
		option_clear(&rows[i], place);
}

START_TEST(names_are_found_in_any_case_and_by_their_alias)
{
	struct err e = {.text = ""};

	ck_assert_ptr_eq(option_find(&table, "ATMOST", &e), &rows[3]);
	ck_assert_ptr_eq(option_find(&table, "Color", &e), &rows[4]);
}
END_TEST

static void
finds_nothing(const char *name, const char *why)
{
	struct err e = {.text = ""};

	ck_assert_ptr_null(option_find(&table, name, &e));
	ck_assert_str_eq(e.text, why);
}

START_TEST(an_unknown_name_is_told_the_nearest_one)
{
	finds_nothing("secnods", "there is no such option; the nearest one is seconds");
	finds_nothing("ADDRESS", "there is no such option; the nearest one is addresses");
	finds_nothing("colors", "there is no such option; the nearest one is colour");
	finds_nothing("tex", "there is no such option; the nearest one is text");
	finds_nothing("textFile", "there is no such option; the nearest one is text");
	finds_nothing("addr", "there is no such option; the nearest one is addresses");
}
END_TEST

START_TEST(a_name_that_is_near_none_is_told_where_all_are)
{
	static const char *const names[] = {"t", "ex", "foo", "bats"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		finds_nothing(names[i], "there is no such option; --options lists all");
}
END_TEST

START_TEST(quotes_and_comments_are_no_part_of_a_value)
{
	refuses("flag", "\"yes\"", "a value has no quotes: write it without");
	refuses("number", "'1'", "a value has no quotes: write it without");
	refuses("number", "7777 ; hello",
	    "no comment may stand behind a value: write it on a line of its own");
	refuses("addresses", "db:80\t# hello",
	    "no comment may stand behind a value: write it on a line of its own");
	refuses("addresses", "\"db:80\"", "a value has no quotes: write it without");
}
END_TEST

START_TEST(a_very_long_unknown_name_is_no_harm)
{
	struct err e = {.text = ""};
	char name[4000];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_assert_ptr_null(option_find(&table, name, &e));
	ck_assert_str_ne(e.text, "");
}
END_TEST

START_TEST(a_name_on_the_list_of_refusals_is_refused_with_its_reason)
{
	finds_nothing("pty", "pty is refused: nothing is started");
	finds_nothing("Exec", "Exec is refused: nothing is started");
	finds_nothing("engineCtrl", "engineCtrl is refused: no engines");
	finds_nothing("engine", "engine is refused: no engines");
}
END_TEST

START_TEST(flags_are_yes_or_no_and_nothing_else)
{
	struct place place = {0};

	set(&place, "flag", "YES");
	ck_assert(place.flag);
	set(&place, "flag", "no");
	ck_assert(!place.flag);
	refuses("flag", "true", "flag takes yes, no");
	refuses("flag", "1", "flag takes yes, no");
	refuses("flag", "", "flag takes yes, no");
}
END_TEST

START_TEST(numbers_are_whole_decimal_and_within_their_range)
{
	struct place place = {0};

	set(&place, "number", "1");
	ck_assert_int_eq(place.number, 1);
	set(&place, "number", "0999");
	ck_assert_int_eq(place.number, 999);
	set(&place, "number", "1000");
	ck_assert_int_eq(place.number, 1000);
	refuses("number", "0", "number takes 1 to 1000");
	refuses("number", "1001", "number takes 1 to 1000");
	refuses("number", "99999999999999999999999999", "number takes 1 to 1000");
	refuses("number", "1.5", "number takes 1 to 1000");
	refuses("number", "-1", "number takes 1 to 1000");
	refuses("number", "+1", "number takes 1 to 1000");
	refuses("number", "0x10", "number takes 1 to 1000");
	refuses("number", "1 ", "number takes 1 to 1000");
	refuses("number", "", "number takes 1 to 1000");
}
END_TEST

START_TEST(seconds_may_have_a_fraction)
{
	struct place place = {0};

	set(&place, "seconds", "0.25");
	ck_assert_double_eq(place.seconds, 0.25);
	set(&place, "seconds", "31536000");
	ck_assert_double_eq(place.seconds, 31536000);
	refuses("seconds", "31536000.1", "seconds takes 0 to 31536000 seconds");
	refuses("seconds", "1e3", "seconds takes 0 to 31536000 seconds");
	refuses("seconds", "inf", "seconds takes 0 to 31536000 seconds");
	refuses("seconds", "nan", "seconds takes 0 to 31536000 seconds");
	refuses("seconds", "5s", "seconds takes 0 to 31536000 seconds");
	refuses("seconds", "5.", "seconds takes 0 to 31536000 seconds");
	refuses("seconds", ".5", "seconds takes 0 to 31536000 seconds");
}
END_TEST

START_TEST(a_clamped_number_is_lowered_with_a_warning)
{
	struct memory_file file = memory_file("", 0);
	struct place place = {0};
	struct err e = {.text = ""};

	ck_assert(log_open(file.path, true, &e));
	set(&place, "atMost", "30");
	ck_assert_str_eq(memory_file_text(&file), "");
	set(&place, "atMost", "300");
	ck_assert_double_eq(place.seconds, 30);
	ck_assert_ptr_nonnull(
	    strstr(memory_file_text(&file), "warning event=settings option=atMost "
					    "warning=\"300 is taken as 30, the most\""));
	refuses("atMost", "0", "atMost takes 1 to 30 seconds");
}
END_TEST

START_TEST(a_word_may_be_stored_in_two_places)
{
	struct place place = {0};

	set(&place, "colour", "Blue");
	ck_assert_int_eq(place.colour, BLUE);
	ck_assert_int_eq(place.shade, BLUE);
	refuses("colour", "green", "colour takes red, blue");
	refuses("colour", "", "colour takes red, blue");
}
END_TEST

START_TEST(a_word_that_is_nearly_right_is_told_the_right_one)
{
	refuses("flag", "yess", "flag takes yes, no; the nearest is yes");
	refuses("flag", "n", "flag takes yes, no");
	refuses("colour", "rde", "colour takes red, blue; the nearest is red");
	refuses("colour", "Blu", "colour takes red, blue; the nearest is blue");
	refuses("colour", "purple", "colour takes red, blue");
}
END_TEST

START_TEST(what_has_no_effect_is_judged_all_the_same)
{
	struct place place = {0};
	const struct place before = place;

	set(&place, "past", "Blue");
	set(&place, "past", "9");
	ck_assert_mem_eq(&place, &before, sizeof(place));
	refuses("past", "10", "past takes anything");
	refuses("past", "bleu", "past takes anything");
}
END_TEST

START_TEST(a_misspelt_name_is_near_enough_and_another_word_is_not)
{
	ck_assert_ptr_eq(option_nearest(&table, "secnods"), &rows[2]);
	ck_assert_ptr_eq(option_nearest(&table, "FLAGS"), &rows[0]);
	ck_assert_ptr_null(option_nearest(&table, "something"));
	ck_assert_ptr_null(option_nearest(&table, "pty"));
}
END_TEST

START_TEST(what_stands_before_the_cut_is_ignored)
{
	struct place place = {0};

	set(&place, "colour", "very.dark.red");
	ck_assert_int_eq(place.colour, RED);
}
END_TEST

START_TEST(a_text_replaces_the_one_before_it)
{
	struct place place = {0};

	set(&place, "text", "one ; \"two\"");
	ck_assert_str_eq(place.text, "one ; \"two\"");
	set(&place, "text", "three");
	ck_assert_str_eq(place.text, "three");
	clear(&place);
	ck_assert_ptr_null(place.text);
}
END_TEST

START_TEST(an_empty_text_is_none_where_it_may_be_and_refused_elsewhere)
{
	struct place place = {0};

	set(&place, "maybe", "x");
	set(&place, "maybe", "");
	ck_assert_ptr_null(place.text);
	refuses("text", "", "text needs a value");
	refuses("texts", "", "texts needs a value");
}
END_TEST

START_TEST(repeated_texts_and_addresses_add_up_in_their_order)
{
	struct place place = {0};

	set(&place, "texts", "a");
	set(&place, "texts", "b");
	set(&place, "texts", "a");
	ck_assert_uint_eq(place.texts.count, 3);
	ck_assert_str_eq(place.texts.items[1], "b");
	set(&place, "addresses", "80");
	set(&place, "addresses", "/run/s");
	ck_assert_uint_eq(place.addresses.count, 2);
	ck_assert_str_eq(place.addresses.items[0].host, "localhost");
	ck_assert_str_eq(place.addresses.items[1].path, "/run/s");
	clear(&place);
	ck_assert_ptr_null(place.texts.items);
	ck_assert_ptr_null(place.addresses.items);
	refuses("addresses", "db:0", "a port is a number from 1 to 65535");
}
END_TEST

START_TEST(a_default_goes_by_the_role)
{
	struct place place = {0};
	struct err e = {.text = ""};

	for (size_t i = 0; i < table.count; i++)
		ck_assert(option_set_fallback(&rows[i], &place, ROLE_CLIENT, &e));
	ck_assert(place.flag);
	ck_assert_int_eq(place.number, 7);
	ck_assert_ptr_null(place.text);
	ck_assert(option_set_fallback(&rows[0], &place, ROLE_SERVER, &e));
	ck_assert(!place.flag);
}
END_TEST

START_TEST(a_row_is_for_both_roles_unless_it_says_otherwise)
{
	ck_assert(option_is_for(&rows[0], ROLE_CLIENT));
	ck_assert(option_is_for(&rows[0], ROLE_SERVER));
	ck_assert(option_is_for(&rows[5], ROLE_CLIENT));
	ck_assert(!option_is_for(&rows[5], ROLE_SERVER));
	ck_assert(!option_is_for(&rows[6], ROLE_CLIENT));
}
END_TEST

/* What is printed for this role; for no role, as Markdown. */
static const char *
printed(enum role role, bool markdown)
{
	struct memory_file file = memory_file("", 0);
	FILE *out = fopen(file.path, "w");

	ck_assert_ptr_nonnull(out);
	if (markdown)
		option_print_markdown(&table, out);
	else
		option_print(&table, out, role);
	fclose(out);
	return memory_file_text(&file);
}

START_TEST(the_columns_hold_name_default_values_and_meaning)
{
	const char *text = printed(ROLE_CLIENT, false);

	ck_assert_ptr_nonnull(strstr(text, "\nflag              yes                 "
					   "yes, no               A flag\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nseconds           none                "
					   "0 to 31536000         A time\n"
					   "                                      "
					   "seconds\n"));
	ck_assert_ptr_nonnull(strstr(text, "\ncolour (color)    none "));
	ck_assert_ptr_nonnull(strstr(text, "\ntext              as flag "));
	ck_assert_ptr_null(strstr(text, "maybe"));
	text = printed(ROLE_SERVER, false);
	ck_assert_ptr_nonnull(strstr(text, "\nflag              no "));
	ck_assert_ptr_nonnull(
	    strstr(text, "\nmaybe             none                words"));
	ck_assert_ptr_null(strstr(text, "\ntext "));
}
END_TEST

START_TEST(no_line_is_wider_than_a_terminal_or_ends_in_blanks)
{
	const char *line = printed(ROLE_CLIENT, false);

	for (; *line != '\0'; line += strcspn(line, "\n") + 1) {
		size_t length = strcspn(line, "\n");

		ck_assert_uint_le(length, 110);
		if (length > 0)
			ck_assert_int_ne(line[length - 1], ' ');
	}
}
END_TEST

START_TEST(global_options_stand_first)
{
	const char *text = printed(ROLE_CLIENT, false);
	const char *global = strstr(text, "\nnumber "),
		   *service = strstr(text, "\nflag ");

	ck_assert_ptr_nonnull(global);
	ck_assert_ptr_nonnull(service);
	ck_assert(global < service);
	ck_assert(strstr(text, "\nIn a [section]") > global);
}
END_TEST

START_TEST(the_markdown_has_a_row_for_every_option_of_both_roles)
{
	const char *text = printed(ROLE_CLIENT, true);

	ck_assert_ptr_nonnull(
	    strstr(text, "\n| `flag` | yes, no | yes | no | A flag |\n"));
	ck_assert_ptr_nonnull(
	    strstr(text, "\n| `text` | text | as flag | - | Some text |\n"));
	ck_assert_ptr_nonnull(
	    strstr(text, "\n| `colour`, `color` | red, blue | none | "));
	ck_assert_ptr_nonnull(strstr(text, "30 seconds \\| less |\n"));
}
END_TEST

START_TEST(the_manual_page_has_an_item_for_every_option)
{
	struct memory_file file = memory_file("", 0);
	FILE *out = fopen(file.path, "w");
	const char *text;

	option_print_mdoc(&table, out);
	fclose(out);
	text = memory_file_text(&file);
	ck_assert_ptr_nonnull(strstr(text, ".Ss Before the first section\n"
					   ".Bl -tag -width Ds\n"
					   ".It Ic number Li = Ar \"1 to 1000\"\n"
					   "A number.\nDefault: 7.\n.El\n"));
	ck_assert_ptr_nonnull(
	    strstr(text, "A flag.\nDefault in the client: yes; in the server: no.\n"));
	ck_assert_ptr_nonnull(strstr(text, "Also called\n.Ic color .\n"));
	ck_assert_ptr_nonnull(
	    strstr(text, "For the client alone, by default: as flag.\n"));
	for (; *text != '\0'; text += strcspn(text, "\n") + 1)
		ck_assert(*text == '.' || strcspn(text, "\n") <= 80);
}
END_TEST

START_TEST(text_is_no_macro_in_the_manual_page)
{
	static const struct option row = {
	    .name = "path",
	    .type = OPTION_TEXT,
	    .syntax = "a \"b\\c\"",
	    .help = ".hidden\\files. Another sentence",
	};
	static const struct option_table one = {.rows = &row, .count = 1};
	struct memory_file file = memory_file("", 0);
	FILE *out = fopen(file.path, "w");

	option_print_mdoc(&one, out);
	fclose(out);
	ck_assert_ptr_nonnull(
	    strstr(memory_file_text(&file), ".It Ic path Li = Ar \"a \\(dqb\\ec\\(dq\"\n"
					    "\\&.hidden\\efiles.\nAnother sentence.\n"));
}
END_TEST

START_TEST(one_option_is_told_in_full)
{
	struct memory_file file = memory_file("", 0);
	FILE *out = fopen(file.path, "w");

	option_print_one(&rows[4], out);
	option_print_one(&rows[5], out);
	fclose(out);
	ck_assert_str_eq(memory_file_text(&file),
	    "colour (color) = red, blue\n"
	    "  A colour, and this sentence goes on for so long that no line of a "
	    "terminal\n"
	    "  could ever hold it\n"
	    "Default in the client: none\n"
	    "Default in the server: none\n"
	    "text = text\n"
	    "  Some text\n"
	    "Default in the client: as flag\n"
	    "Default in the server: not for it\n");
}
END_TEST

UNIT_MAIN("option", the_manual_page_has_an_item_for_every_option,
    text_is_no_macro_in_the_manual_page, one_option_is_told_in_full,
    names_are_found_in_any_case_and_by_their_alias,
    an_unknown_name_is_told_the_nearest_one,
    a_name_that_is_near_none_is_told_where_all_are,
    quotes_and_comments_are_no_part_of_a_value, a_very_long_unknown_name_is_no_harm,
    a_name_on_the_list_of_refusals_is_refused_with_its_reason,
    flags_are_yes_or_no_and_nothing_else,
    numbers_are_whole_decimal_and_within_their_range, seconds_may_have_a_fraction,
    a_clamped_number_is_lowered_with_a_warning, a_word_may_be_stored_in_two_places,
    a_word_that_is_nearly_right_is_told_the_right_one,
    what_has_no_effect_is_judged_all_the_same,
    a_misspelt_name_is_near_enough_and_another_word_is_not,
    what_stands_before_the_cut_is_ignored, a_text_replaces_the_one_before_it,
    an_empty_text_is_none_where_it_may_be_and_refused_elsewhere,
    repeated_texts_and_addresses_add_up_in_their_order, a_default_goes_by_the_role,
    a_row_is_for_both_roles_unless_it_says_otherwise,
    the_columns_hold_name_default_values_and_meaning,
    no_line_is_wider_than_a_terminal_or_ends_in_blanks, global_options_stand_first,
    the_markdown_has_a_row_for_every_option_of_both_roles)
