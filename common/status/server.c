#include "common/status/server.h"

#include "common/base/log.h"
#include "common/net/acceptor.h"
#include "common/status/response.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

enum {
	/* Who asks at the same time; one more, and the oldest goes. */
	MOST_VISITS = 32,
};

/* Seconds. */
static const double visit_limit = 5; /* for a whole visit */

enum visit_state {
	VISIT_READING, /* the request */
	VISIT_WAITING, /* for what /readyz is to say */
	VISIT_WRITING, /* the answer */
	VISIT_LEAVING, /* all is said; till the peer has closed, so that it hears it */
};

/* One connection. */
struct visit {
	TAILQ_ENTRY(visit) entry;
	struct status *status;
	enum visit_state state;
	ev_io io;
	ev_timer limit;
	char request[REQUEST_MOST];
	size_t length; /* of what has come */
	char *answer;
	size_t answer_length, sent;
};

/* One listening socket. */
struct status_listener {
	LIST_ENTRY(status_listener) entry;
	struct status *status;
	struct listen_socket *listen_socket; /* held */
	struct acceptor acceptor;
};

struct status {
	struct ev_loop *loop;
	struct status_facts facts;
	LIST_HEAD(, status_listener) status_listeners;
	TAILQ_HEAD(visits, visit) visits; /* the oldest first */
	size_t visit_count;
};

/* ---- a visit --------------------------------------------------------------------- */

static void
end_visit(struct visit *v)
{
	struct status *s = v->status;

	ev_io_stop(s->loop, &v->io);
	ev_timer_stop(s->loop, &v->limit);
	close(v->io.fd);
	TAILQ_REMOVE(&s->visits, v, entry);
	s->visit_count--;
	free(v->answer);
	free(v);
}

static void
wait_for(struct visit *v, enum visit_state state, int events)
{
	v->state = state;
	ev_io_stop(v->status->loop, &v->io);
	ev_io_modify(&v->io, events);
	if (events != 0)
		ev_io_start(v->status->loop, &v->io);
}

/* Send what the socket takes.  Then say FIN and wait for the peer's, since closing with
 * bytes of the peer unread would be an RST, which may overtake the answer. */
static void
go_on_writing(struct visit *v)
{
	ssize_t n =
	    send(v->io.fd, v->answer + v->sent, v->answer_length - v->sent, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		end_visit(v);
		return;
	}
	if (n > 0)
		v->sent += (size_t)n;
	if (v->sent < v->answer_length) {
		wait_for(v, VISIT_WRITING, EV_WRITE);
		return;
	}
	shutdown(v->io.fd, SHUT_WR);
	wait_for(v, VISIT_LEAVING, EV_READ);
}

static void
say(struct visit *v, const struct request *r, int code)
{
	if (status_answer(&v->status->facts, r, code, &v->answer, &v->answer_length))
		go_on_writing(v);
	else
		end_visit(v);
}

/* It is whole; what /readyz says may have to be found out first. */
static void
serve(struct visit *v, const struct request *r)
{
	struct status *s = v->status;

	if (status_needs_apps(&s->facts, r) && !readiness_ask(s->facts.readiness))
		wait_for(v, VISIT_WAITING, 0);
	else
		say(v, r, 0);
}

static void
judge(struct visit *v)
{
	struct request r;

	switch (request_read(v->request, v->length, &r)) {
	case REQUEST_MORE:
		break;
	case REQUEST_GOOD:
		serve(v, &r);
		break;
	case REQUEST_BAD:
		say(v, &r, r.code);
		break;
	}
}

static void
go_on_reading(struct visit *v)
{
	ssize_t n =
	    recv(v->io.fd, v->request + v->length, sizeof(v->request) - v->length, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		end_visit(v);
		return;
	}
	v->length += (size_t)n;
	judge(v);
}

/* Nobody reads what still comes. */
static void
go_on_leaving(struct visit *v)
{
	ssize_t n = recv(v->io.fd, v->request, sizeof(v->request), 0);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		end_visit(v);
}

static void
on_visit(struct ev_loop *loop, ev_io *io, int events)
{
	struct visit *v = io->data;

	(void)loop;
	(void)events;
	switch (v->state) {
	case VISIT_READING:
		go_on_reading(v);
		break;
	case VISIT_WAITING:
		break;
	case VISIT_WRITING:
		go_on_writing(v);
		break;
	case VISIT_LEAVING:
		go_on_leaving(v);
		break;
	}
}

static void
on_visit_limit(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	end_visit(timer->data);
}

/* The apps' state is known, or has to be asked for anew. */
static void
on_settled(void *owner)
{
	struct status *s = owner;
	struct visit *v, *next;
	struct request r;

	for (v = TAILQ_FIRST(&s->visits); v != NULL; v = next) {
		next = TAILQ_NEXT(v, entry); /* serving may end this one, and no other */
		if (v->state == VISIT_WAITING &&
		    request_read(v->request, v->length, &r) == REQUEST_GOOD)
			serve(v, &r);
	}
}

static void
begin_visit(struct status *s, int fd)
{
	struct visit *v;

	if (s->visit_count == MOST_VISITS)
		end_visit(TAILQ_FIRST(&s->visits));
	if ((v = calloc(1, sizeof(*v))) == NULL) {
		close(fd);
		return;
	}
	v->status = s;
	ev_io_init(&v->io, on_visit, fd, EV_READ);
	v->io.data = v;
	ev_timer_init(&v->limit, on_visit_limit, visit_limit, 0);
	v->limit.data = v;
	TAILQ_INSERT_TAIL(&s->visits, v, entry);
	s->visit_count++;
	ev_timer_start(s->loop, &v->limit);
	wait_for(v, VISIT_READING, EV_READ);
}

/* ---- listening ------------------------------------------------------------------- */

static void
status_on_accepted(void *owner, int fd, const struct address *peer)
{
	struct status_listener *p = owner;

	(void)peer;
	begin_visit(p->status, fd);
}

static const struct acceptor_events acceptor_events = {.accepted = status_on_accepted};

static void
add_listener(struct status *s, struct listen_socket *listen_socket)
{
	struct status_listener *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		log_error("event=no-memory detail=\"the status port cannot listen\"");
		return;
	}
	p->status = s;
	p->listen_socket = listen_socket_hold(listen_socket);
	acceptor_start(&p->acceptor, s->loop, listen_socket->fds[0], MOST_VISITS,
	    &acceptor_events, p);
	listen_socket->fds[0] = -1;
	LIST_INSERT_HEAD(&s->status_listeners, p, entry);
}

static void
end_listener(struct status_listener *p)
{
	acceptor_stop(&p->acceptor);
	listen_socket_release(p->listen_socket);
	LIST_REMOVE(p, entry);
	free(p);
}

static bool
has_listen_socket(
    const struct generation *generation, const struct listen_socket *listen_socket)
{
	for (size_t i = 0; i < generation->binding_count; i++)
		if (generation->bindings[i].listen_socket == listen_socket)
			return true;
	return false;
}

void
status_follow(struct status *s, struct generation *generation, struct settings *settings)
{
	struct status_listener *p, *next;

	generation_hold(generation);
	for (p = LIST_FIRST(&s->status_listeners); p != NULL; p = next) {
		next = LIST_NEXT(p, entry);
		if (!has_listen_socket(generation, p->listen_socket))
			end_listener(p);
	}
	for (size_t i = 0; i < generation->binding_count; i++) {
		const struct binding *binding = &generation->bindings[i];

		if (binding->service == NULL && binding->listen_socket->fds[0] >= 0)
			add_listener(s, binding->listen_socket);
	}
	readiness_follow(s->facts.readiness, generation);
	generation_release(s->facts.generation);
	s->facts.generation = generation;
	settings_hold(settings);
	settings_release(s->facts.settings);
	s->facts.settings = settings;
	on_settled(s);
}

/* ---- life ------------------------------------------------------------------------ */

void
status_stop(struct status *s, const char *why)
{
	s->facts.stopping = why;
	on_settled(s);
}

struct status *
status_new(struct ev_loop *loop, const struct status_subject *about)
{
	struct status *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->loop = loop;
	s->facts.about = about;
	LIST_INIT(&s->status_listeners);
	TAILQ_INIT(&s->visits);
	if ((s->facts.readiness = readiness_new(loop, on_settled, s)) == NULL) {
		free(s);
		return NULL;
	}
	return s;
}

void
status_free(struct status *s)
{
	if (s == NULL)
		return;
	while (!TAILQ_EMPTY(&s->visits))
		end_visit(TAILQ_FIRST(&s->visits));
	while (!LIST_EMPTY(&s->status_listeners))
		end_listener(LIST_FIRST(&s->status_listeners));
	readiness_free(s->facts.readiness);
	generation_release(s->facts.generation);
	settings_release(s->facts.settings);
	free(s);
}
