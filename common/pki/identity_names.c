#include "common/pki/identity.h"

#include <arpa/inet.h>
#include <assert.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

enum {
	/** The smallest room that holds a few words and "...". */
	IDENTITY_NAMES_LEAST = 16,
};

/* Text that grows in the caller's storage, and stops at its end. */
struct text {
	char *out;
	size_t size;
	size_t length;
	bool cut;
};

/* All of @piece or nothing: a \xNN is never cut in two. */
static void
text_add(struct text *t, const char *piece)
{
	size_t length = strlen(piece);

	if (t->cut || length >= t->size - t->length) {
		t->cut = true;
		return;
	}
	memcpy(t->out + t->length, piece, length + 1);
	t->length += length;
}

/* What a certificate says comes from outside: without commas, quotes and backslashes of
 * its own it can neither invent a second name nor leave its quotes in the log. */
static void
text_add_untrusted(struct text *t, const unsigned char *bytes, size_t n, bool spaces)
{
	for (size_t i = 0; i < n && !t->cut; i++) {
		unsigned char c = bytes[i];
		char piece[8];

		if ((c > ' ' && c < 127 && !strchr(",\"\\", c)) || (c == ' ' && spaces))
			snprintf(piece, sizeof(piece), "%c", c);
		else
			snprintf(piece, sizeof(piece), "\\x%02x", c);
		text_add(t, piece);
	}
}

/* Parts of a subject often have blanks inside, other names never. */
static void
text_add_name(struct text *t, const char *kind, const unsigned char *bytes, int n)
{
	if (t->length > 0)
		text_add(t, ", ");
	text_add(t, kind);
	text_add_untrusted(t, bytes, n > 0 ? (size_t)n : 0,
	    strcmp(kind, "CN:") == 0 || strchr(kind, '=') != NULL);
}

static void
text_add_address(struct text *t, const ASN1_OCTET_STRING *address)
{
	int n = ASN1_STRING_length(address);
	char readable[INET6_ADDRSTRLEN] = "?";

	if (n == 4)
		inet_ntop(
		    AF_INET, ASN1_STRING_get0_data(address), readable, sizeof(readable));
	else if (n == 16)
		inet_ntop(
		    AF_INET6, ASN1_STRING_get0_data(address), readable, sizeof(readable));
	text_add_name(t, "IP:", (unsigned char *)readable, (int)strlen(readable));
}

static void
text_add_general(struct text *t, const GENERAL_NAME *name)
{
	const char *kind;

	switch (name->type) {
	case GEN_DNS:
		kind = "DNS:";
		break;
	case GEN_URI:
		kind = "URI:";
		break;
	case GEN_EMAIL:
		kind = "email:";
		break;
	case GEN_IPADD:
		text_add_address(t, name->d.iPAddress);
		return;
	default:
		return;
	}
	text_add_name(
	    t, kind, ASN1_STRING_get0_data(name->d.ia5), ASN1_STRING_length(name->d.ia5));
}

/* The first one, in UTF-8; at most 0 is none.  The caller calls OPENSSL_free(). */
static int
common_name(X509 *certificate, unsigned char **utf8)
{
	const X509_NAME *subject = X509_get_subject_name(certificate);
	int i = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	*utf8 = NULL;
	if (i < 0)
		return 0;
	return ASN1_STRING_to_UTF8(
	    utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i)));
}

static void
text_add_common_name(struct text *t, X509 *certificate)
{
	unsigned char *utf8;
	int n = common_name(certificate, &utf8);

	if (n > 0)
		text_add_name(t, "CN:", utf8, n);
	OPENSSL_free(utf8);
}

const char *
identity_names(X509 *certificate, char *text, size_t size)
{
	/* The last three bytes are kept for "...". */
	struct text t = {.out = text, .size = size - 3};
	GENERAL_NAMES *names;

	assert(size >= IDENTITY_NAMES_LEAST);
	text[0] = '\0';
	names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
		text_add_general(&t, sk_GENERAL_NAME_value(names, i));
	GENERAL_NAMES_free(names);
	if (!identity_has_alt_names(certificate)) /* only then the CN counts */
		text_add_common_name(&t, certificate);
	if (t.length == 0)
		text_add(&t, "no names");
	if (t.cut)
		memcpy(text + t.length, "...", 4);
	ERR_clear_error();
	return text;
}

bool
identity_has_control(const unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i] < ' ' || bytes[i] == 127)
			return true;
	return false;
}

const char *
identity_common_name(X509 *certificate, char *text, size_t size)
{
	unsigned char *utf8;
	int n = common_name(certificate, &utf8);

	text[0] = '\0';
	if (n > 0 && (size_t)n < size && !identity_has_control(utf8, (size_t)n)) {
		memcpy(text, utf8, (size_t)n);
		text[n] = '\0';
	}
	OPENSSL_free(utf8);
	ERR_clear_error();
	return text;
}

const char *
identity_distinguished_name(const X509_NAME *name, char text[IDENTITY_SUBJECT_SIZE])
{
	BIO *bio = BIO_new(BIO_s_mem());
	int n = 0;

	/* This form escapes control characters and bytes above 126. */
	if (bio &&
	    X509_NAME_print_ex(bio, name, 0, XN_FLAG_ONELINE & ~XN_FLAG_SPC_EQ) > 0)
		n = BIO_read(bio, text, IDENTITY_SUBJECT_SIZE - 1);
	text[n > 0 ? n : 0] = '\0';
	BIO_free(bio);
	if (!text[0])
		snprintf(text, IDENTITY_SUBJECT_SIZE, "nobody");
	return text;
}

const char *
identity_subject(X509 *certificate, char text[IDENTITY_SUBJECT_SIZE])
{
	return identity_distinguished_name(X509_get_subject_name(certificate), text);
}

/* ---- who is not let in ----------------------------------------------------------- */

/* Its entries that a rule may be about: "CN=host, O=Example". */
static const char *
subject_text(X509 *certificate, char *out, size_t size)
{
	static const struct {
		int nid;
		const char *word;
	} kinds[] = {{NID_commonName, "CN="}, {NID_organizationName, "O="},
	    {NID_organizationalUnitName, "OU="}};
	const X509_NAME *subject = X509_get_subject_name(certificate);
	struct text t = {.out = out, .size = size};

	out[0] = '\0';
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		for (int i = -1;
		     (i = X509_NAME_get_index_by_NID(subject, kinds[k].nid, i)) >= 0;) {
			const ASN1_STRING *value =
			    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i));
			unsigned char *utf8 = NULL;
			int n = ASN1_STRING_to_UTF8(&utf8, value);

			text_add_name(&t, kinds[k].word, utf8, n);
			OPENSSL_free(utf8);
		}
	return t.length > 0 ? out : "is empty";
}

static void
text_add_rules(struct text *t, const struct service_settings *rules)
{
	const struct strlist *list;
	const char *option, *between = " ";

	for (size_t i = 0; (list = identity_rules(rules, i, &option)) != NULL; i++)
		for (size_t j = 0; j < list->count; j++) {
			text_add(t, between);
			text_add(t, option);
			text_add(t, " = ");
			text_add(t, list->items[j]);
			between = " or ";
		}
}

const char *
identity_refusal(
    X509 *certificate, const struct service_settings *rules, char *out, size_t size)
{
	struct text t = {.out = out, .size = size - 3};
	char piece[IDENTITY_NAMES_SIZE], key[IDENTITY_FINGERPRINT_SIZE];

	assert(size >= IDENTITY_NAMES_LEAST);
	out[0] = '\0';
	text_add(&t, "the certificate (");
	text_add(&t, identity_names(certificate, piece, sizeof(piece)));
	if (rules->check_subject.count > 0) {
		text_add(&t, "; subject ");
		text_add(&t, subject_text(certificate, piece, sizeof(piece)));
	}
	if (rules->check_fingerprint.count > 0 &&
	    identity_fingerprint(certificate, key)) {
		text_add(&t, "; fingerprint ");
		text_add(&t, key);
	}
	text_add(&t, ") does not fit");
	text_add_rules(&t, rules);
	if (t.cut)
		memcpy(out + t.length, "...", 4);
	ERR_clear_error();
	return out;
}
