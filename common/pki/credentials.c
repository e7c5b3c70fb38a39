#include "common/pki/credentials_internal.h"

#include "common/base/log.h"

#include <openssl/err.h>
#include <string.h>
#include <sys/stat.h>

/* Readable by the group is normal: a Secret mounted for any user id. */
void
credentials_warn_of_readers(const char *path)
{
	struct stat st;

	if (path != NULL && stat(path, &st) == 0 && (st.st_mode & S_IROTH))
		log_event(LOG_LEVEL_WARNING, "key-readable", LOG_TEXT("file", path),
		    LOG_TEXT("detail",
			"everybody on this host can read this secret: chmod o-r"));
}

/* Kept as the certificate's alias, a name for people that no peer sees. */
static bool
set_file(const struct tls_pair *pair, const char *file)
{
	return X509_alias_set1(pair->certificate, (const unsigned char *)file,
		   (int)strlen(file)) == 1;
}

const char *
credentials_file_of(X509 *certificate)
{
	int n;
	const unsigned char *file = X509_alias_get0(certificate, &n);

	return file != NULL ? (const char *)file : "?";
}

/* Two of one kind would never both be shown. */
static bool
take_pair(SSL_CTX *context, const struct tls_pair *pair, const char *cert,
    const char *key, struct err *e)
{
	if (X509_check_private_key(pair->certificate, pair->key) != 1)
		pair_refuse_match(pair, cert, key, e);
	else if (!set_file(pair, cert))
		err_set(e, "out of memory");
	else if (SSL_CTX_use_cert_and_key(
		     context, pair->certificate, pair->key, pair->chain, 0) == 1)
		return true;
	else
		pair_refuse_use(context, pair, cert, e);
	ERR_clear_error();
	return false;
}

static void
free_pair(struct tls_pair *pair)
{
	X509_free(pair->certificate);
	EVP_PKEY_free(pair->key);
	sk_X509_pop_free(pair->chain, X509_free);
}

static bool
load_pair(SSL_CTX *context, const struct service_settings *s, size_t which, struct err *e)
{
	struct tls_pair pair = {NULL, NULL, NULL};
	const char *cert = s->cert.items[which], *key = s->key.items[which];
	bool ok;

	ok = credentials_read_chain(s, cert, &pair, e);
	if (ok && (pair.key == NULL || strcmp(cert, key) != 0))
		ok = credentials_read_key(s, key, &pair, e);
	if (ok) {
		credentials_warn_of_readers(key);
		ok = take_pair(context, &pair, cert, key, e);
	}
	free_pair(&pair);
	return ok;
}

void
credentials_check(SSL_CTX *context, const struct service_settings *s, size_t which,
    const struct tls_listener *listener)
{
	struct tls_pair pair = {NULL, NULL, NULL};
	const char *cert = s->cert.items[which], *key = s->key.items[which];
	struct err e = {.text = ""};
	bool has_chain = credentials_read_chain(s, cert, &pair, &e), has_key = true;

	if (!has_chain)
		listener->tell(listener->owner, &e);
	if (strcmp(cert, key) != 0 || (has_chain && pair.key == NULL))
		has_key = credentials_read_key(s, key, &pair, &e);
	if (!has_key)
		listener->tell(listener->owner, &e);
	if (has_chain && has_key && !take_pair(context, &pair, cert, key, &e))
		listener->tell(listener->owner, &e);
	free_pair(&pair);
}

static bool
load_own(SSL_CTX *context, const struct service_settings *s, struct err *e)
{
	for (size_t i = 0; i < s->cert.count; i++)
		if (!load_pair(context, s, i, e))
			return false;
	credentials_warn_of_readers(s->key_pass_file);
	if (s->ticket_key_secret != NULL || s->protocol_password != NULL)
		credentials_warn_of_readers(s->file);
	return true;
}

/*
 * A cert file without its intermediates is completed from the trusted ones, once and
 * without the root.  OpenSSL left to itself would do it in each handshake, signatures
 * checked, and send the root as well.
 */
static void
complete_chains(SSL_CTX *context)
{
	STACK_OF(X509) *chain = NULL;
	long more = SSL_CTX_set_current_cert(context, SSL_CERT_SET_FIRST);

	SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN);
	for (; more == 1; more = SSL_CTX_set_current_cert(context, SSL_CERT_SET_NEXT)) {
		SSL_CTX_get0_chain_certs(context, &chain);
		if (sk_X509_num(chain) <= 0)
			SSL_CTX_build_cert_chain(
			    context, SSL_BUILD_CHAIN_FLAG_NO_ROOT |
					 SSL_BUILD_CHAIN_FLAG_IGNORE_ERROR);
	}
	SSL_CTX_set_current_cert(context, SSL_CERT_SET_FIRST);
	ERR_clear_error(); /* what cannot be completed is sent as it is */
}

bool
credentials_load(SSL_CTX *context, const struct service_settings *s, struct err *e)
{
	if (!load_own(context, s, e) || !trust_load(context, s, e))
		return false;
	complete_chains(context);
	return true;
}
