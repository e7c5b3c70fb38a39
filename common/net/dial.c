#include "common/net/dial.h"

#include "common/net/http_proxy.h"
#include "common/net/reactor.h"

#include <stdlib.h>

/* One after the other. */
struct dial {
	struct ev_loop *loop;
	const struct service_settings *settings;
	connect_done *done;
	void *arg;
	double ends; /* by reactor_now() */
	struct address to;
	struct connect *connect;
	struct http_proxy *proxy;
};

void
dial_cancel(struct dial *dial)
{
	if (dial == NULL)
		return;
	connect_cancel(dial->connect);
	http_proxy_cancel(dial->proxy);
	free(dial);
}

/* Done may free what the dial leans on. */
static void
finish(struct dial *d, int fd, enum reason reason, const char *why)
{
	connect_done *done = d->done;
	void *arg = d->arg;
	struct address to = d->to;

	dial_cancel(d);
	done(arg, fd, fd >= 0 ? &to : NULL, reason, why);
}

static void
on_agreed(void *arg, int fd, enum reason reason, const char *why)
{
	struct dial *d = arg;

	d->proxy = NULL;
	finish(d, fd, reason, why);
}

static void
on_connected(
    void *arg, int fd, const struct address *to, enum reason reason, const char *why)
{
	struct dial *d = arg;
	double left = d->ends - reactor_now();

	d->connect = NULL;
	if (fd >= 0)
		d->to = *to;
	if (fd < 0 || d->settings->protocol != PROTOCOL_CONNECT) {
		finish(d, fd, reason, why);
		return;
	}
	d->proxy = http_proxy_start(
	    d->loop, fd, to, d->settings, left > 0 ? left : 0, on_agreed, d);
	if (d->proxy == NULL)
		finish(d, -1, REASON_NO_MEMORY, "out of memory");
}

struct dial *
dial_start(struct ev_loop *loop, struct resolver *resolver,
    const struct address_name *name, const struct service_settings *settings,
    double seconds, connect_done *done, void *arg)
{
	struct dial *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->loop = loop;
	d->settings = settings;
	d->done = done;
	d->arg = arg;
	d->ends = reactor_now() + seconds;
	d->connect =
	    connect_start(loop, resolver, name, settings, seconds, on_connected, d);
	if (d->connect == NULL) {
		free(d);
		return NULL;
	}
	return d;
}
