/*
 * The lines of a file that say where to listen, in a form that can be compared.  Only
 * addresses in numbers, localhost and paths are; no name is looked up.  Part of settings.
 */
#ifndef COMMON_CONFIG_LISTENERS_H
#define COMMON_CONFIG_LISTENERS_H

#include "common/base/address.h"
#include "common/config/ini.h"
#include "common/config/settings.h"

/** A line that says where to listen. */
struct listener {
	const struct service_settings *s; /* NULL: the status port */
	const struct ini_entry *entry;
	struct address addresses[2];
	size_t count; /* 0: they are not known, or the system chooses the port */
	bool v6only;  /* its "::" takes no IPv4 */
};

struct listeners {
	struct listener *items;
	size_t count;
};

/** All of a file; the items are the caller's to free.  False: out of memory. */
bool listeners_collect(
    struct listeners *list, const struct settings *settings, const struct ini *ini);

/** Would the system refuse to have both open at once? */
bool listener_overlaps(const struct listener *a, const struct listener *b);

/** Does who dials @by arrive at @l, as far as that can be told without a look at this
 * host's addresses? */
bool listener_is_reached(const struct listener *l, const struct address *by);

/** "the status port", or "[orders]" in @text.  Cut to @size. */
const char *listener_owner(const struct listener *l, char *text, size_t size);

/** The section that @s was read from. */
const struct ini_section *
listeners_section(const struct ini *ini, const struct service_settings *s);

#endif
