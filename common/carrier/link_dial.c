#include "common/carrier/link_dial.h"

#include "common/net/dial.h"

#include <stdlib.h>

struct link_dial {
	struct link_set *links;
	struct service *service;
	struct target *target;
	bool looks;
	const struct link_events *events;
	void *owner;
	double ends; /* by reactor_now() */

	/* What is under way: */
	struct dial *dial;
	struct link *link; /* in its handshake */
};

static void
on_opened(void *owner, struct link *link)
{
	struct link_dial *a = owner;
	const struct link_events *events = a->events;

	owner = a->owner;
	free(a);
	events->opened(owner, link);
}

static void
on_failed(void *owner, enum reason reason, const char *detail)
{
	struct link_dial *a = owner;
	const struct link_events *events = a->events;

	owner = a->owner;
	free(a);
	events->failed(owner, reason, detail);
}

static const struct link_events link_events = {
    .opened = on_opened,
    .failed = on_failed,
};

static void
on_connected(
    void *arg, int fd, const struct address *to, enum reason reason, const char *why)
{
	struct link_dial *a = arg;

	(void)to;
	a->dial = NULL;
	if (fd < 0) {
		on_failed(
		    a, reason == REASON_FAR_RESET ? REASON_CONNECT_FAILED : reason, why);
		return;
	}
	service_tune(a->service, fd, SOCKET_REMOTE, false);
	a->link = link_new(a->links, a->service, a->target, fd, a->ends - reactor_now(),
	    &link_events, a);
	if (a->link == NULL)
		on_failed(a, REASON_NO_MEMORY, NULL);
	else if (a->looks)
		link_look(a->link);
}

struct link_dial *
link_dial_start(struct link_set *links, struct resolver *resolver,
    struct service *service, struct target *target, bool looks, double seconds,
    const struct link_events *events, void *owner)
{
	struct link_dial *a = malloc(sizeof(*a));

	if (a == NULL)
		return NULL;
	*a = (struct link_dial){
	    .links = links,
	    .service = service,
	    .target = target,
	    .looks = looks,
	    .events = events,
	    .owner = owner,
	    .ends = reactor_now() + seconds,
	};
	a->dial = dial_start(links->reactor->loop, resolver, target->name,
	    service->settings, seconds, on_connected, a);
	if (a->dial == NULL) {
		free(a);
		return NULL;
	}
	return a;
}

const char *
link_dial_silence(const struct link_dial *a)
{
	return a->link != NULL ? link_silence(a->link) : NULL;
}

void
link_dial_cancel(struct link_dial *a)
{
	if (a == NULL)
		return;
	dial_cancel(a->dial);
	if (a->link != NULL)
		link_cancel(a->link);
	free(a);
}
