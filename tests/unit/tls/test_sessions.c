#include "tests/unit/tls_bench.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY "00112233445566778899aabbccddeeff"
#define OTHER "ff112233445566778899aabbccddeeff"

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static char key[] = KEY KEY;
static char mac[] = OTHER;
static char other[] = OTHER KEY;

/* A server of @b gave a session; is it taken up by the server that @b has by then?  The
 * first is gone by then, as after a restart. */
static bool
outlives(struct bench *b, void (*meanwhile)(struct bench *b))
{
	SSL_CTX *client_context = bench_context(&b->client);
	SSL_CTX *server_context = bench_context(&b->server);
	struct end client, server;
	SSL_SESSION *session;
	bool resumed;

	bench_connect(&client, client_context, &server, server_context, NULL);
	ck_assert(client.done && server.done);
	ck_assert_ptr_nonnull(client.session);
	session = SSL_SESSION_dup(client.session);
	end_clear(&client);
	end_clear(&server);
	SSL_CTX_free(server_context);
	if (meanwhile != NULL)
		meanwhile(b);
	server_context = bench_context(&b->server);
	bench_connect(&client, client_context, &server, server_context, session);
	ck_assert(client.done && server.done);
	resumed = SSL_session_reused(server.ssl);
	ck_assert_ptr_nonnull(SSL_get0_peer_certificate(server.ssl));
	SSL_SESSION_free(session);
	end_clear(&client);
	end_clear(&server);
	SSL_CTX_free(server_context);
	SSL_CTX_free(client_context);
	return resumed;
}

static void
bench_init_tickets(struct bench *b, int version)
{
	bench_init(b);
	b->client.tls_max = version;
	b->server.ticket_key_secret = key;
	b->server.ticket_mac_secret = mac;
}

START_TEST(without_secrets_a_session_ends_with_its_server)
{
	struct bench b;

	for (size_t i = 0; i < 2; i++) {
		bench_init_tickets(&b, versions[i]);
		b.server.ticket_key_secret = b.server.ticket_mac_secret = NULL;
		ck_assert(!outlives(&b, NULL));
		bench_clear(&b);
	}
}
END_TEST

START_TEST(with_secrets_a_ticket_outlives_its_server)
{
	struct bench b;

	for (size_t i = 0; i < 2; i++) {
		bench_init_tickets(&b, versions[i]);
		ck_assert(outlives(&b, NULL));
		bench_clear(&b);
	}
}
END_TEST

static void
change_key(struct bench *b)
{
	b->server.ticket_key_secret = other;
}

static void
change_mac(struct bench *b)
{
	b->server.ticket_mac_secret = key;
}

static void
change_name(struct bench *b)
{
	b->server.name = "other";
}

static void
add_rule(struct bench *b)
{
	static char host[] = "host.legacy.example", *item = host;

	b->server.check_host = (struct strlist){.items = &item, .count = 1};
}

static void
ask_ocsp(struct bench *b)
{
	b->server.ocsp_aia = true;
}

static void
add_ca(struct bench *b)
{
	struct certificate ca = certificate_make(
	    &(struct certificate_wish){.common_name = "more", .is_ca = true});

	free(certificate_write("ca.crt", &b->ca, &ca));
	certificate_free(&ca);
}

static void
add_list(struct bench *b)
{
	b->server.crl_file = certificate_write_crl("crl.pem", &b->ca, NULL, 3600);
}

START_TEST(a_ticket_counts_under_the_same_secrets_rules_and_trust_alone)
{
	void (*const changes[])(struct bench * b) = {
	    change_key, change_mac, change_name, add_rule, add_ca, add_list, ask_ocsp};
	struct bench b;

	for (size_t i = 0; i < 2; i++)
		for (size_t j = 0; j < sizeof(changes) / sizeof(changes[0]); j++) {
			bench_init_tickets(&b, versions[i]);
			ck_assert_msg(!outlives(&b, changes[j]), "change %zu", j);
			free(b.server.crl_file);
			bench_clear(&b);
		}
}
END_TEST

/* A CA in the server's folder of hashed names; returns its path there. */
static char *
put_into_folder(const struct certificate *ca, const char *folder)
{
	char name[64];

	snprintf(
	    name, sizeof(name), "%s/%08lx.0", folder, X509_subject_name_hash(ca->x509));
	return certificate_write(name, ca, NULL);
}

static char *another_ca;

static void
take_it_out(struct bench *b)
{
	(void)b;
	ck_assert_int_eq(unlink(another_ca), 0);
}

static void
put_it_back(struct bench *b)
{
	(void)b;
	free(put_into_folder(&b->ca, "cas"));
}

START_TEST(a_ticket_counts_while_the_folder_of_cas_holds_the_same)
{
	struct certificate more = certificate_make(
	    &(struct certificate_wish){.common_name = "more", .is_ca = true});
	struct bench b;

	for (size_t i = 0; i < 2; i++) {
		char *own;

		bench_init_tickets(&b, versions[i]);
		free(b.server.ca_file);
		b.server.ca_file = NULL;
		b.server.ca_path = certificates_path("cas");
		ck_assert_int_eq(mkdir(b.server.ca_path, 0700), 0);
		own = put_into_folder(&b.ca, "cas");
		another_ca = put_into_folder(&more, "cas");
		ck_assert(outlives(&b, put_it_back)); /* another file, the same in it */
		ck_assert(!outlives(&b, take_it_out));
		ck_assert(outlives(&b, NULL));
		unlink(own);
		rmdir(b.server.ca_path);
		free(own);
		free(another_ca);
		free(b.server.ca_path);
		b.server.ca_path = NULL;
		bench_clear(&b);
	}
	certificate_free(&more);
}
END_TEST

/* The client comes by the key "orders" and gets a ticket; then the server has @later. */
static bool
outlives_keys(const char *later)
{
	struct bench b;
	SSL_CTX *client_context, *server_context;
	struct end client, server;
	SSL_SESSION *session;
	bool resumed;

	bench_init_tickets(&b, TLS1_2_VERSION); /* in TLS 1.3 it would get none */
	b.client.psk_secrets = certificates_write_text("client.psk", "orders:" KEY "\n");
	b.server.psk_secrets =
	    certificates_write_text("server.psk", "stock:" OTHER "\norders:" KEY "\n");
	client_context = bench_context(&b.client);
	server_context = bench_context(&b.server);
	bench_connect(&client, client_context, &server, server_context, NULL);
	ck_assert(client.done && server.done);
	ck_assert_str_eq(SSL_get_psk_identity(server.ssl), "orders");
	session = SSL_SESSION_dup(client.session);
	end_clear(&client);
	end_clear(&server);
	SSL_CTX_free(server_context);
	free(certificates_write_text("server.psk", later));
	server_context = bench_context(&b.server);
	bench_connect(&client, client_context, &server, server_context, session);
	resumed = server.done && SSL_session_reused(server.ssl);
	SSL_SESSION_free(session);
	end_clear(&client);
	end_clear(&server);
	SSL_CTX_free(server_context);
	SSL_CTX_free(client_context);
	free(b.client.psk_secrets);
	free(b.server.psk_secrets);
	bench_clear(&b);
	return resumed;
}

START_TEST(a_ticket_of_who_came_by_a_key_counts_while_the_keys_are_the_same)
{
	ck_assert(outlives_keys("stock:" OTHER "\norders:" KEY "\n"));
	ck_assert(!outlives_keys("stock:" OTHER "\n"));
	ck_assert(!outlives_keys("stock:" OTHER "\norders:" OTHER "\n"));
	ck_assert(!outlives_keys("stock:" OTHER "\nothers:" KEY "\n"));
}
END_TEST

START_TEST(a_ticket_is_no_ticket_when_it_is_forged)
{
	struct bench b;
	SSL_CTX *client_context, *server_context;
	struct end client, server;
	unsigned char *der = NULL, *ticket;
	const unsigned char *from, *found;
	SSL_SESSION *forged;
	size_t length;
	int n;

	bench_init_tickets(&b, TLS1_2_VERSION);
	client_context = bench_context(&b.client);
	server_context = bench_context(&b.server);
	bench_connect(&client, client_context, &server, server_context, NULL);
	SSL_SESSION_get0_ticket(client.session, &found, &length);
	ck_assert_uint_gt(length, 100);
	n = i2d_SSL_SESSION(client.session, &der);
	ticket = memmem(der, (size_t)n, found, length);
	ck_assert_ptr_nonnull(ticket);
	ticket[length / 2] ^= 1;
	from = der;
	forged = d2i_SSL_SESSION(NULL, &from, n);
	end_clear(&client);
	end_clear(&server);
	bench_connect(&client, client_context, &server, server_context, forged);
	ck_assert(server.done && !SSL_session_reused(server.ssl));
	end_clear(&client);
	end_clear(&server);
	SSL_SESSION_free(forged);
	OPENSSL_free(der);
	SSL_CTX_free(client_context);
	SSL_CTX_free(server_context);
	bench_clear(&b);
}
END_TEST

START_TEST(who_resumes_nothing_gives_nothing_to_resume)
{
	struct bench b;
	struct end client, server;

	for (size_t i = 0; i < 4; i++) {
		bench_init_tickets(&b, versions[i % 2]);
		(i / 2 == 0 ? &b.server : &b.client)->session_resume = false;
		bench_meet(&b, &client, &server);
		ck_assert(client.done && server.done);
		ck_assert_int_eq(client.sessions, 0);
		end_clear(&client);
		end_clear(&server);
		bench_clear(&b);
	}
}
END_TEST

START_TEST(a_server_that_asks_ocsp_about_its_clients_gives_nothing_to_resume)
{
	static char *item = "-NO_TICKET";
	struct bench b;
	struct end client, server;

	for (size_t i = 0; i < 8; i++) {
		bench_init_tickets(&b, versions[i % 2]);
		b.server.ocsp_aia = i / 2 % 2 == 0;
		b.server.ocsp_url = i / 2 % 2 == 0 ? NULL : "http://127.0.0.1/";
		b.server.options = (struct strlist){.items = &item, .count = i / 4};
		bench_meet(&b, &client, &server);
		ck_assert(client.done && server.done);
		ck_assert_msg(
		    client.session == NULL || !SSL_SESSION_is_resumable(client.session),
		    "case %zu", i);
		end_clear(&client);
		end_clear(&server);
		bench_clear(&b);
	}
}
END_TEST

START_TEST(a_cache_is_as_large_and_as_old_as_it_may_be)
{
	struct bench b;
	SSL_CTX *context;

	bench_init(&b);
	b.server.session_cache_size = 7;
	b.server.session_cache_timeout = 11;
	context = bench_context(&b.server);
	ck_assert_int_eq(SSL_CTX_sess_get_cache_size(context), 7);
	ck_assert_int_eq(SSL_CTX_get_timeout(context), 11);
	SSL_CTX_free(context);
	bench_clear(&b);
}
END_TEST

UNIT_MAIN("tls_sessions", without_secrets_a_session_ends_with_its_server,
    with_secrets_a_ticket_outlives_its_server,
    a_ticket_counts_under_the_same_secrets_rules_and_trust_alone,
    a_ticket_counts_while_the_folder_of_cas_holds_the_same,
    a_ticket_of_who_came_by_a_key_counts_while_the_keys_are_the_same,
    a_ticket_is_no_ticket_when_it_is_forged, who_resumes_nothing_gives_nothing_to_resume,
    a_server_that_asks_ocsp_about_its_clients_gives_nothing_to_resume,
    a_cache_is_as_large_and_as_old_as_it_may_be)
