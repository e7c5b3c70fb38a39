/*
 * What the files of the log share: a line under work, and where it goes.
 *
 *	log		where lines go, and how they are sent
 *	log_event	a line of pairs
 *	log_cause	a repeated cause is only counted
 *	log_quote	text from outside
 */
#ifndef COMMON_BASE_LOG_INTERNAL_H
#define COMMON_BASE_LOG_INTERNAL_H

#include "common/base/log.h"

#include <stdarg.h>

enum {
	LOG_LINE_SIZE = 4096, /* PIPE_BUF: a write of this much is never torn apart */
	LOG_PREFIX_SIZE = 40, /* room for the time and the level, or for "<6>" */
};

/* A line under work: the prefix goes in front of the body once its kind is known. */
struct log_line {
	char memory[LOG_LINE_SIZE];
	size_t end; /* of the body, which starts at LOG_PREFIX_SIZE */
};

/** Append to the body; what does not fit is cut and ends in "...". */
void log_line_append(struct log_line *line, const char *format, va_list args);

/** The same for bytes. */
void log_line_put(struct log_line *line, const char *bytes, size_t length);

/** @text as LOG_TEXT writes it, in @size bytes; returns the length without the NUL. */
size_t log_quote(const char *text, char *out, size_t size);

/** Send it everywhere; @line is used up. */
void log_line_send(struct log_line *line, enum log_level level);

/** The same for what is limited as by log_cause(). */
void log_line_send_cause(struct log_line *line, enum log_level level, const char *scope);

#endif
