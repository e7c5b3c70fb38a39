#include "common/config/settings.h"

#include "common/config/ini.h"
#include "common/config/check.h"
#include "common/config/check_listeners.h"
#include "common/config/options_table.h"

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
	settings_clear_sni(s);
	address_name_clear(&s->route);
	free(s->name);
	text_wipe(s->text);
	free(s->lines);
	free(s->file);
	*s = (struct service_settings){0};
}

void
settings_lend_phrases(struct settings *settings, struct passphrases *phrases)
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
	strlist_clear(&settings->folders);
	strlist_clear(&settings->parts);
	free(settings->file);
	free(settings);
}

/* A file being read. */
struct reading {
	struct settings *settings; /* with all services that are of this role */
	const struct ini *ini;
	enum role role;
	struct diagnostics *faults;
	const struct ini_entry **given; /* room for one draft's */
};

static bool
no_memory(struct reading *r)
{
	struct err e;

	err_errno(&e, ENOMEM, "%s", r->ini->file);
	diagnostics_note(r->faults, &e);
	return false;
}

/* ---- before the first section ----------------------------------------------------- */

/* A global line, or one that is a default for services; what that would be is not kept.
 */
static bool
read_head_line(struct reading *r, const struct ini_entry *entry, struct err *e)
{
	const struct option *o = option_find(&settings_rows, entry->name, e);
	struct service_settings nobody = {0};
	bool ok;

	if (o == NULL)
		return false;
	if (o->scope == OPTION_GLOBAL)
		return option_set(o, r->settings, entry->value, e);
	ok = option_set(o, &nobody, entry->value, e);
	option_clear(o, &nobody);
	return ok;
}

static bool
read_head(struct reading *r)
{
	const struct ini_section *head = &r->ini->sections[0];
	struct err e = {.text = ""};

	for (size_t i = 0; i < settings_rows.count; i++) {
		const struct option *o = &settings_rows.rows[i];

		if (o->scope == OPTION_GLOBAL &&
		    !option_set_fallback(o, r->settings, r->role, &e))
			return no_memory(r);
	}
	for (size_t i = 0; i < head->count; i++) {
		const struct ini_entry *entry = &head->entries[i];

		if (read_head_line(r, entry, &e))
			continue;
		ini_blame(&entry->at, entry->text, &e);
		if (!diagnostics_note(r->faults, &e))
			return false;
	}
	return settings_check_log(r->settings, head, &e) ||
	       diagnostics_note(r->faults, &e);
}

/* ---- a section -------------------------------------------------------------------- */

/* An unknown option sets the one that was probably meant, so that it is not missed; nor
 * is an address that cannot be read, for it has no fallback. */
static void
excuse(struct draft *d, const struct ini_entry *entry, const struct option *known)
{
	const struct option *o =
	    known != NULL ? known : option_nearest(&settings_rows, entry->name);
	struct err ignored;

	if (o == NULL || o->scope == OPTION_GLOBAL)
		return;
	if (o->type == OPTION_ADDRESSES ||
	    (known == NULL && option_set(o, d->s, entry->value, &ignored)))
		d->given[o - settings_rows.rows] = entry;
}

/* Of a list that is written anew in a section, what the defaults said is forgotten. */
static void
forget_defaults(const struct draft *d, const struct option *o)
{
	const struct ini_entry *last = d->given[o - settings_rows.rows];

	if (o->anew && last != NULL && !settings_is_own(d, last))
		option_clear(o, d->s);
}

/* There is one level for all services: the highest that is asked for. */
static bool
raise_debug(struct draft *d, const struct option *o, const char *value, struct err *e)
{
	struct settings asked = {0};

	if (!option_set(o, &asked, value, e))
		return false;
	if (d->debug < asked.debug)
		d->debug = asked.debug;
	return true;
}

/* A line of the section, or one before the first, which was judged already. */
static bool
take_entry(struct draft *d, const struct ini_entry *entry, bool is_default, struct err *e)
{
	const struct option *o = option_find(&settings_rows, entry->name, e);

	if (o != NULL && o->scope == OPTION_GLOBAL && is_default)
		return true;
	if (o != NULL && o->anywhere)
		return raise_debug(d, o, entry->value, e);
	if (o != NULL && o->scope == OPTION_GLOBAL)
		return err_set(e,
		    "%s holds for all services: write it before the first [section]",
		    o->name);
	if (o != NULL && !is_default)
		forget_defaults(d, o);
	if (o != NULL && option_set(o, d->s, entry->value, e)) {
		d->given[o - settings_rows.rows] = entry;
		return true;
	}
	excuse(d, entry, o);
	return is_default;
}

/* Take the lines of one section; those before the first one are defaults for each. */
static bool
take_entries(struct draft *d, const struct ini_section *section)
{
	bool is_default = section == d->ini->sections;
	struct err e = {.text = ""};

	for (size_t i = 0; i < section->count; i++) {
		const struct ini_entry *entry = &section->entries[i];

		if (take_entry(d, entry, is_default, &e))
			continue;
		settings_add_error(d, entry, &e);
		if (!settings_add_error_text(d, &e))
			return false;
	}
	return true;
}

/* Or was another option meant? */
static bool
is_named(const struct option *o, const struct ini_entry *entry)
{
	struct err ignored;

	return option_find(&settings_rows, entry->name, &ignored) == o;
}

/* A line that the service's role cannot use is refused in its section, and passed over
 * where it is a default. */
static bool
drop_foreign(struct draft *d)
{
	for (size_t i = 0; i < settings_rows.count; i++) {
		const struct option *o = &settings_rows.rows[i];
		struct err e;

		if (d->given[i] == NULL || option_is_for(o, d->s->role))
			continue;
		if (settings_is_own(d, d->given[i]) && is_named(o, d->given[i])) {
			err_set(&e, "%s is for services of %s alone", o->name,
			    program_of(
				d->s->role == ROLE_CLIENT ? ROLE_SERVER : ROLE_CLIENT));
			settings_add_error(d, d->given[i], &e);
			if (!settings_add_error_text(d, &e))
				return false;
		}
		option_clear(o, d->s);
		d->given[i] = NULL;
	}
	return true;
}

static bool
set_fallbacks(struct draft *d)
{
	struct err e;

	for (size_t i = 0; i < settings_rows.count; i++) {
		const struct option *o = &settings_rows.rows[i];

		if (o->scope == OPTION_SERVICE && d->given[i] == NULL &&
		    !option_set_fallback(o, d->s, d->s->role, &e))
			return false;
	}
	return true;
}

static bool
name_service(const struct reading *r, struct draft *d)
{
	struct service_settings *s = d->s;

	s->line = d->section->at.line;
	s->place = d->section->at.count;
	s->file = strdup(d->section->at.file);
	s->name = strdup(d->section->name);
	return s->file != NULL && s->name != NULL && settings_keep_lines(d, r->settings);
}

/* Read one section, whichever program it is for. */
static bool
read_service(struct reading *r, struct draft *d)
{
	d->s->role = r->role;
	if (!name_service(r, d))
		return no_memory(r);
	if (!take_entries(d, d->ini->sections) || !take_entries(d, d->section) ||
	    !drop_foreign(d))
		return false;
	if (!set_fallbacks(d))
		return no_memory(r);
	return d->s->role != r->role || settings_check(d);
}

static bool
is_duplicate(const struct ini *ini, size_t which, struct err *e)
{
	const struct ini_section *section = &ini->sections[which];

	for (size_t i = 1; i < which; i++) {
		const struct ini_section *other = &ini->sections[i];

		if (strcmp(other->name, section->name) != 0)
			continue;
		if (other->at.file == section->at.file)
			err_set(e, "a section of this name stands on line %d already",
			    other->at.line);
		else
			err_set(e,
			    "a section of this name stands in %s, line %d, already",
			    other->at.file, other->at.line);
		return true;
	}
	return false;
}

/* Read section @i; of the other program's only the lines are judged. */
static bool
read_section(struct reading *r, size_t i)
{
	struct settings *settings = r->settings;
	struct service_settings *s = &settings->services[settings->service_count];
	struct draft d = {
	    .s = s,
	    .ini = r->ini,
	    .section = &r->ini->sections[i],
	    .given = r->given,
	    .faults = r->faults,
	};
	struct err e;
	bool go_on;

	if (is_duplicate(r->ini, i, &e)) {
		settings_add_error(&d, NULL, &e);
		return diagnostics_note(r->faults, &e);
	}
	memset(r->given, 0, settings_rows.count * sizeof(struct ini_entry *));
	go_on = read_service(r, &d);
	if (s->role != r->role) {
		clear_service(s);
		return go_on;
	}
	s->faulty = d.faulty;
	settings->service_count++;
	if (d.debug > settings->debug)
		settings->debug = d.debug;
	return go_on;
}

/* ---- the whole -------------------------------------------------------------------- */

static bool
check_services(struct reading *r)
{
	struct settings *settings = r->settings;
	struct err e;

	for (size_t i = 0; i < settings->service_count; i++) {
		if (settings_check_names(settings, &settings->services[i], &e))
			continue;
		settings->services[i].faulty = true;
		if (!diagnostics_note(r->faults, &e))
			return false;
	}
	if (settings->service_count > 0)
		return settings_check_listeners(settings, r->ini, r->faults);
	err_set(&e,
	    "%s: no section is for %s: it runs those with \"client = %s\", or without "
	    "client; the sections here are for %s",
	    r->ini->file, program_of(r->role), r->role == ROLE_CLIENT ? "yes" : "no",
	    program_of(r->role == ROLE_CLIENT ? ROLE_SERVER : ROLE_CLIENT));
	return diagnostics_note(r->faults, &e);
}

/* Read all sections, keep those of this program. */
static bool
read_sections(struct reading *r)
{
	struct err e;

	if (r->ini->count == 1) {
		err_set(&e,
		    "%s: there is no [section]: each service needs one, which begins "
		    "with a line such as [orders]",
		    r->ini->file);
		return diagnostics_note(r->faults, &e);
	}
	for (size_t i = 1; i < r->ini->count; i++)
		if (!read_section(r, i))
			return false;
	return check_services(r);
}

static bool
read_all(struct reading *r)
{
	bool go_on;

	if (!read_head(r))
		return false;
	settings_check_status(r->settings, r->role);
	r->settings->services = calloc(r->ini->count, sizeof(*r->settings->services));
	r->given = calloc(settings_rows.count, sizeof(struct ini_entry *));
	if (r->settings->services == NULL || r->given == NULL)
		go_on = no_memory(r);
	else
		go_on = read_sections(r);
	free(r->given);
	return go_on;
}

static struct settings *
new_settings(const struct ini *ini)
{
	struct settings *settings = calloc(1, sizeof(*settings));
	bool ok = settings != NULL && (settings->file = strdup(ini->file)) != NULL;

	if (settings != NULL)
		atomic_init(&settings->holders, 1);
	for (size_t i = 0; ok && i < ini->folders.count; i++)
		ok = strlist_add(&settings->folders, ini->folders.items[i]);
	for (size_t i = 0; ok && i < ini->parts.count; i++)
		ok = strlist_add(&settings->parts, ini->parts.items[i]);
	if (ok)
		return settings;
	settings_release(settings);
	return NULL;
}

struct settings *
settings_read(const struct ini *ini, enum role role, struct diagnostics *faults)
{
	struct reading r = {.ini = ini, .role = role, .faults = faults};

	if ((r.settings = new_settings(ini)) == NULL) {
		no_memory(&r);
	} else if (!read_all(&r)) {
		settings_release(r.settings);
		r.settings = NULL;
	}
	return r.settings;
}

struct settings *
settings_load_all(const char *file, enum role role, struct diagnostics *faults)
{
	struct ini *ini = ini_read(file, faults);
	struct settings *settings;

	if (ini == NULL)
		return NULL;
	settings = settings_read(ini, role, faults);
	ini_free(ini);
	return settings;
}

struct settings *
settings_load(const char *file, enum role role, struct err *e)
{
	struct diagnostics faults = {0};
	struct settings *settings = settings_load_all(file, role, &faults);

	if (settings == NULL)
		*e = faults.first;
	return settings;
}
