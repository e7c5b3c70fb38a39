/*
 * The SSL_CTX of a service: certificate, key, trust, versions, ciphers, resumption.
 *
 * Verification of a chain and of the names stays inside the handshake, so that the peer
 * is told by the right alert.  A resumed session verifies nothing anew; whoever uses it
 * calls identity_is_current() and identity_match() itself (conn.c does).
 *
 * A context is made once and then only read: any number of threads may share it.
 */
#ifndef COMMON_TLS_CONTEXT_H
#define COMMON_TLS_CONTEXT_H

#include "common/base/err.h"
#include "common/pki/identity.h"
#include "common/config/settings.h"
#include "common/pki/credentials.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

/** The application protocol of an h2 carrier (ALPN, RFC 7301). */
#define TLS_PROTOCOL_H2 "routeport/1"

enum {
	/** Room for the sentence in a struct tls_verdict. */
	TLS_VERDICT_TEXT_SIZE = 1024,
	/** Room for an identity with its NUL (OpenSSL's limit). */
	TLS_PSK_SIZE = PSK_MAX_IDENTITY_LEN + 1,
};

/**
 * What a handshake found out about the peer.  All zero before; the callbacks only set.
 * They run inside SSL_do_handshake() (or the SSL_read() that goes on with it), so this
 * may live on the stack of whoever calls it; a handshake in several steps ORs the flags
 * of each.
 */
struct tls_verdict {
	/** The peer showed a certificate and it was looked at.  False after a resumption,
	 * where nothing is, and when it showed none. */
	bool judged;
	/** The identity of a pre-shared key that was asked for, "" for none: in the
	 * client ours, which the server need not have taken; in the server the client's,
	 * which PSKsecrets knows or not. */
	char psk[TLS_PSK_SIZE];
	bool psk_known;
	/** Client: a good OCSP answer came with the certificate. */
	bool stapled;
	/** Client: the server sent a CertificateRequest, which the router may do too. */
	bool asked_for_our_certificate;

	/** X509_V_OK, else why the handshake was refused: X509_V_ERR_HOSTNAME_MISMATCH is
	 * for all rules on names and addresses. */
	int verify_error;
	/** Of the certificate that verify_error is about; 0 is the peer's own. */
	int depth;
	/** When refused: it names the host that is asked for, as identity_names_host().
	 */
	bool names_host;
	/** The peer's own certificate, as identity_names(); safe for the log. */
	char names[IDENTITY_NAMES_SIZE];
	/** Who issued the certificate at @depth: "CN=ca, O=x"; safe for the log. */
	char issuer[IDENTITY_SUBJECT_SIZE];
	/** When refused, all of it in a sentence: "the certificate (DNS:a.example)
	 * expired on 2026-01-02"; else "". */
	char text[TLS_VERDICT_TEXT_SIZE];
};

/** What is to be done about a ClientHello. */
enum tls_hello {
	TLS_HELLO_GOOD,
	TLS_HELLO_PAUSE, /* return from SSL_do_handshake() before anything is said */
	TLS_HELLO_UNKNOWN_NAME, /* refuse it by the alert unrecognized_name */
};

/**
 * Where the callbacks of a context report to.  It is the SSL's app data (so nobody else
 * uses that), belongs to whoever owns the SSL, and must live as long.  A connection
 * embeds it and finds itself again from @observer.
 */
struct tls_observer {
	/** Set it only round the calls that do the handshake; NULL: nobody asks. */
	struct tls_verdict *verdict;
	/** Client: the server gave a session for later; in TLS 1.3 that is after the
	 * handshake, inside some SSL_read(), and may come more than once.  True: the
	 * reference is the callee's, who frees it.  NULL: none is kept. */
	bool (*on_session)(struct tls_observer *observer, SSL_SESSION *session);
	/** Server: the client asks for @name ("": for none).  Comes before anything else
	 * is looked at, and again with a second ClientHello.  NULL: any name is good. */
	enum tls_hello (*on_hello)(struct tls_observer *observer, const char *name);
	/** Server: a ticket is about to be made for @session, which is this connection's.
	 * NULL: there is nothing to note in it. */
	void (*on_ticket)(struct tls_observer *observer, SSL_SESSION *session);
};

/**
 * Load everything @s names.  NULL: @e says in plain words which file is unreadable, which
 * key does not match which certificate, which list names no known cipher.  @s must
 * outlive the context.  The caller frees it with SSL_CTX_free().
 */
SSL_CTX *tls_context_new(const struct service_settings *s, struct err *e);

/** For who checks @s, of which none can be made: tell everything that can be told of each
 * file and each list by itself. */
void
tls_context_check(const struct service_settings *s, const struct tls_listener *listener);

/** An OCSP answer about one of our own certificates, which its clients may see.  Whoever
 * has one puts it in; handshakes on any thread take it out. */
struct tls_staple {
	X509 *certificate;
	X509 *issuer;
	pthread_mutex_t lock; /* of the next three */
	unsigned char *der;   /* NULL: there is none */
	size_t length;
	time_t until; /* when it is worth nothing any more; 0: nobody knows */
};

/** Those that a server's certificates want: by must-staple, OCSPaia or OCSP, and where
 * the issuer is known.  Writes how many to @count.  They live as long as the context. */
struct tls_staple *tls_context_staples(const SSL_CTX *context, size_t *count);

/** Put @der in, which is the staple's from now on (OPENSSL_free()). */
void tls_staple_put(
    struct tls_staple *staple, unsigned char *der, size_t length, time_t until);

/** Client: whether the server asked for our certificate in the full handshake that
 * @session, of a context, began with; SSL_SESSION_dup() copies it.  A resumed one has no
 * CertificateRequest to tell by. */
void tls_session_set_asked(SSL_SESSION *session, bool asked);
bool tls_session_asked(const SSL_SESSION *session);

/** The settings a context was made from. */
const struct service_settings *tls_context_settings(const SSL_CTX *context);

/** Two servers' contexts: was a client that one let in just now let in by the same rules
 * and the same trust as the other has?  False also where that cannot be told. */
bool tls_context_judges_alike(const SSL_CTX *one, const SSL_CTX *other);

/** @session, and each ticket of it, counts until @until (wall clock; 0: for as long as
 * ever) at most: the earliest date of what let the peer in.  Before it is shared. */
void tls_session_limit(SSL_SESSION *session, time_t until);

/** That date.  0: there is none. */
time_t tls_session_until(const SSL_SESSION *session);

/** Is it still to come, or is there none? */
bool tls_session_is_current(const SSL_SESSION *session);

/**
 * In TLS 1.3 a session does not say whose pre-shared key it began with: note that in it.
 * It travels with the session, and in a ticket under the server's own lock.  False: out
 * of memory.
 */
bool tls_psk_note(SSL_SESSION *session, const char *identity);

/** In TLS 1.3 a handshake with a pre-shared key looks like one that resumes a session.
 * During the handshake, before a ticket is made: is it the former?  @known: a key of ours
 * was asked for. */
bool tls_psk_begins(const SSL *ssl, bool known);

/** What was noted, as long as @session lives; NULL: nothing. */
const char *tls_psk_noted(const SSL_SESSION *session);

/** Let @observer hear of what happens on @ssl.  Right after SSL_new(), and only once. */
void tls_context_attach(SSL *ssl, struct tls_observer *observer);

#endif
