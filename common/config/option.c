#include "common/config/option.h"

#include "common/base/log.h"
#include "common/base/socket_option.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	/* Letters that are wrong in a word of which another one may be meant. */
	MISSPELT = 3,
};

/* What a type does; a value's place is where the row's offset leads. */
struct operations {
	bool (*set)(const struct option *, void *place, const char *value, struct err *);
	void (*clear)(void *place); /* NULL: nothing is owned */
};

const char *
option_values(const struct option *o, char text[OPTION_VALUES_SIZE])
{
	size_t length = 0;

	if (o->syntax != NULL)
		return o->syntax;
	text[0] = '\0';
	switch (o->type) {
	case OPTION_YES_NO:
		return "yes, no";
	case OPTION_INTEGER:
		snprintf(text, OPTION_VALUES_SIZE, "%.15g to %.15g", o->min, o->max);
		break;
	case OPTION_SECONDS:
		snprintf(
		    text, OPTION_VALUES_SIZE, "%.15g to %.15g seconds", o->min, o->max);
		break;
	case OPTION_WORD:
		for (const struct option_word *w = o->words; w->word != NULL; w++)
			length +=
			    (size_t)snprintf(text + length, OPTION_VALUES_SIZE - length,
				"%s%s", length == 0 ? "" : ", ", w->word);
		break;
	case OPTION_TEXT:
		return "text";
	case OPTION_TEXTS:
		return "text, repeatable";
	case OPTION_ADDRESSES:
		return "[HOST:]PORT or /unix/socket, repeatable";
	case OPTION_SOCKETS:
		return "a, l or r:NAME=VALUE, repeatable";
	case OPTION_NOTHING:
		return "anything";
	}
	return text;
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Levenshtein's. */
size_t
option_distance(const char *a, const char *b)
{
	enum {
		ROW = 64
	};
	size_t row[ROW + 1], columns = least(strlen(b), ROW);
	size_t diagonal, above;

	for (size_t j = 0; j <= columns; j++)
		row[j] = j;
	for (size_t i = 0; i < ROW && a[i] != '\0'; i++) {
		diagonal = row[0];
		row[0] = i + 1;
		for (size_t j = 0; j < columns; j++) {
			above = row[j + 1];
			if (tolower((unsigned char)a[i]) != tolower((unsigned char)b[j]))
				diagonal = least(least(above, row[j]), diagonal) + 1;
			row[j + 1] = diagonal;
			diagonal = above;
		}
	}
	return row[columns];
}

/* Is @word one of "@values, as, the, reader, sees, them"? */
static bool
is_offered(const char *values, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = strstr(values, word); at != NULL; at = strstr(at + 1, word))
		if ((at == values || at[-1] == ' ') &&
		    (at[length] == '\0' || at[length] == ','))
			return true;
	return false;
}

/* The word that was meant, if one of those that are offered is near enough. */
static const char *
nearest_word(const struct option *o, const char *value, const char *values)
{
	static const struct option_word yes_no[] = {{"yes", 1}, {"no", 0}, {NULL, 0}};
	const struct option_word *w = o->type == OPTION_YES_NO ? yes_no : o->words;
	size_t best = strlen(value) < MISSPELT ? strlen(value) : MISSPELT;
	const char *word = NULL;

	for (; w != NULL && w->word != NULL; w++) {
		if (option_distance(value, w->word) < best &&
		    is_offered(values, w->word)) {
			best = option_distance(value, w->word);
			word = w->word;
		}
	}
	return word;
}

/* The value is none of those that the row allows. */
static bool
refuse(const struct option *o, const char *value, struct err *e)
{
	char text[OPTION_VALUES_SIZE];
	const char *values = option_values(o, text);
	const char *word = nearest_word(o, value, values);

	if (word != NULL)
		return err_set(
		    e, "%s takes %s; the nearest is %s", o->name, values, word);
	return err_set(e, "%s takes %s", o->name, values);
}

static bool
set_yes_no(const struct option *o, void *place, const char *value, struct err *e)
{
	bool yes = strcasecmp(value, "yes") == 0;

	if (!yes && strcasecmp(value, "no") != 0)
		return refuse(o, value, e);
	*(bool *)place = yes;
	return true;
}

/* True for digits and, if @fraction, a point among them: no sign, no 1e9, no "inf". */
static bool
is_decimal(const char *value, bool fraction)
{
	size_t n = strspn(value, "0123456789");

	if (n > 0 && fraction && value[n] == '.')
		n += 1 + strspn(value + n + 1, "0123456789");
	return n > 0 && value[n] == '\0' && isdigit((unsigned char)value[n - 1]);
}

static bool
read_number(const struct option *o, const char *value, double *number, struct err *e)
{
	if (!is_decimal(value, o->type == OPTION_SECONDS))
		return refuse(o, value, e);
	*number = strtod(value, NULL);
	if (o->clamped && *number > o->max) {
		log_cause(LOG_LEVEL_WARNING, o->name,
		    "event=settings option=%s warning=\"%s is taken as %.15g, the most\"",
		    o->name, value, o->max);
		*number = o->max;
	}
	return (*number >= o->min && *number <= o->max) || refuse(o, value, e);
}

static bool
set_integer(const struct option *o, void *place, const char *value, struct err *e)
{
	double number = 0;

	if (!read_number(o, value, &number, e))
		return false;
	*(long *)place = (long)number;
	return true;
}

static bool
set_seconds(const struct option *o, void *place, const char *value, struct err *e)
{
	double number = 0;

	if (!read_number(o, value, &number, e))
		return false;
	*(double *)place = number;
	return true;
}

static bool
set_word(const struct option *o, void *place, const char *value, struct err *e)
{
	const char *word = value, *cut;

	if (o->cut_at != '\0' && (cut = strrchr(value, o->cut_at)) != NULL)
		word = cut + 1;
	for (const struct option_word *w = o->words; w->word != NULL; w++) {
		if (strcasecmp(w->word, word) == 0) {
			/* An enum has the size of an int here, signed or not. */
			memcpy(place, &w->value, sizeof(w->value));
			return true;
		}
	}
	return refuse(o, value, e);
}

static void
clear_text(void *place)
{
	char **text = place;

	text_wipe(*text);
	*text = NULL;
}

static bool
set_text(const struct option *o, void *place, const char *value, struct err *e)
{
	char *copy = NULL;

	if (*value == '\0' && !o->may_be_empty)
		return err_set(e, "%s needs a value", o->name);
	if (*value != '\0' && (copy = strdup(value)) == NULL)
		return err_errno(e, ENOMEM, "%s", o->name);
	clear_text(place);
	*(char **)place = copy;
	return true;
}

static void
clear_texts(void *place)
{
	strlist_clear(place);
}

static bool
add_text(const struct option *o, void *place, const char *value, struct err *e)
{
	if (*value == '\0' && !o->may_be_empty)
		return err_set(e, "%s needs a value", o->name);
	if (*value == '\0') {
		strlist_clear(place);
		return true;
	}
	return strlist_add(place, value) || err_errno(e, ENOMEM, "%s", o->name);
}

static void
clear_addresses(void *place)
{
	struct name_list *list = place;

	for (size_t i = 0; i < list->count; i++)
		address_name_clear(&list->items[i]);
	free(list->items);
	*list = (struct name_list){0};
}

static bool
add_address(const struct option *o, void *place, const char *value, struct err *e)
{
	struct name_list *list = place;
	struct address_name name, *items;
	bool ok = o->any_port ? address_name_parse_listener(&name, value, o->any_host, e)
			      : address_name_parse(&name, value, o->any_host, e);

	if (!ok)
		return false;
	items = realloc(list->items, (list->count + 1) * sizeof(*items));
	if (items == NULL) {
		address_name_clear(&name);
		return err_errno(e, ENOMEM, "%s", o->name);
	}
	list->items = items;
	items[list->count++] = name;
	return true;
}

static bool
add_socket_option(const struct option *o, void *place, const char *value, struct err *e)
{
	(void)o;
	return socket_option_add(place, value, e);
}

static void
clear_socket_options(void *place)
{
	socket_option_clear(place);
}

static bool
judge_nothing(const struct option *o, void *place, const char *value, struct err *e)
{
	(void)place;
	for (const struct option_word *w = o->words; w != NULL && w->word != NULL; w++)
		if (strcasecmp(w->word, value) == 0)
			return true;
	if (o->words == NULL ||
	    (o->max > 0 && is_decimal(value, false) && strtod(value, NULL) <= o->max))
		return true;
	return refuse(o, value, e);
}

static const struct operations operations[] = {
    [OPTION_YES_NO] = {set_yes_no, NULL},
    [OPTION_INTEGER] = {set_integer, NULL},
    [OPTION_SECONDS] = {set_seconds, NULL},
    [OPTION_WORD] = {set_word, NULL},
    [OPTION_TEXT] = {set_text, clear_text},
    [OPTION_TEXTS] = {add_text, clear_texts},
    [OPTION_ADDRESSES] = {add_address, clear_addresses},
    [OPTION_SOCKETS] = {add_socket_option, clear_socket_options},
    [OPTION_NOTHING] = {judge_nothing, NULL},
};

bool
option_is_bare(const char *value, struct err *e)
{
	if (*value == '"' || *value == '\'')
		return err_set(e, "a value has no quotes: write it without");
	for (const char *c = value; *c != '\0'; c++)
		if ((c[0] == ' ' || c[0] == '\t') && (c[1] == ';' || c[1] == '#'))
			return err_set(e, "no comment may stand behind a value: write it "
					  "on a line of its own");
	return true;
}

bool
option_set(const struct option *o, void *base, const char *value, struct err *e)
{
	char *bytes = base;

	if (!operations[o->type].set(o, bytes + o->offset, value, e)) {
		(void)option_is_bare(value, e);
		return false;
	}
	if (o->also == 0)
		return true;
	assert(operations[o->type].clear == NULL);
	return operations[o->type].set(o, bytes + o->also, value, e);
}

bool
option_set_fallback(const struct option *o, void *base, enum role role, struct err *e)
{
	if (o->fallback[role] == NULL)
		return true;
	return option_set(o, base, o->fallback[role], e);
}

void
option_clear(const struct option *o, void *base)
{
	if (operations[o->type].clear != NULL)
		operations[o->type].clear((char *)base + o->offset);
}

bool
option_is_for(const struct option *o, enum role role)
{
	return o->roles == OPTION_BOTH ||
	       o->roles == (role == ROLE_CLIENT ? OPTION_CLIENT : OPTION_SERVER);
}

/* Is @name among @names, "one two three*"? */
static bool
is_listed(const char *names, const char *name)
{
	size_t length;

	for (; *names != '\0'; names += length + strspn(names + length, " ")) {
		length = strcspn(names, " ");
		if (names[length - 1] == '*'
			? strncasecmp(names, name, length - 1) == 0
			: strlen(name) == length && strncasecmp(names, name, length) == 0)
			return true;
	}
	return false;
}

static const struct option_refusal *
find_refusal(const struct option_table *table, const char *name)
{
	for (const struct option_refusal *r = table->refusals; r->names != NULL; r++)
		if (is_listed(r->names, name))
			return r;
	return NULL;
}

size_t
option_misspelt(const char *word)
{
	return least(MISSPELT - 1, strlen(word) / 3);
}

/* May @name be @option misspelt? */
static bool
is_near(const char *name, const char *option)
{
	return option_distance(name, option) <= option_misspelt(name);
}

/* How long the stem is that two names have in common: the whole of the shorter one. */
static size_t
stem(const char *a, const char *b)
{
	size_t length = least(strlen(a), strlen(b));

	return strncasecmp(a, b, length) == 0 ? length : 0;
}

/* The option with the longest of them, or NULL: a stem has three letters at least. */
static const struct option *
find_relative(const struct option_table *table, const char *name)
{
	const struct option *best = NULL;
	size_t longest = 2;

	for (size_t i = 0; i < table->count; i++) {
		size_t length = stem(name, table->rows[i].name);

		if (length > longest) {
			longest = length;
			best = &table->rows[i];
		}
	}
	return best;
}

static const struct option *
nearest(const struct option_table *table, const char *name)
{
	const struct option *best = &table->rows[0];

	for (size_t i = 0; i < table->count; i++)
		if (option_distance(name, table->rows[i].name) <
		    option_distance(name, best->name))
			best = &table->rows[i];
	return best;
}

const struct option *
option_nearest(const struct option_table *table, const char *name)
{
	const struct option *best = nearest(table, name);

	if (find_refusal(table, name) != NULL || !is_near(name, best->name))
		return NULL;
	return best;
}

/* There is no such option: say which one may be meant. */
static const struct option *
not_found(const struct option_table *table, const char *name, struct err *e)
{
	const struct option *best = option_nearest(table, name);

	if (best == NULL)
		best = find_relative(table, name);
	if (best != NULL)
		err_set(e, "there is no such option; the nearest one is %s", best->name);
	else
		err_set(e, "there is no such option; --options lists all");
	return NULL;
}

const struct option *
option_find(const struct option_table *table, const char *name, struct err *e)
{
	const struct option_refusal *refusal;
	const struct option *o;

	for (size_t i = 0; i < table->count; i++) {
		o = &table->rows[i];
		if (strcasecmp(o->name, name) == 0 ||
		    (o->alias != NULL && strcasecmp(o->alias, name) == 0))
			return o;
	}
	if ((refusal = find_refusal(table, name)) == NULL)
		return not_found(table, name, e);
	err_set(e, "%s %s", name, refusal->why);
	return NULL;
}
