/*
 * Why a setup step failed, as text for the operator.  One struct lives on the
 * stack of whoever starts the step; every function on the way passes it down.
 * Data path failures are enums instead (reason.h).
 */
#ifndef COMMON_BASE_ERR_H
#define COMMON_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct err {
	char text[1024]; /* one line, no newline; "" while nothing failed */
	/** Of the line that it is about, counted as they were read; 0: of none. */
	size_t place;
};

/** Replace the text.  Always returns false, so that `return err_set(...)` reads well. */
bool
err_set(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Put words in front of the text: "words: text".  Always returns false. */
bool
err_prefix(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** As err_set(), followed by ": " and the text of @errnum. */
bool err_errno(struct err *e, int errnum, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
