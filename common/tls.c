#include "common/tls_inside.h"

#include "common/identity.h"
#include "common/log.h"

#include <errno.h>
#include <openssl/err.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum {
	/* More bytes than any flight of a peer should need, and any handshake: OpenSSL
	 * takes 100 KB of certificates. */
	HANDSHAKE_BATCH = 32 * 1024,
	HANDSHAKE_MOST = 192 * 1024,
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

/* Send from memory, what is left over is the caller's. */
static size_t
send_some(struct tls *t, const uint8_t *bytes, size_t length)
{
	ssize_t n = send(t->fd, bytes, length, MSG_NOSIGNAL);

	if (n >= 0) {
		t->sent = reactor_now();
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
	tls_update_answer(t); /* it had to wait for them */
	return true;
}

/* ---- life ----------------------------------------------------------------------- */

static struct tls *
tls_of(struct tls_observer *observer)
{
	return (struct tls *)((char *)observer - offsetof(struct tls, observer));
}

/* Is there still to be asked about the peer?  Not once it is open to programs, and what
 * comes in the handshake comes in TLS 1.2 alone. */
static bool
is_unasked(const struct tls *t, const struct tls_verdict *v)
{
	const struct service_settings *s = tls_context_settings(SSL_get_SSL_CTX(t->ssl));

	return t->state == TLS_HANDSHAKE && (s->ocsp_aia || s->ocsp_url != NULL) &&
	       !t->stapled && (v == NULL || !v->stapled);
}

/* A session of a peer that the wildcard rule refuses, or OCSP, must never be resumed; in
 * TLS 1.2 it comes before that is judged. */
static bool
on_session(struct tls_observer *observer, SSL_SESSION *session)
{
	struct tls *t = tls_of(observer);
	const struct tls_verdict *v = observer->verdict;
	SSL_SESSION *copy;
	bool wildcard = t->wildcard || (v != NULL && v->wildcard);
	bool asked_us = t->asked_us || (v != NULL && v->asked_for_our_certificate);

	if (t->keep_session == NULL || (wildcard && !asked_us) || is_unasked(t, v))
		return false;
	/* A copy: OpenSSL goes on writing to the one that a connection uses. */
	if ((copy = SSL_SESSION_dup(session)) != NULL)
		t->keep_session(t->keeper, copy);
	return false;
}

/* One that follows a HelloRetryRequest is for the same name (RFC 8446, 4.1.2). */
static enum tls_hello
on_second_hello(struct tls *t, const char *name)
{
	if (t->asked == NULL || strcasecmp(t->asked, name) == 0)
		return TLS_HELLO_GOOD;
	tls_blame(t, REASON_TLS_FAILED, "the second ClientHello is for another name");
	return TLS_HELLO_UNKNOWN_NAME;
}

static const char *
words_of(enum reason reason)
{
	switch (reason) {
	case REASON_FULL:
		return "maxStreams is reached";
	case REASON_STOPPED:
		return "the section is not there any more";
	default:
		return reason_text(reason);
	}
}

/* Which context is it for? */
static enum tls_hello
on_hello(struct tls_observer *observer, const char *name)
{
	struct tls *t = tls_of(observer);
	enum reason reason = REASON_NONE;
	SSL_CTX *chosen;

	if (t->choose == NULL)
		return on_second_hello(t, name);
	t->asked = strdup(name);
	chosen = t->choose(t->chooser, name, &reason);
	t->choose = NULL;
	if (chosen == SSL_get_SSL_CTX(t->ssl))
		return TLS_HELLO_GOOD;
	if (chosen == NULL && reason == REASON_SNI_UNKNOWN) {
		tls_blame(t, reason, "no service is for %s",
		    name[0] != '\0' ? name : "a client without SNI");
		return TLS_HELLO_UNKNOWN_NAME;
	}
	if (chosen == NULL) {
		tls_blame(t, reason, "%s", words_of(reason));
		t->state = TLS_BROKEN;
	}
	t->chosen = chosen;
	return TLS_HELLO_PAUSE;
}

static SSL *
new_ssl(struct tls *t, SSL_CTX *context)
{
	SSL *ssl = SSL_new(context);
	BIO *bio = ssl != NULL ? tls_bio_new(t) : NULL;

	if (bio == NULL) {
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_bio(ssl, bio, bio);
	tls_context_attach(ssl, &t->observer);
	tls_update_watch(t, ssl);
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
	    .observer = {.on_session = on_session, .on_hello = on_hello},
	    .fd = fd,
	};
	return (t->ssl = new_ssl(t, context)) != NULL;
}

void
tls_clear(struct tls *t)
{
	/* Unless it looks closed, SSL_free() takes the session for spoilt. */
	if (t->state != TLS_HANDSHAKE)
		SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
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

/* Give OpenSSL what was kept, else what the socket has; at most @most bytes. */
static void
receive(struct tls *t, size_t most)
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
		t->heard_since = t->state != TLS_HANDSHAKE;
		t->dry = (size_t)n < most;
	} else if (n == 0) {
		t->eof = true;
	} else if (errno != EAGAIN && errno != EINTR) {
		t->eof = true;
		tls_lose(t);
	}
}

/* Keep what OpenSSL did not read in this turn. */
static void
put_back(struct tls *t)
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

/* The last SSL call failed: is that an end, or only the end of what has arrived? */
static void
judge(struct tls *t, int result)
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

/* A resumed session verifies nothing anew: dates and names are judged here. */
static void
check_resumed(struct tls *t)
{
	const struct service_settings *s = tls_context_settings(SSL_get_SSL_CTX(t->ssl));
	X509 *certificate = SSL_get0_peer_certificate(t->ssl);
	enum identity_match match;
	char why[64], refusal[TLS_VERDICT_TEXT_SIZE];

	t->asked_us = true; /* only sessions are kept that passed this question */
	if (certificate == NULL)
		return;
	match = identity_match(certificate, s);
	if ((s->verify_chain || s->verify_peer) &&
	    !identity_is_current(certificate, why, sizeof(why)))
		tls_blame(t, REASON_CERT_EXPIRED,
		    "the certificate of the resumed session %s", why);
	else if (match == IDENTITY_REFUSED)
		tls_blame(t, REASON_NAME_MISMATCH,
		    "the resumed session is somebody else's: %s",
		    identity_refusal(certificate, s, refusal, sizeof(refusal)));
	else
		return;
	t->state = TLS_BROKEN;
	if (t->keep_session != NULL)
		t->keep_session(t->keeper, NULL); /* the next handshake is a full one */
	SSL_CTX_remove_session(SSL_get_SSL_CTX(t->ssl), SSL_get_session(t->ssl));
}

/*
 * The router's default certificate often fits by a wildcard, and what is sent then is
 * read by the router.  A pod of ours asks for our certificate or selects our protocol;
 * the router does neither.
 */
static void
check_route(struct tls *t)
{
	X509 *certificate = SSL_get0_peer_certificate(t->ssl);
	char names[IDENTITY_NAMES_SIZE];

	if (!t->wildcard || t->asked_us || tls_is_h2(t) || certificate == NULL)
		return;
	t->state = TLS_BROKEN;
	tls_blame(t, REASON_ROUTE_UNKNOWN,
	    "the certificate (%s) fits our name only by its wildcard, and ours was not "
	    "asked for: it is probably the router's own, which knows no passthrough "
	    "route "
	    "for %s.  If it really is the app's, write checkHost as that wildcard",
	    identity_names(certificate, names, sizeof(names)), tls_sni(t));
}

/* Whatever was agreed on: where somebody has to be known, somebody is. */
static void
check_known(struct tls *t)
{
	const struct service_settings *s = tls_context_settings(SSL_get_SSL_CTX(t->ssl));
	bool has_to = SSL_is_server(t->ssl)
			  ? s->require_cert
			  : s->verify_chain || s->verify_peer || identity_has_rules(s);

	if (!has_to || SSL_get0_peer_certificate(t->ssl) != NULL ||
	    tls_psk_identity(t) != NULL)
		return;
	t->state = TLS_BROKEN;
	tls_blame(t, REASON_CERT_MISSING,
	    "the far end showed neither a certificate nor a pre-shared key");
}

static void
complete(struct tls *t)
{
	t->state = TLS_OPEN;
	t->opened = reactor_now();
	free(t->asked);
	t->asked = NULL;
	check_known(t);
	if (t->state == TLS_OPEN && tls_is_resumed(t))
		check_resumed(t);
	if (t->state == TLS_OPEN && !SSL_is_server(t->ssl))
		check_route(t);
	if (t->state == TLS_OPEN)
		SSL_free_buffers(t->ssl);
}

/* What this step of the handshake has found out. */
static void
take_verdict(struct tls *t, const struct tls_verdict *v)
{
	t->wildcard |= v->wildcard;
	t->stapled |= v->stapled;
	t->asked_us |= v->asked_for_our_certificate;
	if (v->psk[0] == '\0' || t->psk_known)
		return;
	free(t->psk);
	t->psk = strdup(v->psk);
	t->psk_known = v->psk_known;
}

/*
 * The ClientHello asks for a name of another context.  An SSL keeps much of the context
 * that it was made from, sessions above all; so another SSL begins anew and reads the
 * same bytes.  Nothing was written yet.
 */
static bool
begin_anew(struct tls *t, const uint8_t *bytes, size_t length)
{
	SSL *ssl = new_ssl(t, t->chosen);

	t->chosen = NULL;
	if (ssl == NULL || !buf_append(&t->hello, bytes, length)) {
		SSL_free(ssl);
		t->state = TLS_BROKEN;
		tls_blame(t, REASON_NO_MEMORY, "out of memory");
		return false;
	}
	SSL_free(t->ssl);
	t->ssl = ssl;
	buf_clear(&t->in);
	t->in = t->hello;
	t->hello = (struct buf){0};
	t->input = buf_bytes(&t->in);
	t->input_left = buf_length(&t->in);
	return true;
}

/* Keep what OpenSSL has read, as long as it may have to be read again. */
static void
keep_hello(struct tls *t, const uint8_t *bytes, size_t length)
{
	if (t->choose == NULL) {
		buf_clear(&t->hello);
	} else if (buf_length(&t->hello) + length > HANDSHAKE_BATCH ||
		   !buf_append(&t->hello, bytes, length)) {
		t->state = TLS_BROKEN;
		tls_blame(t, REASON_TLS_FAILED, "the ClientHello is too large");
	}
}

static int
shake(struct tls *t)
{
	const uint8_t *bytes = t->input;
	size_t length = t->input_left;
	int result = SSL_do_handshake(t->ssl);

	if (t->chosen != NULL && begin_anew(t, bytes, length)) {
		ERR_clear_error();
		result = SSL_do_handshake(t->ssl);
	} else if (result != 1) {
		keep_hello(t, bytes, length - t->input_left);
	}
	return result;
}

/* OpenSSL makes room for a ClientHello of 128 KiB as soon as somebody says that one
 * follows, and that is in its first nine bytes: a record of a handshake, its version and
 * length; a ClientHello and its length. */
static bool
claims_too_much(const struct tls *t)
{
	size_t kept = buf_length(&t->hello);
	uint8_t start[9];

	if (t->choose == NULL || kept + t->input_left < sizeof(start) ||
	    kept >= sizeof(start))
		return false;
	if (kept > 0)
		memcpy(start, buf_bytes(&t->hello), kept);
	memcpy(start + kept, t->input, sizeof(start) - kept);
	if (start[0] != SSL3_RT_HANDSHAKE)
		return false;
	if (start[3] == 0 && start[4] < 4)
		return true; /* in pieces that hide it; no client does that */
	return start[5] == SSL3_MT_CLIENT_HELLO &&
	       (start[6] << 16 | start[7] << 8 | start[8]) > HANDSHAKE_BATCH;
}

enum tls_state
tls_handshake(struct tls *t)
{
	struct tls_verdict verdict = {0};
	int result;

	receive(t, HANDSHAKE_BATCH);
	if ((t->handshake_bytes += t->input_left - buf_length(&t->in)) > HANDSHAKE_MOST) {
		tls_blame(t, REASON_TLS_FAILED, "the handshake is too large");
		t->input_left = 0;
		return t->state = TLS_BROKEN;
	}
	if (claims_too_much(t)) {
		tls_blame(t, REASON_TLS_FAILED, "the ClientHello is too large");
		t->input_left = 0;
		return t->state = TLS_BROKEN;
	}
	t->observer.verdict = &verdict;
	ERR_clear_error();
	result = shake(t);
	t->observer.verdict = NULL;
	take_verdict(t, &verdict);
	if (result == 1) {
		complete(t);
	} else if (t->state == TLS_HANDSHAKE) {
		if (verdict.verify_error != X509_V_OK && verdict.text[0] != '\0')
			tls_blame_certificate(t, &verdict);
		judge(t, result);
	}
	put_back(t);
	tls_flush(t);
	return t->state;
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
			judge(t, result);
			break;
		}
		total += n;
		t->read_bytes = true;
	} while (total < REACTOR_PLAIN &&
		 (t->input_left > 0 || t->eof || SSL_has_pending(t->ssl)));
	return total;
}

enum tls_state
tls_take(struct tls *t, uint8_t *space, struct batch *batch)
{
	size_t total;

	if (t->state != TLS_OPEN)
		return t->state;
	receive(t, REACTOR_BATCH);
	total = decrypt(t, space);
	if (t->flooded && t->state == TLS_OPEN) {
		tls_blame(
		    t, REASON_CARRIER_LOST, "the far end floods us with KeyUpdates");
		t->state = TLS_BROKEN;
	}
	put_back(t);
	if (t->state == TLS_FINISHED)
		buf_clear(&t->in);
	if (total > 0)
		batch_add(batch, space, total);
	if (t->state == TLS_OPEN) {
		SSL_free_buffers(t->ssl); /* a ticket leaves 16 KB behind */
		tls_update_answer(t);
	}
	if (t->scratch_used > 0)
		tls_flush(t);
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

/* In TLS 1.3 a pre-shared key looks like a session; only that session has no
 * certificate. */
const char *
tls_psk_identity(const struct tls *t)
{
	if (SSL_version(t->ssl) < TLS1_3_VERSION)
		return SSL_get_psk_identity(t->ssl);
	return t->psk_known && SSL_session_reused(t->ssl) &&
		       SSL_get0_peer_certificate(t->ssl) == NULL
		   ? t->psk
		   : NULL;
}

bool
tls_is_resumed(const struct tls *t)
{
	return SSL_session_reused(t->ssl) &&
	       (SSL_version(t->ssl) < TLS1_3_VERSION || tls_psk_identity(t) == NULL);
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
