/*
 * What a file may ask of sockets beyond what they get by themselves: lines such as
 * "l:TCP_KEEPIDLE=60", for setsockopt(2).
 */
#ifndef COMMON_BASE_SOCKET_OPTION_H
#define COMMON_BASE_SOCKET_OPTION_H

#include "common/base/err.h"

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

/** Which sockets an option is for. */
enum socket_side {
	SOCKET_ACCEPT = 'a', /* those that listen */
	SOCKET_LOCAL = 'l',  /* those that were accepted */
	SOCKET_REMOTE = 'r', /* those that dial */
};

struct socket_option {
	enum socket_side side;
	const char *name; /* "TCP_KEEPIDLE" */
	int level, number;
	int value;                /* unless it has: */
	char interface[IFNAMSIZ]; /* SO_BINDTODEVICE's; else "" */
};

/** All zero is an empty one. */
struct socket_option_list {
	struct socket_option *items;
	size_t count;
};

/** Append what "SIDE:NAME=VALUE" asks for.  False: @e says what is wrong with it.  What
 * is understood and has no effect is passed over with a warning. */
bool socket_option_add(struct socket_option_list *list, const char *text, struct err *e);
void socket_option_clear(struct socket_option_list *list);

/** Set those of this side, in their order.  What this kind of socket does not have (a
 * Unix socket has little of it) is passed over.  False: errno says why the system refuses
 * one, and @refused is its name; the others are set all the same. */
bool socket_option_apply(const struct socket_option_list *list, int fd,
    enum socket_side side, const char **refused);

#endif
