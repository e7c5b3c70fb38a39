/*
 * A place to listen at.  It outlives generations, so that a reload never closes and opens
 * it again: whoever keeps a pointer to it holds it.
 */
#ifndef COMMON_WORKER_LISTEN_SOCKET_H
#define COMMON_WORKER_LISTEN_SOCKET_H

#include "common/base/address.h"
#include "common/base/socket_option.h"
#include "common/worker/socket_activation.h"

#include <stdatomic.h>

struct listen_socket {
	atomic_int holders;
	struct address address;
	bool lent; /* by systemd, which keeps a Unix socket's file */
	size_t count;
	/** A listening socket for each worker, by its index.  A worker takes its own
	 * over, and leaves -1. */
	int fds[];
};

/** Listen at @address, with a socket for each of @workers.  What is @inherited, perhaps
 * NULL, is taken instead of listening anew.  NULL: @e says why, and errno too, unless out
 * of memory.  The caller holds it. */
struct listen_socket *listen_socket_open(const struct address *address, size_t workers,
    const struct socket_option_list *options, struct socket_activation *inherited,
    struct err *e);

/** Returns @listen_socket. */
struct listen_socket *listen_socket_hold(struct listen_socket *listen_socket);

/** Whoever lets go last closes it, and removes the file of a Unix socket. */
void listen_socket_release(struct listen_socket *listen_socket);

#endif
