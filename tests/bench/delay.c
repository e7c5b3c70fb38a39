/*
 * A long path between the two ends of a pair: every byte takes DELAY ms each way, however
 * many there are, and a connection takes one round trip to be made, as over a real path.
 *
 *	delay LISTEN CONNECT DELAY
 *
 * Our accept() is the dialling side's SYN.  Over a real path it could send nothing before
 * the SYN-ACK, one round trip later; so nothing of it is passed on before it would have
 * arrived then, and the far end is dialled at that very moment.
 *
 * A path that both sides have ended, and that has nothing on its way, is over.
 */
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "sockets.h"

enum {
	EVENTS = 64,
	CHUNK = 64 * 1024, /* bytes of one receive */
	NEAR = 0,          /* who dialled us */
	FAR = 1,           /* whom we dial */
};

/** Bytes on their way.  None: the end of that direction. */
struct packet {
	STAILQ_ENTRY(packet) next;
	uint64_t due;
	size_t size;
	uint8_t bytes[];
};

STAILQ_HEAD(packets, packet);

/** One socket of a path, and what is on its way to it. */
struct side {
	struct path *path;
	int fd; /* FAR: -1 until dialled */
	bool ended;
	struct packets coming;
};

struct path {
	LIST_ENTRY(path) next;
	uint64_t made; /* when the far end hears of it */
	struct side sides[2];
};

/** What is the same for all of them. */
struct relay {
	int epoll;
	int listener;
	int timer;
	const char *connect;
	uint64_t delay; /* ns */
	LIST_HEAD(, path) paths;
};

static struct side *
side_opposite(const struct side *s)
{
	return &s->path->sides[s == &s->path->sides[NEAR] ? FAR : NEAR];
}

/* Keep what came, or the end, for the time it takes. */
static void
side_send(struct relay *r, struct side *from, const uint8_t *bytes, size_t size)
{
	struct packet *p = malloc(sizeof(*p) + size);

	if (p == NULL)
		err(1, "packet");
	p->due = now() + r->delay;
	/* Until the connection is made one can send nothing. */
	if (p->due < from->path->made)
		p->due = from->path->made;
	p->size = size;
	if (size > 0)
		memcpy(p->bytes, bytes, size);
	STAILQ_INSERT_TAIL(&side_opposite(from)->coming, p, next);
}

static void
side_read(struct relay *r, struct side *s)
{
	uint8_t bytes[CHUNK];
	ssize_t n = recv(s->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n == -1 && errno == EAGAIN)
		return;
	side_send(r, s, bytes, n > 0 ? (size_t)n : 0);
	if (n > 0)
		return;
	s->ended = true;
	if (epoll_ctl(r->epoll, EPOLL_CTL_DEL, s->fd, NULL) == -1)
		err(1, "epoll_ctl");
}

/* What is due at this moment.  The socket's buffer takes it: nobody measures a rate here.
 */
static void
side_arrive(struct side *s, uint64_t moment)
{
	struct packet *p;

	while (
	    s->fd != -1 && (p = STAILQ_FIRST(&s->coming)) != NULL && p->due <= moment) {
		if (p->size == 0)
			shutdown(s->fd, SHUT_WR);
		else if (send(s->fd, p->bytes, p->size, MSG_NOSIGNAL) == -1 &&
			 errno != EPIPE && errno != ECONNRESET)
			err(1, "send");
		STAILQ_REMOVE_HEAD(&s->coming, next);
		free(p);
	}
}

static void
side_watch(struct relay *r, struct side *s, int fd)
{
	s->fd = fd;
	poller_add(r->epoll, fd, EPOLLIN, (epoll_data_t){.ptr = s});
}

static void
path_new(struct relay *r, int fd)
{
	struct path *p = calloc(1, sizeof(*p));

	if (p == NULL)
		err(1, "path");
	for (int i = 0; i < 2; i++) {
		p->sides[i].path = p;
		p->sides[i].fd = -1;
		STAILQ_INIT(&p->sides[i].coming);
	}
	p->made = now() + 3 * r->delay; /* SYN, SYN-ACK, and ACK with the first bytes */
	side_watch(r, &p->sides[NEAR], fd);
	LIST_INSERT_HEAD(&r->paths, p, next);
}

/* Go on as far as the clock allows.  Returns when to look again, UINT64_MAX: never. */
static uint64_t
path_step(struct relay *r, struct path *p, uint64_t moment)
{
	uint64_t next = UINT64_MAX;

	if (p->sides[FAR].fd == -1) {
		if (moment < p->made)
			return p->made;
		side_watch(r, &p->sides[FAR], connect_to(r->connect));
	}
	for (int i = 0; i < 2; i++) {
		const struct packet *first;

		side_arrive(&p->sides[i], moment);
		first = STAILQ_FIRST(&p->sides[i].coming);
		if (first != NULL && first->due < next)
			next = first->due;
	}
	if (next == UINT64_MAX && p->sides[NEAR].ended && p->sides[FAR].ended) {
		close(p->sides[NEAR].fd);
		close(p->sides[FAR].fd);
		LIST_REMOVE(p, next);
		free(p);
	}
	return next;
}

static void
relay_step(struct relay *r)
{
	uint64_t next = UINT64_MAX, moment = now();
	struct itimerspec at = {.it_value = {0}};
	struct path *p = LIST_FIRST(&r->paths), *following;

	for (; p != NULL; p = following) {
		uint64_t due;

		following = LIST_NEXT(p, next);
		due = path_step(r, p, moment);
		if (due < next)
			next = due;
	}
	if (next != UINT64_MAX) {
		at.it_value.tv_sec = (time_t)(next / 1000000000);
		at.it_value.tv_nsec = (long)(next % 1000000000);
	}
	if (timerfd_settime(r->timer, TFD_TIMER_ABSTIME, &at, NULL) == -1)
		err(1, "timerfd_settime");
}

static void
relay_hear(struct relay *r, void *source)
{
	uint64_t times;
	int fd;

	if (source == &r->listener) {
		while ((fd = accept_from(r->listener)) != -1)
			path_new(r, fd);
	} else if (source == &r->timer) {
		if (read(r->timer, &times, sizeof(times)) == -1 && errno != EAGAIN)
			err(1, "timer");
	} else {
		side_read(r, source);
	}
}

int
main(int argc, char **argv)
{
	struct relay r = {.epoll = poller()};
	struct epoll_event events[EVENTS];

	if (argc != 4)
		errx(2, "usage: delay LISTEN CONNECT DELAY");
	LIST_INIT(&r.paths);
	r.listener = listen_on(argv[1]);
	r.connect = argv[2];
	r.delay = (uint64_t)(strtod(argv[3], NULL) * 1e6);
	r.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	if (r.timer == -1)
		err(1, "timerfd_create");
	poller_add(r.epoll, r.listener, EPOLLIN, (epoll_data_t){.ptr = &r.listener});
	poller_add(r.epoll, r.timer, EPOLLIN, (epoll_data_t){.ptr = &r.timer});
	for (;;) {
		int n = epoll_wait(r.epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++)
			relay_hear(&r, events[i].data.ptr);
		relay_step(&r); /* alone ends paths, after the last event of this turn */
	}
}
