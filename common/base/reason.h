/*
 * Why a stream ended, or why it never began: the word that stands behind "why=" in the
 * log.  The first reason wins.  One row is all there is to a reason; the table of
 * log words in client/README.md follows these rows.
 */
#ifndef COMMON_BASE_REASON_H
#define COMMON_BASE_REASON_H

/* clang-format off */
#define REASONS(ROW) \
	/* an end in good order */ \
	ROW(NONE, "none", "still open") \
	ROW(FINISHED, "finished", "both programs finished") \
	/* an abort that we pass on */ \
	ROW(PROGRAM_RESET, "program-reset", "the program on our side reset its connection") \
	ROW(FAR_RESET, "far-reset", "the far end aborted the stream") \
	ROW(CARRIER_LOST, "carrier-lost", "the TLS connection broke off without close_notify") \
	/* a limit of ours */ \
	ROW(IDLE, "idle", "nothing moved for TIMEOUTidle") \
	ROW(CLOSE_TIMEOUT, "close-timeout", "the rest was not taken within TIMEOUTclose") \
	ROW(STOPPED, "stopped", "the drain ended before the stream did") \
	ROW(NO_MEMORY, "no-memory", "out of memory") \
	/* a stream that never began */ \
	ROW(PROGRAM_GONE, "program-gone", "the program left before the far end answered") \
	ROW(OPEN_TIMEOUT, "open-timeout", "TIMEOUTconnect ran out") \
	ROW(NAME_NOT_FOUND, "name-not-found", "the host name has no address") \
	ROW(CONNECT_FAILED, "connect-failed", "nothing answers at the target") \
	ROW(PROXY_REFUSED, "proxy-refused", "the HTTP proxy does not open the way to the route") \
	ROW(APP_UNREACHABLE, "app-unreachable", "the app behind the server cannot be reached") \
	ROW(NO_POD, "no-pod", "closed before ServerHello: the route has no ready pod, or refuses this host") \
	ROW(ROUTE_UNKNOWN, "route-unknown", "the router showed a certificate of its own: no such route") \
	ROW(SNI_UNKNOWN, "sni-unknown", "no service is there for the SNI") \
	ROW(NAME_MISMATCH, "name-mismatch", "the certificate names somebody else") \
	ROW(UNKNOWN_CA, "unknown-ca", "the certificate's issuer is not trusted") \
	ROW(CERT_EXPIRED, "cert-expired", "the certificate has expired") \
	ROW(CERT_NOT_YET_VALID, "cert-not-yet-valid", "the certificate is not valid yet, by this host's clock") \
	ROW(CERT_PURPOSE, "cert-purpose", "the certificate is made for something else") \
	ROW(CERT_INVALID, "cert-invalid", "the certificate is malformed, too weak, or breaks a rule of its CA") \
	ROW(CERT_REVOKED, "cert-revoked", "the certificate was revoked") \
	ROW(STAPLE_MISSING, "staple-missing", "the certificate demands an OCSP answer along with it") \
	ROW(OCSP_SILENT, "ocsp-silent", "no OCSP responder says that the certificate is good") \
	ROW(CERT_UNKNOWN, "cert-unknown", "the certificate is none of those that verifyPeer knows") \
	ROW(CERT_MISSING, "cert-missing", "the client showed no certificate") \
	ROW(CERT_REFUSED, "cert-refused", "the far end refuses our certificate") \
	ROW(PSK_REFUSED, "psk-refused", "the pre-shared key is not known, or another one") \
	ROW(NOT_TLS, "not-tls", "the far end does not speak TLS") \
	ROW(NO_PROTOCOL, "no-protocol", "the far end speaks no h2 carrier") \
	ROW(TLS_FAILED, "tls-failed", "the TLS handshake failed") \
	ROW(PROBE, "probe", "a health check or port scan, no stream") \
	ROW(FULL, "full", "maxConnections or maxStreams is reached")
/* clang-format on */

enum reason {
#define REASON_ENUM(name, word, text) REASON_##name,
	REASONS(REASON_ENUM)
#undef REASON_ENUM
	REASON_COUNT
};

/** The word for the log: "program-reset". */
const char *reason_word(enum reason reason);

/** The same in a sentence: "the program on our side reset its connection". */
const char *reason_text(enum reason reason);

#endif
