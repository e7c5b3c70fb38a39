/*
 * Why a certificate and a key make no pair that may be shown, in words that lead to the
 * file that must change.
 */
#include "common/pki/credentials_internal.h"

#include "common/pki/identity.h"

#include <openssl/err.h>

/* Bits of security that OpenSSL's levels want: SSL_CTX_set_security_level(3). */
static const int level_bits[] = {0, 80, 112, 128, 192, 256};
static const int levels = sizeof(level_bits) / sizeof(level_bits[0]);

/* Does the key belong to a certificate further down in the file?  The usual mistake is an
 * intermediate CA in front. */
static bool
blame_order(const struct tls_pair *pair, const char *cert, const char *key, struct err *e)
{
	char first[IDENTITY_SUBJECT_SIZE], own[IDENTITY_SUBJECT_SIZE];
	int i = 0;

	while (i < sk_X509_num(pair->chain) &&
	       X509_check_private_key(sk_X509_value(pair->chain, i), pair->key) != 1)
		i++;
	if (i >= sk_X509_num(pair->chain))
		return false;
	err_set(e,
	    "cert %s: its first certificate is %s, but the key %s belongs to its number "
	    "%d, %s: our own must stand first, then those that lead to its CA",
	    cert, identity_subject(pair->certificate, first), key, i + 2,
	    identity_subject(sk_X509_value(pair->chain, i), own));
	return true;
}

void
pair_refuse_match(
    const struct tls_pair *pair, const char *cert, const char *key, struct err *e)
{
	if (!blame_order(pair, cert, key, e))
		err_set(e, "key %s: does not match the certificate %s", key, cert);
}

/* The highest level that takes as many bits of security. */
static int
level_of(int bits)
{
	int level = 0;

	while (level + 1 < levels && level_bits[level + 1] <= bits)
		level++;
	return level;
}

static int
key_security(X509 *certificate)
{
	return EVP_PKEY_get_security_bits(X509_get0_pubkey(certificate));
}

/* The one whose key @level does not take: ours, or one that leads to its CA. */
static X509 *
find_weak(const struct tls_pair *pair, int level)
{
	if (level_of(key_security(pair->certificate)) < level)
		return pair->certificate;
	for (int i = 0; i < sk_X509_num(pair->chain); i++)
		if (level_of(key_security(sk_X509_value(pair->chain, i))) < level)
			return sk_X509_value(pair->chain, i);
	return NULL;
}

static bool
blame_weak_key(
    SSL_CTX *context, const struct tls_pair *pair, const char *cert, struct err *e)
{
	int level = SSL_CTX_get_security_level(context);
	char subject[IDENTITY_SUBJECT_SIZE];
	X509 *weak = find_weak(pair, level);
	const EVP_PKEY *key = weak != NULL ? X509_get0_pubkey(weak) : NULL;
	const char *kind = key != NULL ? EVP_PKEY_get0_type_name(key) : NULL;

	if (key == NULL)
		return false;
	err_set(e,
	    "cert %s: key too small: that of %s has %d bits (%s), too few for "
	    "securityLevel = %d: have a new key and certificate made (RSA of 2048 bits "
	    "or more, or ECDSA); until then \"securityLevel = %d\" takes it",
	    cert, identity_subject(weak, subject), EVP_PKEY_get_bits(key),
	    kind != NULL ? kind : "unknown kind", level, level_of(key_security(weak)));
	return true;
}

void
pair_refuse_use(
    SSL_CTX *context, const struct tls_pair *pair, const char *cert, struct err *e)
{
	bool weak = pem_openssl_says(ERR_LIB_SSL, SSL_R_EE_KEY_TOO_SMALL) ||
		    pem_openssl_says(ERR_LIB_SSL, SSL_R_CA_KEY_TOO_SMALL);

	if (pem_openssl_says(ERR_LIB_SSL, SSL_R_NOT_REPLACING_CERTIFICATE))
		err_set(e,
		    "cert %s: a cert line before it has a key of the same kind; several "
		    "are for keys of several kinds: RSA, ECDSA, Ed25519",
		    cert);
	else if (!weak || !blame_weak_key(context, pair, cert, e))
		err_set(e, "cert %s: is refused: %s", cert, pem_openssl_message());
}
