/*
 * Options as their readers see them: columns for a terminal, a table in Markdown.
 */
#include "common/config/option.h"

#include <string.h>

enum {
	CELLS = 4,
	GAP = 2,    /* blanks between two columns */
	WIDTH = 78, /* of lines of text */
};

static const int widths[CELLS] = {16, 18, 20, 46};

const char *
option_default(const struct option *o, enum role role)
{
	if (o->fallback_help[role] != NULL)
		return o->fallback_help[role];
	return o->fallback[role] != NULL ? o->fallback[role] : "none";
}

/* How much of @text fits into @width without breaking a word, unless a word alone is
 * wider than that. */
static size_t
fitting(const char *text, size_t width)
{
	size_t fits = strcspn(text, " "), next = fits;

	while (text[next] != '\0') {
		next += 1 + strcspn(text + next + 1, " ");
		if (next > width)
			break;
		fits = next;
	}
	return fits;
}

/* One row, each cell in as many lines as it takes. */
static void
print_cells(FILE *out, const char *cells[CELLS])
{
	bool more = true;

	while (more) {
		int pad = 0;

		more = false;
		for (int i = 0; i < CELLS; i++) {
			size_t n = fitting(cells[i], (size_t)widths[i]);

			if (n > 0)
				fprintf(out, "%*s%.*s", pad, "", (int)n, cells[i]);
			pad = (n > 0 ? 0 : pad) + widths[i] + GAP - (int)n;
			cells[i] += n + strspn(cells[i] + n, " ");
			more = more || *cells[i] != '\0';
		}
		fputc('\n', out);
	}
}

static const char *
name_of(const struct option *o, char text[OPTION_VALUES_SIZE])
{
	if (o->alias == NULL)
		return o->name;
	snprintf(text, OPTION_VALUES_SIZE, "%s (%s)", o->name, o->alias);
	return text;
}

static void
print_scope(
    const struct option_table *table, FILE *out, enum role role, enum option_scope scope)
{
	char name[OPTION_VALUES_SIZE], values[OPTION_VALUES_SIZE];

	print_cells(out, (const char *[CELLS]){"NAME", "DEFAULT", "VALUES", "MEANING"});
	for (size_t i = 0; i < table->count; i++) {
		const struct option *o = &table->rows[i];

		if (o->scope == scope && option_is_for(o, role))
			print_cells(out, (const char *[CELLS]){name_of(o, name),
					     option_default(o, role),
					     option_values(o, values), o->help});
	}
}

void
option_print(const struct option_table *table, FILE *out, enum role role)
{
	fputs("Before the first [section]:\n\n", out);
	print_scope(table, out, role, OPTION_GLOBAL);
	fputs("\nIn a [section], or before the first one as a default for all:\n\n", out);
	print_scope(table, out, role, OPTION_SERVICE);
}

static void
print_escaped(FILE *out, const char *text)
{
	for (; *text != '\0'; text++)
		fprintf(out, *text == '|' ? "\\%c" : "%c", *text);
}

static void
print_markdown_row(const struct option *o, FILE *out)
{
	char values[OPTION_VALUES_SIZE];

	fprintf(out, "| `%s`", o->name);
	if (o->alias != NULL)
		fprintf(out, ", `%s`", o->alias);
	fputs(" | ", out);
	print_escaped(out, option_values(o, values));
	for (enum role role = ROLE_CLIENT; role <= ROLE_SERVER; role++) {
		fputs(" | ", out);
		print_escaped(
		    out, option_is_for(o, role) ? option_default(o, role) : "-");
	}
	fputs(" | ", out);
	print_escaped(out, o->help);
	fputs(" |\n", out);
}

void
option_print_markdown(const struct option_table *table, FILE *out)
{
	fputs("| option | values | default in the client | in the server | meaning |\n"
	      "| --- | --- | --- | --- | --- |\n",
	    out);
	for (enum option_scope scope = OPTION_GLOBAL;; scope = OPTION_SERVICE) {
		for (size_t i = 0; i < table->count; i++)
			if (table->rows[i].scope == scope)
				print_markdown_row(&table->rows[i], out);
		if (scope == OPTION_SERVICE)
			break;
	}
}

void
option_print_one(const struct option *o, FILE *out)
{
	char name[OPTION_VALUES_SIZE], values[OPTION_VALUES_SIZE];

	fprintf(out, "%s = %s\n", name_of(o, name), option_values(o, values));
	for (const char *text = o->help; *text != '\0'; text += strspn(text, " ")) {
		size_t n = fitting(text, WIDTH);

		fprintf(out, "  %.*s\n", (int)n, text);
		text += n;
	}
	for (enum role role = ROLE_CLIENT; role <= ROLE_SERVER; role++)
		fprintf(out, "Default in the %s: %s\n",
		    role == ROLE_CLIENT ? "client" : "server",
		    option_is_for(o, role) ? option_default(o, role) : "not for it");
}
