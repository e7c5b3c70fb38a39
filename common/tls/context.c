#include "common/tls/internal.h"

#include "common/base/hostname.h"
#include "common/pki/credentials.h"

#include <openssl/err.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
	/* Of a client's certificate and those above it: OpenSSL makes room for as many as
	 * anybody says that there are. */
	CLIENT_CHAIN_BYTES = 32 * 1024,
};

/* A place in every SSL_CTX, given back with it. */
static int secrets_index;

/* The same in every SSL_SESSION. */
static int asked_index;

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
	psk_file_free(own->psk);
	tls_staple_clear(own);
	/* The secrets of tickets are wiped with the place. */
	OPENSSL_clear_free(own, sizeof(*own));
}

static void
make_indexes(void)
{
	asked_index = SSL_SESSION_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	secrets_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_secrets);
}

struct tls_secrets *
tls_secrets_new(SSL_CTX *context)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct tls_secrets *secrets = OPENSSL_zalloc(sizeof(*secrets));

	pthread_once(&once, make_indexes);
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

/* A pointer that is copied along with the session, and never followed. */
void
tls_session_set_asked(SSL_SESSION *session, bool asked)
{
	static const char mark = 0;

	(void)SSL_SESSION_set_ex_data(
	    session, asked_index, asked ? (void *)(uintptr_t)&mark : NULL);
}

bool
tls_session_asked(const SSL_SESSION *session)
{
	return SSL_SESSION_get_ex_data(session, asked_index) != NULL;
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

/* The first that happens to a ClientHello: no version, session or certificate is chosen
 * yet. */
static int
on_client_hello(SSL *ssl, int *alert, void *unused)
{
	struct tls_observer *observer = SSL_get_app_data(ssl);
	char name[SERVER_NAME_SIZE] = "";
	const unsigned char *extension;
	size_t length;

	(void)unused;
	if (!observer || !observer->on_hello)
		return SSL_CLIENT_HELLO_SUCCESS;
	if (SSL_client_hello_get0_ext(
		ssl, TLSEXT_TYPE_server_name, &extension, &length) == 1)
		(void)hostname_read(extension, length, name);
	*alert = SSL_AD_UNRECOGNIZED_NAME;
	switch (observer->on_hello(observer, name)) {
	case TLS_HELLO_GOOD:
		return SSL_CLIENT_HELLO_SUCCESS;
	case TLS_HELLO_PAUSE:
		return SSL_CLIENT_HELLO_RETRY;
	default:
		return SSL_CLIENT_HELLO_ERROR;
	}
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
	const struct tls_verdict *v = tls_verdict_of(ssl);

	(void)alert;
	(void)unused;
	if (SSL_session_reused(ssl) && !tls_psk_begins(ssl, v != NULL && v->psk_known))
		SSL_set_num_tickets(ssl, 0);
	return SSL_TLSEXT_ERR_OK;
}

/*
 * What a context is made of.
 */

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

/* The server keeps the sessions itself, unless it has secrets for tickets: resuming one
 * costs half of what a ticket does, which carries the client's certificate along.  None
 * is to outlive what a responder says of the client. */
static bool
set_server_sessions(
    SSL_CTX *context, const struct service_settings *s, struct tls_secrets *secrets)
{
	bool resume = s->session_resume && !tls_asks_about_clients(s);

	if (!resume || s->ticket_key_secret == NULL)
		SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(
	    context, resume ? SSL_SESS_CACHE_SERVER : SSL_SESS_CACHE_OFF);
	SSL_CTX_sess_set_cache_size(context, s->session_cache_size);
	SSL_CTX_set_timeout(context, s->session_cache_timeout);
	SSL_CTX_set_num_tickets(context, resume ? 1 : 0);
	SSL_CTX_set_max_cert_list(context, CLIENT_CHAIN_BYTES);
	SSL_CTX_set_client_hello_cb(context, on_client_hello, NULL);
	SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
	tls_staple_show(context, s, secrets);
	if (s->multiplex != MULTIPLEX_NO)
		SSL_CTX_set_alpn_select_cb(context, on_protocols, NULL);
	return tls_session_scope(context, s) && tls_tickets_load(context, s, secrets);
}

/* The client's sessions belong to a target and its SNI, so they are kept there. */
static bool
set_client_sessions(SSL_CTX *context, const struct service_settings *s)
{
	SSL_CTX_set_session_cache_mode(context,
	    s->session_resume ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE
			      : SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(context, s->session_cache_timeout);
	SSL_CTX_sess_set_new_cb(context, on_new_session);
	SSL_CTX_set_cert_cb(context, on_certificate_wanted, NULL);
	tls_staple_ask(context);
	return true;
}

SSL_CTX *
tls_context_new(const struct service_settings *s, struct err *e)
{
	bool server = s->role == ROLE_SERVER;
	SSL_CTX *context = tls_options_begin(s, e);
	struct tls_secrets *secrets = context ? tls_secrets_new(context) : NULL;

	if (!context)
		goto fail;
	if (!secrets) {
		err_set(e, "out of memory");
		goto fail;
	}
	SSL_CTX_set_app_data(context, (void *)s);
	if (server && s->cert.count == 0 && !s->psk_secrets) {
		err_set(e, "a server needs cert and key");
		goto fail;
	}
	if (!tls_options_load(context, s, e) || !set_verification(context, s, e) ||
	    !credentials_load(context, s, e) || !tls_psk_load(context, s, secrets, e))
		goto fail;
	if (!(server ? set_server_sessions(context, s, secrets)
		     : set_client_sessions(context, s))) {
		err_set(e, "out of memory");
		goto fail;
	}
	if (!tls_options_end(context, s, e) || !tls_ciphers_suffice(context, s, e))
		goto fail;
	ERR_clear_error();
	return context;
fail:
	ERR_clear_error();
	SSL_CTX_free(context);
	return NULL;
}
