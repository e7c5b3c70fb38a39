#include "common/tls/internal.h"

#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>

/* A certificate that is refused, and where it was. */
struct refusal {
	struct tls_verdict *v;
	X509_STORE_CTX *store;
	X509 *current; /* that the error is about: the peer's own, or one above it */
	const struct service_settings *s;
};

/* "the certificate (DNS:a.example) " and what is said of it. */
__attribute__((format(printf, 2, 3))) static void
say(const struct refusal *r, const char *format, ...)
{
	struct tls_verdict *v = r->v;
	va_list args;
	int n = snprintf(v->text, sizeof(v->text), "%s (%s) ",
	    v->depth == 0 ? "the certificate" : "a CA certificate above the certificate",
	    v->names);

	if (n < 0 || (size_t)n >= sizeof(v->text))
		return;
	va_start(args, format);
	vsnprintf(v->text + n, sizeof(v->text) - (size_t)n, format, args);
	va_end(args);
}

static void
say_dates(const struct refusal *r)
{
	char why[IDENTITY_DATES_SIZE] = "has dates that do not fit";

	identity_is_current(r->current, why, sizeof(why));
	say(r, "%s", why);
}

static void
say_lists(const struct refusal *r)
{
	struct tls_verdict *v = r->v;

	snprintf(v->text, sizeof(v->text),
	    "nobody knows whether the certificate (%s) was revoked: the revocation list "
	    "of %s %s",
	    v->names, v->issuer,
	    v->verify_error == X509_V_ERR_UNABLE_TO_GET_CRL
		? "is not in CRLfile or CRLpath"
		: "is out of date: get a newer one");
}

/* Do we trust a CA with the issuer's name, whose key is not the one that has signed? */
static bool
has_namesake(const struct refusal *r)
{
	STACK_OF(X509) *list =
	    X509_STORE_CTX_get1_certs(r->store, X509_get_issuer_name(r->current));
	bool found = false;

	for (int i = 0; i < sk_X509_num(list); i++) {
		int fits = X509_check_issued(sk_X509_value(list, i), r->current);

		found = found || fits == X509_V_OK ||
			fits == X509_V_ERR_AKID_SKID_MISMATCH ||
			fits == X509_V_ERR_AKID_ISSUER_SERIAL_MISMATCH;
	}
	sk_X509_pop_free(list, X509_free);
	return found;
}

/* A peer that sends its own certificate alone may have forgotten those above it. */
static bool
came_alone(const struct refusal *r)
{
	return r->v->depth == 0 &&
	       sk_X509_num(X509_STORE_CTX_get0_untrusted(r->store)) <= 1 &&
	       X509_NAME_cmp(X509_get_subject_name(r->current),
		   X509_get_issuer_name(r->current)) != 0;
}

static void
say_issuer(const struct refusal *r)
{
	struct tls_verdict *v = r->v;
	const char *cause = "which is not trusted";

	if (v->verify_error == X509_V_ERR_CERT_SIGNATURE_FAILURE || has_namesake(r))
		cause = "but its signature does not fit: another CA of that name?";
	else if (came_alone(r))
		cause = "which is not trusted; the far end sent no intermediate: its "
			"cert file needs that one, unless it is a root CA";
	snprintf(v->text, sizeof(v->text),
	    "the certificate (%s) leads to the issuer %s, %s", v->names, v->issuer,
	    cause);
}

/* Both extensions say what a certificate is for, and each may be the one that rules it
 * out (RFC 5280, 4.2.1.3 and 4.2.1.12). */
static void
say_purpose(const struct refusal *r)
{
	bool server = r->s->role == ROLE_CLIENT;
	uint32_t wanted = server ? XKU_SSL_SERVER | XKU_SGC : XKU_SSL_CLIENT;
	bool fits = (X509_get_extended_key_usage(r->current) & wanted) != 0;

	say(r, "is not made for a %s (%s)", server ? "server" : "client",
	    fits ? "keyUsage" : "extendedKeyUsage");
}

static void
say_size(const struct refusal *r)
{
	say(r,
	    "has a key of %d bits, which is too small for this host's OpenSSL: it needs "
	    "a "
	    "new key, such as RSA with 3072 bits or ECDSA P-256",
	    EVP_PKEY_get_bits(X509_get0_pubkey(r->current)));
}

static void
say_refusal(const struct refusal *r)
{
	struct tls_verdict *v = r->v;

	switch (v->verify_error) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
		identity_refusal(r->current, r->s, v->text, sizeof(v->text));
		return;
	case X509_V_ERR_CERT_REJECTED:
		say(r, "is not among those in CAfile, CApath or CAstore, as verifyPeer "
		       "wants it");
		return;
	case X509_V_ERR_CERT_REVOKED:
		say(r, "was revoked by %s", v->issuer);
		return;
	case X509_V_ERR_UNABLE_TO_GET_CRL:
	case X509_V_ERR_CRL_HAS_EXPIRED:
	case X509_V_ERR_CRL_NOT_YET_VALID:
		say_lists(r);
		return;
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		say_dates(r);
		return;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		say_issuer(r);
		return;
	case X509_V_ERR_INVALID_PURPOSE:
		say_purpose(r);
		return;
	case X509_V_ERR_INVALID_EXTENSION:
		say(r, "is malformed: an extension in it stands there twice, or cannot "
		       "be read");
		return;
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
		say_size(r);
		return;
	default:
		say(r, "is refused: %s", X509_verify_cert_error_string(v->verify_error));
	}
}

void
tls_refusal_tell(
    struct tls_verdict *v, X509_STORE_CTX *store, const struct service_settings *s)
{
	X509 *own = X509_STORE_CTX_get0_cert(store);
	struct refusal r = {v, store, X509_STORE_CTX_get_current_cert(store), s};

	v->judged = true;
	v->verify_error = X509_STORE_CTX_get_error(store);
	v->depth = 0;
	/* These are found out by ourselves, and are about the peer's own. */
	if (v->verify_error != X509_V_ERR_HOSTNAME_MISMATCH &&
	    v->verify_error != X509_V_ERR_CERT_REJECTED &&
	    v->verify_error != X509_V_ERR_INVALID_EXTENSION)
		v->depth = X509_STORE_CTX_get_error_depth(store);
	if (v->depth == 0 || !r.current)
		r.current = own;
	identity_names(own, v->names, sizeof(v->names));
	(void)identity_distinguished_name(X509_get_issuer_name(r.current), v->issuer);
	if (v->verify_error != X509_V_OK) {
		v->names_host = identity_names_host(own, s);
		say_refusal(&r);
	}
}
