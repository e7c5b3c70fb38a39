#include "common/tls/conn_internal.h"

#include <math.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Seconds within which a refusal of our certificate must have come. */
static const double refusal_limit = 5;

/* The first reason wins. */
void
tls_blame(struct tls *t, enum reason reason, const char *format, ...)
{
	va_list args;

	if (t->reason != REASON_NONE)
		return;
	t->reason = reason;
	if ((t->detail = malloc(TLS_DETAIL_SIZE)) == NULL)
		return;
	va_start(args, format);
	vsnprintf(t->detail, TLS_DETAIL_SIZE, format, args);
	va_end(args);
}

/* The alerts by which a peer says that it does not want our certificate (RFC 8446, 6.2).
 */
static bool
is_about_certificate(int alert)
{
	switch (alert) {
	case SSL_AD_BAD_CERTIFICATE:
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
	case SSL_AD_CERTIFICATE_REVOKED:
	case SSL_AD_CERTIFICATE_EXPIRED:
	case SSL_AD_CERTIFICATE_UNKNOWN:
	case SSL_AD_UNKNOWN_CA:
	case SSL_AD_ACCESS_DENIED:
	case SSL_AD_CERTIFICATE_REQUIRED:
		return true;
	default:
		return false;
	}
}

/* Vague alerts, but it had asked for our certificate: a CA of the same name with another
 * key, or in TLS 1.2 no certificate at all. */
static bool
is_probably_about_certificate(const struct tls *t, int alert)
{
	if (!t->asked_us)
		return false;
	return alert == SSL_AD_DECRYPT_ERROR ||
	       (alert == SSL_AD_HANDSHAKE_FAILURE && t->state == TLS_HANDSHAKE &&
		   SSL_get_certificate(t->ssl) == NULL);
}

/* OpenSSL 3.0 has no word for the newest ones. */
static const char *
alert_text(int alert)
{
	return alert == SSL_AD_CERTIFICATE_REQUIRED ? "certificate required"
						    : SSL_alert_desc_string_long(alert);
}

/* The alerts by which a server says that it does not know our pre-shared key, or has
 * another one for it (RFC 4279, 2; RFC 8446, 4.2.11), or would rather see a certificate.
 */
static bool
is_about_psk(const struct tls *t, int alert)
{
	const struct service_settings *s = tls_context_settings(SSL_get_SSL_CTX(t->ssl));

	if (s->psk_secrets == NULL || s->role == ROLE_SERVER || t->state != TLS_HANDSHAKE)
		return false;
	return alert == SSL_AD_UNKNOWN_PSK_IDENTITY ||
	       alert == SSL_AD_HANDSHAKE_FAILURE || alert == SSL_AD_DECRYPT_ERROR ||
	       alert == SSL_AD_BAD_RECORD_MAC || alert == SSL_AD_ILLEGAL_PARAMETER;
}

/* Many heartbeats and nothing else: some TLS libraries bear only so many (key_update.c).
 */
static void
blame_overrun(struct tls *t, const char *text)
{
	t->overrun = true;
	tls_blame(t, REASON_FAR_RESET,
	    "the far end aborted the stream (%s) behind %u heartbeats in a row: its TLS "
	    "bears no more of them; a longer keepalive sends fewer",
	    text, t->updates_sent);
}

/* The peer sent a fatal alert. */
static void
blame_alert(struct tls *t, int alert)
{
	const char *text = alert_text(alert);
	bool ours = alert == SSL_AD_DECODE_ERROR; /* tls_abort() has no other */

	t->alerted = true;
	if (is_about_psk(t, alert))
		tls_blame(t, REASON_PSK_REFUSED,
		    "the far end does not take our PSK identity %s, or has another key "
		    "for it: %s",
		    t->psk != NULL ? t->psk : "(it seems to take none)", text);
	else if (!t->read_bytes &&
		 (is_about_certificate(alert) || is_probably_about_certificate(t, alert)))
		tls_blame(t, REASON_CERT_REFUSED,
		    "the far end refuses our certificate: %s", text);
	else if (t->state == TLS_HANDSHAKE && alert == SSL_AD_NO_APPLICATION_PROTOCOL)
		tls_blame(t, REASON_NO_PROTOCOL, "the far end refuses " TLS_PROTOCOL_H2);
	else if (t->state == TLS_HANDSHAKE && alert == SSL_AD_UNRECOGNIZED_NAME)
		tls_blame(t, REASON_SNI_UNKNOWN, "the far end has no service for %s",
		    tls_sni(t));
	else if (t->state == TLS_HANDSHAKE)
		tls_blame(
		    t, REASON_TLS_FAILED, "the far end refused the handshake: %s", text);
	else if (alert == SSL_AD_UNEXPECTED_MESSAGE && t->updates_sent > 0)
		blame_overrun(t, text);
	else if (ours && (t->read_bytes || SSL_is_server(t->ssl)))
		tls_blame(t, REASON_FAR_RESET, "the far end cut the stream");
	else if (!t->read_bytes && !SSL_is_server(t->ssl))
		tls_blame(t, REASON_FAR_RESET,
		    "the far end aborted the stream before its first byte%s%s%s; the "
		    "server's log says why: often its app cannot be reached",
		    ours ? "" : " (", ours ? "" : text, ours ? "" : ")");
	else
		tls_blame(
		    t, REASON_FAR_RESET, "the far end aborted the stream (%s)", text);
}

static bool
is_not_tls(int reason)
{
	return reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST ||
	       reason == SSL_R_HTTPS_PROXY_REQUEST ||
	       reason == SSL_R_PACKET_LENGTH_TOO_LONG;
}

/* A client that wanted to be known by its key has failed. */
static bool
blame_psk(struct tls *t, const char *text)
{
	if (t->psk == NULL || !SSL_is_server(t->ssl) || t->state != TLS_HANDSHAKE)
		return false;
	if (t->psk_known)
		tls_blame(t, REASON_PSK_REFUSED,
		    "the client has another key for the PSK identity %s (%s)", t->psk,
		    text);
	else
		tls_blame(t, REASON_PSK_REFUSED,
		    "the client's PSK identity %s is not in PSKsecrets (%s)", t->psk,
		    text);
	return true;
}

/* OpenSSL gave up; its error queue says why.  The oldest entry is the cause. */
void
tls_blame_openssl(struct tls *t)
{
	unsigned long error = ERR_get_error();
	int reason = ERR_GET_REASON(error);
	const char *text = ERR_reason_error_string(error);

	t->aborted = true; /* it has written its own alert */
	if (reason > SSL_AD_REASON_OFFSET && ERR_GET_LIB(error) == ERR_LIB_SSL)
		blame_alert(t, reason - SSL_AD_REASON_OFFSET);
	else if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
		tls_blame(t, REASON_CERT_MISSING, "the client shows no certificate");
	else if (blame_psk(t, text != NULL ? text : "no reason"))
		;
	else if (t->state == TLS_HANDSHAKE && is_not_tls(reason))
		tls_blame_plaintext(t, text != NULL ? text : "no reason");
	else
		tls_blame(t,
		    t->state == TLS_HANDSHAKE ? REASON_TLS_FAILED : REASON_CARRIER_LOST,
		    "TLS: %s", text != NULL ? text : "no reason");
	ERR_clear_error();
}

const char *
tls_sni(const struct tls *t)
{
	const char *sni = SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name);

	return sni != NULL ? sni : "no SNI";
}

/* Where the file does not say whom to trust, somebody may not know that it matters. */
static const char *
advice(const struct tls *t, enum reason reason)
{
	if (reason != REASON_UNKNOWN_CA ||
	    !tls_context_settings(SSL_get_SSL_CTX(t->ssl))->system_ca)
		return "";
	return "; if it is the app's, add \"CAfile = FILE\" with its issuer, or "
	       "\"verifyChain = no\" to take any server, as stunnel does";
}

static enum reason
reason_of(int verify_error)
{
	switch (verify_error) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
		return REASON_NAME_MISMATCH;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return REASON_CERT_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return REASON_CERT_NOT_YET_VALID;
	case X509_V_ERR_CERT_REVOKED:
		return REASON_CERT_REVOKED;
	case X509_V_ERR_OCSP_VERIFY_NEEDED:
		return REASON_STAPLE_MISSING;
	case X509_V_ERR_CERT_REJECTED:
		return REASON_CERT_UNKNOWN;
	case X509_V_ERR_INVALID_PURPOSE:
		return REASON_CERT_PURPOSE;
	case X509_V_ERR_INVALID_CA:
	case X509_V_ERR_INVALID_EXTENSION:
	case X509_V_ERR_INVALID_NON_CA:
	case X509_V_ERR_PATH_LENGTH_EXCEEDED:
	case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION:
	case X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD:
	case X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD:
	case X509_V_ERR_PERMITTED_VIOLATION:
	case X509_V_ERR_EXCLUDED_VIOLATION:
	case X509_V_ERR_SUBTREE_MINMAX:
	case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
	case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
	case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX:
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
	case X509_V_ERR_CA_MD_TOO_WEAK:
	case X509_V_ERR_EC_KEY_EXPLICIT_PARAMS:
		return REASON_CERT_INVALID;
	default:
		return REASON_UNKNOWN_CA;
	}
}

/* Chain or names were refused inside the handshake. */
void
tls_blame_certificate(struct tls *t, const struct tls_verdict *v)
{
	enum reason reason = reason_of(v->verify_error);

	if (SSL_is_server(t->ssl))
		tls_blame(t, reason, "client certificate refused: %s", v->text);
	else if (v->names_host)
		tls_blame(t, reason, "%s%s", v->text, advice(t, reason));
	else
		tls_blame(t, reason,
		    "%s; if this is the router's own certificate, it knows no "
		    "passthrough route for %s%s",
		    v->text, tls_sni(t), advice(t, reason));
}

/*
 * Has the server taken our certificate?  In TLS 1.3 it judges it only after our handshake
 * is done; if it is content it sends a ticket, as a rule, and else it closes very soon.
 */
static bool
is_accepted(const struct tls *t)
{
	return SSL_version(t->ssl) < TLS1_3_VERSION || SSL_session_reused(t->ssl) ||
	       t->heard_since || reactor_now() > t->opened + refusal_limit;
}

/*
 * What an OpenShift router is likely to have met that closes in place of a ServerHello,
 * by the seconds from the ClientHello: haproxy dials a pod that refuses four times, a
 * second apart; a connection that finds the pod full waits in a queue for 5 s, and each
 * of four dials that nobody answers takes 5 s.  Other gateways have other times.
 */
static const struct early_end {
	double below; /* seconds */
	const char *words;
} early_ends[] = {
    {2, "closed at once, before ServerHello: likely the route has no ready pod, its "
	"allow-list or rate limit keeps this host out, routeport-server is full "
	"(maxConnections), or targetPort leads to a program that drops TLS: see oc get "
	"endpointslices, and the route's annotations and targetPort"},
    {4, "closed about 3 s after the ClientHello: likely the pod refuses the router, "
	"since nothing listens on the route's targetPort: is routeport-server up in the "
	"pod (oc get pods, oc logs), and is targetPort its accept?"},
    {8, "closed about 5 s after the ClientHello: likely the route's "
	"pod-concurrent-connections is reached: raise it; multiplex = yes needs fewer "
	"connections"},
    {15, "closed 8 to 15 s after the ClientHello, before ServerHello: see the route, its "
	 "pods and their logs"},
    {HUGE_VAL,
	"closed more than 15 s after the ClientHello: likely the pod's address does not "
	"answer the router: a NetworkPolicy, or a dead node (oc get networkpolicy,pods "
	"-o wide)"},
};

/* A router turns a reset of its pod into a FIN. */
static void
blame_early_end(struct tls *t)
{
	double seconds = t->sent > 0 ? reactor_now() - t->sent : 0;
	const struct early_end *end = early_ends;

	while (seconds >= end->below)
		end++;
	tls_blame(t, REASON_NO_POD, "%s",
	    t->deaf
		? "reset before ServerHello: a firewall, a router that expects a PROXY "
		  "header, or, with no router on the way, a far end that is full "
		  "(maxConnections) or drops TLS"
		: end->words);
}

/* TCP ended before TLS did, or failed. */
void
tls_blame_tcp(struct tls *t)
{
	const char *how = t->deaf ? "reset" : "closed";
	bool client = !SSL_is_server(t->ssl);

	if (t->state == TLS_HANDSHAKE && !t->heard && client)
		blame_early_end(t);
	else if (t->state == TLS_HANDSHAKE && !t->heard)
		tls_blame(t, REASON_PROBE, "%s before ClientHello", how);
	else if (t->state == TLS_HANDSHAKE && tls_plaintext_came(t))
		tls_blame_plaintext(t, how);
	else if (t->state == TLS_HANDSHAKE)
		tls_blame(t, REASON_TLS_FAILED, "%s in the middle of the handshake", how);
	else if (client && !is_accepted(t))
		tls_blame(t, REASON_CERT_REFUSED,
		    "%s right after the handshake, probably our certificate was refused",
		    how);
	else
		tls_blame(t, REASON_CARRIER_LOST, "%s without close_notify", how);
}

const char *
tls_silence(const struct tls *t)
{
	if (!SSL_is_server(t->ssl) && !t->heard)
		return "connected, but nothing comes back for the ClientHello: the pod's "
		       "address does not answer (a NetworkPolicy, a dead node), or the "
		       "route's targetPort leads to a port without TLS, which waits";
	return "no answer to the TLS handshake in time";
}
