#include "common/base/log_internal.h"
#include "tests/unit/memory_file.h"
#include "tests/unit/unit.h"

#include <math.h>
#include <pthread.h>
#include <regex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static time_t seconds_passed;

/* The log's clock; a test may let time pass. */
int
clock_gettime(clockid_t id, struct timespec *now)
{
	int rc = (int)syscall(SYS_clock_gettime, id, now);

	now->tv_sec += seconds_passed;
	return rc;
}

static struct memory_file
open_log(void)
{
	struct memory_file file = memory_file("", 0);
	struct err e = {.text = ""};

	ck_assert_msg(log_open(file.path, true, &e), "%s", e.text);
	return file;
}

/* Let stderr be a memory file. */
static struct memory_file
catch_stderr(void)
{
	struct memory_file file = memory_file("", 0);

	ck_assert_int_eq(dup2(file.fd, STDERR_FILENO), STDERR_FILENO);
	return file;
}

static bool
matches(const char *text, const char *pattern)
{
	regex_t regex;
	bool fits;

	ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	fits = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return fits;
}

START_TEST(a_line_has_its_time_its_level_and_one_newline)
{
	struct memory_file file = open_log();

	log_info("stream=%d event=close", 42);
	ck_assert(matches(memory_file_text(&file),
	    "^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z info "
	    "stream=42 event=close\n$"));
}
END_TEST

START_TEST(lines_above_the_level_are_dropped)
{
	struct memory_file file = open_log();

	log_set_level(LOG_LEVEL_WARNING);
	log_info("event=one");
	log_warning("event=two");
	log_cause(LOG_LEVEL_INFO, "x", "event=three");
	ck_assert(matches(memory_file_text(&file), "^[^\n]* warning event=two\n$"));
	ck_assert(log_is_on(LOG_LEVEL_ERROR));
	ck_assert(!log_is_on(LOG_LEVEL_INFO));
}
END_TEST

START_TEST(the_arguments_of_a_debug_line_are_only_evaluated_if_it_is_written)
{
	struct memory_file file = open_log();
	int evaluated = 0;

	log_debug("n=%d", ++evaluated);
	ck_assert_int_eq(evaluated, 0);
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("n=%d", ++evaluated);
	ck_assert_int_eq(evaluated, 1);
	ck_assert(matches(memory_file_text(&file), "^[^\n]* debug n=1\n$"));
}
END_TEST

START_TEST(before_it_is_opened_the_log_goes_to_stderr)
{
	struct memory_file file = catch_stderr();

	log_info("event=early");
	log_debug("event=never");
	ck_assert(matches(memory_file_text(&file), "^[^\n]* info event=early\n$"));
}
END_TEST

START_TEST(a_file_does_not_replace_stderr_unless_quiet)
{
	struct memory_file err = catch_stderr(), file = memory_file("old\n", 4);
	struct err e = {.text = ""};

	ck_assert(log_open(file.path, false, &e));
	log_info("event=both");
	ck_assert(log_open(file.path, true, &e));
	log_info("event=file");
	ck_assert(matches(
	    memory_file_text(&file), "^old\n[^\n]* event=both\n[^\n]* event=file\n$"));
	ck_assert(matches(memory_file_text(&err), "^[^\n]* event=both\n$"));
}
END_TEST

START_TEST(the_journal_gets_the_level_and_no_time)
{
	struct memory_file file = catch_stderr();
	struct stat st;
	char stream[64];

	ck_assert_int_eq(fstat(file.fd, &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_info("event=start");
	log_error("event=stop");
	ck_assert_str_eq(memory_file_text(&file), "<6>event=start\n<3>event=stop\n");
}
END_TEST

START_TEST(stderr_that_is_no_longer_the_journals_gets_the_time)
{
	struct memory_file file = catch_stderr();

	setenv("JOURNAL_STREAM", "1:1", 1);
	log_info("event=start");
	ck_assert(matches(memory_file_text(&file), "^20[^\n]* info event=start\n$"));
}
END_TEST

START_TEST(a_file_that_cannot_be_opened_is_an_error_and_changes_nothing)
{
	struct memory_file file = open_log();
	struct err e = {.text = ""};

	ck_assert(!log_open("/nowhere/at/all", true, &e));
	ck_assert_str_eq(
	    e.text, "open the log file /nowhere/at/all: No such file or directory");
	log_info("event=still");
	ck_assert(matches(memory_file_text(&file), " event=still\n$"));
}
END_TEST

START_TEST(opened_again_the_log_goes_to_the_new_file)
{
	struct memory_file first = open_log(), second = open_log();

	log_info("event=late");
	ck_assert_str_eq(memory_file_text(&first), "");
	ck_assert(matches(memory_file_text(&second), " event=late\n$"));
}
END_TEST

START_TEST(a_log_that_cannot_be_written_is_no_reason_to_stop)
{
	struct err e = {.text = ""};

	ck_assert(log_open("/dev/full", true, &e));
	log_info("event=lost");
}
END_TEST

START_TEST(stderr_is_told_once_that_the_file_takes_nothing_and_both_when_it_does_again)
{
	struct memory_file stderr_file = catch_stderr(), file;
	struct err e = {.text = ""};

	ck_assert(log_open("/dev/full", false, &e));
	log_info("event=first");
	log_info("event=second");
	ck_assert(matches(memory_file_text(&stderr_file),
	    "^[^\n]* error event=log-failed detail=\"[^\n]*No space left on device\"\n"
	    "[^\n]* event=first\n[^\n]* event=second\n$"));
	file = memory_file("", 0);
	ck_assert(log_open(file.path, false, &e));
	log_info("event=third");
	ck_assert(matches(memory_file_text(&file),
	    "^[^\n]* event=third\n[^\n]* warning event=log-back lost=2\n$"));
	ck_assert(matches(memory_file_text(&stderr_file), "event=log-back lost=2\n"));
}
END_TEST

START_TEST(an_event_is_one_line_whatever_is_in_it)
{
	struct memory_file file = open_log();

	log_info("name=%s", "a\nb\r\tc\177");
	ck_assert(
	    matches(memory_file_text(&file), "^[^\n]* info name=a\\?b\\?\\?c\\?\n$"));
}
END_TEST

START_TEST(a_line_too_long_is_cut_at_4_kib_and_says_so)
{
	struct memory_file file = open_log();
	char huge[10000];
	const char *text;

	memset(huge, 'x', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	log_info("%s", huge);
	text = memory_file_text(&file);
	ck_assert_uint_le(strlen(text), 4096);
	ck_assert_uint_gt(strlen(text), 4000);
	ck_assert_str_eq(text + strlen(text) - 5, "x...\n");
}
END_TEST

static void *
write_many(void *arg)
{
	for (int i = 0; i < 500; i++)
		log_info("%s", (const char *)arg);
	return NULL;
}

START_TEST(lines_of_several_threads_stay_whole)
{
	struct memory_file file = open_log();
	pthread_t threads[4];
	const char *line;
	int lines = 0;

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, write_many, "event=whole"), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (line = memory_file_text(&file); *line != '\0';
	     line = strchr(line, '\n') + 1) {
		ck_assert_uint_eq(strcspn(line, "\n"),
		    strlen("2026-11-23T20:51:56.123Z info event=whole"));
		lines++;
	}
	ck_assert_int_eq(lines, 2000);
}
END_TEST

START_TEST(a_cause_is_written_once_a_minute_and_counted_between)
{
	struct memory_file file = open_log();

	for (int i = 0; i < 5; i++)
		log_cause(LOG_LEVEL_WARNING, "orders", "event=refused peer=%s", "a");
	ck_assert(matches(memory_file_text(&file), "^[^\n]* event=refused peer=a\n$"));
	seconds_passed = 59;
	log_cause(LOG_LEVEL_WARNING, "orders", "event=refused peer=a");
	ck_assert(matches(memory_file_text(&file), "^[^\n]* event=refused peer=a\n$"));
	seconds_passed = 61;
	log_cause(LOG_LEVEL_WARNING, "orders", "event=refused peer=a");
	log_cause(LOG_LEVEL_WARNING, "orders", "event=refused peer=a");
	ck_assert(matches(
	    memory_file_text(&file), "\n[^\n]* event=refused peer=a repeated=5\n$"));
	seconds_passed = 130;
	log_cause(LOG_LEVEL_WARNING, "orders", "event=refused peer=a");
	ck_assert(matches(memory_file_text(&file), " repeated=1\n$"));
}
END_TEST

START_TEST(another_scope_or_another_text_is_another_cause)
{
	struct memory_file file = open_log();

	log_cause(LOG_LEVEL_WARNING, "orders", "event=refused");
	log_cause(LOG_LEVEL_WARNING, "stock", "event=refused");
	log_cause(LOG_LEVEL_WARNING, "orders", "event=lost");
	ck_assert(matches(memory_file_text(&file),
	    "^[^\n]* event=refused\n[^\n]* event=refused\n[^\n]* event=lost\n$"));
}
END_TEST

/* A stranger chooses the words in them. */
START_TEST(of_one_kind_eight_texts_a_minute_are_written_and_the_rest_counted)
{
	struct memory_file file = open_log();

	for (int i = 0; i < 3000; i++)
		log_cause(LOG_LEVEL_WARNING, "orders",
		    "event=failed why=sni-unknown service=orders detail=%d", i);
	ck_assert(matches(memory_file_text(&file), "^([^\n]*detail=[0-7]\n){8}$"));
	log_cause(LOG_LEVEL_WARNING, "orders", "event=failed why=probe service=orders");
	log_cause(
	    LOG_LEVEL_WARNING, "stock", "event=failed why=sni-unknown service=stock");
	ck_assert(matches(
	    memory_file_text(&file), "why=probe service=orders\n[^\n]*service=stock\n$"));
	seconds_passed = 61;
	log_tell_left_out();
	ck_assert(matches(memory_file_text(&file),
	    "event=failed why=sni-unknown service=orders "
	    "detail=[^\n]* left-out=2992\n$"));
	log_cause(LOG_LEVEL_WARNING, "orders",
	    "event=failed why=sni-unknown service=orders detail=again");
	ck_assert(matches(memory_file_text(&file), "detail=again\n$"));
}
END_TEST

START_TEST(more_causes_than_there_is_room_for_push_out_the_oldest)
{
	struct memory_file file = open_log();

	for (int i = 0; i < 100; i++, seconds_passed = i / 10)
		log_cause(LOG_LEVEL_WARNING, "x", "cause=%d", i);
	log_cause(LOG_LEVEL_WARNING, "x", "cause=99");
	ck_assert(matches(memory_file_text(&file), "cause=98\n[^\n]*cause=99\n$"));
	log_cause(LOG_LEVEL_WARNING, "x", "cause=0");
	ck_assert(matches(memory_file_text(&file), "cause=99\n[^\n]*cause=0\n$"));
}
END_TEST

/* The body of the only line. */
static const char *
body_of(const struct memory_file *file)
{
	const char *level = strstr(memory_file_text(file), " info ");

	ck_assert_ptr_nonnull(level);
	return level + strlen(" info ");
}

START_TEST(pairs_are_written_in_their_order_and_quoted_by_the_log)
{
	struct memory_file file = open_log();

	log_stream_event(LOG_LEVEL_INFO, UINT64_MAX, "close",
	    LOG_WORD("why", "far-reset"), LOG_TEXT("service", "orders"),
	    LOG_TEXT("sni", ""), LOG_LONG_TEXT("names", "CN=a \"b\"\n"),
	    LOG_COUNT("up", 0), LOG_COUNT("down", 1234567890), LOG_NUMBER("n", INT64_MIN),
	    LOG_DECIMAL("next", 1.25, 1));
	ck_assert_str_eq(body_of(&file),
	    "stream=18446744073709551615 event=close why=far-reset service=orders "
	    "sni=\"\" names=\"CN=a \\\"b\\\"\\x0a\" up=0 down=1234567890 "
	    "n=-9223372036854775808 next=1.2\n");
}
END_TEST

START_TEST(a_text_that_there_is_none_of_is_left_out)
{
	struct memory_file file = open_log();

	log_event(LOG_LEVEL_INFO, "close", LOG_TEXT("detail", NULL),
	    LOG_WORD("target", NULL), LOG_LONG_TEXT("detail", NULL),
	    LOG_TEXT("peer", "unix"));
	ck_assert_str_eq(body_of(&file), "event=close peer=unix\n");
}
END_TEST

START_TEST(numbers_are_rounded_as_printf_does_it)
{
	static const double values[] = {0, 0.49, 0.5, 0.51, 1.5, 2.5, 1e14 + 0.5, 1e15,
	    1e300, -0.4, -2.5, -0.0, INFINITY, NAN};

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		for (int digits = 0; digits < 3; digits++) {
			struct memory_file file = open_log();
			char expected[400];

			snprintf(expected, sizeof(expected), "%.*f", digits, values[i]);
			expected[63] = '\0'; /* as much as there is room for */
			strcat(expected, "\n");
			log_event(
			    LOG_LEVEL_INFO, "x", LOG_DECIMAL("ms", values[i], digits));
			ck_assert_str_eq(
			    body_of(&file) + strlen("event=x ms="), expected);
		}
}
END_TEST

START_TEST(a_line_of_pairs_too_long_is_cut_at_4_kib_and_says_so)
{
	struct memory_file file = open_log();
	char text[2000];
	const char *line;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_event(LOG_LEVEL_INFO, "x", LOG_LONG_TEXT("a", text), LOG_LONG_TEXT("b", text),
	    LOG_LONG_TEXT("c", text), LOG_COUNT("n", 1));
	line = memory_file_text(&file);
	ck_assert_uint_le(strlen(line), 4096);
	ck_assert_uint_gt(strlen(line), 4000);
	ck_assert_str_eq(line + strlen(line) - 5, "x...\n");
}
END_TEST

START_TEST(nothing_of_an_event_is_evaluated_if_its_level_is_off)
{
	struct memory_file file = open_log();
	int evaluated = 0;

	log_event(LOG_LEVEL_DEBUG, "x", LOG_COUNT("n", ++evaluated));
	log_stream_event(LOG_LEVEL_DEBUG, ++evaluated, "x", LOG_COUNT("n", 1));
	log_stream_event(LOG_LEVEL_DEBUG, 1, "x", LOG_COUNT("n", ++evaluated));
	log_event_cause(LOG_LEVEL_DEBUG, "scope", "x", LOG_COUNT("n", ++evaluated));
	ck_assert_int_eq(evaluated, 0);
	ck_assert_str_eq(memory_file_text(&file), "");
	log_set_level(LOG_LEVEL_DEBUG);
	log_event(LOG_LEVEL_DEBUG, "x", LOG_COUNT("n", ++evaluated));
	ck_assert_int_eq(evaluated, 1);
}
END_TEST

START_TEST(an_event_that_repeats_is_limited_like_any_cause)
{
	struct memory_file file = open_log();

	for (int i = 0; i < 3; i++)
		log_event_cause(LOG_LEVEL_WARNING, "orders", "failed",
		    LOG_WORD("why", "probe"), LOG_TEXT("service", "orders"));
	log_cause(LOG_LEVEL_WARNING, "orders", "event=failed why=probe service=orders");
	ck_assert(matches(
	    memory_file_text(&file), "^[^\n]* event=failed why=probe service=orders\n$"));
	seconds_passed = 60;
	log_event_cause(LOG_LEVEL_WARNING, "orders", "failed", LOG_WORD("why", "probe"),
	    LOG_TEXT("service", "orders"));
	ck_assert(matches(memory_file_text(&file), "service=orders repeated=3\n$"));
}
END_TEST

static void
quotes(const char *text, const char *expected)
{
	char out[LOG_QUOTE_SIZE];

	log_quote(text, out, sizeof(out));
	ck_assert_str_eq(out, expected);
}

START_TEST(a_plain_word_stays_as_it_is)
{
	quotes("orders", "orders");
	quotes("[::1]:80", "[::1]:80");
	quotes("/run/app.sock", "/run/app.sock");
}
END_TEST

START_TEST(what_could_be_mistaken_is_quoted)
{
	quotes("", "\"\"");
	quotes("two words", "\"two words\"");
	quotes("a=b", "\"a=b\"");
	quotes("say \"x\" \\", "\"say \\\"x\\\" \\\\\"");
	quotes("a\nb\x1b[2J\x7f", "\"a\\x0ab\\x1b[2J\\x7f\"");
	quotes("\"\n", "\"\\\"\\x0a\"");
	quotes("\\x0a", "\"\\\\x0a\"");
	quotes("\xc3\xa9", "\"\\xc3\\xa9\"");
}
END_TEST

START_TEST(text_too_long_is_cut_and_ends_in_dots)
{
	char text[2000], out[LOG_QUOTE_SIZE];

	for (size_t length = 480; length < 520; length++) {
		memset(text, 'x', length);
		text[length] = '\0';
		log_quote(text, out, sizeof(out));
		ck_assert_uint_lt(strlen(out), LOG_QUOTE_SIZE);
		if (length < LOG_QUOTE_SIZE)
			ck_assert_str_eq(out, text);
		else
			ck_assert_str_eq(out + strlen(out) - 5, "x...\"");
	}
	memset(text, '\n', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_quote(text, out, sizeof(out));
	ck_assert_uint_lt(strlen(out), LOG_QUOTE_SIZE);
	ck_assert_str_eq(out + strlen(out) - 8, "\\x0a...\"");
}
END_TEST

/* What log_quote() did, undone. */
static void
undo(const char *quoted, char *text)
{
	const char *c = quoted + (*quoted == '"');

	for (; *c != '\0' && (*quoted != '"' || *c != '"'); c++) {
		unsigned byte;

		if (*c == '\\' && c[1] == 'x') {
			ck_assert_int_eq(sscanf(c + 2, "%2x", &byte), 1);
			*text++ = (char)byte;
			c += 3;
		} else {
			c += *c == '\\';
			*text++ = *c;
		}
	}
	*text = '\0';
}

START_TEST(a_reader_can_undo_the_quotes)
{
	char pair[3] = "", out[LOG_QUOTE_SIZE], back[LOG_QUOTE_SIZE];

	for (int a = 1; a < 256; a++)
		for (int b = 0; b < 256; b++) {
			pair[0] = (char)a;
			pair[1] = (char)b;
			log_quote(pair, out, sizeof(out));
			ck_assert_ptr_null(strchr(out, '\n'));
			undo(out, back);
			ck_assert_str_eq(back, pair);
		}
}
END_TEST

START_TEST(a_long_reason_is_quoted_whole)
{
	char text[1024], out[LOG_QUOTE_LONG_SIZE], back[LOG_QUOTE_LONG_SIZE];

	memset(text, '"', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_quote(text, out, sizeof(out));
	undo(out, back);
	ck_assert_str_eq(back, text);
}
END_TEST

UNIT_MAIN("log", a_line_has_its_time_its_level_and_one_newline,
    lines_above_the_level_are_dropped,
    the_arguments_of_a_debug_line_are_only_evaluated_if_it_is_written,
    before_it_is_opened_the_log_goes_to_stderr,
    a_file_does_not_replace_stderr_unless_quiet, the_journal_gets_the_level_and_no_time,
    stderr_that_is_no_longer_the_journals_gets_the_time,
    a_file_that_cannot_be_opened_is_an_error_and_changes_nothing,
    opened_again_the_log_goes_to_the_new_file,
    a_log_that_cannot_be_written_is_no_reason_to_stop,
    stderr_is_told_once_that_the_file_takes_nothing_and_both_when_it_does_again,
    an_event_is_one_line_whatever_is_in_it, a_line_too_long_is_cut_at_4_kib_and_says_so,
    lines_of_several_threads_stay_whole,
    a_cause_is_written_once_a_minute_and_counted_between,
    another_scope_or_another_text_is_another_cause,
    of_one_kind_eight_texts_a_minute_are_written_and_the_rest_counted,
    more_causes_than_there_is_room_for_push_out_the_oldest, a_plain_word_stays_as_it_is,
    what_could_be_mistaken_is_quoted, a_reader_can_undo_the_quotes,
    a_long_reason_is_quoted_whole, text_too_long_is_cut_and_ends_in_dots,
    pairs_are_written_in_their_order_and_quoted_by_the_log,
    a_text_that_there_is_none_of_is_left_out, numbers_are_rounded_as_printf_does_it,
    a_line_of_pairs_too_long_is_cut_at_4_kib_and_says_so,
    nothing_of_an_event_is_evaluated_if_its_level_is_off,
    an_event_that_repeats_is_limited_like_any_cause)
