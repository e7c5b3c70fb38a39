#include "common/tls_keys.h"

#include "common/log.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	/** A server tells its clients no more names of CAs than fit into this (bytes of
	 * DER): they travel in every full handshake, and a client that finds its own not
	 * among them may send none. */
	CLIENT_CA_BYTES = 4096,
};

/* Where distributions keep their bundle, beside the place that OpenSSL was built with. */
static const char *const system_files[] = {
    "/etc/pki/tls/certs/ca-bundle.crt",                  /* RHEL, UBI, Fedora */
    "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Ubuntu, Alpine */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* RHEL */
    "/etc/ssl/ca-bundle.pem",                            /* SUSE */
    "/var/lib/ca-certificates/ca-bundle.pem",            /* SUSE */
    "/etc/ssl/cert.pem",                                 /* Alpine, BSD, macOS */
    "/etc/pki/tls/cert.pem",
};

/* What OpenSSL has against something, in its own words; the queue is empty then. */
static const char *
openssl_words(void)
{
	unsigned long last = ERR_peek_last_error();
	const char *words = ERR_reason_error_string(last);

	ERR_clear_error();
	return words ? words : "unknown error";
}

static bool
openssl_says(int library, int reason)
{
	unsigned long last = ERR_peek_last_error();

	return ERR_GET_LIB(last) == library && ERR_GET_REASON(last) == reason;
}

/* Any file that is no regular one is refused: a folder cannot be read, and a pipe could
 * make us wait for ever. */
static BIO *
open_pem(const char *what, const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	FILE *file = NULL;
	BIO *bio;

	if (fd < 0 || fstat(fd, &st) != 0) {
		err_errno(e, errno, "%s %s", what, path);
		goto fail;
	}
	if (!S_ISREG(st.st_mode)) {
		err_set(e, "%s %s: is %s, not a file", what, path,
		    S_ISDIR(st.st_mode) ? "a folder" : "a device or pipe");
		goto fail;
	}
	file = fdopen(fd, "r");
	bio = file ? BIO_new_fp(file, BIO_CLOSE) : NULL;
	if (bio)
		return bio;
	err_set(e, "%s %s: out of memory", what, path);
fail:
	if (file)
		fclose(file);
	else if (fd >= 0)
		close(fd);
	return NULL;
}

/* One certificate more of a PEM file.  NULL at its end, or with @e set if it is broken.
 */
static X509 *
next_certificate(BIO *bio, const char *what, const char *path, int number, struct err *e)
{
	X509 *certificate = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);

	if (certificate)
		return certificate;
	if (!openssl_says(ERR_LIB_PEM, PEM_R_NO_START_LINE))
		err_set(e, "%s %s: certificate number %d in it cannot be read: %s", what,
		    path, number, openssl_words());
	else if (number == 1)
		err_set(e, "%s %s: no certificate in it", what, path);
	ERR_clear_error();
	return NULL;
}

/* The first certificate is ours, the others lead to its CA. */
static bool
load_chain(SSL_CTX *context, const char *path, struct err *e)
{
	BIO *bio = open_pem("cert", path, e);
	X509 *certificate = NULL;
	int number = 0;

	if (!bio)
		return false;
	e->text[0] = '\0';
	while ((certificate = next_certificate(bio, "cert", path, ++number, e))) {
		bool taken = number == 1 ? SSL_CTX_use_certificate(context, certificate)
					 : SSL_CTX_add1_chain_cert(context, certificate);

		X509_free(certificate);
		if (!taken) {
			err_set(e, "cert %s: certificate number %d in it is refused: %s",
			    path, number, openssl_words());
			break;
		}
	}
	BIO_free(bio);
	return e->text[0] == '\0';
}

/* Instead of OpenSSL's own, which asks on the terminal. */
static int
refuse_password(char *password, int size, int writing, void *asked)
{
	(void)password;
	(void)size;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

static EVP_PKEY *
read_key(const char *path, struct err *e)
{
	BIO *bio = open_pem("key", path, e);
	bool asked = false;
	EVP_PKEY *key;

	if (!bio)
		return NULL;
	key = PEM_read_bio_PrivateKey(bio, NULL, refuse_password, &asked);
	if (!key && asked)
		err_set(e,
		    "key %s: is encrypted: not supported yet, give one without a "
		    "password (openssl pkey -in KEY -out NEW)",
		    path);
	else if (!key && openssl_says(ERR_LIB_OSSL_DECODER, ERR_R_UNSUPPORTED))
		err_set(e, "key %s: no private key in it", path);
	else if (!key)
		err_set(e, "key %s: cannot be read: %s", path, openssl_words());
	ERR_clear_error();
	BIO_free(bio);
	return key;
}

/* Readable by the group is normal: a Secret mounted for any user id. */
static void
warn_of_readers(const char *path)
{
	struct stat st;
	char text[LOG_QUOTE_SIZE];

	if (stat(path, &st) == 0 && (st.st_mode & S_IROTH))
		log_warning("event=key-readable file=%s detail=\"everybody on this host "
			    "can read the private key: chmod o-r\"",
		    log_quote(path, text));
}

static bool
load_own(SSL_CTX *context, const struct service_settings *s, struct err *e)
{
	const char *path = s->key ? s->key : s->cert;
	EVP_PKEY *key;
	bool fits;

	if (!s->cert)
		return true;
	if (!load_chain(context, s->cert, e))
		return false;
	key = read_key(path, e);
	if (!key)
		return false;
	warn_of_readers(path);
	fits = X509_check_private_key(SSL_CTX_get0_certificate(context), key) == 1;
	if (!fits)
		err_set(e, "key %s does not match the certificate %s", path, s->cert);
	else if (SSL_CTX_use_PrivateKey(context, key) != 1)
		fits = err_set(e, "key %s: is refused: %s", path, openssl_words());
	EVP_PKEY_free(key);
	ERR_clear_error();
	return fits;
}

/* Keep @certificate's name unless it is there already. */
static bool
add_name(STACK_OF(X509_NAME) *names, X509 *certificate)
{
	X509_NAME *name = X509_get_subject_name(certificate);

	for (int i = 0; i < sk_X509_NAME_num(names); i++)
		if (X509_NAME_cmp(sk_X509_NAME_value(names, i), name) == 0)
			return true;
	name = X509_NAME_dup(name);
	if (name && sk_X509_NAME_push(names, name) > 0)
		return true;
	X509_NAME_free(name);
	return false;
}

/* Read a PEM file into the context's trust.  @names (NULL: no matter) gets who they are.
 */
static bool
load_ca_file(SSL_CTX *context, const char *what, const char *path,
    STACK_OF(X509_NAME) *names, struct err *e)
{
	BIO *bio = open_pem(what, path, e);
	X509 *certificate;
	int number = 0;

	if (!bio)
		return false;
	e->text[0] = '\0';
	while ((certificate = next_certificate(bio, what, path, ++number, e))) {
		if (!X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate) ||
		    (names && !add_name(names, certificate)))
			err_set(e, "%s %s: certificate number %d in it is refused: %s",
			    what, path, number, openssl_words());
		X509_free(certificate);
		if (e->text[0])
			break;
	}
	BIO_free(bio);
	return e->text[0] == '\0';
}

/* In such a folder a certificate is found by the hash of its name: 1a2b3c4d.0 */
static bool
is_hash_name(const char *name)
{
	for (int i = 0; i < 8; i++)
		if (!isxdigit((unsigned char)name[i]))
			return false;
	return name[8] == '.' && isdigit((unsigned char)name[9]);
}

/* OpenSSL takes any folder, even a missing one, and then trusts nobody. */
static bool
load_ca_path(SSL_CTX *context, const char *what, const char *path, struct err *e)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	bool found = false;

	if (!dir)
		return err_errno(e, errno, "%s %s", what, path);
	while (!found && (entry = readdir(dir)))
		found = is_hash_name(entry->d_name);
	closedir(dir);
	if (!found)
		return err_set(e,
		    "%s %s: no certificate under its hash name in it (openssl rehash %s)",
		    what, path, path);
	if (SSL_CTX_load_verify_dir(context, path) != 1)
		return err_set(e, "%s %s: %s", what, path, openssl_words());
	return true;
}

/* The variables that OpenSSL's own programs know replace the usual places. */
static bool
load_system_from_environment(
    SSL_CTX *context, const char *file, const char *path, struct err *e)
{
	if (file &&
	    !load_ca_file(context, X509_get_default_cert_file_env(), file, NULL, e))
		return false;
	return !path || load_ca_path(context, X509_get_default_cert_dir_env(), path, e);
}

static bool
load_system(SSL_CTX *context, struct err *e)
{
	const char *file = getenv(X509_get_default_cert_file_env());
	const char *path = getenv(X509_get_default_cert_dir_env());
	struct err missing;

	if (file || path)
		return load_system_from_environment(context, file, path, e);
	if (load_ca_file(context, "", X509_get_default_cert_file(), NULL, &missing))
		return true;
	for (size_t i = 0; i < sizeof(system_files) / sizeof(system_files[0]); i++)
		if (load_ca_file(context, "", system_files[i], NULL, &missing))
			return true;
	if (load_ca_path(context, "", X509_get_default_cert_dir(), &missing) ||
	    load_ca_path(context, "", "/etc/ssl/certs", &missing))
		return true;
	return err_set(e,
	    "the system's trusted certificates are in none of the known places (%s, %s, "
	    "...): install ca-certificates, or set CAfile",
	    system_files[0], system_files[1]);
}

static bool
are_few(const STACK_OF(X509_NAME) *names)
{
	int bytes = 0;

	for (int i = 0; i < sk_X509_NAME_num(names); i++)
		bytes += i2d_X509_NAME(sk_X509_NAME_value(names, i), NULL);
	return bytes <= CLIENT_CA_BYTES;
}

static bool
load_trust(SSL_CTX *context, const struct service_settings *s, struct err *e)
{
	STACK_OF(X509_NAME) *names;

	if (!s->ca_file && !s->ca_path)
		return !s->system_ca || load_system(context, e);
	names = sk_X509_NAME_new_null();
	if (!names)
		return err_set(e, "out of memory");
	if (s->ca_file && !load_ca_file(context, "CAfile", s->ca_file, names, e))
		goto fail;
	if (s->ca_path && !load_ca_path(context, "CApath", s->ca_path, e))
		goto fail;
	/* With CApath the list would not be whole. */
	if (s->role == ROLE_SERVER && !s->ca_path && are_few(names))
		SSL_CTX_set_client_CA_list(context, names);
	else
		sk_X509_NAME_pop_free(names, X509_NAME_free);
	return true;
fail:
	sk_X509_NAME_pop_free(names, X509_NAME_free);
	return false;
}

/*
 * A cert file without its intermediates is completed from the trusted ones, once and
 * without the root.  OpenSSL left to itself would do it in each handshake, signatures
 * checked, and send the root as well.
 */
static void
complete_chain(SSL_CTX *context)
{
	STACK_OF(X509) *chain = NULL;

	SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_get0_chain_certs(context, &chain);
	if (SSL_CTX_get0_certificate(context) && sk_X509_num(chain) <= 0)
		SSL_CTX_build_cert_chain(context,
		    SSL_BUILD_CHAIN_FLAG_NO_ROOT | SSL_BUILD_CHAIN_FLAG_IGNORE_ERROR);
	ERR_clear_error(); /* what cannot be completed is sent as it is */
}

bool
tls_keys_load(SSL_CTX *context, const struct service_settings *s, struct err *e)
{
	if (!load_own(context, s, e) || !load_trust(context, s, e))
		return false;
	complete_chain(context);
	return true;
}
