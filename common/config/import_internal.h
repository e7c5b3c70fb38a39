/*
 * What the files of an import share.  All of it lives as long as one call of
 *import_file().
 *
 *	import		reads, asks the settings' own checks, and writes
 *	import_rules	what stunnel did with a section, and the lines that make us do so
 *	import_value	lines that say the same in other words: ports, paths, names
 *	import_lines	the lines themselves
 */
#ifndef COMMON_CONFIG_IMPORT_INTERNAL_H
#define COMMON_CONFIG_IMPORT_INTERNAL_H

#include "common/config/ini.h"
#include "common/config/settings.h"

/** A line of the file, or one that is added. */
struct import_line {
	struct ini_place at; /* file is NULL: it is added */
	char *name;          /* NULL: a comment, or empty */
	char *value;
	char *text;   /* as written; NULL: NAME = VALUE */
	char *note;   /* the comment above it; NULL: none */
	bool out;     /* is commented out */
	size_t place; /* among the lines that the settings judge */
};

struct import_section {
	struct ini_place at;
	char *name; /* "" for what stands before the first [section] */
	enum role role;
	struct import_line *lines;
	size_t count;
	char *note; /* as of a line */
	bool out;
	size_t place;
};

struct import {
	const struct ini *ini;
	enum role role;
	struct import_section
	    *sections; /* the first is what stands before any [section] */
	size_t count;
	struct diagnostics *faults;
	bool failed; /* out of memory: what is made is not whole */
};

/* ---- import_lines.c -------------------------------------------------------------- */

/** The sections of im->ini, each line as it is. */
void import_take(struct import *im);
void import_clear(struct import *im);

/** The option of this line, by its one name; NULL: a comment, commented out, or unknown.
 */
const struct option *import_option(const struct import_line *line);

/** Is the section one that this program runs, and is not left out? */
bool import_is_ours(const struct import *im, const struct import_section *section);

/** Put a sentence more above a line or section. */
void import_note(struct import *im, char **note, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Give the line another name or value (NULL: the same). */
void import_change(
    struct import *im, struct import_line *line, const char *name, const char *value);

/** Add a line below the last one of the section that is no comment.  Returns it; NULL:
 * out of memory.  Lines of this section move. */
struct import_line *import_add(struct import *im, struct import_section *section,
    const char *name, const char *value);

/** Write all of it, with comments, in lines of at most some 90 bytes where those are
 * ours. */
void import_print(const struct import *im, FILE *out);

/* ---- import_value.c -------------------------------------------------------------- */

/** Say in our words what lines of the section say in stunnel's. */
void import_values(struct import *im, struct import_section *section);

/* ---- import_rules.c -------------------------------------------------------------- */

/** Which program runs each section; and a name of its own for each. */
void import_roles(struct import *im);

/** Add what our defaults make necessary, and comment out what had no effect. */
void import_rules(struct import *im);

#endif
