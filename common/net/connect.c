#include "common/net/connect.h"

#include "common/base/log.h"
#include "common/base/socket.h"
#include "common/net/reactor.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* RFC 8305, 5: seconds that one address has before the next is tried beside it. */
static const double connection_attempt_delay = 0.25;

/* Seconds until somebody may have let go of a descriptor. */
static const double shortage_pause = 0.1;

enum {
	MOST_WITHOUT_LOOKUP = 2, /* addresses, from address_name_addresses() */
	WHY_SIZE = 1024,
};

/* One address. */
struct
try {
	struct address to;
	struct connect *attempt;
	ev_io io;
	int fd;         /* -1: not begun, or failed */
	int error;      /* errno: how it failed */
	bool connected; /* at once */
};

struct connect {
	struct ev_loop *loop;
	struct resolver *resolver;
	const struct address_name *name;
	const struct service_settings *settings; /* or NULL */
	double seconds; /* as they were asked for, in tenths; for the words */
	connect_done *done;
	void *arg;
	struct resolver_query *query; /* while the name is looked up */
	ev_timer limit;               /* of the whole */
	ev_timer next;     /* begins the next try, or reports that all failed */
	struct try *tries; /* `own`, or from the heap after a lookup */
	size_t count;
	size_t begun;
	size_t failed;
	bool lacks_descriptor; /* so the next try waits, and has the error */
	struct try own[MOST_WITHOUT_LOOKUP];
};

static const char *
error_words(const struct try *t)
{
	switch (t->error) {
	case EMFILE:
		return "this process has no file descriptor left";
	case ENFILE:
		return "the system has no file descriptor left";
	case EAGAIN:
		if (t->to.any.sa_family == AF_UNIX)
			return "its queue of waiting connections is full";
		return "no local port is left";
	case EADDRNOTAVAIL:
		return "no local address or port to connect from";
	case EAFNOSUPPORT:
		return "local is an address of another family";
	default:
		return strerror(t->error);
	}
}

/* What became of all tries so far, in one line; cut if it must be. */
static void
describe(const struct connect *a, char why[WHY_SIZE])
{
	char where[ADDRESS_TEXT_SIZE];
	size_t used = 0;

	why[0] = '\0';
	for (size_t i = 0; i < a->begun + a->lacks_descriptor && used < WHY_SIZE; i++) {
		const struct try *t = &a->tries[i];
		const char *join = i == 0 ? "" : "; ";
		int n;

		address_format(&t->to, where, sizeof(where));
		if (t->fd < 0)
			n = snprintf(why + used, WHY_SIZE - used, "%sconnect %s: %s",
			    join, where, error_words(t));
		else
			n = snprintf(why + used, WHY_SIZE - used,
			    "%sconnect %s: no answer within %g s", join, where,
			    a->seconds);
		used += (size_t)n;
	}
}

/* Let go of a try's descriptor, which is left open. */
static int
detach(struct try *t)
{
	int fd = t->fd;

	ev_io_stop(t->attempt->loop, &t->io);
	t->fd = -1;
	return fd;
}

void
connect_cancel(struct connect *attempt)
{
	struct connect *a = attempt;

	if (a == NULL)
		return;
	resolver_cancel(a->query);
	ev_timer_stop(a->loop, &a->limit);
	ev_timer_stop(a->loop, &a->next);
	for (size_t i = 0; i < a->begun; i++) {
		if (a->tries[i].fd >= 0)
			close(detach(&a->tries[i]));
	}
	if (a->tries != a->own)
		free(a->tries);
	free(a);
}

/* The end, only reached from the loop: report @winner, or if it is NULL, @reason. */
static void
finish(struct connect *a, struct try *winner, enum reason reason, const char *why)
{
	connect_done *done = a->done;
	void *arg = a->arg;
	struct address to;
	int fd = -1;

	if (winner != NULL) {
		to = winner->to;
		fd = detach(winner);
		if (a->name->host != NULL)
			resolver_prefer(a->resolver, a->name->host, &to);
	}
	connect_cancel(a); /* first, as done may free what the attempt leans on */
	done(arg, fd, winner != NULL ? &to : NULL, reason, why);
}

static void
finish_failed(struct connect *a, enum reason reason)
{
	char why[WHY_SIZE];

	describe(a, why);
	finish(a, NULL, reason, why);
}

/*
 * Whether a socket is connected to itself, as happens where nobody listens at a local
 * port from which the kernel may also take the port to connect from.
 */
static bool
is_self_connected(const struct try *t)
{
	struct address self = {.length = sizeof(self.un)};

	if (t->to.any.sa_family == AF_UNIX)
		return false;
	if (getsockname(t->fd, &self.any, &self.length) != 0)
		return false;
	if (t->to.any.sa_family == AF_INET)
		return self.in.sin_port == t->to.in.sin_port &&
		       self.in.sin_addr.s_addr == t->to.in.sin_addr.s_addr;
	return self.in6.sin6_port == t->to.in6.sin6_port &&
	       IN6_ARE_ADDR_EQUAL(&self.in6.sin6_addr, &t->to.in6.sin6_addr);
}

/* How a connect() ended that was under way: 0, or errno. */
static int
outcome(const struct try *t)
{
	int error = 0;
	socklen_t length = sizeof(error);

	if (!t->connected &&
	    getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
		return errno;
	if (error == 0 && is_self_connected(t))
		return ECONNREFUSED;
	return error;
}

static void
try_fail(struct try *t, int error)
{
	t->error = error;
	t->attempt->failed++;
	if (t->fd >= 0)
		close(detach(t));
}

/* Over loopback the second call finds what the first one began complete, which saves a
 * turn of the loop. */
static int
connect_at_once(const struct try *t)
{
	for (int i = 0; i < 2; i++) {
		if (connect(t->fd, &t->to.any, t->to.length) == 0)
			return 0;
		if (errno != EINPROGRESS)
			break;
	}
	return errno == EALREADY ? EINPROGRESS : errno;
}

/* From the source address of its family; the kernel finds the port when it knows where
 * to.  Returns 0 or errno. */
static int
bind_source(const struct try *t, const struct service_settings *s)
{
	int yes = 1;

	if (s->local_count == 0 || t->to.any.sa_family == AF_UNIX)
		return 0;
	for (size_t i = 0; i < s->local_count; i++) {
		const struct address *from = &s->local_addresses[i];

		if (from->any.sa_family != t->to.any.sa_family)
			continue;
		(void)setsockopt(
		    t->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
		return bind(t->fd, &from->any, from->length) == 0 ? 0 : errno;
	}
	return EAFNOSUPPORT;
}

/* What the settings want of a socket before it dials.  Returns 0 or errno. */
static int
prepare(const struct try *t)
{
	const struct service_settings *s = t->attempt->settings;
	const char *refused;

	if (s == NULL)
		return 0;
	if (!socket_option_apply(&s->socket, t->fd, SOCKET_REMOTE, &refused))
		return errno;
	return bind_source(t, s);
}

/* The try has a socket, or failed.  False: it has to wait for a descriptor. */
static bool
try_open(struct try *t)
{
	if ((t->fd = socket_open(&t->to)) >= 0)
		return true;
	if (errno == EMFILE || errno == ENFILE) {
		t->error = errno;
		return false;
	}
	try_fail(t, errno);
	return true;
}

/* Call connect().  False: it failed at once.  A success at once is left to the loop. */
static bool
try_begin(struct try *t)
{
	int result;

	if (t->fd < 0)
		return false;
	if ((result = prepare(t)) == 0)
		result = connect_at_once(t);
	if (result != 0 && result != EINPROGRESS) {
		try_fail(t, result);
		return false;
	}
	ev_io_set(&t->io, t->fd, EV_WRITE);
	t->connected = result == 0;
	if (t->connected)
		ev_feed_event(t->attempt->loop, &t->io, EV_WRITE);
	else
		ev_io_start(t->attempt->loop, &t->io);
	return true;
}

static void
wake_in(struct connect *a, double seconds)
{
	ev_timer_set(&a->next, seconds, 0.);
	ev_timer_start(a->loop, &a->next);
}

/* The lack is the whole process's, so no other address is any better. */
static void
wait_for_descriptor(struct connect *a)
{
	const char *service = a->settings != NULL ? a->settings->name : "";
	char detail[LOG_QUOTE_SIZE];

	snprintf(detail, sizeof(detail), "dialling pauses: %s",
	    error_words(&a->tries[a->begun]));
	log_event_cause(LOG_LEVEL_ERROR, service, "pause", LOG_TEXT("service", service),
	    LOG_TEXT("detail", detail));
	a->lacks_descriptor = true;
	reactor_tell_shortage(a->loop);
	wake_in(a, shortage_pause);
}

/* Begin the next try, passing over those that fail at once. */
static void
begin_next(struct connect *a)
{
	bool waiting = false;

	ev_timer_stop(a->loop, &a->next);
	a->lacks_descriptor = false;
	while (!waiting && a->begun < a->count) {
		if (!try_open(&a->tries[a->begun])) {
			wait_for_descriptor(a);
			return;
		}
		waiting = try_begin(&a->tries[a->begun++]);
	}
	if (a->failed == a->count)
		wake_in(a, 0.);
	else if (a->begun < a->count)
		wake_in(a, connection_attempt_delay);
}

/* All have failed.  A reset is an answer, where a refusal is none (RFC 9293, 3.10.7.3).
 */
static enum reason
reason_of_failure(const struct connect *a)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->tries[i].error == ECONNRESET)
			return REASON_FAR_RESET;
	return REASON_CONNECT_FAILED;
}

static void
on_next(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct connect *a = timer->data;

	(void)loop;
	(void)events;
	if (a->failed == a->count)
		finish_failed(a, reason_of_failure(a));
	else
		begin_next(a);
}

static void
on_writable(struct ev_loop *loop, ev_io *io, int events)
{
	struct try *t = io->data;
	int error = outcome(t);

	(void)loop;
	(void)events;
	if (error == 0) {
		finish(t->attempt, t, REASON_NONE, NULL);
		return;
	}
	try_fail(t, error);
	begin_next(t->attempt);
}

static void
on_limit(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct connect *a = timer->data;
	char why[WHY_SIZE];

	(void)loop;
	(void)events;
	if (a->query == NULL) {
		finish_failed(
		    a, a->lacks_descriptor ? REASON_CONNECT_FAILED : REASON_OPEN_TIMEOUT);
		return;
	}
	snprintf(why, sizeof(why), "look up %s: no answer within %g s", a->name->host,
	    a->seconds);
	finish(a, NULL, REASON_OPEN_TIMEOUT, why);
}

/* Fill in the tries and begin the first. */
static void
begin(struct connect *a, const struct address *addresses, size_t count)
{
	a->count = count;
	for (size_t i = 0; i < count; i++) {
		struct try *t = &a->tries[i];

		t->to = addresses[i];
		t->attempt = a;
		t->fd = -1;
		ev_init(&t->io, on_writable);
		t->io.data = t;
	}
	begin_next(a);
}

static void
on_resolved(void *arg, const struct address *addresses, size_t count, const char *why)
{
	struct connect *a = arg;
	char text[WHY_SIZE];

	a->query = NULL;
	if (count == 0) {
		snprintf(text, sizeof(text), "look up %s: %s", a->name->host, why);
		finish(a, NULL, REASON_NAME_NOT_FOUND, text);
	} else if ((a->tries = calloc(count, sizeof(*a->tries))) == NULL) {
		finish(a, NULL, REASON_NO_MEMORY, "out of memory");
	} else {
		begin(a, addresses, count);
	}
}

struct connect *
connect_start(struct ev_loop *loop, struct resolver *resolver,
    const struct address_name *name, const struct service_settings *settings,
    double seconds, connect_done *done, void *arg)
{
	struct address addresses[MOST_WITHOUT_LOOKUP];
	struct connect *a = calloc(1, sizeof(*a));
	size_t count;

	if (a == NULL)
		return NULL;
	a->loop = loop;
	a->resolver = resolver;
	a->name = name;
	a->settings = settings;
	a->seconds = round(seconds * 10) / 10;
	a->done = done;
	a->arg = arg;
	a->tries = a->own;
	ev_timer_init(&a->limit, on_limit, seconds, 0.);
	ev_timer_init(&a->next, on_next, 0., 0.);
	a->limit.data = a;
	a->next.data = a;
	if ((count = address_name_addresses(name, addresses)) > 0) {
		begin(a, addresses, count);
	} else {
		a->query =
		    resolver_start(resolver, name->host, name->port, on_resolved, a);
		if (a->query == NULL) {
			free(a);
			return NULL;
		}
	}
	ev_timer_start(loop, &a->limit);
	return a;
}
