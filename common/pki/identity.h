/*
 * Who a certificate names, and whether the rules let it in.  Pure functions of a
 * certificate and the rules; nothing is kept.
 */
#ifndef COMMON_PKI_IDENTITY_H
#define COMMON_PKI_IDENTITY_H

#include "common/config/settings.h"

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

enum {
	/** Room for identity_names(). */
	IDENTITY_NAMES_SIZE = 512,
	/** Room for identity_subject() and identity_distinguished_name(). */
	IDENTITY_SUBJECT_SIZE = 256,
	/** Room for the words of identity_is_current(). */
	IDENTITY_DATES_SIZE = 80,
	/** Room for identity_fingerprint(): SHA-256 in hexadecimal digits. */
	IDENTITY_FINGERPRINT_SIZE = 65,
};

/** How a certificate answers the rules: checkHost, checkIP, checkEmail, checkURI,
 * checkSubject, checkFingerprint. */
enum identity_match {
	IDENTITY_REFUSED,  /* there are rules, and none fits */
	IDENTITY_WILDCARD, /* fits only through a wildcard of the certificate, which no
			      rule spells out, or of a rule that begins with a dot */
	IDENTITY_EXACT,    /* a rule fits to the letter, or there is no rule */
};

/** The rules of one kind, and the option they are written by; @kind counts from 0.  NULL:
 * there are no more kinds. */
const struct strlist *
identity_rules(const struct service_settings *rules, size_t kind, const char **option);

/** Is there any rule? */
bool identity_has_rules(const struct service_settings *rules);

/** Apply the rules to the peer's own certificate: one that fits is enough, and the best
 * one counts (RFC 9525).  The subject counts only for checkSubject, and for checkHost and
 * checkEmail where a certificate has no subjectAltName at all, as RFC 6125 had it. */
enum identity_match
identity_match(X509 *certificate, const struct service_settings *rules);

/** Does checkHost fit only because its common name was taken for a host name? */
bool identity_is_by_common_name(X509 *certificate, const struct service_settings *rules);

/** Does it name the host that is asked for, the SNI or one of checkHost, and not through
 * a wildcard?  A router's default certificate does not. */
bool identity_names_host(X509 *certificate, const struct service_settings *rules);

/** Is there a subjectAltName, of whatever kind, and even if it cannot be read? */
bool identity_has_alt_names(const X509 *certificate);

/** SHA-256 of the DER form of the public key (SubjectPublicKeyInfo), as hexadecimal
 * digits in lower case.  It stays when a certificate is renewed for the same key. */
bool identity_fingerprint(X509 *certificate, char text[IDENTITY_FINGERPRINT_SIZE]);

/** Why the rules refuse it, in a sentence: "the certificate (DNS:a.example) does not fit
 * checkHost = b.example or checkIP = 192.0.2.1".  It shows what the rules are about.  Cut
 * as by identity_names(), and as safe for the log.  Returns @text. */
const char *identity_refusal(
    X509 *certificate, const struct service_settings *rules, char *text, size_t size);

/** A control character is among the bytes, or a NUL, behind which everything would be
 * another name. */
bool identity_has_control(const unsigned char *bytes, size_t n);

/** The names a certificate has: "DNS:a.example, DNS:*.b.example, IP:192.0.2.1"; its
 * "CN:x" only where it has no subjectAltName, for only then it counts.  Cut to @size (at
 * least 16 bytes) with "..." at the end; commas, quotes and bytes that are not plain text
 * show as \xNN.  "no names" where it has none.  Returns @text. */
const char *identity_names(X509 *certificate, char *text, size_t size);

/** Whom a certificate is for, or another distinguished name: "CN=ca, O=x"; control
 * characters and bytes above 126 are escaped, "nobody" where it is empty.  Returns @text.
 */
const char *identity_subject(X509 *certificate, char text[IDENTITY_SUBJECT_SIZE]);
const char *
identity_distinguished_name(const X509_NAME *name, char text[IDENTITY_SUBJECT_SIZE]);

/** The common name in a certificate's subject, in UTF-8 as it stands there.  "" where
 * there is none, where it is longer than @size allows, or has control characters: a part
 * of a name would be another name.  Returns @text. */
const char *identity_common_name(X509 *certificate, char *text, size_t size);

/** True while the certificate's dates include now.  Else @why: "expired on 2026-01-02",
 * "is valid only from 2027-01-01; this host's clock says 1970-01-01". */
bool identity_is_current(X509 *certificate, char *why, size_t size);

/** When it expires, by the wall clock; 0: that cannot be read. */
time_t identity_expiry(const X509 *certificate);

#endif
