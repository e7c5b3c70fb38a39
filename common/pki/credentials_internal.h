/*
 * What the files of this folder share.
 *
 *	credentials		our certificates and their keys, as pairs
 *	credentials_read	what stands in the files of a pair: PEM or PKCS#12,
 *				locked or not
 *	pair_refusal		why a certificate and a key make no pair
 *	own_chain		what is needed of a pair's file, and until when
 *	trust			whom to trust: CAfile, CApath, CAstore, the system's, CRLs
 *	pem			how a PEM file is read, and what OpenSSL has against it
 *	pem_form		what a file is that is not PEM
 */
#ifndef COMMON_PKI_CREDENTIALS_INTERNAL_H
#define COMMON_PKI_CREDENTIALS_INTERNAL_H

#include "common/pki/credentials.h"

/** A certificate, what leads from it to its CA, and its key; each may be NULL. */
struct tls_pair {
	X509 *certificate;
	STACK_OF(X509) *chain;
	EVP_PKEY *key;
};

/** Read a cert file into @pair, with its key where it is PKCS#12 (one in PEM is left to
 * credentials_read_key()).  False: @e says why.  The caller frees what is there in any
 * case.
 */
bool credentials_read_chain(const struct service_settings *s, const char *path,
    struct tls_pair *pair, struct err *e);

/** Read a key file into @pair, in place of the key there.  The same holds. */
bool credentials_read_key(const struct service_settings *s, const char *path,
    struct tls_pair *pair, struct err *e);

/** The file that our own certificate in a context was read from. */
const char *credentials_file_of(X509 *certificate);

/** Why the key is not that of the certificate in front: @e begins with the option and the
 * file that must change, as all do here. */
void pair_refuse_match(
    const struct tls_pair *pair, const char *cert, const char *key, struct err *e);

/** Why SSL_CTX_use_cert_and_key() did not take the pair, which is OpenSSL's last error.
 */
void pair_refuse_use(
    SSL_CTX *context, const struct tls_pair *pair, const char *cert, struct err *e);

/** The trusted certificates and the revocation lists of @s. */
bool trust_load(SSL_CTX *context, const struct service_settings *s, struct err *e);

/** Say so where everybody can read a secret.  NULL: there is none. */
void credentials_warn_of_readers(const char *path);

/** Open @path, a regular file; @what names the option.  NULL: @e says why.  The caller
 * calls BIO_free(). */
BIO *pem_open(const char *what, const char *path, struct err *e);

/** One certificate more of a PEM file, which is the caller's.  NULL at its end, or with
 * @e set if it is broken, or has none at all. */
X509 *pem_next_certificate(
    BIO *bio, const char *what, const char *path, int number, struct err *e);

/** Is @bio's file, which cannot be read as PEM, one of the usual other forms: DER, PEM on
 * one line, with a literal \n?  Then @e names the form and the way back.  @bio is left
 * anywhere. */
bool pem_blame_form(BIO *bio, const char *what, const char *path, struct err *e);

/** What OpenSSL has against something, in its own words; its queue is empty then. */
const char *pem_openssl_message(void);

/** Is that its last error? */
bool pem_openssl_says(int library, int reason);

#endif
