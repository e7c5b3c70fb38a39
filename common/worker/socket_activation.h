/*
 * Listening sockets that systemd opened for us (sd_listen_fds(3)): LISTEN_FDS of them
 * from descriptor 3 on, for the process LISTEN_PID, called LISTEN_FDNAMES.  They are told
 * apart by their addresses, which the settings name as if we opened them.
 */
#ifndef COMMON_WORKER_SOCKET_ACTIVATION_H
#define COMMON_WORKER_SOCKET_ACTIVATION_H

#include "common/base/net.h"

/** One socket. */
struct heirloom {
	int fd; /* -1 once taken */
	struct net_address address;
	char name[NET_TEXT_SIZE]; /* the unit's word for it, or "" */
};

struct inherited {
	struct heirloom *items;
	size_t count;
};

/** Read the environment, before any fork and before any descriptor is opened.  Without
 * the variables, or where they are meant for another process, there are none.  False: @e,
 * for one of them is no listening stream socket.  inherited_clear() follows either way.
 */
bool inherited_read(struct inherited *in, struct err *e);

/** The socket at @address, which is the caller's from now on, or -1. */
int inherited_take(struct inherited *in, const struct net_address *address);

/** Has each been taken?  False: @e names one that nobody wants. */
bool inherited_is_used_up(const struct inherited *in, struct err *e);

/** Close what was not taken. */
void inherited_clear(struct inherited *in);

#endif
