/*
 * Options as a manual page has them: mdoc(7).
 */
#include "common/config/option.h"

#include <ctype.h>
#include <string.h>

enum {
	WIDTH = 78, /* of a line of text */
};

/* One word; none at the start of a line may look like a macro. */
static void
print_word(FILE *out, const char *word, size_t length, size_t *column)
{
	if (*column > 0 && *column + 1 + length > WIDTH) {
		fputc('\n', out);
		*column = 0;
	}
	if (*column > 0)
		fputc(' ', out);
	else if (*word == '.' || *word == '\'')
		fputs("\\&", out);
	*column += length + 1;
	for (; length > 0; word++, length--)
		fputs(*word == '\\' ? "\\e" : (const char[]){*word, '\0'}, out);
}

/* Text in lines that are short; each sentence begins one. */
static void
print_text(FILE *out, const char *text)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t length = strcspn(text, " ");

		print_word(out, text, length, &column);
		if (text[length - 1] == '.' && isupper((unsigned char)text[length + 1])) {
			fputc('\n', out);
			column = 0;
		}
		text += length + strspn(text + length, " ");
	}
}

/* In quotes, so that no word in it is a macro. */
static void
print_argument(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text != '\0'; text++)
		fputs(*text == '"'    ? "\\(dq"
		      : *text == '\\' ? "\\e"
				      : (const char[]){*text, '\0'},
		    out);
	fputc('"', out);
}

/* A sentence about the default, without its full stop. */
static void
describe_default(const struct option *o, char text[OPTION_VALUES_SIZE])
{
	bool client = option_is_for(o, ROLE_CLIENT),
	     server = option_is_for(o, ROLE_SERVER);
	const char *in_client = option_default(o, ROLE_CLIENT);
	const char *in_server = option_default(o, ROLE_SERVER);

	if (client && server && strcmp(in_client, in_server) == 0)
		snprintf(text, OPTION_VALUES_SIZE, "Default: %s", in_client);
	else if (client && server)
		snprintf(text, OPTION_VALUES_SIZE,
		    "Default in the client: %s; in the server: %s", in_client, in_server);
	else
		snprintf(text, OPTION_VALUES_SIZE, "For the %s alone, by default: %s",
		    client ? "client" : "server", client ? in_client : in_server);
}

static void
print_item(FILE *out, const struct option *o)
{
	char values[OPTION_VALUES_SIZE], text[OPTION_VALUES_SIZE];

	fprintf(out, ".It Ic %s Li = ", o->name);
	fputs("Ar ", out);
	print_argument(out, option_values(o, values));
	fputc('\n', out);
	print_text(out, o->help);
	fputs(".\n", out);
	if (o->alias != NULL)
		fprintf(out, "Also called\n.Ic %s .\n", o->alias);
	describe_default(o, text);
	print_text(out, text);
	fputs(".\n", out);
}

void
option_print_mdoc(const struct option_table *table, FILE *out)
{
	static const char *const titles[] = {
	    [OPTION_GLOBAL] = "Before the first section",
	    [OPTION_SERVICE] =
		"\\&In a section, or before the first one as a default for all",
	};

	for (enum option_scope scope = OPTION_GLOBAL;; scope = OPTION_SERVICE) {
		fprintf(out, ".Ss %s\n.Bl -tag -width Ds\n", titles[scope]);
		for (size_t i = 0; i < table->count; i++)
			if (table->rows[i].scope == scope)
				print_item(out, &table->rows[i]);
		fputs(".El\n", out);
		if (scope == OPTION_SERVICE)
			break;
	}
}
