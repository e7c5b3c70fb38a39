#include "common/net/acceptor.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* Seconds without accepting: once descriptors or memory have run out; or while the owner
 * is full. */
static const double shortage_pause = 0.2, full_pause = 0.05;

/* Of accept(2)'s errors most belong to one connection that is gone already. */
static bool
is_shortage(int errnum)
{
	return errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM ||
	       errnum == ENOBUFS;
}

static void
pause_for(struct acceptor *a, double seconds)
{
	ev_io_stop(a->loop, &a->io);
	ev_timer_set(&a->pause, seconds, 0);
	ev_timer_start(a->loop, &a->pause);
}

static void
acceptor_on_pause_over(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct acceptor *a = timer->data;

	(void)events;
	ev_io_start(loop, &a->io);
}

/* True: there may be more. */
static bool
accept_one(struct acceptor *a)
{
	struct address peer = {.length = sizeof(peer) - sizeof(peer.length)};
	int fd, errnum;

	if (a->events->may_accept != NULL && !a->events->may_accept(a->owner)) {
		pause_for(a, full_pause);
		return false;
	}
	fd = accept4(a->io.fd, &peer.any, &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
	errnum = errno;
	if (fd >= 0) {
		a->events->accepted(a->owner, fd, &peer);
		return true;
	}
	if (!is_shortage(errnum))
		return errnum != EAGAIN;
	pause_for(a, shortage_pause);
	if (a->events->shortage != NULL)
		a->events->shortage(a->owner, errnum);
	return false;
}

static void
acceptor_on_connection(struct ev_loop *loop, ev_io *io, int events)
{
	struct acceptor *a = io->data;

	(void)loop;
	(void)events;
	for (int i = 0; i < a->batch && accept_one(a); i++)
		;
}

void
acceptor_start(struct acceptor *a, struct ev_loop *loop, int fd, int batch,
    const struct acceptor_events *events, void *owner)
{
	a->loop = loop;
	a->batch = batch;
	a->events = events;
	a->owner = owner;
	ev_io_init(&a->io, acceptor_on_connection, fd, EV_READ);
	a->io.data = a;
	ev_init(&a->pause, acceptor_on_pause_over);
	a->pause.data = a;
	ev_io_start(loop, &a->io);
}

/* One for each that the queue may hold. */
void
acceptor_drain(struct acceptor *a)
{
	for (int i = 0; i < SOMAXCONN && accept_one(a); i++)
		;
}

void
acceptor_stop(struct acceptor *a)
{
	ev_io_stop(a->loop, &a->io);
	ev_timer_stop(a->loop, &a->pause);
	close(a->io.fd);
}
