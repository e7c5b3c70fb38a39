/*
 * How the rules on who may come in are written: checkHost, checkIP, checkEmail, checkURI,
 * checkSubject, checkFingerprint.  Part of settings.
 */
#ifndef COMMON_CONFIG_CHECK_IDENTITY_H
#define COMMON_CONFIG_CHECK_IDENTITY_H

#include "common/config/check.h"

/** One "CN=pattern" of a checkSubject. */
struct subject_part {
	int attribute;       /* NID_commonName ... */
	const char *pattern; /* not terminated; "*" is any number of letters */
	size_t length;
};

/** Take the next part of a rule such as "O=Acme, Inc., OU=Sales", and move *@rule behind
 * it: a comma ends a pattern only where CN=, O= or OU= follows.  False: there is none,
 * and *@rule is where it should be. */
bool subject_part_next(const char **rule, struct subject_part *part);

/** Judge each rule that a line has written, and bring fingerprints into the form of
 * identity_fingerprint().  False: look no further. */
bool settings_check_rules(struct draft *d);

/** Has a line written any rule? */
bool settings_has_rules(const struct draft *d);

/** The line of a rule that is worth nothing where the chain is not verified, since
 * anybody can write what it looks at into a certificate of their own; NULL: none.  A
 * fingerprint is another matter: who shows the key has it. */
const struct ini_entry *settings_rule_on_names(const struct draft *d);

#endif
