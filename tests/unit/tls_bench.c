#include "tests/unit/tls_bench.h"

#include <check.h>
#include <openssl/err.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
bench_give_certificate(
    struct service_settings *s, const char *names, const struct certificate *ca)
{
	struct certificate leaf = certificate_make_leaf(names, ca);
	const char *role = s->role == ROLE_CLIENT ? "client" : "server";
	char cert[32], key[32];

	bench_take_certificates(s);
	snprintf(cert, sizeof(cert), "%s.crt", role);
	snprintf(key, sizeof(key), "%s.key", role);
	bench_add_pair(s, certificate_write(cert, &leaf, NULL),
	    certificate_write_key(key, &leaf, NULL));
	certificate_free(&leaf);
}

void
bench_take_certificates(struct service_settings *s)
{
	strlist_clear(&s->cert);
	strlist_clear(&s->key);
}

void
bench_add_pair(struct service_settings *s, char *cert, char *key)
{
	ck_assert(strlist_add(&s->cert, cert) && strlist_add(&s->key, key));
	free(cert);
	free(key);
}

void
bench_init(struct bench *b)
{
	static char host[] = "orders.apps.example";

	*b = (struct bench){.ca = certificate_make_ca(), .host = host};
	b->server = (struct service_settings){.name = "orders",
	    .role = ROLE_SERVER,
	    .verify_chain = true,
	    .ask_cert = true,
	    .require_cert = true,
	    .security_level = 2,
	    .session_resume = true,
	    .session_cache_size = 1000,
	    .session_cache_timeout = 300,
	    .tls_min = TLS1_2_VERSION,
	    .keepalive = 30,
	    .keepalive_timeout = 10};
	b->client = (struct service_settings){.name = "orders",
	    .role = ROLE_CLIENT,
	    .verify_chain = true,
	    .security_level = 2,
	    .session_resume = true,
	    .session_cache_timeout = 300,
	    .check_host = {.items = &b->host, .count = 1},
	    .tls_min = TLS1_2_VERSION,
	    .keepalive = 30,
	    .keepalive_timeout = 10};
	b->server.ca_file = certificate_write("ca.crt", &b->ca, NULL);
	b->client.ca_file = strdup(b->server.ca_file);
	bench_give_certificate(&b->server, "DNS:orders.apps.example", &b->ca);
	bench_give_certificate(&b->client, "DNS:host.legacy.example", &b->ca);
}

void
bench_clear(struct bench *b)
{
	struct service_settings *both[] = {&b->server, &b->client};

	for (size_t i = 0; i < 2; i++) {
		bench_take_certificates(both[i]);
		free(both[i]->ca_file);
	}
	certificate_free(&b->ca);
}

SSL_CTX *
bench_context(const struct service_settings *s)
{
	struct err e = {.text = ""};
	SSL_CTX *context = tls_context_new(s, &e);

	ck_assert_msg(context != NULL, "%s", e.text);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	ck_assert_ptr_eq(tls_context_settings(context), s);
	return context;
}

static bool
keep_session(struct tls_observer *observer, SSL_SESSION *session)
{
	struct end *end =
	    (struct end *)((char *)observer - offsetof(struct end, observer));

	SSL_SESSION_free(end->session);
	end->session = session;
	end->sessions++;
	return true;
}

void
end_step(struct end *end)
{
	char byte;
	int n;

	if (end->error != 0)
		return;
	ERR_clear_error();
	n = end->done ? SSL_read(end->ssl, &byte, 1) : SSL_do_handshake(end->ssl);
	if (n > 0)
		end->done = true;
	else if (SSL_get_error(end->ssl, n) != SSL_ERROR_WANT_READ)
		end->error = ERR_GET_REASON(ERR_peek_last_error());
	ERR_clear_error();
}

static void
end_init(struct end *end, SSL_CTX *context, BIO *bio)
{
	*end = (struct end){.ssl = SSL_new(context)};
	ck_assert_ptr_nonnull(end->ssl);
	end->observer.verdict = &end->verdict;
	end->observer.on_session = keep_session;
	tls_context_attach(end->ssl, &end->observer);
	SSL_set_bio(end->ssl, bio, bio);
}

void
end_clear(struct end *end)
{
	SSL_set_shutdown(end->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(end->ssl);
	SSL_SESSION_free(end->session);
}

void
bench_connect(struct end *client, SSL_CTX *client_context, struct end *server,
    SSL_CTX *server_context, SSL_SESSION *session)
{
	BIO *near_bio;
	BIO *far_bio;

	ck_assert_int_eq(BIO_new_bio_pair(&near_bio, 65536, &far_bio, 65536), 1);
	end_init(client, client_context, near_bio);
	end_init(server, server_context, far_bio);
	SSL_set_connect_state(client->ssl);
	SSL_set_accept_state(server->ssl);
	if (session)
		ck_assert_int_eq(SSL_set_session(client->ssl, session), 1);
	for (int i = 0; i < 10; i++) {
		end_step(client);
		end_step(server);
	}
}

void
bench_meet(const struct bench *b, struct end *client, struct end *server)
{
	SSL_CTX *client_context = bench_context(&b->client);
	SSL_CTX *server_context = bench_context(&b->server);

	bench_connect(client, client_context, server, server_context, NULL);
	SSL_CTX_free(client_context);
	SSL_CTX_free(server_context);
}

void
expect_agreement(const struct bench *b)
{
	struct end client;
	struct end server;

	bench_meet(b, &client, &server);
	ck_assert_msg(client.error == 0, "%d %s", client.error, client.verdict.text);
	ck_assert_msg(server.error == 0, "%d %s", server.error, server.verdict.text);
	ck_assert(client.done && server.done);
	end_clear(&client);
	end_clear(&server);
}

void
expect_refusal(
    const struct bench *b, enum role by, int error, int alert, const char *words)
{
	struct end client;
	struct end server;
	const struct end *judge = by == ROLE_CLIENT ? &client : &server;
	const struct end *other = by == ROLE_CLIENT ? &server : &client;

	bench_meet(b, &client, &server);
	ck_assert_int_eq(judge->error, SSL_R_CERTIFICATE_VERIFY_FAILED);
	ck_assert(judge->verdict.judged);
	ck_assert_int_eq(judge->verdict.verify_error, error);
	ck_assert_msg(strstr(judge->verdict.text, words) != NULL, "\"%s\" in \"%s\"",
	    words, judge->verdict.text);
	ck_assert_int_eq(other->error, 1000 + alert);
	end_clear(&client);
	end_clear(&server);
}

void
expect_error(const struct service_settings *s, const char *words)
{
	struct err e = {.text = ""};

	ck_assert_ptr_null(tls_context_new(s, &e));
	ck_assert_msg(strstr(e.text, words) != NULL, "\"%s\" in \"%s\"", words, e.text);
	ck_assert_ptr_null(strchr(e.text, '\n'));
	ck_assert_uint_eq(ERR_peek_error(), 0);
}
