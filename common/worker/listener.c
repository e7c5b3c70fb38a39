#include "common/worker/listener.h"

#include "common/base/log.h"
#include "common/base/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	/* The most connections accepted in one turn of the loop. */
	ACCEPT_BATCH = 64,
};

/* Seconds without accepting: once descriptors or memory have run out; or as many streams
 * are open as may be. */
static const double shortage_pause = 0.2, full_pause = 0.05;

struct listener {
	LIST_ENTRY(listener) entry;
	ev_io io;
	ev_timer pause;
	struct ev_loop *loop;
	struct listen_socket *door; /* these two are held */
	struct service *service;
	const struct listener_events *events;
	void *owner;
};

/* Of accept(2)'s errors most belong to one connection that is gone already. */
static bool
is_shortage(int errnum)
{
	return errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM ||
	       errnum == ENOBUFS;
}

static void
take_a_pause(struct listener *l, double seconds, enum log_level level, const char *why)
{
	struct err detail;

	(void)err_set(&detail, "accepting pauses: %s", why);
	log_event_cause(level, l->service->settings->name, "pause",
	    LOG_TEXT("service", l->service->settings->name),
	    LOG_TEXT("detail", detail.text));
	ev_io_stop(l->loop, &l->io);
	ev_timer_set(&l->pause, seconds, 0);
	ev_timer_start(l->loop, &l->pause);
}

static void
on_pause_over(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct listener *l = timer->data;

	(void)events;
	ev_io_start(loop, &l->io);
}

/* True: there may be more. */
static bool
accept_one(struct listener *l)
{
	struct address peer = {.length = sizeof(peer) - sizeof(peer.length)};
	int fd;

	if (!l->events->may_accept(l->owner, l->service)) {
		take_a_pause(l, full_pause, LOG_LEVEL_WARNING,
		    "maxConnections or maxStreams is reached");
		return false;
	}
	fd = accept4(l->io.fd, &peer.any, &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		service_tune(l->service, fd, SOCKET_LOCAL, false);
		l->events->accepted(l->owner, l->service, fd, &peer);
	} else if (is_shortage(errno)) {
		take_a_pause(l, shortage_pause, LOG_LEVEL_ERROR, strerror(errno));
		l->events->shortage(l->owner);
		return false;
	}
	return fd >= 0 || errno != EAGAIN;
}

static void
on_connection(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop;
	(void)events;
	for (int i = 0; i < ACCEPT_BATCH && accept_one(io->data); i++)
		;
}

/* All that is waiting, for nobody comes back for it. */
static void
accept_all(struct listener *l)
{
	for (int i = 0; i < SOMAXCONN && accept_one(l); i++)
		;
}

/* Take the worker's own socket over from the door. */
static struct listener *
add(struct listener_list *list, struct ev_loop *loop, const struct binding *entrance,
    size_t index)
{
	struct listener *l = calloc(1, sizeof(*l));
	int fd = entrance->door->fds[index];

	if (l == NULL)
		return NULL;
	entrance->door->fds[index] = -1;
	l->loop = loop;
	l->door = listen_socket_hold(entrance->door);
	l->service = service_hold(entrance->service);
	socket_tune(fd, l->service->settings->role == ROLE_CLIENT);
	ev_io_init(&l->io, on_connection, fd, EV_READ);
	l->io.data = l;
	ev_io_start(loop, &l->io);
	ev_init(&l->pause, on_pause_over);
	l->pause.data = l;
	LIST_INSERT_HEAD(list, l, entry);
	return l;
}

static void
end(struct listener *l)
{
	ev_io_stop(l->loop, &l->io);
	ev_timer_stop(l->loop, &l->pause);
	close(l->io.fd);
	service_release(l->service);
	listen_socket_release(l->door);
	LIST_REMOVE(l, entry);
	free(l);
}

/* What is there already leads to its new service, or is closed. */
static void
turn_to(struct listener_list *list, const struct generation *plan)
{
	struct listener *l, *next;
	struct service *service;

	for (l = LIST_FIRST(list); l != NULL; l = next) {
		next = LIST_NEXT(l, entry);
		if ((service = generation_service_of(plan, l->door)) == NULL) {
			accept_all(l);
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
    const struct generation *plan, size_t index, const struct listener_events *events,
    void *owner)
{
	bool ok = true;

	turn_to(list, plan);
	for (size_t i = 0; i < plan->entrance_count; i++) {
		const struct binding *entrance = &plan->entrances[i];
		struct listener *l;

		if (entrance->service == NULL || entrance->door->fds[index] < 0)
			continue; /* not for workers, or taken over before */
		if ((l = add(list, loop, entrance, index)) == NULL) {
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
		accept_all(l);
}

void
listener_list_clear(struct listener_list *list)
{
	while (!LIST_EMPTY(list))
		end(LIST_FIRST(list));
}
