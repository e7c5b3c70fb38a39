#include "common/tls/conn_internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	/* Bytes of OpenSSL's own answers that may wait for a peer that only asks. */
	MOST_ANSWERS = 1024,
};

/* ---- sending -------------------------------------------------------------------- */

void
tls_lose(struct tls *t)
{
	t->deaf = true;
	t->lost |= t->scratch_used > 0 || buf_length(&t->out) > 0;
	buf_clear(&t->out);
	t->scratch_used = 0;
}

/* What has arrived can still be read, and then there is an end. */
void
tls_time_out(struct tls *t, double seconds)
{
	tls_blame(t, REASON_CARRIER_LOST, "no acknowledgement for %.0f s", seconds);
	shutdown(t->fd, SHUT_RD);
	tls_lose(t);
}

bool
tls_is_complete(const struct tls *t)
{
	return t->finished && t->state == TLS_FINISHED && !t->lost;
}

bool
tls_is_choked(const struct tls *t)
{
	return t->answers > MOST_ANSWERS && buf_length(&t->out) > 0;
}

/* A silence is over, if there was one: the path has borne it.  Returns the time. */
static double
note_movement(struct tls *t)
{
	double now = reactor_now();

	if (t->moved > 0 && now - t->moved > t->borne)
		t->borne = now - t->moved;
	t->moved = now;
	return now;
}

/* Send from memory, what is left over is the caller's. */
static size_t
send_some(struct tls *t, const uint8_t *bytes, size_t length)
{
	ssize_t n = send(t->fd, bytes, length, MSG_NOSIGNAL);

	if (n >= 0) {
		t->sent = note_movement(t);
		return (size_t)n;
	}
	if (errno != EAGAIN && errno != EINTR)
		tls_lose(t);
	return 0;
}

bool
tls_flush(struct tls *t)
{
	size_t sent;

	if (t->deaf) {
		t->scratch_used = 0;
		return true;
	}
	if (buf_length(&t->out) == 0) {
		sent = t->scratch_used > 0
			   ? send_some(t, t->reactor->out, t->scratch_used)
			   : 0;
		if (!t->deaf &&
		    !buf_append(&t->out, t->reactor->out + sent, t->scratch_used - sent))
			tls_lose(t);
		t->scratch_used = 0;
		return buf_length(&t->out) == 0;
	}
	if (!tls_bio_put_aside(t)) {
		tls_lose(t);
		return true;
	}
	sent = send_some(t, buf_bytes(&t->out), buf_length(&t->out));
	if (!t->deaf)
		buf_consume(&t->out, sent);
	if (buf_length(&t->out) > 0)
		return false;
	t->answers = 0;
	tls_key_update_answer(t); /* it had to wait for them */
	return true;
}

/* ---- life ----------------------------------------------------------------------- */

SSL *
tls_new_ssl(struct tls *t, SSL_CTX *context)
{
	SSL *ssl = SSL_new(context);
	BIO *bio = ssl != NULL ? tls_bio_new(t) : NULL;

	if (bio == NULL) {
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_bio(ssl, bio, bio);
	tls_context_attach(ssl, &t->observer);
	tls_key_update_watch(t, ssl);
	if (tls_context_settings(context)->role == ROLE_SERVER)
		SSL_set_accept_state(ssl);
	else
		SSL_set_connect_state(ssl);
	return ssl;
}

bool
tls_init(struct tls *t, struct reactor *r, SSL_CTX *context, int fd)
{
	*t = (struct tls){
	    .reactor = r,
	    .fd = fd,
	};
	tls_handshake_init(t);
	return (t->ssl = tls_new_ssl(t, context)) != NULL;
}

/* Unless it looks closed, SSL_free() takes the session for spoilt. */
static void
free_ssl(struct tls *t)
{
	if (t->ssl != NULL && t->state != TLS_HANDSHAKE)
		SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
	t->ssl = NULL;
}

void
tls_retire(struct tls *t)
{
	free_ssl(t);
	t->state = TLS_BROKEN;
	buf_clear(&t->in);
	buf_clear(&t->hello);
}

void
tls_clear(struct tls *t)
{
	free_ssl(t);
	buf_clear(&t->in);
	buf_clear(&t->out);
	free(t->psk);
	buf_clear(&t->hello);
	free(t->asked);
	free(t->detail);
	*t = (struct tls){.fd = -1};
}

bool
tls_prepare(struct tls *t, const char *sni, SSL_SESSION *session, bool offer_h2)
{
	static const unsigned char protocols[] = "\x0b" TLS_PROTOCOL_H2;

	if (sni != NULL && SSL_set_tlsext_host_name(t->ssl, sni) != 1)
		return false;
	if (offer_h2 &&
	    SSL_set_alpn_protos(t->ssl, protocols, sizeof(protocols) - 1) != 0)
		return false;
	if (session != NULL)
		(void)SSL_set_session(t->ssl, session); /* else a full handshake */
	return true;
}

/* ---- reading -------------------------------------------------------------------- */

void
tls_receive(struct tls *t, size_t most)
{
	ssize_t n;

	t->dry = true;
	if (buf_length(&t->in) > 0) {
		t->input = buf_bytes(&t->in);
		t->input_left = buf_length(&t->in);
		t->dry = false;
		return;
	}
	t->input = t->reactor->in;
	t->input_left = 0;
	n = recv(t->fd, t->reactor->in, most, 0);
	if (n > 0) {
		t->input_left = (size_t)n;
		t->heard = true;
		note_movement(t);
		t->heard_since = t->state != TLS_HANDSHAKE;
		t->dry = (size_t)n < most;
	} else if (n == 0) {
		t->eof = true;
	} else if (errno != EAGAIN && errno != EINTR) {
		t->eof = true;
		tls_lose(t);
	}
}

void
tls_put_back(struct tls *t)
{
	if (buf_length(&t->in) > 0) {
		buf_consume(&t->in, buf_length(&t->in) - t->input_left);
	} else if (t->input_left > 0 && !buf_append(&t->in, t->input, t->input_left)) {
		t->state = TLS_BROKEN;
		tls_blame(t, REASON_NO_MEMORY, "out of memory");
	}
	if (t->input_left > 0)
		t->dry = false;
	t->input_left = 0;
}

void
tls_judge(struct tls *t, int result)
{
	switch (SSL_get_error(t->ssl, result)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		if (t->eof) {
			tls_blame_tcp(t);
			t->state = TLS_BROKEN;
		}
		break;
	case SSL_ERROR_ZERO_RETURN:
		if (t->state == TLS_HANDSHAKE) { /* anybody may have written that one */
			tls_blame(t, REASON_TLS_FAILED,
			    "closed by close_notify in the middle of the handshake");
			t->state = TLS_BROKEN;
		} else {
			t->state = TLS_FINISHED;
		}
		break;
	default:
		tls_blame_openssl(t);
		t->state = TLS_BROKEN;
		break;
	}
}

/* Everything that has arrived, record by record.  Returns how many bytes. */
static size_t
decrypt(struct tls *t, uint8_t *space)
{
	size_t total = 0, n;
	int result;

	do {
		ERR_clear_error();
		result = SSL_read_ex(t->ssl, space + total, REACTOR_PLAIN - total, &n);
		if (result != 1) {
			tls_judge(t, result);
			break;
		}
		total += n;
		t->read_bytes = true;
	} while (total < REACTOR_PLAIN &&
		 (t->input_left > 0 || t->eof || SSL_has_pending(t->ssl)));
	return total;
}

static void
judge_flood(struct tls *t)
{
	if (!t->flooded || t->state != TLS_OPEN)
		return;
	tls_blame(t, REASON_CARRIER_LOST,
	    "the far end floods us with messages of TLS itself (KeyUpdates, tickets, "
	    "requests for another handshake)");
	t->state = TLS_BROKEN;
}

/* What OpenSSL has to say about what it read goes behind @kept bytes. */
static void
send_answers(struct tls *t, size_t kept)
{
	if (t->state == TLS_OPEN) {
		SSL_free_buffers(t->ssl); /* a ticket leaves 16 KB behind */
		tls_key_update_answer(t);
	}
	t->answers += t->scratch_used + buf_length(&t->out) - kept;
	if (t->scratch_used > 0)
		tls_flush(t);
	if (buf_length(&t->out) == 0)
		t->answers = 0;
}

enum tls_state
tls_take(struct tls *t, uint8_t *space, struct batch *batch)
{
	size_t total, kept = buf_length(&t->out);

	if (t->state != TLS_OPEN)
		return t->state;
	if (tls_is_choked(t)) {
		t->dry = true; /* link_wait() sees to it that the rest is read later */
		return t->state;
	}
	tls_receive(t, REACTOR_BATCH);
	total = decrypt(t, space);
	judge_flood(t);
	tls_put_back(t);
	if (t->state == TLS_FINISHED)
		buf_clear(&t->in);
	if (total > 0)
		batch_add(batch, space, total);
	send_answers(t, kept);
	return t->state;
}

/*
 * When both ends abort at once neither decrypts any more, and each would wait for the
 * other to close.  So behind our alert goes one in the clear, which nobody can mistake:
 * whoever read the first needs no second one.
 */
static const uint8_t farewell[] = {
    SSL3_RT_ALERT, 3, 3, 0, 2, SSL3_AL_FATAL, SSL_AD_DECODE_ERROR};

/* Does what was received in our own closing end in the peer's farewell?  It may come in
 * pieces. */
static bool
ends_in_farewell(struct tls *t, const uint8_t *bytes, size_t n)
{
	uint8_t tail[2 * sizeof(farewell)];
	size_t take = n < sizeof(farewell) ? n : sizeof(farewell);

	memcpy(tail, t->tail, sizeof(farewell));
	memcpy(tail + sizeof(farewell), bytes + n - take, take);
	memcpy(t->tail, tail + take, sizeof(farewell));
	return memcmp(t->tail, farewell, sizeof(farewell)) == 0;
}

bool
tls_discard(struct tls *t)
{
	ssize_t n;

	if (t->eof)
		return true;
	n = recv(t->fd, t->reactor->in, REACTOR_BATCH, 0);
	if (n > 0)
		t->alerted |=
		    t->aborted && ends_in_farewell(t, t->reactor->in, (size_t)n);
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return false;
	t->eof = true;
	if (n < 0)
		tls_lose(t);
	return true;
}

/* ---- writing -------------------------------------------------------------------- */

size_t
tls_room(const struct tls *t)
{
	return buf_length(&t->out) == 0 ? REACTOR_BATCH : 0;
}

void
tls_write(struct tls *t, const void *bytes, size_t n)
{
	size_t written;

	if (t->deaf)
		return;
	t->updates_sent = 0;
	ERR_clear_error();
	if (SSL_write_ex(t->ssl, bytes, n, &written) != 1) {
		tls_blame_openssl(t);
		tls_lose(t);
	}
}

bool
tls_give(struct tls *t, const struct batch *batch)
{
	int i;

	for (i = 0; i < batch->count; i++)
		tls_write(t, batch->parts[i].iov_base, batch->parts[i].iov_len);
	tls_flush(t);
	return !t->deaf;
}

/* In TLS 1.3 a pre-shared key looks like a session; only that session has no certificate,
 * and the one that is resumed later has the identity noted in it. */
const char *
tls_psk_identity(const struct tls *t)
{
	const char *noted;

	if (SSL_version(t->ssl) < TLS1_3_VERSION)
		return SSL_get_psk_identity(t->ssl);
	if (!SSL_session_reused(t->ssl) || SSL_get0_peer_certificate(t->ssl) != NULL)
		return NULL;
	if ((noted = tls_psk_noted(SSL_get_session(t->ssl))) != NULL)
		return noted;
	return t->psk_known ? t->psk : NULL;
}

bool
tls_is_resumed(const struct tls *t)
{
	return SSL_session_reused(t->ssl) && !t->psk_begins;
}

time_t
tls_until(const struct tls *t)
{
	return tls_session_until(SSL_get_session(t->ssl));
}

bool
tls_is_h2(const struct tls *t)
{
	static const char protocol[] = TLS_PROTOCOL_H2;
	const unsigned char *name;
	unsigned length;

	SSL_get0_alpn_selected(t->ssl, &name, &length);
	return length == sizeof(protocol) - 1 && memcmp(name, protocol, length) == 0;
}

void
tls_finish(struct tls *t)
{
	if (t->finished || t->aborted || t->deaf)
		return;
	t->finished = true;
	t->answered = t->state == TLS_FINISHED;
	ERR_clear_error();
	(void)SSL_shutdown(t->ssl); /* 0 and 1 are both fine; it cannot block */
	tls_flush(t);
}

bool
tls_abort(struct tls *t)
{
	char nothing[1];
	size_t n;

	if (t->aborted || t->deaf)
		return true;
	if (t->finished || t->state == TLS_HANDSHAKE)
		return false;
	/* OpenSSL has no call for this, but answers the end of TCP with an alert. */
	t->aborted = true;
	t->feign_eof = true;
	t->input_left = 0;
	SSL_set_shutdown(t->ssl, 0);
	ERR_clear_error();
	(void)SSL_read_ex(t->ssl, nothing, sizeof(nothing), &n);
	ERR_clear_error();
	(void)BIO_write(SSL_get_wbio(t->ssl), farewell, sizeof(farewell));
	tls_flush(t);
	return true;
}
