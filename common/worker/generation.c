#include "common/worker/generation.h"

#include "common/base/log.h"
#include "common/net/resolver.h"
#include "common/base/hostname.h"
#include "common/tls/context.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Seconds for looking up the names in `accept`. */
static const double accept_lookup = 10;

/* ---- doors ----------------------------------------------------------------------- */

struct listen_socket *
listen_socket_hold(struct listen_socket *door)
{
	atomic_fetch_add(&door->holders, 1);
	return door;
}

void
listen_socket_release(struct listen_socket *door)
{
	const struct net_address *at = &door->address;

	if (atomic_fetch_sub(&door->holders, 1) > 1)
		return;
	for (size_t i = 0; i < door->count; i++)
		if (door->fds[i] >= 0)
			close(door->fds[i]);
	if (!door->lent && at->any.sa_family == AF_UNIX && at->un.sun_path[0] != '\0')
		(void)unlink(at->un.sun_path);
	free(door);
}

static struct listen_socket *
listen_socket_open(const struct net_address *address, size_t workers,
    const struct socket_option_list *options, struct socket_activation *inherited,
    struct err *e)
{
	struct listen_socket *door = malloc(sizeof(*door) + workers * sizeof(int));
	int fd = -1;

	if (door == NULL) {
		err_set(e, "out of memory");
		return NULL;
	}
	if (inherited != NULL)
		fd = socket_activation_take(inherited, address);
	*door = (struct listen_socket){
	    .address = *address, .lent = fd >= 0, .count = workers};
	if (fd < 0 && (fd = net_listen(address, options, e)) < 0) {
		free(door);
		return NULL;
	}
	atomic_init(&door->holders, 1);
	for (size_t i = 0; i < workers; i++)
		door->fds[i] = i == 0 ? fd : -1;
	for (size_t i = 1; i < workers; i++)
		if ((door->fds[i] = net_listen_beside(fd, options, e)) < 0) {
			listen_socket_release(door);
			return NULL;
		}
	return door;
}

static bool
same_address(const struct net_address *a, const struct net_address *b)
{
	return a->length == b->length && memcmp(&a->any, &b->any, a->length) == 0;
}

/* With port 0 the address does not tell whose the door is. */
static bool
is_of(const struct binding *entrance, const struct service *service)
{
	if (entrance->service == NULL || service == NULL ||
	    !net_address_is_open(&entrance->door->address))
		return (entrance->service == NULL) == (service == NULL);
	return strcmp(entrance->service->settings->name, service->settings->name) == 0;
}

/* The door at @address that is there already, or NULL.  One that leads to services never
 * becomes one of the status port, nor the other way round: others have its sockets. */
static struct listen_socket *
find_door(const struct generation *plan, const struct net_address *address,
    const struct service *service)
{
	for (size_t i = 0; plan != NULL && i < plan->entrance_count; i++) {
		const struct binding *entrance = &plan->entrances[i];

		if (is_of(entrance, service) &&
		    same_address(&entrance->door->address, address))
			return entrance->door;
	}
	return NULL;
}

/* The port that the system chose. */
static void
tell_port(const struct listen_socket *door, const struct service *service)
{
	struct net_address address = {.length = sizeof(address.un)};
	char name[LOG_QUOTE_SIZE], text[NET_TEXT_SIZE];

	if (door->count == 0 ||
	    getsockname(door->fds[0], &address.any, &address.length) != 0)
		return;
	log_info("event=listening service=%s accept=%s",
	    log_quote(service->settings->name, name),
	    net_address_format(&address, text, sizeof(text)));
}

/* ---- making a plan --------------------------------------------------------------- */

/* What a plan is made from, beside the settings. */
struct material {
	size_t workers;
	const struct generation *before;
	struct socket_activation *inherited;
};

static bool
add_entrance(struct generation *p, struct listen_socket *door, struct service *service)
{
	struct binding *more =
	    realloc(p->entrances, (p->entrance_count + 1) * sizeof(*more));

	if (more == NULL) {
		listen_socket_release(door);
		return false;
	}
	p->entrances = more;
	more[p->entrance_count++] =
	    (struct binding){door, service != NULL ? service_hold(service) : NULL};
	return true;
}

static bool
add_missing(struct generation *p, const struct net_address *address,
    struct service *service, const char *why)
{
	struct missing *more =
	    realloc(p->missing, (p->missing_count + 1) * sizeof(*more));
	struct missing *m;

	if (more == NULL)
		return false;
	p->missing = more;
	m = &more[p->missing_count++];
	*m = (struct missing){
	    *address, service != NULL ? service_hold(service) : NULL, ""};
	strncat(m->why, why, sizeof(m->why) - 1);
	return true;
}

static bool
add_service(struct generation *p, struct service *service)
{
	struct service **more =
	    realloc(p->services, (p->service_count + 1) * sizeof(struct service *));

	if (more == NULL) {
		service_release(service);
		return false;
	}
	p->services = more;
	more[p->service_count++] = service;
	return true;
}

/* What a URI stands for, or the system trusts, is not looked at from outside. */
static bool
has_unseen_trust(const struct service_settings *s)
{
	return s->ca_store != NULL || s->system_ca;
}

/* The same lines and the same files make the same service. */
static struct service *
find_service(const struct generation *plan, const struct service_settings *s)
{
	struct file_stamp now[SETTINGS_FILES];

	for (size_t i = 0; plan != NULL && i < plan->service_count; i++) {
		const struct service_settings *old = plan->services[i]->settings;

		if (strcmp(old->name, s->name) == 0 && strcmp(old->text, s->text) == 0 &&
		    !has_unseen_trust(s) && !service_look(plan->services[i], now))
			return plan->services[i];
	}
	return NULL;
}

static struct service *
find_name(const struct generation *plan, const char *name)
{
	for (size_t i = 0; plan != NULL && i < plan->service_count; i++)
		if (strcmp(plan->services[i]->settings->name, name) == 0)
			return plan->services[i];
	return NULL;
}

/* A service of its own, which counts on from the one of the same name. */
static struct service *
make_service(struct settings *settings, const struct service_settings *s,
    const struct generation *before, struct err *e)
{
	const struct service *old = find_name(before, s->name);
	struct service *service = service_new(settings, s, e);

	if (service != NULL && old != NULL)
		service_succeed(service, old);
	return service;
}

/* The line that @e is about, or else its section's, is named in front. */
static bool
blame(const struct service_settings *s, struct err *e)
{
	if (settings_blame_line(s, e))
		return false;
	e->place = s->place + 1;
	return err_prefix(e, "%s:%d: [%s]", s->file, s->line, s->name);
}

static bool
take_services(struct generation *p, struct settings *settings,
    const struct generation *before, struct err *e)
{
	for (size_t i = 0; i < settings->service_count; i++) {
		struct service_settings *s = &settings->services[i];
		struct service *service = find_service(before, s);

		service = service != NULL ? service_hold(service)
					  : make_service(settings, s, before, e);
		if (service == NULL)
			return blame(s, e);
		if (!add_service(p, service))
			return err_set(e, "out of memory");
	}
	return true;
}

static bool
was_missing(const struct generation *before, const struct net_address *address)
{
	for (size_t i = 0; i < before->missing_count; i++)
		if (same_address(&before->missing[i].address, address))
			return true;
	return false;
}

static bool
has_door_at(const struct generation *p, const struct net_address *address)
{
	for (size_t i = 0; i < p->entrance_count; i++)
		if (same_address(&p->entrances[i].door->address, address))
			return true;
	return false;
}

/* A reload that finds an address taken changes nothing; at the start, which follows no
 * plan with doors, the others are served.  Twice in one file is not another program's. */
static bool
may_be_missing(const struct generation *p, const struct net_address *address,
    const struct generation *before, int errnum)
{
	if ((errnum != EADDRINUSE && errnum != EADDRNOTAVAIL) || has_door_at(p, address))
		return false;
	return before == NULL || was_missing(before, address) ||
	       (before->entrance_count == 0 && before->missing_count == 0);
}

/* Those of a PORT alone: what is listened on already stays, though the host may have got
 * IPv4 since: that socket takes it too. */
static size_t
any_addresses(const struct net_name *name, const struct material *from,
    const struct service *service, struct net_address addresses[2])
{
	struct net_address in6 = {
	    .length = sizeof(struct sockaddr_in6),
	    .in6 = {.sin6_family = AF_INET6, .sin6_port = htons(name->port)},
	};

	if (find_door(from->before, &in6, service) == NULL)
		return net_any_addresses(name->port, addresses);
	addresses[0] = in6;
	return 1;
}

static size_t
addresses_of(const struct net_name *name, const struct material *from,
    const struct service *service, struct net_address *addresses, size_t most,
    struct err *e)
{
	size_t count = name->port_alone ? any_addresses(name, from, service, addresses)
					: net_name_addresses(name, addresses);

	if (count == 0)
		count = resolver_now(
		    name->host, name->port, accept_lookup, addresses, most, e);
	return count;
}

static struct listen_socket *
open_door(const struct net_address *at, const struct service *service, size_t workers,
    struct socket_activation *inherited, struct err *e)
{
	return service != NULL ? listen_socket_open(at, workers,
				     &service->settings->socket, inherited, e)
			       : listen_socket_open(at, 1, NULL, inherited, e);
}

/* *@taken counts what is listened on, now or later.  @only: the name has no other. */
static bool
take_door(struct generation *p, struct service *service, const struct net_address *at,
    bool only, const struct material *from, size_t *taken, struct err *e)
{
	struct listen_socket *door =
	    find_door(p, at, service) == NULL
		? find_door(from->before, at, service)
		: NULL; /* twice in one file: its error is the system's */

	if (door != NULL)
		listen_socket_hold(door);
	else
		door = open_door(at, service, from->workers, from->inherited, e);
	if (door != NULL) {
		if (service != NULL && net_address_is_open(at))
			tell_port(door, service);
		++*taken;
		return add_entrance(p, door, service) || err_set(e, "out of memory");
	}
	if (!only && (errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT))
		return true; /* "localhost" may lack one of its two */
	if (!may_be_missing(p, at, from->before, errno))
		return false;
	++*taken;
	return add_missing(p, at, service, e->text) || err_set(e, "out of memory");
}

/* All addresses of one `accept`. */
static bool
take_doors(struct generation *p, struct service *service, const struct net_name *name,
    const struct material *from, struct err *e)
{
	struct net_address addresses[8];
	size_t taken = 0, count = addresses_of(name, from, service, addresses,
			      sizeof(addresses) / sizeof(addresses[0]), e);

	for (size_t i = 0; i < count; i++) {
		if (name->port_alone && taken > 0)
			break; /* the others are for want of it */
		if (!take_door(p, service, &addresses[i], count == 1, from, &taken, e))
			return false;
	}
	return taken > 0;
}

static bool
take_status_doors(struct generation *p, const struct settings *settings,
    const struct material *from, struct err *e)
{
	for (size_t i = 0; i < settings->status.count; i++)
		if (!take_doors(p, NULL, &settings->status.items[i], from, e))
			return err_prefix(e, "%s: status", settings->file);
	return true;
}

static bool
take_all_doors(struct generation *p, const struct settings *settings,
    const struct material *from, struct err *e)
{
	for (size_t i = 0; i < p->service_count; i++) {
		const struct service_settings *s = p->services[i]->settings;

		for (size_t j = 0; j < s->accept.count; j++)
			if (!take_doors(p, p->services[i], &s->accept.items[j], from, e))
				return blame(s, e);
	}
	return take_status_doors(p, settings, from, e);
}

/* With none of its services within reach a program is of no use. */
static bool
serves_any(const struct generation *p, struct err *e)
{
	for (size_t i = 0; i < p->entrance_count; i++)
		if (p->entrances[i].service != NULL)
			return true;
	for (size_t i = 0; i < p->missing_count; i++)
		if (p->missing[i].service != NULL) {
			err_set(e, "%s", p->missing[i].why);
			return blame(p->missing[i].service->settings, e);
		}
	return true;
}

static struct generation *
new_empty(void)
{
	struct generation *p = calloc(1, sizeof(*p));

	if (p != NULL)
		atomic_init(&p->holders, 1);
	return p;
}

struct generation *
generation_new(struct settings *settings, size_t workers, const struct generation *before,
    struct socket_activation *inherited, struct err *e)
{
	const struct material from = {workers, before, inherited};
	struct generation *p = new_empty();

	if (p == NULL) {
		err_set(e, "out of memory");
		return NULL;
	}
	if (take_services(p, settings, before, e) &&
	    (workers == 0 || (take_all_doors(p, settings, &from, e) && serves_any(p, e))))
		return p;
	generation_release(p);
	return NULL;
}

/* Who notes the faults of a service. */
struct notebook {
	const struct service_settings *s;
	struct diagnostics *faults;
};

/* Of a faulty service only what is wrong with one of its lines is noted: the rest may
 * follow from what was told. */
static void
note(void *owner, struct err *e)
{
	struct notebook *book = owner;

	if (book->s->faulty ? settings_blame_line(book->s, e) : !blame(book->s, e))
		(void)diagnostics_note(book->faults, e);
}

void
generation_check(struct settings *settings, struct diagnostics *faults)
{
	for (size_t i = 0; i < settings->service_count; i++) {
		struct notebook book = {&settings->services[i], faults};
		const struct tls_listener listener = {note, &book};
		struct err e = {.text = ""};
		struct service *service =
		    book.s->faulty ? NULL : service_new(settings, book.s, &e);

		service_release(service);
		if (service != NULL)
			continue;
		if (!book.s->faulty)
			note(&book, &e);
		tls_context_check(book.s, &listener);
	}
}

struct generation *
generation_with(
    const struct generation *before, const struct service *old, struct service *renewed)
{
	struct generation *p = new_empty();
	bool ok = p != NULL;

	for (size_t i = 0; ok && i < before->service_count; i++) {
		struct service *service = before->services[i];

		ok = add_service(p, service_hold(service == old ? renewed : service));
	}
	for (size_t i = 0; ok && i < before->entrance_count; i++) {
		const struct binding *entrance = &before->entrances[i];

		ok = add_entrance(p, listen_socket_hold(entrance->door),
		    entrance->service == old ? renewed : entrance->service);
	}
	for (size_t i = 0; ok && i < before->missing_count; i++) {
		const struct missing *m = &before->missing[i];

		ok = add_missing(
		    p, &m->address, m->service == old ? renewed : m->service, m->why);
	}
	if (!ok)
		generation_release(p);
	return ok ? p : NULL;
}

/* True: it is listened on now. */
static bool
retry_missing(struct generation *p, const struct missing *m, size_t workers)
{
	struct err e = {.text = ""};
	char name[LOG_QUOTE_SIZE], text[NET_TEXT_SIZE];
	struct listen_socket *door =
	    open_door(&m->address, m->service, workers, NULL, &e);

	if (door == NULL || !add_entrance(p, door, m->service))
		return false;
	log_info("event=listening service=%s accept=%s",
	    m->service != NULL ? log_quote(m->service->settings->name, name) : "status",
	    net_address_format(&m->address, text, sizeof(text)));
	return true;
}

struct generation *
generation_retry(const struct generation *before, size_t workers)
{
	struct generation *p = generation_with(before, NULL, NULL);
	size_t left = 0;

	for (size_t i = 0; p != NULL && i < p->missing_count; i++)
		if (retry_missing(p, &p->missing[i], workers))
			service_release(p->missing[i].service);
		else
			p->missing[left++] = p->missing[i];
	if (p == NULL)
		return NULL;
	if (left < p->missing_count) {
		p->missing_count = left;
		return p;
	}
	generation_release(p);
	return NULL;
}

struct generation *
generation_hold(struct generation *plan)
{
	atomic_fetch_add(&plan->holders, 1);
	return plan;
}

void
generation_release(struct generation *p)
{
	if (p == NULL || atomic_fetch_sub(&p->holders, 1) > 1)
		return;
	for (size_t i = 0; i < p->entrance_count; i++) {
		listen_socket_release(p->entrances[i].door);
		service_release(p->entrances[i].service);
	}
	for (size_t i = 0; i < p->service_count; i++)
		service_release(p->services[i]);
	for (size_t i = 0; i < p->missing_count; i++)
		service_release(p->missing[i].service);
	free(p->missing);
	free(p->entrances);
	free(p->services);
	free(p);
}

bool
generation_has(const struct generation *plan, const struct service *service)
{
	return generation_present(plan, service) == service;
}

struct service *
generation_present(const struct generation *plan, const struct service *service)
{
	for (size_t i = 0; i < plan->service_count; i++)
		if (plan->services[i] == service)
			return plan->services[i];
	return find_name(plan, service->settings->name);
}

struct service *
generation_service_of(const struct generation *plan, const struct listen_socket *door)
{
	for (size_t i = 0; i < plan->entrance_count; i++)
		if (plan->entrances[i].door == door)
			return plan->entrances[i].service;
	return NULL;
}

/* Does a line of @s fit @name, or any name if that is NULL, at the doors of @at? */
static bool
has_name(
    const struct service_settings *s, const struct service_settings *at, const char *name)
{
	for (size_t i = 0; i < s->sni_rules.count; i++) {
		const struct sni_rule *rule = &s->sni_rules.items[i];

		if (strcmp(rule->section, at->name) == 0 &&
		    (name == NULL || hostname_fits(rule->pattern, name)))
			return true;
	}
	return false;
}

struct service *
generation_service_for(
    const struct generation *plan, const struct service *at, const char *name)
{
	for (size_t i = 0; i < plan->service_count; i++)
		if (has_name(plan->services[i]->settings, at->settings, name))
			return plan->services[i];
	return NULL;
}

bool
generation_has_names(const struct generation *plan, const struct service *at)
{
	return generation_service_for(plan, at, NULL) != NULL;
}
