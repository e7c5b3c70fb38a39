#include "common/config/ini.h"

#include "common/config/ini_form.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	DEPTH_MAX = 8, /* of folders that are included by what was included */
};

/* What all files that are read have in common. */
struct reading {
	struct ini *ini;
	struct diagnostics *faults;
	size_t lines; /* read so far */
	bool ended;   /* by a fault that nothing is to follow, or without memory */
	bool whole;   /* comments too */
};

/* A file being read. */
struct reader {
	struct reading *all;
	FILE *stream;
	struct ini_place at;
	int depth;                   /* of inclusion */
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

/* Note it.  Always returns false; the next line follows unless `ended`. */
static bool
note(struct reading *all, const struct err *e)
{
	if (!diagnostics_note(all->faults, e))
		all->ended = true;
	return false;
}

/* The line is wrong. */
static bool
fail(struct reader *r, const char *why)
{
	struct err e;

	err_set(&e, "%s", why);
	ini_blame(&r->at, r->text, &e);
	return note(r->all, &e);
}

static bool
fail_memory(struct reading *all)
{
	struct err e;

	err_errno(&e, ENOMEM, "%s", all->ini->file);
	note(all, &e);
	all->ended = true;
	return false;
}

static struct ini_section *
last_section(struct reader *r)
{
	return &r->all->ini->sections[r->all->ini->count - 1];
}

static bool
add_section(struct reader *r, const char *text, size_t length)
{
	struct ini *ini = r->all->ini;
	struct ini_section *sections;
	char *name;

	sections = realloc(ini->sections, (ini->count + 1) * sizeof(*sections));
	if (sections != NULL)
		ini->sections = sections;
	if (sections == NULL || (name = copy_trimmed(text, length)) == NULL)
		return fail_memory(r->all);
	sections[ini->count++] = (struct ini_section){.at = r->at, .name = name};
	return true;
}

/* A line, of which nothing but its text is known yet. */
static struct ini_entry *
add_line(struct reader *r)
{
	struct ini_section *section = last_section(r);
	struct ini_entry *entries, *entry;

	entries = realloc(section->entries, (section->count + 1) * sizeof(*entries));
	if (entries == NULL)
		return NULL;
	section->entries = entries;
	entry = &entries[section->count++];
	*entry = (struct ini_entry){.at = r->at, .text = strdup(r->text)};
	return entry->text != NULL ? entry : NULL;
}

static bool
add_entry(struct reader *r)
{
	struct ini_entry *entry = add_line(r);

	if (entry == NULL)
		return fail_memory(r->all);
	entry->name = copy_trimmed(r->text, (size_t)(r->equals - r->text));
	entry->value = copy_trimmed(r->equals + 1, strlen(r->equals + 1));
	if (entry->name == NULL || entry->value == NULL)
		return fail_memory(r->all);
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

/* A comment may be as long as one likes, for what is above INI_LINE_MAX is not kept. */
static bool
begins_comment(const char *line)
{
	while (is_blank(*line))
		line++;
	return *line == '#' || *line == ';';
}

/* What is left of a line that is wrong, or of a comment. */
static void
skip_line(struct reader *r)
{
	int c;

	while ((c = getc(r->stream)) != EOF && c != '\n')
		;
}

static bool
fail_reading(struct reader *r)
{
	struct err e;

	err_errno(&e, errno, "read %s", r->at.file);
	note(r->all, &e);
	r->all->ended = true;
	return false;
}

/* Read the next line that is none of the file's faults.  False: there is none. */
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
	r->at.line++;
	r->at.count = r->all->lines++;
	if (ferror(r->stream))
		return fail_reading(r);
	if (c != '\0' && length <= INI_LINE_MAX)
		return c != EOF || length > 0;
	if (c == '\0')
		fail(r, "a NUL byte follows");
	else if (!begins_comment(r->line))
		fail(r, "the line is longer than 4096 bytes");
	if (c == '\0' || !begins_comment(r->line))
		r->line[0] = '\0';
	skip_line(r);
	return !r->all->ended;
}

/* Cut the blanks off the line, and the byte order mark off the first one. */
static void
trim(struct reader *r)
{
	char *end = r->line + strlen(r->line);

	if (r->at.line == 1 && strncmp(r->text, "\xef\xbb\xbf", 3) == 0)
		r->text += 3;
	while (is_blank(*r->text))
		r->text++;
	while (end > r->text && is_blank(end[-1]))
		*--end = '\0';
}

/* A line [name].  What follows it belongs to it, even if it is wrong. */
static bool
judge_section(struct reader *r)
{
	const char *end = strchr(r->text, ']');
	size_t length = end != NULL ? (size_t)(end - r->text) : strlen(r->text);

	if (!add_section(r, r->text + 1, length - 1))
		return false;
	if (end == NULL)
		return fail(r, "\"]\" is missing");
	if (end[1] != '\0')
		return fail(r, "text stands behind \"]\"");
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

/* ---- include --------------------------------------------------------------------- */

static bool read_stream(struct reader *r);

/* A part that is no file (a folder, a pipe) is passed over. */
static void
read_part(struct reader *from, const char *path)
{
	struct strlist *parts = &from->all->ini->parts;
	struct reader *r = malloc(sizeof(*r));
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (r == NULL || !strlist_add(parts, path)) {
		fail_memory(from->all);
		goto end;
	}
	*r = (struct reader){.all = from->all, .depth = from->depth + 1};
	r->at.file = parts->items[parts->count - 1];
	if (fd < 0 || fstat(fd, &st) != 0) {
		fail_reading(r);
	} else if (S_ISREG(st.st_mode) && (r->stream = fdopen(fd, "r")) != NULL) {
		(void)read_stream(r);
		fclose(r->stream);
		fd = -1;
	}
end:
	if (fd >= 0)
		close(fd);
	if (r != NULL)
		OPENSSL_cleanse(r->line, sizeof(r->line));
	free(r);
}

static int
is_shown(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void
read_parts(struct reader *r, const char *folder, struct dirent **names, size_t count)
{
	size_t size = strlen(folder) + sizeof(names[0]->d_name) + 2;
	char *path = malloc(size);

	for (size_t i = 0; path != NULL && i < count && !r->all->ended; i++) {
		snprintf(path, size, "%s/%s", folder, names[i]->d_name);
		read_part(r, path);
	}
	if (path == NULL)
		fail_memory(r->all);
	free(path);
}

/* A line include = FOLDER. */
static bool
include(struct reader *r)
{
	char *folder = copy_trimmed(r->equals + 1, strlen(r->equals + 1));
	struct dirent **names = NULL;
	char why[128];
	int count = -1;

	if (folder == NULL || !strlist_add(&r->all->ini->folders, folder)) {
		fail_memory(r->all);
	} else if (*folder == '\0') {
		fail(r, "include needs a folder");
	} else if (r->depth >= DEPTH_MAX) {
		fail(r, "folders include each other without end");
	} else if ((count = scandir(folder, &names, is_shown, by_name)) < 0) {
		snprintf(
		    why, sizeof(why), "the folder cannot be read: %s", strerror(errno));
		fail(r, why);
	} else {
		read_parts(r, folder, names, (size_t)count);
	}
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
	free(folder);
	return false;
}

/* ---- a file ---------------------------------------------------------------------- */

static bool
is_include(const struct reader *r)
{
	static const char name[] = "include";
	size_t length = sizeof(name) - 1;

	return strncasecmp(r->text, name, length) == 0 &&
	       r->text + length + strspn(r->text + length, " \t") == r->equals;
}

/* The line is neither empty nor a comment.  True: it is an entry. */
static bool
judge(struct reader *r)
{
	struct err e = {.text = ""};

	if (!ini_form_of_line(r->text, strchr(r->text, '='), &e))
		return fail(r, e.text);
	if (*r->text == '[') {
		(void)judge_section(r);
		return false;
	}
	return judge_entry(r) && (!is_include(r) || include(r));
}

static bool
is_comment(struct reader *r)
{
	if (*r->text != '\0' && *r->text != '#' && *r->text != ';')
		return false;
	if (r->all->whole && add_line(r) == NULL)
		fail_memory(r->all);
	return true;
}

/* inih's reader: every entry in as few letters as can be, and nothing else. */
static char *
next_line(char *out, int size, void *arg)
{
	struct reader *r = arg;

	while (!r->all->ended && read_line(r)) {
		trim(r);
		if (is_comment(r) || !judge(r))
			continue;
		snprintf(out, (size_t)size, "o=\n");
		return out;
	}
	return NULL;
}

/* It is no file of settings, which is told once and not for each of its lines. */
static bool
fail_form(struct reader *r, const char *why)
{
	struct err e;

	err_set(&e, "%s: %s", r->at.file, why);
	if (r->depth == 0)
		r->all->ended = true;
	return note(r->all, &e);
}

static bool
read_stream(struct reader *r)
{
	const char *why = ini_form_of_file(r->stream);

	if (why != NULL)
		return fail_form(r, why);
	if (ini_parse_stream(next_line, r, handle, r) != 0 && !r->all->ended)
		return fail_memory(r->all);
	return !r->all->ended;
}

static bool
read_file(struct reader *r)
{
	if (!add_section(r, "", 0))
		return false;
	if ((r->stream = fopen(r->at.file, "re")) == NULL)
		return fail_reading(r);
	(void)read_stream(r);
	fclose(r->stream);
	return !r->all->ended;
}

static struct ini *
read_ini(const char *file, bool whole, struct diagnostics *faults)
{
	struct ini *ini = calloc(1, sizeof(*ini));
	struct reading all = {.ini = ini, .faults = faults, .whole = whole};
	struct reader r = {.all = &all};
	struct err e;
	bool ok;

	if (ini == NULL || (ini->file = strdup(file)) == NULL) {
		err_errno(&e, ENOMEM, "%s", file);
		diagnostics_note(faults, &e);
		goto fail;
	}
	r.at.file = ini->file;
	ok = read_file(&r);
	OPENSSL_cleanse(r.line, sizeof(r.line));
	if (ok)
		return ini;
fail:
	ini_free(ini);
	return NULL;
}

struct ini *
ini_read(const char *file, struct diagnostics *faults)
{
	return read_ini(file, false, faults);
}

struct ini *
ini_read_whole(const char *file, struct diagnostics *faults)
{
	return read_ini(file, true, faults);
}

static void
free_section(struct ini_section *section)
{
	for (size_t i = 0; i < section->count; i++) {
		text_wipe(section->entries[i].text);
		free(section->entries[i].name);
		text_wipe(section->entries[i].value);
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
	strlist_clear(&ini->parts);
	strlist_clear(&ini->folders);
	free(ini->file);
	free(ini);
}
