/*
 * Our own certificates as a peer will judge them: each with those that lead from it to
 * its CA, and no others.  What else stands in a cert file (a root, what an old issuer has
 * left there) is sent but needed by nobody, so it counts for nothing here.  The root does
 * not count either: the peer has its own.
 *
 * A context is only read, so other threads may use it meanwhile.
 */
#ifndef COMMON_PKI_OWN_CHAIN_H
#define COMMON_PKI_OWN_CHAIN_H

#include "common/config/settings.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <time.h>

/** The certificate that runs out first. */
struct own_expiry {
	time_t at;      /* by the wall clock; 0: there is none */
	char text[512]; /* "cert FILE: CN=x"; not quoted */
};

/** Look for it among what credentials_load() has put into @context. */
void own_chain_expiry(SSL_CTX *context, struct own_expiry *first);

/** Told of each thing that is no fault of the settings; @bad: peers will refuse it today.
 * @text begins with "cert FILE: ". */
struct own_chain_listener {
	void (*tell)(void *owner, bool bad, const char *text);
	void *owner;
};

/** Tell of each certificate that has expired or is not valid yet, and of a file that
 * seems to lack the intermediate CA's: who issued our certificate is neither in it nor
 * among the CAs that @s trusts.  Nothing is told where that issuer is, as far as can be
 * seen, a root. */
void own_chain_check(SSL_CTX *context, const struct service_settings *s,
    const struct own_chain_listener *listener);

#endif
