/*
 * Whom a service trusts: what verifyChain, verifyPeer, requireCert, the obsolete verify
 * and the check rules mean together.  Part of settings.
 */
#ifndef COMMON_CONFIG_CHECK_TRUST_H
#define COMMON_CONFIG_CHECK_TRUST_H

#include "common/config/check.h"

/** What is the same in both roles, and what the lines imply; before the defaults that
 * depend on it. */
bool settings_check_trust(const struct draft *d, struct err *e);

/** In the server: whom to let in.  Nobody but holders of a certificate that is known,
 * unless the file says requireCert = no. */
bool settings_check_client_trust(const struct draft *d, struct err *e);

/** Is a certificate, if one is shown, more than a claim: by its chain, by being known
 * itself, or by its key? */
bool settings_knows_peers(const struct service_settings *s);

#endif
