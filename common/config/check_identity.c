#include "common/config/check_identity.h"

#include "common/base/address.h"
#include "common/base/hostname.h"

#include <ctype.h>
#include <openssl/objects.h>
#include <string.h>
#include <strings.h>

enum {
	FINGERPRINT_DIGITS = 64, /* SHA-256 */
};

/* ---- how a rule is written ------------------------------------------------------- */

static const struct {
	const char *word;
	int attribute;
} attributes[] = {
    {"CN=", NID_commonName},
    {"O=", NID_organizationName},
    {"OU=", NID_organizationalUnitName},
};

/* The attribute that begins here and, behind its word, the pattern; 0: none. */
static int
attribute_at(const char *text, const char **pattern)
{
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		size_t length = strlen(attributes[i].word);

		if (strncasecmp(text, attributes[i].word, length) == 0) {
			*pattern = text + length;
			return attributes[i].attribute;
		}
	}
	return 0;
}

bool
subject_part_next(const char **rule, struct subject_part *part)
{
	const char *end, *next = NULL, *unused;

	*rule += strspn(*rule, " ");
	if ((part->attribute = attribute_at(*rule, &part->pattern)) == 0)
		return false;
	for (end = part->pattern; *end != '\0'; end++) {
		next = end + 1 + strspn(end + 1, " ");
		if (*end == ',' && attribute_at(next, &unused) != 0)
			break;
	}
	part->length = (size_t)(end - part->pattern);
	*rule = *end == '\0' ? end : next;
	return true;
}

static bool
judge_subject(char *rule, struct err *e)
{
	const char *at = rule;
	struct subject_part part;
	bool says = false;

	do {
		if (!subject_part_next(&at, &part))
			return err_set(e, "checkSubject begins with CN=, O= or OU= and "
					  "takes several of them, a comma between two");
		if (part.length == 0)
			return err_set(e, "there is nothing behind the \"=\"");
		says = says || part.length > strspn(part.pattern, "*");
	} while (*at != '\0');
	return says || err_set(e, "this pattern would let everybody in");
}

/* A name that begins with a dot is any below it, and a wildcard is meant as such. */
static bool
judge_host(char *rule, struct err *e)
{
	const char *name = rule;

	if (address_is_literal(rule))
		return err_set(e, "checkHost is a host name: an address is for checkIP");
	if (strncmp(name, "*.", 2) == 0)
		name += 2;
	else if (*name == '.')
		name++;
	return hostname_check(name, e);
}

/* A "*" may stand at the end, behind a whole "scheme://authority/": spiffe://a* would
 * also let spiffe://another.example in. */
static bool
judge_uri(char *rule, struct err *e)
{
	size_t star = strcspn(rule, "*");
	const char *authority = strstr(rule, "://"), *slash;

	if (rule[star] == '\0')
		return true;
	if (rule[star + 1] != '\0')
		return err_set(e, "a \"*\" of checkURI stands at the end alone");
	slash = authority != NULL ? strchr(authority + 3, '/') : NULL;
	return (slash != NULL && slash > authority + 3) ||
	       err_set(e, "a \"*\" of checkURI stands behind a whole authority, as in "
			  "spiffe://example.org/ns/*");
}

static bool
judge_email(char *rule, struct err *e)
{
	const char *at = strchr(rule, '@');

	return (at != NULL && at > rule && at[1] != '\0') ||
	       err_set(e, "checkEmail is NAME@HOST");
}

static bool
judge_ip(char *rule, struct err *e)
{
	return (address_is_literal(rule) && strchr(rule, '%') == NULL) ||
	       err_set(e, "checkIP is an address of IPv4 or IPv6, without port or zone");
}

/* Where the digits begin. */
static const char *
digits_of(const char *rule)
{
	return strncasecmp(rule, "sha256:", 7) == 0 ? rule + 7 : rule;
}

static bool
is_fingerprint(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++) {
		if (*text != ':' && !isxdigit((unsigned char)*text))
			return false;
		n += *text != ':';
	}
	return n == FINGERPRINT_DIGITS;
}

/* Hexadecimal digits alone are left of it, in lower case. */
static bool
judge_fingerprint(char *rule, struct err *e)
{
	const char *from = digits_of(rule);
	char *to = rule;

	if (!is_fingerprint(from))
		return err_set(e,
		    "checkFingerprint is the SHA-256 of a public key, %d hexadecimal "
		    "digits: openssl x509 -in CERT -noout -pubkey | openssl pkey -pubin "
		    "-outform DER | openssl dgst -sha256",
		    FINGERPRINT_DIGITS);
	for (; *from != '\0'; from++)
		if (*from != ':')
			*to++ = (char)tolower((unsigned char)*from);
	*to = '\0';
	return true;
}

/* ---- the lines of a section ------------------------------------------------------ */

static bool
judge_all(struct draft *d, const char *option, const struct strlist *list,
    bool (*judge)(char *rule, struct err *e))
{
	for (size_t i = 0; i < list->count; i++) {
		const struct ini_entry *line = settings_line(d, option, list->items[i]);
		struct err e = {.text = ""};

		if (judge(list->items[i], &e))
			continue;
		(void)option_is_bare(list->items[i], &e);
		settings_add_error(d, line, &e);
		if (!settings_add_error_text(d, &e))
			return false;
	}
	return true;
}

bool
settings_check_rules(struct draft *d)
{
	const struct service_settings *s = d->s;

	return judge_all(d, "checkHost", &s->check_host, judge_host) &&
	       judge_all(d, "checkIP", &s->check_ip, judge_ip) &&
	       judge_all(d, "checkEmail", &s->check_email, judge_email) &&
	       judge_all(d, "checkURI", &s->check_uri, judge_uri) &&
	       judge_all(d, "checkSubject", &s->check_subject, judge_subject) &&
	       judge_all(d, "checkFingerprint", &s->check_fingerprint, judge_fingerprint);
}

bool
settings_has_rules(const struct draft *d)
{
	return settings_rule_on_names(d) != NULL ||
	       settings_given(d, "checkFingerprint") != NULL;
}

const struct ini_entry *
settings_rule_on_names(const struct draft *d)
{
	static const char *const names[] = {
	    "checkHost", "checkIP", "checkEmail", "checkURI", "checkSubject"};
	const struct ini_entry *line = NULL;

	for (size_t i = 0; line == NULL && i < sizeof(names) / sizeof(names[0]); i++) {
		line = settings_given(d, names[i]);
		if (line != NULL && *line->value == '\0')
			line = NULL; /* no rule: it forgets them */
	}
	return line;
}
