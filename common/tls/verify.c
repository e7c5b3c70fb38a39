#include "common/tls/internal.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <time.h>

/* Is the peer's own certificate, or another for the same name and key, a trusted one? */
static bool
is_known(X509_STORE_CTX *store)
{
	X509 *own = X509_STORE_CTX_get0_cert(store);
	STACK_OF(X509) *list =
	    X509_STORE_CTX_get1_certs(store, X509_get_subject_name(own));
	bool known = false;

	for (int i = 0; i < sk_X509_num(list); i++)
		known = known || X509_PUBKEY_eq(X509_get_X509_PUBKEY(own),
				     X509_get_X509_PUBKEY(sk_X509_value(list, i))) == 1;
	sk_X509_pop_free(list, X509_free);
	return known;
}

/* With an extension that is there twice, or cannot be read, OpenSSL finds no issuer for a
 * certificate (RFC 5280, 4.2). */
static bool
is_malformed(X509 *certificate)
{
	return (X509_get_extension_flags(certificate) & EXFLAG_INVALID) != 0;
}

/* By the chain, with its purpose, dates and revocation lists; or by being known; or by
 * both.  Why not is the store's error, which the alert follows from. */
static bool
is_trusted(X509_STORE_CTX *store, const struct service_settings *s)
{
	bool ok = (!s->verify_chain && !s->verify_peer) || X509_verify_cert(store) == 1;

	if (ok && s->verify_peer && !is_known(store)) {
		X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
		return false;
	}
	if (ok)
		X509_STORE_CTX_set_error(store, X509_V_OK);
	else if (X509_STORE_CTX_get_error(store) == X509_V_OK)
		X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
	else if (is_malformed(X509_STORE_CTX_get0_cert(store)))
		X509_STORE_CTX_set_error(store, X509_V_ERR_INVALID_EXTENSION);
	return ok;
}

static time_t
earlier(time_t one, time_t other)
{
	return one == 0 || (other != 0 && other < one) ? other : one;
}

static time_t
time_of(const ASN1_TIME *date)
{
	struct tm tm;

	return date != NULL && ASN1_TIME_to_tm(date, &tm) == 1 ? timegm(&tm) : 0;
}

/* The first of the lists of @issuer to run out, of those that have not. */
static time_t
lists_until(X509_STORE_CTX *store, const X509_NAME *issuer)
{
	STACK_OF(X509_CRL) *lists = X509_STORE_CTX_get1_crls(store, issuer);
	time_t until = 0, now = time(NULL);

	for (int i = 0; i < sk_X509_CRL_num(lists); i++) {
		time_t next =
		    time_of(X509_CRL_get0_nextUpdate(sk_X509_CRL_value(lists, i)));

		if (next > now)
			until = earlier(until, next);
	}
	sk_X509_CRL_pop_free(lists, X509_CRL_free);
	ERR_clear_error();
	return until;
}

/* When the first date passes of what the peer was let in by: its chain, up to who is
 * trusted, and the revocation lists that were looked at. */
static time_t
trusted_until(X509_STORE_CTX *store, const struct service_settings *s)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(store);
	bool has_lists = s->crl_file != NULL || s->crl_path != NULL;
	time_t until = 0;

	if (!s->verify_chain && !s->verify_peer)
		return 0;
	for (int i = 0; i < sk_X509_num(chain); i++) {
		const X509 *certificate = sk_X509_value(chain, i);

		until = earlier(until, identity_expiry(certificate));
		if (has_lists)
			until = earlier(
			    until, lists_until(store, X509_get_issuer_name(certificate)));
	}
	return until;
}

int
tls_verify(X509_STORE_CTX *store, void *settings)
{
	const struct service_settings *s = settings;
	const SSL *ssl =
	    X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_verdict *verdict = tls_verdict_of(ssl);
	bool ok = is_trusted(store, s);

	/* A name that fits through a wildcard alone passes here; whether it counts
	 * follows from the protocol that is selected (handshake.c). */
	if (ok &&
	    identity_match(X509_STORE_CTX_get0_cert(store), s) == IDENTITY_REFUSED) {
		X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH);
		ok = false;
	}
	if (ok)
		tls_session_limit(SSL_get_session(ssl), trusted_until(store, s));
	if (verdict)
		tls_refusal_tell(verdict, store, s);
	return ok;
}
