/*
 * What the files of this room share.
 *
 *	tls_context	versions, ciphers, resumption, and what a handshake tells
 *	tls_verify	is the peer let in, and if not why
 *	tls_psk		pre-shared keys
 */
#ifndef COMMON_TLS_CONTEXT_INSIDE_H
#define COMMON_TLS_CONTEXT_INSIDE_H

#include "common/psk_keys.h"
#include "common/tls_context.h"

/** What belongs to a context besides, and is wiped with it. */
struct tls_secrets {
	struct psk_keys *psk; /* NULL: none */
};

/** Those of a context that tls_context_new() made. */
struct tls_secrets *tls_secrets_of(const SSL_CTX *context);

/** The pre-shared keys that @s names. */
bool tls_psk_load(SSL_CTX *context, const struct service_settings *s,
    struct tls_secrets *secrets, struct err *e);

/** Who listens to this handshake; NULL: nobody. */
struct tls_verdict *tls_verdict_of(const SSL *ssl);

/** In place of X509_verify_cert(), which it calls: first whether the certificate is
 * trusted, then the rules on who may come in. */
int tls_verify(X509_STORE_CTX *store, void *settings);

#endif
