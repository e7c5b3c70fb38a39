/*
 * The lines that a service was read from: what a reload compares, and where what turns
 * out to be wrong only later stands.
 */
#include "common/config/check.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Bytes of a section's lines, as write_lines() writes them. */
static size_t
lines_length(const struct ini_section *section)
{
	size_t length = 0;

	for (size_t i = 0; i < section->count; i++)
		length += strlen(section->entries[i].name) +
			  strlen(section->entries[i].value) + 2;
	return length;
}

static char *
write_lines(char *at, const struct ini_section *section)
{
	for (size_t i = 0; i < section->count; i++) {
		at = stpcpy(at, section->entries[i].name);
		*at++ = '=';
		at = stpcpy(at, section->entries[i].value);
		*at++ = '\n';
	}
	return at;
}

/* The lines of the defaults before the first section and of this one, one below the
 * other, in memory that never moves: there may be secrets among them. */
static char *
text_of(const struct draft *d)
{
	const struct ini_section *head = d->ini->sections;
	char *text = malloc(lines_length(head) + lines_length(d->section) + 1);

	if (text != NULL)
		*write_lines(write_lines(text, head), d->section) = '\0';
	return text;
}

/* The file's name as @settings have it, which outlive what was read. */
static const char *
own_name(const struct draft *d, const struct settings *settings, const char *file)
{
	for (size_t i = 0; i < settings->parts.count; i++)
		if (d->ini->parts.items[i] == file)
			return settings->parts.items[i];
	return settings->file;
}

bool
settings_keep_lines(const struct draft *d, const struct settings *settings)
{
	const struct ini_section *sections[] = {d->ini->sections, d->section};
	struct service_settings *s = d->s;
	size_t most = sections[0]->count + sections[1]->count;

	s->text = text_of(d);
	if ((s->lines = calloc(most + 1, sizeof(*s->lines))) == NULL || s->text == NULL)
		return false;
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		for (size_t j = 0; j < sections[i]->count; j++) {
			const struct ini_place *at = &sections[i]->entries[j].at;

			s->lines[s->line_count++] = (struct settings_line){
			    own_name(d, settings, at->file), at->line, at->count};
		}
	return true;
}

/* ---- the line that a failure is about -------------------------------------------- */

/* A line as text_of() wrote it. */
struct written {
	const char *name, *value;
	size_t name_length, value_length;
};

/* The next line of @text, which is moved behind it. */
static struct written
next_written(const char **text)
{
	struct written line = {.name = *text, .name_length = strcspn(*text, "=")};

	line.value = line.name + line.name_length + 1;
	line.value_length = strcspn(line.value, "\n");
	*text = line.value + line.value_length + 1;
	return line;
}

/* Does @line say what @words, OPTION VALUE: ... or OPTION = VALUE: ..., are about?  A
 * path alone tells too, for a key may be in the file of cert. */
static bool
is_meant(const struct written *line, const char *words, bool by_path)
{
	size_t length = strcspn(words, " ");
	const char *value = words + length;

	value += strncmp(value, " = ", 3) == 0 ? 3 : strspn(value, " ");
	if (line->value_length == 0 ||
	    strncmp(value, line->value, line->value_length) != 0 ||
	    strchr(":", value[line->value_length]) == NULL)
		return false;
	return by_path ? *value == '/'
		       : line->name_length == length &&
			     strncasecmp(line->name, words, length) == 0;
}

/* The last of them, whose value counts; NULL: there is none. */
static const struct settings_line *
find_line(const struct service_settings *s, const char *words, bool by_path,
    struct written *found)
{
	const struct settings_line *last = NULL;
	const char *text = s->text;

	for (size_t i = 0; i < s->line_count; i++) {
		struct written line = next_written(&text);

		if (!is_meant(&line, words, by_path))
			continue;
		*found = line;
		last = &s->lines[i];
	}
	return last;
}

bool
settings_blame_line(const struct service_settings *s, struct err *e)
{
	struct written line;
	const struct settings_line *at = find_line(s, e->text, false, &line);
	struct ini_place place;
	char text[INI_LINE_MAX + 3];

	if (at == NULL && (at = find_line(s, e->text, true, &line)) == NULL)
		return false;
	snprintf(text, sizeof(text), "%.*s = %.*s", (int)line.name_length, line.name,
	    (int)line.value_length, line.value);
	place = (struct ini_place){at->file, at->line, at->place};
	ini_blame(&place, text, e);
	return true;
}
