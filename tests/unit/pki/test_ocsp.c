#include "common/pki/ocsp.h"
#include "tests/unit/tls_bench.h"
#include "tests/unit/unit.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- an answer ------------------------------------------------------------------- */

/* Two CAs, one of them trusted, and certificates of that one. */
struct scene {
	struct certificate ca, other_ca;
	struct certificate leaf, other_leaf;
	struct certificate responder; /* whom the CA has made one */
	X509_STORE *store;
};

static void
scene_init(struct scene *s)
{
	s->ca = certificate_make_ca();
	s->other_ca = certificate_make_ca();
	s->leaf = certificate_make_leaf("DNS:a", &s->ca);
	s->other_leaf = certificate_make_leaf("DNS:b", &s->ca);
	s->responder = certificate_make(&(struct certificate_wish){
	    .common_name = "responder", .purpose = "OCSPSigning", .issuer = &s->ca});
	s->store = X509_STORE_new();
	ck_assert_int_eq(X509_STORE_add_cert(s->store, s->ca.x509), 1);
}

static void
scene_clear(struct scene *s)
{
	certificate_free(&s->ca);
	certificate_free(&s->other_ca);
	certificate_free(&s->leaf);
	certificate_free(&s->other_leaf);
	certificate_free(&s->responder);
	X509_STORE_free(s->store);
}

/* What is made of an answer about @about by @signer. */
static enum ocsp_answer
judge(struct scene *s, const struct certificate *about, const struct certificate *signer,
    int status, long ends, const char *words)
{
	size_t length = 0;
	unsigned char *der =
	    certificate_ocsp(about, &s->ca, signer, status, ends, &length);
	struct ocsp_matter matter = {
	    .certificate = s->leaf.x509, .issuer = s->ca.x509, .store = s->store};
	char why[128];
	enum ocsp_answer answer = ocsp_judge(&matter, der, length, why, sizeof(why));

	ck_assert_str_eq(why, words);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	OPENSSL_free(der);
	return answer;
}

START_TEST(an_answer_of_the_issuer_counts)
{
	struct scene s;

	scene_init(&s);
	ck_assert_int_eq(
	    judge(&s, &s.leaf, &s.ca, V_OCSP_CERTSTATUS_GOOD, 3600, ""), OCSP_GOOD);
	ck_assert_int_eq(judge(&s, &s.leaf, &s.ca, V_OCSP_CERTSTATUS_REVOKED, 3600,
			     "says revoked: keyCompromise"),
	    OCSP_REVOKED);
	ck_assert_int_eq(
	    judge(&s, &s.leaf, &s.ca, V_OCSP_CERTSTATUS_UNKNOWN, 3600, "says unknown"),
	    OCSP_NOTHING);
	scene_clear(&s);
}
END_TEST

START_TEST(an_answer_of_a_responder_counts_if_the_issuer_made_it_one)
{
	struct scene s;

	scene_init(&s);
	ck_assert_int_eq(
	    judge(&s, &s.leaf, &s.responder, V_OCSP_CERTSTATUS_GOOD, 3600, ""),
	    OCSP_GOOD);
	ck_assert_int_eq(judge(&s, &s.leaf, &s.other_leaf, V_OCSP_CERTSTATUS_GOOD, 3600,
			     "is of nobody who may give it"),
	    OCSP_NOTHING);
	ck_assert_int_eq(judge(&s, &s.leaf, &s.other_ca, V_OCSP_CERTSTATUS_REVOKED, 3600,
			     "is of nobody who may give it"),
	    OCSP_NOTHING);
	scene_clear(&s);
}
END_TEST

/* Not even where the whole chain is believed. */
START_TEST(nobody_answers_for_himself)
{
	struct scene s;
	STACK_OF(X509) *chain = sk_X509_new_null();

	scene_init(&s);
	sk_X509_push(chain, s.leaf.x509);
	sk_X509_push(chain, s.other_leaf.x509);
	for (int i = 0; i < 2; i++) {
		const struct certificate *signer = i == 0 ? &s.leaf : &s.other_leaf;
		size_t length = 0;
		unsigned char *der = certificate_ocsp(
		    &s.leaf, &s.ca, signer, V_OCSP_CERTSTATUS_GOOD, 3600, &length);
		struct ocsp_matter matter = {.certificate = s.leaf.x509,
		    .issuer = s.ca.x509,
		    .store = s.store,
		    .chain = chain,
		    .flags = OCSP_TRUSTOTHER};
		char why[128];

		ck_assert_int_eq(ocsp_judge(&matter, der, length, why, sizeof(why)),
		    i == 0 ? OCSP_NOTHING : OCSP_GOOD);
		OPENSSL_free(der);
	}
	sk_X509_free(chain);
	scene_clear(&s);
}
END_TEST

START_TEST(an_answer_that_is_old_or_about_somebody_else_says_nothing)
{
	struct scene s;

	scene_init(&s);
	ck_assert_int_eq(
	    judge(&s, &s.leaf, &s.ca, V_OCSP_CERTSTATUS_GOOD, -3600, "is out of date"),
	    OCSP_NOTHING);
	ck_assert_int_eq(judge(&s, &s.other_leaf, &s.ca, V_OCSP_CERTSTATUS_REVOKED, 3600,
			     "is about another certificate"),
	    OCSP_NOTHING);
	scene_clear(&s);
}
END_TEST

START_TEST(an_answer_that_does_not_say_until_when_holds_for_a_day)
{
	static const long begins[] = {-3600, -90000};
	struct scene s;

	scene_init(&s);
	for (int i = 0; i < 2; i++) {
		size_t length = 0;
		unsigned char *der =
		    certificate_ocsp_undated(&s.leaf, &s.ca, begins[i], &length);
		const unsigned char *at = der;
		OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)length);
		struct ocsp_matter matter = {
		    .certificate = s.leaf.x509, .issuer = s.ca.x509, .store = s.store};
		time_t now = time(NULL), until = ocsp_until(&matter, response);
		char why[128];

		ck_assert_int_eq(ocsp_judge(&matter, der, length, why, sizeof(why)),
		    i == 0 ? OCSP_GOOD : OCSP_NOTHING);
		ck_assert_str_eq(why, i == 0 ? "" : "is out of date");
		ck_assert_int_eq(until > now, i == 0);
		ck_assert_int_lt(until, now + 86400);
		OCSP_RESPONSE_free(response);
		OPENSSL_free(der);
	}
	scene_clear(&s);
}
END_TEST

START_TEST(what_is_no_answer_says_nothing)
{
	struct scene s;
	char why[128];
	static const unsigned char later[] = {0x30, 0x03, 0x0a, 0x01, 0x03};
	struct ocsp_matter matter;

	scene_init(&s);
	matter = (struct ocsp_matter){
	    .certificate = s.leaf.x509, .issuer = s.ca.x509, .store = s.store};
	ck_assert_int_eq(
	    ocsp_judge(&matter, (const unsigned char *)"hello", 5, why, sizeof(why)),
	    OCSP_NOTHING);
	ck_assert_str_eq(why, "cannot be read");
	ck_assert_int_eq(
	    ocsp_judge(&matter, later, sizeof(later), why, sizeof(why)), OCSP_NOTHING);
	ck_assert_str_eq(why, "says trylater");
	scene_clear(&s);
}
END_TEST

START_TEST(a_demand_for_an_answer_is_read_from_the_certificate)
{
	struct certificate plain = certificate_make(&(struct certificate_wish){0});
	struct certificate demands =
	    certificate_make(&(struct certificate_wish){.feature = "status_request"});
	struct certificate other =
	    certificate_make(&(struct certificate_wish){.feature = "17"});

	ck_assert(!ocsp_must_staple(plain.x509));
	ck_assert(ocsp_must_staple(demands.x509));
	ck_assert(!ocsp_must_staple(other.x509));
	certificate_free(&plain);
	certificate_free(&demands);
	certificate_free(&other);
}
END_TEST

/* ---- stapled --------------------------------------------------------------------- */

struct staple {
	unsigned char *der;
	size_t length;
};

static int
give_staple(SSL *ssl, void *arg)
{
	const struct staple *staple = arg;

	if (staple->der == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	SSL_set_tlsext_status_ocsp_resp(
	    ssl, OPENSSL_memdup(staple->der, staple->length), (long)staple->length);
	return SSL_TLSEXT_ERR_OK;
}

/* The bench's server shows @leaf and this answer.  @words NULL: the client is content. */
static void
expect_staple(struct bench *b, const struct certificate *leaf, struct staple *staple,
    int error, const char *words)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct end client, server;

	free(certificate_write("server.crt", leaf, NULL));
	free(certificate_write_key("server.key", leaf, NULL));
	for (size_t i = 0; i < 2; i++) {
		SSL_CTX *client_context, *server_context;

		b->client.tls_max = versions[i];
		client_context = bench_context(&b->client);
		server_context = bench_context(&b->server);
		SSL_CTX_set_tlsext_status_cb(server_context, give_staple);
		SSL_CTX_set_tlsext_status_arg(server_context, staple);
		bench_connect(&client, client_context, &server, server_context, NULL);
		ck_assert_int_eq(client.verdict.verify_error, error);
		ck_assert_int_eq(client.done, words == NULL);
		if (words != NULL)
			ck_assert_msg(strstr(client.verdict.text, words) != NULL, "%s",
			    client.verdict.text);
		end_clear(&client);
		end_clear(&server);
		SSL_CTX_free(client_context);
		SSL_CTX_free(server_context);
	}
	OPENSSL_free(staple->der);
	*staple = (struct staple){NULL, 0};
}

START_TEST(a_stapled_answer_is_heeded_and_its_lack_where_it_is_demanded)
{
	struct bench b;
	struct certificate plain, demands;
	struct staple staple = {NULL, 0};

	bench_init(&b);
	plain = certificate_make_leaf("DNS:orders.apps.example", &b.ca);
	demands = certificate_make(
	    &(struct certificate_wish){.names = "DNS:orders.apps.example",
		.feature = "status_request",
		.issuer = &b.ca});
	expect_staple(&b, &plain, &staple, X509_V_OK, NULL);
	staple.der = certificate_ocsp(
	    &plain, &b.ca, &b.ca, V_OCSP_CERTSTATUS_REVOKED, 3600, &staple.length);
	expect_staple(&b, &plain, &staple, X509_V_ERR_CERT_REVOKED,
	    "that came with the certificate (DNS:orders.apps.example) says revoked: "
	    "keyCompromise");
	staple.der = certificate_ocsp(
	    &plain, &b.ca, &b.ca, V_OCSP_CERTSTATUS_GOOD, -3600, &staple.length);
	expect_staple(&b, &plain, &staple, X509_V_OK, NULL);
	expect_staple(&b, &demands, &staple, X509_V_ERR_OCSP_VERIFY_NEEDED,
	    "demands an OCSP answer along with it (must-staple), and that is missing");
	staple.der = certificate_ocsp(
	    &demands, &b.ca, &b.ca, V_OCSP_CERTSTATUS_GOOD, -3600, &staple.length);
	expect_staple(&b, &demands, &staple, X509_V_ERR_OCSP_VERIFY_NEEDED,
	    "and that is out of date");
	staple.der = certificate_ocsp(
	    &demands, &b.ca, &b.ca, V_OCSP_CERTSTATUS_GOOD, 3600, &staple.length);
	expect_staple(&b, &demands, &staple, X509_V_OK, NULL);
	certificate_free(&plain);
	certificate_free(&demands);
	bench_clear(&b);
}
END_TEST

START_TEST(a_server_shows_what_was_put_in_until_it_is_old)
{
	struct bench b;
	struct certificate demands;
	SSL_CTX *client_context, *server_context;
	struct tls_staple *ocsp_refresh;
	struct end client, server;
	size_t count, length;
	unsigned char *der;

	bench_init(&b);
	demands = certificate_make(
	    &(struct certificate_wish){.names = "DNS:orders.apps.example",
		.feature = "status_request",
		.issuer = &b.ca});
	free(certificate_write("server.crt", &demands, NULL));
	free(certificate_write_key("server.key", &demands, NULL));
	client_context = bench_context(&b.client);
	server_context = bench_context(&b.server);
	ocsp_refresh = tls_context_staples(server_context, &count);
	ck_assert_uint_eq(count, 1);
	ck_assert_int_eq(X509_cmp(ocsp_refresh[0].certificate, demands.x509), 0);
	ck_assert_int_eq(X509_cmp(ocsp_refresh[0].issuer, b.ca.x509), 0);
	for (int i = 0; i < 3; i++) { /* none; a good one; too old */
		der = certificate_ocsp(
		    &demands, &b.ca, &b.ca, V_OCSP_CERTSTATUS_GOOD, 3600, &length);
		if (i == 0)
			OPENSSL_free(der);
		else
			tls_staple_put(&ocsp_refresh[0], der, length,
			    time(NULL) + (i == 1 ? 3600 : -1));
		bench_connect(&client, client_context, &server, server_context, NULL);
		ck_assert_int_eq(client.done, i == 1);
		ck_assert_int_eq(client.verdict.stapled, i == 1);
		end_clear(&client);
		end_clear(&server);
	}
	SSL_CTX_free(client_context);
	SSL_CTX_free(server_context);
	certificate_free(&demands);
	bench_clear(&b);
}
END_TEST

START_TEST(a_staple_is_wanted_where_somebody_asks_for_it)
{
	struct bench b;
	SSL_CTX *context;
	size_t count;

	bench_init(&b);
	for (int i = 0; i < 3; i++) {
		b.server.ocsp_aia = i == 1;
		b.server.ocsp_url = i == 2 ? "http://127.0.0.1/" : NULL;
		context = bench_context(&b.server);
		(void)tls_context_staples(context, &count);
		ck_assert_uint_eq(count, i > 0);
		SSL_CTX_free(context);
	}
	bench_clear(&b);
}
END_TEST

START_TEST(an_answer_tells_until_when_it_holds)
{
	struct scene s;
	struct ocsp_matter matter;
	size_t length;
	unsigned char *der;
	const unsigned char *from;
	OCSP_RESPONSE *response;
	time_t now = time(NULL), until;

	scene_init(&s);
	matter = (struct ocsp_matter){
	    .certificate = s.leaf.x509, .issuer = s.ca.x509, .store = s.store};
	der = certificate_ocsp(
	    &s.leaf, &s.ca, &s.ca, V_OCSP_CERTSTATUS_GOOD, 7200, &length);
	from = der;
	response = d2i_OCSP_RESPONSE(NULL, &from, (long)length);
	until = ocsp_until(&matter, response);
	ck_assert(until >= now + 7200 && until <= time(NULL) + 7200);
	matter.certificate = s.other_leaf.x509;
	ck_assert_int_eq(ocsp_until(&matter, response), 0);
	OCSP_RESPONSE_free(response);
	OPENSSL_free(der);
	scene_clear(&s);
}
END_TEST

UNIT_MAIN("ocsp", an_answer_of_the_issuer_counts,
    an_answer_of_a_responder_counts_if_the_issuer_made_it_one, nobody_answers_for_himself,
    an_answer_that_is_old_or_about_somebody_else_says_nothing,
    an_answer_that_does_not_say_until_when_holds_for_a_day,
    what_is_no_answer_says_nothing, a_demand_for_an_answer_is_read_from_the_certificate,
    a_stapled_answer_is_heeded_and_its_lack_where_it_is_demanded,
    a_server_shows_what_was_put_in_until_it_is_old,
    a_staple_is_wanted_where_somebody_asks_for_it, an_answer_tells_until_when_it_holds)
