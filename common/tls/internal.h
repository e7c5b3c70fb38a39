/*
 * What the files of this room share.
 *
 *	context		versions, ciphers, resumption, and what a handshake tells
 *	check		each part of it by itself, for who checks
 *	verify		is the peer let in
 *	refusal		if not why, in a sentence
 *	options		provider, versions, ciphers, groups, OpenSSL's own options
 *	ciphers		which ciphers are dropped, and whether one is left
 *	sessions	what a session is good for, and keys for tickets
 *	stapling	OCSP answers that come with a certificate
 *	psk		pre-shared keys
 */
#ifndef COMMON_TLS_INTERNAL_H
#define COMMON_TLS_INTERNAL_H

#include "common/pki/psk_file.h"
#include "common/tls/context.h"

struct tls_secret {
	unsigned char bytes[32];
	size_t length;
};

/** What belongs to a context besides, and is wiped with it. */
struct tls_secrets {
	struct psk_file *psk; /* NULL: none */
	struct tls_staple ocsp_refresh[SETTINGS_CERTIFICATES];
	size_t staple_count;
	struct tls_secret ticket_key, ticket_mac;
	long ticket_period;      /* seconds that a key for tickets is used */
	unsigned char scope[32]; /* of a server's sessions: rules and trust */
};

/** Those of a context that tls_context_new() made. */
struct tls_secrets *tls_secrets_of(const SSL_CTX *context);

/** Room for them in @context.  NULL: out of memory. */
struct tls_secrets *tls_secrets_new(SSL_CTX *context);

/** An empty context.  NULL: @e says why. */
SSL_CTX *tls_options_begin(const struct service_settings *s, struct err *e);

/** What it uses, as @s says. */
bool tls_options_load(SSL_CTX *context, const struct service_settings *s, struct err *e);

/** OpenSSL's options, when all else is done, and what no list of ciphers may open. */
bool tls_options_end(SSL_CTX *context, const struct service_settings *s, struct err *e);

/** Does a line config = COMMAND:... stand among @s? */
bool tls_options_has(const struct service_settings *s, const char *command);

/** Drop the ciphers that are not safe, and where none are written those without forward
 * secrecy.  False: none is left of those that are written. */
bool tls_ciphers_drop(SSL_CTX *context, const struct service_settings *s, struct err *e);

/** With all else loaded: is there a cipher that fits?  One of TLS 1.2 too, where such are
 * written and that version is not ruled out. */
bool
tls_ciphers_suffice(SSL_CTX *context, const struct service_settings *s, struct err *e);

/** Sessions count within the same service, rules and trust alone, which are loaded. */
bool tls_session_scope(SSL_CTX *context, const struct service_settings *s);

/** Does a server ask OCSP responders about its clients?  That is after the handshake, and
 * a session would be handed out in it: so it hands out none. */
bool tls_asks_about_clients(const struct service_settings *s);

/** The secrets of tickets, if @s has them.  False: out of memory. */
bool tls_tickets_load(
    SSL_CTX *context, const struct service_settings *s, struct tls_secrets *secrets);

/** Client: ask servers for OCSP answers, and heed them. */
void tls_staple_ask(SSL_CTX *context);

/** Server: show clients the answers that there are by then. */
void tls_staple_show(
    SSL_CTX *context, const struct service_settings *s, struct tls_secrets *secrets);
void tls_staple_clear(struct tls_secrets *secrets);

/** The pre-shared keys that @s names. */
bool tls_psk_load(SSL_CTX *context, const struct service_settings *s,
    struct tls_secrets *secrets, struct err *e);

/** Who listens to this handshake; NULL: nobody. */
struct tls_verdict *tls_verdict_of(const SSL *ssl);

/** In place of X509_verify_cert(), which it calls: first whether the certificate is
 * trusted, then the rules on who may come in. */
int tls_verify(X509_STORE_CTX *store, void *settings);

/** Write what became of the peer's certificate into @v: whose it is, and if the error of
 * @store is not X509_V_OK, what is wrong and where the cure is. */
void tls_refusal_tell(
    struct tls_verdict *v, X509_STORE_CTX *store, const struct service_settings *s);

#endif
