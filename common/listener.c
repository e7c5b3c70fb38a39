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
	ev_io io;
	ev_timer pause;
	struct ev_loop *loop;
	struct service *service;
	struct net_address address;
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
	bool plain = l->service->settings->role == ROLE_CLIENT;
	struct net_address peer;
	int i, fd;

	(void)loop;
	(void)events;
	for (i = 0; i < ACCEPT_BATCH; i++) {
		peer = (struct net_address){.length = sizeof(peer) - sizeof(peer.length)};
		fd = accept4(
		    io->fd, &peer.any, &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			net_tune(fd, plain);
			l->accepted(l->owner, l->service, fd, &peer);
		} else if (is_shortage(errno)) {
			take_a_pause(l, errno);
			return;
		} else if (errno == EAGAIN) {
			return;
		}
	}
}

struct listener *
listener_new(struct ev_loop *loop, struct service *service,
    const struct net_address *address, listener_accepted *accepted, void *owner,
    struct err *e)
{
	struct listener *l = calloc(1, sizeof(*l));
	int fd;

	if (l == NULL) {
		err_set(e, "out of memory");
		return NULL;
	}
	if ((fd = net_listen(address, e)) < 0) {
		free(l);
		return NULL;
	}
	l->loop = loop;
	l->service = service;
	l->address = *address;
	l->accepted = accepted;
	l->owner = owner;
	ev_io_init(&l->io, on_connection, fd, EV_READ);
	l->io.data = l;
	ev_io_start(loop, &l->io);
	ev_init(&l->pause, on_pause_over);
	l->pause.data = l;
	return l;
}

void
listener_free(struct listener *l)
{
	ev_io_stop(l->loop, &l->io);
	ev_timer_stop(l->loop, &l->pause);
	close(l->io.fd);
	if (l->address.any.sa_family == AF_UNIX && l->address.un.sun_path[0] != '\0')
		(void)unlink(l->address.un.sun_path);
	free(l);
}
