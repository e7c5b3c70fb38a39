#include "common/identity.h"

#include <arpa/inet.h>
#include <assert.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
	/** The smallest room that holds a few words and "...". */
	IDENTITY_NAMES_LEAST = 16,
};

/*
 * X509_check_host() gives a name that begins with a dot a meaning of its own (any name
 * below it), even when wildcards are off.  Such a rule is never "to the letter".
 */
static bool
host_is_exact(X509 *certificate, const char *host)
{
	return host[0] != '.' && X509_check_host(certificate, host, 0,
				     X509_CHECK_FLAG_NO_WILDCARDS, NULL) == 1;
}

static bool
host_fits(X509 *certificate, const char *host)
{
	return X509_check_host(
		   certificate, host, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

static enum identity_match
match_rules(X509 *certificate, const struct service_settings *rules)
{
	enum identity_match best = IDENTITY_REFUSED;

	for (size_t i = 0; i < rules->check_ip.count; i++)
		if (X509_check_ip_asc(certificate, rules->check_ip.items[i], 0) == 1)
			return IDENTITY_EXACT;
	for (size_t i = 0; i < rules->check_host.count; i++) {
		if (host_is_exact(certificate, rules->check_host.items[i]))
			return IDENTITY_EXACT;
		if (host_fits(certificate, rules->check_host.items[i]))
			best = IDENTITY_WILDCARD;
	}
	return best;
}

enum identity_match
identity_match(X509 *certificate, const struct service_settings *rules)
{
	enum identity_match match;

	if (rules->check_host.count == 0 && rules->check_ip.count == 0)
		return IDENTITY_EXACT;
	match = match_rules(certificate, rules);
	/* An unreadable extension leaves errors behind, which the next SSL call, judged
	 * by the queue, would take for its own. */
	ERR_clear_error();
	return match;
}

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

static void
text_add_name(struct text *t, const char *kind, const unsigned char *bytes, int n)
{
	if (t->length > 0)
		text_add(t, ", ");
	text_add(t, kind);
	text_add_untrusted(t, bytes, n > 0 ? (size_t)n : 0, strcmp(kind, "CN:") == 0);
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
	bool has_host = false;
	GENERAL_NAMES *names;

	assert(size >= IDENTITY_NAMES_LEAST);
	text[0] = '\0';
	names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		has_host = has_host || name->type == GEN_DNS;
		text_add_general(&t, name);
	}
	GENERAL_NAMES_free(names);
	if (!has_host) /* only then the CN counts */
		text_add_common_name(&t, certificate);
	if (t.length == 0)
		text_add(&t, "no names");
	if (t.cut)
		memcpy(text + t.length, "...", 4);
	ERR_clear_error();
	return text;
}

static bool
has_control(const unsigned char *bytes, size_t n)
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
	if (n > 0 && (size_t)n < size && !has_control(utf8, (size_t)n)) {
		memcpy(text, utf8, (size_t)n);
		text[n] = '\0';
	}
	OPENSSL_free(utf8);
	ERR_clear_error();
	return text;
}

/* "expired on " and a day. */
static bool
not_current(const char *words, const ASN1_TIME *when, char *why, size_t size)
{
	struct tm day;
	char date[16] = "?";

	if (ASN1_TIME_to_tm(when, &day))
		strftime(date, sizeof(date), "%Y-%m-%d", &day);
	snprintf(why, size, "%s %s", words, date);
	return false;
}

bool
identity_is_current(X509 *certificate, char *why, size_t size)
{
	const ASN1_TIME *from = X509_get0_notBefore(certificate);
	const ASN1_TIME *until = X509_get0_notAfter(certificate);
	int begun = X509_cmp_current_time(from);
	int ended = X509_cmp_current_time(until);

	if (begun > 0)
		return not_current("valid only from", from, why, size);
	if (ended < 0)
		return not_current("expired on", until, why, size);
	if (begun == 0 || ended == 0) {
		snprintf(why, size, "has dates that cannot be read");
		ERR_clear_error();
		return false;
	}
	return true;
}

time_t
identity_expiry(const X509 *certificate)
{
	struct tm until;

	return ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &until) ? timegm(&until)
									: 0;
}
