#include "common/settings.h"

#include "common/ini.h"
#include "common/settings_check.h"
#include "common/settings_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *
program_of(enum role role)
{
	return role == ROLE_CLIENT ? "routeport-client" : "routeport-server";
}

static void
clear_rows(enum option_scope scope, void *base)
{
	for (size_t i = 0; i < settings_rows.count; i++)
		if (settings_rows.rows[i].scope == scope)
			option_clear(&settings_rows.rows[i], base);
}

static void
clear_service(struct service_settings *s)
{
	clear_rows(OPTION_SERVICE, s);
	net_name_clear(&s->route);
	free(s->name);
	free(s->text);
	*s = (struct service_settings){0};
}

void
settings_lend_phrases(struct settings *settings, struct pass_phrases *phrases)
{
	for (size_t i = 0; i < settings->service_count; i++)
		settings->services[i].phrases = phrases;
}

/* A store may be a file, too. */
static const char *
path_of(const char *uri)
{
	if (uri == NULL || uri[0] == '/')
		return uri;
	if (strncmp(uri, "file:", 5) != 0)
		return NULL;
	uri += 5;
	return strncmp(uri, "///", 3) == 0 ? uri + 2 : uri;
}

size_t
settings_files(const struct service_settings *s, const char *paths[SETTINGS_FILES])
{
	const char *const single[] = {s->ca_file, s->ca_path, path_of(s->ca_store),
	    s->crl_file, s->crl_path, s->key_pass_file, s->psk_secrets};
	size_t count = 0;

	for (size_t i = 0; i < s->cert.count; i++)
		paths[count++] = s->cert.items[i];
	for (size_t i = 0; i < s->key.count; i++)
		paths[count++] = s->key.items[i];
	for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++)
		if (single[i] != NULL)
			paths[count++] = single[i];
	return count;
}

struct settings *
settings_hold(struct settings *settings)
{
	atomic_fetch_add(&settings->holders, 1);
	return settings;
}

void
settings_release(struct settings *settings)
{
	if (settings == NULL || atomic_fetch_sub(&settings->holders, 1) > 1)
		return;
	for (size_t i = 0; i < settings->service_count; i++)
		clear_service(&settings->services[i]);
	free(settings->services);
	clear_rows(OPTION_GLOBAL, settings);
	free(settings->file);
	free(settings);
}

/* Read the global lines, which stand before the first section. */
static bool
read_globals(
    struct settings *settings, const struct ini *ini, enum role role, struct err *e)
{
	const struct ini_section *head = &ini->sections[0];
	const struct option *o;

	for (size_t i = 0; i < settings_rows.count; i++) {
		o = &settings_rows.rows[i];
		if (o->scope == OPTION_GLOBAL &&
		    !option_set_fallback(o, settings, role, e))
			return false;
	}
	for (size_t i = 0; i < head->count; i++) {
		const struct ini_entry *entry = &head->entries[i];

		o = option_find(&settings_rows, entry->name, e);
		if (o == NULL || (o->scope == OPTION_GLOBAL &&
				     !option_set(o, settings, entry->value, e)))
			return ini_blame(ini, entry->line, entry->text, e);
	}
	return true;
}

/* Of a list that is written anew in a section, what the defaults said is forgotten. */
static void
forget_defaults(const struct draft *d, const struct option *o)
{
	const struct ini_section *head = d->ini->sections;
	const struct ini_entry *last = d->given[o - settings_rows.rows];

	if (o->anew && last >= head->entries && last < head->entries + head->count)
		option_clear(o, d->s);
}

/* Take the lines of one section; those before the first one are defaults for each. */
static bool
take_entries(struct draft *d, const struct ini_section *section, struct err *e)
{
	const struct option *o;

	for (size_t i = 0; i < section->count; i++) {
		const struct ini_entry *entry = &section->entries[i];

		if ((o = option_find(&settings_rows, entry->name, e)) == NULL)
			return settings_blame(d, entry, e);
		if (o->scope == OPTION_GLOBAL) {
			if (section == d->ini->sections)
				continue;
			err_set(e,
			    "%s holds for all services: write it before the first "
			    "[section]",
			    o->name);
			return settings_blame(d, entry, e);
		}
		if (section != d->ini->sections)
			forget_defaults(d, o);
		if (!option_set(o, d->s, entry->value, e))
			return settings_blame(d, entry, e);
		d->given[o - settings_rows.rows] = entry;
	}
	return true;
}

/* A line that the service's role cannot use is refused in its section, and passed over
 * where it is a default. */
static bool
drop_foreign(struct draft *d, struct err *e)
{
	const struct ini_section *own = d->section;

	for (size_t i = 0; i < settings_rows.count; i++) {
		const struct option *o = &settings_rows.rows[i];

		if (d->given[i] == NULL || option_is_for(o, d->s->role))
			continue;
		if (d->given[i]->line > own->line) {
			err_set(e, "%s is for services of %s alone", o->name,
			    program_of(
				d->s->role == ROLE_CLIENT ? ROLE_SERVER : ROLE_CLIENT));
			return settings_blame(d, d->given[i], e);
		}
		option_clear(o, d->s);
		d->given[i] = NULL;
	}
	return true;
}

/* The lines of a section and of the defaults before the first one, one below the other.
 */
static char *
text_of(const struct draft *d)
{
	const struct ini_section *const parts[] = {d->ini->sections, d->section};
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < 2; i++)
		for (size_t j = 0; j < parts[i]->count; j++)
			fprintf(out, "%s=%s\n", parts[i]->entries[j].name,
			    parts[i]->entries[j].value);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* Read one section, whichever program it is for. */
static bool
read_service(struct draft *d, enum role program, struct err *e)
{
	const struct option *o;

	d->s->line = d->section->line;
	d->s->role = program;
	if ((d->s->name = strdup(d->section->name)) == NULL ||
	    (d->s->text = text_of(d)) == NULL)
		return err_errno(e, ENOMEM, "%s", d->ini->file);
	if (!take_entries(d, d->ini->sections, e) || !take_entries(d, d->section, e) ||
	    !drop_foreign(d, e))
		return false;
	for (size_t i = 0; i < settings_rows.count; i++) {
		o = &settings_rows.rows[i];
		if (o->scope == OPTION_SERVICE && d->given[i] == NULL &&
		    !option_set_fallback(o, d->s, d->s->role, e))
			return settings_blame(d, NULL, e);
	}
	return d->s->role != program || settings_check(d, e);
}

static bool
is_duplicate(const struct ini *ini, size_t which, struct err *e)
{
	const struct ini_section *section = &ini->sections[which];

	for (size_t i = 1; i < which; i++) {
		if (strcmp(ini->sections[i].name, section->name) == 0) {
			err_set(e, "a section of this name stands on line %d already",
			    ini->sections[i].line);
			return true;
		}
	}
	return false;
}

/* Read all sections, keep those of this program. */
static bool
read_services(struct settings *settings, const struct ini *ini, enum role role,
    const struct ini_entry **given, struct err *e)
{
	for (size_t i = 1; i < ini->count; i++) {
		struct service_settings *s = &settings->services[settings->service_count];
		struct draft d = {s, ini, &ini->sections[i], given};

		if (is_duplicate(ini, i, e))
			return settings_blame(&d, NULL, e);
		memset(given, 0, settings_rows.count * sizeof(struct ini_entry *));
		if (!read_service(&d, role, e)) {
			clear_service(s);
			return false;
		}
		if (s->role == role)
			settings->service_count++;
		else
			clear_service(s);
	}
	if (settings->service_count > 0)
		return true;
	return err_set(e,
	    "%s: no section is for %s: it runs those with \"client = %s\", or without "
	    "client; the sections here are for %s",
	    ini->file, program_of(role), role == ROLE_CLIENT ? "yes" : "no",
	    program_of(role == ROLE_CLIENT ? ROLE_SERVER : ROLE_CLIENT));
}

static bool
read_all(struct settings *settings, const struct ini *ini, enum role role, struct err *e)
{
	const struct ini_entry **given;
	bool done;

	if (!read_globals(settings, ini, role, e))
		return false;
	settings_check_status(settings, role);
	if (ini->count == 1)
		return err_set(e,
		    "%s: there is no [section]: each service needs one, which begins "
		    "with a "
		    "line such as [orders]",
		    ini->file);
	settings->services = calloc(ini->count, sizeof(*settings->services));
	given = calloc(settings_rows.count, sizeof(struct ini_entry *));
	if (settings->services == NULL || given == NULL)
		done = err_errno(e, ENOMEM, "%s", ini->file);
	else
		done = read_services(settings, ini, role, given, e);
	free(given);
	return done;
}

struct settings *
settings_load(const char *file, enum role role, struct err *e)
{
	struct settings *settings;
	struct ini *ini;

	if ((ini = ini_read(file, e)) == NULL)
		return NULL;
	if ((settings = calloc(1, sizeof(*settings))) != NULL)
		atomic_init(&settings->holders, 1);
	if (settings == NULL || (settings->file = strdup(file)) == NULL) {
		err_errno(e, ENOMEM, "%s", file);
		goto fail;
	}
	if (!read_all(settings, ini, role, e))
		goto fail;
	ini_free(ini);
	return settings;
fail:
	ini_free(ini);
	settings_release(settings);
	return NULL;
}

void
settings_print_options(FILE *out, enum role role)
{
	option_print(&settings_rows, out, role);
}

void
settings_print_markdown(FILE *out)
{
	option_print_markdown(&settings_rows, out);
}
