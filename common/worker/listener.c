#include "common/worker/listener.h"

#include "common/base/log.h"
#include "common/base/socket.h"
#include "common/net/acceptor.h"

#include <stdlib.h>
#include <string.h>

enum {
	/* The most connections accepted in one iteration of the loop. */
	ACCEPT_BATCH = 64,
};

struct listener {
	LIST_ENTRY(listener) entry;
	struct acceptor acceptor;
	struct listen_socket *listen_socket; /* these two are held */
	struct service *service;
	const struct listener_events *events;
	void *owner;
};

static void
log_pause(const struct listener *l, enum log_level level, const char *why)
{
	struct err detail;

	(void)err_set(&detail, "accepting pauses: %s", why);
	log_event_cause(level, l->service->settings->name, "pause",
	    LOG_TEXT("service", l->service->settings->name),
	    LOG_TEXT("detail", detail.text));
}

static bool
listener_may_accept_more(void *owner)
{
	struct listener *l = owner;

	if (l->events->may_accept(l->owner, l->service))
		return true;
	log_pause(l, LOG_LEVEL_WARNING, "maxConnections or maxStreams is reached");
	return false;
}

static void
listener_on_accepted(void *owner, int fd, const struct address *peer)
{
	struct listener *l = owner;

	service_tune(l->service, fd, SOCKET_LOCAL, false);
	l->events->accepted(l->owner, l->service, fd, peer);
}

static void
listener_on_shortage(void *owner, int errnum)
{
	struct listener *l = owner;

	log_pause(l, LOG_LEVEL_ERROR, strerror(errnum));
	l->events->shortage(l->owner);
}

static const struct acceptor_events acceptor_events = {
    .accepted = listener_on_accepted,
    .may_accept = listener_may_accept_more,
    .shortage = listener_on_shortage,
};

/* Take the worker's own socket over from the listen socket. */
static struct listener *
add(struct listener_list *list, struct ev_loop *loop, const struct binding *binding,
    size_t index)
{
	struct listener *l = calloc(1, sizeof(*l));
	int fd = binding->listen_socket->fds[index];

	if (l == NULL)
		return NULL;
	binding->listen_socket->fds[index] = -1;
	l->listen_socket = listen_socket_hold(binding->listen_socket);
	l->service = service_hold(binding->service);
	socket_tune(fd, l->service->settings->role == ROLE_CLIENT);
	acceptor_start(&l->acceptor, loop, fd, ACCEPT_BATCH, &acceptor_events, l);
	LIST_INSERT_HEAD(list, l, entry);
	return l;
}

static void
end(struct listener *l)
{
	acceptor_stop(&l->acceptor);
	service_release(l->service);
	listen_socket_release(l->listen_socket);
	LIST_REMOVE(l, entry);
	free(l);
}

/* What is there already leads to its new service, or is closed. */
static void
turn_to(struct listener_list *list, const struct generation *generation)
{
	struct listener *l, *next;
	struct service *service;

	for (l = LIST_FIRST(list); l != NULL; l = next) {
		next = LIST_NEXT(l, entry);
		if ((service = generation_service_of(generation, l->listen_socket)) ==
		    NULL) {
			acceptor_drain(&l->acceptor); /* nobody comes back for it */
			end(l);
		} else {
			service_hold(service);
			service_release(l->service);
			l->service = service;
		}
	}
}

bool
listener_list_follow(struct listener_list *list, struct ev_loop *loop,
    const struct generation *generation, size_t index,
    const struct listener_events *events, void *owner)
{
	bool ok = true;

	turn_to(list, generation);
	for (size_t i = 0; i < generation->binding_count; i++) {
		const struct binding *binding = &generation->bindings[i];
		struct listener *l;

		if (binding->service == NULL || binding->listen_socket->fds[index] < 0)
			continue; /* not for workers, or taken over before */
		if ((l = add(list, loop, binding, index)) == NULL) {
			ok = false;
			continue;
		}
		l->events = events;
		l->owner = owner;
	}
	return ok;
}

void
listener_list_drain(struct listener_list *list)
{
	struct listener *l;

	LIST_FOREACH (l, list, entry)
		acceptor_drain(&l->acceptor);
}

void
listener_list_clear(struct listener_list *list)
{
	while (!LIST_EMPTY(list))
		end(LIST_FIRST(list));
}
