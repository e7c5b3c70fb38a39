/*
 * The load of the bench: client and app of one measurement, in one process.
 *
 *	load MODE ENTRY APP STREAMS SECONDS [PID...]
 *
 * It listens on 127.0.0.1:APP as the app and opens STREAMS streams to 127.0.0.1:ENTRY as
 * the program that talks to it.  The PIDs are the processes between the two: their CPU
 * time over the measured interval, or their memory, is part of the answer, which is one
 * JSON object on stdout.  Its own CPU time is nobody's.
 *
 *	bulk	every stream sends as fast as it may, the app throws the bytes away
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
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sockets.h"

enum {
	MESSAGE = 64,       /* bytes of a request and of its reply */
	CHUNK = 256 * 1024, /* bytes of one send or receive in bulk */
	EVENTS = 64,
	TICK = 100,     /* ms after which a thread looks whether the run is over */
	PATIENCE = 100, /* of these until something came through */
	REHEARSAL = 20, /* streams opened and closed before idle ones are counted */
};

#define WARM_UP 0.4 /* s before the measured interval: slow start, first handshakes */
#define SETTLE 0.5  /* s between the last stream opened and a look at the memory */
#define REST 0.1    /* s between two streams of which the first byte is awaited */

/** Times in ns, in no order, as many as come. */
struct samples {
	uint64_t *ns;
	size_t count;
	size_t capacity;
};

/** One measurement.  The atomics are what the threads tell each other. */
struct run {
	const struct mode *mode;
	uint16_t entry;
	size_t streams;
	double seconds;
	pid_t *pids;
	size_t n_pids;

	int listener;
	atomic_bool measuring;
	atomic_bool over;
	atomic_uint_fast64_t done; /* in the mode's unit, since the start */
	struct samples latencies;  /* the client's until it was joined */
};

/** What a mode does at each end. */
struct mode {
	const char *name;
	bool discard; /* the app: throw away, else send back */
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

static void
samples_add(struct samples *s, uint64_t ns)
{
	if (s->count == s->capacity) {
		s->capacity = s->capacity ? 2 * s->capacity : 65536;
		s->ns = realloc(s->ns, s->capacity * sizeof(*s->ns));
		if (s->ns == NULL)
			err(1, "samples");
	}
	s->ns[s->count++] = ns;
}

static int
compare_ns(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

static void
samples_sort(struct samples *s)
{
	if (s->count > 0)
		qsort(s->ns, s->count, sizeof(*s->ns), compare_ns);
}

/* In us; the samples must be sorted. */
static double
samples_quantile(const struct samples *s, double q)
{
	size_t at = (size_t)(q * (double)s->count);

	if (s->count == 0)
		return 0;
	return (double)s->ns[at < s->count ? at : s->count - 1] / 1e3;
}

/* CPU seconds, user and system, that the processes have used in their lives, threads that
 * have ended included. */
static double
cpu_of(const struct run *r)
{
	double sum = 0;

	for (size_t i = 0; i < r->n_pids; i++) {
		clockid_t clock;
		struct timespec t;

		if (clock_getcpuclockid(r->pids[i], &clock) != 0 ||
		    clock_gettime(clock, &t) != 0)
			errx(1, "process %d is gone", (int)r->pids[i]);
		sum += (double)t.tv_sec + (double)t.tv_nsec / 1e9;
	}
	return sum;
}

/* Bytes of memory of the processes, each shared page divided by its sharers.  What the
 * kernel holds for their sockets is not in it. */
static double
memory_of(const struct run *r)
{
	double sum = 0;

	for (size_t i = 0; i < r->n_pids; i++) {
		char path[64], line[256];
		long kib = -1;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)r->pids[i]);
		if ((f = fopen(path, "r")) == NULL)
			err(1, "%s", path);
		while (kib < 0 && fgets(line, sizeof(line), f) != NULL)
			if (strncmp(line, "Pss:", 4) == 0)
				kib = strtol(line + 4, NULL, 10);
		fclose(f);
		if (kib < 0)
			errx(1, "%s: no Pss", path);
		sum += (double)kib * 1024;
	}
	return sum;
}

/* The app's turn with one stream.  False: it has ended. */
static bool
app_serve(struct run *r, int fd)
{
	uint8_t bytes[16 * MESSAGE];
	ssize_t n;

	if (r->mode->discard) {
		/* MSG_TRUNC: TCP drops the bytes without copying them to us. */
		n = recv(fd, NULL, (size_t)4 * CHUNK, MSG_TRUNC | MSG_DONTWAIT);
		if (n > 0)
			atomic_fetch_add(&r->done, (uint64_t)n);
	} else {
		n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n > 0 && send(fd, bytes, (size_t)n, MSG_NOSIGNAL) != n)
			return false;
	}
	return n > 0 || (n == -1 && errno == EAGAIN);
}

static void
app_accept(int epoll, int listener)
{
	int fd;

	while ((fd = accept_from(listener)) != -1)
		poller_add(epoll, fd, EPOLLIN, (epoll_data_t){.fd = fd});
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
				app_accept(epoll, fd);
			else if (!app_serve(r, fd))
				close(fd);
		}
	}
	return NULL;
}

static void *
bulk_client(void *argument)
{
	struct run *r = argument;
	struct epoll_event events[EVENTS];
	int epoll = poller();

	for (size_t i = 0; i < r->streams; i++) {
		int fd = connect_to(r->entry);

		poller_add(epoll, fd, EPOLLOUT, (epoll_data_t){.fd = fd});
	}
	while (!atomic_load(&r->over)) {
		int n = epoll_wait(epoll, events, EVENTS, TICK);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (send(fd, zeros, CHUNK, MSG_DONTWAIT | MSG_NOSIGNAL) == -1 &&
			    errno != EAGAIN)
				err(1, "bulk: send");
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
	pause_for(WARM_UP);
	done = atomic_load(&r->done);
	cpu = cpu_of(r);
	start = now();
	atomic_store(&r->measuring, true);
	pause_for(r->seconds);
	atomic_store(&r->measuring, false);
	end = now();
	cpu = cpu_of(r) - cpu;
	done = atomic_load(&r->done) - done;
	atomic_store(&r->over, true);
	pthread_join(client, NULL);
	if (done == 0)
		errx(1, "nothing came through");
	samples_sort(&r->latencies);
	printf("{\"done\": %" PRIu64 ", \"seconds\": %.6f, \"cpu\": %.6f, "
	       "\"p50\": %.2f, \"p99\": %.2f, \"p999\": %.2f}\n",
	    done, (double)(end - start) / 1e9, cpu, samples_quantile(&r->latencies, 0.5),
	    samples_quantile(&r->latencies, 0.99),
	    samples_quantile(&r->latencies, 0.999));
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

/* The rehearsal comes first so that what a process allocates once is not in the figure.
 */
static void
measure_idle(struct run *r)
{
	double before, bytes, cpu;

	for (int i = 0; i < REHEARSAL; i++)
		close(open_one(r));
	pause_for(SETTLE);
	before = memory_of(r);
	for (size_t i = 0; i < r->streams; i++)
		open_one(r); /* stays open until the process ends */
	pause_for(SETTLE);
	bytes = memory_of(r);
	cpu = cpu_of(r);
	pause_for(r->seconds);
	cpu = cpu_of(r) - cpu;
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
    {.name = "bulk", .discard = true, .measure = measure_traffic, .client = bulk_client},
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

int
main(int argc, char **argv)
{
	struct run r = {.n_pids = 0};
	pthread_t app;

	if (argc < 6)
		errx(2, "usage: load MODE ENTRY APP STREAMS SECONDS [PID...]");
	r.mode = mode_named(argv[1]);
	r.entry = (uint16_t)strtoul(argv[2], NULL, 10);
	r.listener = listen_on((uint16_t)strtoul(argv[3], NULL, 10));
	r.streams = strtoul(argv[4], NULL, 10);
	r.seconds = strtod(argv[5], NULL);
	r.n_pids = (size_t)argc - 6;
	r.pids = calloc(r.n_pids + 1, sizeof(*r.pids));
	if (r.pids == NULL)
		err(1, "pids");
	for (size_t i = 0; i < r.n_pids; i++)
		r.pids[i] = (pid_t)strtol(argv[6 + i], NULL, 10);

	if (pthread_create(&app, NULL, app_thread, &r) != 0)
		errx(1, "no thread");
	r.mode->measure(&r);
	atomic_store(&r.over, true);
	pthread_join(app, NULL);
	close(r.listener);
	free(r.latencies.ns);
	free(r.pids);
	return 0;
}
