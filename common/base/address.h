/*
 * Addresses: what the operating system calls a struct sockaddr, and how they are written.
 * Nothing here looks a name up (that is net/resolver.h) or waits.
 */
#ifndef COMMON_BASE_ADDRESS_H
#define COMMON_BASE_ADDRESS_H

#include "common/base/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/** An address that a socket can use. */
struct address {
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
struct address_name {
	char *host;      /* NULL for a Unix socket; no brackets */
	uint16_t port;   /* host byte order; 0 for a Unix socket */
	char *path;      /* NULL unless a Unix socket */
	bool port_alone; /* no host was written: @host is what stands in for it */
};

enum {
	/** Enough for any address in text, a Unix path and the final NUL included. */
	ADDRESS_TEXT_SIZE = 128,
};

/**
 * Read [HOST:]PORT or /unix/socket.  An address splits at its last colon; HOST may
 * stand in brackets ("::1:80" is "[::1]:80"); PORT is a number from 1 to 65535, and a
 * name in its place is refused, for the system's list of services is not read.
 * @default_host stands in where only a port is given.  On failure *@name is untouched
 * and @e tells what to write.  The caller calls address_name_clear().
 */
bool address_name_parse(
    struct address_name *name, const char *text, const char *default_host, struct err *e);

/** The same for where to listen: port 0 is one that the system chooses. */
bool address_name_parse_listener(
    struct address_name *name, const char *text, const char *default_host, struct err *e);
void address_name_clear(struct address_name *name);

/** "host:port", "[::1]:port" or the path; cut to @size, always with a NUL.  Returns
 * @text. */
const char *address_name_format(const struct address_name *name, char *text, size_t size);

/** True for an address in numbers (IPv4, or IPv6 with an optional %scope, which may
 * be an interface that this host does not have). */
bool address_is_literal(const char *host);

/**
 * The addresses that need no lookup: a literal, "localhost" (::1 and 127.0.0.1, in this
 * order; RFC 6761, 6.3) or a Unix path.  Returns how many were written, at most 2; 0
 * means that the name must be looked up, or that its %scope is no interface here.
 */
size_t
address_name_addresses(const struct address_name *name, struct address addresses[2]);

/** Every address of this host at @port: 0.0.0.0, and :: where the host has no IPv4 but on
 * the loopback; a socket there takes IPv4 too, should it come.  Returns how many to try,
 * the best first, until one can be listened on: 1 or 2. */
size_t address_any(uint16_t port, struct address addresses[2]);

/** "192.0.2.1:80" (also for ::ffff:192.0.2.1, which is what a peer over IPv4 looks like
 * on an IPv6 any-address), "[2001:db8::1%eth0]:80", the Unix path ("@name" for an
 * abstract one), or "unix" for an unnamed one.  Cut to @size.  Returns @text. */
const char *address_format(const struct address *address, char *text, size_t size);

/** Is its port 0, for the system to choose? */
bool address_is_ephemeral(const struct address *address);

/** Do two addresses of IPv4 or IPv6 differ by nothing but their ports? */
bool address_is_same_host(const struct address *a, const struct address *b);

/** The same address and port, or the same Unix path? */
bool address_equals(const struct address *a, const struct address *b);

/** Is it every address of this host, 0.0.0.0 or ::? */
bool address_is_any(const struct address *address);

/** Does it lead to this host and nowhere else, by its loopback interface? */
bool address_is_loopback(const struct address *address);

#endif
