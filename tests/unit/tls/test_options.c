#include "tests/unit/tls_bench.h"
#include "tests/unit/unit.h"

#include <openssl/err.h>
#include <openssl/provider.h>
#include <stdlib.h>
#include <string.h>

/* One line of a kind; the bench keeps no copy. */
static struct strlist
one(char **item)
{
	return (struct strlist){.items = item, .count = 1};
}

/* Which options a server has when it is told this one. */
static uint64_t
options_with(struct bench *b, const char *text)
{
	char *item = (char *)text;
	SSL_CTX *context;
	uint64_t options;

	b->server.options = one(&item);
	context = bench_context(&b->server);
	options = SSL_CTX_get_options(context);
	SSL_CTX_free(context);
	b->server.options.count = 0;
	return options;
}

START_TEST(options_are_set_and_cleared_by_openssls_names)
{
	struct bench b;

	bench_init(&b);
	ck_assert(options_with(&b, "NO_TLSv1_2") & SSL_OP_NO_TLSv1_2);
	ck_assert(options_with(&b, "no_tlsv1_2") & SSL_OP_NO_TLSv1_2);
	ck_assert(options_with(&b, "CIPHER_SERVER_PREFERENCE") &
		  SSL_OP_CIPHER_SERVER_PREFERENCE);
	ck_assert(options_with(&b, "NO_SSLv2") & SSL_OP_NO_TICKET);
	ck_assert(!(options_with(&b, "-NO_TICKET") & SSL_OP_NO_TICKET));
	ck_assert(options_with(&b, "ALL") & SSL_OP_NO_RENEGOTIATION);
	bench_clear(&b);
}
END_TEST

START_TEST(options_that_would_make_it_less_safe_are_refused)
{
	static const struct {
		char *text;
		const char *why;
	} cases[] = {
	    {"IGNORE_UNEXPECTED_EOF", "less safe"},
	    {"ALLOW_UNSAFE_LEGACY_RENEGOTIATION", "less safe"},
	    {"ALLOW_CLIENT_RENEGOTIATION", "less safe"},
	    {"-NO_RENEGOTIATION", "neither renegotiates nor compresses"},
	    {"-NO_COMPRESSION", "neither renegotiates nor compresses"},
	    {"NO_SUCH", "options = NO_SUCH: is none that routeport knows"},
	};
	struct bench b;

	bench_init(&b);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *item = cases[i].text;

		b.server.options = one(&item);
		expect_error(&b.server, cases[i].why);
	}
	bench_clear(&b);
}
END_TEST

/* The version that both agree on when the server runs this command. */
static int
version_with(struct bench *b, const char *command)
{
	char *item = (char *)command;
	struct end client, server;
	int version;

	b->server.config = one(&item);
	bench_meet(b, &client, &server);
	ck_assert_msg(client.done && server.done, "%s", command);
	version = SSL_version(client.ssl);
	end_clear(&client);
	end_clear(&server);
	return version;
}

START_TEST(commands_are_run_but_never_open_a_door)
{
	struct bench b;
	SSL_CTX *context;
	char *item = "VerifyMode:Request";

	bench_init(&b);
	ck_assert_int_eq(version_with(&b, "MaxProtocol:TLSv1.2"), TLS1_2_VERSION);
	ck_assert_int_eq(version_with(&b, "MinProtocol:TLSv1"), TLS1_3_VERSION);
	ck_assert_int_eq(version_with(&b, "Curves:P-256"), TLS1_3_VERSION);
	b.server.config = one(&item);
	context = bench_context(&b.server);
	ck_assert_int_eq(SSL_CTX_get_min_proto_version(context), TLS1_2_VERSION);
	ck_assert(SSL_CTX_get_verify_mode(context) & SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
	SSL_CTX_free(context);
	item = "Options:UnsafeLegacyRenegotiation";
	context = bench_context(&b.server);
	ck_assert(
	    !(SSL_CTX_get_options(context) & SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION));
	SSL_CTX_free(context);
	bench_clear(&b);
}
END_TEST

START_TEST(a_command_that_is_wrong_is_told)
{
	static const struct {
		char *text;
		const char *why;
	} cases[] = {
	    {"NoSuch:1", "config = NoSuch:1: OpenSSL knows no command NoSuch"},
	    {"Certificate:/x.pem", "certificates are named by cert"},
	    {"MinProtocol", "needs a parameter, as in MinProtocol:VALUE"},
	    {"MinProtocol:TLSv9", "OpenSSL refuses the value"},
	};
	struct bench b;

	bench_init(&b);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *item = cases[i].text;

		b.server.config = one(&item);
		expect_error(&b.server, cases[i].why);
	}
	bench_clear(&b);
}
END_TEST

START_TEST(what_a_command_leaves_of_the_versions_is_judged)
{
	struct bench b;
	char *item = "MaxProtocol:TLSv1.2";

	bench_init(&b);
	b.server.config = one(&item);
	b.server.tls_min = TLS1_3_VERSION;
	expect_error(&b.server, "leaves no TLS version");
	bench_clear(&b);
}
END_TEST

START_TEST(a_security_level_is_as_it_is_written_and_never_below_by_the_ciphers)
{
	struct certificate weak = certificate_make(&(struct certificate_wish){
	    .names = "DNS:orders.apps.example", .rsa_bits = 1024});
	struct bench b;
	SSL_CTX *context;

	bench_init(&b);
	for (int level = 0; level <= 3; level++) {
		b.server.security_level = level;
		b.server.ciphers = level > 1 ? "ALL:@SECLEVEL=1" : NULL;
		context = bench_context(&b.server);
		ck_assert_int_eq(SSL_CTX_get_security_level(context), level);
		SSL_CTX_free(context);
	}
	b.server.ciphers = "ALL:@SECLEVEL=3";
	b.server.security_level = 2;
	context = bench_context(&b.server);
	ck_assert_int_eq(SSL_CTX_get_security_level(context), 3);
	SSL_CTX_free(context);
	b.server.ciphers = NULL;
	free(certificate_write("server.crt", &weak, NULL));
	free(certificate_write_key("server.key", &weak, NULL));
	expect_error(&b.server, "key too small");
	b.server.security_level = 1;
	SSL_CTX_free(bench_context(&b.server));
	certificate_free(&weak);
	bench_clear(&b);
}
END_TEST

/* How many ciphers of TLS 1.2 are left of @list. */
static int
ciphers_of(struct bench *b, char *list)
{
	SSL_CTX *context;
	STACK_OF(SSL_CIPHER) *ciphers;
	int count = 0;

	b->server.ciphers = list;
	context = bench_context(&b->server);
	ck_assert_int_eq(SSL_CTX_get_security_level(context), 0);
	ciphers = SSL_CTX_get_ciphers(context);
	for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
		const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);

		ck_assert_int_ne(SSL_CIPHER_get_auth_nid(cipher), NID_auth_null);
		ck_assert_int_ne(SSL_CIPHER_get_cipher_nid(cipher), NID_undef);
		count += SSL_CIPHER_get_auth_nid(cipher) != NID_auth_any;
	}
	SSL_CTX_free(context);
	return count;
}

START_TEST(no_cipher_does_without_certificates_or_encryption)
{
	static char secure[] = "CipherString:ALL:eNULL:@SECLEVEL=0", *item = secure;
	struct bench b;

	bench_init(&b);
	b.server.security_level = 0;
	ck_assert_int_eq(ciphers_of(&b, "ADH-AES128-SHA:ECDHE-ECDSA-AES128-GCM-SHA256:"
					"ECDHE-ECDSA-NULL-SHA"),
	    1);
	ck_assert_int_gt(ciphers_of(&b, "ALL:aNULL:eNULL"), 10);
	b.server.config = one(&item);
	ck_assert_int_gt(ciphers_of(&b, NULL), 10);
	b.server.config.count = 0;
	b.server.ciphers = "aNULL:eNULL";
	expect_error(&b.server, "ciphers: none of them");
	b.server.ciphers = NULL;
	bench_clear(&b);
}
END_TEST

/* The cipher that both agree on in TLS 1.2; NULL: they do not. */
static const char *
cipher_with(struct bench *b)
{
	struct end client, server;
	const char *name = NULL;

	b->client.tls_max = TLS1_2_VERSION;
	bench_meet(b, &client, &server);
	if (client.done && server.done)
		name = SSL_CIPHER_get_name(SSL_get_current_cipher(client.ssl));
	end_clear(&client);
	end_clear(&server);
	return name;
}

/* @b with a server whose key is RSA, or with a pre-shared key alone at both ends. */
static void
bench_init_rsa(struct bench *b)
{
	struct certificate leaf;

	bench_init(b);
	leaf = certificate_make(&(struct certificate_wish){
	    .names = "DNS:orders.apps.example", .rsa_bits = 2048, .issuer = &b->ca});
	free(certificate_write("server.crt", &leaf, NULL));
	free(certificate_write_key("server.key", &leaf, NULL));
	certificate_free(&leaf);
}

static void
bench_init_psk(struct bench *b)
{
	bench_init(b);
	b->client.psk_secrets = b->server.psk_secrets = certificates_write_text(
	    "both.psk", "orders:00112233445566778899aabbccddeeff\n");
}

static void
bench_clear_psk(struct bench *b)
{
	free(b->client.psk_secrets);
	bench_clear(b);
}

static void
expect_forward_secrecy(const struct service_settings *s)
{
	SSL_CTX *context = bench_context(s);
	STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(context);

	ck_assert_int_gt(sk_SSL_CIPHER_num(ciphers), 3);
	for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
		const char *name = SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, i));

		ck_assert_msg(strncmp(name, "ECDHE-", 6) == 0 ||
				  strncmp(name, "DHE-", 4) == 0 ||
				  strncmp(name, "TLS_", 4) == 0,
		    "%s", name);
	}
	SSL_CTX_free(context);
}

START_TEST(where_none_are_written_all_ciphers_have_forward_secrecy)
{
	struct bench b;

	bench_init_rsa(&b);
	expect_forward_secrecy(&b.server);
	expect_forward_secrecy(&b.client);
	b.client.ciphers = "AES128-GCM-SHA256:AES256-SHA"; /* of an old peer */
	ck_assert_ptr_null(cipher_with(&b));
	b.server.ciphers = b.client.ciphers;
	ck_assert_str_eq(cipher_with(&b), "AES128-GCM-SHA256");
	b.client.ciphers = b.server.ciphers = NULL;
	bench_clear(&b);
}
END_TEST

START_TEST(with_pre_shared_keys_too)
{
	struct bench b;

	bench_init_psk(&b);
	expect_forward_secrecy(&b.server);
	expect_forward_secrecy(&b.client);
	b.client.ciphers = "PSK-AES128-GCM-SHA256";
	ck_assert_ptr_null(cipher_with(&b));
	b.server.ciphers = b.client.ciphers;
	ck_assert_str_eq(cipher_with(&b), "PSK-AES128-GCM-SHA256");
	b.client.ciphers = b.server.ciphers = NULL;
	bench_clear_psk(&b);
}
END_TEST

START_TEST(dhe_works)
{
	struct bench b;

	bench_init_rsa(&b);
	b.client.ciphers = "DHE-RSA-AES128-GCM-SHA256";
	ck_assert_str_eq(cipher_with(&b), b.client.ciphers);
	b.client.ciphers = NULL;
	bench_clear(&b);
	bench_init_psk(&b);
	b.client.ciphers = "DHE-PSK-AES128-GCM-SHA256";
	ck_assert_str_eq(cipher_with(&b), b.client.ciphers);
	b.client.ciphers = NULL;
	bench_clear_psk(&b);
}
END_TEST

START_TEST(ciphers_that_fit_nothing_are_an_error)
{
	struct bench b;

	bench_init(&b); /* its keys are ECDSA */
	b.server.ciphers = "ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256";
	expect_error(&b.server, "ciphers = ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-");
	expect_error(&b.server, "none of them fits the keys of cert");
	b.server.tls_min = TLS1_3_VERSION; /* then nobody asks for them */
	SSL_CTX_free(bench_context(&b.server));
	b.server.tls_min = TLS1_2_VERSION;
	b.server.ciphers = "ECDHE-PSK-CHACHA20-POLY1305";
	expect_error(&b.server, "none of them fits");
	b.client.ciphers = b.server.ciphers;
	expect_error(&b.client, "none of them fits securityLevel and PSKsecrets");
	b.client.ciphers = b.server.ciphers = NULL;
	bench_clear(&b);
	bench_init_psk(&b);
	b.client.ciphers = b.server.ciphers = "ECDHE-PSK-CHACHA20-POLY1305";
	ck_assert_str_eq(cipher_with(&b), b.client.ciphers);
	b.client.ciphers = b.server.ciphers = NULL;
	bench_clear_psk(&b);
}
END_TEST

START_TEST(fips_is_an_error_where_there_is_no_provider_and_kept_to_where_there_is)
{
	struct bench b;
	bool there = OSSL_PROVIDER_try_load(NULL, "fips", 1) != NULL;

	ERR_clear_error();
	bench_init(&b);
	b.client.fips = b.server.fips = true;
	if (there)
		expect_agreement(&b);
	else
		expect_error(&b.server, "fips = yes: OpenSSL has no FIPS provider here");
	bench_clear(&b);
}
END_TEST

/* A group that both ends know without being told, whichever OpenSSL this is. */
START_TEST(hybrid_groups_are_used_where_openssl_has_them)
{
	struct bench b;
	struct end client, server;
	SSL_CTX *probe = SSL_CTX_new(TLS_method());
	bool has = SSL_CTX_set1_groups_list(probe, "X25519MLKEM768") == 1;

	ERR_clear_error();
	bench_init(&b);
	bench_meet(&b, &client, &server);
	ck_assert(client.done && server.done);
	if (has)
		ck_assert_str_eq(SSL_group_to_name(client.ssl,
				     (int)SSL_get_negotiated_group(client.ssl)),
		    "X25519MLKEM768");
	else
		ck_assert_int_eq(SSL_get_negotiated_group(client.ssl), NID_X25519);
	end_clear(&client);
	end_clear(&server);
	/* A peer that has none agrees on another. */
	b.server.curves = "P-384";
	expect_agreement(&b);
	SSL_CTX_free(probe);
	bench_clear(&b);
}
END_TEST

UNIT_MAIN("tls_choices", options_are_set_and_cleared_by_openssls_names,
    options_that_would_make_it_less_safe_are_refused,
    commands_are_run_but_never_open_a_door, a_command_that_is_wrong_is_told,
    what_a_command_leaves_of_the_versions_is_judged,
    a_security_level_is_as_it_is_written_and_never_below_by_the_ciphers,
    where_none_are_written_all_ciphers_have_forward_secrecy, with_pre_shared_keys_too,
    dhe_works, ciphers_that_fit_nothing_are_an_error,
    no_cipher_does_without_certificates_or_encryption,
    fips_is_an_error_where_there_is_no_provider_and_kept_to_where_there_is,
    hybrid_groups_are_used_where_openssl_has_them)
