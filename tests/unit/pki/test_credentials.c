#include "tests/unit/tls_bench.h"
#include "tests/unit/unit.h"

#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

START_TEST(an_intermediate_ca_travels_in_the_cert_file)
{
	struct bench b;
	struct certificate middle;
	struct certificate leaf;

	bench_init(&b);
	middle = certificate_make(&(struct certificate_wish){
	    .common_name = "middle", .is_ca = true, .issuer = &b.ca});
	leaf = certificate_make_leaf("DNS:orders.apps.example", &middle);
	free(certificate_write("server.crt", &leaf, &middle));
	free(certificate_write_key("server.key", &leaf, NULL));
	expect_agreement(&b);
	certificate_free(&middle);
	certificate_free(&leaf);
	bench_clear(&b);
}
END_TEST

START_TEST(an_intermediate_ca_is_added_from_cafile_but_never_the_root)
{
	struct bench b;
	struct certificate middle;
	struct end client;
	struct end server;

	bench_init(&b);
	bench_meet(&b, &client, &server);
	ck_assert_int_eq(sk_X509_num(SSL_get_peer_cert_chain(client.ssl)), 1);
	end_clear(&client);
	end_clear(&server);
	middle = certificate_make(&(struct certificate_wish){
	    .common_name = "middle", .is_ca = true, .issuer = &b.ca});
	bench_give_certificate(&b.server, "DNS:orders.apps.example", &middle);
	expect_refusal(&b, ROLE_CLIENT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
	    SSL_AD_UNKNOWN_CA, "leads to the issuer CN=middle");
	free(b.server.ca_file);
	b.server.ca_file = certificate_write("more.crt", &b.ca, &middle);
	bench_meet(&b, &client, &server);
	ck_assert(client.done && server.done);
	ck_assert_int_eq(sk_X509_num(SSL_get_peer_cert_chain(client.ssl)), 2);
	end_clear(&client);
	end_clear(&server);
	certificate_free(&middle);
	bench_clear(&b);
}
END_TEST

/* How many names of CAs a client is told by the server. */
static int
names_told(struct bench *b)
{
	struct end client;
	struct end server;
	int count;

	bench_meet(b, &client, &server);
	ck_assert(client.done && server.done);
	count = sk_X509_NAME_num(SSL_get0_peer_CA_list(client.ssl));
	end_clear(&client);
	end_clear(&server);
	return count < 0 ? 0 : count;
}

START_TEST(clients_are_told_the_cas_while_they_are_few)
{
	struct bench b;
	FILE *file;
	char name[64];

	bench_init(&b);
	ck_assert_int_eq(names_told(&b), 1);
	file = fopen(b.server.ca_file, "a");
	ck_assert_ptr_nonnull(file);
	PEM_write_X509(file, b.ca.x509);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(names_told(&b), 1);
	file = fopen(b.server.ca_file, "a");
	ck_assert_ptr_nonnull(file);
	for (int i = 0; i < 100; i++) {
		struct certificate ca;

		snprintf(name, sizeof(name), "a CA with quite a long name, number %d", i);
		ca = certificate_make(
		    &(struct certificate_wish){.common_name = name, .is_ca = true});
		PEM_write_X509(file, ca.x509);
		certificate_free(&ca);
	}
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(names_told(&b), 0);
	bench_clear(&b);
}
END_TEST

/* The same with @name's path in front: "cert /folder/NAME: why". */
static void
expect_file_error(
    const struct service_settings *s, const char *what, const char *path, const char *why)
{
	char words[1024];

	snprintf(words, sizeof(words), "%s %s%s", what, path, why);
	expect_error(s, words);
}

START_TEST(a_certificate_file_that_is_no_use_is_named)
{
	struct bench b;

	bench_init(&b);
	unlink(b.server.cert.items[0]);
	expect_file_error(
	    &b.server, "cert", b.server.cert.items[0], ": No such file or directory");
	free(certificates_write_text("server.crt", "hello\n"));
	expect_file_error(
	    &b.server, "cert", b.server.cert.items[0], ": no certificate in it");
	free(certificates_write_text("server.crt", ""));
	expect_file_error(
	    &b.server, "cert", b.server.cert.items[0], ": no certificate in it");
	free(certificates_write_text("server.crt",
	    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
	expect_file_error(&b.server, "cert", b.server.cert.items[0],
	    ": certificate number 1 in it cannot be read: ");
	unlink(b.server.cert.items[0]);
	ck_assert_int_eq(mkdir(b.server.cert.items[0], 0700), 0);
	expect_file_error(
	    &b.server, "cert", b.server.cert.items[0], ": is a folder, not a file");
	rmdir(b.server.cert.items[0]);
	ck_assert_int_eq(mkfifo(b.server.cert.items[0], 0600), 0);
	expect_file_error(
	    &b.server, "cert", b.server.cert.items[0], ": is a device or pipe");
	bench_clear(&b);
}
END_TEST

START_TEST(a_key_file_that_is_no_use_is_named)
{
	struct bench b;

	bench_init(&b);
	unlink(b.server.key.items[0]);
	expect_file_error(
	    &b.server, "key", b.server.key.items[0], ": No such file or directory");
	free(certificates_write_text("server.key", "hello\n"));
	expect_file_error(
	    &b.server, "key", b.server.key.items[0], ": no private key in it");
	free(certificates_write_text("server.key",
	    "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"));
	expect_file_error(&b.server, "key", b.server.key.items[0], ": cannot be read: ");
	bench_clear(&b);
}
END_TEST

START_TEST(a_key_of_another_certificate_is_told)
{
	struct bench b;
	struct certificate other = certificate_make_ca();
	struct certificate rsa = certificate_make(
	    &(struct certificate_wish){.common_name = "rsa", .rsa_bits = 2048});
	char words[256];

	bench_init(&b);
	snprintf(words, sizeof(words), "key %s: does not match the certificate %s",
	    b.server.key.items[0], b.server.cert.items[0]);
	free(certificate_write_key("server.key", &other, NULL));
	expect_error(&b.server, words);
	free(certificate_write_key("server.key", &rsa, NULL));
	expect_error(&b.server, words);
	certificate_free(&other);
	certificate_free(&rsa);
	bench_clear(&b);
}
END_TEST

START_TEST(a_leaf_behind_its_intermediate_is_told_to_stand_first)
{
	struct bench b;
	struct certificate middle, leaf;
	char words[400];

	bench_init(&b);
	middle = certificate_make(&(struct certificate_wish){
	    .common_name = "middle", .is_ca = true, .issuer = &b.ca});
	leaf = certificate_make(&(struct certificate_wish){
	    .common_name = "orders.apps.example", .issuer = &middle});
	free(certificate_write("server.crt", &middle, &leaf));
	free(certificate_write_key("server.key", &leaf, NULL));
	snprintf(words, sizeof(words),
	    ": its first certificate is CN=middle, but the key %s belongs to its number "
	    "2, CN=orders.apps.example: our own must stand first",
	    b.server.key.items[0]);
	expect_file_error(&b.server, "cert", b.server.cert.items[0], words);
	certificate_free(&leaf);
	certificate_free(&middle);
	bench_clear(&b);
}
END_TEST

START_TEST(a_weak_ca_in_the_cert_file_is_named)
{
	struct bench b;
	struct certificate weak, leaf;

	bench_init(&b);
	weak = certificate_make(&(struct certificate_wish){
	    .common_name = "old CA", .is_ca = true, .rsa_bits = 1024});
	leaf = certificate_make_leaf("DNS:orders.apps.example", &weak);
	free(certificate_write("server.crt", &leaf, &weak));
	free(certificate_write_key("server.key", &leaf, NULL));
	expect_file_error(&b.server, "cert", b.server.cert.items[0],
	    ": key too small: that of CN=old CA has 1024 bits (RSA)");
	certificate_free(&leaf);
	certificate_free(&weak);
	bench_clear(&b);
}
END_TEST

START_TEST(a_key_that_we_may_not_read_is_told)
{
	struct bench b;

	bench_init(&b);
	ck_assert_int_eq(chmod(b.server.key.items[0], 0), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	expect_file_error(&b.server, "key", b.server.key.items[0], ": Permission denied");
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
	bench_clear(&b);
}
END_TEST

START_TEST(certificate_and_key_may_share_a_file)
{
	struct bench b;
	struct certificate leaf;
	FILE *file;

	bench_init(&b);
	leaf = certificate_make_leaf("DNS:orders.apps.example", &b.ca);
	file = fopen(b.server.cert.items[0], "w");
	ck_assert_ptr_nonnull(file);
	PEM_write_PrivateKey(file, leaf.key, NULL, NULL, 0, NULL, NULL);
	PEM_write_X509(file, leaf.x509);
	ck_assert_int_eq(fclose(file), 0);
	free(b.server.key.items[0]);
	b.server.key.items[0] = strdup(b.server.cert.items[0]);
	expect_agreement(&b);
	certificate_free(&leaf);
	bench_clear(&b);
}
END_TEST

START_TEST(a_weak_key_is_refused)
{
	struct bench b;
	struct certificate weak = certificate_make(
	    &(struct certificate_wish){.common_name = "weak", .rsa_bits = 1024});

	bench_init(&b);
	free(certificate_write("server.crt", &weak, NULL));
	free(certificate_write_key("server.key", &weak, NULL));
	expect_file_error(&b.server, "cert", b.server.cert.items[0],
	    ": key too small: that of CN=weak has 1024 bits (RSA), too few for "
	    "securityLevel = 2: ");
	expect_error(&b.server, "\"securityLevel = 1\" takes it");
	certificate_free(&weak);
	bench_clear(&b);
}
END_TEST

START_TEST(trust_that_trusts_nobody_is_an_error)
{
	struct bench b;
	char *path;

	bench_init(&b);
	free(certificates_write_text("ca.crt", "# nothing here yet\n"));
	expect_file_error(
	    &b.client, "CAfile", b.client.ca_file, ": no certificate in it");
	unlink(b.client.ca_file);
	expect_file_error(
	    &b.client, "CAfile", b.client.ca_file, ": No such file or directory");
	free(b.client.ca_file);
	b.client.ca_file = NULL;
	expect_error(&b.client, "verifyChain = yes needs CAfile or CApath");
	path = certificates_path("missing");
	b.client.ca_path = path;
	expect_file_error(&b.client, "CApath", path, ": No such file or directory");
	ck_assert_int_eq(mkdir(path, 0700), 0);
	expect_file_error(
	    &b.client, "CApath", path, ": no certificate under its hash name in it");
	rmdir(path);
	free(path);
	bench_clear(&b);
}
END_TEST

START_TEST(a_folder_of_hashed_names_is_trusted)
{
	struct bench b;
	char name[32];
	char *file;
	char *folder;

	bench_init(&b);
	snprintf(name, sizeof(name), "%08lx.0", X509_subject_name_hash(b.ca.x509));
	file = certificate_write(name, &b.ca, NULL);
	folder = certificates_path("");
	free(b.client.ca_file);
	b.client.ca_file = NULL;
	b.client.ca_path = folder;
	expect_agreement(&b);
	free(file);
	free(folder);
	bench_clear(&b);
}
END_TEST

START_TEST(the_systems_store_is_found_or_missed_with_words)
{
	struct bench b;
	char *file;

	bench_init(&b);
	file = b.client.ca_file;
	b.client.ca_file = NULL;
	b.client.system_ca = true;
	unsetenv("SSL_CERT_DIR");
	setenv("SSL_CERT_FILE", file, 1);
	expect_agreement(&b);
	setenv("SSL_CERT_FILE", "/nowhere/bundle.pem", 1);
	expect_error(
	    &b.client, "SSL_CERT_FILE /nowhere/bundle.pem: No such file or directory");
	unsetenv("SSL_CERT_FILE");
	setenv("SSL_CERT_DIR", "/nowhere", 1);
	expect_error(&b.client, "SSL_CERT_DIR /nowhere: No such file or directory");
	free(file);
	bench_clear(&b);
}
END_TEST

START_TEST(a_private_ca_never_adds_the_systems)
{
	struct bench b;
	struct certificate other = certificate_make(
	    &(struct certificate_wish){.common_name = "other CA", .is_ca = true});

	bench_init(&b);
	/* Even if both are asked for. */
	setenv("SSL_CERT_FILE", b.client.ca_file, 1);
	free(b.client.ca_file);
	b.client.ca_file = certificate_write("other.crt", &other, NULL);
	b.client.system_ca = true;
	expect_refusal(&b, ROLE_CLIENT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
	    SSL_AD_UNKNOWN_CA, "not trusted");
	certificate_free(&other);
	bench_clear(&b);
}
END_TEST

START_TEST(a_server_without_a_certificate_does_not_start)
{
	struct bench b;

	bench_init(&b);
	bench_take_certificates(&b.server);
	expect_error(&b.server, "a server needs cert and key");
	bench_clear(&b);
}
END_TEST

UNIT_MAIN("tls_keys", an_intermediate_ca_travels_in_the_cert_file,
    an_intermediate_ca_is_added_from_cafile_but_never_the_root,
    clients_are_told_the_cas_while_they_are_few,
    a_certificate_file_that_is_no_use_is_named, a_key_file_that_is_no_use_is_named,
    a_key_of_another_certificate_is_told,
    a_leaf_behind_its_intermediate_is_told_to_stand_first,
    a_weak_ca_in_the_cert_file_is_named, a_key_that_we_may_not_read_is_told,
    certificate_and_key_may_share_a_file, a_weak_key_is_refused,
    trust_that_trusts_nobody_is_an_error, a_folder_of_hashed_names_is_trusted,
    the_systems_store_is_found_or_missed_with_words, a_private_ca_never_adds_the_systems,
    a_server_without_a_certificate_does_not_start)
