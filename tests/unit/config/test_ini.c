#include "common/config/ini.h"
#include "tests/unit/memory_file.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Read bytes that may have NULs among them. */
static struct ini *
read_bytes(const char *bytes, size_t length)
{
	struct memory_file file = memory_file(bytes, length);
	struct diagnostics faults = {0};
	struct ini *ini = ini_read(file.path, &faults);

	ck_assert_msg(ini != NULL, "%s", faults.first.text);
	return ini;
}

static struct ini *
read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

static void
refuses_bytes(const char *bytes, size_t length, const char *why)
{
	struct memory_file file = memory_file(bytes, length);
	struct diagnostics faults = {0};

	ck_assert_ptr_null(ini_read(file.path, &faults));
	ck_assert_uint_gt(strlen(faults.first.text), strlen(file.path));
	ck_assert_mem_eq(faults.first.text, file.path, strlen(file.path));
	ck_assert_str_eq(faults.first.text + strlen(file.path), why);
}

static void
refuses(const char *text, const char *why)
{
	refuses_bytes(text, strlen(text), why);
}

static void
has_entry(const struct ini *ini, size_t section, size_t entry, const char *name,
    const char *value)
{
	ck_assert_uint_lt(section, ini->count);
	ck_assert_uint_lt(entry, ini->sections[section].count);
	ck_assert_str_eq(ini->sections[section].entries[entry].name, name);
	ck_assert_str_eq(ini->sections[section].entries[entry].value, value);
}

/* A file of one line has one entry: this name and value. */
static void
is_read_as(const char *line, const char *name, const char *value)
{
	struct ini *ini = read_text(line);

	ck_assert_uint_eq(ini->count, 1);
	ck_assert_uint_eq(ini->sections[0].count, 1);
	has_entry(ini, 0, 0, name, value);
	ini_free(ini);
}

static void
ignore(void *owner, const char *text)
{
	(void)owner;
	(void)text;
}

START_TEST(an_empty_file_has_one_unnamed_section)
{
	struct ini *ini = read_text("");

	ck_assert_uint_eq(ini->count, 1);
	ck_assert_str_eq(ini->sections[0].name, "");
	ck_assert_uint_eq(ini->sections[0].count, 0);
	ini_free(ini);
}
END_TEST

START_TEST(entries_belong_to_the_section_above_them_and_know_their_lines)
{
	struct ini *ini = read_text("a = 1\n\n[x]\nb = 2\n# c = 3\n[y]\n[z]\nd = 4\n");

	ck_assert_uint_eq(ini->count, 4);
	has_entry(ini, 0, 0, "a", "1");
	has_entry(ini, 1, 0, "b", "2");
	ck_assert_uint_eq(ini->sections[2].count, 0);
	has_entry(ini, 3, 0, "d", "4");
	ck_assert_int_eq(ini->sections[0].entries[0].at.line, 1);
	ck_assert_int_eq(ini->sections[1].at.line, 3);
	ck_assert_int_eq(ini->sections[1].entries[0].at.line, 4);
	ck_assert_int_eq(ini->sections[3].entries[0].at.line, 8);
	ck_assert_str_eq(ini->sections[3].name, "z");
	ini_free(ini);
}
END_TEST

START_TEST(an_indented_line_is_a_line_of_its_own)
{
	struct ini *ini = read_text("[x]\na = 1\n  b = 2\n\t[y]\n \tc = 3\n");

	ck_assert_uint_eq(ini->count, 3);
	ck_assert_uint_eq(ini->sections[1].count, 2);
	has_entry(ini, 1, 0, "a", "1");
	has_entry(ini, 1, 1, "b", "2");
	has_entry(ini, 2, 0, "c", "3");
	ck_assert_str_eq(ini->sections[1].entries[1].text, "b = 2");
	ini_free(ini);
}
END_TEST

START_TEST(a_long_line_stays_one_line)
{
	char text[INI_LINE_MAX + 1];
	struct ini *ini;

	memset(text, 'v', INI_LINE_MAX);
	memcpy(text, "name = ", 7);
	text[INI_LINE_MAX] = '\0';
	ini = read_text(text);
	ck_assert_uint_eq(ini->sections[0].count, 1);
	has_entry(ini, 0, 0, "name", text + 7);
	ini_free(ini);
}
END_TEST

START_TEST(a_line_longer_than_4_kib_is_an_error)
{
	char text[INI_LINE_MAX + 20];
	struct memory_file file;
	struct diagnostics faults = {0};

	memset(text, 'v', sizeof(text));
	memcpy(text, "a = b\nname = ", 13);
	text[6 + INI_LINE_MAX + 1] = '\n';
	file = memory_file(text, sizeof(text));
	ck_assert_ptr_null(ini_read(file.path, &faults));
	ck_assert_ptr_nonnull(strstr(faults.first.text, ":2: \"name = vvvv"));
	ck_assert_ptr_nonnull(
	    strstr(faults.first.text, "...\": the line is longer than 4096 bytes"));
}
END_TEST

START_TEST(a_comment_may_be_longer_than_4_kib)
{
	static char text[3 * INI_LINE_MAX];
	struct ini *ini;

	memset(text, 'v', sizeof(text));
	memcpy(text, " # ", 3);
	memcpy(text + sizeof(text) - 8, "\na = b\n", 8);
	text[sizeof(text) - 1] = '\0';
	ini = read_text(text);
	ck_assert_uint_eq(ini->sections[0].count, 1);
	has_entry(ini, 0, 0, "a", "b");
	ck_assert_int_eq(ini->sections[0].entries[0].at.line, 2);
	ini_free(ini);
}
END_TEST

START_TEST(a_semicolon_within_a_line_belongs_to_the_value)
{
	is_read_as("ciphers = A:B ; no comment", "ciphers", "A:B ; no comment");
	is_read_as("a = b # c", "a", "b # c");
	is_read_as("a = ;", "a", ";");
}
END_TEST

START_TEST(a_colon_is_no_equals_sign)
{
	is_read_as("connect:x = db:5432", "connect:x", "db:5432");
	refuses("connect: 5432\n",
	    ":1: \"connect: 5432\": there is no \"=\" in it: write NAME = VALUE");
}
END_TEST

START_TEST(a_long_section_name_is_not_cut)
{
	char text[200], name[181];
	struct ini *ini;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(text, sizeof(text), "[%s]\na = b\n", name);
	ini = read_text(text);
	ck_assert_str_eq(ini->sections[1].name, name);
	has_entry(ini, 1, 0, "a", "b");
	ini_free(ini);
}
END_TEST

START_TEST(text_behind_a_section_is_an_error)
{
	refuses("[x] accept = 1\n", ":1: \"[x] accept = 1\": text stands behind \"]\"");
	refuses("\n[x] ; note\n", ":2: \"[x] ; note\": text stands behind \"]\"");
	refuses("[x]]\n", ":1: \"[x]]\": text stands behind \"]\"");
	refuses("[x\n", ":1: \"[x\": \"]\" is missing");
}
END_TEST

START_TEST(a_nul_byte_is_an_error_wherever_it_stands)
{
	refuses_bytes("a = b\0c\n", 8, ":1: \"a = b\": a NUL byte follows");
	refuses_bytes("# x\n# \0c\n", 9, ":2: \"# \": a NUL byte follows");
	refuses_bytes("a = b\n\0", 7, ":2: \"\": a NUL byte follows");
}
END_TEST

START_TEST(values_are_literal)
{
	is_read_as("a = \"quoted\"", "a", "\"quoted\"");
	is_read_as("a = b = c", "a", "b = c");
	is_read_as("a = $HOME\\n %s", "a", "$HOME\\n %s");
	is_read_as("a = [b]", "a", "[b]");
	is_read_as("a b = c  d", "a b", "c  d");
	is_read_as("a =", "a", "");
	is_read_as("a = \xc3\xa9", "a", "\xc3\xa9");
}
END_TEST

START_TEST(blanks_at_the_ends_and_round_the_equals_sign_are_harmless)
{
	is_read_as("  a\t =\t b \t", "a", "b");
	is_read_as("a=b", "a", "b");
	is_read_as("a = b\r\n", "a", "b");
	is_read_as("\xef\xbb\xbf"
		   "a = b\n",
	    "a", "b");
	is_read_as("\xef\xbb\xbf  a = b", "a", "b");
}
END_TEST

START_TEST(section_names_may_hold_blanks_and_dots)
{
	struct ini *ini = read_text("\xef\xbb\xbf[ my.service one ]  \r\n[a;b#c=d]");

	ck_assert_uint_eq(ini->count, 3);
	ck_assert_str_eq(ini->sections[1].name, "my.service one");
	ck_assert_str_eq(ini->sections[2].name, "a;b#c=d");
	ini_free(ini);
}
END_TEST

START_TEST(comments_and_empty_lines_say_nothing)
{
	struct ini *ini =
	    read_text("# a = b\n; c = d\n\n   \n\t# [x]\n  ; = \n#\n;\n\r\n");

	ck_assert_uint_eq(ini->count, 1);
	ck_assert_uint_eq(ini->sections[0].count, 0);
	ini_free(ini);
}
END_TEST

START_TEST(a_byte_order_mark_counts_only_at_the_start_of_the_file)
{
	refuses("\n\xef\xbb\xbf"
		"a = b",
	    ":2: \"\xef\xbb\xbf"
	    "a = b\": there is an invisible character in it (U+FEFF, a byte order "
	    "mark), as copied from a web page or a document: delete it, or type the "
	    "line anew");
}
END_TEST

START_TEST(a_line_that_says_nothing_is_an_error)
{
	refuses(
	    "accept\n", ":1: \"accept\": there is no \"=\" in it: write NAME = VALUE");
	refuses("  two words",
	    ":1: \"two words\": there is no \"=\" in it: write NAME = VALUE");
	refuses("= value\n", ":1: \"= value\": no name stands before the \"=\"");
	refuses("[]\n", ":1: \"[]\": a section needs a name");
	refuses("[ \t]\n", ":1: \"[  ]\": a section needs a name");
}
END_TEST

START_TEST(control_characters_are_an_error_and_are_not_passed_on)
{
	refuses(
	    "a = b\rc = d\n", ":1: \"a = b?c = d\": there are control characters in it");
	refuses("a = \x1b[2J\n", ":1: \"a = ?[2J\": there are control characters in it");
}
END_TEST

/* The only fault of its file. */
static void
has_one_fault(const char *bytes, size_t length, const char *why)
{
	struct memory_file file = memory_file(bytes, length);
	struct diagnostics faults = {.tell = ignore};

	ini_free(ini_read(file.path, &faults));
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_msg(strstr(faults.first.text, why) != NULL, "%s", faults.first.text);
	diagnostics_print(&faults);
}

START_TEST(a_file_in_utf_16_is_named_once)
{
	static const char le[] = "\xff\xfe[\0x\0]\0\n\0", be[] = "\0[\0x\0]\0\n\0a\0=";
	static const char bare[] = "[\0x\0]\0\n\0a\0=\0";

	has_one_fault(le, sizeof(le) - 1, "UTF-16");
	has_one_fault(be, sizeof(be) - 1, "UTF-16");
	has_one_fault(bare, sizeof(bare) - 1, "iconv -f UTF-16 -t UTF-8");
}
END_TEST

START_TEST(a_file_that_is_no_text_is_named_once)
{
	static const char pem[] = "-----BEGIN CERTIFICATE-----\nMIIB\nMIIC\n";
	char bytes[8 * INI_LINE_MAX];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7);
	has_one_fault(bytes, sizeof(bytes), "binary");
	has_one_fault(pem, sizeof(pem) - 1, "in PEM");
}
END_TEST

START_TEST(invisible_characters_are_named)
{
	static const struct {
		const char *text, *name;
	} all[] = {
	    {"\xc2\xa0sni = 1", "U+00A0"},
	    {"accept\xc2\xa0= 1", "U+00A0"},
	    {"accept =\xc2\xa0"
	     "1",
		"U+00A0"},
	    {"accept = 1\xc2\xa0", "U+00A0"},
	    {"accept\xc2\xa0", "U+00A0"},
	    {"[orders\xc2\xa0]", "U+00A0"},
	    {"connect = ho\xe2\x80\x8bst:1", "U+200B"},
	    {"connect = \xef\xbb\xbfhost:1", "U+FEFF"},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		has_one_fault(all[i].text, strlen(all[i].text), "invisible character");
		has_one_fault(all[i].text, strlen(all[i].text), all[i].name);
	}
	is_read_as("a = O=Soci\xc3\xa9t\xc3\xa9\xc2\xa0X", "a",
	    "O=Soci\xc3\xa9t\xc3\xa9\xc2\xa0X");
}
END_TEST

START_TEST(a_template_that_nobody_filled_in_is_named)
{
	static const char *const all[] = {"connect = ${HOST}:443", "cert = ${DIR:-/x}/a",
	    "accept = {{ .Values.port }}", "connect = x{{port}}", "sni = <ROUTE HOST>"};
	static const char *const literal[] = {
	    "${}", "${a b}", "$HOME", "{x}", "<a>b", "a<b>", "{{"};
	char line[64];

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		has_one_fault(all[i], strlen(all[i]), "is a placeholder");
	for (size_t i = 0; i < sizeof(literal) / sizeof(literal[0]); i++) {
		snprintf(line, sizeof(line), "a = %s", literal[i]);
		is_read_as(line, "a", literal[i]);
	}
	is_read_as("protocolPassword = ${X}", "protocolPassword", "${X}");
}
END_TEST

START_TEST(the_first_error_ends_the_reading)
{
	refuses("a = 1\n[x]\nbad\n[y\n",
	    ":3: \"bad\": there is no \"=\" in it: write NAME = VALUE");
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_an_error)
{
	struct diagnostics faults = {0};

	ck_assert_ptr_null(ini_read("/nowhere/at/all", &faults));
	ck_assert_str_eq(
	    faults.first.text, "read /nowhere/at/all: No such file or directory");
	faults = (struct diagnostics){0};
	ck_assert_ptr_null(ini_read("/tmp", &faults));
	ck_assert_str_eq(faults.first.text, "read /tmp: Is a directory");
}
END_TEST

START_TEST(ten_thousand_lines_are_read)
{
	static char text[10000 * 16];
	size_t length = 0;
	struct ini *ini;

	for (int i = 0; i < 5000; i++)
		length += (size_t)sprintf(text + length, "[s%d]\nn = %d\n", i, i);
	ini = read_text(text);
	ck_assert_uint_eq(ini->count, 5001);
	has_entry(ini, 5000, 0, "n", "4999");
	ck_assert_int_eq(ini->sections[5000].entries[0].at.line, 10000);
	ini_free(ini);
}
END_TEST

START_TEST(a_file_as_a_whole_has_its_comments_and_empty_lines_in_their_places)
{
	struct memory_file file = memory_file("; a\n[s]\n\na = 1\n # b\n", 20);
	struct diagnostics faults = {0};
	struct ini *ini = ini_read_whole(file.path, &faults);

	ck_assert_ptr_nonnull(ini);
	ck_assert_uint_eq(ini->sections[0].count, 1);
	ck_assert_str_eq(ini->sections[0].entries[0].text, "; a");
	ck_assert_ptr_null(ini->sections[0].entries[0].name);
	ck_assert_uint_eq(ini->sections[1].count, 3);
	ck_assert_str_eq(ini->sections[1].entries[0].text, "");
	has_entry(ini, 1, 1, "a", "1");
	ck_assert_str_eq(ini->sections[1].entries[2].text, "# b");
	ini_free(ini);
}
END_TEST

UNIT_MAIN("ini", a_file_as_a_whole_has_its_comments_and_empty_lines_in_their_places,
    an_empty_file_has_one_unnamed_section,
    entries_belong_to_the_section_above_them_and_know_their_lines,
    an_indented_line_is_a_line_of_its_own, a_long_line_stays_one_line,
    a_line_longer_than_4_kib_is_an_error, a_comment_may_be_longer_than_4_kib,
    a_file_in_utf_16_is_named_once, a_file_that_is_no_text_is_named_once,
    invisible_characters_are_named, a_template_that_nobody_filled_in_is_named,
    a_semicolon_within_a_line_belongs_to_the_value, a_colon_is_no_equals_sign,
    a_long_section_name_is_not_cut, text_behind_a_section_is_an_error,
    a_nul_byte_is_an_error_wherever_it_stands, values_are_literal,
    blanks_at_the_ends_and_round_the_equals_sign_are_harmless,
    section_names_may_hold_blanks_and_dots, comments_and_empty_lines_say_nothing,
    a_byte_order_mark_counts_only_at_the_start_of_the_file,
    a_line_that_says_nothing_is_an_error,
    control_characters_are_an_error_and_are_not_passed_on,
    the_first_error_ends_the_reading, a_file_that_cannot_be_read_is_an_error,
    ten_thousand_lines_are_read)
