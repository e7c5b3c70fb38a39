/*
 * One .ini file as its lines say, before anybody asks what they mean.  Only this room
 * knows inih, and it shows inih nothing but short clean lines: each line is judged here
 * first, because inih takes an indented line for a continuation, cuts long lines into
 * several, takes " ;" for a comment and ":" for "=", and accepts text after "]".
 *
 * Names and values are literal: neither quotes nor comments end a value.  "#" and ";"
 * begin a comment only at the start of a line.  Blanks and tabs at either end of a line
 * and round its first "=", CRLF, a byte order mark and a missing last newline are
 * harmless.
 */
#ifndef COMMON_INI_H
#define COMMON_INI_H

#include "common/err.h"

#include <stddef.h>

enum {
	/** The longest line, in bytes, without its end. */
	INI_LINE_MAX = 4096,
};

/** A line `name = value`. */
struct ini_entry {
	int line;
	char *text; /* the line without the blanks at its ends */
	char *name;
	char *value; /* "" if nothing stands behind the "=" */
};

struct ini_section {
	int line;
	char *name; /* "" for what stands before the first [section] */
	struct ini_entry *entries;
	size_t count;
};

struct ini {
	char *file;                   /* as given */
	struct ini_section *sections; /* the first is what stands before any [section] */
	size_t count;                 /* at least 1 */
};

/** Read @file.  NULL: @e says FILE:LINE: "the line": why.  The caller calls ini_free().
 */
struct ini *ini_read(const char *file, struct err *e);
void ini_free(struct ini *ini);

/** Put FILE:LINE: "the line": in front of @e, the line without control characters and not
 * longer than 200 bytes, and without a password.  Always returns false. */
bool ini_blame(const struct ini *ini, int line, const char *text, struct err *e);

#endif
