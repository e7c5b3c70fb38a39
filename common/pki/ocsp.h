/*
 * What an OCSP answer (RFC 6960) says of a certificate.  Pure functions; nothing is kept,
 * and nobody is asked.
 */
#ifndef COMMON_PKI_OCSP_H
#define COMMON_PKI_OCSP_H

#include <openssl/ocsp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

enum ocsp_answer {
	OCSP_GOOD,
	OCSP_REVOKED,
	OCSP_NOTHING, /* not about this certificate, of nobody we trust, or out of date */
};

/** Does the certificate demand to be shown together with an answer ("must-staple", RFC
 * 7633)? */
bool ocsp_must_staple(const X509 *certificate);

/** About whom, and whose word counts: signed by the issuer, or by somebody whom the
 * issuer has made its responder, with @store as the trust and @chain (NULL: none), but
 * for the certificate itself, as what else may lead there. */
struct ocsp_matter {
	X509 *certificate;
	X509 *issuer;
	X509_STORE *store;
	STACK_OF(X509) *chain;
	unsigned long flags; /* for OCSP_basic_verify(3) */
};

/** What a stapled @der says.  Unless it is OCSP_GOOD, @why has words: "is out of date"
 * (at least 128 bytes; safe for the log). */
enum ocsp_answer ocsp_judge(const struct ocsp_matter *matter, const unsigned char *der,
    size_t length, char *why, size_t size);

/** The same of an answer to @request (NULL: to none). */
enum ocsp_answer ocsp_judge_response(const struct ocsp_matter *matter,
    OCSP_RESPONSE *response, OCSP_REQUEST *request, char *why, size_t size);

/** Until when a good answer about @matter holds, by the wall clock: one that does not say
 * so for a day.  0: it cannot be read. */
time_t ocsp_until(const struct ocsp_matter *matter, OCSP_RESPONSE *response);

/** The same of a stapled @der. */
time_t ocsp_staple_until(
    const struct ocsp_matter *matter, const unsigned char *der, size_t length);

#endif
