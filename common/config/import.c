#include "common/config/import.h"

#include "common/config/import_internal.h"
#include "common/base/log.h"
#include "common/config/check.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *
program_of(enum role role)
{
	return role == ROLE_CLIENT ? "routeport-client" : "routeport-server";
}

/* ---- what the settings are asked about ------------------------------------------- */

static void
free_question(struct ini *ini)
{
	for (size_t i = 0; ini->sections != NULL && i < ini->count; i++)
		free(ini->sections[i].entries);
	free(ini->sections);
}

static void
ask_of_lines(struct import_section *section, struct ini_section *into, size_t *place)
{
	for (size_t i = 0; i < section->count && into->entries != NULL; i++) {
		struct import_line *line = &section->lines[i];

		if (line->name == NULL || line->out)
			continue;
		line->place = (*place)++;
		into->entries[into->count++] = (struct ini_entry){
		    .at = {section->at.file, line->at.line, line->place},
		    .text = line->text != NULL ? line->text : line->name,
		    .name = line->name,
		    .value = line->value,
		};
	}
}

/* The lines that are left, as if they were read: they belong to @im.  Each has its place
 * among them, from 1 on. */
static bool
make_question(struct import *im, struct ini *ini)
{
	size_t place = 1;

	*ini = (struct ini){.file = im->ini->file};
	if ((ini->sections = calloc(im->count, sizeof(*ini->sections))) == NULL)
		return false;
	for (size_t i = 0; i < im->count; i++) {
		struct import_section *section = &im->sections[i];
		struct ini_section *into = &ini->sections[ini->count];

		if (!import_is_ours(im, section))
			continue;
		section->place = place++;
		into->at = (struct ini_place){
		    section->at.file, section->at.line, section->place};
		into->name = section->name;
		into->entries = calloc(section->count + 1, sizeof(*into->entries));
		ini->count++;
		if (into->entries == NULL)
			return false;
		ask_of_lines(section, into, &place);
	}
	return true;
}

/* ---- what becomes of the answer -------------------------------------------------- */

/* Without such a line more would be let through than before, or to another place, so a
 * service with one that cannot be had is left out as a whole. */
static bool
is_needed(const char *name)
{
	static const char *const names[] = {"accept", "connect", "sni", "local", "exec",
	    "execArgs", "ident", "protocol*", "cert", "key", "PSK*", "CA*", "CRL*",
	    "OCSP*", "verify*", "check*", "requireCert", "engineId", "engineNum"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t length = strcspn(names[i], "*");

		if (strncasecmp(name, names[i], length) == 0 &&
		    (names[i][length] == '*' || name[length] == '\0'))
			return true;
	}
	return false;
}

/* What stands behind FILE:LINE: "the line". */
static const char *
reason_in(const struct err *e)
{
	const char *found = strstr(e->text, "\": ");

	return found != NULL ? found + 3 : e->text;
}

static void
leave_out(struct import *im, struct import_section *section, const char *why)
{
	struct err e;

	section->out = true;
	import_note(im, &section->note, "[%s] is left out: %s", section->name, why);
	err_set(&e, "%s:%d: [%s] is left out: %s", section->at.file, section->at.line,
	    section->name, why);
	if (im->faults->remark != NULL)
		im->faults->remark(im->faults->owner, e.text);
}

/* True: what is left is to be asked about again. */
static bool
obey_in(struct import *im, struct import_section *section, const struct err *e)
{
	const char *why = reason_in(e);

	if (section != im->sections && section->place + 1 == e->place) {
		leave_out(im, section, why);
		return true;
	}
	for (size_t i = 0; i < section->count; i++) {
		struct import_line *line = &section->lines[i];

		if (line->name == NULL || line->out || line->place + 1 != e->place)
			continue;
		if (!is_needed(line->name)) {
			line->out = true;
			import_note(im, &line->note, "left out: %s", why);
			return true;
		}
		if (section == im->sections)
			return false;
		leave_out(im, section, why);
		return true;
	}
	return false;
}

static bool
obey(struct import *im, const struct err *e)
{
	for (size_t i = 0; i < im->count; i++)
		if (import_is_ours(im, &im->sections[i]) &&
		    obey_in(im, &im->sections[i], e))
			return true;
	return false;
}

static bool
has_services(const struct import *im)
{
	for (size_t i = 1; i < im->count; i++)
		if (import_is_ours(im, &im->sections[i]))
			return true;
	return false;
}

/* Have the settings judge what is left until they find no fault.  Each round takes a line
 * or a section away.  False: there is one that nothing can be done about. */
static bool
settle(struct import *im)
{
	bool ok = true;

	while (ok && !im->failed && has_services(im)) {
		struct diagnostics faults = {0};
		struct settings *settings = NULL;
		struct ini question;

		if (make_question(im, &question))
			settings = settings_read(&question, im->role, &faults);
		else
			im->failed = true;
		free_question(&question);
		if (settings != NULL) {
			settings_release(settings);
			break;
		}
		if (!im->failed && !(ok = obey(im, &faults.first)))
			diagnostics_note(im->faults, &faults.first);
	}
	return ok && !im->failed;
}

/* ---- the whole ------------------------------------------------------------------- */

/* The services that the other program runs. */
static void
name_others(struct import *im, FILE *out)
{
	const char *between = "# ";
	enum role other = im->role == ROLE_CLIENT ? ROLE_SERVER : ROLE_CLIENT;
	bool any = false;

	for (size_t i = 1; i < im->count; i++) {
		if (im->sections[i].role == im->role)
			continue;
		fprintf(out, "%s[%s]", between, im->sections[i].name);
		between = ", ";
		any = true;
	}
	if (any)
		fprintf(out, ": for %s, whose --import writes it\n", program_of(other));
}

static void
write_all(struct import *im, FILE *out)
{
	fprintf(out,
	    "# For %s, made of %s by --import.\n"
	    "# It does what stunnel did.  What that opens, and what would close it, is "
	    "told where it says \"import\".\n",
	    program_of(im->role), im->ini->file);
	name_others(im, out);
	import_print(im, out);
}

static bool
nothing_left(struct import *im)
{
	struct err e;

	err_set(&e, "%s: no service in it can be run by %s", im->ini->file,
	    program_of(im->role));
	if (im->count == 1)
		err_set(&e,
		    "%s: there is no [section] in it: to be started by inetd for each "
		    "connection is not to be had; write a section with accept",
		    im->ini->file);
	return diagnostics_note(im->faults, &e) && false;
}

/* Keys in hardware. */
static void
leave_out_tokens(struct import *im, struct import_section *section)
{
	for (size_t i = 0; i < section->count && !section->out; i++) {
		const struct import_line *line = &section->lines[i];
		const struct option *o = import_option(line);

		if (o != NULL &&
		    (strcmp(o->name, "cert") == 0 || strcmp(o->name, "key") == 0) &&
		    strncasecmp(line->value, "pkcs11:", 7) == 0)
			leave_out(im, section,
			    "certificates and keys are read from files alone");
	}
}

static bool
make(struct import *im)
{
	import_take(im);
	if (!im->failed)
		import_roles(im);
	for (size_t i = 0; i < im->count && !im->failed; i++)
		if (import_is_ours(im, &im->sections[i]))
			import_values(im, &im->sections[i]);
	if (!im->failed)
		import_rules(im);
	for (size_t i = 1; i < im->count && !im->failed; i++)
		if (import_is_ours(im, &im->sections[i]))
			leave_out_tokens(im, &im->sections[i]);
	return !im->failed && settle(im);
}

bool
import_file(const char *file, enum role role, FILE *out, struct diagnostics *faults)
{
	struct import im = {.role = role, .faults = faults};
	struct ini *ini = ini_read_whole(file, faults);
	bool ok;

	if (ini == NULL || faults->count > 0) {
		ini_free(ini);
		return false;
	}
	im.ini = ini;
	log_set_level(LOG_LEVEL_ERROR); /* what is to be said stands in the comments */
	ok = make(&im);
	if (im.failed)
		diagnostics_note(faults, &(struct err){.text = "out of memory"});
	if (ok) {
		write_all(&im, out);
		ok = has_services(&im) || nothing_left(&im);
	}
	import_clear(&im);
	ini_free(ini);
	return ok;
}
