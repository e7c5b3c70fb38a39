/*
 * What the files of one TLS connection share.
 *
 *	tls		life, handshake, reading, writing
 *	tls_bio		how OpenSSL gets the bytes of a turn and gives up its own
 *	tls_update	KeyUpdates: heartbeats, answers, and too many of them
 *	tls_blame	what went wrong, as a reason and in words
 */
#ifndef COMMON_TLS_INSIDE_H
#define COMMON_TLS_INSIDE_H

#include "common/tls.h"

/* ---- tls_bio.c ------------------------------------------------------------------- */

/** A BIO that reads t->input and writes to the reactor's `out`.  NULL: out of memory. */
BIO *tls_bio_new(struct tls *t);

/** Keep what was written in this turn behind what is kept already.  False: out of memory.
 */
bool tls_bio_put_aside(struct tls *t);

/* ---- tls_update.c ---------------------------------------------------------------- */

/** Count the peer's KeyUpdates on @ssl, which is to be t->ssl; `flooded` when it sends
 * too many. */
void tls_update_watch(struct tls *t, SSL *ssl);

/** The peer asked for a KeyUpdate: send one, unless it must wait for kept bytes. */
void tls_update_answer(struct tls *t);

/* ---- tls_blame.c ----------------------------------------------------------------- */

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

#endif
