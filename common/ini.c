#include "common/ini.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	SHOWN_MAX = 200, /* bytes of a line in an error */
};

/* A file being read. */
struct reader {
	FILE *stream;
	struct ini *ini;
	struct err *e;
	bool failed;
	int number;                  /* of the line */
	char line[INI_LINE_MAX + 2]; /* as read */
	char *text;                  /* the same without the blanks round it */
	char *equals;                /* the first "=" in it, while inih has the line */
};

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* A copy of @length bytes without the blanks at their ends. */
static char *
copy_trimmed(const char *text, size_t length)
{
	for (; length > 0 && is_blank(*text); text++)
		length--;
	while (length > 0 && is_blank(text[length - 1]))
		length--;
	return strndup(text, length);
}

/* The line as an error shows it: no control characters, and not too much of it. */
static void
show_line(const char *text, char out[SHOWN_MAX + sizeof("...")])
{
	size_t n = 0;

	for (; n < SHOWN_MAX && text[n] != '\0'; n++) {
		out[n] = text[n];
		if ((unsigned char)text[n] < ' ' || text[n] == 127)
			out[n] = text[n] == '\t' ? ' ' : '?';
	}
	snprintf(out + n, sizeof("..."), "%s", text[n] == '\0' ? "" : "...");
}

/* A password is nobody's to read, even if its line is misspelt. */
static bool
has_secret(const char *text)
{
	static const char name[] = "protocolPass";

	return strncasecmp(text + strspn(text, " \t"), name, sizeof(name) - 1) == 0;
}

bool
ini_blame(const struct ini *ini, int line, const char *text, struct err *e)
{
	char shown[SHOWN_MAX + sizeof("...")];

	show_line(has_secret(text) ? "protocolPassword = (not shown)" : text, shown);
	return err_prefix(e, "%s:%d: \"%s\"", ini->file, line, shown);
}

static bool
fail(struct reader *r, const char *why)
{
	r->failed = true;
	err_set(r->e, "%s", why);
	return ini_blame(r->ini, r->number, r->text, r->e);
}

static bool
fail_memory(struct reader *r)
{
	r->failed = true;
	return err_errno(r->e, ENOMEM, "%s", r->ini->file);
}

static struct ini_section *
last_section(struct reader *r)
{
	return &r->ini->sections[r->ini->count - 1];
}

static bool
add_section(struct reader *r, const char *text, size_t length)
{
	struct ini *ini = r->ini;
	struct ini_section *sections;
	char *name;

	sections = realloc(ini->sections, (ini->count + 1) * sizeof(*sections));
	if (sections != NULL)
		ini->sections = sections;
	if (sections == NULL || (name = copy_trimmed(text, length)) == NULL)
		return fail_memory(r);
	sections[ini->count++] = (struct ini_section){.line = r->number, .name = name};
	return true;
}

static bool
add_entry(struct reader *r)
{
	struct ini_section *section = last_section(r);
	struct ini_entry *entries, *entry;

	entries = realloc(section->entries, (section->count + 1) * sizeof(*entries));
	if (entries == NULL)
		return fail_memory(r);
	section->entries = entries;
	entry = &entries[section->count++];
	entry->line = r->number;
	entry->text = strdup(r->text);
	entry->name = copy_trimmed(r->text, (size_t)(r->equals - r->text));
	entry->value = copy_trimmed(r->equals + 1, strlen(r->equals + 1));
	if (entry->text == NULL || entry->name == NULL || entry->value == NULL)
		return fail_memory(r);
	return true;
}

/* What inih read is our stand-in line; the words of the file were set aside. */
static int
handle(void *arg, const char *section, const char *name, const char *value)
{
	(void)section;
	(void)name;
	(void)value;
	return add_entry(arg) ? 1 : 0;
}

/* Read the next line.  False: there is none, or it failed. */
static bool
read_line(struct reader *r)
{
	size_t length = 0;
	int c = EOF;

	while (length <= INI_LINE_MAX && (c = getc(r->stream)) != EOF && c != '\n' &&
	       c != '\0')
		r->line[length++] = (char)c;
	r->line[length] = '\0';
	r->text = r->line;
	r->number++;
	if (c == '\0')
		return fail(r, "a NUL byte follows");
	if (length > INI_LINE_MAX)
		return fail(r, "the line is longer than 4096 bytes");
	if (ferror(r->stream)) {
		r->failed = true;
		return err_errno(r->e, errno, "read %s", r->ini->file);
	}
	return c != EOF || length > 0;
}

/* Cut the blanks off the line, and the byte order mark off the first one. */
static void
trim(struct reader *r)
{
	char *end = r->line + strlen(r->line);

	if (r->number == 1 && strncmp(r->text, "\xef\xbb\xbf", 3) == 0)
		r->text += 3;
	while (is_blank(*r->text))
		r->text++;
	while (end > r->text && is_blank(end[-1]))
		*--end = '\0';
}

static bool
has_control_characters(const char *text)
{
	for (; *text != '\0'; text++)
		if (((unsigned char)*text < ' ' && *text != '\t') || *text == 127)
			return true;
	return false;
}

/* A line [name]. */
static bool
judge_section(struct reader *r)
{
	const char *end = strchr(r->text, ']');

	if (end == NULL)
		return fail(r, "\"]\" is missing");
	if (end[1] != '\0')
		return fail(r, "text stands behind \"]\"");
	if (!add_section(r, r->text + 1, (size_t)(end - r->text - 1)))
		return false;
	if (*last_section(r)->name == '\0')
		return fail(r, "a section needs a name");
	return true;
}

/* A line name = value. */
static bool
judge_entry(struct reader *r)
{
	r->equals = strchr(r->text, '=');
	if (r->equals == NULL)
		return fail(r, "there is no \"=\" in it: write NAME = VALUE");
	if (r->equals == r->text)
		return fail(r, "no name stands before the \"=\"");
	return true;
}

/* The line is neither empty nor a comment. */
static bool
judge(struct reader *r)
{
	if (has_control_characters(r->text))
		return fail(r, "there are control characters in it");
	return *r->text == '[' ? judge_section(r) : judge_entry(r);
}

/* inih's reader: every entry in as few letters as can be, and nothing else. */
static char *
next_line(char *out, int size, void *arg)
{
	struct reader *r = arg;

	while (!r->failed && read_line(r)) {
		trim(r);
		if (*r->text == '\0' || *r->text == '#' || *r->text == ';')
			continue;
		if (!judge(r))
			return NULL;
		if (*r->text == '[')
			continue;
		snprintf(out, (size_t)size, "o=\n");
		return out;
	}
	return NULL;
}

static bool
read_stream(struct reader *r)
{
	if (!add_section(r, "", 0))
		return false;
	if (ini_parse_stream(next_line, r, handle, r) != 0 && !r->failed)
		return fail_memory(r);
	return !r->failed;
}

struct ini *
ini_read(const char *file, struct err *e)
{
	struct reader r = {.e = e};

	if ((r.ini = calloc(1, sizeof(*r.ini))) == NULL ||
	    (r.ini->file = strdup(file)) == NULL) {
		err_errno(e, ENOMEM, "%s", file);
		goto fail;
	}
	if ((r.stream = fopen(file, "re")) == NULL) {
		err_errno(e, errno, "read %s", file);
		goto fail;
	}
	if (!read_stream(&r))
		goto fail;
	fclose(r.stream);
	return r.ini;
fail:
	if (r.stream != NULL)
		fclose(r.stream);
	ini_free(r.ini);
	return NULL;
}

static void
free_section(struct ini_section *section)
{
	for (size_t i = 0; i < section->count; i++) {
		free(section->entries[i].text);
		free(section->entries[i].name);
		free(section->entries[i].value);
	}
	free(section->entries);
	free(section->name);
}

void
ini_free(struct ini *ini)
{
	if (ini == NULL)
		return;
	for (size_t i = 0; i < ini->count; i++)
		free_section(&ini->sections[i]);
	free(ini->sections);
	free(ini->file);
	free(ini);
}
