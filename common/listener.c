#include "common/listener.h"

#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	/* The most connections accepted in one turn of the loop. */
	ACCEPT_BATCH = 64,
};

/* Seconds without accepting, once descriptors or memory have run out. */
static const double pause_seconds = 0.2;

struct listener {
	LIST_ENTRY(listener) entry;
	ev_io io;
	ev_timer pause;
	struct ev_loop *loop;
	struct service *service;
	listener_accepted *accepted;
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
take_a_pause(struct listener *l, int errnum)
{
	char name[LOG_QUOTE_SIZE];

	log_cause(LOG_LEVEL_ERROR, l->service->settings->name,
	    "event=pause service=%s detail=\"accepting pauses: %s\"",
	    log_quote(l->service->settings->name, name), strerror(errnum));
	ev_io_stop(l->loop, &l->io);
	ev_timer_set(&l->pause, pause_seconds, 0);
	ev_timer_start(l->loop, &l->pause);
}

static void
on_pause_over(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct listener *l = timer->data;

	(void)events;
	ev_io_start(loop, &l->io);
}

static void
on_connection(struct ev_loop *loop, ev_io *io, int events)
{
	struct listener *l = io->data;
	struct net_address peer;
	int i, fd;

	(void)loop;
	(void)events;
	for (i = 0; i < ACCEPT_BATCH; i++) {
		peer = (struct net_address){.length = sizeof(peer) - sizeof(peer.length)};
		fd = accept4(
		    io->fd, &peer.any, &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			l->accepted(l->owner, l->service, fd, &peer);
		} else if (is_shortage(errno)) {
			take_a_pause(l, errno);
			return;
		} else if (errno == EAGAIN) {
			return;
		}
	}
}

bool
listener_add(struct listener_list *list, struct ev_loop *loop, struct service *service,
    int fd, listener_accepted *accepted, void *owner)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return false;
	l->loop = loop;
	l->service = service;
	l->accepted = accepted;
	l->owner = owner;
	net_tune(fd, service->settings->role == ROLE_CLIENT);
	ev_io_init(&l->io, on_connection, fd, EV_READ);
	l->io.data = l;
	ev_io_start(loop, &l->io);
	ev_init(&l->pause, on_pause_over);
	l->pause.data = l;
	LIST_INSERT_HEAD(list, l, entry);
	return true;
}

void
listener_list_drain(struct listener_list *list)
{
	struct listener *l;

	LIST_FOREACH (l, list, entry)
		on_connection(l->loop, &l->io, EV_READ);
}

void
listener_list_clear(struct listener_list *list)
{
	struct listener *l;

	while ((l = LIST_FIRST(list)) != NULL) {
		ev_io_stop(l->loop, &l->io);
		ev_timer_stop(l->loop, &l->pause);
		close(l->io.fd);
		LIST_REMOVE(l, entry);
		free(l);
	}
}
