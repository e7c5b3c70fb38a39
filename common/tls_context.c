#include "common/tls_context_inside.h"

#include "common/tls_keys.h"

#include <openssl/err.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
	SECURITY_LEVEL_LEAST = 2, /* 112 bits: RSA 2048, no SHA-1 signatures */
	SESSION_SECONDS = 300,
	SERVER_SESSIONS = 1000, /* 6 KB each, with a small client certificate */
};

/* A place in every SSL_CTX, given back with it. */
static int secrets_index;

static void
free_secrets(
    void *context, void *secrets, CRYPTO_EX_DATA *data, int index, long arg, void *more)
{
	struct tls_secrets *own = secrets;

	(void)context;
	(void)data;
	(void)index;
	(void)arg;
	(void)more;
	if (own == NULL)
		return;
	psk_keys_free(own->psk);
	OPENSSL_clear_free(own, sizeof(*own));
}

static void
make_secrets_index(void)
{
	secrets_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_secrets);
}

static struct tls_secrets *
new_secrets(SSL_CTX *context)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct tls_secrets *secrets = OPENSSL_zalloc(sizeof(*secrets));

	pthread_once(&once, make_secrets_index);
	if (secrets && secrets_index >= 0 &&
	    SSL_CTX_set_ex_data(context, secrets_index, secrets) == 1)
		return secrets;
	OPENSSL_free(secrets);
	return NULL;
}

struct tls_secrets *
tls_secrets_of(const SSL_CTX *context)
{
	return SSL_CTX_get_ex_data(context, secrets_index);
}

const struct service_settings *
tls_context_settings(const SSL_CTX *context)
{
	return SSL_CTX_get_app_data(context);
}

void
tls_context_attach(SSL *ssl, struct tls_observer *observer)
{
	SSL_set_app_data(ssl, observer);
}

/*
 * What the handshake tells: callbacks, all of which may find nobody who listens.
 */

struct tls_verdict *
tls_verdict_of(const SSL *ssl)
{
	const struct tls_observer *observer = SSL_get_app_data(ssl);

	return observer ? observer->verdict : NULL;
}

/* The client's certificate callback runs exactly when the server asked for one. */
static int
on_certificate_wanted(SSL *ssl, void *unused)
{
	struct tls_verdict *verdict = tls_verdict_of(ssl);

	(void)unused;
	if (verdict)
		verdict->asked_for_our_certificate = true;
	return 1;
}

static int
on_new_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_observer *observer = SSL_get_app_data(ssl);

	return observer && observer->on_session &&
	       observer->on_session(observer, session);
}

/*
 * A resumed session keeps its ticket: another one would cost a write, a place in the
 * cache and work at both ends.  This callback is the only one that runs, with or without
 * SNI, after resumption was decided and before tickets are sent.
 *
 * Only a name that was acknowledged stays with a session of TLS 1.2, and a resumed one
 * has no other.
 */
static int
on_server_name(SSL *ssl, int *alert, void *unused)
{
	(void)alert;
	(void)unused;
	if (SSL_session_reused(ssl))
		SSL_set_num_tickets(ssl, 0);
	return SSL_TLSEXT_ERR_OK;
}

/*
 * What a context is made of.
 */

static int
set_curves(SSL_CTX *context, const char *list)
{
	return (int)SSL_CTX_set1_groups_list(context, list);
}

/* Set a list of names with colons between them.  Each is tried alone first: OpenSSL drops
 * what it does not know as long as one name is left, and never says which. */
static bool
set_list(SSL_CTX *context, const char *option, const char *list,
    int (*set)(SSL_CTX *, const char *), struct err *e)
{
	const char *name = list;

	while (name && *name) {
		char one[80];
		size_t length = strcspn(name, ":");

		snprintf(one, sizeof(one), "%.*s", (int)length, name);
		if (set(context, one) != 1)
			return err_set(
			    e, "%s = %s: OpenSSL knows no \"%s\"", option, list, one);
		name += length + (name[length] == ':');
	}
	if (list && set(context, list) != 1)
		return err_set(e, "%s = %s: OpenSSL refuses it", option, list);
	return true;
}

static bool
set_protocol(SSL_CTX *context, const struct service_settings *s, struct err *e)
{
	if (SSL_CTX_set_min_proto_version(context, s->tls_min) != 1 ||
	    SSL_CTX_set_max_proto_version(context, s->tls_max) != 1)
		return err_set(e, "sslVersion: OpenSSL does not have these TLS versions");
	if (!set_list(
		context, "ciphersuites", s->ciphersuites, SSL_CTX_set_ciphersuites, e) ||
	    !set_list(context, "curves", s->curves, set_curves, e))
		return false;
	if (s->ciphers && SSL_CTX_set_cipher_list(context, s->ciphers) != 1)
		return err_set(
		    e, "ciphers = %s: OpenSSL knows no cipher in it", s->ciphers);
	/* After the ciphers, which may name a level of their own. */
	if (SSL_CTX_get_security_level(context) < SECURITY_LEVEL_LEAST)
		SSL_CTX_set_security_level(context, SECURITY_LEVEL_LEAST);
	return true;
}

/* A client that offers other protocols alone is served raw, as if it offered none. */
static int
on_protocols(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_length,
    const unsigned char *offered, unsigned int length, void *arg)
{
	static const char name[] = TLS_PROTOCOL_H2;
	unsigned int at;

	(void)ssl;
	(void)arg;
	for (at = 0; at < length && offered[at] < length - at; at += 1U + offered[at]) {
		if (offered[at] != sizeof(name) - 1 ||
		    memcmp(offered + at + 1, name, sizeof(name) - 1) != 0)
			continue;
		*chosen = offered + at + 1;
		*chosen_length = offered[at];
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_NOACK;
}

static void
set_behaviour(SSL_CTX *context)
{
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	/* A cut stream must never look complete. */
	SSL_CTX_clear_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
}

static bool
set_verification(SSL_CTX *context, const struct service_settings *s, struct err *e)
{
	bool asks = s->ask_cert || s->require_cert;
	bool knows = s->verify_chain || s->verify_peer || identity_has_rules(s);
	bool looks = s->role == ROLE_CLIENT ? knows : asks;
	int mode = SSL_VERIFY_NONE;

	if (looks && s->verify_chain && !s->ca_file && !s->ca_path && !s->ca_store &&
	    !s->system_ca && !s->psk_secrets)
		return err_set(e, "verifyChain = yes needs CAfile or CApath");
	if (looks)
		mode |= SSL_VERIFY_PEER;
	if (s->role == ROLE_SERVER && s->require_cert)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(context, mode, NULL);
	SSL_CTX_set_cert_verify_callback(context, tls_verify, (void *)s);
	return true;
}

static bool
digest_text(EVP_MD_CTX *digest, const char *text)
{
	/* With its NUL, so that two texts never run into one. */
	return EVP_DigestUpdate(digest, text ? text : "", text ? strlen(text) + 1 : 1) ==
	       1;
}

static bool
digest_list(EVP_MD_CTX *digest, const struct text_list *list)
{
	bool ok = EVP_DigestUpdate(digest, &list->count, sizeof(list->count)) == 1;

	for (size_t i = 0; ok && i < list->count; i++)
		ok = digest_text(digest, list->items[i]);
	return ok;
}

static bool
digest_rules(EVP_MD_CTX *digest, const struct service_settings *s)
{
	const struct text_list *list;
	const char *option;
	bool ok = true;

	for (size_t i = 0; ok && (list = identity_rules(s, i, &option)) != NULL; i++)
		ok = digest_list(digest, list);
	return ok;
}

/* What let a peer in under one set of rules must not let it in under another. */
static bool
set_session_scope(SSL_CTX *context, const struct service_settings *s)
{
	const char *const texts[] = {s->name, s->psk_secrets, s->ca_file, s->ca_path,
	    s->ca_store, s->crl_file, s->crl_path};
	const bool flags[] = {
	    s->verify_chain, s->verify_peer, s->ask_cert, s->require_cert};
	unsigned char scope[EVP_MAX_MD_SIZE];
	unsigned int length = 0;
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	bool ok = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1;

	for (size_t i = 0; ok && i < sizeof(texts) / sizeof(texts[0]); i++)
		ok = digest_text(digest, texts[i]);
	ok = ok && digest_rules(digest, s) &&
	     EVP_DigestUpdate(digest, flags, sizeof(flags)) == 1 &&
	     EVP_DigestFinal_ex(digest, scope, &length) == 1 &&
	     SSL_CTX_set_session_id_context(context, scope, length) == 1;
	EVP_MD_CTX_free(digest);
	return ok;
}

/* The server keeps the sessions itself: resuming one costs half of what a ticket does,
 * which carries the client's certificate along. */
static bool
set_server_sessions(SSL_CTX *context, const struct service_settings *s)
{
	SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_SERVER);
	SSL_CTX_sess_set_cache_size(context, SERVER_SESSIONS);
	SSL_CTX_set_timeout(context, SESSION_SECONDS);
	SSL_CTX_set_num_tickets(context, 1);
	SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
	if (s->multiplex != MULTIPLEX_NO)
		SSL_CTX_set_alpn_select_cb(context, on_protocols, NULL);
	return set_session_scope(context, s);
}

/* The client's sessions belong to a target and its SNI, so they are kept there. */
static bool
set_client_sessions(SSL_CTX *context)
{
	SSL_CTX_set_session_cache_mode(
	    context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(context, on_new_session);
	SSL_CTX_set_cert_cb(context, on_certificate_wanted, NULL);
	return true;
}

SSL_CTX *
tls_context_new(const struct service_settings *s, struct err *e)
{
	bool server = s->role == ROLE_SERVER;
	SSL_CTX *context =
	    SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	struct tls_secrets *secrets = context ? new_secrets(context) : NULL;

	if (!secrets) {
		err_set(e, "OpenSSL cannot start");
		goto fail;
	}
	SSL_CTX_set_app_data(context, (void *)s);
	set_behaviour(context);
	if (server && s->cert.count == 0 && !s->psk_secrets) {
		err_set(e, "a server needs cert and key");
		goto fail;
	}
	if (!set_protocol(context, s, e) || !set_verification(context, s, e) ||
	    !tls_keys_load(context, s, e) || !tls_psk_load(context, s, secrets, e))
		goto fail;
	if (!(server ? set_server_sessions(context, s) : set_client_sessions(context))) {
		err_set(e, "out of memory");
		goto fail;
	}
	ERR_clear_error();
	return context;
fail:
	ERR_clear_error();
	SSL_CTX_free(context);
	return NULL;
}
