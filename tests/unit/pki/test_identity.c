#include "common/pki/identity.h"
#include "tests/unit/certificates.h"
#include "tests/unit/unit.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A self-signed certificate with these names. */
static struct certificate
named(const char *common_name, const char *names)
{
	return certificate_make(
	    &(struct certificate_wish){.common_name = common_name, .names = names});
}

/* What a certificate with @names answers to one rule of each kind (NULL: no such rule).
 */
static enum identity_match
answer(const char *common_name, const char *names, const char *host, const char *ip)
{
	struct certificate c = named(common_name, names);
	char *hosts[] = {(char *)host};
	char *ips[] = {(char *)ip};
	struct service_settings rules = {
	    .check_host = {.items = hosts, .count = host ? 1 : 0},
	    .check_ip = {.items = ips, .count = ip ? 1 : 0},
	};
	enum identity_match match = identity_match(c.x509, &rules);

	certificate_free(&c);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	return match;
}

START_TEST(without_rules_anyone_fits)
{
	ck_assert_int_eq(answer(NULL, "DNS:a.example", NULL, NULL), IDENTITY_EXACT);
	ck_assert_int_eq(answer(NULL, NULL, NULL, NULL), IDENTITY_EXACT);
}
END_TEST

START_TEST(a_name_fits_to_the_letter_whatever_its_case)
{
	ck_assert_int_eq(answer(NULL, "DNS:x,DNS:Orders.Example", "oRDERS.example", NULL),
	    IDENTITY_EXACT);
	ck_assert_int_eq(answer(NULL, "DNS:orders.example", "orders.example.net", NULL),
	    IDENTITY_REFUSED);
	ck_assert_int_eq(
	    answer(NULL, "DNS:orders.example", "rders.example", NULL), IDENTITY_REFUSED);
}
END_TEST

START_TEST(a_wildcard_of_the_certificate_is_told_apart)
{
	const char *names = "DNS:*.apps.example";

	ck_assert_int_eq(answer(NULL, names, "a.apps.example", NULL), IDENTITY_WILDCARD);
	ck_assert_int_eq(answer(NULL, names, "A.APPS.example", NULL), IDENTITY_WILDCARD);
	ck_assert_int_eq(answer(NULL, names, "b.a.apps.example", NULL), IDENTITY_REFUSED);
	ck_assert_int_eq(answer(NULL, names, "apps.example", NULL), IDENTITY_REFUSED);
}
END_TEST

START_TEST(a_name_beside_the_wildcard_makes_it_exact)
{
	ck_assert_int_eq(
	    answer(NULL, "DNS:*.apps.example,DNS:a.apps.example", "a.apps.example", NULL),
	    IDENTITY_EXACT);
}
END_TEST

START_TEST(a_rule_that_spells_the_wildcard_out_is_exact)
{
	ck_assert_int_eq(
	    answer(NULL, "DNS:*.apps.example", "*.Apps.example", NULL), IDENTITY_EXACT);
	ck_assert_int_eq(
	    answer(NULL, "DNS:a.apps.example", "*.apps.example", NULL), IDENTITY_REFUSED);
}
END_TEST

START_TEST(partial_wildcards_fit_nothing)
{
	ck_assert_int_eq(answer(NULL, "DNS:a*.apps.example", "ab.apps.example", NULL),
	    IDENTITY_REFUSED);
	ck_assert_int_eq(
	    answer(NULL, "DNS:a.*.example", "a.b.example", NULL), IDENTITY_REFUSED);
	ck_assert_int_eq(answer(NULL, "DNS:*", "example", NULL), IDENTITY_REFUSED);
}
END_TEST

START_TEST(a_rule_that_begins_with_a_dot_is_never_exact)
{
	ck_assert_int_ne(
	    answer(NULL, "DNS:a.apps.example", ".apps.example", NULL), IDENTITY_EXACT);
	ck_assert_int_ne(
	    answer(NULL, "DNS:*.apps.example", ".apps.example", NULL), IDENTITY_EXACT);
}
END_TEST

START_TEST(the_common_name_counts_only_without_any_other_name)
{
	static const char *const names[] = {"DNS:b.example", "IP:192.0.2.1",
	    "URI:spiffe://b.example/x", "email:b@b.example", "RID:1.2.3.4"};

	ck_assert_int_eq(answer("a.example", NULL, "a.example", NULL), IDENTITY_EXACT);
	ck_assert_int_eq(
	    answer("*.a.example", NULL, "b.a.example", NULL), IDENTITY_WILDCARD);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ck_assert_int_eq(
		    answer("a.example", names[i], "a.example", NULL), IDENTITY_REFUSED);
		ck_assert_int_eq(answer("*.a.example", names[i], "b.a.example", NULL),
		    IDENTITY_REFUSED);
	}
}
END_TEST

START_TEST(a_common_name_that_was_taken_is_told)
{
	char *host = "b.example", *other = "c.example";
	struct service_settings rules = {.check_host = {.items = &host, .count = 1}};
	struct certificate bare = named("b.example", NULL);
	struct certificate full = named("b.example", "DNS:b.example");

	ck_assert(identity_is_by_common_name(bare.x509, &rules));
	ck_assert(!identity_is_by_common_name(full.x509, &rules));
	rules.check_host.items = &other; /* another rule let it in */
	ck_assert(!identity_is_by_common_name(bare.x509, &rules));
	certificate_free(&bare);
	certificate_free(&full);
}
END_TEST

/* A rule may spell out a wildcard, as the router's own certificate has one. */
START_TEST(the_host_is_named_only_as_it_stands_there)
{
	char *hosts[] = {"pod.svc", "*.apps.example"};
	struct service_settings rules = {.check_host = {.items = hosts, .count = 2}};
	struct certificate router = named(NULL, "DNS:*.apps.example");
	struct certificate pod = named(NULL, "DNS:pod.svc");
	struct certificate route = named(NULL, "DNS:x.example, DNS:a.apps.example");

	rules.sni = "a.apps.example";
	ck_assert(!identity_names_host(router.x509, &rules));
	ck_assert(identity_names_host(pod.x509, &rules));
	ck_assert(identity_names_host(route.x509, &rules));
	rules.sni = NULL;
	ck_assert(!identity_names_host(route.x509, &rules));
	ck_assert_uint_eq(ERR_peek_error(), 0);
	certificate_free(&router);
	certificate_free(&pod);
	certificate_free(&route);
}
END_TEST

START_TEST(an_address_fits_an_address_and_nothing_else)
{
	ck_assert_int_eq(answer(NULL, "IP:192.0.2.1", NULL, "192.0.2.1"), IDENTITY_EXACT);
	ck_assert_int_eq(
	    answer(NULL, "IP:192.0.2.1", NULL, "192.0.2.2"), IDENTITY_REFUSED);
	ck_assert_int_eq(
	    answer(NULL, "IP:2001:db8::1", NULL, "2001:DB8:0::1"), IDENTITY_EXACT);
	ck_assert_int_eq(
	    answer(NULL, "DNS:192.0.2.1", NULL, "192.0.2.1"), IDENTITY_REFUSED);
	ck_assert_int_eq(answer("192.0.2.1", NULL, NULL, "192.0.2.1"), IDENTITY_REFUSED);
}
END_TEST

START_TEST(one_rule_that_fits_is_enough_and_the_best_one_counts)
{
	struct certificate c = named(NULL, "DNS:*.x.example,DNS:b.example,IP:192.0.2.1");
	char *hosts[] = {"nobody.test", "a.x.example", "b.example"};
	char *ip = "192.0.2.1";
	struct service_settings rules = {.check_host = {.items = hosts, .count = 2}};

	ck_assert_int_eq(identity_match(c.x509, &rules), IDENTITY_WILDCARD);
	rules.check_host.count = 3;
	ck_assert_int_eq(identity_match(c.x509, &rules), IDENTITY_EXACT);
	rules.check_host.count = 2;
	rules.check_ip = (struct strlist){.items = &ip, .count = 1};
	ck_assert_int_eq(identity_match(c.x509, &rules), IDENTITY_EXACT);
	certificate_free(&c);
}
END_TEST

START_TEST(a_name_with_a_nul_byte_inside_fits_nothing)
{
	struct certificate c = named(NULL, NULL);
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	char *host = "a.example";
	struct service_settings rules = {.check_host = {.items = &host, .count = 1}};
	char shown[IDENTITY_NAMES_SIZE];

	ASN1_STRING_set(text, "a.example\0.test", 15);
	GENERAL_NAME_set0_value(name, GEN_DNS, text);
	sk_GENERAL_NAME_push(names, name);
	ck_assert_int_eq(X509_add1_ext_i2d(c.x509, NID_subject_alt_name, names, 0, 0), 1);
	ck_assert_int_eq(identity_match(c.x509, &rules), IDENTITY_REFUSED);
	ck_assert_str_eq(
	    identity_names(c.x509, shown, sizeof(shown)), "DNS:a.example\\x00.test");
	GENERAL_NAMES_free(names);
	certificate_free(&c);
}
END_TEST

/* ---- the other kinds of rules ---------------------------------------------------- */

/* What a certificate that is made as @wish answers to one rule, which @list is for. */
static enum identity_match
answer_to(const struct certificate_wish *wish, size_t list, const char *rule)
{
	struct certificate c = certificate_make(wish);
	struct service_settings rules = {.role = ROLE_SERVER};
	char *item = (char *)rule;
	enum identity_match match;

	*(struct strlist *)((char *)&rules + list) =
	    (struct strlist){.items = &item, .count = 1};
	match = identity_match(c.x509, &rules);
	certificate_free(&c);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	return match;
}

static void
expect_answers(const struct certificate_wish *wish, size_t list, const char *const *good,
    const char *const *bad)
{
	for (; *good != NULL; good++)
		ck_assert_msg(
		    answer_to(wish, list, *good) == IDENTITY_EXACT, "%s", *good);
	for (; *bad != NULL; bad++)
		ck_assert_msg(
		    answer_to(wish, list, *bad) == IDENTITY_REFUSED, "%s", *bad);
}

#define LIST(field) OPTION_AT(service_settings, field, struct strlist)

START_TEST(a_mail_address_fits_whatever_the_case_of_its_host)
{
	static const struct certificate_wish wish = {
	    .names = "email:ops@legacy.example,DNS:other@legacy.example"};
	static const char *const good[] = {
	    "ops@legacy.example", "ops@LEGACY.example", NULL};
	static const char *const bad[] = {
	    "OPS@legacy.example", "ops@legacy.example.net", "other@legacy.example", NULL};

	expect_answers(&wish, LIST(check_email), good, bad);
}
END_TEST

START_TEST(a_uri_fits_to_the_letter_or_up_to_a_star)
{
	static const struct certificate_wish wish = {
	    .names = "URI:spiffe://example.org/ns/orders/sa/app,DNS:spiffe"};
	static const char *const good[] = {"spiffe://example.org/ns/orders/sa/app",
	    "spiffe://example.org/ns/orders/sa/app*", "spiffe://example.org/ns/orders/*",
	    "spiffe://example.org/ns/*", "spiffe://example.org/*", NULL};
	static const char *const bad[] = {"spiffe://example.org/ns/orders/sa/ap",
	    "spiffe://example.org/ns/orders/sa/apps",
	    "spiffe://example.org/ns/orders/sa/app/*",
	    "Spiffe://example.org/ns/orders/sa/app", "spiffe://example.org/ns/order/*",
	    "spiffe", NULL};

	expect_answers(&wish, LIST(check_uri), good, bad);
}
END_TEST

START_TEST(a_uri_with_a_nul_byte_inside_fits_nothing)
{
	struct certificate c = named(NULL, NULL);
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	char *rule = "spiffe://a.example/*";
	struct service_settings rules = {.check_uri = {.items = &rule, .count = 1}};

	ASN1_STRING_set(text, "spiffe://a.example/b\0c", 22);
	GENERAL_NAME_set0_value(name, GEN_URI, text);
	sk_GENERAL_NAME_push(names, name);
	ck_assert_int_eq(X509_add1_ext_i2d(c.x509, NID_subject_alt_name, names, 0, 0), 1);
	ck_assert_int_eq(identity_match(c.x509, &rules), IDENTITY_REFUSED);
	GENERAL_NAMES_free(names);
	certificate_free(&c);
}
END_TEST

START_TEST(all_parts_of_a_subject_must_fit)
{
	static const struct certificate_wish wish = {
	    .common_name = "host-7.legacy.example",
	    .organization = "Acme, Inc.",
	    .unit = "Sales \xc3\xa9"};
	static const char *const good[] = {"CN=host-7.legacy.example",
	    "CN=*.legacy.example", "CN=host-*", "CN=*7*e*", "cn=host-7.legacy.example",
	    "O=Acme, Inc.", "O=Acme, Inc., OU=Sales*",
	    "OU=Sales \xc3\xa9,CN=host-*, O=Acme*", NULL};
	static const char *const bad[] = {"CN=host-7", "CN=Host-7.legacy.example",
	    "CN=*.legacy", "CN=*8*", "CN=*host-7.legacy.examplee", "O=Acme",
	    "O=Acme*, OU=Stock", "CN=*, OU=Sales", "OU=host-7.legacy.example", NULL};

	expect_answers(&wish, LIST(check_subject), good, bad);
}
END_TEST

START_TEST(a_subject_without_such_a_part_fits_nothing)
{
	static const struct certificate_wish wish = {.names = "DNS:a.example"};

	ck_assert_int_eq(
	    answer_to(&wish, LIST(check_subject), "CN=*a"), IDENTITY_REFUSED);
}
END_TEST

START_TEST(a_fingerprint_is_of_the_key_and_stays_with_it)
{
	struct certificate one = named("one", "DNS:a.example");
	struct certificate two = named("two", "DNS:a.example");
	char text[IDENTITY_FINGERPRINT_SIZE], *rule = text;
	struct service_settings rules = {
	    .check_fingerprint = {.items = &rule, .count = 1}};

	ck_assert(identity_fingerprint(one.x509, text));
	ck_assert_uint_eq(strlen(text), 64);
	ck_assert_uint_eq(strspn(text, "0123456789abcdef"), 64);
	ck_assert_int_eq(identity_match(one.x509, &rules), IDENTITY_EXACT);
	ck_assert_int_eq(identity_match(two.x509, &rules), IDENTITY_REFUSED);
	X509_set_pubkey(two.x509, one.key);
	ck_assert_int_eq(identity_match(two.x509, &rules), IDENTITY_EXACT);
	certificate_free(&one);
	certificate_free(&two);
}
END_TEST

START_TEST(any_rule_of_any_kind_lets_in)
{
	struct certificate c = named("x", "DNS:a.example,URI:spiffe://e/f");
	char *host = "b.example", *uri = "spiffe://e/f", *subject = "CN=y";
	struct service_settings rules = {.check_host = {.items = &host, .count = 1},
	    .check_subject = {.items = &subject, .count = 1}};

	ck_assert_int_eq(identity_match(c.x509, &rules), IDENTITY_REFUSED);
	rules.check_uri = (struct strlist){.items = &uri, .count = 1};
	ck_assert_int_eq(identity_match(c.x509, &rules), IDENTITY_EXACT);
	certificate_free(&c);
}
END_TEST

START_TEST(a_refusal_shows_what_was_presented_and_what_was_wanted)
{
	struct certificate c = certificate_make(&(struct certificate_wish){
	    .common_name = "x\"", .unit = "A B", .names = "DNS:a.example"});
	char *host = "b.example", *subject = "CN=y", *email = "a@b";
	struct service_settings rules = {.check_host = {.items = &host, .count = 1},
	    .check_email = {.items = &email, .count = 1}};
	char text[512], key[IDENTITY_FINGERPRINT_SIZE], *none, expected[512];

	ck_assert_str_eq(identity_refusal(c.x509, &rules, text, sizeof(text)),
	    "the certificate (DNS:a.example) does not fit checkHost = b.example or "
	    "checkEmail = a@b");
	none = "00";
	rules =
	    (struct service_settings){.check_subject = {.items = &subject, .count = 1},
		.check_fingerprint = {.items = &none, .count = 1}};
	ck_assert(identity_fingerprint(c.x509, key));
	snprintf(expected, sizeof(expected),
	    "the certificate (DNS:a.example; subject CN=x\\x22, OU=A B; fingerprint %s) "
	    "does not fit checkSubject = CN=y or checkFingerprint = 00",
	    key);
	ck_assert_str_eq(identity_refusal(c.x509, &rules, text, sizeof(text)), expected);
	identity_refusal(c.x509, &rules, text, 60);
	ck_assert_str_eq(text + strlen(text) - 3, "...");
	certificate_free(&c);
}
END_TEST

/* What identity_names() writes into @size bytes, which lie at the end of a block so that
 * a byte too much is seen. */
static char *
names_in(size_t size, const char *common_name, const char *names)
{
	struct certificate c = named(common_name, names);
	char *text = malloc(size);

	ck_assert_ptr_nonnull(text);
	ck_assert_ptr_eq(identity_names(c.x509, text, size), text);
	ck_assert_uint_lt(strlen(text), size);
	certificate_free(&c);
	return text;
}

static void
expect_names(const char *common_name, const char *names, const char *expected)
{
	char *text = names_in(IDENTITY_NAMES_SIZE, common_name, names);

	ck_assert_str_eq(text, expected);
	free(text);
}

START_TEST(all_kinds_of_names_are_listed)
{
	expect_names("ignored",
	    "DNS:a.example,DNS:*.b.example,IP:192.0.2.1,IP:2001:db8::1,"
	    "URI:spiffe://c/d,email:e@f.example",
	    "DNS:a.example, DNS:*.b.example, IP:192.0.2.1, IP:2001:db8::1, "
	    "URI:spiffe://c/d, email:e@f.example");
}
END_TEST

START_TEST(the_common_name_is_listed_where_it_counts)
{
	expect_names("our server", NULL, "CN:our server");
	expect_names("host.example", "IP:192.0.2.1", "IP:192.0.2.1");
	expect_names("host.example", "RID:1.2.3.4", "no names");
	expect_names(NULL, NULL, "no names");
}
END_TEST

START_TEST(what_could_confuse_a_log_is_escaped)
{
	expect_names("a\nb\", DNS:evil\\ \xc3\xa9", NULL,
	    "CN:a\\x0ab\\x22\\x2c DNS:evil\\x5c \\xc3\\xa9");
	expect_names(NULL, "DNS:a b", "DNS:a\\x20b");
}
END_TEST

START_TEST(a_long_list_is_cut_with_dots)
{
	char *text = names_in(24, NULL, "DNS:a.example,DNS:bbbbbbbbbbbbbbbb.example");

	ck_assert_str_eq(text, "DNS:a.example, DNS:b...");
	free(text);
	for (size_t size = 16; size < 60; size++) {
		text = names_in(size, "\x01\x02\x03\x04\x05\x06\x07\x08\x09", NULL);
		if (size < 3 + 9 * 4 + 4)
			ck_assert_str_eq(text + strlen(text) - 3, "...");
		else
			ck_assert_ptr_null(strstr(text, "..."));
		free(text);
	}
}
END_TEST

static void
expect_common_name(const char *common_name, size_t size, const char *expected)
{
	struct certificate c = named(common_name, "DNS:a.example");
	char *text = malloc(size);

	ck_assert_ptr_nonnull(text);
	ck_assert_str_eq(identity_common_name(c.x509, text, size), expected);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	free(text);
	certificate_free(&c);
}

START_TEST(the_common_name_is_given_as_it_is_or_not_at_all)
{
	expect_common_name("our server", 100, "our server");
	expect_common_name("\"a\", b\\ \xc3\xa9", 100, "\"a\", b\\ \xc3\xa9");
	expect_common_name(NULL, 100, "");
	expect_common_name("12345", 6, "12345");
	expect_common_name("12345", 5, "");
	expect_common_name("a\nb", 100, "");
	expect_common_name("a\x7f", 100, "");
}
END_TEST

START_TEST(a_common_name_with_a_nul_byte_inside_is_none)
{
	struct certificate c = named(NULL, NULL);
	X509_NAME *subject = X509_NAME_new();
	char text[100];

	ck_assert_int_eq(X509_NAME_add_entry_by_NID(subject, NID_commonName,
			     MBSTRING_UTF8, (const unsigned char *)"admin\0x", 7, -1, 0),
	    1);
	X509_set_subject_name(c.x509, subject);
	ck_assert_str_eq(identity_common_name(c.x509, text, sizeof(text)), "");
	X509_NAME_free(subject);
	certificate_free(&c);
}
END_TEST

/* What is said of a certificate with these dates, in seconds from now. */
static void
expect_dates(long begins, long ends, const char *words)
{
	struct certificate c =
	    certificate_make(&(struct certificate_wish){.begins = begins, .ends = ends});
	char why[IDENTITY_DATES_SIZE] = "";
	const ASN1_TIME *date =
	    begins > 0 ? X509_get0_notBefore(c.x509) : X509_get0_notAfter(c.x509);
	char expected[64] = "";
	struct tm day;

	ck_assert_int_eq(ASN1_TIME_to_tm(date, &day), 1);
	if (words)
		strftime(expected, sizeof(expected), words, &day);
	ck_assert_int_eq(identity_is_current(c.x509, why, sizeof(why)), words == NULL);
	ck_assert_msg(strncmp(why, expected, strlen(expected)) == 0, "%s", why);
	ck_assert_int_eq(why[0] == '\0', words == NULL);
	certificate_free(&c);
}

START_TEST(the_dates_are_judged_with_words)
{
	expect_dates(-10, 1000, NULL);
	expect_dates(-100000, -5, "expired on %Y-%m-%d");
	expect_dates(
	    200000, 300000, "is valid only from %Y-%m-%d; this host's clock says 20");
}
END_TEST

UNIT_MAIN("identity", without_rules_anyone_fits,
    a_name_fits_to_the_letter_whatever_its_case,
    a_wildcard_of_the_certificate_is_told_apart,
    a_name_beside_the_wildcard_makes_it_exact,
    a_rule_that_spells_the_wildcard_out_is_exact, partial_wildcards_fit_nothing,
    a_rule_that_begins_with_a_dot_is_never_exact,
    the_common_name_counts_only_without_any_other_name,
    a_common_name_that_was_taken_is_told, the_host_is_named_only_as_it_stands_there,
    an_address_fits_an_address_and_nothing_else,
    one_rule_that_fits_is_enough_and_the_best_one_counts,
    a_name_with_a_nul_byte_inside_fits_nothing,
    a_mail_address_fits_whatever_the_case_of_its_host,
    a_uri_fits_to_the_letter_or_up_to_a_star, a_uri_with_a_nul_byte_inside_fits_nothing,
    all_parts_of_a_subject_must_fit, a_subject_without_such_a_part_fits_nothing,
    a_fingerprint_is_of_the_key_and_stays_with_it, any_rule_of_any_kind_lets_in,
    a_refusal_shows_what_was_presented_and_what_was_wanted, all_kinds_of_names_are_listed,
    the_common_name_is_listed_where_it_counts, what_could_confuse_a_log_is_escaped,
    a_long_list_is_cut_with_dots, the_common_name_is_given_as_it_is_or_not_at_all,
    a_common_name_with_a_nul_byte_inside_is_none, the_dates_are_judged_with_words)
