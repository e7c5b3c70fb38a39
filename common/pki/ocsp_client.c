#include "common/pki/ocsp_client.h"

#include "common/net/connect.h"

#include <openssl/err.h>
#include <openssl/http.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	WHY_SIZE = 512,
	MOST_BYTES = 64 * 1024, /* of an answer, with the certificates in it */
};

struct ocsp_client {
	struct ev_loop *loop;
	struct resolver *resolver;
	struct ocsp_matter matter; /* held */
	STACK_OF(OPENSSL_STRING) *urls;
	int next; /* of them */
	OCSP_REQUEST *request;
	const struct service_settings *settings;
	double until; /* by ev_now() */
	ocsp_ask_done *done;
	void *arg;
	char why[WHY_SIZE];

	/* The responder that is asked now. */
	struct address_name name;
	char *path;
	struct connect *connect;
	BIO *bio; /* its socket; NULL: not connected */
	OSSL_HTTP_REQ_CTX *http;
	ev_io io;
	ev_timer timer;
};

static void next_responder(struct ocsp_client *a);

/* ---- the end --------------------------------------------------------------------- */

/* Be done with the responder that is asked now. */
static void
leave_responder(struct ocsp_client *a)
{
	ev_io_stop(a->loop, &a->io);
	connect_cancel(a->connect);
	a->connect = NULL;
	OSSL_HTTP_REQ_CTX_free(a->http);
	a->http = NULL;
	BIO_free_all(a->bio);
	a->bio = NULL;
	address_name_clear(&a->name);
	OPENSSL_free(a->path);
	a->path = NULL;
}

void
ocsp_client_cancel(struct ocsp_client *a)
{
	if (a == NULL)
		return;
	leave_responder(a);
	ev_timer_stop(a->loop, &a->timer);
	OCSP_REQUEST_free(a->request);
	X509_free(a->matter.certificate);
	X509_free(a->matter.issuer);
	X509_STORE_free(a->matter.store);
	sk_X509_pop_free(a->matter.chain, X509_free);
	X509_email_free(a->urls);
	free(a);
}

static void
finish(struct ocsp_client *a, enum ocsp_answer answer, OCSP_RESPONSE *response)
{
	ocsp_ask_done *done = a->done;
	void *arg = a->arg;
	char why[WHY_SIZE];

	memcpy(why, a->why, sizeof(why));
	ocsp_client_cancel(a);
	done(arg, answer, response, why);
}

/* This responder says nothing of use; the words of all are kept. */
static void
give_up(struct ocsp_client *a, const char *words)
{
	size_t length = strlen(a->why);

	snprintf(a->why + length, sizeof(a->why) - length, "%s%s: %s",
	    length > 0 ? "; " : "", sk_OPENSSL_STRING_value(a->urls, a->next - 1), words);
	next_responder(a);
}

/* ---- one responder --------------------------------------------------------------- */

static void
take_answer(struct ocsp_client *a, OCSP_RESPONSE *response)
{
	char why[128];
	enum ocsp_answer answer =
	    ocsp_judge_response(&a->matter, response, a->request, why, sizeof(why));

	if (answer == OCSP_NOTHING) {
		give_up(a, why);
	} else {
		snprintf(a->why, sizeof(a->why), "%s: %s",
		    sk_OPENSSL_STRING_value(a->urls, a->next - 1), why);
		finish(a, answer, response);
	}
	OCSP_RESPONSE_free(response);
}

static void
on_ready(struct ev_loop *loop, ev_io *io, int events)
{
	struct ocsp_client *a = io->data;
	OCSP_RESPONSE *response = NULL;
	int result;

	(void)loop;
	(void)events;
	ERR_clear_error();
	result = OCSP_sendreq_nbio(&response, a->http);
	if (result == -1 && BIO_should_retry(a->bio)) {
		ev_io_stop(a->loop, io);
		ev_io_set(io, io->fd, BIO_should_write(a->bio) ? EV_WRITE : EV_READ);
		ev_io_start(a->loop, io);
		return;
	}
	ERR_clear_error();
	if (result == 1 && response != NULL)
		take_answer(a, response);
	else
		give_up(a, "its answer cannot be read");
}

static bool
prepare_http(struct ocsp_client *a, int fd)
{
	if ((a->bio = BIO_new_socket(fd, BIO_CLOSE)) == NULL) {
		close(fd);
		return false;
	}
	a->http = OCSP_sendreq_new(a->bio, a->path, NULL, 0);
	if (a->http == NULL ||
	    OCSP_REQ_CTX_add1_header(a->http, "Host", a->name.host) != 1 ||
	    OCSP_REQ_CTX_set1_req(a->http, a->request) != 1)
		return false;
	OSSL_HTTP_REQ_CTX_set_max_response_length(a->http, MOST_BYTES);
	return true;
}

static void
on_connected(
    void *arg, int fd, const struct address *to, enum reason reason, const char *why)
{
	struct ocsp_client *a = arg;

	(void)to;
	(void)reason;
	a->connect = NULL;
	if (fd < 0) {
		give_up(a, why);
	} else if (!prepare_http(a, fd)) {
		ERR_clear_error();
		give_up(a, "out of memory");
	} else {
		ev_io_set(&a->io, fd, EV_WRITE);
		ev_io_start(a->loop, &a->io);
	}
}

/* Into `name` and `path`. */
static bool
read_url(struct ocsp_client *a, const char *url)
{
	char *host = NULL, *port = NULL, text[300];
	int tls = 0;
	struct err e;
	bool ok = OSSL_HTTP_parse_url(
		      url, &tls, NULL, &host, &port, NULL, &a->path, NULL, NULL) == 1 &&
		  tls == 0;

	if (ok) {
		snprintf(text, sizeof(text), "%s:%s", host, port);
		ok = address_name_parse(&a->name, text, "", &e);
	}
	OPENSSL_free(host);
	OPENSSL_free(port);
	ERR_clear_error();
	return ok;
}

static void
next_responder(struct ocsp_client *a)
{
	double left = a->until - ev_now(a->loop);
	const char *url;

	leave_responder(a);
	if (a->next >= sk_OPENSSL_STRING_num(a->urls) || left <= 0) {
		if (a->why[0] == '\0')
			snprintf(a->why, sizeof(a->why), "there is no responder to ask");
		finish(a, OCSP_NOTHING, NULL);
		return;
	}
	url = sk_OPENSSL_STRING_value(a->urls, a->next++);
	if (!read_url(a, url)) {
		give_up(a, "is no http:// address");
		return;
	}
	a->connect = connect_start(
	    a->loop, a->resolver, &a->name, a->settings, left, on_connected, a);
	if (a->connect == NULL)
		give_up(a, "out of memory");
}

/* ---- the start ------------------------------------------------------------------- */

/* From the loop: first it begins, then it has lasted for too long. */
static void
on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct ocsp_client *a = timer->data;

	(void)events;
	if (a->next > 0) {
		a->next = sk_OPENSSL_STRING_num(a->urls);
		give_up(a, "does not answer in time");
		return;
	}
	ev_timer_set(timer, a->until - ev_now(loop), 0);
	ev_timer_start(loop, timer);
	next_responder(a);
}

static bool
take_matter(struct ocsp_client *a, const struct ocsp_matter *m)
{
	a->matter = (struct ocsp_matter){.flags = m->flags};
	if (!X509_up_ref(m->certificate))
		return false;
	a->matter.certificate = m->certificate;
	if (!X509_up_ref(m->issuer))
		return false;
	a->matter.issuer = m->issuer;
	if (!X509_STORE_up_ref(m->store))
		return false;
	a->matter.store = m->store;
	a->matter.chain = m->chain != NULL ? X509_chain_up_ref(m->chain) : NULL;
	return m->chain == NULL || a->matter.chain != NULL;
}

static bool
take_way(struct ocsp_client *a, const struct ocsp_way *way)
{
	char *url = NULL;

	a->urls = way->aia ? X509_get1_ocsp(a->matter.certificate) : NULL;
	if (a->urls == NULL && (a->urls = sk_OPENSSL_STRING_new_null()) == NULL)
		return false;
	if (way->url == NULL)
		return true;
	if ((url = OPENSSL_strdup(way->url)) != NULL &&
	    sk_OPENSSL_STRING_unshift(a->urls, url) > 0)
		return true;
	OPENSSL_free(url);
	return false;
}

static bool
make_request(struct ocsp_client *a, bool nonce)
{
	OCSP_CERTID *id = OCSP_cert_to_id(NULL, a->matter.certificate, a->matter.issuer);

	a->request = OCSP_REQUEST_new();
	if (a->request == NULL || id == NULL ||
	    OCSP_request_add0_id(a->request, id) == NULL) {
		OCSP_CERTID_free(id);
		return false;
	}
	return !nonce || OCSP_request_add1_nonce(a->request, NULL, -1) == 1;
}

struct ocsp_client *
ocsp_client_start(struct ev_loop *loop, struct resolver *resolver,
    const struct ocsp_matter *matter, const struct ocsp_way *way, ocsp_ask_done *done,
    void *arg)
{
	struct ocsp_client *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->loop = loop;
	a->resolver = resolver;
	a->settings = way->settings;
	a->done = done;
	a->arg = arg;
	a->until = ev_now(loop) + way->seconds;
	ev_init(&a->io, on_ready);
	a->io.data = a;
	ev_timer_init(&a->timer, on_timer, 0, 0);
	a->timer.data = a;
	if (!take_matter(a, matter) || !take_way(a, way) ||
	    !make_request(a, way->nonce)) {
		ERR_clear_error();
		ocsp_client_cancel(a);
		return NULL;
	}
	ev_timer_start(loop, &a->timer);
	return a;
}
