/*
 * The load of the bench: client and app of one measurement, in one process.
 *
 *	load [-n NAMESPACE] [-w WARM_UP] MODE ENTRY APP STREAMS SECONDS [PID...]
 *
 * It listens on the address APP as the app, with -n in that network namespace (a file),
 * and opens STREAMS streams to the address ENTRY as the program that talks to it.  The
 * PIDs are the processes between the two: their CPU time over the measured interval, or
 * their memory, is part of the answer, which is one JSON object on stdout.  Its own CPU
 * time is nobody's.
 *
 *	bulk	every stream sends as fast as it may, the app throws the bytes away
 *	fetch	the same the other way: the app sends
 *	beside-bulk, beside-fetch
 *		the same, and the latencies of one stream more that does as in echo
 *	echo	64 bytes there and back, again and again, on every stream at once
 *	open	connect, 64 bytes there and back, close; STREAMS of these at a time
 *	idle	opens STREAMS one after the other, 64 bytes there and back on each, and
 *		then does nothing for SECONDS: what do they cost in memory, and in CPU?
 *	first	opens STREAMS one after the other, with rests between: how long is it
 *		from connect() to the first byte of the reply?
 *
 * Two threads, one for the app and one for the client, each with its own epoll; the main
 * thread only looks at the clock.  Anything unexpected ends the run with status 1: a
 * figure of a broken run is worth nothing.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "meter.h"
#include "sockets.h"

enum {
	MESSAGE = 64,       /* bytes of a request and of its reply */
	CHUNK = 256 * 1024, /* bytes of one send or receive in bulk */
	EVENTS = 64,
	TICK = 100,     /* ms after which a thread looks whether the run is over */
	PATIENCE = 100, /* of these until something came through */
	REHEARSAL = 20, /* streams opened and closed before idle ones are counted */
};

#define WARM_UP 0.4 /* s, unless told otherwise */
#define SETTLE 0.5  /* s until opened streams have come to rest */
#define REST 0.1    /* s between two streams of which the first byte is awaited */

/** One measurement.  The atomics are what the threads tell each other. */
struct run {
	const struct mode *mode;
	const char *entry;
	size_t streams;
	double seconds;
	double warm_up; /* s before the measured interval: slow start, first handshakes */
	struct processes between;

	int listener;
	int asker; /* the app's: the connection that asks beside bulk; -1: none yet */
	atomic_bool measuring;
	atomic_bool over;
	atomic_uint_fast64_t done; /* in the mode's unit, since the start */
	struct samples latencies;  /* the client's until it was joined */
};

/** What the app does on a connection. */
enum app {
	APP_ECHO,
	APP_DISCARD,
	APP_SEND,
};

/** What a mode does at each end. */
struct mode {
	const char *name;
	enum app app;
	bool asks; /* the first connection asks, and is served by APP_ECHO */
	void (*measure)(struct run *);
	void *(*client)(void *run); /* the thread of measure_traffic() */
};

/** One stream of the client. */
struct stream {
	int fd;
	size_t got;     /* bytes of the reply so far */
	uint64_t since; /* ns, when the request was sent or the stream begun */
};

static const uint8_t zeros[CHUNK];

static enum app
app_of(const struct run *r, int fd)
{
	return fd == r->asker ? APP_ECHO : r->mode->app;
}

/* What came, or can be sent.  TCP drops the bytes without copying them to us (MSG_TRUNC).
 */
static ssize_t
swallow(struct run *r, int fd)
{
	ssize_t n = recv(fd, NULL, (size_t)4 * CHUNK, MSG_TRUNC | MSG_DONTWAIT);

	if (n > 0)
		atomic_fetch_add(&r->done, (uint64_t)n);
	return n;
}

static ssize_t
pour(int fd)
{
	return send(fd, zeros, CHUNK, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The app's turn with one stream.  False: it has ended. */
static bool
app_serve(struct run *r, int fd)
{
	uint8_t bytes[16 * MESSAGE];
	ssize_t n = -1;

	switch (app_of(r, fd)) {
	case APP_ECHO:
		n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n > 0 && send(fd, bytes, (size_t)n, MSG_NOSIGNAL) != n)
			return false;
		break;
	case APP_DISCARD:
		n = swallow(r, fd);
		break;
	case APP_SEND:
		n = pour(fd);
		break;
	}
	return n > 0 || (n == -1 && errno == EAGAIN);
}

static void
app_accept(struct run *r, int epoll)
{
	int fd;

	while ((fd = accept_from(r->listener)) != -1) {
		if (r->mode->asks && r->asker == -1)
			r->asker = fd;
		poller_add(epoll, fd, app_of(r, fd) == APP_SEND ? EPOLLOUT : EPOLLIN,
		    (epoll_data_t){.fd = fd});
	}
}

static void *
app_thread(void *argument)
{
	struct run *r = argument;
	struct epoll_event events[EVENTS];
	int epoll = poller();

	poller_add(epoll, r->listener, EPOLLIN, (epoll_data_t){.fd = r->listener});
	while (!atomic_load(&r->over)) {
		int n = epoll_wait(epoll, events, EVENTS, TICK);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (fd == r->listener)
				app_accept(r, epoll);
			else if (!app_serve(r, fd))
				close(fd);
		}
	}
	return NULL;
}

static void
stream_ask(struct stream *s)
{
	s->got = 0;
	if (send(s->fd, zeros, MESSAGE, MSG_NOSIGNAL) != MESSAGE)
		err(1, "request");
}

/* True: the reply is complete. */
static bool
stream_hear(struct stream *s)
{
	uint8_t bytes[MESSAGE];
	ssize_t n = recv(s->fd, bytes, MESSAGE - s->got, MSG_DONTWAIT);

	if (n == -1 && errno == EAGAIN)
		return false;
	if (n == -1)
		err(1, "a stream ended before its reply");
	if (n == 0)
		errx(1, "a stream ended before its reply");
	s->got += (size_t)n;
	return s->got == MESSAGE;
}

/* One stream that has carried a message both ways. */
static int
open_one(const struct run *r)
{
	struct stream s = {.fd = connect_to(r->entry)};
	uint8_t bytes[MESSAGE];

	stream_ask(&s);
	if (recv(s.fd, bytes, MESSAGE, MSG_WAITALL) != MESSAGE)
		errx(1, "a stream ended before its reply");
	return s.fd;
}

/* A stream that asks and hears beside the others; before them, so that the app knows it.
 */
static struct stream
open_asker(struct run *r, int epoll)
{
	struct stream s = {.fd = open_one(r), .since = now()};

	poller_add(epoll, s.fd, EPOLLIN, (epoll_data_t){.fd = s.fd});
	stream_ask(&s);
	return s;
}

static void
asker_hear(struct run *r, struct stream *s)
{
	if (!stream_hear(s))
		return;
	if (atomic_load(&r->measuring))
		samples_add(&r->latencies, now() - s->since);
	s->since = now();
	stream_ask(s);
}

static void *
bulk_client(void *argument)
{
	struct run *r = argument;
	struct epoll_event events[EVENTS];
	struct stream asker = {.fd = -1};
	int epoll = poller();
	bool sends = r->mode->app == APP_DISCARD;

	if (r->mode->asks)
		asker = open_asker(r, epoll);
	for (size_t i = 0; i < r->streams; i++) {
		int fd = connect_to(r->entry);

		poller_add(
		    epoll, fd, sends ? EPOLLOUT : EPOLLIN, (epoll_data_t){.fd = fd});
	}
	if (r->mode->asks)
		pause_for(SETTLE); /* all are open then, and share what they share */
	while (!atomic_load(&r->over)) {
		int n = epoll_wait(epoll, events, EVENTS, TICK);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (fd == asker.fd)
				asker_hear(r, &asker);
			else if ((sends ? pour(fd) : swallow(r, fd)) <= 0 &&
				 errno != EAGAIN)
				err(1, "bulk");
		}
	}
	return NULL;
}

static void
run_count(struct run *r, const struct stream *s)
{
	atomic_fetch_add(&r->done, 1);
	if (atomic_load(&r->measuring))
		samples_add(&r->latencies, now() - s->since);
}

static void
echo_next(struct run *r, int epoll, struct stream *s)
{
	(void)r;
	(void)epoll;
	s->since = now();
	stream_ask(s);
}

static void
open_next(struct run *r, int epoll, struct stream *s)
{
	if (s->fd != -1)
		close(s->fd);
	s->since = now();
	s->fd = connect_to(r->entry);
	poller_add(epoll, s->fd, EPOLLIN, (epoll_data_t){.ptr = s});
	stream_ask(s);
}

/* Every stream asks, hears the reply, and goes on with @next. */
static void
ask_and_hear(struct run *r, int epoll, struct stream *streams,
    void (*next)(struct run *, int, struct stream *))
{
	struct epoll_event events[EVENTS];

	for (size_t i = 0; i < r->streams; i++)
		next(r, epoll, &streams[i]);
	while (!atomic_load(&r->over)) {
		int n = epoll_wait(epoll, events, EVENTS, TICK);

		for (int i = 0; i < n; i++) {
			struct stream *s = events[i].data.ptr;

			if (!stream_hear(s))
				continue;
			run_count(r, s);
			next(r, epoll, s);
		}
	}
}

static struct stream *
streams_new(const struct run *r)
{
	struct stream *streams = calloc(r->streams, sizeof(*streams));

	if (streams == NULL)
		err(1, "streams");
	for (size_t i = 0; i < r->streams; i++)
		streams[i].fd = -1;
	return streams;
}

static void *
echo_client(void *argument)
{
	struct run *r = argument;
	struct stream *streams = streams_new(r);
	int epoll = poller();

	for (size_t i = 0; i < r->streams; i++) {
		streams[i].fd = connect_to(r->entry);
		poller_add(
		    epoll, streams[i].fd, EPOLLIN, (epoll_data_t){.ptr = &streams[i]});
	}
	ask_and_hear(r, epoll, streams, echo_next);
	free(streams);
	return NULL;
}

static void *
open_client(void *argument)
{
	struct run *r = argument;
	struct stream *streams = streams_new(r);

	ask_and_hear(r, poller(), streams, open_next);
	free(streams);
	return NULL;
}

/* Rates, latencies and CPU time over the measured interval. */
static void
measure_traffic(struct run *r)
{
	pthread_t client;
	uint64_t start, end, done;
	double cpu;

	if (pthread_create(&client, NULL, r->mode->client, r) != 0)
		errx(1, "no thread");
	for (int i = 0; i < PATIENCE && atomic_load(&r->done) == 0; i++)
		pause_for(TICK / 1e3);
	pause_for(r->warm_up);
	done = atomic_load(&r->done);
	cpu = processes_cpu(&r->between);
	start = now();
	atomic_store(&r->measuring, true);
	pause_for(r->seconds);
	atomic_store(&r->measuring, false);
	end = now();
	cpu = processes_cpu(&r->between) - cpu;
	done = atomic_load(&r->done) - done;
	atomic_store(&r->over, true);
	pthread_join(client, NULL);
	if (done == 0 || (r->mode->asks && r->latencies.count == 0))
		errx(1, "nothing came through");
	samples_sort(&r->latencies);
	printf("{\"done\": %" PRIu64 ", \"seconds\": %.6f, \"cpu\": %.6f, "
	       "\"p50\": %.2f, \"p99\": %.2f, \"p999\": %.2f}\n",
	    done, (double)(end - start) / 1e9, cpu, samples_quantile(&r->latencies, 0.5),
	    samples_quantile(&r->latencies, 0.99),
	    samples_quantile(&r->latencies, 0.999));
}

/* The rehearsal comes first so that what a process allocates once is not in the figure.
 */
static void
measure_idle(struct run *r)
{
	double before, bytes, cpu;

	for (int i = 0; i < REHEARSAL; i++)
		close(open_one(r));
	pause_for(SETTLE);
	before = processes_memory(&r->between);
	for (size_t i = 0; i < r->streams; i++)
		open_one(r); /* stays open until the process ends */
	pause_for(SETTLE);
	bytes = processes_memory(&r->between);
	cpu = processes_cpu(&r->between);
	pause_for(r->seconds);
	cpu = processes_cpu(&r->between) - cpu;
	printf("{\"done\": %zu, \"bytes\": %.0f, \"whole\": %.0f, \"seconds\": %.6f, "
	       "\"cpu\": %.6f}\n",
	    r->streams, bytes - before, bytes, r->seconds, cpu);
}

/* The rehearsal comes first so that sessions can be resumed, and carriers are there. */
static void
measure_first(struct run *r)
{
	close(open_one(r));
	pause_for(SETTLE);
	for (size_t i = 0; i < r->streams; i++) {
		uint64_t since = now();
		int fd = open_one(r);

		samples_add(&r->latencies, now() - since);
		close(fd);
		pause_for(REST);
	}
	samples_sort(&r->latencies);
	printf("{\"done\": %zu, \"p50\": %.2f, \"most\": %.2f}\n", r->streams,
	    samples_quantile(&r->latencies, 0.5), samples_quantile(&r->latencies, 1));
}

static const struct mode modes[] = {
    {.name = "bulk",
	.app = APP_DISCARD,
	.measure = measure_traffic,
	.client = bulk_client},
    {.name = "fetch", .app = APP_SEND, .measure = measure_traffic, .client = bulk_client},
    {.name = "beside-bulk",
	.app = APP_DISCARD,
	.asks = true,
	.measure = measure_traffic,
	.client = bulk_client},
    {.name = "beside-fetch",
	.app = APP_SEND,
	.asks = true,
	.measure = measure_traffic,
	.client = bulk_client},
    {.name = "echo", .measure = measure_traffic, .client = echo_client},
    {.name = "open", .measure = measure_traffic, .client = open_client},
    {.name = "idle", .measure = measure_idle},
    {.name = "first", .measure = measure_first},
};

static const struct mode *
mode_named(const char *name)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(modes[i].name, name) == 0)
			return &modes[i];
	errx(2, "no mode %s", name);
}

/* The app may be at the other end of a path: in another network namespace. */
static int
listen_in(const char *namespace, const char *address)
{
	int home, there, listener;

	if (namespace == NULL)
		return listen_on(address);
	home = open("/proc/self/ns/net", O_RDONLY);
	there = open(namespace, O_RDONLY);
	if (home == -1 || there == -1 || setns(there, CLONE_NEWNET) == -1)
		err(1, "%s", namespace);
	listener = listen_on(address);
	if (setns(home, CLONE_NEWNET) == -1)
		err(1, "back from %s", namespace);
	close(home);
	close(there);
	return listener;
}

static void
read_pids(struct processes *p, char **words, int count)
{
	p->count = (size_t)count;
	p->pids = calloc(p->count + 1, sizeof(*p->pids));
	if (p->pids == NULL)
		err(1, "pids");
	for (int i = 0; i < count; i++)
		p->pids[i] = (pid_t)strtol(words[i], NULL, 10);
}

int
main(int argc, char **argv)
{
	struct run r = {.warm_up = WARM_UP, .asker = -1};
	const char *namespace = NULL;
	pthread_t app;
	int option;

	while ((option = getopt(argc, argv, "+n:w:")) != -1) {
		if (option == 'n')
		namespace = optarg;
		else if (option == 'w') r.warm_up = strtod(optarg, NULL);
		else return 2;
	}
	argv += optind;
	argc -= optind;
	if (argc < 5)
		errx(2, "usage: load [-n NAMESPACE] [-w WARM_UP] MODE ENTRY APP STREAMS "
			"SECONDS [PID...]");
	r.mode = mode_named(argv[0]);
	r.entry = argv[1];
	r.listener = listen_in(namespace, argv[2]);
	r.streams = strtoul(argv[3], NULL, 10);
	r.seconds = strtod(argv[4], NULL);
	read_pids(&r.between, argv + 5, argc - 5);

	if (pthread_create(&app, NULL, app_thread, &r) != 0)
		errx(1, "no thread");
	r.mode->measure(&r);
	atomic_store(&r.over, true);
	pthread_join(app, NULL);
	close(r.listener);
	free(r.latencies.ns);
	free(r.between.pids);
	return 0;
}
