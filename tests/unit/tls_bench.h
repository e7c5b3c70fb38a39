/*
 * Two services, one of each role, whose TLS ends meet in memory: for tests of what a
 * context does.  Whatever fails here fails the test.
 */
#ifndef TESTS_UNIT_TLS_BENCH_H
#define TESTS_UNIT_TLS_BENCH_H

#include "common/tls/context.h"
#include "tests/unit/certificates.h"

#include <stdbool.h>

/** One end of a connection whose other end is in the same process. */
struct end {
	SSL *ssl;
	struct tls_observer observer;
	struct tls_verdict verdict;
	SSL_SESSION *session; /* the newest that the server gave */
	int sessions;         /* how many it gave */
	bool done;            /* the handshake is over */
	int error;            /* OpenSSL's reason, or 0; 1000 and the peer's alert */
};

/** A CA, and a service of each role with a certificate of it: both verify, and the client
 * wants the name orders.apps.example.  The test bends them. */
struct bench {
	struct certificate ca;
	char *host;
	struct service_settings server;
	struct service_settings client;
};

void bench_init(struct bench *b);
void bench_clear(struct bench *b);

/** From now on @s shows a certificate with these names. */
void bench_give_certificate(
    struct service_settings *s, const char *names, const struct certificate *ca);

/** From now on it has none, until bench_add_pair() adds the files of one, whose paths are
 * freed. */
void bench_take_certificates(struct service_settings *s);
void bench_add_pair(struct service_settings *s, char *cert, char *key);

/** The context of @s, which the caller frees. */
SSL_CTX *bench_context(const struct service_settings *s);

/** The handshake, and what comes right behind it.  @session NULL: a full one.  The caller
 * clears both ends. */
void bench_connect(struct end *client, SSL_CTX *client_context, struct end *server,
    SSL_CTX *server_context, SSL_SESSION *session);

/** As far as one end comes with what it has. */
void end_step(struct end *end);
void end_clear(struct end *end);

/** bench_connect() with contexts made for it. */
void bench_meet(const struct bench *b, struct end *client, struct end *server);

/** The two meet and agree. */
void expect_agreement(const struct bench *b);

/** @by refuses the other's certificate with this X509_V_ERR and these words, and the
 * other one gets this alert. */
void expect_refusal(
    const struct bench *b, enum role by, int error, int alert, const char *words);

/** No context is made of @s, and all of @words are in what is said. */
void expect_error(const struct service_settings *s, const char *words);

#endif
