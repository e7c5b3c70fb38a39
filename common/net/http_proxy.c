#include "common/net/http_proxy.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
	WHERE_SIZE = 320, /* a name has at most 255 bytes */
	WHY_SIZE = 1024,
	STATUS_WORDS =
	    100, /* bytes of the answer's first line, and of others, in words */
};

struct http_proxy {
	struct ev_loop *loop;
	const struct service_settings *settings;
	http_proxy_done *done;
	void *arg;
	int fd;
	ev_io io;
	ev_timer limit;
	double seconds;                /* as asked for, in tenths; for the words */
	char proxy[ADDRESS_TEXT_SIZE]; /* its address */
	char where[WHERE_SIZE];        /* what it is asked for */
	char *request;                 /* with the password in it */
	size_t length, sent;           /* of that */
	size_t got;                    /* of the answer, which has a NUL behind it */
	char answer[HTTP_PROXY_ANSWER + 1];
};

/* ---- the end --------------------------------------------------------------------- */

/* Let go of the descriptor, which is left open. */
static int
detach(struct http_proxy *p)
{
	int fd = p->fd;

	ev_io_stop(p->loop, &p->io);
	p->fd = -1;
	return fd;
}

void
http_proxy_cancel(struct http_proxy *attempt)
{
	struct http_proxy *p = attempt;

	if (p == NULL)
		return;
	ev_timer_stop(p->loop, &p->limit);
	if (p->fd >= 0)
		close(detach(p));
	if (p->request != NULL)
		OPENSSL_cleanse(p->request, p->length);
	free(p->request);
	free(p);
}

static void
succeed(struct http_proxy *p)
{
	http_proxy_done *done = p->done;
	void *arg = p->arg;
	int fd = detach(p);

	http_proxy_cancel(p);
	done(arg, fd, REASON_NONE, NULL);
}

static void __attribute__((format(printf, 3, 4)))
fail(struct http_proxy *p, enum reason reason, const char *format, ...)
{
	http_proxy_done *done = p->done;
	void *arg = p->arg;
	char why[WHY_SIZE];
	va_list args;
	int n;

	n = snprintf(why, sizeof(why), "proxy %s: CONNECT %s: ", p->proxy, p->where);
	va_start(args, format);
	vsnprintf(why + n, sizeof(why) - (size_t)n, format, args);
	va_end(args);
	http_proxy_cancel(p); /* first, as done may free what the attempt leans on */
	done(arg, -1, reason, why);
}

/* ---- the question ---------------------------------------------------------------- */

/* RFC 7617, 2.  False: out of memory. */
static bool
add_credentials(FILE *out, const struct service_settings *s)
{
	size_t n = strlen(s->protocol_username) + strlen(s->protocol_password) + 2;
	char *plain = malloc(n), *coded = malloc((n + 2) / 3 * 4 + 1);
	bool ok = plain != NULL && coded != NULL;

	if (ok) {
		snprintf(plain, n, "%s:%s", s->protocol_username, s->protocol_password);
		EVP_EncodeBlock(
		    (unsigned char *)coded, (unsigned char *)plain, (int)n - 1);
		fprintf(out, "Proxy-Authorization: Basic %s\r\n", coded);
		OPENSSL_cleanse(coded, strlen(coded));
		OPENSSL_cleanse(plain, n);
	}
	free(plain);
	free(coded);
	return ok;
}

static bool
build_request(struct http_proxy *p)
{
	const struct service_settings *s = p->settings;
	FILE *out = open_memstream(&p->request, &p->length);
	bool ok = true;

	if (out == NULL)
		return false;
	fprintf(out, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", p->where, p->where);
	if (s->protocol_username != NULL)
		ok = add_credentials(out, s);
	for (size_t i = 0; i < s->protocol_header.count; i++)
		fprintf(out, "%s\r\n", s->protocol_header.items[i]);
	fputs("\r\n", out);
	return fclose(out) == 0 && ok;
}

static void
send_request(struct http_proxy *p)
{
	ssize_t n = send(p->fd, p->request + p->sent, p->length - p->sent, MSG_NOSIGNAL);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			fail(p, REASON_PROXY_REFUSED, "%s", strerror(errno));
		return;
	}
	p->sent += (size_t)n;
	if (p->sent < p->length)
		return;
	ev_io_stop(p->loop, &p->io);
	ev_io_set(&p->io, p->fd, EV_READ);
	ev_io_start(p->loop, &p->io);
}

/* ---- the answer ------------------------------------------------------------------ */

/* Where a line ends, without its line break. */
static int
line_length(const char *line)
{
	size_t n = strcspn(line, "\r\n");

	return (int)(n < STATUS_WORDS ? n : STATUS_WORDS);
}

/* The way to prove who one is that the proxy wants, if Basic is none of them; or NULL. */
static const char *
foreign_scheme(const struct http_proxy *p)
{
	static const char name[] = "Proxy-Authenticate:";
	const char *first = NULL, *basic, *line;

	for (line = strchr(p->answer, '\n'); line != NULL; line = strchr(line, '\n')) {
		if (strncasecmp(++line, name, sizeof(name) - 1) != 0)
			continue;
		line += sizeof(name) - 1;
		line += strspn(line, " \t");
		basic = strcasestr(line, "Basic");
		if (basic != NULL && basic < line + strcspn(line, "\r\n"))
			return NULL;
		if (first == NULL)
			first = line;
	}
	return first;
}

/* What would help? */
static void
fail_unauthorized(struct http_proxy *p, const char *status)
{
	const char *wants = foreign_scheme(p);
	int n = line_length(status);

	if (wants != NULL)
		fail(p, REASON_PROXY_REFUSED,
		    "%.*s (it wants \"%.*s\", and routeport only has Basic)", n, status,
		    line_length(wants), wants);
	else if (p->settings->protocol_username == NULL)
		fail(p, REASON_PROXY_REFUSED,
		    "%.*s (add protocolUsername and protocolPassword)", n, status);
	else
		fail(p, REASON_PROXY_REFUSED,
		    "%.*s (it does not take this protocolUsername and protocolPassword)",
		    n, status);
}

static const char *
hint(long status)
{
	switch (status) {
	case 403:
		return " (its rules forbid this)";
	case 502:
	case 503:
	case 504:
		return " (it does not reach this host)";
	default:
		return "";
	}
}

/* The header is whole.  True: more is to come, for this was no final answer. */
static bool
judge(struct http_proxy *p)
{
	/* HTTP/1.1 200 OK */
	const char *status = p->answer + strcspn(p->answer, " \r\n");
	long code;

	status += strspn(status, " ");
	code = isdigit((unsigned char)*status) ? strtol(status, NULL, 10) : 0;
	if (code / 100 == 1 && code != 101)
		return true;
	if (code / 100 == 2)
		succeed(p);
	else if (code == 407 || code == 401) /* tinyproxy says 401 to a wrong password */
		fail_unauthorized(p, status);
	else if (code < 300 || code > 599)
		fail(p, REASON_PROXY_REFUSED, "this is no answer of an HTTP proxy: %.*s",
		    line_length(p->answer), p->answer);
	else
		fail(p, REASON_PROXY_REFUSED, "%.*s%s", line_length(status), status,
		    hint(code));
	return false;
}

/* How long the header is, of @length bytes; 0: it is not whole. */
static size_t
header_length(const char *bytes, size_t length)
{
	for (size_t i = 0; i + 1 < length; i++) {
		if (bytes[i] != '\n')
			continue;
		if (bytes[i + 1] == '\n')
			return i + 2;
		if (bytes[i + 1] == '\r' && i + 2 < length && bytes[i + 2] == '\n')
			return i + 3;
	}
	return 0;
}

static bool
looks_like_http(const struct http_proxy *p)
{
	static const char start[] = "HTTP/1.";
	size_t n = p->got < sizeof(start) - 1 ? p->got : sizeof(start) - 1;

	return memcmp(p->answer, start, n) == 0;
}

/* Take no byte that is not the proxy's own: what follows its header is for TLS.  True:
 * there was something. */
static bool
take(struct http_proxy *p, bool *whole)
{
	char *end = p->answer + p->got;
	ssize_t n = recv(p->fd, end, HTTP_PROXY_ANSWER - p->got, MSG_PEEK);
	size_t header;

	*whole = false;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		fail(p, REASON_PROXY_REFUSED, "%s",
		    n == 0 ? "closed without an answer" : strerror(errno));
		return false;
	}
	header = header_length(p->answer, p->got + (size_t)n);
	*whole = header > 0;
	n = recv(p->fd, end, header > 0 ? header - p->got : (size_t)n, 0);
	if (n > 0)
		p->got += (size_t)n;
	p->answer[p->got] = '\0';
	return true;
}

static void
read_answer(struct http_proxy *p)
{
	bool whole;

	while (take(p, &whole)) {
		if (!looks_like_http(p)) {
			fail(p, REASON_PROXY_REFUSED, "this is no HTTP proxy");
			return;
		}
		if (whole) {
			if (judge(p))
				p->got = 0;
			return; /* for what came behind an interim answer the loop
				   calls again */
		}
		if (p->got == HTTP_PROXY_ANSWER) {
			fail(p, REASON_PROXY_REFUSED,
			    "the header of its answer is longer than %d bytes",
			    HTTP_PROXY_ANSWER);
			return;
		}
	}
}

/* ---- the beginning --------------------------------------------------------------- */

static void
on_ready(struct ev_loop *loop, ev_io *io, int events)
{
	struct http_proxy *p = io->data;

	(void)loop;
	if (events & EV_WRITE)
		send_request(p);
	else
		read_answer(p);
}

static void
on_limit(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct http_proxy *p = timer->data;

	(void)loop;
	(void)events;
	fail(p, REASON_OPEN_TIMEOUT, "no answer within %g s", p->seconds);
}

struct http_proxy *
http_proxy_start(struct ev_loop *loop, int fd, const struct address *proxy,
    const struct service_settings *settings, double seconds, http_proxy_done *done,
    void *arg)
{
	struct http_proxy *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		close(fd);
		return NULL;
	}
	p->loop = loop;
	p->settings = settings;
	p->done = done;
	p->arg = arg;
	p->fd = fd;
	p->seconds = round(seconds * 10) / 10;
	address_format(proxy, p->proxy, sizeof(p->proxy));
	address_name_format(&settings->route, p->where, sizeof(p->where));
	ev_io_init(&p->io, on_ready, fd, EV_WRITE);
	ev_timer_init(&p->limit, on_limit, seconds, 0.);
	p->io.data = p;
	p->limit.data = p;
	if (!build_request(p)) {
		http_proxy_cancel(p);
		return NULL;
	}
	ev_io_start(loop, &p->io);
	ev_timer_start(loop, &p->limit);
	return p;
}
