/*
 * Ask a responder about a certificate, over plain HTTP, without ever blocking a loop.
 * Several responders are asked one behind the other, until one says something.  Belongs
 * to one loop and its thread.
 */
#ifndef COMMON_PKI_OCSP_CLIENT_H
#define COMMON_PKI_OCSP_CLIENT_H

#include "common/pki/ocsp.h"
#include "common/net/resolver.h"
#include "common/config/settings.h"

#include <ev.h>

struct ocsp_client;

/** @response: the answer, NULL for OCSP_NOTHING.  @why, where it is not OCSP_GOOD: what
 * each responder said, or that there is none.  Both only valid during the call. */
typedef void ocsp_ask_done(
    void *arg, enum ocsp_answer answer, OCSP_RESPONSE *response, const char *why);

/** Whom to ask, and how. */
struct ocsp_way {
	const struct service_settings *settings; /* whose sockets are used */
	const char *url;                         /* of a responder; NULL: none */
	bool aia;       /* those that the certificate names, too */
	bool nonce;     /* send a number along that must come back */
	double seconds; /* for all of it */
};

/**
 * Start.  @done is called exactly once, never from inside this call, unless
 * ocsp_client_cancel() comes first.  What @matter points to is held; @resolver and what
 * @way points to must live until then.  NULL: out of memory.
 */
struct ocsp_client *ocsp_client_start(struct ev_loop *loop, struct resolver *resolver,
    const struct ocsp_matter *matter, const struct ocsp_way *way, ocsp_ask_done *done,
    void *arg);

/** Nobody waits for it any more.  NULL is fine.  Not for use inside @done. */
void ocsp_client_cancel(struct ocsp_client *ask);

#endif
