/*
 * What a context needs from files: our certificate and key, and whom to trust.  Each
 * failure names the file and says in plain words what is wrong with it.  Only for
 * start-up and reload: it reads the disk.  No key is ever logged.
 */
#ifndef COMMON_PKI_CREDENTIALS_H
#define COMMON_PKI_CREDENTIALS_H

#include "common/base/err.h"
#include "common/config/settings.h"

#include <openssl/ssl.h>
#include <stdbool.h>

/**
 * Load the certificate, its chain and its key (PEM) if @s names them, and see that they
 * fit; then CAfile, CApath and CAstore, or the system's certificates if @s->system_ca.  A
 * private one never adds the system's, which is what SSL_CERT_FILE and SSL_CERT_DIR name,
 * else the first of the places that distributions use.  A server also tells its clients
 * the names of CAfile's, as long as they are few.  With them the revocation lists.
 */
bool credentials_load(SSL_CTX *context, const struct service_settings *s, struct err *e);

/** Who is told of each of several faults, and may put words in front. */
struct tls_listener {
	void (*tell)(void *owner, struct err *e);
	void *owner;
};

/** For who checks: tell what is wrong with the files of pair @which, both of them, and
 * whether they fit each other and @context. */
void credentials_check(SSL_CTX *context, const struct service_settings *s, size_t which,
    const struct tls_listener *listener);

#endif
