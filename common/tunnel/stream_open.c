#include "common/tunnel/stream_open.h"

#include "common/base/socket.h"
#include "common/carrier/link_dial.h"
#include "common/net/dial.h"
#include "common/tunnel/channel_request.h"
#include "common/tunnel/failover.h"
#include "common/tunnel/send_proxy.h"

#include <stdlib.h>

struct stream_open {
	const struct dialer *dialer;
	struct service *service;
	const char *peer;
	const struct channel *caller; /* the server's; NULL in the client */
	const struct stream_open_events *events;
	void *owner;
	struct failover_walk walk;

	/* What is under way, one at a time: */
	struct dial *dial;           /* to the app */
	struct link_dial *link_dial; /* to a raw link */
	struct channel_request request;

	bool tried[]; /* by target */
};

static bool try_next(struct stream_open *o);

static struct ev_loop *
loop_of(const struct stream_open *o)
{
	return o->dialer->reactor->loop;
}

static struct target *
target_of(const struct stream_open *o)
{
	return failover_target(&o->walk);
}

static bool
is_client(const struct stream_open *o)
{
	return o->service->settings->role == ROLE_CLIENT;
}

/* ---- the end --------------------------------------------------------------------- */

/* Stop whatever is under way. */
static void
stop(struct stream_open *o)
{
	dial_cancel(o->dial);
	o->dial = NULL;
	link_dial_cancel(o->link_dial);
	o->link_dial = NULL;
	channel_request_stop(&o->request);
}

static void
discard(struct stream_open *o)
{
	failover_clear(&o->walk);
	channel_request_clear(&o->request);
	free(o);
}

void
stream_open_cancel(struct stream_open *o)
{
	if (o == NULL)
		return;
	stop(o);
	discard(o);
}

static void
give_up(struct stream_open *o)
{
	const struct stream_open_events *events = o->events;
	enum reason reason = o->walk.reason;
	void *owner = o->owner;
	struct buf words = failover_give_up(&o->walk);

	stream_open_cancel(o);
	events->failed(owner, reason,
	    buf_length(&words) > 0 ? (const char *)buf_bytes(&words)
				   : reason_text(reason));
	buf_clear(&words);
}

/* Try the next target, if there is one and time is left. */
static void
target_failed(struct stream_open *o, enum reason reason, const char *detail)
{
	failover_fail(&o->walk, reason, detail);
	stop(o);
	if (!try_next(o))
		give_up(o);
}

static void
opened(struct stream_open *o, int fd, struct channel *channel)
{
	const struct stream_open_events *events = o->events;
	void *owner = o->owner;
	size_t fed = buf_length(&o->request.first);
	struct buf rest;

	failover_succeed(&o->walk);
	rest = channel_request_take_rest(&o->request);
	discard(o);
	events->opened(owner, fd, channel, rest, fed);
}

/* ---- raw carriers and sockets ---------------------------------------------------- */

static void
use_raw(struct stream_open *o, struct link *link)
{
	struct channel *channel = carrier_raw_new(link);

	if (channel != NULL)
		opened(o, -1, channel);
	else
		target_failed(o, REASON_NO_MEMORY, NULL);
}

/* It was to be raw when the dial began, but by now the target speaks h2. */
static void
stream_open_on_link_opened(void *owner, struct link *link)
{
	struct stream_open *o = owner;

	o->link_dial = NULL;
	if (!tls_is_h2(&link->tls))
		use_raw(o, link);
	else if (!channel_request_start_with(&o->request, link))
		target_failed(o, REASON_NO_MEMORY, NULL);
}

static void
stream_open_on_link_failed(void *owner, enum reason reason, const char *detail)
{
	struct stream_open *o = owner;

	o->link_dial = NULL;
	target_failed(o, reason, detail);
}

static const struct link_events link_events = {
    .opened = stream_open_on_link_opened,
    .failed = stream_open_on_link_failed,
};

/* No byte of the stream has reached an app that does not take what goes ahead of it. */
static void
use_app(struct stream_open *o, int fd)
{
	struct err e = {.text = ""};
	enum reason reason =
	    send_proxy_header(fd, o->service->settings, o->caller, o->peer, &e);

	if (reason == REASON_NONE) {
		opened(o, fd, NULL);
		return;
	}
	socket_reset(fd);
	target_failed(o, reason, e.text);
}

static void
stream_open_on_connected(
    void *arg, int fd, const struct address *to, enum reason reason, const char *why)
{
	struct stream_open *o = arg;

	(void)to;
	o->dial = NULL;
	if (fd < 0) {
		/* An app that resets at once was reached: nobody need try elsewhere. */
		target_failed(o,
		    reason == REASON_FAR_RESET ? REASON_PROGRAM_RESET
					       : REASON_APP_UNREACHABLE,
		    why);
		return;
	}
	service_tune(o->service, fd, SOCKET_REMOTE, true);
	use_app(o, fd);
}

static bool
dial_app(struct stream_open *o)
{
	o->dial = dial_start(loop_of(o), o->dialer->resolver, target_of(o)->name,
	    o->service->settings, failover_left(&o->walk), stream_open_on_connected, o);
	return o->dial != NULL;
}

static bool
dial_raw(struct stream_open *o)
{
	o->link_dial = link_dial_start(o->dialer->links, o->dialer->resolver, o->service,
	    target_of(o), false, failover_left(&o->walk), &link_events, o);
	return o->link_dial != NULL;
}

/* ---- h2 carriers ----------------------------------------------------------------- */

static void
stream_open_on_hungry(void *owner)
{
	struct stream_open *o = owner;

	o->events->hungry(o->owner);
}

static void
stream_open_on_accepted(void *owner, struct channel *channel)
{
	opened(owner, -1, channel);
}

static void
stream_open_on_raw(void *owner, struct link *link)
{
	struct stream_open *o = owner;

	if (link != NULL)
		use_raw(o, link);
	else if (!dial_raw(o))
		target_failed(o, REASON_NO_MEMORY, NULL);
}

static void
stream_open_on_request_failed(
    void *owner, enum reason reason, const char *detail, bool certain)
{
	struct stream_open *o = owner;

	if (certain) {
		target_failed(o, reason, detail);
		return;
	}
	failover_blame(&o->walk, reason, detail);
	give_up(o);
}

static const struct channel_request_events request_events = {
    .hungry = stream_open_on_hungry,
    .accepted = stream_open_on_accepted,
    .raw = stream_open_on_raw,
    .failed = stream_open_on_request_failed,
};

bool
stream_open_feed(struct stream_open *o, struct endpoint *program)
{
	return channel_request_feed(&o->request, program);
}

size_t
stream_open_given(const struct stream_open *o)
{
	return o->request.given;
}

/* ---- the beginning --------------------------------------------------------------- */

/* False: there is none, or no time or no memory left. */
static bool
try_next(struct stream_open *o)
{
	struct target *rested;

	if (!failover_next(&o->walk))
		return false;
	if (!is_client(o))
		return dial_app(o);
	if ((rested = failover_look(&o->walk)) != NULL)
		pool_look(o->dialer->pools, o->service, rested);
	return target_may_h2(target_of(o)) ? channel_request_start(&o->request)
					   : dial_raw(o);
}

struct stream_open *
stream_open_start(const struct dialer *dialer, struct service *service, const char *peer,
    const struct channel *caller, const struct stream_open_events *events, void *owner)
{
	struct stream_open *o =
	    malloc(sizeof(*o) + service->target_count * sizeof(o->tried[0]));

	if (o == NULL)
		return NULL;
	*o = (struct stream_open){
	    .dialer = dialer,
	    .service = service,
	    .peer = peer,
	    .caller = caller,
	    .events = events,
	    .owner = owner,
	    .request =
		{
		    .reactor = dialer->reactor,
		    .pools = dialer->pools,
		    .service = service,
		    .peer = peer,
		    .walk = &o->walk,
		    .events = &request_events,
		    .owner = o,
		},
	};
	failover_init(&o->walk, service, o->tried);
	channel_request_init(&o->request);
	if (!try_next(o)) {
		free(o);
		return NULL;
	}
	return o;
}
