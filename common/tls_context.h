/*
 * The SSL_CTX of a service: certificate, key, trust, versions, ciphers, resumption.
 *
 * Verification of a chain and of the names stays inside the handshake, so that the peer
 * is told by the right alert.  A resumed session verifies nothing anew; whoever uses it
 * calls identity_is_current() and identity_match() itself (tls.c does).
 */
#ifndef COMMON_TLS_CONTEXT_H
#define COMMON_TLS_CONTEXT_H

#include "common/err.h"
#include "common/settings.h"

#include <openssl/ssl.h>

/**
 * Load everything @s names.  NULL: @e says in plain words which file is unreadable, which
 * key does not match which certificate, which list names no known cipher.  @s must
 * outlive the context.  The caller frees it with SSL_CTX_free().
 */
SSL_CTX *tls_context_new(const struct service_settings *s, struct err *e);

/** The settings a context was made from. */
const struct service_settings *tls_context_settings(const SSL_CTX *context);

#endif
