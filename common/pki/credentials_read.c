#include "common/pki/credentials_internal.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <string.h>

enum {
	/* How often somebody at the terminal may try. */
	TRIES = 3,
};

/* ---- pass phrases ---------------------------------------------------------------- */

/* A file that is locked, and what became of its pass phrase. */
struct locked {
	const struct service_settings *s;
	const char *path;
	bool wanted; /* it needs one */
	bool given;  /* it got one */
	struct err e;
};

static bool
read_phrase_file(const char *path, char phrase[PASS_PHRASE_SIZE], struct err *e)
{
	BIO *bio = pem_open("keyPassFile", path, e);
	int n = bio != NULL ? BIO_gets(bio, phrase, PASS_PHRASE_SIZE) : 0;

	if (bio != NULL && n <= 0)
		err_set(e, "keyPassFile %s: its first line is empty", path);
	BIO_free(bio);
	if (n > 0)
		phrase[strcspn(phrase, "\r\n")] = '\0';
	return n > 0;
}

static bool
find_phrase(struct locked *l, char phrase[PASS_PHRASE_SIZE])
{
	l->wanted = true;
	if (l->s->key_pass_file != NULL)
		l->given = read_phrase_file(l->s->key_pass_file, phrase, &l->e);
	else if (l->s->phrases != NULL)
		l->given = passphrases_get(l->s->phrases, l->path, phrase);
	return l->given;
}

/* Instead of OpenSSL's own, which knows no file. */
static int
give_phrase(char *out, int size, int writing, void *locked)
{
	char phrase[PASS_PHRASE_SIZE];
	int n = -1;

	(void)writing;
	if (find_phrase(locked, phrase) && strlen(phrase) < (size_t)size) {
		n = (int)strlen(phrase);
		memcpy(out, phrase, (size_t)n);
	}
	OPENSSL_cleanse(phrase, sizeof(phrase));
	return n;
}

/* It was given a phrase that does not fit, typed in by somebody: may there be another? */
static bool
may_try_again(const struct locked *l, int tries)
{
	struct passphrases *phrases = l->s->phrases;

	if (!l->given || l->s->key_pass_file != NULL || phrases == NULL)
		return false;
	passphrases_forget(phrases, l->path);
	return passphrases_are_asked(phrases) && tries < TRIES;
}

/* Why it stays locked. */
static bool
blame_lock(const struct locked *l, const char *what, struct err *e)
{
	if (l->e.text[0] != '\0')
		return err_set(e, "%s", l->e.text);
	if (!l->given)
		return err_set(e,
		    "%s %s: is encrypted: add \"keyPassFile = FILE\" with its pass "
		    "phrase "
		    "in the first line, or start at a terminal",
		    what, l->path);
	return err_set(e, "%s %s: the pass phrase%s%s does not fit (%s)", what, l->path,
	    l->s->key_pass_file != NULL ? " in " : "",
	    l->s->key_pass_file != NULL ? l->s->key_pass_file : "",
	    pem_openssl_message());
}

/* ---- PKCS#12 --------------------------------------------------------------------- */

/* A long SEQUENCE, as every such file is; in text the second byte would be a letter. */
static bool
is_der(BIO *bio)
{
	unsigned char head[2] = {0};
	bool der = BIO_read(bio, head, sizeof(head)) == (int)sizeof(head) &&
		   head[0] == 0x30 && head[1] >= 0x80;

	(void)BIO_seek(bio, 0);
	return der;
}

/* Many have none, in one of two ways; who checks no integrity is not asked for one. */
static bool
has_no_phrase(PKCS12 *file)
{
	bool none =
	    PKCS12_mac_present(file) && (PKCS12_verify_mac(file, "", 0) == 1 ||
					    PKCS12_verify_mac(file, NULL, 0) == 1);

	ERR_clear_error();
	return none;
}

/* What it says, with @phrase (NULL: without one). */
static bool
open_pkcs12(PKCS12 *file, const char *phrase, struct tls_pair *pair)
{
	if (PKCS12_parse(file, phrase, &pair->key, &pair->certificate, &pair->chain) == 1)
		return true;
	pair->key = NULL;
	pair->certificate = NULL;
	pair->chain = NULL;
	return false;
}

static bool
unlock_pkcs12(struct locked *l, PKCS12 *file, struct tls_pair *pair)
{
	char phrase[PASS_PHRASE_SIZE];
	bool ok = false;

	for (int tries = 1; !ok; tries++) {
		ok = find_phrase(l, phrase) && open_pkcs12(file, phrase, pair);
		OPENSSL_cleanse(phrase, sizeof(phrase));
		if (!ok && !may_try_again(l, tries))
			break;
	}
	return ok;
}

/* An old file's encryption (RC2, 3DES with SHA-1) is one that OpenSSL knows only by its
 * legacy provider. */
static bool
blame_pkcs12(const struct locked *l, const char *what, struct err *e)
{
	if (pem_openssl_says(ERR_LIB_EVP, EVP_R_UNSUPPORTED_ALGORITHM) ||
	    pem_openssl_says(ERR_LIB_EVP, ERR_R_UNSUPPORTED) ||
	    pem_openssl_says(ERR_LIB_PKCS12, PKCS12_R_UNKNOWN_DIGEST_ALGORITHM)) {
		ERR_clear_error();
		return err_set(e,
		    "%s %s: is encrypted in an old way that OpenSSL has given up: write "
		    "it anew (openssl pkcs12 -legacy -in FILE -nodes | openssl pkcs12 "
		    "-export -out NEW)",
		    what, l->path);
	}
	return blame_lock(l, what, e);
}

static bool
read_pkcs12(const struct service_settings *s, const char *what, const char *path,
    BIO *bio, struct tls_pair *pair, struct err *e)
{
	struct locked l = {.s = s, .path = path};
	PKCS12 *file = d2i_PKCS12_bio(bio, NULL);
	bool ok;

	if (file == NULL) {
		if (!pem_blame_form(bio, what, path, e))
			err_set(e, "%s %s: is neither PEM nor PKCS#12", what, path);
		return false;
	}
	ok = has_no_phrase(file) ? open_pkcs12(file, NULL, pair)
				 : unlock_pkcs12(&l, file, pair);
	if (!ok)
		blame_pkcs12(&l, what, e);
	else if (pair->key == NULL || pair->certificate == NULL)
		ok = err_set(e, "%s %s: has no %s in it", what, path,
		    pair->key == NULL ? "private key" : "certificate for its key");
	PKCS12_free(file);
	ERR_clear_error();
	return ok;
}

/* ---- our own --------------------------------------------------------------------- */

/* The first certificate is ours, the others lead to its CA. */
static bool
read_pem_chain(BIO *bio, const char *path, struct tls_pair *pair, struct err *e)
{
	X509 *certificate = NULL;
	int number = 0;

	e->text[0] = '\0';
	if ((pair->chain = sk_X509_new_null()) == NULL)
		return err_set(e, "out of memory");
	while ((certificate = pem_next_certificate(bio, "cert", path, ++number, e))) {
		if (number == 1) {
			pair->certificate = certificate;
		} else if (sk_X509_push(pair->chain, certificate) <= 0) {
			X509_free(certificate);
			return err_set(e, "out of memory");
		}
	}
	return e->text[0] == '\0';
}

bool
credentials_read_chain(const struct service_settings *s, const char *path,
    struct tls_pair *pair, struct err *e)
{
	BIO *bio = pem_open("cert", path, e);
	bool ok;

	if (bio == NULL)
		return false;
	ok = is_der(bio) ? read_pkcs12(s, "cert", path, bio, pair, e)
			 : read_pem_chain(bio, path, pair, e);
	BIO_free(bio);
	return ok;
}

/* Why it cannot be read, though no pass phrase is missing. */
static void
blame_key(BIO *bio, const char *path, struct err *e)
{
	bool none = pem_openssl_says(ERR_LIB_OSSL_DECODER, ERR_R_UNSUPPORTED) ||
		    pem_openssl_says(ERR_LIB_PEM, PEM_R_NO_START_LINE);

	if (!none)
		err_set(e, "key %s: cannot be read: %s", path, pem_openssl_message());
	else if (!pem_blame_form(bio, "key", path, e))
		err_set(e, "key %s: no private key in it", path);
}

static bool
read_pem_key(const struct service_settings *s, const char *path, BIO *bio,
    struct tls_pair *pair, struct err *e)
{
	struct locked l = {.s = s, .path = path};
	int tries = 0;

	do {
		(void)BIO_seek(bio, 0);
		ERR_clear_error();
		pair->key = PEM_read_bio_PrivateKey(bio, NULL, give_phrase, &l);
	} while (pair->key == NULL && may_try_again(&l, ++tries));
	if (pair->key != NULL)
		return true;
	if (l.wanted)
		blame_lock(&l, "key", e);
	else
		blame_key(bio, path, e);
	ERR_clear_error();
	return false;
}

bool
credentials_read_key(const struct service_settings *s, const char *path,
    struct tls_pair *pair, struct err *e)
{
	struct tls_pair other = {NULL, NULL, NULL};
	BIO *bio = pem_open("key", path, e);
	bool ok;

	if (bio == NULL)
		return false;
	EVP_PKEY_free(pair->key);
	pair->key = NULL;
	if (is_der(bio)) {
		ok = read_pkcs12(s, "key", path, bio, &other, e);
		pair->key = other.key;
		X509_free(other.certificate);
		sk_X509_pop_free(other.chain, X509_free);
	} else {
		ok = read_pem_key(s, path, bio, pair, e);
	}
	BIO_free(bio);
	return ok;
}
