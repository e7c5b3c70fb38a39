#include "common/config/listeners.h"

#include "common/config/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- addresses -------------------------------------------------------------------- */

static uint16_t
port_of(const struct address *a)
{
	return a->any.sa_family == AF_INET ? a->in.sin_port : a->in6.sin6_port;
}

/* Does a socket that listens at @any get what is for the address @a? */
static bool
is_covered(const struct address *a, const struct address *any, bool v6only)
{
	if (a->any.sa_family == AF_UNIX || !address_is_any(any) ||
	    port_of(a) != port_of(any))
		return false;
	return a->any.sa_family == any->any.sa_family ||
	       (any->any.sa_family == AF_INET6 && !v6only);
}

/* ---- the lines -------------------------------------------------------------------- */

static bool
is_bound_to_device(const struct socket_option *o)
{
	return o->side == SOCKET_ACCEPT && strcmp(o->name, "SO_BINDTODEVICE") == 0;
}

/* What `socket` says of it.  False: it is at one device, and is not compared. */
static bool
note_options(struct listener *l)
{
	const struct socket_option_list *list = &l->s->socket;

	for (size_t i = 0; i < list->count; i++) {
		if (is_bound_to_device(&list->items[i]))
			return false;
		if (list->items[i].side == SOCKET_ACCEPT &&
		    strcmp(list->items[i].name, "IPV6_V6ONLY") == 0)
			l->v6only = list->items[i].value != 0;
	}
	return true;
}

/* The addresses of one line; none: it cannot be compared. */
static void
note_addresses(struct listener *l)
{
	struct address_name name;
	struct err ignored;

	/* A line that cannot be read was told. */
	if (!address_name_parse_listener(&name, l->entry->value, "0.0.0.0", &ignored))
		return;
	if (name.port_alone) {
		(void)address_any(name.port, l->addresses);
		l->count = 1;
	} else {
		l->count = address_name_addresses(&name, l->addresses);
	}
	if (l->count > 0 && address_is_ephemeral(&l->addresses[0]))
		l->count = 0;
	address_name_clear(&name);
}

/* Add those lines of @section that are called @option.  False: out of memory. */
static bool
add_lines(struct listeners *list, const struct service_settings *s,
    const struct ini_section *section, const char *option)
{
	for (size_t i = 0; i < section->count; i++) {
		struct listener l = {.s = s, .entry = &section->entries[i]};
		struct listener *more;

		if (strcasecmp(l.entry->name, option) != 0)
			continue;
		if (s != NULL && !note_options(&l))
			continue;
		note_addresses(&l);
		more = realloc(list->items, (list->count + 1) * sizeof(*more));
		if (more == NULL)
			return false;
		list->items = more;
		more[list->count++] = l;
	}
	return true;
}

const struct ini_section *
listeners_section(const struct ini *ini, const struct service_settings *s)
{
	for (size_t i = 1; i < ini->count; i++)
		if (ini->sections[i].at.count == s->place)
			return &ini->sections[i];
	return NULL;
}

bool
listeners_collect(
    struct listeners *list, const struct settings *settings, const struct ini *ini)
{
	if (!add_lines(list, NULL, ini->sections, "status"))
		return false;
	for (size_t i = 0; i < settings->service_count; i++) {
		const struct service_settings *s = &settings->services[i];
		const struct ini_section *section = listeners_section(ini, s);

		if (section == NULL || settings_is_chosen(s))
			continue;
		if (!add_lines(list, s, ini->sections, "accept") ||
		    !add_lines(list, s, section, "accept"))
			return false;
	}
	return true;
}

/* ---- comparing -------------------------------------------------------------------- */

bool
listener_overlaps(const struct listener *a, const struct listener *b)
{
	for (size_t i = 0; i < a->count; i++)
		for (size_t j = 0; j < b->count; j++) {
			const struct address *x = &a->addresses[i];
			const struct address *y = &b->addresses[j];

			if (address_equals(x, y) || is_covered(x, y, b->v6only) ||
			    is_covered(y, x, a->v6only))
				return true;
		}
	return false;
}

const char *
listener_owner(const struct listener *l, char *text, size_t size)
{
	if (l->s == NULL)
		return "the status port";
	snprintf(text, size, "[%s]", l->s->name);
	return text;
}

/* ---- who arrives at one ----------------------------------------------------------- */

/* To dial "any address" is to dial the loopback. */
static struct address
dialled(const struct address *a)
{
	struct address to = *a;

	if (address_is_any(a) && to.any.sa_family == AF_INET)
		to.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else if (address_is_any(a))
		to.in6.sin6_addr = in6addr_loopback;
	return to;
}

bool
listener_is_reached(const struct listener *l, const struct address *by)
{
	struct address to = dialled(by);

	for (size_t i = 0; i < l->count; i++)
		if (address_equals(&to, &l->addresses[i]) ||
		    (address_is_loopback(&to) &&
			is_covered(&to, &l->addresses[i], l->v6only)))
			return true;
	return false;
}
