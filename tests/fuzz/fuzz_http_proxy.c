/*
 * Any answer of an HTTP proxy, in pieces: a byte says how long the next one is.  The
 * first byte of all says what the proxy is asked with, and whether it closes at the end.
 */
#include "common/net/http_proxy.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/script.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	WITH_PASSWORD = 1,
	WITH_HEADER = 2,
	LONG = 100, /* seconds that pass in none of these */
};

static char password[] = "hunter2-of-the-fuzzer";

struct play {
	int calls;
	int fd; /* that done() was given */
	int proxy;
	const uint8_t *sent; /* by the proxy, all of it */
	size_t length;
};

static struct ev_loop *loop;

static void
on_done(void *arg, int fd, enum reason reason, const char *why)
{
	struct play *p = arg;

	p->calls++;
	p->fd = fd;
	MUST((fd >= 0) == (why == NULL));
	if (why == NULL)
		return;
	MUST(reason == REASON_PROXY_REFUSED);
	MUST(strpbrk(why, "\r\n") == NULL);
	/* Unless the proxy itself says it. */
	if (memmem(p->sent, p->length, password, strlen(password)) == NULL)
		MUST(strstr(why, password) == NULL);
}

static void
turn(void)
{
	for (int i = 0; i < 3; i++)
		ev_run(loop, EVRUN_NOWAIT);
}

/* What the proxy sends, without the lengths in between. */
static void
play_answer(struct play *p, struct script *s, uint8_t *space)
{
	p->sent = space;
	while (s->left > 0 && p->calls == 0) {
		size_t n;
		const uint8_t *piece = script_bytes(s, (size_t)script_next(s) + 1, &n);

		memcpy(space + p->length, piece, n);
		MUST(send(p->proxy, piece, n, MSG_NOSIGNAL) == (ssize_t)n);
		p->length += n;
		turn();
	}
}

/* All behind the header of its answer, and not a byte before, is left for TLS. */
static void
check_rest(const struct play *p)
{
	uint8_t *rest;
	int n;

	MUST(ioctl(p->fd, FIONREAD, &n) == 0 && (size_t)n <= p->length);
	rest = malloc((size_t)n + 1);
	MUST(rest != NULL && (n == 0 || read(p->fd, rest, (size_t)n) == n));
	MUST(memcmp(rest, p->sent + p->length - n, (size_t)n) == 0);
	n = (int)p->length - n;
	MUST(n > 9 && memcmp(p->sent, "HTTP/1.", 7) == 0);
	MUST(memcmp(p->sent + n - 2, "\n\n", 2) == 0 ||
	     memcmp(p->sent + n - 3, "\n\r\n", 3) == 0);
	free(rest);
}

static struct http_proxy *
begin(struct play *p, const struct service_settings *settings)
{
	struct address address = {.length = sizeof(sa_family_t)};
	struct http_proxy *attempt;
	int fds[2], much = 1 << 20;

	if (loop == NULL)
		MUST((loop = ev_loop_new(EVFLAG_AUTO)) != NULL);
	address.any.sa_family = AF_UNIX;
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	MUST(setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &much, sizeof(much)) == 0);
	p->proxy = fds[1];
	attempt = http_proxy_start(loop, fds[0], &address, settings, LONG, on_done, p);
	MUST(attempt != NULL);
	turn();
	return attempt;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char host[] = "route.test", user[] = "fuzz", header[] = "X-Fuzz: 1";
	char *headers[] = {header};
	struct script script = {.data = data, .left = size};
	uint8_t how = script_next(&script), *space = malloc(size + 1);
	struct service_settings settings = {.protocol = PROTOCOL_CONNECT,
	    .route = {.host = host, .port = 443},
	    .protocol_username = how & WITH_PASSWORD ? user : NULL,
	    .protocol_password = how & WITH_PASSWORD ? password : NULL,
	    .protocol_header = {.items = headers, .count = how & WITH_HEADER ? 1 : 0}};
	struct play play = {.fd = -1};
	struct http_proxy *attempt = begin(&play, &settings);

	MUST(space != NULL);
	play_answer(&play, &script, space);
	if (play.calls == 0 && how & 4)
		http_proxy_cancel(attempt);
	close(play.proxy);
	turn();
	MUST(play.calls == 1 || (play.calls == 0 && how & 4));
	if (play.fd >= 0) {
		check_rest(&play);
		close(play.fd);
	}
	free(space);
	return 0;
}
