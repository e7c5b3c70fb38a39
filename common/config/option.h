/*
 * The engine of options: one row of a table is all there is to an option.  Reading,
 * range check, default, --options and the table in Markdown all follow from it.  A value
 * is set at @base + the row's offset, where @base is zeroed at first.
 */
#ifndef COMMON_CONFIG_OPTION_H
#define COMMON_CONFIG_OPTION_H

#include "common/base/address.h"
#include "common/base/err.h"
#include "common/base/strlist.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/** Which half of a file a program runs. */
enum role {
	ROLE_CLIENT,
	ROLE_SERVER
};

struct name_list {
	struct address_name *items;
	size_t count;
};

/** What an option's place holds. */
enum option_type {
	OPTION_YES_NO,    /* bool */
	OPTION_INTEGER,   /* long */
	OPTION_SECONDS,   /* double */
	OPTION_WORD,      /* int or an enum: one of .words */
	OPTION_TEXT,      /* char *, NULL: none */
	OPTION_TEXTS,     /* struct strlist: each line adds one */
	OPTION_ADDRESSES, /* struct name_list: each line adds one */
	OPTION_SOCKETS,   /* struct socket_option_list: each line adds one */
	OPTION_NOTHING, /* nothing: one of .words, or a number up to .max, to no effect */
};

/** Where an option may stand. */
enum option_scope {
	OPTION_SERVICE, /* in a section, or before the first one as a default for all */
	OPTION_GLOBAL,  /* before the first section alone */
};

/** Who uses an option. */
enum option_roles {
	OPTION_BOTH,
	OPTION_CLIENT,
	OPTION_SERVER,
};

/** A word and what is stored for it; the last of a list is {NULL}. */
struct option_word {
	const char *word;
	int value;
};

/** A row.  What is not named is none of it. */
struct option {
	const char *name;
	const char *alias;
	enum option_type type;
	enum option_scope scope;
	enum option_roles roles;
	size_t offset;
	size_t also; /* a second place that gets the same value; 0: none */
	/** The default as a line of the file would say it, by role; NULL: as zeroed. */
	const char *fallback[2];
	/** In place of the fallback for the reader, where a default depends on others. */
	const char *fallback_help[2];
	double min, max;   /* of numbers, both included */
	bool anew;         /* of a list: a section's lines replace those before it */
	bool clamped;      /* what is above max is taken as max, with a warning */
	bool may_be_empty; /* of a list: an empty line forgets those before it */
	bool any_port;     /* of an address: port 0 is one that the system chooses */
	bool anywhere; /* of OPTION_GLOBAL: it may stand in sections too; see its row */
	const struct option_word *words;
	char cut_at;          /* what stands before the last such character is ignored */
	const char *any_host; /* of an address that is only a port */
	const char *syntax;   /* the values for the reader; NULL: as the type tells */
	const char *help;     /* a sentence without its full stop */
};

/** Options of stunnel's that this table does not have, and what to do instead. */
struct option_refusal {
	const char *names; /* one or more, a blank between them; "engine*" is a prefix */
	const char *why;   /* behind "NAME " */
};

struct option_table {
	const struct option *rows;
	size_t count;
	const struct option_refusal *refusals; /* the last is {NULL, NULL} */
};

enum {
	/** Room for option_values(). */
	OPTION_VALUES_SIZE = 256,
};

/* clang-format off */
/** offsetof(), and the compiler refuses a field of another type. */
#define OPTION_AT(structure, field, type)                                                \
	_Generic(((struct structure *)NULL)->field,                                      \
	    type: offsetof(struct structure, field)) /* NOLINT(bugprone-macro-parentheses) */
/* clang-format on */

/** Any case, name or alias.  NULL and @e: no such option; the text says why it is
 * refused, or which one is nearest. */
const struct option *
option_find(const struct option_table *table, const char *name, struct err *e);

/** The option whose name is nearest to @name, and near enough to be meant; or NULL. */
const struct option *option_nearest(const struct option_table *table, const char *name);

/** How many letters must be put in, left out or changed to make one word the other, in
 * any case; words are compared up to 64 letters. */
size_t option_distance(const char *a, const char *b);

/** The most of them that may be wrong in @word if another one was meant: one in three,
 * and never many. */
size_t option_misspelt(const char *word);

/** Is @value, which is refused, free of what is no part of one: quotes round it, and a
 * comment behind it?  False: @e says so. */
bool option_is_bare(const char *value, struct err *e);

/** Read @value into @base.  What was there before is freed, or kept where values add up.
 * On failure @base is as it was; @e does not repeat the value. */
bool option_set(const struct option *o, void *base, const char *value, struct err *e);

/** Read the default of @role into @base.  False: out of memory. */
bool
option_set_fallback(const struct option *o, void *base, enum role role, struct err *e);

/** Free what the row owns at @base and zero it. */
void option_clear(const struct option *o, void *base);

/** What may stand behind the "=", for the reader.  Returns @text or a constant. */
const char *option_values(const struct option *o, char text[OPTION_VALUES_SIZE]);

/** True if a service of @role uses this option. */
bool option_is_for(const struct option *o, enum role role);

/** The default of @role for the reader.  Returns a constant. */
const char *option_default(const struct option *o, enum role role);

/** One row by itself, in full. */
void option_print_one(const struct option *o, FILE *out);

/** Lists in mdoc(7) for a manual page, for both roles. */
void option_print_mdoc(const struct option_table *table, FILE *out);

/** Readable columns: name, default, values, meaning, of all that concerns @role. */
void option_print(const struct option_table *table, FILE *out, enum role role);

/** A table in Markdown: name, values, both defaults, meaning. */
void option_print_markdown(const struct option_table *table, FILE *out);

#endif
