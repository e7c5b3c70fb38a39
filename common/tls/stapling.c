/*
 * Stapled OCSP answers (RFC 6066, 8): the client asks every server for one.  "Revoked" is
 * believed at once; one that says nothing counts as none, and none is a refusal where the
 * certificate demands it.  A server shows what somebody has put in for the certificate
 * that it shows.
 */
#include "common/base/log.h"
#include "common/pki/ocsp.h"
#include "common/tls/internal.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <stdio.h>

static int
refuse(SSL *ssl, int error, const char *format, const char *words)
{
	struct tls_verdict *v = tls_verdict_of(ssl);
	X509 *certificate = SSL_get0_peer_certificate(ssl);

	SSL_set_verify_result(ssl, error);
	if (v != NULL) {
		v->verify_error = error;
		v->depth = 0;
		identity_names(certificate, v->names, sizeof(v->names));
		snprintf(v->text, sizeof(v->text), format, v->names, words);
	}
	return 0;
}

/* Behind the verification of the chain. */
static int
on_staple(SSL *ssl, void *unused)
{
	SSL_CTX *context = SSL_get_SSL_CTX(ssl);
	STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
	X509 *own = sk_X509_num(chain) > 0 ? sk_X509_value(chain, 0) : NULL;
	struct tls_verdict *verdict = tls_verdict_of(ssl);
	enum ocsp_answer answer = OCSP_NOTHING;
	struct ocsp_matter matter;
	char why[128] = "is missing";
	unsigned char *der = NULL;
	long length = SSL_get_tlsext_status_ocsp_resp(ssl, &der);

	(void)unused;
	if (own == NULL || !tls_context_settings(context)->verify_chain)
		return 1; /* nobody knows whose word would count */
	matter = (struct ocsp_matter){
	    .certificate = own,
	    .issuer = sk_X509_value(chain, sk_X509_num(chain) > 1 ? 1 : 0),
	    .store = SSL_CTX_get_cert_store(context),
	    .chain = chain,
	};
	if (der != NULL && length > 0)
		answer = ocsp_judge(&matter, der, (size_t)length, why, sizeof(why));
	if (answer == OCSP_REVOKED)
		return refuse(ssl, X509_V_ERR_CERT_REVOKED,
		    "the OCSP answer that came with the certificate (%s) %s", why);
	if (answer == OCSP_NOTHING && ocsp_must_staple(own))
		return refuse(ssl, X509_V_ERR_OCSP_VERIFY_NEEDED,
		    "the certificate (%s) demands an OCSP answer along with it "
		    "(must-staple), and that %s",
		    why);
	if (answer == OCSP_GOOD)
		tls_session_limit(SSL_get_session(ssl),
		    ocsp_staple_until(&matter, der, (size_t)length));
	if (verdict != NULL)
		verdict->stapled = answer == OCSP_GOOD;
	return 1;
}

void
tls_staple_ask(SSL_CTX *context)
{
	SSL_CTX_set_tlsext_status_type(context, TLSEXT_STATUSTYPE_ocsp);
	SSL_CTX_set_tlsext_status_cb(context, on_staple);
}

/* ---- the server ------------------------------------------------------------------ */

struct tls_staple *
tls_context_staples(const SSL_CTX *context, size_t *count)
{
	struct tls_secrets *secrets = tls_secrets_of(context);

	*count = secrets->staple_count;
	return secrets->ocsp_refresh;
}

void
tls_staple_put(struct tls_staple *staple, unsigned char *der, size_t length, time_t until)
{
	pthread_mutex_lock(&staple->lock);
	OPENSSL_free(staple->der);
	staple->der = der;
	staple->length = length;
	staple->until = until;
	pthread_mutex_unlock(&staple->lock);
}

/* A copy, or NULL. */
static unsigned char *
take(struct tls_staple *staple, size_t *length)
{
	unsigned char *copy = NULL;

	pthread_mutex_lock(&staple->lock);
	*length = staple->length;
	if (staple->der != NULL && (staple->until == 0 || staple->until > time(NULL)))
		copy = OPENSSL_memdup(staple->der, staple->length);
	pthread_mutex_unlock(&staple->lock);
	return copy;
}

static int
on_wanted(SSL *ssl, void *unused)
{
	struct tls_secrets *secrets = tls_secrets_of(SSL_get_SSL_CTX(ssl));
	const X509 *shown = SSL_get_certificate(ssl);
	unsigned char *der = NULL;
	size_t length = 0;

	(void)unused;
	for (size_t i = 0; der == NULL && i < secrets->staple_count; i++)
		if (shown != NULL &&
		    X509_cmp(secrets->ocsp_refresh[i].certificate, shown) == 0)
			der = take(&secrets->ocsp_refresh[i], &length);
	if (der == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	SSL_set_tlsext_status_ocsp_resp(ssl, der, (long)length);
	return SSL_TLSEXT_ERR_OK;
}

/* From the chain that is shown, or from the trusted ones.  The caller frees it. */
static X509 *
issuer_of(SSL_CTX *context, X509 *certificate)
{
	X509_STORE_CTX *search = X509_STORE_CTX_new();
	STACK_OF(X509) *chain = NULL;
	X509 *issuer = NULL;

	SSL_CTX_get0_chain_certs(context, &chain);
	for (int i = 0; issuer == NULL && i < sk_X509_num(chain); i++)
		if (X509_check_issued(sk_X509_value(chain, i), certificate) ==
			X509_V_OK &&
		    X509_up_ref(sk_X509_value(chain, i)))
			issuer = sk_X509_value(chain, i);
	if (issuer == NULL && search != NULL &&
	    X509_STORE_CTX_init(
		search, SSL_CTX_get_cert_store(context), certificate, NULL) == 1)
		(void)X509_STORE_CTX_get1_issuer(&issuer, search, certificate);
	X509_STORE_CTX_free(search);
	ERR_clear_error();
	return issuer;
}

/* The context's current certificate. */
static void
prepare(SSL_CTX *context, const struct service_settings *s, struct tls_secrets *secrets)
{
	X509 *certificate = SSL_CTX_get0_certificate(context), *issuer;
	struct tls_staple *staple = &secrets->ocsp_refresh[secrets->staple_count];
	bool must = ocsp_must_staple(certificate);
	char names[IDENTITY_NAMES_SIZE];

	if (!must && !s->ocsp_aia && s->ocsp_url == NULL)
		return;
	if ((issuer = issuer_of(context, certificate)) == NULL) {
		if (must)
			log_event(LOG_LEVEL_WARNING, "staple-failed",
			    LOG_TEXT("names",
				identity_names(certificate, names, sizeof(names))),
			    LOG_TEXT("detail",
				"the issuer is in neither cert nor CAfile, and "
				"without it no OCSP answer can be asked for, "
				"which this certificate demands"));
		return;
	}
	if (!X509_up_ref(certificate)) {
		X509_free(issuer);
		return;
	}
	staple->certificate = certificate;
	staple->issuer = issuer;
	pthread_mutex_init(&staple->lock, NULL);
	secrets->staple_count++;
}

void
tls_staple_show(
    SSL_CTX *context, const struct service_settings *s, struct tls_secrets *secrets)
{
	long more = SSL_CTX_set_current_cert(context, SSL_CERT_SET_FIRST);

	for (; more == 1; more = SSL_CTX_set_current_cert(context, SSL_CERT_SET_NEXT))
		if (secrets->staple_count < SETTINGS_CERTIFICATES)
			prepare(context, s, secrets);
	(void)SSL_CTX_set_current_cert(context, SSL_CERT_SET_FIRST);
	ERR_clear_error();
	if (secrets->staple_count > 0)
		SSL_CTX_set_tlsext_status_cb(context, on_wanted);
}

void
tls_staple_clear(struct tls_secrets *secrets)
{
	for (size_t i = 0; i < secrets->staple_count; i++) {
		struct tls_staple *staple = &secrets->ocsp_refresh[i];

		X509_free(staple->certificate);
		X509_free(staple->issuer);
		OPENSSL_free(staple->der);
		pthread_mutex_destroy(&staple->lock);
	}
	secrets->staple_count = 0;
}
