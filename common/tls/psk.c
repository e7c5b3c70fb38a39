/*
 * Pre-shared keys in place of certificates (RFC 4279, 8446).  OpenSSL asks by the same
 * two callbacks in TLS 1.2 and 1.3; in 1.3 a server is also asked about tickets, which
 * nobody here knows, and goes on to them.
 */
#include "common/tls/internal.h"

#include <stdio.h>
#include <string.h>

/* Who it is about, for whoever listens. */
static void
report(const SSL *ssl, const char *identity, bool known)
{
	struct tls_verdict *verdict = tls_verdict_of(ssl);

	if (verdict == NULL || verdict->psk_known)
		return;
	snprintf(verdict->psk, sizeof(verdict->psk), "%s", identity);
	verdict->psk_known = known;
}

static unsigned int
give(const struct psk_key *key, unsigned char *out, unsigned int size)
{
	if (key->length > size)
		return 0;
	memcpy(out, key->key, key->length);
	return (unsigned int)key->length;
}

static unsigned int
on_server(SSL *ssl, const char *identity, unsigned char *out, unsigned int size)
{
	const struct tls_secrets *secrets = tls_secrets_of(SSL_get_SSL_CTX(ssl));
	const struct psk_key *key = psk_file_find(secrets->psk, identity);

	report(ssl, identity, key != NULL);
	return key != NULL ? give(key, out, size) : 0;
}

static unsigned int
on_client(SSL *ssl, const char *hint, char *identity, unsigned int identity_size,
    unsigned char *out, unsigned int size)
{
	SSL_CTX *context = SSL_get_SSL_CTX(ssl);
	const struct psk_key *key = psk_file_find(
	    tls_secrets_of(context)->psk, tls_context_settings(context)->psk_identity);

	(void)hint;
	if (key == NULL || strlen(key->identity) >= identity_size)
		return 0;
	report(ssl, key->identity, true);
	memcpy(identity, key->identity, strlen(key->identity) + 1);
	return give(key, out, size);
}

bool
tls_psk_begins(const SSL *ssl, bool known)
{
	return known && SSL_version(ssl) >= TLS1_3_VERSION && SSL_session_reused(ssl) &&
	       SSL_get0_peer_certificate(ssl) == NULL &&
	       tls_psk_noted(SSL_get_session(ssl)) == NULL;
}

/* The session is this connection's own: its owner knows by whose key it began. */
static int
on_ticket(SSL *ssl, void *unused)
{
	struct tls_observer *observer = SSL_get_app_data(ssl);

	(void)unused;
	if (observer != NULL && observer->on_ticket != NULL)
		observer->on_ticket(observer, SSL_get_session(ssl));
	return 1;
}

/*
 * A key goes with one hash, SHA-256 unless both agree on another, and in TLS 1.2 with
 * ciphers of its own.  So where nothing else is written these come first; a client that
 * knows no CA has no use for others.
 */
static bool
prefer_psk(SSL_CTX *context, const struct service_settings *s)
{
	static const char suites[] =
	    "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:"
	    "TLS_AES_256_GCM_SHA384";
	static const char alone[] = "kECDHEPSK:kDHEPSK";
	static const char first[] = "kECDHEPSK:kDHEPSK:ALL:!COMPLEMENTOFDEFAULT:!eNULL";
	bool knows_ca = s->ca_file || s->ca_path || s->ca_store;

	if (s->role == ROLE_SERVER)
		SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
	if (!s->ciphersuites && SSL_CTX_set_ciphersuites(context, suites) != 1)
		return false;
	return s->ciphers ||
	       SSL_CTX_set_cipher_list(
		   context, s->role == ROLE_CLIENT && !knows_ca ? alone : first) == 1;
}

bool
tls_psk_load(SSL_CTX *context, const struct service_settings *s,
    struct tls_secrets *secrets, struct err *e)
{
	if (s->psk_secrets == NULL)
		return true;
	if ((secrets->psk = psk_file_read(s->psk_secrets, e)) == NULL)
		return false;
	if (!prefer_psk(context, s))
		return err_set(e, "PSKsecrets: OpenSSL has no ciphers for them");
	if (s->role == ROLE_SERVER) {
		SSL_CTX_set_psk_server_callback(context, on_server);
		(void)SSL_CTX_set_session_ticket_cb(context, on_ticket, NULL, NULL);
		return true;
	}
	if (psk_file_find(secrets->psk, s->psk_identity) == NULL)
		return err_set(e, "PSKidentity = %s: PSKsecrets %s has no such identity",
		    s->psk_identity, s->psk_secrets);
	SSL_CTX_set_psk_client_callback(context, on_client);
	return true;
}
