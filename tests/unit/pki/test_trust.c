#include "tests/unit/tls_bench.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- verifyPeer ------------------------------------------------------------------ */

/* From now on the client knows the server by @names in its CAfile. */
static void
pin(struct bench *b, const struct certificate *certificate)
{
	b->client.verify_peer = true;
	b->client.verify_chain = false;
	b->client.check_host.count = 0;
	free(b->client.ca_file);
	b->client.ca_file = certificate_write("pins.crt", certificate, NULL);
}

static void
give(struct service_settings *s, const struct certificate *c)
{
	const char *role = s->role == ROLE_CLIENT ? "client" : "server";
	char cert[32], key[32];

	snprintf(cert, sizeof(cert), "%s.crt", role);
	snprintf(key, sizeof(key), "%s.key", role);
	free(certificate_write(cert, c, NULL));
	free(certificate_write_key(key, c, NULL));
}

START_TEST(a_certificate_that_is_known_needs_no_issuer)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct bench b;
	struct certificate self = certificate_make(
	    &(struct certificate_wish){.common_name = "peer", .names = "DNS:peer"});
	struct certificate leaf, other;

	bench_init(&b);
	leaf = certificate_make_leaf("DNS:orders.apps.example", &b.ca);
	other = certificate_make_leaf("DNS:orders.apps.example", &b.ca);
	for (size_t i = 0; i < 2; i++) {
		b.server.tls_max = versions[i];
		give(&b.server, &self);
		pin(&b, &self);
		expect_agreement(&b);
		give(&b.server, &leaf);
		expect_refusal(&b, ROLE_CLIENT,
		    X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, SSL_AD_UNKNOWN_CA,
		    "(DNS:orders.apps.example)");
		pin(&b, &leaf);
		expect_agreement(&b);
		give(&b.server, &other);
		expect_refusal(&b, ROLE_CLIENT,
		    X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, SSL_AD_UNKNOWN_CA,
		    "CN=test CA, which is not trusted");
	}
	certificate_free(&self);
	certificate_free(&leaf);
	certificate_free(&other);
	bench_clear(&b);
}
END_TEST

START_TEST(what_the_ca_vouches_for_is_not_yet_known)
{
	struct bench b;

	bench_init(&b);
	pin(&b, &b.ca);
	expect_refusal(&b, ROLE_CLIENT, X509_V_ERR_CERT_REJECTED, SSL_AD_BAD_CERTIFICATE,
	    "the certificate (DNS:orders.apps.example) is not among those in CAfile");
	b.client.verify_chain = true;
	expect_refusal(&b, ROLE_CLIENT, X509_V_ERR_CERT_REJECTED, SSL_AD_BAD_CERTIFICATE,
	    "verifyPeer");
	b.client.verify_peer = false;
	expect_agreement(&b);
	bench_clear(&b);
}
END_TEST

START_TEST(a_known_certificate_may_have_to_have_a_chain_as_well)
{
	struct bench b;
	struct certificate leaf, self;

	bench_init(&b);
	leaf = certificate_make_leaf("DNS:orders.apps.example", &b.ca);
	self = certificate_make(&(struct certificate_wish){.common_name = "leaf"});
	give(&b.server, &leaf);
	pin(&b, &leaf);
	b.client.verify_chain = true;
	expect_refusal(&b, ROLE_CLIENT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
	    SSL_AD_UNKNOWN_CA, "not trusted");
	free(b.client.ca_file);
	b.client.ca_file = certificate_write("pins.crt", &leaf, &b.ca);
	expect_agreement(&b);
	certificate_free(&leaf);
	certificate_free(&self);
	bench_clear(&b);
}
END_TEST

START_TEST(a_known_certificate_that_expired_is_refused)
{
	struct bench b;
	struct certificate old = certificate_make(&(struct certificate_wish){
	    .names = "DNS:old", .begins = -200000, .ends = -100000});

	bench_init(&b);
	give(&b.server, &old);
	pin(&b, &old);
	expect_refusal(&b, ROLE_CLIENT, X509_V_ERR_CERT_HAS_EXPIRED,
	    SSL_AD_CERTIFICATE_EXPIRED, "expired on 20");
	certificate_free(&old);
	bench_clear(&b);
}
END_TEST

START_TEST(a_server_knows_its_clients_and_tells_nobody_who_they_are)
{
	struct bench b;
	struct certificate self = certificate_make(
	    &(struct certificate_wish){.common_name = "guest", .names = "DNS:guest"});
	struct end client, server;

	bench_init(&b);
	give(&b.client, &self);
	b.server.verify_peer = true;
	b.server.verify_chain = false;
	free(b.server.ca_file);
	b.server.ca_file = certificate_write("guests.crt", &self, NULL);
	bench_meet(&b, &client, &server);
	ck_assert(client.done && server.done);
	ck_assert_int_le(sk_X509_NAME_num(SSL_get0_peer_CA_list(client.ssl)), 0);
	end_clear(&client);
	end_clear(&server);
	bench_give_certificate(&b.client, "DNS:guest", &b.ca);
	expect_refusal(&b, ROLE_SERVER, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
	    SSL_AD_UNKNOWN_CA, "(DNS:guest)");
	certificate_free(&self);
	bench_clear(&b);
}
END_TEST

START_TEST(level_0_asks_and_lets_in_whoever_comes)
{
	struct bench b;
	struct certificate self =
	    certificate_make(&(struct certificate_wish){.names = "DNS:anybody"});
	struct end client, server;

	bench_init(&b);
	give(&b.client, &self);
	b.server.verify_chain = b.server.require_cert = false;
	bench_meet(&b, &client, &server);
	ck_assert(client.done && server.done);
	ck_assert_str_eq(server.verdict.names, "DNS:anybody");
	end_clear(&client);
	end_clear(&server);
	certificate_free(&self);
	bench_clear(&b);
}
END_TEST

/* ---- rules inside the handshake -------------------------------------------------- */

START_TEST(a_key_alone_lets_in_without_a_chain)
{
	struct bench b;
	struct certificate self =
	    certificate_make(&(struct certificate_wish){.names = "DNS:self"});
	struct certificate other =
	    certificate_make(&(struct certificate_wish){.names = "DNS:self"});
	char text[IDENTITY_FINGERPRINT_SIZE], *rule = text;

	bench_init(&b);
	ck_assert(identity_fingerprint(self.x509, text));
	b.server.verify_chain = false;
	free(b.server.ca_file);
	b.server.ca_file = NULL;
	b.server.check_fingerprint = (struct strlist){.items = &rule, .count = 1};
	give(&b.client, &self);
	expect_agreement(&b);
	give(&b.client, &other);
	expect_refusal(&b, ROLE_SERVER, X509_V_ERR_HOSTNAME_MISMATCH,
	    SSL_AD_BAD_CERTIFICATE, "does not fit checkFingerprint = ");
	certificate_free(&self);
	certificate_free(&other);
	bench_clear(&b);
}
END_TEST

/* ---- revocation ------------------------------------------------------------------ */

/* The bench's server gets this certificate, and the client a list. */
static void
list(struct bench *b, const struct certificate *revoked, long ends)
{
	free(b->client.crl_file);
	b->client.crl_file = certificate_write_crl("crl.pem", &b->ca, revoked, ends);
}

START_TEST(a_revoked_certificate_is_told_so)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct bench b;
	struct certificate leaf, other;

	bench_init(&b);
	leaf = certificate_make_leaf("DNS:orders.apps.example", &b.ca);
	other = certificate_make_leaf("DNS:orders.apps.example", &b.ca);
	for (size_t i = 0; i < 2; i++) {
		b.client.tls_max = versions[i];
		give(&b.server, &leaf);
		list(&b, &leaf, 3600);
		expect_refusal(&b, ROLE_CLIENT, X509_V_ERR_CERT_REVOKED,
		    SSL_AD_CERTIFICATE_REVOKED,
		    "the certificate (DNS:orders.apps.example) was revoked by CN=test "
		    "CA");
		give(&b.server, &other);
		expect_agreement(&b);
	}
	free(b.client.crl_file);
	certificate_free(&leaf);
	certificate_free(&other);
	bench_clear(&b);
}
END_TEST

START_TEST(without_a_list_in_date_nobody_is_trusted)
{
	struct bench b;
	struct certificate other = certificate_make(
	    &(struct certificate_wish){.common_name = "other CA", .is_ca = true});

	bench_init(&b);
	list(&b, NULL, -100);
	expect_refusal(&b, ROLE_CLIENT, X509_V_ERR_CRL_HAS_EXPIRED,
	    SSL_AD_CERTIFICATE_EXPIRED,
	    "the revocation list of CN=test CA is out of date");
	free(b.client.crl_file);
	b.client.crl_file = certificate_write_crl("crl.pem", &other, NULL, 3600);
	expect_refusal(&b, ROLE_CLIENT, X509_V_ERR_UNABLE_TO_GET_CRL, SSL_AD_UNKNOWN_CA,
	    "the revocation list of CN=test CA is not in CRLfile");
	free(b.client.crl_file);
	certificate_free(&other);
	bench_clear(&b);
}
END_TEST

START_TEST(a_folder_of_lists_is_read_by_hash_names)
{
	struct bench b;
	struct certificate leaf;
	char *folder = certificates_path("crls"), *list_file, name[600];

	bench_init(&b);
	leaf = certificate_make_leaf("DNS:orders.apps.example", &b.ca);
	give(&b.server, &leaf);
	ck_assert_int_eq(mkdir(folder, 0700), 0);
	b.client.crl_path = folder;
	expect_error(&b.client, ": no revocation list under its hash name in it");
	list_file = certificate_write_crl("revoked.pem", &b.ca, &leaf, 3600);
	snprintf(name, sizeof(name), "%s/%08lx.r0", folder,
	    X509_NAME_hash_ex(X509_get_subject_name(b.ca.x509), NULL, NULL, NULL));
	ck_assert_int_eq(rename(list_file, name), 0);
	expect_refusal(&b, ROLE_CLIENT, X509_V_ERR_CERT_REVOKED,
	    SSL_AD_CERTIFICATE_REVOKED, "was revoked");
	unlink(name);
	rmdir(folder);
	free(folder);
	free(list_file);
	certificate_free(&leaf);
	bench_clear(&b);
}
END_TEST

START_TEST(a_list_that_is_no_use_is_named)
{
	struct bench b;

	bench_init(&b);
	b.client.crl_file = certificates_write_text("crl.pem", "hello\n");
	expect_error(&b.client, "crl.pem: no revocation list in it");
	free(b.client.crl_file);
	b.client.crl_file = certificates_write_text(
	    "crl.pem", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n");
	expect_error(&b.client, "crl.pem: list number 1 in it cannot be read: ");
	unlink(b.client.crl_file);
	expect_error(&b.client, "crl.pem: No such file");
	free(b.client.crl_file);
	bench_clear(&b);
}
END_TEST

/* ---- stores ---------------------------------------------------------------------- */

START_TEST(a_store_is_read_by_its_uri)
{
	struct bench b;
	char uri[600];

	bench_init(&b);
	snprintf(uri, sizeof(uri), "file:%s", b.client.ca_file);
	b.client.ca_store = uri;
	free(b.client.ca_file);
	b.client.ca_file = NULL;
	expect_agreement(&b);
	b.client.ca_store = b.server.key.items[0];
	expect_error(&b.client, "no certificate in it");
	b.client.ca_store = "file:/nowhere/ca.pem";
	expect_error(&b.client, "CAstore file:/nowhere/ca.pem: ");
	bench_clear(&b);
}
END_TEST

UNIT_MAIN("tls_trust", a_certificate_that_is_known_needs_no_issuer,
    what_the_ca_vouches_for_is_not_yet_known,
    a_known_certificate_may_have_to_have_a_chain_as_well,
    a_known_certificate_that_expired_is_refused,
    a_server_knows_its_clients_and_tells_nobody_who_they_are,
    level_0_asks_and_lets_in_whoever_comes, a_key_alone_lets_in_without_a_chain,
    a_revoked_certificate_is_told_so, without_a_list_in_date_nobody_is_trusted,
    a_folder_of_lists_is_read_by_hash_names, a_list_that_is_no_use_is_named,
    a_store_is_read_by_its_uri)
