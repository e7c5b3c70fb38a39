#include "common/config/check_listeners.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/*
 * A service is endless if a `connect` of its leads to a listener whose streams an endless
 * service takes.  All count as endless at first; those that cannot be are struck out
 * until none is left to strike.
 */
struct search {
	const struct settings *settings;
	const struct listeners *list;
	bool *endless; /* by service */
};

/* Do streams that arrive at @l go to @s, perhaps because of the name they ask for? */
static bool
is_served_by(const struct listener *l, const struct service_settings *s)
{
	if (l->s == s)
		return true;
	for (size_t i = 0; l->s != NULL && i < s->sni_rules.count; i++)
		if (strcmp(s->sni_rules.items[i].section, l->s->name) == 0)
			return true;
	return false;
}

static bool
is_served_endlessly(const struct search *search, const struct listener *l)
{
	for (size_t i = 0; i < search->settings->service_count; i++)
		if (search->endless[i] && is_served_by(l, &search->settings->services[i]))
			return true;
	return false;
}

/* The listener of an endless service at which who dials @name arrives; or NULL. */
static const struct listener *
find_way_back(const struct search *search, const struct address_name *name)
{
	struct address addresses[2];
	size_t count = address_name_addresses(name, addresses);

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < search->list->count; j++) {
			const struct listener *l = &search->list->items[j];

			if (listener_is_reached(l, &addresses[i]) &&
			    is_served_endlessly(search, l))
				return l;
		}
	return NULL;
}

static bool
is_endless(const struct search *search, const struct service_settings *s)
{
	for (size_t i = 0; i < s->connect.count; i++)
		if (find_way_back(search, &s->connect.items[i]) != NULL)
			return true;
	return false;
}

static void
strike_out(struct search *search)
{
	bool changed;

	do {
		changed = false;
		for (size_t i = 0; i < search->settings->service_count; i++) {
			if (!search->endless[i] ||
			    is_endless(search, &search->settings->services[i]))
				continue;
			search->endless[i] = false;
			changed = true;
		}
	} while (changed);
}

/* Note those lines of @section that lead back.  False: look no further. */
static bool
note_lines(const struct search *search, const struct ini_section *section,
    struct diagnostics *faults)
{
	char owner[INI_LINE_MAX + 3];

	for (size_t i = 0; i < section->count; i++) {
		const struct ini_entry *entry = &section->entries[i];
		const struct listener *l;
		struct address_name name;
		struct err e;

		if (strcasecmp(entry->name, "connect") != 0 ||
		    !address_name_parse(&name, entry->value, "localhost", &e))
			continue;
		l = find_way_back(search, &name);
		address_name_clear(&name);
		if (l == NULL)
			continue;
		err_set(&e,
		    "this is where %s accepts, by line %d%s%s, so that each stream would "
		    "open another one without end: write where the other end is",
		    listener_owner(l, owner, sizeof(owner)), l->entry->at.line,
		    l->entry->at.file == entry->at.file ? "" : " of ",
		    l->entry->at.file == entry->at.file ? "" : l->entry->at.file);
		ini_blame(&entry->at, entry->text, &e);
		if (!diagnostics_note(faults, &e))
			return false;
	}
	return true;
}

bool
settings_check_loops(const struct settings *settings, const struct ini *ini,
    const struct listeners *list, struct diagnostics *faults)
{
	struct search search = {settings, list, NULL};
	bool go_on = true;

	if (settings->service_count == 0)
		return true;
	search.endless = malloc(settings->service_count * sizeof(bool));
	if (search.endless == NULL) {
		struct err e;

		err_errno(&e, ENOMEM, "%s", ini->file);
		return diagnostics_note(faults, &e);
	}
	memset(search.endless, true, settings->service_count * sizeof(bool));
	strike_out(&search);
	for (size_t i = 0; go_on && i < settings->service_count; i++)
		if (search.endless[i])
			go_on =
			    note_lines(&search, ini->sections, faults) &&
			    note_lines(&search,
				listeners_section(ini, &settings->services[i]), faults);
	free(search.endless);
	return go_on;
}
