/*
 * What the files of one TLS connection share.
 *
 *	conn		life, reading, writing
 *	handshake	its steps, who the peer is, which context a client asks for
 *	hello		how large a ClientHello claims to be
 *	bio		how OpenSSL gets the bytes of a turn and gives up its own
 *	key_update	KeyUpdates: heartbeats and answers; too many messages of a peer
 *	errors		what went wrong, as a reason and in words
 *	plaintext	what came that is no TLS
 */
#ifndef COMMON_TLS_CONN_INTERNAL_H
#define COMMON_TLS_CONN_INTERNAL_H

#include "common/tls/conn.h"

/* ---- conn.c ---------------------------------------------------------------------- */

/** An SSL of @context for this connection.  NULL: out of memory. */
SSL *tls_new_ssl(struct tls *t, SSL_CTX *context);

/** Give OpenSSL what was kept, else what the socket has; at most @most bytes. */
void tls_receive(struct tls *t, size_t most);

/** Keep what OpenSSL did not read in this turn. */
void tls_put_back(struct tls *t);

/** The last SSL call failed: is that an end, or only the end of what has arrived? */
void tls_judge(struct tls *t, int result);

/* ---- handshake.c ----------------------------------------------------------------- */

/** What is asked and told while OpenSSL shakes hands comes here. */
void tls_handshake_init(struct tls *t);

/* ---- hello.c --------------------------------------------------------------------- */

enum {
	/** The largest ClientHello that is taken, in bytes. */
	TLS_HELLO_MOST = 32 * 1024,
};

/** Server, in the handshake: look at what OpenSSL is about to read.  False: a ClientHello
 * claims to be larger than TLS_HELLO_MOST. */
bool tls_hello_look(struct tls *t, const uint8_t *bytes, size_t n);

/* ---- bio.c ----------------------------------------------------------------------- */

/** A BIO that reads t->input and writes to the reactor's `out`.  NULL: out of memory. */
BIO *tls_bio_new(struct tls *t);

/** Keep what was written in this turn behind what is kept already.  False: out of memory.
 */
bool tls_bio_put_aside(struct tls *t);

/* ---- key_update.c ---------------------------------------------------------------- */

/** Count the peer's messages on @ssl, which is to be t->ssl, once the handshake is done;
 * `flooded` when it sends too many. */
void tls_key_update_watch(struct tls *t, SSL *ssl);

/** The peer asked for a KeyUpdate: send one, unless it must wait for kept bytes. */
void tls_key_update_answer(struct tls *t);

/* ---- errors.c -------------------------------------------------------------------- */

/** Note why the connection broke.  The first reason wins. */
void tls_blame(struct tls *t, enum reason reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** OpenSSL gave up: its error queue says why, and is empty behind this. */
void tls_blame_openssl(struct tls *t);

/** Chain or names were refused inside the handshake. */
void tls_blame_certificate(struct tls *t, const struct tls_verdict *v);

/** TCP ended before TLS did, or failed. */
void tls_blame_tcp(struct tls *t);

/** The SNI, or words for none. */
const char *tls_sni(const struct tls *t);

/* ---- plaintext.c ----------------------------------------------------------------- */

/** In the handshake: did the peer begin with something that is no TLS record? */
bool tls_plaintext_came(const struct tls *t);

/** Blame the peer for it; @why: in OpenSSL's words. */
void tls_blame_plaintext(struct tls *t, const char *why);

#endif
