#include "common/pki/credentials_internal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
	BIO *bio = pem_open(what, path, e);
	X509 *certificate;
	int number = 0;

	if (!bio)
		return false;
	e->text[0] = '\0';
	while ((certificate = pem_next_certificate(bio, what, path, ++number, e))) {
		if (!X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate) ||
		    (names && !add_name(names, certificate)))
			err_set(e, "%s %s: certificate number %d in it is refused: %s",
			    what, path, number, pem_openssl_message());
		X509_free(certificate);
		if (e->text[0])
			break;
	}
	BIO_free(bio);
	return e->text[0] == '\0';
}

/* Read a PEM file of revocation lists. */
static bool
load_crl_file(SSL_CTX *context, const char *what, const char *path, struct err *e)
{
	BIO *bio = pem_open(what, path, e);
	bool ok = bio != NULL;
	int number = 0;
	X509_CRL *list;

	while (ok && (list = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL) {
		number++;
		if (!X509_STORE_add_crl(SSL_CTX_get_cert_store(context), list))
			ok = err_set(e, "%s %s: list number %d in it is refused: %s",
			    what, path, number, pem_openssl_message());
		X509_CRL_free(list);
	}
	if (ok && !pem_openssl_says(ERR_LIB_PEM, PEM_R_NO_START_LINE))
		ok = err_set(e, "%s %s: list number %d in it cannot be read: %s", what,
		    path, number + 1, pem_openssl_message());
	else if (ok && number == 0)
		ok = pem_blame_form(bio, what, path, e)
			 ? false
			 : err_set(e, "%s %s: no revocation list in it", what, path);
	ERR_clear_error();
	BIO_free(bio);
	return ok;
}

/* In such a folder a certificate is found by the hash of its name, 1a2b3c4d.0, and a list
 * by that of its issuer with a letter more, 1a2b3c4d.r0. */
static bool
is_hash_name(const char *name, const char *letter)
{
	size_t n = strlen(letter);

	for (int i = 0; i < 8; i++)
		if (!isxdigit((unsigned char)name[i]))
			return false;
	if (name[8] != '.' || strncmp(name + 9, letter, n) != 0)
		return false;
	name += 9 + n;
	return *name != '\0' && name[strspn(name, "0123456789")] == '\0';
}

/* A link of such a folder whose file is gone is no file. */
static bool
is_gone(const char *file)
{
	struct stat st;

	return stat(file, &st) != 0 && errno == ENOENT;
}

/*
 * All of the folder that are named so, with how many there are in @count.  At once, and
 * not in each handshake what it asks for: what is trusted is then known, so that a ticket
 * can be bound to it; it does not depend on rights that are given up; and no handshake
 * waits for a disk.  Whoever watches the folder loads it again.
 */
static bool
load_folder(SSL_CTX *context, const char *what, const char *path, bool lists,
    size_t *count, struct err *e)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	char file[PATH_MAX];
	bool ok = true;

	if (!dir)
		return err_errno(e, errno, "%s %s", what, path);
	while (ok && (entry = readdir(dir))) {
		if (!is_hash_name(entry->d_name, lists ? "r" : ""))
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		if (is_gone(file))
			continue;
		++*count;
		ok = lists ? load_crl_file(context, what, file, e)
			   : load_ca_file(context, what, file, NULL, e);
	}
	closedir(dir);
	return ok;
}

static bool
load_ca_path(SSL_CTX *context, const char *what, const char *path, struct err *e)
{
	size_t count = 0;

	return load_folder(context, what, path, false, &count, e) &&
	       (count > 0 ||
		   err_set(e,
		       "%s %s: no certificate under its hash name in it (openssl rehash "
		       "%s)",
		       what, path, path));
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

/* Read whatever certificates are at @uri into the context's trust. */
static bool
take_store(SSL_CTX *context, OSSL_STORE_CTX *store, STACK_OF(X509_NAME) *names)
{
	bool ok = true, found = false;
	OSSL_STORE_INFO *info;

	while (ok && !OSSL_STORE_eof(store)) {
		X509 *certificate;

		if ((info = OSSL_STORE_load(store)) == NULL) {
			/* The end is an error, too. */
			ok = OSSL_STORE_eof(store) || !OSSL_STORE_error(store);
			continue;
		}
		certificate = OSSL_STORE_INFO_get0_CERT(info);
		if (certificate) {
			found = true;
			ok = X509_STORE_add_cert(
				 SSL_CTX_get_cert_store(context), certificate) &&
			     add_name(names, certificate);
		}
		OSSL_STORE_INFO_free(info);
	}
	return ok && found;
}

/* All at once, since looking something up there may take its time. */
static bool
load_ca_store(
    SSL_CTX *context, const char *uri, STACK_OF(X509_NAME) *names, struct err *e)
{
	OSSL_STORE_CTX *store = OSSL_STORE_open(uri, UI_null(), NULL, NULL, NULL);
	bool ok = store && OSSL_STORE_expect(store, OSSL_STORE_INFO_CERT) == 1 &&
		  take_store(context, store, names);

	if (!ok && ERR_peek_last_error())
		err_set(e, "CAstore %s: no certificate in it (%s)", uri,
		    pem_openssl_message());
	else if (!ok)
		err_set(e, "CAstore %s: no certificate in it", uri);
	OSSL_STORE_close(store);
	return ok;
}

static bool
load_crl_path(SSL_CTX *context, const char *path, struct err *e)
{
	size_t count = 0;

	return load_folder(context, "CRLpath", path, true, &count, e) &&
	       (count > 0 || err_set(e,
				 "CRLpath %s: no revocation list under its hash name in "
				 "it (openssl rehash %s)",
				 path, path));
}

/* Those beside the certificates of CApath count too. */
static bool
load_crls(SSL_CTX *context, const struct service_settings *s, struct err *e)
{
	size_t beside = 0;

	if (!s->crl_file && !s->crl_path)
		return true;
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context),
	    X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return (!s->crl_file || load_crl_file(context, "CRLfile", s->crl_file, e)) &&
	       (!s->crl_path || load_crl_path(context, s->crl_path, e)) &&
	       (!s->ca_path ||
		   load_folder(context, "CApath", s->ca_path, true, &beside, e));
}

/* A server's clients are told whom it trusts: whole, short, and never who the peers are
 * that verifyPeer knows. */
static void
tell_names(SSL_CTX *context, const struct service_settings *s, STACK_OF(X509_NAME) *names)
{
	if (s->role == ROLE_SERVER && !s->ca_path && s->verify_chain && are_few(names))
		SSL_CTX_set_client_CA_list(context, names);
	else
		sk_X509_NAME_pop_free(names, X509_NAME_free);
}

static bool
load_private(SSL_CTX *context, const struct service_settings *s, struct err *e)
{
	STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();

	if (!names)
		return err_set(e, "out of memory");
	if ((s->ca_file && !load_ca_file(context, "CAfile", s->ca_file, names, e)) ||
	    (s->ca_path && !load_ca_path(context, "CApath", s->ca_path, e)) ||
	    (s->ca_store && !load_ca_store(context, s->ca_store, names, e))) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return false;
	}
	tell_names(context, s, names);
	return true;
}

bool
trust_load(SSL_CTX *context, const struct service_settings *s, struct err *e)
{
	/* A certificate that is known itself needs nobody above it. */
	if (s->verify_peer && !s->verify_chain)
		X509_VERIFY_PARAM_set_flags(
		    SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
	if (s->ca_file || s->ca_path || s->ca_store)
		return load_private(context, s, e) && load_crls(context, s, e);
	return (!s->system_ca || load_system(context, e)) && load_crls(context, s, e);
}
