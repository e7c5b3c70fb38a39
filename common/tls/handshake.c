#include "common/tls/conn_internal.h"

#include "common/pki/identity.h"
#include "common/base/log.h"

#include <openssl/err.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	/* More bytes than any flight of a peer should need, and any handshake: OpenSSL
	 * takes 100 KB of certificates. */
	HANDSHAKE_BATCH = 32 * 1024,
	HANDSHAKE_MOST = 192 * 1024,
};

/* ---- what OpenSSL tells meanwhile ------------------------------------------------- */

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

/*
 * May who answered be the router?  Its default certificate is often a wildcard that fits
 * our name, and what is sent then is read by the router.  That it asks for our
 * certificate says nothing: with clientTLS the router's own TLS does so too.  Only a
 * routeport selects our protocol.
 */
static bool
may_be_router(const struct tls *t)
{
	const struct service_settings *s = tls_context_settings(SSL_get_SSL_CTX(t->ssl));
	X509 *certificate = SSL_get0_peer_certificate(t->ssl);

	return !tls_is_h2(t) && !s->verify_peer && certificate != NULL &&
	       identity_match(certificate, s) == IDENTITY_WILDCARD;
}

/* Does the peer ask for our certificate, or did it when the session began? */
static bool
has_asked_us(const struct tls *t, const struct tls_verdict *v)
{
	if (SSL_session_reused(t->ssl))
		return tls_session_asked(SSL_get_session(t->ssl));
	return t->asked_us || (v != NULL && v->asked_for_our_certificate);
}

/* Without memory the identity is missing, and the session that is resumed is refused. */
static void
on_ticket(struct tls_observer *observer, SSL_SESSION *session)
{
	const char *identity = tls_psk_identity(tls_of(observer));

	if (identity != NULL)
		(void)tls_psk_note(session, identity);
}

/* A session of a peer that the wildcard rule refuses, or OCSP, must never be resumed; in
 * TLS 1.2 it comes before that is judged. */
static bool
on_session(struct tls_observer *observer, SSL_SESSION *session)
{
	struct tls *t = tls_of(observer);
	const struct tls_verdict *v = observer->verdict;
	SSL_SESSION *copy;

	if (t->keep_session == NULL || may_be_router(t) || is_unasked(t, v))
		return false;
	/* A copy: OpenSSL goes on writing to the one that a connection uses. */
	if ((copy = SSL_SESSION_dup(session)) == NULL)
		return false;
	tls_session_set_asked(copy, has_asked_us(t, v));
	on_ticket(observer, copy);
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

void
tls_handshake_init(struct tls *t)
{
	t->observer = (struct tls_observer){
	    .on_session = on_session, .on_hello = on_hello, .on_ticket = on_ticket};
}

/* ---- whether it is good ----------------------------------------------------------- */

/* A resumed session verifies nothing anew: dates and names are judged here. */
static void
check_resumed(struct tls *t)
{
	const struct service_settings *s = tls_context_settings(SSL_get_SSL_CTX(t->ssl));
	X509 *certificate = SSL_get0_peer_certificate(t->ssl);
	enum identity_match match;
	char why[IDENTITY_DATES_SIZE], refusal[TLS_VERDICT_TEXT_SIZE];

	t->asked_us = has_asked_us(t, NULL);
	if (certificate == NULL)
		return;
	match = identity_match(certificate, s);
	if ((s->verify_chain || s->verify_peer) &&
	    !identity_is_current(certificate, why, sizeof(why)))
		tls_blame(t,
		    X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0
			? REASON_CERT_NOT_YET_VALID
			: REASON_CERT_EXPIRED,
		    "the certificate of the resumed session %s", why);
	else if (!tls_session_is_current(SSL_get_session(t->ssl)))
		tls_blame(t, REASON_CERT_EXPIRED,
		    "a certificate, revocation list or OCSP answer that the session was "
		    "begun with has expired");
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

/* In a full handshake and in a resumed one alike: a session may have been begun where our
 * protocol was selected. */
static void
check_route(struct tls *t)
{
	char names[IDENTITY_NAMES_SIZE];

	if (!may_be_router(t))
		return;
	t->state = TLS_BROKEN;
	tls_blame(t, REASON_ROUTE_UNKNOWN,
	    "the certificate (%s) fits our name only through a wildcard, "
	    "and " TLS_PROTOCOL_H2
	    " was not selected: it is probably the router's own, which "
	    "knows no passthrough route for %s.  If it really is the app's, write its "
	    "name as checkHost just as it stands there, or its key as checkFingerprint",
	    identity_names(SSL_get0_peer_certificate(t->ssl), names, sizeof(names)),
	    tls_sni(t));
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

/* Names belong into subjectAltName; one that is taken from the subject shall be known. */
static void
tell_of_common_name(const struct tls *t)
{
	const struct service_settings *s = tls_context_settings(SSL_get_SSL_CTX(t->ssl));
	X509 *certificate = SSL_get0_peer_certificate(t->ssl);
	char names[IDENTITY_NAMES_SIZE];

	if (certificate == NULL || !identity_is_by_common_name(certificate, s))
		return;
	log_event_cause(LOG_LEVEL_WARNING, s->name, "common-name",
	    LOG_TEXT("names", identity_names(certificate, names, sizeof(names))),
	    LOG_TEXT("detail", "the certificate has no subjectAltName: its common name "
			       "was taken for the host name of checkHost"));
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
	if (t->state != TLS_OPEN)
		return;
	tell_of_common_name(t);
	SSL_free_buffers(t->ssl);
}

/* ---- a step of it ----------------------------------------------------------------- */

/* Bytes that came in this turn, and are not among those of an earlier one. */
static void
note_bytes(struct tls *t)
{
	size_t fresh = t->input_left - buf_length(&t->in);
	size_t known = t->handshake_bytes;

	t->handshake_bytes += fresh;
	if (known >= sizeof(t->first))
		return;
	if (fresh > sizeof(t->first) - known)
		fresh = sizeof(t->first) - known;
	memcpy(t->first + known, t->input, fresh);
}

/* What this step of the handshake has found out. */
static void
take_verdict(struct tls *t, const struct tls_verdict *v)
{
	t->stapled |= v->stapled;
	t->asked_us |= v->asked_for_our_certificate;
	if (v->psk[0] != '\0' && !t->psk_known) {
		free(t->psk);
		t->psk = strdup(v->psk);
		t->psk_known = v->psk_known;
	}
	/* In each step, since behind the last one a new session has a note, too. */
	t->psk_begins |= tls_psk_begins(t->ssl, t->psk_known);
}

/*
 * The ClientHello asks for a name of another context.  An SSL keeps much of the context
 * that it was made from, sessions above all; so another SSL begins anew and reads the
 * same bytes.  Nothing was written yet.
 */
static bool
begin_anew(struct tls *t, const uint8_t *bytes, size_t length)
{
	SSL *ssl = tls_new_ssl(t, t->chosen);

	t->chosen = NULL;
	if (ssl == NULL || !buf_append(&t->hello, bytes, length)) {
		SSL_free(ssl);
		t->state = TLS_BROKEN;
		tls_blame(t, REASON_NO_MEMORY, "out of memory");
		return false;
	}
	SSL_free(t->ssl);
	t->ssl = ssl;
	t->hello_size = (struct tls_hello_size){0}; /* the same bytes again */
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
		t->hello_size.too_large = true;
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

/* The peer is told by an alert: OpenSSL answers the end of TCP with one. */
static enum tls_state
refuse(struct tls *t, const char *why)
{
	tls_blame(t, REASON_TLS_FAILED, "%s", why);
	t->state = TLS_BROKEN;
	t->feign_eof = true;
	t->input_left = 0;
	ERR_clear_error();
	(void)SSL_do_handshake(t->ssl);
	ERR_clear_error();
	t->aborted = true;
	tls_flush(t);
	return t->state;
}

/*
 * A look at a peer that does not select our protocol ends before our Finished leaves:
 * what it serves would else see a connection without a byte.  By then the peer's
 * certificate was judged, in TLS 1.2 and 1.3, in full and resumed handshakes alike.
 */
static bool
has_seen_enough(struct tls *t)
{
	if (!t->looks || tls_is_h2(t) || SSL_get_finished(t->ssl, NULL, 0) == 0)
		return false;
	tls_lose(t);
	return true;
}

enum tls_state
tls_handshake(struct tls *t)
{
	struct tls_verdict verdict = {0};
	int result;

	tls_receive(t, HANDSHAKE_BATCH);
	note_bytes(t);
	if (t->handshake_bytes > HANDSHAKE_MOST)
		return refuse(t, "the handshake is too large");
	t->observer.verdict = &verdict;
	ERR_clear_error();
	result = shake(t);
	t->observer.verdict = NULL;
	take_verdict(t, &verdict);
	if (t->hello_size.too_large)
		return refuse(t, "the ClientHello is too large");
	if (has_seen_enough(t) || result == 1) {
		complete(t);
	} else if (t->state == TLS_HANDSHAKE) {
		if (verdict.verify_error != X509_V_OK && verdict.text[0] != '\0')
			tls_blame_certificate(t, &verdict);
		tls_judge(t, result);
	}
	tls_put_back(t);
	tls_flush(t);
	return t->state;
}
