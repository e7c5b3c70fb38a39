/*
 * Addresses and sockets: what the operating system calls by struct sockaddr.
 * Nothing here looks a name up (that is resolve.h) or waits.
 */
#ifndef COMMON_BASE_NET_H
#define COMMON_BASE_NET_H

#include "common/base/err.h"
#include "common/base/socket_option.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/** An address that a socket can use. */
struct net_address {
	socklen_t length;
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
};

/**
 * What a line of the settings says: [HOST:]PORT or /unix/socket.  The host may
 * be a literal address, "localhost" or a name that is still to be looked up.
 */
struct net_name {
	char *host;      /* NULL for a Unix socket; no brackets */
	uint16_t port;   /* host byte order; 0 for a Unix socket */
	char *path;      /* NULL unless a Unix socket */
	bool port_alone; /* no host was written: @host is what stands in for it */
};

enum {
	/** Enough for any address in text, a Unix path and the final NUL included. */
	NET_TEXT_SIZE = 128,
};

/**
 * Read [HOST:]PORT or /unix/socket.  An address splits at its last colon; HOST may
 * stand in brackets ("::1:80" is "[::1]:80"); PORT is a number from 1 to 65535, and a
 * name in its place is refused, for the system's list of services is not read.
 * @default_host stands in where only a port is given.  On failure *@name is untouched
 * and @e tells what to write.  The caller calls net_name_clear().
 */
bool net_name_parse(
    struct net_name *name, const char *text, const char *default_host, struct err *e);

/** The same for where to listen: port 0 is one that the system chooses. */
bool net_name_parse_listener(
    struct net_name *name, const char *text, const char *default_host, struct err *e);
void net_name_clear(struct net_name *name);

/** "host:port", "[::1]:port" or the path; cut to @size, always with a NUL.  Returns
 * @text. */
const char *net_name_format(const struct net_name *name, char *text, size_t size);

/** True for an address in numbers (IPv4, or IPv6 with an optional %scope, which may
 * be an interface that this host does not have). */
bool net_is_literal(const char *host);

/**
 * The addresses that need no lookup: a literal, "localhost" (::1 and 127.0.0.1, in this
 * order; RFC 6761, 6.3) or a Unix path.  Returns how many were written, at most 2; 0
 * means that the name must be looked up, or that its %scope is no interface here.
 */
size_t net_name_addresses(const struct net_name *name, struct net_address addresses[2]);

/** Every address of this host at @port: 0.0.0.0, and :: where the host has no IPv4 but on
 * the loopback; a socket there takes IPv4 too, should it come.  Returns how many to try,
 * the best first, until one can be listened on: 1 or 2. */
size_t net_any_addresses(uint16_t port, struct net_address addresses[2]);

/** "192.0.2.1:80" (also for ::ffff:192.0.2.1, which is what a peer over IPv4 looks like
 * on an IPv6 any-address), "[2001:db8::1%eth0]:80", the Unix path ("@name" for an
 * abstract one), or "unix" for an unnamed one.  Cut to @size.  Returns @text. */
const char *
net_address_format(const struct net_address *address, char *text, size_t size);

/** Is its port 0, for the system to choose? */
bool net_address_is_open(const struct net_address *address);

/** Do two addresses of IPv4 or IPv6 differ by nothing but their ports? */
bool net_is_same_host(const struct net_address *a, const struct net_address *b);

/** A listening, non-blocking, close-on-exec socket, or -1 and @e: "listen on
 * 127.0.0.1:443: Address already in use".  An IPv6 socket takes IPv6 alone, unless it is
 * the any-address.  A Unix socket's file is replaced if nobody answers there; whoever
 * closes the socket for good unlinks the file.  @options, perhaps NULL, are set first. */
int net_listen(const struct net_address *address,
    const struct socket_option_list *options, struct err *e);

/** Another listening socket at the address of @first, which net_listen() made: the kernel
 * shares out between them what comes.  Where it cannot (a Unix socket), a duplicate, from
 * which whoever comes first accepts.  -1 and @e: no descriptor is left. */
int net_listen_beside(int first, const struct socket_option_list *options, struct err *e);

/** A non-blocking, close-on-exec stream socket of the address' family, or -1 with errno.
 */
int net_socket(const struct net_address *address);

/** Is it a Unix socket? */
bool net_is_unix(int fd);

/** The two addresses of a connection; the length of one is 0 where it cannot be told. */
void net_ends(int fd, struct net_address *ours, struct net_address *peers);

/** What every stream socket gets: TCP_NODELAY.  @plain: it leads to a program, which is
 * looked after by SO_KEEPALIVE, and which sees RST should this process die: only
 * net_close() ends such a socket in good order.  What is accepted inherits all from its
 * listening socket.  Unix sockets have none of it.  Never fails. */
void net_tune(int fd, bool plain);

/** Close so that the peer gets every byte sent, and then FIN. */
void net_close(int fd);

/** How many bytes the peer's kernel has not acknowledged; 0 too where that cannot be
 * asked. */
int net_unacknowledged(int fd);

/** For how many seconds the peer's TCP has acknowledged nothing at all, although it was
 * reminded in vain: by a retransmission, or by a probe of the window that it had closed.
 * 0: it owes no answer.  A peer that is there and takes nothing answers every probe. */
double net_unanswered(int fd);

/** Close so that the peer sees RST; bytes not sent yet are thrown away.
 * A Unix socket has no RST: its peer sees EOF, or ECONNRESET if it left bytes unread. */
void net_reset(int fd);

#endif
