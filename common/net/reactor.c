#include "common/net/reactor.h"

#include "common/base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

/* One break at a time: the callback may free what another break in a list would point to.
 */
static void
on_broken(struct ev_loop *loop, ev_io *io, int events)
{
	struct reactor *r = io->data;
	struct epoll_event event;
	struct watch *w;

	(void)loop;
	(void)events;
	if (epoll_wait(r->broken, &event, 1, 0) == 1) {
		w = event.data.ptr;
		w->ready(w->io.data, WATCH_BROKEN);
	}
}

/* For libev, which takes no no for an answer.  Its arrays are small, and grow rarely. */
static void *
allocate_patiently(void *old, long n)
{
	const struct timespec moment = {.tv_nsec = 10000000};
	void *memory;

	if (n == 0) {
		free(old);
		return NULL;
	}
	while ((memory = realloc(old, (size_t)n)) == NULL) {
		log_cause(LOG_LEVEL_ERROR, "",
		    "event=no-memory detail=\"a loop waits until there is some\"");
		nanosleep(&moment, NULL);
	}
	return memory;
}

void
reactor_prepare(void)
{
	ev_set_allocator(allocate_patiently);
}

bool
reactor_init(struct reactor *r, struct ev_loop *loop, struct err *e)
{
	*r = (struct reactor){.loop = loop, .broken = -1};
	r->plain = malloc(REACTOR_HEADROOM + REACTOR_PLAIN);
	r->frames = malloc(REACTOR_PLAIN);
	r->in = malloc(REACTOR_BATCH);
	r->out = malloc(REACTOR_OUT);
	if (r->plain == NULL || r->frames == NULL || r->in == NULL || r->out == NULL) {
		err_set(e, "out of memory");
		goto fail;
	}
	if ((r->broken = epoll_create1(EPOLL_CLOEXEC)) < 0) {
		err_errno(e, errno, "epoll_create1");
		goto fail;
	}
	ev_io_init(&r->broken_io, on_broken, r->broken, EV_READ);
	r->broken_io.data = r;
	ev_io_start(loop, &r->broken_io);
	ev_set_userdata(loop, r);
	return true;
fail:
	reactor_clear(r);
	return false;
}

void
reactor_clear(struct reactor *r)
{
	if (r->broken >= 0) {
		ev_io_stop(r->loop, &r->broken_io);
		close(r->broken);
		ev_set_userdata(r->loop, NULL);
	}
	free(r->plain);
	free(r->frames);
	free(r->in);
	free(r->out);
	*r = (struct reactor){.broken = -1};
}

void
reactor_tell_shortage(struct ev_loop *loop)
{
	struct reactor *r = ev_userdata(loop);

	if (r != NULL && r->shortage != NULL)
		r->shortage(r->owner);
}

double
reactor_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
on_ready(struct ev_loop *loop, ev_io *io, int events)
{
	struct watch *w = (struct watch *)io; /* its first member */

	(void)loop;
	w->ready(io->data, events & (EV_READ | EV_WRITE));
}

void
watch_init(struct watch *w, struct reactor *r, int fd, watch_ready *ready, void *owner)
{
	*w = (struct watch){.reactor = r, .ready = ready};
	ev_io_init(&w->io, on_ready, fd, EV_READ);
	w->io.data = owner;
}

/* Edge-triggered, so that a break is told once and ordinary traffic wakes nobody.  The
 * kernel takes the socket out when it is closed. */
static void
guard(struct watch *w)
{
	struct epoll_event event = {.events = EPOLLET, .data.ptr = w};

	if (epoll_ctl(w->reactor->broken, EPOLL_CTL_ADD, w->io.fd, &event) == 0)
		w->guarded = true;
}

void
watch_wait(struct watch *w, int events)
{
	struct ev_loop *loop = w->reactor->loop;

	if (events == 0 && !w->guarded)
		guard(w);
	if (ev_is_active(&w->io)) {
		if ((w->io.events & (EV_READ | EV_WRITE)) == events)
			return;
		ev_io_stop(loop, &w->io);
	}
	if (events != 0) {
		ev_io_modify(&w->io, events);
		ev_io_start(loop, &w->io);
	}
}

void
watch_stop(struct watch *w)
{
	ev_io_stop(w->reactor->loop, &w->io);
}
