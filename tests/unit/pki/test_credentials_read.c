#include "tests/unit/tls_bench.h"
#include "tests/unit/unit.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A bench whose server has a certificate by an intermediate CA, not written yet. */
struct box {
	struct bench bench;
	struct certificate middle;
	struct certificate leaf;
};

static void
box_init(struct box *x)
{
	bench_init(&x->bench);
	x->middle = certificate_make(&(struct certificate_wish){
	    .common_name = "middle", .is_ca = true, .issuer = &x->bench.ca});
	x->leaf = certificate_make_leaf("DNS:orders.apps.example", &x->middle);
	bench_take_certificates(&x->bench.server);
}

static void
box_clear(struct box *x)
{
	free(x->bench.server.key_pass_file);
	certificate_free(&x->middle);
	certificate_free(&x->leaf);
	bench_clear(&x->bench);
}

/* The server's file is PKCS#12 from now on. */
static void
give_pkcs12(struct box *x, const char *password)
{
	char *path =
	    certificate_write_pkcs12("server.p12", &x->leaf, &x->middle, password);

	bench_take_certificates(&x->bench.server);
	bench_add_pair(&x->bench.server, strdup(path), path);
}

static void
give_phrase(struct box *x, const char *text)
{
	free(x->bench.server.key_pass_file);
	x->bench.server.key_pass_file = certificates_write_text("pass", text);
}

START_TEST(pkcs12_has_the_chain_and_the_key_in_it)
{
	struct box x;

	box_init(&x);
	give_pkcs12(&x, NULL);
	expect_agreement(&x.bench);
	give_pkcs12(&x, "");
	expect_agreement(&x.bench);
	box_clear(&x);
}
END_TEST

START_TEST(pkcs12_is_opened_by_a_pass_phrase_in_a_file)
{
	struct box x;

	box_init(&x);
	give_pkcs12(&x, "open sesame");
	expect_error(&x.bench.server, "is encrypted: add \"keyPassFile = FILE\"");
	give_phrase(&x, "open sesame\r\nanother line\n");
	expect_agreement(&x.bench);
	give_phrase(&x, "open sesame");
	expect_agreement(&x.bench);
	give_phrase(&x, "open says me\n");
	expect_error(&x.bench.server, "/pass does not fit (mac verify failure)");
	give_phrase(&x, "");
	expect_error(&x.bench.server, "/pass: its first line is empty");
	unlink(x.bench.server.key_pass_file);
	expect_error(&x.bench.server, "/pass: No such file");
	box_clear(&x);
}
END_TEST

START_TEST(a_key_may_be_in_a_pkcs12_file_of_its_own)
{
	struct box x;

	box_init(&x);
	bench_add_pair(&x.bench.server,
	    certificate_write("server.crt", &x.leaf, &x.middle),
	    certificate_write_pkcs12("server.p12", &x.leaf, NULL, ""));
	expect_agreement(&x.bench);
	box_clear(&x);
}
END_TEST

/* ---- other forms of the same ----------------------------------------------------- */

START_TEST(der_that_is_no_pkcs12_is_told)
{
	struct box x;
	char *path = certificates_path("server.crt");
	FILE *file = fopen(path, "w");

	box_init(&x);
	ck_assert_int_eq(i2d_X509_fp(file, x.leaf.x509), 1);
	ck_assert_int_eq(fclose(file), 0);
	bench_add_pair(&x.bench.server, strdup(path), path);
	expect_error(&x.bench.server,
	    "server.crt: is a certificate in DER form, not PEM: convert it (openssl x509 "
	    "-inform der -in FILE -out NEW)");
	file = fopen(x.bench.server.cert.items[0], "w");
	ck_assert_int_gt(fputs("\x30\x82 is no DER", file), 0);
	ck_assert_int_eq(fclose(file), 0);
	expect_error(&x.bench.server, "server.crt: is neither PEM nor PKCS#12");
	box_clear(&x);
}
END_TEST

/* The server's key file holds @key in DER, in PKCS#8, locked or not, or in the form of
 * its own kind. */
static void
expect_der_key_told(struct box *x, EVP_PKEY *key, int form)
{
	FILE *file = fopen(x->bench.server.key.items[0], "w");
	char phrase[] = "secret";
	int ok;

	if (form == 0)
		ok = i2d_PKCS8PrivateKey_fp(file, key, NULL, NULL, 0, NULL, NULL);
	else if (form == 1)
		ok = i2d_PKCS8PrivateKey_fp(
		    file, key, EVP_aes_256_cbc(), phrase, 6, NULL, NULL);
	else
		ok = i2d_PrivateKey_fp(file, key);
	ck_assert_int_eq(ok, 1);
	ck_assert_int_eq(fclose(file), 0);
	expect_error(&x->bench.server,
	    "server.key: is a private key in DER form, not PEM: convert it (openssl pkey "
	    "-inform der -in FILE -out NEW)");
}

START_TEST(a_der_key_of_any_kind_is_told)
{
	struct box x;
	const struct certificate_wish wishes[] = {
	    {.common_name = "a"},
	    {.common_name = "b", .rsa_bits = 2048},
	    {.common_name = "c", .ed25519 = true},
	};

	box_init(&x);
	bench_add_pair(&x.bench.server, certificate_write("server.crt", &x.leaf, NULL),
	    certificates_path("server.key"));
	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++)
		for (int form = 0; form < 3; form++) {
			struct certificate c = certificate_make(&wishes[i]);

			expect_der_key_told(&x, c.key, form);
			certificate_free(&c);
		}
	box_clear(&x);
}
END_TEST

/* What became of the line ends, with what is in place of each. */
static void
replace_line_ends(const char *path, const char *instead)
{
	char text[8192];
	FILE *file = fopen(path, "r");
	size_t n = fread(text, 1, sizeof(text), file);

	ck_assert_int_eq(fclose(file), 0);
	file = fopen(path, "w");
	for (size_t i = 0; i < n; i++)
		if (text[i] == '\n')
			ck_assert_int_ge(fputs(instead, file), 0);
		else
			ck_assert_int_eq(fputc(text[i], file), (unsigned char)text[i]);
	ck_assert_int_eq(fclose(file), 0);
}

/* Such a file in place of a good one of cert, key and CAfile. */
static void
expect_form_told(const char *instead, const char *why)
{
	static const char *const names[] = {"server.crt", "server.key", "ca.crt"};
	char words[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct bench b;
		char *path = certificates_path(names[i]);

		bench_init(&b);
		replace_line_ends(path, instead);
		snprintf(words, sizeof(words), "%s: %s", names[i], why);
		expect_error(&b.server, words);
		bench_clear(&b);
		free(path);
	}
}

START_TEST(pem_whose_line_ends_were_lost_is_told)
{
	expect_form_told(" ", "is PEM on one line");
	expect_form_told("", "is PEM on one line");
}
END_TEST

START_TEST(pem_with_backslash_n_is_told)
{
	expect_form_told("\\n", "has the two characters \\n where its lines should end");
	expect_form_told("\\r\\n", "has the two characters \\n where");
}
END_TEST

START_TEST(pem_with_the_line_ends_of_windows_is_read)
{
	struct bench b;

	bench_init(&b);
	replace_line_ends(b.server.cert.items[0], "\r\n");
	replace_line_ends(b.server.key.items[0], "\r\n");
	expect_agreement(&b);
	bench_clear(&b);
}
END_TEST

/* ---- locked ---------------------------------------------------------------------- */

START_TEST(an_encrypted_key_is_opened_by_a_pass_phrase_in_a_file)
{
	struct box x;

	box_init(&x);
	bench_add_pair(&x.bench.server,
	    certificate_write("server.crt", &x.leaf, &x.middle),
	    certificate_write_key("server.key", &x.leaf, "secret"));
	expect_error(&x.bench.server, "server.key: is encrypted: add \"keyPassFile");
	give_phrase(&x, "secret\n");
	expect_agreement(&x.bench);
	give_phrase(&x, "secrets\n");
	expect_error(&x.bench.server, "server.key: the pass phrase in ");
	box_clear(&x);
}
END_TEST

START_TEST(a_phrase_is_remembered_for_its_file_alone)
{
	struct passphrases *phrases = passphrases_new(false);
	char phrase[PASS_PHRASE_SIZE];

	ck_assert(!passphrases_are_asked(phrases));
	ck_assert(!passphrases_get(phrases, "a", phrase));
	passphrases_remember(phrases, "a", "secret");
	ck_assert(passphrases_get(phrases, "a", phrase));
	ck_assert_str_eq(phrase, "secret");
	ck_assert(!passphrases_get(phrases, "b", phrase));
	passphrases_forget(phrases, "a");
	ck_assert(!passphrases_get(phrases, "a", phrase));
	passphrases_free(phrases);
}
END_TEST

START_TEST(a_renewed_key_is_opened_by_the_phrase_that_was_typed_in)
{
	struct box x;
	char *key;

	box_init(&x);
	key = certificate_write_key("server.key", &x.leaf, "secret");
	bench_add_pair(&x.bench.server,
	    certificate_write("server.crt", &x.leaf, &x.middle), strdup(key));
	x.bench.server.phrases = passphrases_new(false);
	expect_error(&x.bench.server, "start at a terminal");
	passphrases_remember(x.bench.server.phrases, key, "secret");
	expect_agreement(&x.bench);
	free(certificate_write_key("server.key", &x.leaf, "changed"));
	expect_error(&x.bench.server, "server.key: the pass phrase does not fit");
	passphrases_free(x.bench.server.phrases);
	free(key);
	box_clear(&x);
}
END_TEST

/* ---- several certificates -------------------------------------------------------- */

/* The bench's server gets one more. */
static void
add_kind(struct box *x, const char *name, struct certificate_wish wish)
{
	struct certificate c;
	char cert[32], key[32];

	wish.names = "DNS:orders.apps.example";
	wish.issuer = &x->bench.ca;
	c = certificate_make(&wish);
	snprintf(cert, sizeof(cert), "%s.crt", name);
	snprintf(key, sizeof(key), "%s.key", name);
	bench_add_pair(&x->bench.server, certificate_write(cert, &c, NULL),
	    certificate_write_key(key, &c, NULL));
	certificate_free(&c);
}

/* The kind of key that a client is shown which takes these signatures alone. */
static int
shown_to(struct box *x, const char *signatures)
{
	SSL_CTX *client_context = bench_context(&x->bench.client);
	SSL_CTX *server_context = bench_context(&x->bench.server);
	struct end client, server;
	int kind;

	ck_assert_int_eq(SSL_CTX_set1_sigalgs_list(client_context, signatures), 1);
	bench_connect(&client, client_context, &server, server_context, NULL);
	ck_assert_msg(client.done && server.done, "%s", signatures);
	kind =
	    EVP_PKEY_get_base_id(X509_get0_pubkey(SSL_get0_peer_certificate(client.ssl)));
	end_clear(&client);
	end_clear(&server);
	SSL_CTX_free(client_context);
	SSL_CTX_free(server_context);
	return kind;
}

START_TEST(each_client_is_shown_the_kind_of_key_that_it_takes)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct box x;

	box_init(&x);
	/* Else the client would have to sign, too. */
	x.bench.server.ask_cert = x.bench.server.require_cert = false;
	add_kind(&x, "ecdsa", (struct certificate_wish){.common_name = "e"});
	add_kind(&x, "rsa", (struct certificate_wish){.rsa_bits = 2048});
	add_kind(&x, "ed25519", (struct certificate_wish){.ed25519 = true});
	for (size_t i = 0; i < 2; i++) {
		x.bench.server.tls_max = versions[i];
		ck_assert_int_eq(
		    shown_to(&x, "rsa_pss_rsae_sha256:RSA+SHA256"), EVP_PKEY_RSA);
		ck_assert_int_eq(shown_to(&x, "ECDSA+SHA256"), EVP_PKEY_EC);
		ck_assert_int_eq(shown_to(&x, "ed25519"), EVP_PKEY_ED25519);
	}
	box_clear(&x);
}
END_TEST

START_TEST(two_certificates_of_one_kind_are_refused)
{
	struct box x;

	box_init(&x);
	add_kind(&x, "one", (struct certificate_wish){.common_name = "1"});
	add_kind(&x, "two", (struct certificate_wish){.common_name = "2"});
	expect_error(
	    &x.bench.server, "two.crt: a cert line before it has a key of the same kind");
	box_clear(&x);
}
END_TEST

UNIT_MAIN("tls_keys_read", pkcs12_has_the_chain_and_the_key_in_it,
    pkcs12_is_opened_by_a_pass_phrase_in_a_file, a_key_may_be_in_a_pkcs12_file_of_its_own,
    der_that_is_no_pkcs12_is_told, a_der_key_of_any_kind_is_told,
    pem_whose_line_ends_were_lost_is_told, pem_with_backslash_n_is_told,
    pem_with_the_line_ends_of_windows_is_read,
    an_encrypted_key_is_opened_by_a_pass_phrase_in_a_file,
    a_phrase_is_remembered_for_its_file_alone,
    a_renewed_key_is_opened_by_the_phrase_that_was_typed_in,
    each_client_is_shown_the_kind_of_key_that_it_takes,
    two_certificates_of_one_kind_are_refused)
