/*
 * How large a ClientHello says that it is.  OpenSSL makes room for 128 KiB as soon as
 * somebody claims that much, so the claim is read before it is given to OpenSSL: through
 * records of any size, behind warnings, and in the second one too, which follows a
 * HelloRetryRequest (RFC 8446, 4.1.4).
 */
#include "common/tls/conn_internal.h"

/* One byte of what the records of a handshake have in them.  False: too large. */
static bool
look_at_message(struct tls_hello_size *h, uint8_t byte)
{
	if (h->message_left > 0) {
		h->message_left--;
		return true;
	}
	h->message[h->message_count++] = byte;
	if (h->message_count < sizeof(h->message))
		return true;
	h->message_count = 0;
	h->message_left =
	    (size_t)h->message[1] << 16 | (size_t)h->message[2] << 8 | h->message[3];
	h->messages++;
	return h->message[0] != SSL3_MT_CLIENT_HELLO || h->message_left <= TLS_HELLO_MOST;
}

static bool
look_at_byte(struct tls_hello_size *h, uint8_t byte)
{
	if (h->record_left > 0) {
		h->record_left--;
		return h->record[0] != SSL3_RT_HANDSHAKE || look_at_message(h, byte);
	}
	h->record[h->record_count++] = byte;
	if (h->record_count == sizeof(h->record)) {
		h->record_count = 0;
		h->record_left = (size_t)h->record[3] << 8 | h->record[4];
	}
	return true;
}

bool
tls_hello_look(struct tls *t, const uint8_t *bytes, size_t n)
{
	struct tls_hello_size *h = &t->hello_size;

	/* Under TLS 1.2 there is one alone, and what comes later may be encrypted. */
	if (h->messages > 0 && h->message_left == 0 &&
	    SSL_version(t->ssl) < TLS1_3_VERSION)
		return true;
	for (size_t i = 0; i < n; i++)
		if (!look_at_byte(h, bytes[i]))
			return false;
	return true;
}
