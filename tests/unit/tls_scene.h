/*
 * Two struct tls that meet over a socket pair, for the tests of TLS connections.
 */
#ifndef TESTS_UNIT_TLS_SCENE_H
#define TESTS_UNIT_TLS_SCENE_H

#include "common/tls/conn_internal.h"
#include "tests/unit/tls_bench.h"

/** `bench` says who they are. */
struct tls_scene {
	struct bench bench;
	struct ev_loop *loop;
	struct reactor reactor;
	SSL_CTX *client_context, *server_context;
	struct tls client, server;
	int fds[2];           /* the client's, the server's */
	SSL_SESSION *session; /* the newest that the client was given */
	int sessions;
	bool offers_h2;
};

/** @version: the latest of TLS for both, TLS1_2_VERSION or TLS1_3_VERSION. */
void tls_scene_init(struct tls_scene *s, int version);

/** New connections of the same two services. */
void tls_scene_open(struct tls_scene *s, SSL_SESSION *session);

/** Both connections alone; those who had them may open anew. */
void tls_scene_close(struct tls_scene *s);

/** All of it, connections as well. */
void tls_scene_clear(struct tls_scene *s);

/** As far as both come.  No scratch space may be left in use between two calls. */
void tls_scene_shake(struct tls_scene *s);

/** Open, and the handshake to its end; @session: the one to offer, or NULL. */
void tls_scene_meet(struct tls_scene *s, SSL_SESSION *session);

/** All of it is taken. */
void tls_scene_give(struct tls *t, const void *bytes, size_t length);

/** Just @bytes came, and the state is what they end in. */
enum tls_state tls_scene_take(struct tls *t, const char *bytes);

/** Until there is no room.  Returns how many bytes. */
size_t tls_scene_fill(struct tls *t);

/** Returns how many bytes came. */
size_t tls_scene_take_some(struct tls *t);

/** It broke for @reason, with @words among the detail. */
void tls_scene_expect(const struct tls *t, enum reason reason, const char *words);

/** How many bytes wait to be read from a socket. */
ssize_t tls_scene_waiting(int fd);

#endif
