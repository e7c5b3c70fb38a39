/*
 * The header by which an app learns who connected: PROXY version 1, a line of text, and
 * version 2, binary with more facts in it (HAProxy's proxy-protocol.txt, 2.1 and 2.2).
 * Pure functions: nothing is looked up, kept or sent.
 */
#ifndef COMMON_NET_PROXY_PROTOCOL_H
#define COMMON_NET_PROXY_PROTOCOL_H

#include "common/base/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/** The most bytes of one text in version 2, and what a common name may need (RFC
	 * 5280, appendix A.1: 64 characters).  A longer one is left out, since a part of
	 * a name is another name. */
	PROXY_PROTOCOL_TEXT = 256,
	/** Room for either version. */
	PROXY_PROTOCOL_SIZE = 16 + 36 + 8 + 4 * (3 + PROXY_PROTOCOL_TEXT),
};

/** What is told of a stream.  Texts may hold any byte but NUL; "": none. */
struct proxy_facts {
	const struct address *from, *to; /* who connected, and where it came in */
	const char *sni;
	const char *tls; /* the version */
	const char *cipher;
	const char *common_name; /* of the peer's certificate */
	bool shown;     /* the peer showed a certificate, now or earlier in the session */
	bool shown_now; /* on this very connection */
	bool verified;  /* and it is good */
};

/**
 * Write the header of @version, 1 or 2.  Returns its length in bytes.  An IPv4 address
 * beside an IPv6 one is written as ::ffff:a.b.c.d is; where one of both is neither,
 * the header says that the addresses are unknown, and an app then takes those of the
 * socket itself.
 */
size_t proxy_protocol_write(
    uint8_t out[PROXY_PROTOCOL_SIZE], int version, const struct proxy_facts *facts);

/**
 * Read an address as a peer names it: "192.0.2.1:80", "[2001:db8::1]:80", either without
 * a port (then it is 0).  A %scope is passed over, for it means an interface of another
 * host.  False: it is no address in numbers, and @address is undefined.
 */
bool proxy_protocol_read_address(struct address *address, const char *text);

#endif
