/*
 * One .ini file as its lines say, with the parts that it includes, before anybody asks
 * what they mean.  Only this room knows inih, and it shows inih nothing but short clean
 * lines: each line is judged here first, because inih takes an indented line for a
 * continuation, cuts long lines into several, takes " ;" for a comment and ":" for "=",
 * and accepts text after "]".
 *
 * Names and values are literal: neither quotes nor comments end a value.  "#" and ";"
 * begin a comment only at the start of a line.  Blanks and tabs at either end of a line
 * and round its first "=", CRLF, a byte order mark and a missing last newline are
 * harmless.
 */
#ifndef COMMON_CONFIG_INI_H
#define COMMON_CONFIG_INI_H

#include "common/base/err.h"
#include "common/config/diagnostics.h"
#include "common/base/strlist.h"

#include <stddef.h>

enum {
	/** The longest line but for comments, in bytes, without its end. */
	INI_LINE_MAX = 4096,
};

/** Where a line is. */
struct ini_place {
	const char *file;
	int line;
	size_t
	    count; /* how many lines were read before it, those of other files included */
};

/** A line `name = value`. */
struct ini_entry {
	struct ini_place at;
	char *text; /* the line without the blanks at its ends */
	char *name;
	char *value; /* "" if nothing stands behind the "=" */
};

struct ini_section {
	struct ini_place at;
	char *name; /* "" for what stands before the first [section] */
	struct ini_entry *entries;
	size_t count;
};

struct ini {
	char *file;                   /* as given */
	struct ini_section *sections; /* the first is what stands before any [section] */
	size_t count;                 /* at least 1 */
	struct strlist parts;         /* what was included: files, and the folders */
	struct strlist folders;
};

/**
 * Read @file.  A line `include = FOLDER`, wherever it stands, is replaced by the files in
 * that folder, in the order of their names and without those that begin with a dot; a
 * section goes on from one to the next.  Each of the @faults says FILE:LINE: "the line":
 * why.  NULL: it cannot be read, or looking ended with the first fault.  The caller calls
 * ini_free().
 */
struct ini *ini_read(const char *file, struct diagnostics *faults);

/** The same with the comments and empty lines, each an entry whose name and value are
 * NULL.
 */
struct ini *ini_read_whole(const char *file, struct diagnostics *faults);
void ini_free(struct ini *ini);

/** Does line @a stand behind @b? */
static inline bool
ini_is_behind(const struct ini_place *a, const struct ini_place *b)
{
	return a->count > b->count;
}

/** Put FILE:LINE: "the line": in front of @e, the line without control characters and not
 * longer than 200 bytes, and without a password.  Always returns false. */
bool ini_blame(const struct ini_place *at, const char *text, struct err *e);

#endif
