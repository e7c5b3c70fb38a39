#include "common/config/import_internal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* ---- ports ----------------------------------------------------------------------- */

/* Is it among the words of a line of services(5), "NAME PORT/tcp ALIAS..."? */
static bool
is_named(char *line, const char *name, unsigned *port)
{
	const char *blanks = " \t\n";
	char *rest = line, *word, *end;
	bool named = false;

	line[strcspn(line, "#")] = '\0';
	for (int i = 0; (word = strsep(&rest, blanks)) != NULL;) {
		if (*word == '\0')
			continue;
		if (i++ != 1)
			named = named || strcasecmp(word, name) == 0;
		else if ((*port = (unsigned)strtoul(word, &end, 10)) == 0 ||
			 strcmp(end, "/tcp") != 0)
			return false;
	}
	return named && *port > 0;
}

/* 0: there is none of this name. */
static unsigned
port_named(const char *name)
{
	FILE *services = fopen("/etc/services", "re");
	unsigned port = 0, found = 0;
	char *line = NULL;
	size_t size = 0;

	while (services != NULL && found == 0 && getline(&line, &size, services) > 0) {
		port = 0;
		if (is_named(line, name, &port))
			found = port;
	}
	free(line);
	if (services != NULL)
		fclose(services);
	return found;
}

/* accept, connect, protocolHost: the names of ports are not looked up here. */
static void
number_port(struct import *im, struct import_line *line)
{
	const char *colon = strrchr(line->value, ':');
	const char *name = colon != NULL ? colon + 1 : line->value;
	char value[INI_LINE_MAX + 1];
	unsigned port;

	if (*line->value == '/' || *name == '\0' || strspn(name, "0123456789") > 0 ||
	    (port = port_named(name)) == 0)
		return;
	snprintf(
	    value, sizeof(value), "%.*s%u", (int)(name - line->value), line->value, port);
	import_note(im, &line->note, "was \"%s\"", line->text);
	import_change(im, line, NULL, value);
}

/* ---- files ----------------------------------------------------------------------- */

static void
use_path(struct import *im, struct import_line *line, const char *folder, size_t length)
{
	char path[2 * PATH_MAX];

	snprintf(path, sizeof(path), "%.*s/%s", (int)length, folder, line->value);
	import_change(im, line, NULL, path);
}

/* Relative paths are told from where stunnel was started: from here, if there is such a
 * file, or from where its own file is. */
static void
complete_path(struct import *im, struct import_line *line)
{
	const char *file = im->ini->file, *slash = strrchr(file, '/');
	char here[PATH_MAX], beside[2 * PATH_MAX];

	if (*line->value == '\0' || *line->value == '/' ||
	    strchr(line->value, ':') != NULL || getcwd(here, sizeof(here)) == NULL)
		return;
	snprintf(beside, sizeof(beside), "%.*s/%s",
	    slash != NULL ? (int)(slash - file) : 1, slash != NULL ? file : ".",
	    line->value);
	import_note(im, &line->note, "was \"%s\"", line->text);
	if (access(line->value, F_OK) == 0 || access(beside, F_OK) != 0 ||
	    slash == NULL) {
		use_path(im, line, here, strlen(here));
	} else if (*file == '/') {
		use_path(im, line, file, (size_t)(slash - file));
	} else {
		char folder[2 * PATH_MAX];

		snprintf(
		    folder, sizeof(folder), "%s/%.*s", here, (int)(slash - file), file);
		use_path(im, line, folder, strlen(folder));
	}
}

/* ---- names ----------------------------------------------------------------------- */

/* An address is no host name: it is neither asked for nor found among those of a
 * certificate, but for its common name. */
static void
drop_address(struct import *im, struct import_line *line)
{
	if (!address_is_literal(line->value))
		return;
	import_note(
	    im, &line->note, "was \"%s\": an address is no name to ask for", line->text);
	import_change(im, line, NULL, "");
}

static void
check_subject(struct import *im, struct import_line *line)
{
	char value[INI_LINE_MAX + 1];

	if (!address_is_literal(line->value))
		return;
	snprintf(value, sizeof(value), "CN=%s", line->value);
	import_note(im, &line->note,
	    "was \"%s\", which stunnel looks for in the common name; an address among "
	    "the "
	    "certificate's own is checked by checkIP",
	    line->text);
	import_change(im, line, "checkSubject", value);
}

/* ---- lines that come twice ------------------------------------------------------- */

/* Of these stunnel takes the last, while here each is one certificate more. */
static void
keep_last(struct import *im, struct import_section *section, const char *name)
{
	bool later = false;

	for (size_t i = section->count; i-- > 0;) {
		struct import_line *line = &section->lines[i];
		const struct option *o = import_option(line);

		if (o == NULL || strcmp(o->name, name) != 0)
			continue;
		if (later) {
			import_note(im, &line->note,
			    "left out: stunnel took the last %s alone", name);
			line->out = true;
		}
		later = true;
	}
}

/* ---- all of them ----------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*change)(struct import *im, struct import_line *line);
} changes[] = {
    {"accept", number_port},
    {"connect", number_port},
    {"protocolHost", number_port},
    {"cert", complete_path},
    {"key", complete_path},
    {"CAfile", complete_path},
    {"CApath", complete_path},
    {"CRLfile", complete_path},
    {"CRLpath", complete_path},
    {"PSKsecrets", complete_path},
    {"output", complete_path},
    {"sni", drop_address},
    {"checkHost", check_subject},
};

void
import_values(struct import *im, struct import_section *section)
{
	keep_last(im, section, "cert");
	keep_last(im, section, "key");
	for (size_t i = 0; i < section->count && !im->failed; i++) {
		struct import_line *line = &section->lines[i];
		const struct option *o = import_option(line);

		for (size_t j = 0; o != NULL && j < sizeof(changes) / sizeof(changes[0]);
		     j++)
			if (strcmp(changes[j].name, o->name) == 0)
				changes[j].change(im, line);
	}
}
