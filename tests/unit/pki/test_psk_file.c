#include "common/pki/psk_file.h"
#include "tests/unit/tls_bench.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS "00112233445566778899aabbccddeeff"
#define LETTERS "sixteen letters."

/* ---- the file -------------------------------------------------------------------- */

static struct psk_file *
keys_from(const char *text)
{
	char *path = certificates_write_text("keys", text);
	struct err e = {.text = ""};
	struct psk_file *keys = psk_file_read(path, &e);

	ck_assert_msg(keys != NULL, "%s", e.text);
	free(path);
	return keys;
}

static void
expect_bytes(
    const struct psk_file *keys, const char *identity, const void *bytes, size_t length)
{
	const struct psk_key *key = psk_file_find(keys, identity);

	ck_assert_ptr_nonnull(key);
	ck_assert_uint_eq(key->length, length);
	ck_assert_mem_eq(key->key, bytes, length);
}

START_TEST(digits_stand_for_bytes_and_letters_for_themselves)
{
	static const unsigned char bytes[] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66,
	    0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
	struct psk_file *keys =
	    keys_from("one:" DIGITS "\r\n\nTWO:00112233445566778899AABBCCDDEEFF\n"
		      "three:" LETTERS "\nodd:" DIGITS "0\nfour:a:colon:in:the:middle");

	expect_bytes(keys, "one", bytes, sizeof(bytes));
	expect_bytes(keys, "TWO", bytes, sizeof(bytes));
	expect_bytes(keys, "three", LETTERS, 16);
	expect_bytes(keys, "odd", DIGITS "0", 33);
	expect_bytes(keys, "four", "a:colon:in:the:middle", 21);
	ck_assert_ptr_eq(psk_file_find(keys, NULL), psk_file_find(keys, "one"));
	ck_assert_ptr_null(psk_file_find(keys, "two"));
	ck_assert_ptr_null(psk_file_find(keys, ""));
	psk_file_free(keys);
}
END_TEST

/* What is wrong with a file; no key is shown. */
static void
expect_wrong(const char *text, const char *words)
{
	char *path = certificates_write_text("keys", text);
	struct err e = {.text = ""};

	ck_assert_ptr_null(psk_file_read(path, &e));
	ck_assert_msg(strstr(e.text, words) != NULL, "%s", e.text);
	ck_assert_ptr_null(strstr(e.text, "hidden"));
	free(path);
}

START_TEST(a_line_that_is_wrong_is_told_by_its_number)
{
	char text[2048];

	expect_wrong("a:" DIGITS "\nhidden\n", "keys: line 2: is not IDENTITY:KEY");
	expect_wrong(":" DIGITS "\n", "line 1: is not IDENTITY:KEY");
	expect_wrong("\n\na:hidden\n", "line 3: the key has 6 bytes, and at least 16");
	expect_wrong("a:0011223344556677\n", "the key has 8 bytes");
	expect_wrong(
	    "a:" DIGITS "\na:" LETTERS "\n", "line 2: the identity a stands there");
	expect_wrong("", "keys: no key in it");
	snprintf(text, sizeof(text), "%0300d:" DIGITS "\n", 1);
	expect_wrong(text, "the identity has more than 255 bytes");
	snprintf(text, sizeof(text), "a:%01026d\n", 1);
	expect_wrong(text, "the key has more than 512 bytes");
}
END_TEST

START_TEST(the_longest_line_is_read_whole)
{
	char text[2048];
	struct psk_file *keys;

	snprintf(text, sizeof(text), "%0255d:%01024d\nb:" DIGITS "\n", 1, 1);
	keys = keys_from(text);
	ck_assert_uint_eq(psk_file_find(keys, NULL)->length, 512);
	ck_assert_ptr_nonnull(psk_file_find(keys, "b"));
	psk_file_free(keys);
}
END_TEST

/* ---- the handshake --------------------------------------------------------------- */

/* Two ends without certificates. */
static void
bench_init_psk(struct bench *b, const char *client, const char *server)
{
	bench_init(b);
	bench_take_certificates(&b->client);
	bench_take_certificates(&b->server);
	free(b->client.ca_file);
	free(b->server.ca_file);
	b->client.ca_file = b->server.ca_file = NULL;
	b->server.require_cert = b->server.ask_cert = false;
	b->client.psk_secrets = certificates_write_text("client.psk", client);
	b->server.psk_secrets = certificates_write_text("server.psk", server);
}

static void
bench_clear_psk(struct bench *b)
{
	free(b->client.psk_secrets);
	free(b->server.psk_secrets);
	bench_clear(b);
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

START_TEST(a_key_takes_the_place_of_certificates)
{
	struct bench b;
	struct end client, server;

	bench_init_psk(&b, "orders:" DIGITS "\n", "x:" LETTERS "\norders:" DIGITS "\n");
	for (size_t i = 0; i < 2; i++) {
		b.client.tls_max = versions[i];
		bench_meet(&b, &client, &server);
		ck_assert(client.done && server.done);
		ck_assert_int_eq(SSL_version(client.ssl), versions[i]);
		ck_assert_str_eq(client.verdict.psk, "orders");
		ck_assert_str_eq(server.verdict.psk, "orders");
		ck_assert(server.verdict.psk_known);
		ck_assert_ptr_null(SSL_get0_peer_certificate(client.ssl));
		ck_assert(!SSL_session_reused(server.ssl) ||
			  tls_psk_begins(server.ssl, server.verdict.psk_known));
		ck_assert_int_eq(client.sessions, 1);
		end_clear(&client);
		end_clear(&server);
	}
	bench_clear_psk(&b);
}
END_TEST

START_TEST(an_identity_is_chosen_and_told_when_it_is_unknown)
{
	struct bench b;
	struct end client, server;

	bench_init_psk(&b, "a:" DIGITS "\nb:" DIGITS "\n", "a:" DIGITS "\n");
	b.client.psk_identity = "b";
	for (size_t i = 0; i < 2; i++) {
		b.client.tls_max = versions[i];
		bench_meet(&b, &client, &server);
		ck_assert(!server.done);
		ck_assert_str_eq(server.verdict.psk, "b");
		ck_assert(!server.verdict.psk_known);
		ck_assert_int_ge(client.error, 1000);
		end_clear(&client);
		end_clear(&server);
	}
	b.client.psk_identity = "c";
	expect_error(&b.client, "PSKidentity = c: PSKsecrets ");
	bench_clear_psk(&b);
}
END_TEST

START_TEST(the_wrong_key_lets_nobody_in)
{
	struct bench b;
	struct end client, server;

	bench_init_psk(&b, "a:" DIGITS "\n", "a:" LETTERS "\n");
	for (size_t i = 0; i < 2; i++) {
		b.client.tls_max = versions[i];
		bench_meet(&b, &client, &server);
		ck_assert(!server.done && !client.done);
		ck_assert(server.verdict.psk_known);
		end_clear(&client);
		end_clear(&server);
	}
	bench_clear_psk(&b);
}
END_TEST

START_TEST(a_client_with_a_key_trusts_no_certificate)
{
	struct bench b;
	struct end client, server;

	bench_init_psk(&b, "a:" DIGITS "\n", "a:" DIGITS "\n");
	free(b.server.psk_secrets);
	b.server.psk_secrets = NULL;
	bench_give_certificate(&b.server, "DNS:orders.apps.example", &b.ca);
	for (size_t i = 0; i < 2; i++) {
		b.client.tls_max = versions[i];
		bench_meet(&b, &client, &server);
		ck_assert(!client.done);
		end_clear(&client);
		end_clear(&server);
	}
	bench_clear_psk(&b);
}
END_TEST

START_TEST(a_server_with_both_prefers_a_key)
{
	struct bench b;
	struct end client, server;

	bench_init_psk(&b, "a:" DIGITS "\n", "a:" DIGITS "\n");
	bench_give_certificate(&b.server, "DNS:orders.apps.example", &b.ca);
	b.server.require_cert = b.server.ask_cert = true;
	b.client.ca_file = certificate_write("ca.crt", &b.ca, NULL);
	for (size_t i = 0; i < 2; i++) {
		b.client.tls_max = versions[i];
		bench_meet(&b, &client, &server);
		ck_assert(client.done && server.done);
		ck_assert_ptr_null(SSL_get0_peer_certificate(client.ssl));
		end_clear(&client);
		end_clear(&server);
	}
	bench_clear_psk(&b);
}
END_TEST

UNIT_MAIN("psk_keys", digits_stand_for_bytes_and_letters_for_themselves,
    a_line_that_is_wrong_is_told_by_its_number, the_longest_line_is_read_whole,
    a_key_takes_the_place_of_certificates,
    an_identity_is_chosen_and_told_when_it_is_unknown, the_wrong_key_lets_nobody_in,
    a_client_with_a_key_trusts_no_certificate, a_server_with_both_prefers_a_key)
