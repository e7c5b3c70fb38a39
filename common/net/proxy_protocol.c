#include "common/net/proxy_protocol.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	V1_SIZE = 108,       /* the longest line and a NUL */
	V2_FIXED = 16,       /* bytes before the addresses */
	V2_COMMAND = 0x21,   /* version 2, PROXY */
	V2_UNKNOWN = 0x00,   /* AF_UNSPEC, UNSPEC */
	V2_TCP_IN = 0x11,    /* AF_INET, STREAM */
	V2_TCP_IN6 = 0x21,   /* AF_INET6, STREAM */
	V2_AUTHORITY = 0x02, /* PP2_TYPE_AUTHORITY */
	V2_SSL = 0x20,       /* PP2_TYPE_SSL, and what it holds: */
	V2_SSL_VERSION = 0x21,
	V2_SSL_CN = 0x22,
	V2_SSL_CIPHER = 0x23,
	V2_CLIENT_SSL = 0x01, /* PP2_CLIENT_SSL and so on */
	V2_CLIENT_CERT_CONN = 0x02,
	V2_CLIENT_CERT_SESS = 0x04,
};

static const uint8_t v2_signature[12] = {
    0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

/* Two addresses of one family; IPv4 as ::ffff:a.b.c.d. */
struct ends {
	sa_family_t family; /* AF_UNSPEC: they cannot be told */
	struct in6_addr from, to;
	in_port_t from_port, to_port; /* in network byte order */
};

/* ---- addresses ------------------------------------------------------------------- */

static bool
to_in6(const struct address *a, struct in6_addr *in6, in_port_t *port)
{
	switch (a->any.sa_family) {
	case AF_INET:
		*in6 = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
		memcpy(in6->s6_addr + 12, &a->in.sin_addr, sizeof(a->in.sin_addr));
		*port = a->in.sin_port;
		return true;
	case AF_INET6:
		*in6 = a->in6.sin6_addr;
		*port = a->in6.sin6_port;
		return true;
	default:
		return false;
	}
}

static struct ends
ends_of(const struct proxy_facts *facts)
{
	struct ends ends = {.family = AF_UNSPEC};

	if (!to_in6(facts->from, &ends.from, &ends.from_port) ||
	    !to_in6(facts->to, &ends.to, &ends.to_port))
		return ends;
	ends.family = IN6_IS_ADDR_V4MAPPED(&ends.from) && IN6_IS_ADDR_V4MAPPED(&ends.to)
			  ? AF_INET
			  : AF_INET6;
	return ends;
}

/* ---- version 1 ------------------------------------------------------------------- */

/* IPv6 in hexadecimal digits alone, as the line has it; inet_ntop() ends some addresses
 * in dotted ones. */
static const char *
format(const struct in6_addr *a, sa_family_t family, char text[INET6_ADDRSTRLEN])
{
	const uint8_t *tail = a->s6_addr + 12;
	char *colon;

	if (family == AF_INET) {
		inet_ntop(AF_INET, tail, text, INET6_ADDRSTRLEN);
		return text;
	}
	inet_ntop(AF_INET6, a, text, INET6_ADDRSTRLEN);
	colon = strrchr(text, ':');
	if (strchr(text, '.') != NULL)
		snprintf(colon + 1, sizeof("ffff:ffff"), "%x:%x",
		    (unsigned)tail[0] << 8 | tail[1], (unsigned)tail[2] << 8 | tail[3]);
	return text;
}

static size_t
write_v1(uint8_t *out, const struct ends *ends)
{
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
	int n;

	if (ends->family == AF_UNSPEC)
		n = snprintf((char *)out, V1_SIZE, "PROXY UNKNOWN\r\n");
	else
		n = snprintf((char *)out, V1_SIZE, "PROXY %s %s %s %u %u\r\n",
		    ends->family == AF_INET ? "TCP4" : "TCP6",
		    format(&ends->from, ends->family, from),
		    format(&ends->to, ends->family, to), (unsigned)ntohs(ends->from_port),
		    (unsigned)ntohs(ends->to_port));
	assert(n > 0 && n < V1_SIZE);
	return (size_t)n;
}

/* ---- version 2 ------------------------------------------------------------------- */

static uint8_t *
put(uint8_t *at, const void *bytes, size_t n)
{
	memcpy(at, bytes, n);
	return at + n;
}

static void
set_length(uint8_t out[2], size_t n)
{
	out[0] = (uint8_t)(n >> 8);
	out[1] = (uint8_t)n;
}

static uint8_t *
put_text(uint8_t *at, uint8_t type, const char *text)
{
	size_t n = strlen(text);

	if (n == 0 || n > PROXY_PROTOCOL_TEXT)
		return at;
	at[0] = type;
	set_length(at + 1, n);
	return put(at + 3, text, n);
}

static uint8_t *
put_ends(uint8_t *at, const struct ends *ends)
{
	size_t skip = ends->family == AF_INET ? 12 : 0;

	if (ends->family == AF_UNSPEC)
		return at;
	at = put(at, ends->from.s6_addr + skip, sizeof(ends->from) - skip);
	at = put(at, ends->to.s6_addr + skip, sizeof(ends->to) - skip);
	at = put(at, &ends->from_port, sizeof(ends->from_port));
	return put(at, &ends->to_port, sizeof(ends->to_port));
}

static uint8_t *
put_ssl(uint8_t *at, const struct proxy_facts *facts)
{
	uint8_t *start = at;
	unsigned client = V2_CLIENT_SSL | (facts->shown ? V2_CLIENT_CERT_SESS : 0u) |
			  (facts->shown && facts->shown_now ? V2_CLIENT_CERT_CONN : 0u);
	const uint8_t verify[4] = {[3] = facts->shown && facts->verified ? 0 : 1};

	at[0] = V2_SSL;
	at[3] = (uint8_t)client;
	at = put(at + 4, verify, sizeof(verify));
	at = put_text(at, V2_SSL_VERSION, facts->tls);
	at = put_text(at, V2_SSL_CN, facts->common_name);
	at = put_text(at, V2_SSL_CIPHER, facts->cipher);
	set_length(start + 1, (size_t)(at - start) - 3);
	return at;
}

static uint8_t
family_byte(sa_family_t family)
{
	switch (family) {
	case AF_INET:
		return V2_TCP_IN;
	case AF_INET6:
		return V2_TCP_IN6;
	default:
		return V2_UNKNOWN;
	}
}

static size_t
write_v2(uint8_t *out, const struct ends *ends, const struct proxy_facts *facts)
{
	uint8_t *at = put(out, v2_signature, sizeof(v2_signature));

	at[0] = V2_COMMAND;
	at[1] = family_byte(ends->family);
	at = put_ends(out + V2_FIXED, ends);
	at = put_text(at, V2_AUTHORITY, facts->sni);
	at = put_ssl(at, facts);
	set_length(out + V2_FIXED - 2, (size_t)(at - out) - V2_FIXED);
	return (size_t)(at - out);
}

size_t
proxy_protocol_write(
    uint8_t out[PROXY_PROTOCOL_SIZE], int version, const struct proxy_facts *facts)
{
	struct ends ends = ends_of(facts);

	assert(version == 1 || version == 2);
	return version == 1 ? write_v1(out, &ends) : write_v2(out, &ends, facts);
}

/* ---- reading --------------------------------------------------------------------- */

/* What stands behind the host: ":PORT" or nothing. */
static bool
read_port(const char *text, in_port_t *port)
{
	size_t digits;
	unsigned long number;

	*port = 0;
	if (*text == '\0')
		return true;
	if (*text++ != ':')
		return false;
	digits = strspn(text, "0123456789");
	if (digits < 1 || digits > 5 || text[digits] != '\0')
		return false;
	number = strtoul(text, NULL, 10);
	*port = htons((uint16_t)number);
	return number <= UINT16_MAX;
}

bool
proxy_protocol_read_address(struct address *address, const char *text)
{
	bool brackets = *text == '[';
	const char *host = text + (brackets ? 1 : 0);
	size_t length = strcspn(host, brackets ? "%]" : ":");
	const char *rest = host + length;
	char copy[INET6_ADDRSTRLEN];
	in_port_t port;

	if (length >= sizeof(copy))
		return false;
	memcpy(copy, host, length);
	copy[length] = '\0';
	if (brackets) {
		rest += strcspn(rest, "]");
		if (*rest++ != ']')
			return false;
	}
	if (!read_port(rest, &port))
		return false;
	if (brackets) {
		*address = (struct address){.length = sizeof(address->in6),
		    .in6 = {.sin6_family = AF_INET6, .sin6_port = port}};
		return inet_pton(AF_INET6, copy, &address->in6.sin6_addr) == 1;
	}
	*address = (struct address){.length = sizeof(address->in),
	    .in = {.sin_family = AF_INET, .sin_port = port}};
	return inet_pton(AF_INET, copy, &address->in.sin_addr) == 1;
}
