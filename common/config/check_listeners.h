/*
 * Where services and the status port listen, compared with each other and with what the
 * services dial: two sockets that the system does not have beside each other, and a
 * `connect` that leads to the program itself.  Only addresses in numbers, localhost and
 * paths are compared; no name is looked up.  Part of settings.
 */
#ifndef COMMON_CONFIG_CHECK_LISTENERS_H
#define COMMON_CONFIG_CHECK_LISTENERS_H

#include "common/config/check.h"

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

/** Listeners that overlap, and services that forward to themselves.  Each of the @faults
 * names both lines.  False: look no further. */
bool settings_check_listeners(
    const struct settings *settings, const struct ini *ini, struct diagnostics *faults);

/** The part of it that is about `connect`. */
bool settings_check_loops(const struct settings *settings, const struct ini *ini,
    const struct listeners *list, struct diagnostics *faults);

/** Does who dials @by arrive at @l, as far as that can be told without a look at this
 * host's addresses? */
bool listener_is_reached(const struct listener *l, const struct address *by);

/** "the status port", or "[orders]" in @text.  Cut to @size. */
const char *listener_owner(const struct listener *l, char *text, size_t size);

/** The section that @s was read from. */
const struct ini_section *
listeners_section(const struct ini *ini, const struct service_settings *s);

#endif
