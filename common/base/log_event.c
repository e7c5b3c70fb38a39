#include "common/base/log_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
	COUNT_SIZE = sizeof("18446744073709551615"),
};

/* A close line has four, and printf() takes ten times as long for each. */
static void
put_count(struct log_line *line, uint64_t count)
{
	char digits[COUNT_SIZE], *start = digits + sizeof(digits);

	do
		*--start = (char)('0' + count % 10);
	while ((count /= 10) > 0);
	log_line_put(line, start, (size_t)(digits + sizeof(digits) - start));
}

static void
put_number(struct log_line *line, int64_t number)
{
	if (number < 0)
		log_line_put(line, "-", 1);
	put_count(line, number < 0 ? -(uint64_t)number : (uint64_t)number);
}

/* As "%.0f" does it: a half goes to the even number. */
static void
put_rounded(struct log_line *line, double value)
{
	uint64_t whole = (uint64_t)value;
	double rest = value - (double)whole;

	put_count(line, whole + (rest > 0.5 || (rest == 0.5 && whole % 2 == 1)));
}

static void
put_decimal(struct log_line *line, double value, int digits)
{
	char text[64];
	int n;

	if (digits == 0 && !signbit(value) && value < 1e15) {
		put_rounded(line, value);
		return;
	}
	n = snprintf(text, sizeof(text), "%.*f", digits, value);
	log_line_put(line, text, n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

static void
put_text(struct log_line *line, const char *text, size_t size)
{
	char quoted[LOG_QUOTE_LONG_SIZE];

	log_line_put(line, quoted, log_quote(text, quoted, size));
}

static void
put_value(struct log_line *line, const struct log_pair *pair)
{
	switch (pair->kind) {
	case LOG_PAIR_WORD:
		log_line_put(line, pair->text, strlen(pair->text));
		break;
	case LOG_PAIR_TEXT:
		put_text(line, pair->text, LOG_QUOTE_SIZE);
		break;
	case LOG_PAIR_LONG_TEXT:
		put_text(line, pair->text, LOG_QUOTE_LONG_SIZE);
		break;
	case LOG_PAIR_COUNT:
		put_count(line, pair->count);
		break;
	case LOG_PAIR_NUMBER:
		put_number(line, pair->number);
		break;
	case LOG_PAIR_DECIMAL:
		put_decimal(line, pair->decimal, pair->digits);
		break;
	}
}

/* Is it a word or a text that there is none of? */
static bool
is_left_out(const struct log_pair *pair)
{
	return (pair->kind == LOG_PAIR_WORD || pair->kind == LOG_PAIR_TEXT ||
		   pair->kind == LOG_PAIR_LONG_TEXT) &&
	       pair->text == NULL;
}

static void
put_pairs(struct log_line *line, const struct log_pair *pairs)
{
	line->end = LOG_PREFIX_SIZE;
	for (const struct log_pair *pair = pairs; pair->key != NULL; pair++) {
		if (is_left_out(pair))
			continue;
		if (pair != pairs)
			log_line_put(line, " ", 1);
		log_line_put(line, pair->key, strlen(pair->key));
		log_line_put(line, "=", 1);
		put_value(line, pair);
	}
}

void
log_pairs(enum log_level level, const struct log_pair *pairs)
{
	struct log_line line;

	put_pairs(&line, pairs);
	log_line_send(&line, level);
}

void
log_pairs_cause(enum log_level level, const char *scope, const struct log_pair *pairs)
{
	struct log_line line;

	put_pairs(&line, pairs);
	log_line_send_cause(&line, level, scope);
}
