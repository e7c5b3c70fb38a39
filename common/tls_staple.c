/*
 * Stapled OCSP answers (RFC 6066, 8): the client asks every server for one.  "Revoked" is
 * believed at once; one that says nothing counts as none, and none is a refusal where the
 * certificate demands it.
 */
#include "common/ocsp.h"
#include "common/tls_context_inside.h"

#include <openssl/ocsp.h>
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
