#include "common/base/hostname.h"
#include "common/config/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void
settings_clear_sni(struct service_settings *s)
{
	for (size_t i = 0; i < s->sni_rules.count; i++) {
		free(s->sni_rules.items[i].section);
		free(s->sni_rules.items[i].pattern);
	}
	free(s->sni_rules.items);
	s->sni_rules = (struct sni_rule_list){0};
}

static bool
is_sni(const struct ini_entry *entry)
{
	return strcasecmp(entry->name, "sni") == 0;
}

static bool
add_rule(
    struct service_settings *s, const char *section, size_t length, const char *pattern)
{
	struct sni_rule_list *list = &s->sni_rules;
	struct sni_rule *more = realloc(list->items, (list->count + 1) * sizeof(*more));
	struct sni_rule rule = {strndup(section, length), strdup(pattern)};

	if (more != NULL)
		list->items = more;
	if (more == NULL || rule.section == NULL || rule.pattern == NULL) {
		free(rule.section);
		free(rule.pattern);
		return false;
	}
	more[list->count++] = rule;
	return true;
}

/* SERVICE:PATTERN.  A pattern has no colon, and a section's name may. */
static bool
read_rule(struct service_settings *s, const char *value, struct err *e)
{
	const char *colon = strrchr(value, ':');

	if (colon == NULL || colon == value)
		return err_set(e,
		    "in a server it is sni = SERVICE:PATTERN, the section at whose doors "
		    "clients arrive and the name that they ask for");
	if (!hostname_check_pattern(colon + 1, e))
		return false;
	return add_rule(s, value, (size_t)(colon - value), colon + 1) ||
	       err_errno(e, ENOMEM, "sni");
}

/* A line before the first section without a colon is for the clients of the file. */
static bool
read_rules(const struct draft *d, const struct ini_section *section, struct err *e)
{
	bool is_default = section == d->ini->sections;

	for (size_t i = 0; i < section->count; i++) {
		const struct ini_entry *entry = &section->entries[i];

		if (!is_sni(entry) || (is_default && strchr(entry->value, ':') == NULL))
			continue;
		if (!read_rule(d->s, entry->value, e))
			return settings_add_error(d, entry, e);
	}
	return true;
}

bool
settings_is_chosen(const struct service_settings *s)
{
	for (size_t i = 0; i < s->sni_rules.count; i++)
		if (strcmp(s->sni_rules.items[i].section, s->name) != 0)
			return true;
	return false;
}

/* A service is dialled, or chosen at the listen sockets of another.  `accept` before the
 * first section is for those that are dialled. */
static bool
check_listen_sockets(const struct draft *d, struct err *e)
{
	const struct ini_entry *accept = settings_given(d, "accept");

	if (!settings_is_chosen(d->s) || accept == NULL)
		return true;
	if (settings_is_own(d, accept)) {
		err_set(e,
		    "a service that is chosen by sni has no accept of its own: clients "
		    "arrive where %s accepts; remove this line, or sni",
		    d->s->sni_rules.items[0].section);
		return settings_add_error(d, accept, e);
	}
	settings_forget(d, "accept");
	return true;
}

bool
settings_check_sni(const struct draft *d, struct err *e)
{
	free(d->s->sni); /* what a client would send */
	d->s->sni = NULL;
	return read_rules(d, d->ini->sections, e) && read_rules(d, d->section, e) &&
	       check_listen_sockets(d, e);
}

/* ---- what lines say of each other ------------------------------------------------- */

static const struct service_settings *
find_service(const struct settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->service_count; i++)
		if (strcmp(settings->services[i].name, name) == 0)
			return &settings->services[i];
	return NULL;
}

/* Is any rule for the listen sockets of @s? */
static bool
has_rules(const struct settings *settings, const struct service_settings *s)
{
	for (size_t i = 0; i < settings->service_count; i++) {
		const struct sni_rule_list *list = &settings->services[i].sni_rules;

		for (size_t j = 0; j < list->count; j++)
			if (strcmp(list->items[j].section, s->name) == 0)
				return true;
	}
	return false;
}

static bool
check_rule(const struct settings *settings, const struct sni_rule *rule, struct err *e)
{
	const struct service_settings *at = find_service(settings, rule->section);

	if (at == NULL)
		return err_set(e,
		    "no section [%s] of routeport-server is in this file: write the name "
		    "of the one that accepts",
		    rule->section);
	if (settings_is_chosen(at))
		return err_set(e,
		    "[%s] is chosen by sni itself, and nobody arrives there: write the "
		    "name of the section that accepts",
		    rule->section);
	return true;
}

static bool
check_rules(
    const struct settings *settings, const struct service_settings *s, struct err *e)
{
	for (size_t i = 0; i < s->sni_rules.count; i++)
		if (!check_rule(settings, &s->sni_rules.items[i], e))
			return err_prefix(e, "sni = %s:%s", s->sni_rules.items[i].section,
			    s->sni_rules.items[i].pattern);
	if (!s->sni_strict || has_rules(settings, s) || settings_is_chosen(s))
		return true;
	return err_set(e,
	    "sniStrict = yes would refuse everybody, for no sni line names this section: "
	    "remove it, or add \"sni = %s:NAME\"",
	    s->name);
}

bool
settings_check_names(
    const struct settings *settings, const struct service_settings *s, struct err *e)
{
	const struct ini_place at = {.file = s->file, .line = s->line, .count = s->place};
	char section[INI_LINE_MAX + 3];

	if (s->role == ROLE_CLIENT || check_rules(settings, s, e))
		return true;
	snprintf(section, sizeof(section), "[%s]", s->name);
	return ini_blame(&at, section, e);
}
