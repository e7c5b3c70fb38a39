/*
 * What comes and goes beside the bytes of programs once the handshake is done.
 *
 * KeyUpdates (TLS 1.3; RFC 8446, 4.6.3): a change of keys, and the only record without
 * other effect that may be sent at any time.  So ours are the heartbeats of a raw
 * carrier, and are sent alone only while nothing else of ours is on its way.
 *
 * Each costs its reader many times what another record of its size does, so not everybody
 * bears any number of them, as OpenSSL does: GnuTLS takes 8 within a second; between two
 * records with data, BoringSSL (Envoy) and rustls take 32, Go 16 since CVE-2026-56862,
 * mbedTLS none.  Which of them is at the other end cannot be seen, and most are
 * OpenSSL's; so how many are too many is learnt from a peer that aborts behind them.
 *
 * The same holds for every other message of a peer: a NewSessionTicket of TLS 1.3, and in
 * TLS 1.2 a HelloRequest or a ClientHello that asks for another handshake, which OpenSSL
 * answers each by a warning.  All have one limit.
 */
#include "common/tls/conn_internal.h"

#include "common/base/socket.h"

#include <openssl/err.h>

/* What a peer may send.  Its heartbeats, of at most one a second, may have waited for
 * hours behind a program that took nothing: so the allowance grows with the connection's
 * age, whether it is used or not. */
static const double messages_at_once = 64, messages_per_second = 4;

/* OpenSSL tells of no ClientHello that it does not take up, but of its answer. */
static bool
is_message_of_peer(int ours, int type, const uint8_t *bytes, size_t length)
{
	if (!ours)
		return type == SSL3_RT_HANDSHAKE;
	return type == SSL3_RT_ALERT && length == 2 &&
	       bytes[1] == SSL_AD_NO_RENEGOTIATION;
}

/* One that is over the limit is not read on, even within what has arrived. */
static void
on_message(int ours, int version, int type, const void *bytes, size_t length, SSL *ssl,
    void *arg)
{
	struct tls *t = arg;

	(void)version;
	(void)ssl;
	if (t->state == TLS_HANDSHAKE || !is_message_of_peer(ours, type, bytes, length))
		return;
	t->messages_came += 1;
	if (t->messages_came >
	    messages_at_once + messages_per_second * (reactor_now() - t->opened)) {
		t->flooded = true;
		t->input_left = 0;
	}
}

void
tls_key_update_watch(struct tls *t, SSL *ssl)
{
	SSL_set_msg_callback(ssl, on_message);
	SSL_set_msg_callback_arg(ssl, t);
}

bool
tls_has_heartbeat(const struct tls *t)
{
	return SSL_version(t->ssl) >= TLS1_3_VERSION;
}

/* Nothing follows our own end, and a full socket's bytes go first. */
static bool
may_speak(const struct tls *t)
{
	return !t->finished && !t->aborted && !t->deaf && t->state != TLS_BROKEN &&
	       tls_room(t) > 0 && tls_has_heartbeat(t);
}

static bool
send_update(struct tls *t)
{
	bool written;

	ERR_clear_error();
	written = SSL_key_update(t->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 &&
		  SSL_do_handshake(t->ssl) == 1;
	SSL_free_buffers(t->ssl); /* else 16 KB stay until the next write */
	ERR_clear_error();
	if (written)
		t->updates_sent++;
	tls_flush(t);
	return written;
}

bool
tls_probe(struct tls *t)
{
	return may_speak(t) && socket_unacknowledged(t->fd) == 0 && send_update(t);
}

/* OpenSSL writes an answer only before data, or when the next request comes. */
void
tls_key_update_answer(struct tls *t)
{
	if (may_speak(t) && SSL_get_key_update_type(t->ssl) != SSL_KEY_UPDATE_NONE)
		send_update(t);
}
