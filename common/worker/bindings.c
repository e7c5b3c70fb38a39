#include "common/worker/bindings.h"

#include "common/base/log.h"
#include "common/net/resolver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Seconds for looking up the names in `accept`. */
static const double accept_lookup = 10;

/* With port 0 the address does not tell whose the listen socket is. */
static bool
is_of(const struct binding *binding, const struct service *service)
{
	if (binding->service == NULL || service == NULL ||
	    !address_is_ephemeral(&binding->listen_socket->address))
		return (binding->service == NULL) == (service == NULL);
	return strcmp(binding->service->settings->name, service->settings->name) == 0;
}

/* The listen socket at @address that is there already, or NULL.  One that leads to
 * services never becomes one of the status port, nor the other way round: others have its
 * sockets. */
static struct listen_socket *
find_listen_socket(const struct generation *generation, const struct address *address,
    const struct service *service)
{
	for (size_t i = 0; generation != NULL && i < generation->binding_count; i++) {
		const struct binding *binding = &generation->bindings[i];

		if (is_of(binding, service) &&
		    address_equals(&binding->listen_socket->address, address))
			return binding->listen_socket;
	}
	return NULL;
}

/* The port that the system chose. */
static void
tell_port(const struct listen_socket *listen_socket, const struct service *service)
{
	struct address address = {.length = sizeof(address.un)};
	char text[ADDRESS_TEXT_SIZE];

	if (listen_socket->count == 0 ||
	    getsockname(listen_socket->fds[0], &address.any, &address.length) != 0)
		return;
	log_event(LOG_LEVEL_INFO, "listening",
	    LOG_TEXT("service", service->settings->name),
	    LOG_WORD("accept", address_format(&address, text, sizeof(text))));
}

bool
bindings_add(
    struct generation *p, struct listen_socket *listen_socket, struct service *service)
{
	struct binding *more =
	    realloc(p->bindings, (p->binding_count + 1) * sizeof(*more));

	if (more == NULL) {
		listen_socket_release(listen_socket);
		return false;
	}
	p->bindings = more;
	more[p->binding_count++] = (struct binding){
	    listen_socket, service != NULL ? service_hold(service) : NULL};
	return true;
}

bool
bindings_add_missing(struct generation *p, const struct address *address,
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
was_missing(const struct generation *before, const struct address *address)
{
	for (size_t i = 0; i < before->missing_count; i++)
		if (address_equals(&before->missing[i].address, address))
			return true;
	return false;
}

static bool
has_listen_socket_at(const struct generation *p, const struct address *address)
{
	for (size_t i = 0; i < p->binding_count; i++)
		if (address_equals(&p->bindings[i].listen_socket->address, address))
			return true;
	return false;
}

/* A reload that finds an address taken changes nothing; at the start, which follows no
 * generation with listen sockets, the others are served.  Twice in one file is not
 * another program's. */
static bool
may_be_missing(const struct generation *p, const struct address *address,
    const struct generation *before, int errnum)
{
	if ((errnum != EADDRINUSE && errnum != EADDRNOTAVAIL) ||
	    has_listen_socket_at(p, address))
		return false;
	return before == NULL || was_missing(before, address) ||
	       (before->binding_count == 0 && before->missing_count == 0);
}

/* Those of a PORT alone: what is listened on already stays, though the host may have got
 * IPv4 since: that socket takes it too. */
static size_t
any_addresses(const struct address_name *name, const struct bindings_source *from,
    const struct service *service, struct address addresses[2])
{
	struct address in6 = {
	    .length = sizeof(struct sockaddr_in6),
	    .in6 = {.sin6_family = AF_INET6, .sin6_port = htons(name->port)},
	};

	if (find_listen_socket(from->before, &in6, service) == NULL)
		return address_any(name->port, addresses);
	addresses[0] = in6;
	return 1;
}

static size_t
addresses_of(const struct address_name *name, const struct bindings_source *from,
    const struct service *service, struct address *addresses, size_t most, struct err *e)
{
	size_t count = name->port_alone ? any_addresses(name, from, service, addresses)
					: address_name_addresses(name, addresses);

	if (count == 0)
		count = resolver_now(
		    name->host, name->port, accept_lookup, addresses, most, e);
	return count;
}

static struct listen_socket *
open_listen_socket(const struct address *at, const struct service *service,
    size_t workers, struct socket_activation *inherited, struct err *e)
{
	return service != NULL ? listen_socket_open(at, workers,
				     &service->settings->socket, inherited, e)
			       : listen_socket_open(at, 1, NULL, inherited, e);
}

/* *@taken counts what is listened on, now or later.  @only: the name has no other. */
static bool
take_listen_socket(struct generation *p, struct service *service,
    const struct address *at, bool only, const struct bindings_source *from,
    size_t *taken, struct err *e)
{
	struct listen_socket *listen_socket =
	    find_listen_socket(p, at, service) == NULL
		? find_listen_socket(from->before, at, service)
		: NULL; /* twice in one file: its error is the system's */

	if (listen_socket != NULL)
		listen_socket_hold(listen_socket);
	else
		listen_socket =
		    open_listen_socket(at, service, from->workers, from->inherited, e);
	if (listen_socket != NULL) {
		if (service != NULL && address_is_ephemeral(at))
			tell_port(listen_socket, service);
		++*taken;
		return bindings_add(p, listen_socket, service) ||
		       err_set(e, "out of memory");
	}
	if (!only && (errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT))
		return true; /* "localhost" may lack one of its two */
	if (!may_be_missing(p, at, from->before, errno))
		return false;
	++*taken;
	return bindings_add_missing(p, at, service, e->text) ||
	       err_set(e, "out of memory");
}

bool
bindings_take(struct generation *p, struct service *service,
    const struct address_name *name, const struct bindings_source *from, struct err *e)
{
	struct address addresses[8];
	size_t taken = 0, count = addresses_of(name, from, service, addresses,
			      sizeof(addresses) / sizeof(addresses[0]), e);

	for (size_t i = 0; i < count; i++) {
		if (name->port_alone && taken > 0)
			break; /* the others are for want of it */
		if (!take_listen_socket(
			p, service, &addresses[i], count == 1, from, &taken, e))
			return false;
	}
	return taken > 0;
}

bool
bindings_retry(struct generation *p, const struct missing *m, size_t workers)
{
	struct err e = {.text = ""};
	char text[ADDRESS_TEXT_SIZE];
	struct listen_socket *listen_socket =
	    open_listen_socket(&m->address, m->service, workers, NULL, &e);

	if (listen_socket == NULL || !bindings_add(p, listen_socket, m->service))
		return false;
	log_event(LOG_LEVEL_INFO, "listening",
	    LOG_TEXT(
		"service", m->service != NULL ? m->service->settings->name : "status"),
	    LOG_WORD("accept", address_format(&m->address, text, sizeof(text))));
	return true;
}
