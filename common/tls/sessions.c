/*
 * What a session is good for, and tickets that outlive a server.  Their keys follow from
 * ticketKeySecret and ticketMacSecret and the time: whoever has the secrets, at any time
 * or place, has the keys, and each is used only for as long as a session lasts.
 */
#include "common/tls/internal.h"

#include <openssl/core_names.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- the scope ------------------------------------------------------------------- */

static bool
digest_text(EVP_MD_CTX *digest, const char *text)
{
	/* With its NUL, so that two texts never run into one. */
	return EVP_DigestUpdate(digest, text ? text : "", text ? strlen(text) + 1 : 1) ==
	       1;
}

static bool
digest_list(EVP_MD_CTX *digest, const struct strlist *list)
{
	bool ok = EVP_DigestUpdate(digest, &list->count, sizeof(list->count)) == 1;

	for (size_t i = 0; ok && i < list->count; i++)
		ok = digest_text(digest, list->items[i]);
	return ok;
}

static bool
digest_rules(EVP_MD_CTX *digest, const struct service_settings *s)
{
	const struct strlist *list;
	const char *option;
	bool ok = true;

	for (size_t i = 0; ok && (list = identity_rules(s, i, &option)) != NULL; i++)
		ok = digest_list(digest, list);
	return ok;
}

/* All trusted certificates and revocation lists, which are in memory, in any order. */
static bool
digest_store(EVP_MD_CTX *digest, SSL_CTX *context)
{
	STACK_OF(X509_OBJECT) *objects =
	    X509_STORE_get0_objects(SSL_CTX_get_cert_store(context));
	unsigned char sum[EVP_MAX_MD_SIZE] = {0}, one[EVP_MAX_MD_SIZE];
	unsigned int length = 0;
	bool ok = true;

	for (int i = 0; ok && i < sk_X509_OBJECT_num(objects); i++) {
		X509_OBJECT *object = sk_X509_OBJECT_value(objects, i);
		const X509 *certificate = X509_OBJECT_get0_X509(object);
		const X509_CRL *list = X509_OBJECT_get0_X509_CRL(object);

		ok = certificate
			 ? X509_digest(certificate, EVP_sha256(), one, &length) == 1
			 : list && X509_CRL_digest(list, EVP_sha256(), one, &length) == 1;
		for (unsigned int j = 0; ok && j < length; j++)
			sum[j] ^= one[j];
	}
	return ok && EVP_DigestUpdate(digest, sum, sizeof(sum)) == 1;
}

/* Who came in by a key that is gone, or another one, must not resume. */
static bool
digest_keys(EVP_MD_CTX *digest, const struct psk_file *keys)
{
	const struct psk_key *key;
	bool ok = true;

	for (size_t i = 0; ok && keys != NULL && (key = psk_file_at(keys, i)) != NULL;
	     i++)
		ok = digest_text(digest, key->identity) &&
		     EVP_DigestUpdate(digest, &key->length, sizeof(key->length)) == 1 &&
		     EVP_DigestUpdate(digest, key->key, key->length) == 1;
	return ok;
}

/* What let a peer in under one set of rules must not let it in under another, nor after a
 * CA is gone or a list has come. */
bool
tls_session_scope(SSL_CTX *context, const struct service_settings *s)
{
	const bool flags[] = {s->verify_chain, s->verify_peer, s->ask_cert,
	    s->require_cert, s->ocsp_aia, s->ocsp_require};
	unsigned char *scope = tls_secrets_of(context)->scope;
	unsigned int length = 0;
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	bool ok = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1;

	ok = ok && digest_text(digest, s->name) && digest_store(digest, context) &&
	     digest_rules(digest, s) &&
	     digest_keys(digest, tls_secrets_of(context)->psk) &&
	     digest_text(digest, s->ocsp_url) &&
	     EVP_DigestUpdate(digest, &s->ocsp_flags, sizeof(s->ocsp_flags)) == 1 &&
	     EVP_DigestUpdate(digest, flags, sizeof(flags)) == 1 &&
	     EVP_DigestFinal_ex(digest, scope, &length) == 1 &&
	     SSL_CTX_set_session_id_context(context, scope, length) == 1;
	EVP_MD_CTX_free(digest);
	return ok;
}

bool
tls_context_judges_alike(const SSL_CTX *one, const SSL_CTX *other)
{
	return memcmp(tls_secrets_of(one)->scope, tls_secrets_of(other)->scope,
		   sizeof(tls_secrets_of(one)->scope)) == 0;
}

bool
tls_asks_about_clients(const struct service_settings *s)
{
	return s->role == ROLE_SERVER && (s->ocsp_aia || s->ocsp_url != NULL) &&
	       (s->ask_cert || s->require_cert);
}

/* ---- notes ----------------------------------------------------------------------- */

/*
 * What stands in a session itself, so that its copies and its tickets have it too: a date
 * in eight bytes, and behind it an identity with its NUL, perhaps empty.
 */

/* The date; @identity: where the rest is.  0 and "": nothing is noted. */
static int64_t
read_notes(const SSL_SESSION *session, const char **identity)
{
	void *data = NULL;
	size_t length = 0;
	int64_t until = 0;

	*identity = "";
	/* It writes nothing, whatever the type says. */
	if (session == NULL ||
	    SSL_SESSION_get0_ticket_appdata((SSL_SESSION *)session, &data, &length) !=
		1 ||
	    length <= sizeof(until))
		return 0;
	memcpy(&until, data, sizeof(until));
	*identity = (const char *)data + sizeof(until);
	return until;
}

static bool
write_notes(SSL_SESSION *session, int64_t until, const char *identity)
{
	char notes[sizeof(until) + TLS_PSK_SIZE];
	size_t length = strnlen(identity, TLS_PSK_SIZE - 1);

	memcpy(notes, &until, sizeof(until));
	memcpy(notes + sizeof(until), identity, length);
	notes[sizeof(until) + length] = '\0';
	return SSL_SESSION_set1_ticket_appdata(
		   session, notes, sizeof(until) + length + 1) == 1;
}

bool
tls_psk_note(SSL_SESSION *session, const char *identity)
{
	const char *before;

	return write_notes(session, read_notes(session, &before), identity);
}

const char *
tls_psk_noted(const SSL_SESSION *session)
{
	const char *identity;

	(void)read_notes(session, &identity);
	return identity[0] != '\0' ? identity : NULL;
}

time_t
tls_session_until(const SSL_SESSION *session)
{
	const char *identity;

	return (time_t)read_notes(session, &identity);
}

bool
tls_session_is_current(const SSL_SESSION *session)
{
	time_t until = tls_session_until(session);

	return until == 0 || time(NULL) < until;
}

/* By its own time limit OpenSSL's server does not take it up any longer, and goes on to a
 * full handshake. */
void
tls_session_limit(SSL_SESSION *session, time_t until)
{
	const char *identity;
	int64_t before = read_notes(session, &identity);
	long left;

	if (session == NULL || until == 0 || (before != 0 && before <= (int64_t)until))
		return;
	(void)write_notes(session, until, identity);
	left = (long)(until - SSL_SESSION_get_time(session));
	if (left < SSL_SESSION_get_timeout(session))
		SSL_SESSION_set_timeout(session, left > 0 ? left : 0);
}

/* ---- tickets --------------------------------------------------------------------- */

enum {
	TICKET_NAME_SIZE = 16,
	TICKET_KEY_SIZE = 32, /* AES-256, and SHA-256 */
};

/* What a ticket is locked with for a while. */
struct ticket_keys {
	unsigned char name[TICKET_KEY_SIZE]; /* a part of it is used */
	unsigned char cipher[TICKET_KEY_SIZE];
	unsigned char mac[TICKET_KEY_SIZE];
};

/* A key of this purpose and period, out of a secret. */
static bool
derive(unsigned char out[TICKET_KEY_SIZE], const struct tls_secret *secret,
    const char *purpose, int64_t period)
{
	unsigned char text[48] = {0};
	unsigned int length = 0;
	int n =
	    snprintf((char *)text, sizeof(text), "%s %lld", purpose, (long long)period);

	return HMAC(EVP_sha256(), secret->bytes, (int)secret->length, text, (size_t)n,
		   out, &length) != NULL;
}

/* The name is that of both secrets: what bears it can be unlocked. */
static bool
derive_keys(struct ticket_keys *keys, const struct tls_secrets *secrets, int64_t period)
{
	unsigned char half[TICKET_KEY_SIZE];
	bool ok = derive(keys->name, &secrets->ticket_mac, "mac's name", period) &&
		  derive(half, &secrets->ticket_key, "key's name", period) &&
		  derive(keys->cipher, &secrets->ticket_key, "cipher", period) &&
		  derive(keys->mac, &secrets->ticket_mac, "mac", period);

	for (size_t i = 0; ok && i < sizeof(half); i++)
		keys->name[i] ^= half[i];
	return ok;
}

static bool
lock_ticket(const struct ticket_keys *keys, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, bool encrypt)
{
	char sha256[] = "SHA256";
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_octet_string(
		OSSL_MAC_PARAM_KEY, (void *)keys->mac, sizeof(keys->mac)),
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
	    OSSL_PARAM_construct_end(),
	};

	return EVP_CipherInit_ex(
		   cipher, EVP_aes_256_cbc(), NULL, keys->cipher, iv, encrypt) == 1 &&
	       EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* The periods follow each other so that a ticket is good for its whole time: its own is
 * then this one or the one before, or, by another server's clock, the next. */
static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int encrypt)
{
	const struct tls_secrets *secrets = tls_secrets_of(SSL_get_SSL_CTX(ssl));
	int64_t now = time(NULL) / secrets->ticket_period;
	struct ticket_keys keys;
	int result = encrypt ? -1 : 0;

	for (int64_t period = encrypt ? now : now - 1; period <= now + 1; period++) {
		if (!derive_keys(&keys, secrets, period))
			break;
		if (encrypt)
			memcpy(name, keys.name, TICKET_NAME_SIZE);
		else if (memcmp(name, keys.name, TICKET_NAME_SIZE) != 0)
			continue;
		if ((!encrypt || RAND_bytes(iv,
				     EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1) &&
		    lock_ticket(&keys, iv, cipher, mac, encrypt != 0))
			result = 1;
		break;
	}
	OPENSSL_cleanse(&keys, sizeof(keys));
	return result;
}

/* settings_check() has seen to it that these are 16 or 32 bytes. */
static bool
take_secret(struct tls_secret *secret, const char *digits)
{
	return OPENSSL_hexstr2buf_ex(secret->bytes, sizeof(secret->bytes),
		   &secret->length, digits, ':') == 1;
}

bool
tls_tickets_load(
    SSL_CTX *context, const struct service_settings *s, struct tls_secrets *secrets)
{
	if (s->ticket_key_secret == NULL)
		return true;
	secrets->ticket_period = s->session_cache_timeout;
	return take_secret(&secrets->ticket_key, s->ticket_key_secret) &&
	       take_secret(&secrets->ticket_mac, s->ticket_mac_secret) &&
	       SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket) == 1;
}
