#include "common/pki/identity.h"

#include "common/config/check_identity.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

bool
identity_has_alt_names(const X509 *certificate)
{
	return X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1) >= 0;
}

/* OpenSSL looks at the subject unless subjectAltName has a name of the kind that is asked
 * for.  A certificate that has any is known by those alone. */
static unsigned
where_to_look(const X509 *certificate)
{
	return identity_has_alt_names(certificate) ? X509_CHECK_FLAG_NEVER_CHECK_SUBJECT
						   : 0;
}

/*
 * X509_check_host() gives a name that begins with a dot a meaning of its own (any name
 * below it), even when wildcards are off.  Such a rule is never "to the letter".
 */
static bool
host_is_exact(X509 *certificate, const char *host)
{
	return host[0] != '.' &&
	       X509_check_host(certificate, host, 0,
		   X509_CHECK_FLAG_NO_WILDCARDS | where_to_look(certificate), NULL) == 1;
}

static enum identity_match
match_host(X509 *certificate, const char *host)
{
	if (host_is_exact(certificate, host))
		return IDENTITY_EXACT;
	if (X509_check_host(certificate, host, 0,
		X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | where_to_look(certificate),
		NULL) == 1)
		return IDENTITY_WILDCARD;
	return IDENTITY_REFUSED;
}

static enum identity_match
exact(bool fits)
{
	return fits ? IDENTITY_EXACT : IDENTITY_REFUSED;
}

static enum identity_match
match_ip(X509 *certificate, const char *address)
{
	return exact(X509_check_ip_asc(certificate, address, 0) == 1);
}

static enum identity_match
match_email(X509 *certificate, const char *email)
{
	return exact(
	    X509_check_email(certificate, email, 0, where_to_look(certificate)) == 1);
}

/* To the letter, or up to the "*" that ends the rule. */
static bool
uri_fits(const ASN1_STRING *uri, const char *rule)
{
	const unsigned char *bytes = ASN1_STRING_get0_data(uri);
	size_t n = (size_t)ASN1_STRING_length(uri);
	size_t length = strlen(rule);

	if (identity_has_control(bytes, n))
		return false;
	if (rule[length - 1] == '*')
		return n >= length - 1 && memcmp(bytes, rule, length - 1) == 0;
	return n == length && memcmp(bytes, rule, length) == 0;
}

static enum identity_match
match_uri(X509 *certificate, const char *rule)
{
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	bool fits = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		fits = fits || (name->type == GEN_URI &&
				   uri_fits(name->d.uniformResourceIdentifier, rule));
	}
	GENERAL_NAMES_free(names);
	return exact(fits);
}

/* "*" is any number of bytes, and there may be several.  What is left over behind a star
 * is looked for again one byte later, for the last star alone: an earlier one has nothing
 * to gain from that. */
static bool
pattern_fits(
    const char *pattern, size_t length, const unsigned char *text, size_t text_length)
{
	size_t p = 0, t = 0, star = length, from = 0;

	while (t < text_length) {
		if (p < length && pattern[p] == '*') {
			star = p++;
			from = t;
		} else if (p < length && (unsigned char)pattern[p] == text[t]) {
			p++;
			t++;
		} else if (star < length) {
			p = star + 1;
			t = ++from;
		} else {
			return false;
		}
	}
	while (p < length && pattern[p] == '*')
		p++;
	return p == length;
}

/* Does one of the subject's entries of this kind fit? */
static bool
subject_has(const X509_NAME *subject, const struct subject_part *part)
{
	bool fits = false;

	for (int i = -1; !fits && (i = X509_NAME_get_index_by_NID(
				       subject, part->attribute, i)) >= 0;) {
		unsigned char *utf8 = NULL;
		int n = ASN1_STRING_to_UTF8(
		    &utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i)));

		fits = n > 0 && !identity_has_control(utf8, (size_t)n) &&
		       pattern_fits(part->pattern, part->length, utf8, (size_t)n);
		OPENSSL_free(utf8);
	}
	return fits;
}

/* All parts of the rule have to fit. */
static enum identity_match
match_subject(X509 *certificate, const char *rule)
{
	const X509_NAME *subject = X509_get_subject_name(certificate);
	struct subject_part part;

	while (subject_part_next(&rule, &part))
		if (!subject_has(subject, &part))
			return IDENTITY_REFUSED;
	return IDENTITY_EXACT;
}

static enum identity_match
match_fingerprint(X509 *certificate, const char *rule)
{
	char own[IDENTITY_FINGERPRINT_SIZE];

	return exact(identity_fingerprint(certificate, own) && strcmp(own, rule) == 0);
}

/* What a kind of rule is called, where it stands, and how it judges. */
static const struct {
	const char *option;
	size_t offset;
	enum identity_match (*match)(X509 *certificate, const char *rule);
} kinds[] = {
    {"checkHost", offsetof(struct service_settings, check_host), match_host},
    {"checkIP", offsetof(struct service_settings, check_ip), match_ip},
    {"checkEmail", offsetof(struct service_settings, check_email), match_email},
    {"checkURI", offsetof(struct service_settings, check_uri), match_uri},
    {"checkSubject", offsetof(struct service_settings, check_subject), match_subject},
    {"checkFingerprint", offsetof(struct service_settings, check_fingerprint),
	match_fingerprint},
};

const struct strlist *
identity_rules(const struct service_settings *rules, size_t kind, const char **option)
{
	if (kind >= sizeof(kinds) / sizeof(kinds[0]))
		return NULL;
	*option = kinds[kind].option;
	return (const struct strlist *)((const char *)rules + kinds[kind].offset);
}

bool
identity_has_rules(const struct service_settings *rules)
{
	const struct strlist *list;
	const char *option;

	for (size_t i = 0; (list = identity_rules(rules, i, &option)) != NULL; i++)
		if (list->count > 0)
			return true;
	return false;
}

enum identity_match
identity_match(X509 *certificate, const struct service_settings *rules)
{
	enum identity_match best =
	    identity_has_rules(rules) ? IDENTITY_REFUSED : IDENTITY_EXACT;
	const struct strlist *list;
	const char *option;

	for (size_t i = 0; (list = identity_rules(rules, i, &option)) != NULL; i++)
		for (size_t j = 0; j < list->count && best != IDENTITY_EXACT; j++) {
			enum identity_match match =
			    kinds[i].match(certificate, list->items[j]);

			if (match > best)
				best = match;
		}
	/* An unreadable extension leaves errors behind, which the next SSL call, judged
	 * by the queue, would take for its own. */
	ERR_clear_error();
	return best;
}

bool
identity_names_host(X509 *certificate, const struct service_settings *rules)
{
	bool fits = rules->sni != NULL && host_is_exact(certificate, rules->sni);

	for (size_t i = 0; !fits && i < rules->check_host.count; i++)
		fits = strchr(rules->check_host.items[i], '*') == NULL &&
		       host_is_exact(certificate, rules->check_host.items[i]);
	ERR_clear_error();
	return fits;
}

bool
identity_is_by_common_name(X509 *certificate, const struct service_settings *rules)
{
	bool fits = false;

	if (identity_has_alt_names(certificate))
		return false;
	for (size_t i = 0; !fits && i < rules->check_host.count; i++)
		fits = match_host(certificate, rules->check_host.items[i]) !=
		       IDENTITY_REFUSED;
	ERR_clear_error();
	return fits;
}

bool
identity_fingerprint(X509 *certificate, char text[IDENTITY_FINGERPRINT_SIZE])
{
	unsigned char *der = NULL, digest[EVP_MAX_MD_SIZE];
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
	unsigned int length = 0;
	bool ok =
	    n > 0 && EVP_Digest(der, (size_t)n, digest, &length, EVP_sha256(), NULL) == 1;

	OPENSSL_free(der);
	text[0] = '\0';
	for (unsigned int i = 0; ok && i < length; i++)
		snprintf(text + (size_t)2 * i, 3, "%02x", digest[i]);
	return ok;
}

enum {
	/* "2027-01-01" with its NUL, and no more of a year beyond 9999. */
	DAY_SIZE = 11,
};

static void
write_day(const struct tm *tm, char day[DAY_SIZE])
{
	if (strftime(day, DAY_SIZE, "%Y-%m-%d", tm) == 0)
		snprintf(day, DAY_SIZE, "?");
}

static bool
has_expired(const ASN1_TIME *until, char *why, size_t size)
{
	struct tm tm = {0};
	char day[DAY_SIZE] = "?";

	if (ASN1_TIME_to_tm(until, &tm))
		write_day(&tm, day);
	snprintf(why, size, "expired on %s", day);
	return false;
}

/* Often it is the clock that is wrong: a machine without a battery begins in 1970. */
static bool
not_begun(const ASN1_TIME *from, char *why, size_t size)
{
	struct tm tm = {0};
	char day[DAY_SIZE] = "?", today[DAY_SIZE] = "?";
	time_t now = time(NULL);

	if (ASN1_TIME_to_tm(from, &tm))
		write_day(&tm, day);
	if (gmtime_r(&now, &tm) != NULL)
		write_day(&tm, today);
	snprintf(
	    why, size, "is valid only from %s; this host's clock says %s", day, today);
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
		return not_begun(from, why, size);
	if (ended < 0)
		return has_expired(until, why, size);
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
