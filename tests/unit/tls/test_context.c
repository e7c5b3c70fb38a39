#include "tests/unit/tls_bench.h"
#include "tests/unit/unit.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

START_TEST(two_ends_of_one_ca_agree_and_know_each_other)
{
	struct bench b;
	struct end client;
	struct end server;

	bench_init(&b);
	bench_meet(&b, &client, &server);
	ck_assert(client.done && server.done);
	ck_assert_int_eq(client.error, 0);
	ck_assert_int_eq(server.error, 0);
	ck_assert(client.verdict.judged && server.verdict.judged);
	ck_assert_int_eq(client.verdict.verify_error, X509_V_OK);
	ck_assert_str_eq(client.verdict.names, "DNS:orders.apps.example");
	ck_assert_str_eq(server.verdict.names, "DNS:host.legacy.example");
	ck_assert_str_eq(server.verdict.issuer, "CN=test CA");
	ck_assert_str_eq(client.verdict.text, "");
	ck_assert_str_eq(SSL_get_version(client.ssl), "TLSv1.3");
	end_clear(&client);
	end_clear(&server);
	bench_clear(&b);
}
END_TEST

START_TEST(nobody_has_to_listen)
{
	struct bench b;
	SSL_CTX *client_context;
	SSL_CTX *server_context;
	struct end client = {0};
	struct end server = {0};
	BIO *near_bio;
	BIO *far_bio;

	bench_init(&b);
	client_context = bench_context(&b.client);
	server_context = bench_context(&b.server);
	client.ssl = SSL_new(client_context);
	server.ssl = SSL_new(server_context);
	BIO_new_bio_pair(&near_bio, 65536, &far_bio, 65536);
	SSL_set_bio(client.ssl, near_bio, near_bio);
	SSL_set_bio(server.ssl, far_bio, far_bio);
	SSL_set_connect_state(client.ssl);
	SSL_set_accept_state(server.ssl);
	for (int i = 0; i < 10; i++) {
		end_step(&client);
		end_step(&server);
	}
	ck_assert(client.done && server.done);
	end_clear(&client);
	end_clear(&server);
	SSL_CTX_free(client_context);
	SSL_CTX_free(server_context);
	bench_clear(&b);
}
END_TEST

START_TEST(the_client_knows_whether_it_was_asked_for_its_certificate)
{
	int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct bench b;
	struct end client;
	struct end server;

	bench_init(&b);
	for (size_t i = 0; i < 4; i++) {
		b.server.tls_max = versions[i % 2];
		b.server.ask_cert = b.server.require_cert = i / 2;
		bench_meet(&b, &client, &server);
		ck_assert(client.done && server.done);
		ck_assert(client.verdict.asked_for_our_certificate == (i / 2));
		ck_assert(server.verdict.judged == (i / 2));
		end_clear(&client);
		end_clear(&server);
	}
	bench_clear(&b);
}
END_TEST

START_TEST(a_stranger_is_refused_and_told_so)
{
	struct bench b;
	struct certificate stranger = certificate_make(
	    &(struct certificate_wish){.common_name = "other CA", .is_ca = true});

	bench_init(&b);
	bench_give_certificate(&b.server, "DNS:orders.apps.example", &stranger);
	expect_refusal(&b, ROLE_CLIENT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
	    SSL_AD_UNKNOWN_CA,
	    "the certificate (DNS:orders.apps.example) leads to the issuer CN=other CA, "
	    "which is not trusted");
	bench_give_certificate(&b.server, "DNS:orders.apps.example", &b.ca);
	bench_give_certificate(&b.client, "DNS:host.legacy.example", &stranger);
	expect_refusal(&b, ROLE_SERVER, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
	    SSL_AD_UNKNOWN_CA, "CN=other CA");
	certificate_free(&stranger);
	bench_clear(&b);
}
END_TEST

START_TEST(a_wrong_name_is_refused_inside_the_handshake)
{
	struct bench b;
	char *client_host = "nobody.legacy.example";
	char *client_ip = "192.0.2.1";

	bench_init(&b);
	bench_give_certificate(&b.server, "DNS:router.apps.example", &b.ca);
	expect_refusal(&b, ROLE_CLIENT, X509_V_ERR_HOSTNAME_MISMATCH,
	    SSL_AD_BAD_CERTIFICATE,
	    "the certificate (DNS:router.apps.example) does not fit checkHost = "
	    "orders.apps.example");
	bench_give_certificate(&b.server, "DNS:orders.apps.example", &b.ca);
	b.server.check_host = (struct strlist){.items = &client_host, .count = 1};
	b.server.check_ip = (struct strlist){.items = &client_ip, .count = 1};
	expect_refusal(&b, ROLE_SERVER, X509_V_ERR_HOSTNAME_MISMATCH,
	    SSL_AD_BAD_CERTIFICATE,
	    "(DNS:host.legacy.example) does not fit checkHost = nobody.legacy.example or "
	    "checkIP = 192.0.2.1");
	client_host = "host.legacy.example";
	expect_agreement(&b);
	bench_clear(&b);
}
END_TEST

/* Whether it counts is judged behind the handshake. */
START_TEST(a_wildcard_passes)
{
	struct bench b;
	struct end client;
	struct end server;

	bench_init(&b);
	bench_give_certificate(&b.server, "DNS:*.apps.example", &b.ca);
	bench_meet(&b, &client, &server);
	ck_assert(client.done && server.done);
	end_clear(&client);
	end_clear(&server);
	bench_clear(&b);
}
END_TEST

/* The bench's server shows a certificate like this from now on. */
static void
bend_server(const struct certificate_wish *wish)
{
	struct certificate leaf = certificate_make(wish);

	free(certificate_write("server.crt", &leaf, NULL));
	free(certificate_write_key("server.key", &leaf, NULL));
	certificate_free(&leaf);
}

START_TEST(dates_and_purpose_are_looked_at)
{
	struct bench b;
	struct certificate_wish wish = {.names = "DNS:orders.apps.example"};

	bench_init(&b);
	wish.issuer = &b.ca;
	wish.begins = -200000;
	wish.ends = -100000;
	bend_server(&wish);
	expect_refusal(&b, ROLE_CLIENT, X509_V_ERR_CERT_HAS_EXPIRED,
	    SSL_AD_CERTIFICATE_EXPIRED,
	    "the certificate (DNS:orders.apps.example) expired on 20");
	wish.begins = 100000;
	wish.ends = 200000;
	bend_server(&wish);
	expect_refusal(&b, ROLE_CLIENT, X509_V_ERR_CERT_NOT_YET_VALID,
	    SSL_AD_BAD_CERTIFICATE, "is valid only from 20");
	wish.begins = wish.ends = 0;
	wish.purpose = "clientAuth";
	bend_server(&wish);
	expect_refusal(&b, ROLE_CLIENT, X509_V_ERR_INVALID_PURPOSE,
	    SSL_AD_UNSUPPORTED_CERTIFICATE,
	    "is not made for a server (extendedKeyUsage)");
	wish.purpose = "serverAuth";
	wish.usage = "keyCertSign";
	bend_server(&wish);
	expect_refusal(&b, ROLE_CLIENT, X509_V_ERR_INVALID_PURPOSE,
	    SSL_AD_UNSUPPORTED_CERTIFICATE, "is not made for a server (keyUsage)");
	bench_clear(&b);
}
END_TEST

START_TEST(a_malformed_certificate_is_no_unknown_ca)
{
	struct bench b;
	struct certificate_wish wish = {.names = "DNS:orders.apps.example",
	    .purpose = "serverAuth",
	    .purpose_twice = true};

	bench_init(&b);
	wish.issuer = &b.ca;
	bend_server(&wish);
	expect_refusal(&b, ROLE_CLIENT, X509_V_ERR_INVALID_EXTENSION,
	    SSL_AD_CERTIFICATE_UNKNOWN, "an extension in it stands there twice");
	bench_clear(&b);
}
END_TEST

/* With and without the key's own name in what it has signed. */
START_TEST(a_ca_made_anew_under_the_same_name_is_told)
{
	struct bench b;
	struct certificate renewed = certificate_make_ca();
	struct certificate_wish wish = {
	    .names = "DNS:orders.apps.example", .issuer = &renewed};
	static const char words[] = "leads to the issuer CN=test CA, but its signature "
				    "does not fit: another CA of that name?";

	bench_init(&b);
	bend_server(&wish);
	expect_refusal(&b, ROLE_CLIENT, X509_V_ERR_CERT_SIGNATURE_FAILURE,
	    SSL_AD_DECRYPT_ERROR, words);
	wish.names_key = true;
	bend_server(&wish);
	expect_refusal(&b, ROLE_CLIENT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
	    SSL_AD_UNKNOWN_CA, words);
	certificate_free(&renewed);
	bench_clear(&b);
}
END_TEST

START_TEST(an_intermediate_that_nobody_sent_is_told)
{
	struct bench b;
	struct certificate middle;
	static const char words[] =
	    "leads to the issuer CN=middle, which is not trusted; "
	    "the far end sent no intermediate: its cert file "
	    "needs that one";

	bench_init(&b);
	middle = certificate_make(&(struct certificate_wish){
	    .common_name = "middle", .is_ca = true, .issuer = &b.ca});
	bench_give_certificate(&b.server, "DNS:orders.apps.example", &middle);
	expect_refusal(&b, ROLE_CLIENT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
	    SSL_AD_UNKNOWN_CA, words);
	bench_give_certificate(&b.server, "DNS:orders.apps.example", &b.ca);
	bench_give_certificate(&b.client, "DNS:host.legacy.example", &middle);
	expect_refusal(&b, ROLE_SERVER, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
	    SSL_AD_UNKNOWN_CA, words);
	certificate_free(&middle);
	bench_clear(&b);
}
END_TEST

START_TEST(the_ca_that_expired_is_told_from_the_certificate)
{
	struct bench b;
	struct certificate_wish wish = {
	    .common_name = "old CA", .is_ca = true, .begins = -200000, .ends = -100000};

	bench_init(&b);
	certificate_free(&b.ca);
	b.ca = certificate_make(&wish);
	free(certificate_write("ca.crt", &b.ca, NULL));
	bench_give_certificate(&b.server, "DNS:orders.apps.example", &b.ca);
	expect_refusal(&b, ROLE_CLIENT, X509_V_ERR_CERT_HAS_EXPIRED,
	    SSL_AD_CERTIFICATE_EXPIRED, "a CA certificate above");
	bench_clear(&b);
}
END_TEST

START_TEST(a_client_without_a_certificate_enters_only_where_it_may)
{
	struct bench b;
	struct end client;
	struct end server;

	bench_init(&b);
	bench_take_certificates(&b.client);
	bench_meet(&b, &client, &server);
	ck_assert_int_eq(server.error, SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE);
	ck_assert(!server.verdict.judged);
	ck_assert_int_eq(client.error, 1000 + SSL_AD_CERTIFICATE_REQUIRED);
	end_clear(&client);
	end_clear(&server);
	b.server.require_cert = false;
	expect_agreement(&b);
	bench_clear(&b);
}
END_TEST

START_TEST(without_verify_chain_the_names_still_count)
{
	struct bench b;
	struct certificate_wish wish = {.names = "DNS:orders.apps.example"};

	bench_init(&b);
	b.client.verify_chain = false;
	free(b.client.ca_file);
	b.client.ca_file = NULL;
	bend_server(&wish);
	expect_agreement(&b);
	wish.names = "DNS:other.example";
	bend_server(&wish);
	expect_refusal(&b, ROLE_CLIENT, X509_V_ERR_HOSTNAME_MISMATCH,
	    SSL_AD_BAD_CERTIFICATE, "does not fit checkHost = orders.apps.example");
	b.client.check_host.count = 0;
	expect_agreement(&b);
	bench_clear(&b);
}
END_TEST

START_TEST(versions_out_of_bounds_do_not_meet)
{
	struct bench b;
	struct end client;
	struct end server;

	bench_init(&b);
	b.server.tls_min = TLS1_3_VERSION;
	b.client.tls_max = TLS1_2_VERSION;
	bench_meet(&b, &client, &server);
	ck_assert_int_eq(server.error, SSL_R_UNSUPPORTED_PROTOCOL);
	end_clear(&client);
	end_clear(&server);
	bench_clear(&b);
}
END_TEST

/* One session, taken up again and again, as a client does that opens many streams. */
static void
expect_resumption(int version)
{
	struct bench b;
	SSL_CTX *client_context;
	SSL_CTX *server_context;
	struct end first[2];
	struct end next[2];

	bench_init(&b);
	b.client.tls_max = version;
	client_context = bench_context(&b.client);
	server_context = bench_context(&b.server);
	bench_connect(&first[0], client_context, &first[1], server_context, NULL);
	ck_assert_int_eq(first[0].sessions, 1);
	ck_assert_int_eq(SSL_version(first[0].ssl), version);
	ck_assert(!SSL_session_reused(first[0].ssl));
	for (int i = 0; i < 5; i++) {
		SSL_SESSION *session = SSL_SESSION_dup(first[0].session);

		bench_connect(
		    &next[0], client_context, &next[1], server_context, session);
		SSL_SESSION_free(session);
		ck_assert(next[0].done && next[1].done);
		ck_assert(SSL_session_reused(next[0].ssl));
		ck_assert(SSL_session_reused(next[1].ssl));
		ck_assert_int_eq(next[0].sessions, 0);
		ck_assert(!next[0].verdict.judged && !next[1].verdict.judged);
		ck_assert_ptr_nonnull(SSL_get0_peer_certificate(next[1].ssl));
		end_clear(&next[0]);
		end_clear(&next[1]);
	}
	ck_assert_int_eq(SSL_CTX_sess_number(server_context), 1);
	ck_assert_int_eq(SSL_CTX_sess_number(client_context), 0);
	end_clear(&first[0]);
	end_clear(&first[1]);
	SSL_CTX_free(client_context);
	SSL_CTX_free(server_context);
	bench_clear(&b);
}

START_TEST(a_session_is_resumed_many_times_in_tls_1_3)
{
	expect_resumption(TLS1_3_VERSION);
}
END_TEST

START_TEST(a_session_is_resumed_many_times_in_tls_1_2)
{
	expect_resumption(TLS1_2_VERSION);
}
END_TEST

/* Offer a session of @b.server to the service that @b.server has become: it must not
 * count there. */
static void
expect_no_sharing(struct bench *b, SSL_CTX *old, SSL_CTX *client_context, int sessions)
{
	SSL_CTX *new = bench_context(&b->server);
	struct end ends[2];
	struct end again[2];
	SSL_SESSION *kept;

	bench_connect(&ends[0], client_context, &ends[1], old, NULL);
	ck_assert_int_eq(ends[0].sessions, sessions);
	/* As if both services had one cache. */
	kept = SSL_SESSION_dup(SSL_get_session(ends[1].ssl));
	ck_assert_int_eq(SSL_CTX_add_session(new, kept), 1);
	SSL_SESSION_free(kept);
	bench_connect(&again[0], client_context, &again[1], new, ends[0].session);
	ck_assert(!again[1].done || !SSL_session_reused(again[1].ssl));
	for (size_t i = 0; i < 2; i++) {
		end_clear(&ends[i]);
		end_clear(&again[i]);
	}
	SSL_CTX_free(new);
}

START_TEST(a_session_counts_under_its_own_rules_alone)
{
	struct bench b;
	char *host = "host.legacy.example";
	SSL_CTX *old;
	SSL_CTX *client;
	struct service_settings before;

	bench_init(&b);
	b.client.tls_max = TLS1_2_VERSION;
	before = b.server;
	old = bench_context(&before);
	client = bench_context(&b.client);
	b.server.name = "other";
	expect_no_sharing(&b, old, client, 1);
	b.server.name = before.name;
	b.server.check_host = (struct strlist){.items = &host, .count = 1};
	expect_no_sharing(&b, old, client, 1);
	SSL_CTX_free(old);
	SSL_CTX_free(client);
	bench_clear(&b);
}
END_TEST

START_TEST(a_cut_connection_is_never_a_clean_end)
{
	struct bench b;
	SSL_CTX *context;

	bench_init(&b);
	context = bench_context(&b.server);
	ck_assert_uint_eq(SSL_CTX_get_options(context) & SSL_OP_IGNORE_UNEXPECTED_EOF, 0);
	ck_assert_uint_ne(SSL_CTX_get_options(context) & SSL_OP_NO_RENEGOTIATION, 0);
	ck_assert_int_ge(SSL_CTX_get_security_level(context), 2);
	SSL_CTX_free(context);
	bench_clear(&b);
}
END_TEST

START_TEST(a_list_that_openssl_does_not_know_is_told_by_its_name)
{
	struct bench b;

	bench_init(&b);
	b.server.ciphers = "NO-SUCH";
	expect_error(&b.server, "ciphers = NO-SUCH: OpenSSL knows no cipher in it");
	b.server.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256@SECLEVEL=0";
	expect_agreement(&b);
	b.server.ciphers = NULL;
	b.server.ciphersuites = "TLS_AES_128_GCM_SHA256:TLS_WRONG";
	expect_error(&b.server,
	    "ciphersuites = TLS_AES_128_GCM_SHA256:TLS_WRONG: OpenSSL knows no "
	    "\"TLS_WRONG\"");
	b.server.ciphersuites = "TLS_AES_128_GCM_SHA256";
	b.server.curves = "X25519:P-999:P-256";
	expect_error(
	    &b.server, "curves = X25519:P-999:P-256: OpenSSL knows no \"P-999\"");
	b.server.curves = "X25519:P-256";
	expect_agreement(&b);
	bench_clear(&b);
}
END_TEST

UNIT_MAIN("tls_context", two_ends_of_one_ca_agree_and_know_each_other,
    nobody_has_to_listen, the_client_knows_whether_it_was_asked_for_its_certificate,
    a_stranger_is_refused_and_told_so, a_wrong_name_is_refused_inside_the_handshake,
    a_wildcard_passes, dates_and_purpose_are_looked_at,
    a_malformed_certificate_is_no_unknown_ca, a_ca_made_anew_under_the_same_name_is_told,
    an_intermediate_that_nobody_sent_is_told,
    the_ca_that_expired_is_told_from_the_certificate,
    a_client_without_a_certificate_enters_only_where_it_may,
    without_verify_chain_the_names_still_count, versions_out_of_bounds_do_not_meet,
    a_session_is_resumed_many_times_in_tls_1_3,
    a_session_is_resumed_many_times_in_tls_1_2,
    a_session_counts_under_its_own_rules_alone, a_cut_connection_is_never_a_clean_end,
    a_list_that_openssl_does_not_know_is_told_by_its_name)
