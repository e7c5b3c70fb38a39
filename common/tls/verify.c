#include "common/tls/internal.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void
name_issuer(struct tls_verdict *v, X509 *certificate)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int n = 0;

	/* This form escapes control characters and bytes above 126. */
	if (bio && X509_NAME_print_ex(bio, X509_get_issuer_name(certificate), 0,
		       XN_FLAG_ONELINE & ~XN_FLAG_SPC_EQ) > 0)
		n = BIO_read(bio, v->issuer, sizeof(v->issuer) - 1);
	v->issuer[n > 0 ? n : 0] = '\0';
	BIO_free(bio);
	if (!v->issuer[0])
		snprintf(v->issuer, sizeof(v->issuer), "nobody");
}

static void
say_dates(struct tls_verdict *v, X509 *current)
{
	char why[64] = "has dates that do not fit";

	identity_is_current(current, why, sizeof(why));
	if (v->depth == 0)
		snprintf(v->text, sizeof(v->text), "the certificate (%s) %s%s", v->names,
		    strncmp(why, "valid", 5) == 0 ? "is " : "", why);
	else
		snprintf(v->text, sizeof(v->text),
		    "a CA certificate above the certificate (%s) %s%s", v->names,
		    strncmp(why, "valid", 5) == 0 ? "is " : "", why);
}

static void
say_refusal(struct tls_verdict *v, X509 *current, const struct service_settings *s)
{
	switch (v->verify_error) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
		identity_refusal(current, s, v->text, sizeof(v->text));
		return;
	case X509_V_ERR_CERT_REJECTED:
		snprintf(v->text, sizeof(v->text),
		    "the certificate (%s) is not among those in CAfile, CApath or "
		    "CAstore, as verifyPeer wants it",
		    v->names);
		return;
	case X509_V_ERR_CERT_REVOKED:
		snprintf(v->text, sizeof(v->text),
		    v->depth == 0 ? "the certificate (%s) was revoked by %s"
				  : "a CA certificate above the certificate (%s) was "
				    "revoked by %s",
		    v->names, v->issuer);
		return;
	case X509_V_ERR_UNABLE_TO_GET_CRL:
	case X509_V_ERR_CRL_HAS_EXPIRED:
	case X509_V_ERR_CRL_NOT_YET_VALID:
		snprintf(v->text, sizeof(v->text),
		    "nobody knows whether the certificate (%s) was revoked: the "
		    "revocation list of %s %s",
		    v->names, v->issuer,
		    v->verify_error == X509_V_ERR_UNABLE_TO_GET_CRL
			? "is not in CRLfile or CRLpath"
			: "is out of date: get a newer one");
		return;
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		say_dates(v, current);
		return;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE: /* a CA of the same name, made anew */
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		snprintf(v->text, sizeof(v->text),
		    "the certificate (%s) leads to the issuer %s, which is not trusted",
		    v->names, v->issuer);
		return;
	case X509_V_ERR_INVALID_PURPOSE:
		snprintf(v->text, sizeof(v->text),
		    "the certificate (%s) is not made for a %s (extendedKeyUsage)",
		    v->names, s->role == ROLE_CLIENT ? "server" : "client");
		return;
	default:
		snprintf(v->text, sizeof(v->text), "the certificate (%s) is refused: %s",
		    v->names, X509_verify_cert_error_string(v->verify_error));
	}
}

static void
report(struct tls_verdict *v, X509_STORE_CTX *store, const struct service_settings *s)
{
	X509 *own = X509_STORE_CTX_get0_cert(store);
	X509 *current = X509_STORE_CTX_get_current_cert(store);

	v->judged = true;
	v->verify_error = X509_STORE_CTX_get_error(store);
	v->depth = 0;
	if (v->verify_error != X509_V_ERR_HOSTNAME_MISMATCH &&
	    v->verify_error != X509_V_ERR_CERT_REJECTED)
		v->depth = X509_STORE_CTX_get_error_depth(store);
	if (v->depth == 0 || !current)
		current = own;
	identity_names(own, v->names, sizeof(v->names));
	name_issuer(v, current);
	if (v->verify_error != X509_V_OK) {
		v->names_host = identity_names_host(own, s);
		say_refusal(v, current, s);
	}
}

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
	 * follows from the protocol that is selected (tls_handshake.c). */
	if (ok &&
	    identity_match(X509_STORE_CTX_get0_cert(store), s) == IDENTITY_REFUSED) {
		X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH);
		ok = false;
	}
	if (ok)
		tls_session_limit(SSL_get_session(ssl), trusted_until(store, s));
	if (verdict)
		report(verdict, store, s);
	return ok;
}
