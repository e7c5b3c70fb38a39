#include "common/config/import_internal.h"

#include "common/config/options_table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
	WIDTH = 90, /* of our comments */
};

static char *
copy(struct import *im, const char *text)
{
	char *made = text != NULL ? strdup(text) : NULL;

	im->failed |= text != NULL && made == NULL;
	return made;
}

/* ---- what there is --------------------------------------------------------------- */

static void
take_section(
    struct import *im, struct import_section *section, const struct ini_section *from)
{
	section->at = from->at;
	section->name = copy(im, from->name);
	if (from->count == 0)
		return;
	section->lines = calloc(from->count, sizeof(*section->lines));
	im->failed |= section->lines == NULL;
	for (size_t i = 0; i < from->count && section->lines != NULL; i++) {
		const struct ini_entry *entry = &from->entries[i];

		section->lines[section->count++] = (struct import_line){
		    .at = entry->at,
		    .name = copy(im, entry->name),
		    .value = copy(im, entry->value),
		    .text = copy(im, entry->text),
		};
	}
}

void
import_take(struct import *im)
{
	im->sections = calloc(im->ini->count, sizeof(*im->sections));
	im->failed |= im->sections == NULL;
	for (size_t i = 0; i < im->ini->count && im->sections != NULL; i++)
		take_section(im, &im->sections[im->count++], &im->ini->sections[i]);
}

/* There may be secrets among them. */
void
import_clear(struct import *im)
{
	for (size_t i = 0; i < im->count; i++) {
		struct import_section *section = &im->sections[i];

		for (size_t j = 0; j < section->count; j++) {
			free(section->lines[j].name);
			text_wipe(section->lines[j].value);
			text_wipe(section->lines[j].text);
			free(section->lines[j].note);
		}
		free(section->lines);
		free(section->name);
		free(section->note);
	}
	free(im->sections);
}

const struct option *
import_option(const struct import_line *line)
{
	struct err ignored;

	if (line->name == NULL || line->out)
		return NULL;
	return option_find(&settings_rows, line->name, &ignored);
}

bool
import_is_ours(const struct import *im, const struct import_section *section)
{
	return !section->out && (section == im->sections || section->role == im->role);
}

/* ---- what is made of it ---------------------------------------------------------- */

void
import_note(struct import *im, char **note, const char *format, ...)
{
	char *words = NULL, *both = NULL;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&words, format, args);
	va_end(args);
	if (length >= 0 && *note != NULL)
		length = asprintf(&both, "%s\n%s", *note, words);
	else
		both = length >= 0 ? strdup(words) : NULL;
	if (length >= 0)
		free(words);
	if (length < 0 || both == NULL) {
		im->failed = true;
		return;
	}
	free(*note);
	*note = both;
}

void
import_change(
    struct import *im, struct import_line *line, const char *name, const char *value)
{
	if (name != NULL) {
		free(line->name);
		line->name = copy(im, name);
	}
	if (value != NULL) {
		text_wipe(line->value);
		line->value = copy(im, value);
	}
	text_wipe(line->text);
	line->text = NULL;
}

struct import_line *
import_add(struct import *im, struct import_section *section, const char *name,
    const char *value)
{
	struct import_line *more =
	    realloc(section->lines, (section->count + 1) * sizeof(*more));
	size_t at = section->count;

	if (more == NULL) {
		im->failed = true;
		return NULL;
	}
	section->lines = more;
	/* Comments at its end are about the section that follows. */
	while (at > 0 && more[at - 1].name == NULL)
		at--;
	memmove(&more[at + 1], &more[at], (section->count - at) * sizeof(*more));
	section->count++;
	more[at] = (struct import_line){.name = copy(im, name), .value = copy(im, value)};
	return &more[at];
}

/* ---- writing --------------------------------------------------------------------- */

/* Each line of @note is a comment, which goes on below where it is long. */
static void
print_note(FILE *out, const char *note)
{
	size_t column = 0;

	while (note != NULL && *note != '\0') {
		size_t word = strcspn(note, " \n");

		if (column > 0 && column + 1 + word > WIDTH) {
			fputs("\n#", out);
			column = 1;
		}
		if (column == 0)
			column = (size_t)fprintf(out, "# import:");
		fprintf(out, " %.*s", (int)word, note);
		column += 1 + word;
		note += word;
		if (*note == '\n') {
			fputc('\n', out);
			column = 0;
		}
		note += *note != '\0';
	}
	if (column > 0)
		fputc('\n', out);
}

static void
print_line(const struct import_line *line, bool out_too, FILE *out)
{
	print_note(out, line->note);
	if (line->name != NULL && (line->out || out_too))
		fputc(';', out);
	if (line->text != NULL)
		fprintf(out, "%s\n", line->text);
	else
		fprintf(out, "%s =%s%s\n", line->name, *line->value != '\0' ? " " : "",
		    line->value);
}

/* Where a part begins that was included, or ends. */
static void
print_part(const struct import *im, const char **part, const char *file, FILE *out)
{
	if (file == NULL || file == *part)
		return;
	*part = file;
	fprintf(out, "# import: from %s\n", file == im->ini->file ? im->ini->file : file);
}

/* Of another program's section only what stands below it is written, for that is about
 * the next one. */
static void
print_section(const struct import *im, const struct import_section *section,
    const char **part, FILE *out)
{
	bool foreign = section != im->sections && section->role != im->role;
	size_t i = 0;

	if (foreign)
		for (i = section->count; i > 0 && section->lines[i - 1].name == NULL; i--)
			;
	else
		print_part(im, part, section->at.file, out);
	if (!foreign && section != im->sections) {
		print_note(out, section->note);
		fprintf(out, "%s[%s]\n", section->out ? ";" : "", section->name);
	}
	for (; i < section->count; i++) {
		if (section->out && section->lines[i].at.file == NULL)
			continue; /* it was to go with the others */
		print_part(im, part, section->lines[i].at.file, out);
		print_line(&section->lines[i], section->out, out);
	}
}

void
import_print(const struct import *im, FILE *out)
{
	const char *part = im->ini->file;

	print_note(out, im->sections->note);
	for (size_t i = 0; i < im->count; i++)
		print_section(im, &im->sections[i], &part, out);
}
