#include "common/identity.h"
#include "tests/unit/certificates.h"
#include "tests/unit/unit.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
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

START_TEST(the_common_name_counts_only_without_a_dns_name)
{
	ck_assert_int_eq(answer("a.example", NULL, "a.example", NULL), IDENTITY_EXACT);
	ck_assert_int_eq(
	    answer("a.example", "IP:192.0.2.1", "a.example", NULL), IDENTITY_EXACT);
	ck_assert_int_eq(
	    answer("*.a.example", NULL, "b.a.example", NULL), IDENTITY_WILDCARD);
	ck_assert_int_eq(
	    answer("a.example", "DNS:b.example", "a.example", NULL), IDENTITY_REFUSED);
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
	rules.check_ip = (struct text_list){.items = &ip, .count = 1};
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
	expect_names("host.example", "IP:192.0.2.1", "IP:192.0.2.1, CN:host.example");
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
	char why[64] = "";
	const ASN1_TIME *time =
	    begins > 0 ? X509_get0_notBefore(c.x509) : X509_get0_notAfter(c.x509);
	char expected[64] = "";
	struct tm day;

	ck_assert_int_eq(ASN1_TIME_to_tm(time, &day), 1);
	if (words)
		strftime(expected, sizeof(expected), words, &day);
	ck_assert_int_eq(identity_is_current(c.x509, why, sizeof(why)), words == NULL);
	ck_assert_str_eq(why, expected);
	certificate_free(&c);
}

START_TEST(the_dates_are_judged_with_words)
{
	expect_dates(-10, 1000, NULL);
	expect_dates(-100000, -5, "expired on %Y-%m-%d");
	expect_dates(200000, 300000, "valid only from %Y-%m-%d");
}
END_TEST

UNIT_MAIN("identity", without_rules_anyone_fits,
    a_name_fits_to_the_letter_whatever_its_case,
    a_wildcard_of_the_certificate_is_told_apart,
    a_name_beside_the_wildcard_makes_it_exact,
    a_rule_that_spells_the_wildcard_out_is_exact, partial_wildcards_fit_nothing,
    a_rule_that_begins_with_a_dot_is_never_exact,
    the_common_name_counts_only_without_a_dns_name,
    an_address_fits_an_address_and_nothing_else,
    one_rule_that_fits_is_enough_and_the_best_one_counts,
    a_name_with_a_nul_byte_inside_fits_nothing, all_kinds_of_names_are_listed,
    the_common_name_is_listed_where_it_counts, what_could_confuse_a_log_is_escaped,
    a_long_list_is_cut_with_dots, the_common_name_is_given_as_it_is_or_not_at_all,
    a_common_name_with_a_nul_byte_inside_is_none, the_dates_are_judged_with_words)
