/*
 * What a program is to do: its services, and the listen sockets through which connections
 * come to them.  Made by the main thread from the settings and then only read.  A reload,
 * or a file that changed, makes another generation; what did not change goes over to it
 * as it is: listening sockets are never closed and opened again, and a service that is
 * the same keeps its carriers.
 *
 * An address that another program has at the start is no reason not to serve the others:
 * the generation notes that it is missing, and generation_retry() tries again.
 */
#ifndef COMMON_WORKER_GENERATION_H
#define COMMON_WORKER_GENERATION_H

#include "common/worker/listen_socket.h"
#include "common/carrier/service.h"

#include <stdatomic.h>

/** A listen socket and the service it leads to; or NULL, and it leads to the status port,
 * which takes its only socket over. */
struct binding {
	struct listen_socket *listen_socket;
	struct service *service;
};

/** An address that could not be listened on. */
struct missing {
	struct address address;
	struct service *service; /* as in a binding */
	char why[160];
};

struct generation {
	atomic_int holders;
	unsigned long number; /* grows from generation to generation, once workers are to
				 follow it */
	struct service **services;
	size_t service_count;
	struct binding *bindings;
	size_t binding_count;
	struct missing *missing;
	size_t missing_count;
};

/**
 * Make a generation for @workers from @settings; @before, perhaps NULL, is the one that
 * it follows.  What is @inherited, perhaps NULL, is taken instead of listening anew.
 * Names in `accept` are looked up, which may take 10 s.  At the start addresses may be
 * missing, as long as there is one for a service; later only those that were before.
 * NULL: @e says why, and nothing has changed.  The caller holds it.
 */
struct generation *generation_new(struct settings *settings, size_t workers,
    const struct generation *before, struct socket_activation *inherited, struct err *e);

/** Would services be made from all that @settings have?  Reads certificates and keys,
 * looks up no name. */
void generation_check(struct settings *settings, struct diagnostics *faults);

/** As @before, but with one service in place of another. */
struct generation *generation_with(
    const struct generation *before, const struct service *old, struct service *renewed);

/** As @before, with those of its missing addresses that can be listened on now, which is
 * said in the log.  NULL: there are none, or there is no memory. */
struct generation *generation_retry(const struct generation *before, size_t workers);

/** Returns @generation. */
struct generation *generation_hold(struct generation *generation);

/** Whoever lets go last frees it; a listen socket that nobody holds any more is closed,
 * and the file of its Unix socket removed.  NULL is fine. */
void generation_release(struct generation *generation);

bool generation_has(const struct generation *generation, const struct service *service);

/** @service, or what the generation has in its place: the one of the same name.  NULL:
 * neither. */
struct service *
generation_present(const struct generation *generation, const struct service *service);

/** The service behind @listen_socket; NULL: the generation does not have it. */
struct service *generation_service_of(
    const struct generation *generation, const struct listen_socket *listen_socket);

/** Which service has an `sni` line for @name at the listen sockets of @at; the first in
 * the file's order.  NULL: none.  @at may be of an older generation. */
struct service *generation_service_for(
    const struct generation *generation, const struct service *at, const char *name);

/** Does any service have an `sni` line for the listen sockets of @at? */
bool generation_has_names(const struct generation *generation, const struct service *at);

#endif
