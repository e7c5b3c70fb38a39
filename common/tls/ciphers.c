/*
 * Which ciphers of TLS 1.2 are used.  Whoever wrote the list: none without certificate or
 * key, so that nobody comes in who shows neither, and none that does not encrypt.  Where
 * no list is written: those with forward secrecy alone, so that who gets the key one day
 * cannot read what was recorded before.  And one at least must fit the certificates and
 * keys that there are: a list that fits none of them refuses every handshake.
 */
#include "common/tls/internal.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- what is dropped ------------------------------------------------------------- */

static bool
is_open_to_all(const SSL_CIPHER *cipher)
{
	return SSL_CIPHER_get_auth_nid(cipher) == NID_auth_null ||
	       SSL_CIPHER_get_cipher_nid(cipher) == NID_undef;
}

/* All of TLS 1.3 are. */
static bool
is_forward_secret(const SSL_CIPHER *cipher)
{
	switch (SSL_CIPHER_get_kx_nid(cipher)) {
	case NID_kx_ecdhe:
	case NID_kx_dhe:
	case NID_kx_ecdhe_psk:
	case NID_kx_dhe_psk:
	case NID_kx_any:
		return true;
	default:
		return false;
	}
}

static bool
is_kept(const SSL_CIPHER *cipher, bool written)
{
	return !is_open_to_all(cipher) && (written || is_forward_secret(cipher));
}

static bool
keeps_all(const STACK_OF(SSL_CIPHER) *ciphers, bool written)
{
	for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++)
		if (!is_kept(sk_SSL_CIPHER_value(ciphers, i), written))
			return false;
	return true;
}

static bool
is_of_tls13(const SSL_CIPHER *cipher)
{
	return SSL_CIPHER_get_auth_nid(cipher) == NID_auth_any;
}

/* The names of those of TLS 1.2 that are kept, with colons between.  The caller frees it.
 */
static char *
name_kept(const STACK_OF(SSL_CIPHER) *ciphers, bool written)
{
	char *list = NULL;
	size_t length;
	FILE *out = open_memstream(&list, &length);

	for (int i = 0; out != NULL && i < sk_SSL_CIPHER_num(ciphers); i++) {
		const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);

		if (is_kept(cipher, written) && !is_of_tls13(cipher))
			fprintf(out, "%s:", SSL_CIPHER_get_name(cipher));
	}
	if (out == NULL || fclose(out) == 0)
		return list;
	free(list);
	return NULL;
}

bool
tls_ciphers_drop(SSL_CTX *context, const struct service_settings *s, struct err *e)
{
	bool written = s->ciphers != NULL || tls_options_has(s, "CipherString");
	char *kept;
	bool ok;

	if (keeps_all(SSL_CTX_get_ciphers(context), written))
		return true;
	if ((kept = name_kept(SSL_CTX_get_ciphers(context), written)) == NULL)
		return err_set(e, "out of memory");
	ok = SSL_CTX_set_cipher_list(context, kept) == 1 || !written ||
	     err_set(e, "ciphers: none of them both asks for a certificate or key and "
			"encrypts (aNULL, eNULL)");
	free(kept);
	ERR_clear_error();
	return ok;
}

/* ---- what is left ---------------------------------------------------------------- */

/* Is there a certificate whose key is of one of these kinds? */
static bool
has_key_of(SSL_CTX *context, const int *kinds, size_t count)
{
	long more = SSL_CTX_set_current_cert(context, SSL_CERT_SET_FIRST);
	bool found = false;

	for (; more == 1; more = SSL_CTX_set_current_cert(context, SSL_CERT_SET_NEXT)) {
		const EVP_PKEY *key = SSL_CTX_get0_privatekey(context);

		for (size_t i = 0; key != NULL && i < count; i++)
			found = found || EVP_PKEY_get_base_id(key) == kinds[i];
	}
	(void)SSL_CTX_set_current_cert(context, SSL_CERT_SET_FIRST);
	return found;
}

/* Has a server what it would have to show? */
static bool
can_show(SSL_CTX *context, const SSL_CIPHER *cipher)
{
	static const int rsa[] = {EVP_PKEY_RSA, EVP_PKEY_RSA_PSS};
	static const int curves[] = {EVP_PKEY_EC, EVP_PKEY_ED25519, EVP_PKEY_ED448};

	switch (SSL_CIPHER_get_auth_nid(cipher)) {
	case NID_auth_any:
	case NID_auth_psk:
		return true;
	case NID_auth_rsa:
		return has_key_of(context, rsa, sizeof(rsa) / sizeof(rsa[0]));
	case NID_auth_ecdsa:
		return has_key_of(context, curves, sizeof(curves) / sizeof(curves[0]));
	default:
		return false;
	}
}

/* OpenSSL asks a client alone whether there are keys, so that is what this looks like. */
static unsigned int
no_key(SSL *ssl, const char *hint, char *identity, unsigned int identity_size,
    unsigned char *key, unsigned int size)
{
	(void)ssl;
	(void)hint;
	(void)identity;
	(void)identity_size;
	(void)key;
	(void)size;
	return 0;
}

/* Which of both kinds fit versions, security level, certificates and keys. */
static bool
find_usable(SSL_CTX *context, const struct service_settings *s, bool *tls12, bool *tls13)
{
	SSL *ssl = SSL_new(context);
	STACK_OF(SSL_CIPHER) *ciphers;

	*tls12 = *tls13 = false;
	if (ssl == NULL)
		return false;
	SSL_set_psk_client_callback(ssl, s->psk_secrets != NULL ? no_key : NULL);
	ciphers = SSL_get1_supported_ciphers(ssl); /* NULL: no version is left */
	for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
		const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);

		if (is_of_tls13(cipher))
			*tls13 = true;
		else if (s->role == ROLE_CLIENT || can_show(context, cipher))
			*tls12 = true;
	}
	sk_SSL_CIPHER_free(ciphers);
	SSL_free(ssl);
	ERR_clear_error();
	return true;
}

bool
tls_ciphers_suffice(SSL_CTX *context, const struct service_settings *s, struct err *e)
{
	bool wants_tls12 = SSL_CTX_get_min_proto_version(context) <= TLS1_2_VERSION &&
			   (SSL_CTX_get_options(context) & SSL_OP_NO_TLSv1_2) == 0;
	bool tls12, tls13;

	if (!find_usable(context, s, &tls12, &tls13))
		return err_set(e, "out of memory");
	if (wants_tls12 && !tls12 && s->ciphers != NULL)
		return err_set(e,
		    "ciphers = %s: none of them fits %s, so that every handshake of TLS "
		    "1.2 would fail: write others, or sslVersionMin = TLSv1.3",
		    s->ciphers,
		    s->role == ROLE_SERVER
			? "the keys of cert, PSKsecrets and securityLevel"
			: "securityLevel and PSKsecrets");
	return tls12 || tls13 ||
	       err_set(e, "no cipher is left that fits sslVersion, securityLevel and the "
			  "keys of cert or PSKsecrets");
}
