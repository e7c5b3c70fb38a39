/*
 * One TLS connection over one socket, worked in batches: everything that arrived is
 * decrypted in one go, everything given is encrypted in one go and sent by one call.
 *
 * OpenSSL never touches the socket; a BIO of ours hands it the bytes of this turn.  So no
 * SSL call ever blocks half-way, and the end of the TCP connection is ours to judge.
 * Each SSL call is judged once, right behind it, and the verdict kept; nobody else
 * calls SSL_get_error().
 *
 *	HANDSHAKE --done--> OPEN --close_notify came--> FINISHED
 *	  any state --alert, bad record, TCP ended or failed--> BROKEN
 *
 * This is the reading side.  The writing side is open until finish, abort or `deaf`.
 * Used by one thread.
 */
#ifndef COMMON_TLS_CONN_H
#define COMMON_TLS_CONN_H

#include "common/base/buf.h"
#include "common/base/batch.h"
#include "common/base/reason.h"
#include "common/net/reactor.h"
#include "common/tls/context.h"

#include <openssl/ssl.h>

enum tls_state {
	TLS_HANDSHAKE,
	TLS_OPEN,
	TLS_FINISHED,
	TLS_BROKEN
};

enum {
	/** Room for a failure in words, with the names of a certificate in them. */
	TLS_DETAIL_SIZE = 1024,
	/** Bytes that are kept of what a peer sends first. */
	TLS_FIRST_SIZE = 32,
};

/** Where a client's records and the messages in them stand; of hello.c. */
struct tls_hello_size {
	uint8_t record[5], message[4]; /* headers, as far as they have come */
	uint8_t record_count, message_count;
	uint8_t messages; /* whose headers have come */
	bool too_large;
	size_t record_left, message_left; /* bytes behind the headers */
};

struct tls {
	SSL *ssl;
	struct reactor *reactor;
	struct tls_observer observer;
	int fd;
	enum tls_state state;
	/** Client: keep a session for later; NULL: none is kept.  The callee frees it. */
	void (*keep_session)(void *keeper, SSL_SESSION *session);
	void *keeper;
	/** Server: the context for a client that asks for @name ("": for none), which may
	 * be another than this began with.  NULL: none, for @reason; SNI_UNKNOWN is told
	 * to the client, else it sees an end before ServerHello.  NULL: the one it began
	 * with. */
	SSL_CTX *(*choose)(void *chooser, const char *name, enum reason *reason);
	void *chooser;
	char *asked;     /* the name, until the handshake is done */
	SSL_CTX *chosen; /* not the one it began with, which is to be left now */
	struct buf
	    hello; /* what OpenSSL has read, until there is nothing to choose any more */

	struct tls_hello_size hello_size;

	struct buf in;        /* ciphertext that came too early to be read */
	struct buf out;       /* ciphertext that the socket did not take */
	const uint8_t *input; /* what OpenSSL may read in this call */
	size_t input_left;
	size_t scratch_used;    /* ciphertext in the reactor's `out`, not sent yet */
	size_t handshake_bytes; /* that came; nobody needs very many */
	uint8_t first[TLS_FIRST_SIZE]; /* of these */

	bool dry;         /* the last take left nothing in the socket */
	bool heard;       /* some byte came from the peer */
	bool heard_since; /* the same, since the handshake was done */
	bool read_bytes;  /* some byte of a program came */
	bool eof;         /* the peer's TCP FIN came */
	bool deaf;        /* TCP takes nothing more */
	bool lost;        /* bytes of ours were kept then */
	bool finished;    /* our close_notify is written */
	bool answered;    /* it was written behind the peer's */
	bool aborted;     /* our fatal alert is written, or OpenSSL gave up */
	bool alerted;     /* the peer's fatal alert came */
	bool feign_eof;   /* tell OpenSSL that TCP ended */
	uint8_t tail[7];  /* the last bytes that came behind our own alert */
	bool flooded;     /* the peer sends messages of TLS itself without end */
	bool overrun;     /* it aborted behind ours */
	bool stapled;     /* a good OCSP answer came along */
	bool psk_known;   /* the key of `psk` is among ours */
	bool psk_begins;  /* TLS 1.3: by it, and not by a session that is resumed */
	bool asked_us;    /* the peer asked for our certificate, now or in the session */
	bool looks; /* only to see whether the peer speaks h2: see tls_handshake() */
	enum reason reason;    /* why BROKEN or deaf */
	char *psk;             /* an identity that was asked for; NULL: none */
	char *detail;          /* the same in words; NULL: nothing to add */
	double opened;         /* when the handshake was done; both by reactor_now() */
	double sent;           /* when TCP last took bytes of ours */
	double moved;          /* when bytes last passed, either way */
	double borne;          /* seconds of the longest silence that it outlived */
	double messages_came;  /* the peer's, of TLS itself, since `opened` */
	size_t answers;        /* bytes of OpenSSL's own among those in `out` */
	unsigned updates_sent; /* ours, since the last byte of a program */
};

/** Take over @fd.  False: out of memory; the descriptor is still the caller's. */
bool tls_init(struct tls *t, struct reactor *r, SSL_CTX *context, int fd);

/** All is said and judged: keep but the descriptor and the bytes that were not sent yet,
 * for tls_flush(), tls_discard() and tls_clear(). */
void tls_retire(struct tls *t);

/** Free all but the descriptor, which is left to the caller. */
void tls_clear(struct tls *t);

/** Client, before the handshake: the SNI (NULL: none), a session to resume (or NULL), and
 * whether to offer TLS_PROTOCOL_H2. */
bool tls_prepare(struct tls *t, const char *sni, SSL_SESSION *session, bool offer_h2);

/** Go on with the handshake, as far as what has arrived allows. */
enum tls_state tls_handshake(struct tls *t);

/** In the handshake, when time has run out: what does not come, and why that may be. */
const char *tls_silence(const struct tls *t);

/** Decrypt what has arrived, at most a batch, into @space of REACTOR_PLAIN bytes.  The
 * state holds for what is behind it.  Nothing is read while tls_is_choked(). */
enum tls_state tls_take(struct tls *t, uint8_t *space, struct batch *batch);

/** Do answers that OpenSSL gave by itself wait for a peer that does not read them?  Until
 * tls_flush() has sent them nothing is read, so that asking for more gets nobody more of
 * our memory.  A program's bytes do not count. */
bool tls_is_choked(const struct tls *t);

/** How much may be given now: a batch, or nothing while the socket is full. */
size_t tls_room(const struct tls *t);

/** Encrypt as one record, or several if @n is above 16 KiB, without sending yet:
 * tls_flush() follows in the same turn, and before any other connection of this worker
 * writes. */
void tls_write(struct tls *t, const void *bytes, size_t n);

/** Is this a session that was begun on an earlier connection? */
bool tls_is_resumed(const struct tls *t);

/** Until when what the peer was let in by counts: its chain, revocation lists, an OCSP
 * answer; wall clock.  0: for as long as the connection lasts. */
time_t tls_until(const struct tls *t);

/** Whose pre-shared key is used in place of certificates; NULL: none is. */
const char *tls_psk_identity(const struct tls *t);

/** Did both agree on TLS_PROTOCOL_H2? */
bool tls_is_h2(const struct tls *t);

/** Encrypt and send; to be called only with room.  False: deaf. */
bool tls_give(struct tls *t, const struct batch *batch);

/** Send what is kept.  True: nothing is kept any more. */
bool tls_flush(struct tls *t);

/** TCP broke, as somebody else found out: deaf from now on. */
void tls_lose(struct tls *t);

/** TCP has acknowledged nothing for @seconds, though it had to: the path is dead.  Deaf,
 * and behind what has arrived the reading side ends BROKEN. */
void tls_time_out(struct tls *t, double seconds);

/** Both close_notifies have passed, and all our bytes have left. */
bool tls_is_complete(const struct tls *t);

/** Write our close_notify, once.  TCP stays open. */
void tls_finish(struct tls *t);

/** Write a fatal alert behind all bytes given.  TCP stays open.  False: no alert can be
 * sent any more, only a TCP RST will do. */
bool tls_abort(struct tls *t);

/** After the reading side ended: drop what still comes.  True: TCP has ended too. */
bool tls_discard(struct tls *t);

/** Is there a record for tls_probe()?  TLS 1.3 has one. */
bool tls_has_heartbeat(const struct tls *t);

/** A record that has no other effect (a KeyUpdate that asks for none; TLS 1.3, RFC 8446,
 * 4.6.3): it keeps the path open, and a dead one answers it with an RST or not at all.
 * False: it is not sent, since bytes of ours are still on their way, our own end is
 * written, or this is TLS 1.2. */
bool tls_probe(struct tls *t);

#endif
