#include "common/pki/own_chain.h"
#include "tests/unit/tls_bench.h"
#include "tests/unit/unit.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	DAY = 86400,
};

/* A server with files of its own, and what is said of them. */
struct scene {
	struct bench bench;
	char text[2048]; /* all that was told, a line each */
	int count, bad;
	struct own_expiry first;
};

static void
take(void *owner, bool bad, const char *text)
{
	struct scene *x = owner;
	size_t n = strlen(x->text);

	x->count++;
	x->bad += bad;
	snprintf(x->text + n, sizeof(x->text) - n, "%s\n", text);
}

/* The leaf in front of @more, which ends with NULL. */
static void
write_server(const struct certificate *leaf, const struct certificate *const *more)
{
	char *path = certificate_write("server.crt", leaf, NULL);
	FILE *file = fopen(path, "a");

	for (; *more != NULL; more++)
		ck_assert_int_eq(PEM_write_X509(file, (*more)->x509), 1);
	ck_assert_int_eq(fclose(file), 0);
	free(path);
	free(certificate_write_key("server.key", leaf, NULL));
}

static void
look(struct scene *x)
{
	const struct own_chain_listener listener = {take, x};
	SSL_CTX *context = bench_context(&x->bench.server);

	x->text[0] = '\0';
	x->count = x->bad = 0;
	own_chain_check(context, &x->bench.server, &listener);
	own_chain_expiry(context, &x->first);
	SSL_CTX_free(context);
}

static void
expect_first(const struct scene *x, long ends, const char *subject)
{
	ck_assert_int_lt(labs((long)x->first.at - (long)time(NULL) - ends), 600);
	ck_assert_msg(strstr(x->first.text, subject) != NULL, "%s", x->first.text);
	ck_assert_msg(
	    strstr(x->first.text, "/server.crt: ") != NULL, "%s", x->first.text);
}

static struct certificate
make(const char *name, bool ca, long ends, const struct certificate *issuer)
{
	return certificate_make(&(struct certificate_wish){.common_name = name,
	    .is_ca = ca,
	    .begins = -2 * DAY,
	    .ends = ends,
	    .issuer = issuer});
}

START_TEST(what_the_leaf_does_not_need_counts_for_nothing)
{
	struct scene x;
	struct certificate old_root, foreign, middle, leaf;

	bench_init(&x.bench);
	old_root = make("old root", true, -DAY, NULL);
	foreign = make("foreign", true, -DAY, &old_root);
	middle = make("middle", true, 20 * DAY, &x.bench.ca);
	leaf = make("leaf", false, 50 * DAY, &middle);
	write_server(&leaf,
	    (const struct certificate *const[]){&middle, &foreign, &old_root, NULL});
	look(&x);
	expect_first(&x, 20 * DAY, ": CN=middle");
	ck_assert_msg(x.count == 0, "%s", x.text);
	certificate_free(&leaf);
	certificate_free(&middle);
	certificate_free(&foreign);
	certificate_free(&old_root);
	bench_clear(&x.bench);
}
END_TEST

START_TEST(an_issuer_that_was_renewed_counts_with_its_new_certificate)
{
	struct scene x;
	struct certificate middle, old, leaf;

	bench_init(&x.bench);
	middle = make("middle", true, 20 * DAY, &x.bench.ca);
	leaf = make("leaf", false, 50 * DAY, &middle);
	/* The same name and key. */
	old = (struct certificate){X509_dup(middle.x509), middle.key};
	ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notAfter(old.x509), -DAY));
	ck_assert_int_gt(X509_sign(old.x509, x.bench.ca.key, EVP_sha256()), 0);
	write_server(&leaf, (const struct certificate *const[]){&old, &middle, NULL});
	look(&x);
	expect_first(&x, 20 * DAY, ": CN=middle");
	ck_assert_msg(x.count == 0, "%s", x.text);
	X509_free(old.x509);
	certificate_free(&leaf);
	certificate_free(&middle);
	bench_clear(&x.bench);
}
END_TEST

START_TEST(a_chain_out_of_date_is_told_with_file_and_subject)
{
	struct scene x;
	struct certificate middle, leaf;

	bench_init(&x.bench);
	middle = make("middle", true, -DAY, &x.bench.ca);
	leaf = certificate_make(&(struct certificate_wish){
	    .common_name = "leaf", .begins = DAY, .ends = 2 * DAY, .issuer = &middle});
	write_server(&leaf, (const struct certificate *const[]){&middle, NULL});
	look(&x);
	expect_first(&x, -DAY, ": CN=middle");
	ck_assert_msg(x.count == 2 && x.bad == 2, "%s", x.text);
	ck_assert_ptr_nonnull(strstr(x.text, "/server.crt: CN=leaf is valid only from "));
	ck_assert_ptr_nonnull(strstr(x.text, "/server.crt: CN=middle expired on "));
	certificate_free(&leaf);
	certificate_free(&middle);
	bench_clear(&x.bench);
}
END_TEST

START_TEST(a_file_without_its_intermediate_is_told_and_no_other)
{
	static const struct certificate *const none[] = {NULL};
	struct scene x;
	struct certificate middle, leaf, direct, alone;

	bench_init(&x.bench);
	middle = make("middle", true, 20 * DAY, &x.bench.ca);
	leaf = make("leaf", false, 50 * DAY, &middle);
	direct = make("direct", false, 50 * DAY, &x.bench.ca);
	alone = make("alone", false, 50 * DAY, NULL);
	write_server(&leaf, none);
	look(&x);
	ck_assert_msg(x.count == 1 && x.bad == 0, "%s", x.text);
	ck_assert_ptr_nonnull(strstr(x.text,
	    "/server.crt: no certificate of CN=middle, which issued CN=leaf, is in it"));
	write_server(&leaf, (const struct certificate *const[]){&middle, NULL});
	look(&x);
	ck_assert_msg(x.count == 0, "%s", x.text);
	write_server(&direct, none);
	look(&x);
	ck_assert_msg(x.count == 0, "%s", x.text);
	write_server(&alone, none);
	look(&x);
	ck_assert_msg(x.count == 0, "%s", x.text);
	certificate_free(&alone);
	certificate_free(&direct);
	certificate_free(&leaf);
	certificate_free(&middle);
	bench_clear(&x.bench);
}
END_TEST

START_TEST(without_a_certificate_there_is_no_date)
{
	struct scene x;

	bench_init(&x.bench);
	bench_take_certificates(&x.bench.client);
	SSL_CTX *context = bench_context(&x.bench.client);

	own_chain_expiry(context, &x.first);
	ck_assert_int_eq(x.first.at, 0);
	SSL_CTX_free(context);
	bench_clear(&x.bench);
}
END_TEST

UNIT_MAIN("own_chain", what_the_leaf_does_not_need_counts_for_nothing,
    an_issuer_that_was_renewed_counts_with_its_new_certificate,
    a_chain_out_of_date_is_told_with_file_and_subject,
    a_file_without_its_intermediate_is_told_and_no_other,
    without_a_certificate_there_is_no_date)
