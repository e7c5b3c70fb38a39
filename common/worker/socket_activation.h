/*
 * Listening sockets that systemd opened for us (sd_listen_fds(3)): LISTEN_FDS of them
 * from descriptor 3 on, for the process LISTEN_PID, called LISTEN_FDNAMES.  They are told
 * apart by their addresses, which the settings name as if we opened them.
 */
#ifndef COMMON_WORKER_SOCKET_ACTIVATION_H
#define COMMON_WORKER_SOCKET_ACTIVATION_H

#include "common/base/address.h"

/** One socket. */
struct activated_socket {
	int fd; /* -1 once taken */
	struct address address;
	char name[ADDRESS_TEXT_SIZE]; /* the unit's word for it, or "" */
};

struct socket_activation {
	struct activated_socket *items;
	size_t count;
};

/** Read the environment, before any fork and before any descriptor is opened.  Without
 * the variables, or where they are meant for another process, there are none.  False: @e,
 * for one of them is no listening stream socket.  socket_activation_clear() follows
 * either way.
 */
bool socket_activation_read(struct socket_activation *in, struct err *e);

/** The socket at @address, which is the caller's from now on, or -1. */
int socket_activation_take(struct socket_activation *in, const struct address *address);

/** Has each been taken?  False: @e names one that nobody wants. */
bool socket_activation_is_used_up(const struct socket_activation *in, struct err *e);

/** Close what was not taken. */
void socket_activation_clear(struct socket_activation *in);

#endif
