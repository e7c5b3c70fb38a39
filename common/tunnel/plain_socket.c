#include "common/tunnel/plain_socket.h"

#include "common/base/socket.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>

/* Seconds between two looks at an emptying socket: there is no event for it. */
static const double drain_first = 0.001, drain_last = 0.064;

static struct plain_socket *
plain_of(struct endpoint *e)
{
	return (
	    struct plain_socket *)((char *)e - offsetof(struct plain_socket, endpoint));
}

static void
mark_reset(struct plain_socket *p)
{
	p->endpoint.deaf = true;
	p->endpoint.reason = REASON_PROGRAM_RESET;
}

/*
 * A FIN, or an RST that looks like one?  Once send() or SO_ERROR took the error away, or
 * when an RST follows a FIN before we look, recv() says 0 all the same; the socket
 * is then shut in both directions although we never shut ours.  A Unix socket has no RST,
 * and looks so at any close.
 */
static bool
is_reset(const struct plain_socket *p)
{
	struct pollfd look = {.fd = p->fd};

	if (p->endpoint.deaf)
		return true;
	if (poll(&look, 1, 0) < 1)
		return false;
	return (look.revents & POLLERR) ||
	       ((look.revents & POLLHUP) && !p->shut && !socket_is_unix(p->fd));
}

static enum source
plain_take(struct endpoint *e, size_t most, struct batch *batch)
{
	struct plain_socket *p = plain_of(e);
	uint8_t *space = p->watch.reactor->plain + REACTOR_HEADROOM;
	ssize_t n;

	if (most > REACTOR_BATCH)
		most = REACTOR_BATCH;
	n = recv(p->fd, space, most, 0);
	if (n > 0) {
		e->readable = (size_t)n == most || e->deaf; /* then an end is behind it */
		batch_add(batch, space, (size_t)n);
		return SOURCE_OPEN;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		e->readable = errno == EINTR;
		return SOURCE_OPEN;
	}
	e->readable = false;
	if (n == 0 && !is_reset(p))
		return SOURCE_FINISHED;
	mark_reset(p);
	return SOURCE_BROKEN;
}

static size_t
plain_room(const struct endpoint *e)
{
	(void)e;
	return REACTOR_BATCH;
}

static size_t
plain_give(struct endpoint *e, const struct batch *batch)
{
	struct plain_socket *p = plain_of(e);
	struct msghdr message = {
	    .msg_iov = (struct iovec *)(uintptr_t)batch->parts,
	    .msg_iovlen = (size_t)batch->count,
	};
	ssize_t n;

	if (e->deaf)
		return 0;
	n = sendmsg(p->fd, &message, MSG_NOSIGNAL);
	if (n >= 0)
		return (size_t)n;
	if (errno != EAGAIN && errno != EINTR) {
		mark_reset(p);
		e->readable = true; /* bytes may still be there, ahead of the reset */
	}
	return 0;
}

static void
on_drain(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct plain_socket *p = timer->data;
	int n = socket_unacknowledged(p->fd);

	(void)events;
	progress_note(&p->watch.reactor->turn, "a program's last bytes");
	if (n == p->waiting) {
		timer->repeat =
		    timer->repeat * 2 < drain_last ? timer->repeat * 2 : drain_last;
		ev_timer_again(loop, timer);
		return;
	}
	p->waiting = n;
	p->endpoint.wake(p->endpoint.owner);
}

/* False: no memory for waiting. */
static bool
wait_for_drain(struct plain_socket *p)
{
	if (p->drain == NULL && (p->drain = malloc(sizeof(*p->drain))) != NULL) {
		ev_init(p->drain, on_drain);
		p->drain->data = p;
	}
	if (p->drain == NULL)
		return false;
	p->drain->repeat = drain_first;
	ev_timer_again(p->watch.reactor->loop, p->drain);
	return true;
}

static bool
plain_end(struct endpoint *e, enum ending ending)
{
	struct plain_socket *p = plain_of(e);

	if (ending == ENDING_FIN) {
		if (shutdown(p->fd, SHUT_WR) < 0)
			mark_reset(p);
		p->shut = true;
		return true;
	}
	if (!e->deaf && (p->waiting = socket_unacknowledged(p->fd)) > 0 &&
	    wait_for_drain(p))
		return false;
	plain_socket_reset(p);
	return true;
}

static void
plain_wait(struct endpoint *e, bool readable, bool writable)
{
	struct plain_socket *p = plain_of(e);

	if (p->fd >= 0)
		watch_wait(&p->watch,
		    e->deaf && !e->readable
			? 0
			: (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
}

static void
on_ready(void *owner, int events)
{
	struct plain_socket *p = owner;

	progress_note(&p->watch.reactor->turn, "a program's socket");
	if (events & (EV_READ | WATCH_BROKEN))
		p->endpoint.readable = true;
	if ((events & WATCH_BROKEN) && is_reset(p))
		mark_reset(p);
	p->endpoint.wake(p->endpoint.owner);
}

static const struct endpoint_ops plain_ops = {
    .take = plain_take,
    .room = plain_room,
    .give = plain_give,
    .end = plain_end,
    .wait = plain_wait,
};

void
plain_socket_init(struct plain_socket *p, struct reactor *r, int fd,
    void (*wake)(void *owner), void *owner)
{
	*p = (struct plain_socket){
	    .endpoint = {.ops = &plain_ops,
		.wake = wake,
		.owner = owner,
		.readable = true},
	    .fd = fd,
	};
	watch_init(&p->watch, r, fd, on_ready, p);
}

/* Stop every watcher and give the descriptor away. */
static int
leave(struct plain_socket *p)
{
	int fd = p->fd;

	watch_stop(&p->watch);
	if (p->drain != NULL)
		ev_timer_stop(p->watch.reactor->loop, p->drain);
	free(p->drain);
	p->drain = NULL;
	p->fd = -1;
	return fd;
}

void
plain_socket_close(struct plain_socket *p)
{
	if (p->fd >= 0)
		socket_close(leave(p));
}

void
plain_socket_reset(struct plain_socket *p)
{
	if (p->fd >= 0)
		socket_reset(leave(p));
}
