#include "common/opening.h"

#include "common/connect.h"
#include "common/log.h"

#include <stdlib.h>

/* Seconds that every target gets, however many there are. */
static const double least_share = 1;

struct opening {
	const struct dialer *dialer;
	struct service *service;
	const struct opening_events *events;
	void *owner;
	size_t index;         /* of the target being tried */
	double deadline;      /* of the whole */
	double share_ends;    /* of this target */
	struct connect *dial; /* NULL unless it is connecting */
	struct link *link;    /* NULL unless it is in the handshake */
	enum reason reason;   /* the first failure */
};

static bool try_target(struct opening *o);

static bool
is_client(const struct opening *o)
{
	return o->service->settings->role == ROLE_CLIENT;
}

static void
give_up(struct opening *o)
{
	const struct opening_events *events = o->events;
	enum reason reason = o->reason;
	void *owner = o->owner;

	free(o);
	events->failed(owner, reason);
}

/* Say why, then try the next target, if there is one and time is left. */
static void
target_failed(struct opening *o, enum reason reason, const char *detail)
{
	const struct target *target = &o->service->targets[o->index];
	const char *service = o->service->settings->name;
	bool last =
	    o->index + 1 == o->service->target_count || reactor_now() >= o->deadline;
	char name[LOG_QUOTE_SIZE], text[LOG_QUOTE_SIZE];

	if (o->reason == REASON_NONE)
		o->reason = reason;
	log_cause(last ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, service,
	    "event=failed why=%s service=%s target=%s detail=%s", reason_word(reason),
	    log_quote(service, name), target->text,
	    log_quote(detail != NULL ? detail : reason_text(reason), text));
	o->index++;
	if (last || !try_target(o))
		give_up(o);
}

static void
opened(struct opening *o, int fd, struct channel *channel)
{
	const struct opening_events *events = o->events;
	void *owner = o->owner;

	free(o);
	events->opened(owner, fd, channel);
}

static void
on_link_opened(void *owner, struct link *link)
{
	struct opening *o = owner;
	struct channel *channel = carrier_raw_new(link);

	o->link = NULL;
	if (channel != NULL)
		opened(o, -1, channel);
	else
		target_failed(o, REASON_NO_MEMORY, NULL);
}

static void
on_link_failed(void *owner, enum reason reason, const char *detail)
{
	struct opening *o = owner;

	o->link = NULL;
	target_failed(o, reason, detail);
}

static const struct link_events link_events = {
    .opened = on_link_opened,
    .failed = on_link_failed,
};

static void
on_connected(
    void *arg, int fd, const struct net_address *to, enum reason reason, const char *why)
{
	struct opening *o = arg;

	(void)to;
	o->dial = NULL;
	if (fd < 0) {
		target_failed(o, is_client(o) ? reason : REASON_APP_UNREACHABLE, why);
		return;
	}
	net_tune(fd, !is_client(o));
	if (!is_client(o)) {
		opened(o, fd, NULL);
		return;
	}
	o->link = link_new(o->dialer->links, o->service, &o->service->targets[o->index],
	    fd, o->share_ends - reactor_now(), &link_events, o);
	if (o->link == NULL)
		target_failed(o, REASON_NO_MEMORY, NULL);
}

static bool
try_target(struct opening *o)
{
	size_t left = o->service->target_count - o->index;
	double share = (o->deadline - reactor_now()) / (double)left;

	if (share < least_share)
		share = least_share;
	o->share_ends = reactor_now() + share;
	o->dial = connect_start(o->dialer->reactor->loop, o->dialer->resolver,
	    o->service->targets[o->index].name, share, on_connected, o);
	return o->dial != NULL;
}

struct opening *
opening_start(const struct dialer *dialer, struct service *service,
    const struct opening_events *events, void *owner)
{
	struct opening *o = malloc(sizeof(*o));

	if (o == NULL)
		return NULL;
	*o = (struct opening){
	    .dialer = dialer,
	    .service = service,
	    .events = events,
	    .owner = owner,
	};
	o->deadline = reactor_now() + service->settings->timeout_connect;
	if (!try_target(o)) {
		free(o);
		return NULL;
	}
	return o;
}

void
opening_cancel(struct opening *o)
{
	if (o == NULL)
		return;
	connect_cancel(o->dial);
	if (o->link != NULL)
		link_cancel(o->link);
	free(o);
}
