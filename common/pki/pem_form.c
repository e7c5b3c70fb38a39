/*
 * What a file is that OpenSSL finds no PEM in: the usual forms of the same thing, each
 * with the way back.
 */
#include "common/pki/credentials_internal.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

enum {
	/* A certificate or key is smaller; a longer file in DER stays unknown. */
	FORM_BYTES = 16 * 1024,
};

/* ---- DER -------------------------------------------------------------------------- */

static bool
is_certificate(const unsigned char *bytes, long n)
{
	X509 *found = d2i_X509(NULL, &bytes, n);

	X509_free(found);
	return found != NULL;
}

static bool
is_revocation_list(const unsigned char *bytes, long n)
{
	X509_CRL *found = d2i_X509_CRL(NULL, &bytes, n);

	X509_CRL_free(found);
	return found != NULL;
}

static bool
is_key(const unsigned char *bytes, long n)
{
	EVP_PKEY *found = d2i_AutoPrivateKey(NULL, &bytes, n);

	EVP_PKEY_free(found);
	return found != NULL;
}

/* Encrypted PKCS#8. */
static bool
is_locked_key(const unsigned char *bytes, long n)
{
	X509_SIG *found = d2i_X509_SIG(NULL, &bytes, n);

	X509_SIG_free(found);
	return found != NULL;
}

static const struct {
	const char *thing;
	const char *command; /* of openssl, that makes PEM of it */
	bool (*is)(const unsigned char *bytes, long n);
} der_forms[] = {
    {"certificate", "x509", is_certificate},
    {"revocation list", "crl", is_revocation_list},
    {"private key", "pkey", is_key},
    {"private key", "pkey", is_locked_key},
};

static bool
blame_der(
    const unsigned char *bytes, int n, const char *what, const char *path, struct err *e)
{
	for (size_t i = 0; i < sizeof(der_forms) / sizeof(der_forms[0]); i++)
		if (der_forms[i].is(bytes, n)) {
			err_set(e,
			    "%s %s: is a %s in DER form, not PEM: convert it (openssl %s "
			    "-inform der -in FILE -out NEW)",
			    what, path, der_forms[i].thing, der_forms[i].command);
			return true;
		}
	return false;
}

/* ---- text ------------------------------------------------------------------------- */

/* What follows its first "-----BEGIN X-----"; NULL: there is none. */
static const char *
behind_first_line(const char *text)
{
	const char *at = strstr(text, "-----BEGIN ");

	at = at != NULL ? strstr(at + 11, "-----") : NULL;
	return at != NULL ? at + 5 + strspn(at + 5, " \t") : NULL;
}

static bool
blame_text(const char *text, const char *what, const char *path, struct err *e)
{
	const char *at = behind_first_line(text);

	if (at == NULL || *at == '\r' || *at == '\n' || *at == '\0') {
		return false;
	} else if (at[0] == '\\' && (at[1] == 'n' || at[1] == 'r')) {
		err_set(e,
		    "%s %s: has the two characters \\n where its lines should end, as "
		    "from an environment variable: make line ends of them "
		    "(printf '%%b' \"$PEM\" > FILE)",
		    what, path);
	} else {
		err_set(e,
		    "%s %s: is PEM on one line: its line ends were lost, as by \"echo "
		    "$PEM\" without quotes: write the file anew with them (printf "
		    "'%%s\\n' \"$PEM\" > FILE)",
		    what, path);
	}
	return true;
}

/* Editors of Windows put it there. */
static bool
blame_byte_order_mark(
    const unsigned char *bytes, const char *what, const char *path, struct err *e)
{
	if (memcmp(bytes, "\xff\xfe", 2) != 0 && memcmp(bytes, "\xfe\xff", 2) != 0 &&
	    memcmp(bytes, "\xef\xbb\xbf", 3) != 0)
		return false;
	err_set(e,
	    "%s %s: begins with a byte order mark: save it as plain ASCII, or as UTF-8 "
	    "without such a mark",
	    what, path);
	return true;
}

bool
pem_blame_form(BIO *bio, const char *what, const char *path, struct err *e)
{
	unsigned char bytes[FORM_BYTES + 1] = {0};
	bool known;
	int n;

	(void)BIO_seek(bio, 0);
	n = BIO_read(bio, bytes, FORM_BYTES);
	known = n > 0 && (blame_der(bytes, n, what, path, e) ||
			     blame_byte_order_mark(bytes, what, path, e) ||
			     blame_text((const char *)bytes, what, path, e));
	OPENSSL_cleanse(bytes, sizeof(bytes)); /* it may be a key */
	ERR_clear_error();
	return known;
}
