/*
 * What the files of this room share.
 *
 *	tls_context	versions, ciphers, resumption, and what a handshake tells
 *	tls_verify	is the peer let in, and if not why
 */
#ifndef COMMON_TLS_CONTEXT_INSIDE_H
#define COMMON_TLS_CONTEXT_INSIDE_H

#include "common/tls_context.h"

/** Who listens to this handshake; NULL: nobody. */
struct tls_verdict *tls_verdict_of(const SSL *ssl);

/** In place of X509_verify_cert(), which it calls: first whether the certificate is
 * trusted, then the rules on who may come in. */
int tls_verify(X509_STORE_CTX *store, void *settings);

#endif
