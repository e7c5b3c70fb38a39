/*
 * Certificates for tests, made on the spot: a CA, leaves under it, files in a folder that
 * goes away with the test.  Whatever fails here fails the test.
 */
#ifndef TESTS_UNIT_CERTIFICATES_H
#define TESTS_UNIT_CERTIFICATES_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

/** A certificate and its private key.  certificate_free() gives both back. */
struct certificate {
	X509 *x509;
	EVP_PKEY *key;
};

/** What a certificate is to say; all zero is a self-signed ECDSA P-256 leaf without any
 * name, valid from an hour ago until tomorrow. */
struct certificate_wish {
	const char *common_name;
	const char *organization;
	const char *unit;
	const char *names;   /* subjectAltName as in openssl.cnf: "DNS:a,IP:127.0.0.1" */
	const char *purpose; /* extendedKeyUsage: "serverAuth"; NULL: not written */
	const char *usage;   /* keyUsage; NULL: the usual one */
	bool purpose_twice;  /* a malformed certificate */
	bool names_key;      /* authorityKeyIdentifier: the key of its issuer */
	const char *feature; /* TLS feature: "status_request" is must-staple */
	bool is_ca;
	int rsa_bits;                     /* 0: ECDSA P-256 */
	bool ed25519;                     /* instead */
	long begins;                      /* seconds from now; both 0: -3600 and 86400 */
	long ends;                        /* seconds from now */
	const struct certificate *issuer; /* NULL: self-signed */
};

struct certificate certificate_make(const struct certificate_wish *wish);

/** The usual ones: a CA "CN=test CA"; a leaf under @issuer for both ends of a connection,
 * with @names as subjectAltName. */
struct certificate certificate_make_ca(void);
struct certificate
certificate_make_leaf(const char *names, const struct certificate *issuer);

void certificate_free(struct certificate *c);

/** The path of @name in the test's own folder, which is made at the first call and
 * removed when the test ends.  The caller frees the text. */
char *certificates_path(const char *name);

/** Write files in that folder and return the path, which the caller frees.  A PEM file
 * gets what is given: first @c (NULL: none), then @chain (NULL: none). */
char *certificate_write(
    const char *name, const struct certificate *c, const struct certificate *chain);
/** @password NULL: not encrypted. */
char *certificate_write_key(
    const char *name, const struct certificate *c, const char *password);
/** In PKCS#12, with @chain (NULL: none). */
char *certificate_write_pkcs12(const char *name, const struct certificate *c,
    const struct certificate *chain, const char *password);
/** The revocation list of @issuer, in date until @ends (seconds from now), with @revoked
 * (NULL: nobody). */
char *certificate_write_crl(const char *name, const struct certificate *issuer,
    const struct certificate *revoked, long ends);
/** An OCSP answer about @c by its issuer, signed by @signer: @status as
 * V_OCSP_CERTSTATUS, good until @ends (seconds from now).  The caller calls
 * OPENSSL_free(). */
unsigned char *
certificate_ocsp(const struct certificate *c, const struct certificate *issuer,
    const struct certificate *signer, int status, long ends, size_t *length);
/** The same of an answer that does not say until when: it was given at @begins (seconds
 * from now). */
unsigned char *certificate_ocsp_undated(const struct certificate *c,
    const struct certificate *issuer, long begins, size_t *length);
char *certificates_write_text(const char *name, const char *text);

#endif
