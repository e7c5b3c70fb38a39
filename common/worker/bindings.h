/*
 * The listen sockets of a generation: which addresses it listens at for which service,
 * and which of them another program has.
 */
#ifndef COMMON_WORKER_BINDINGS_H
#define COMMON_WORKER_BINDINGS_H

#include "common/worker/generation.h"

/* What a generation is made from, beside the settings. */
struct bindings_source {
	size_t workers;
	const struct generation *before;
	struct socket_activation *inherited;
};

/** Add a listen socket that the caller holds, which is the generation's from now on even
 * on failure. False: out of memory. */
bool bindings_add(struct generation *generation, struct listen_socket *listen_socket,
    struct service *service);

/** Note an address that cannot be listened on.  False: out of memory. */
bool bindings_add_missing(struct generation *generation, const struct address *address,
    struct service *service, const char *why);

/** Listen at all addresses of one `accept`, or of `status` if @service is NULL; at those
 * that are open already, go on with them.  False: @e says why. */
bool bindings_take(struct generation *generation, struct service *service,
    const struct address_name *name, const struct bindings_source *from, struct err *e);

/** Try again to listen at a missing address.  True: it is listened on now. */
bool bindings_retry(
    struct generation *generation, const struct missing *missing, size_t workers);

#endif
