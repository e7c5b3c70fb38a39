/*
 * What came in place of a TLS record.  A client shows the beginning, which is a greeting
 * or an error of a server.  A server names the protocol alone: a program's first bytes
 * may be a password.
 */
#include "common/tls/conn_internal.h"

#include <string.h>

static const char no_program[] =
    "the program has to connect to routeport-client, and not to this port itself";
static const char no_edge[] =
    "the route has to be passthrough, and HTTP probes belong to the status port";
static const char no_header[] =
    "turn it off at the load balancer or router that sends it";

/* clang-format off */
#define BYTES(bytes) (bytes), sizeof(bytes) - 1
static const struct signature {
	size_t at; /* behind so many other bytes */
	const char *bytes;
	size_t length;
	const char *name, *advice;
} signatures[] = {
    {0, BYTES("PROXY "), "a PROXY header", no_header},
    {0, BYTES("\r\n\r\n\0\r\nQUIT\n"), "a PROXY header", no_header},
    {0, BYTES("PRI * HTTP/2"), "HTTP/2 without TLS", no_edge},
    {0, BYTES("GET "), "HTTP", no_edge},
    {0, BYTES("HEAD "), "HTTP", no_edge},
    {0, BYTES("POST "), "HTTP", no_edge},
    {0, BYTES("PUT "), "HTTP", no_edge},
    {0, BYTES("PATCH "), "HTTP", no_edge},
    {0, BYTES("DELETE "), "HTTP", no_edge},
    {0, BYTES("OPTIONS "), "HTTP", no_edge},
    {0, BYTES("CONNECT "), "HTTP", no_edge},
    {0, BYTES("SSH-"), "SSH", no_program},
    /* Behind its length: SSLRequest, GSSENCRequest or CancelRequest; StartupMessage. */
    {4, BYTES("\x04\xd2\x16"), "PostgreSQL", no_program},
    {4, BYTES("\x00\x03\x00\x00"), "PostgreSQL", no_program},
};
/* clang-format on */

static size_t
first_count(const struct tls *t)
{
	return t->handshake_bytes < sizeof(t->first) ? t->handshake_bytes
						     : sizeof(t->first);
}

/* Content types from change_cipher_spec to application_data, and version 3.x (RFC 8446,
 * 5.1). */
bool
tls_plaintext_came(const struct tls *t)
{
	size_t n = first_count(t);

	return (n > 0 && (t->first[0] < SSL3_RT_CHANGE_CIPHER_SPEC ||
			     t->first[0] > SSL3_RT_APPLICATION_DATA)) ||
	       (n > 1 && t->first[1] != SSL3_VERSION_MAJOR);
}

/* NULL: it is none of those. */
static const struct signature *
recognize(const struct tls *t)
{
	const struct signature *s;
	size_t i, n = first_count(t);

	for (i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
		s = &signatures[i];
		if (s->at + s->length <= n &&
		    memcmp(t->first + s->at, s->bytes, s->length) == 0)
			return s;
	}
	return NULL;
}

static bool
is_printable(uint8_t byte)
{
	return byte >= ' ' && byte <= '~';
}

/* The first line if that is text; else all that is kept.  A quote would end the quotation
 * early. */
static const char *
quote_first(const struct tls *t, char text[TLS_FIRST_SIZE + 1])
{
	size_t i = 0, n = first_count(t);

	while (i < n && is_printable(t->first[i]))
		i++;
	if (i > 0 && i < n && (t->first[i] == '\r' || t->first[i] == '\n'))
		n = i;
	for (i = 0; i < n; i++)
		text[i] = is_printable(t->first[i]) && t->first[i] != '"'
			      ? (char)t->first[i]
			      : '?';
	text[n] = '\0';
	return text;
}

void
tls_blame_plaintext(struct tls *t, const char *why)
{
	const struct signature *s;
	char text[TLS_FIRST_SIZE + 1];

	if (tls_plaintext_came(t) && !SSL_is_server(t->ssl))
		tls_blame(t, REASON_NOT_TLS,
		    "the far end does not speak TLS: it sent \"%s\"; is this the "
		    "router's port for TLS, and the route's targetPort that of "
		    "routeport-server?",
		    quote_first(t, text));
	else if (SSL_is_server(t->ssl) && (s = recognize(t)) != NULL)
		tls_blame(t, REASON_NOT_TLS,
		    "the far end does not speak TLS: this is %s; %s", s->name, s->advice);
	else
		tls_blame(t, REASON_NOT_TLS, "the far end does not speak TLS (%s)", why);
}
