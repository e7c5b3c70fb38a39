/*
 * Who a certificate names, and whether the rules let it in.  Pure functions of a
 * certificate and the rules; nothing is kept.
 */
#ifndef COMMON_IDENTITY_H
#define COMMON_IDENTITY_H

#include "common/settings.h"

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

enum {
	/** Room for identity_names(). */
	IDENTITY_NAMES_SIZE = 512,
};

/** How a certificate answers the rules checkHost and checkIP. */
enum identity_match {
	IDENTITY_REFUSED,  /* there are rules, and none fits */
	IDENTITY_WILDCARD, /* fits only through a wildcard of the certificate, which no
			      rule spells out */
	IDENTITY_EXACT,    /* a rule fits to the letter, or there is no rule */
};

/** Apply the rules to the peer's own certificate (RFC 9525; a certificate without any DNS
 * name in subjectAltName is taken by its CN, as stunnel does). */
enum identity_match
identity_match(X509 *certificate, const struct service_settings *rules);

/** The names a certificate has: "DNS:a.example, DNS:*.b.example, IP:192.0.2.1"; its
 * "CN:x" only where no DNS name is among them, for only then it counts.  Cut to @size (at
 * least 16 bytes) with "..." at the end; commas, quotes and bytes that are not plain text
 * show as \xNN.  "no names" where it has none.  Returns @text. */
const char *identity_names(X509 *certificate, char *text, size_t size);

/** The common name in a certificate's subject, in UTF-8 as it stands there.  "" where
 * there is none, where it is longer than @size allows, or has control characters: a part
 * of a name would be another name.  Returns @text. */
const char *identity_common_name(X509 *certificate, char *text, size_t size);

/** True while the certificate's dates include now.  Else @why: "expired on 2026-01-02",
 * "valid only from 2027-01-01" (at least 64 bytes). */
bool identity_is_current(X509 *certificate, char *why, size_t size);

/** When it expires, by the wall clock; 0: that cannot be read. */
time_t identity_expiry(const X509 *certificate);

#endif
