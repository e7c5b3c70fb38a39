#include "common/daemon.h"

#include "common/listener.h"
#include "common/log.h"
#include "common/machine.h"
#include "common/resolve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	/* Descriptors that are not connections: logs, epolls, listening sockets. */
	SPARE_DESCRIPTORS = 64,
	/* Of one stream: plain socket and carrier, and a carrier that is still closing.
	 */
	DESCRIPTORS_PER_STREAM = 3,
};

/* Seconds for looking up the names in `accept`. */
static const double accept_lookup = 10;

struct daemon {
	const struct program *program;
	struct settings *settings;
	struct ev_loop *loop;
	struct service **services;
	size_t service_count;
	struct listener **listeners;
	size_t listener_count;
	struct worker **workers;
	size_t worker_count;
	struct worker_setup setup;
	atomic_long connections;
	long max_connections;
	ev_signal term, interrupt;
	ev_timer drain;
	ev_async worker_ended;
};

/* ---- connections ----------------------------------------------------------------- */

static void
on_accepted(void *owner, struct service *service, int fd, const struct net_address *peer)
{
	struct daemon *d = owner;
	struct worker *idlest = d->workers[0];
	long load, least = worker_load(idlest);
	char name[LOG_QUOTE_SIZE];
	size_t i;

	for (i = 1; i < d->worker_count; i++) {
		load = worker_load(d->workers[i]);
		if (load < least) {
			least = load;
			idlest = d->workers[i];
		}
	}
	if (worker_hand(idlest, service, fd, peer))
		return;
	log_cause(LOG_LEVEL_WARNING, service->settings->name,
	    "event=failed why=%s service=%s detail=\"maxConnections = %ld is reached\"",
	    reason_word(REASON_FULL), log_quote(service->settings->name, name),
	    d->max_connections);
	d->program->turn_away(fd);
}

/* ---- start ----------------------------------------------------------------------- */

static bool
load_services(struct daemon *d, struct err *e)
{
	struct settings *settings = d->settings;
	struct service_settings *s;

	d->services = calloc(settings->service_count, sizeof(struct service *));
	if (d->services == NULL)
		return err_set(e, "out of memory");
	for (; d->service_count < settings->service_count; d->service_count++) {
		s = &settings->services[d->service_count];
		if ((d->services[d->service_count] = service_new(s, e)) == NULL)
			return err_prefix(
			    e, "%s:%d: [%s]", settings->file, s->line, s->name);
	}
	return true;
}

/* All addresses of one `accept`.  "localhost" may lack one of its two. */
static bool
listen_to(
    struct daemon *d, struct service *service, const struct net_name *name, struct err *e)
{
	struct net_address addresses[8];
	struct listener **more, *listener;
	size_t i, opened = 0, count = net_name_addresses(name, addresses);

	if (count == 0)
		count = resolve_now(name->host, name->port, accept_lookup, addresses,
		    sizeof(addresses) / sizeof(addresses[0]), e);
	for (i = 0; i < count; i++) {
		more = realloc(
		    d->listeners, (d->listener_count + 1) * sizeof(struct listener *));
		if (more == NULL)
			return err_set(e, "out of memory");
		d->listeners = more;
		listener =
		    listener_new(d->loop, service, &addresses[i], on_accepted, d, e);
		if (listener == NULL) {
			if (errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT)
				continue;
			return false;
		}
		d->listeners[d->listener_count++] = listener;
		opened++;
	}
	return opened > 0;
}

static bool
listen_to_all(struct daemon *d, struct err *e)
{
	const struct service_settings *s;
	size_t i, j;

	for (i = 0; i < d->service_count; i++) {
		s = d->services[i]->settings;
		for (j = 0; j < s->accept.count; j++)
			if (!listen_to(d, d->services[i], &s->accept.items[j], e))
				return err_prefix(e, "%s:%d: [%s]", d->settings->file,
				    s->line, s->name);
	}
	return true;
}

/* On the worker's thread. */
static void
tell_main(void *owner)
{
	struct daemon *d = owner;

	ev_async_send(d->loop, &d->worker_ended);
}

static bool
start_workers(struct daemon *d, struct err *e)
{
	long wanted = d->settings->workers > 0 ? d->settings->workers : machine_cpus();

	d->workers = calloc((size_t)wanted, sizeof(struct worker *));
	if (d->workers == NULL)
		return err_set(e, "out of memory");
	d->setup = (struct worker_setup){
	    .count = (unsigned long)wanted,
	    .services = d->services,
	    .service_count = d->service_count,
	    .most = d->max_connections,
	    .total = &d->connections,
	    .arrival = d->program->arrival,
	    .ended = tell_main,
	    .owner = d,
	};
	for (; d->worker_count < (size_t)wanted; d->worker_count++) {
		d->workers[d->worker_count] = worker_new(d->worker_count, &d->setup, e);
		if (d->workers[d->worker_count] == NULL)
			return false;
	}
	return true;
}

/* Threads do not survive a fork, so this comes before the workers. */
static bool
go_to_background(const struct settings *settings, struct err *e)
{
	if (settings->foreground == FOREGROUND_NO && daemon(1, 0) < 0)
		return err_errno(e, errno, "going to the background");
	return true;
}

static bool
write_pid(const char *path, struct err *e)
{
	FILE *file;

	if (path == NULL)
		return true;
	if ((file = fopen(path, "we")) == NULL)
		return err_errno(e, errno, "pid %s", path);
	if (fprintf(file, "%ld\n", (long)getpid()) < 0 || fclose(file) != 0)
		return err_errno(e, errno, "pid %s", path);
	return true;
}

static void
set_limits(struct daemon *d)
{
	long descriptors = machine_descriptors();

	machine_forbid_cores();
	d->max_connections = d->settings->max_connections;
	if (d->max_connections == 0)
		d->max_connections =
		    (descriptors - SPARE_DESCRIPTORS) / DESCRIPTORS_PER_STREAM;
	if (d->max_connections < 1)
		d->max_connections = 1;
}

/* ---- end ------------------------------------------------------------------------- */

static void
close_listeners(struct daemon *d)
{
	while (d->listener_count > 0)
		listener_free(d->listeners[--d->listener_count]);
	free(d->listeners);
	d->listeners = NULL;
}

/* Stop listening, let streams finish.  A second signal does not wait. */
static void
on_signal(struct ev_loop *loop, ev_signal *signal, int events)
{
	struct daemon *d = signal->data;
	size_t i;

	(void)events;
	if (ev_is_active(&d->drain)) {
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	log_info("event=drain signal=%d limit=%.0f", signal->signum,
	    d->settings->timeout_drain);
	close_listeners(d);
	for (i = 0; i < d->worker_count; i++)
		worker_drain(d->workers[i]);
	ev_timer_set(&d->drain, d->settings->timeout_drain, 0);
	ev_timer_start(loop, &d->drain);
}

static void
on_drain_over(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)timer;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

/* One has drained; when all have, there is nothing left to wait for. */
static void
on_worker_ended(struct ev_loop *loop, ev_async *async, int events)
{
	struct daemon *d = async->data;
	size_t i;

	(void)events;
	for (i = 0; i < d->worker_count; i++)
		if (!worker_is_over(d->workers[i]))
			return;
	ev_break(loop, EVBREAK_ALL);
}

static void
daemon_clear(struct daemon *d)
{
	size_t i;

	close_listeners(d);
	for (i = 0; i < d->worker_count; i++)
		worker_stop(d->workers[i]);
	for (i = 0; i < d->worker_count; i++)
		worker_join(d->workers[i]);
	free(d->workers);
	for (i = 0; i < d->service_count; i++)
		service_free(d->services[i]);
	free(d->services);
	if (d->settings != NULL && d->settings->pid != NULL)
		(void)unlink(d->settings->pid);
	settings_free(d->settings);
}

/* ---- the whole ------------------------------------------------------------------- */

static bool
load(struct daemon *d, const char *file, struct err *e)
{
	d->settings = settings_load(file, d->program->role, e);
	if (d->settings == NULL)
		return false;
	log_set_level(d->settings->debug);
	return load_services(d, e);
}

static void
watch_signals(struct daemon *d)
{
	(void)signal(SIGPIPE, SIG_IGN);
	ev_signal_init(&d->term, on_signal, SIGTERM);
	ev_signal_init(&d->interrupt, on_signal, SIGINT);
	d->term.data = d->interrupt.data = d;
	ev_signal_start(d->loop, &d->term);
	ev_signal_start(d->loop, &d->interrupt);
	ev_init(&d->drain, on_drain_over);
	ev_async_init(&d->worker_ended, on_worker_ended);
	d->worker_ended.data = d;
	ev_async_start(d->loop, &d->worker_ended);
}

/* Everything that can fail comes before the first connection is accepted. */
static bool
start(struct daemon *d, struct err *e)
{
	const struct settings *settings = d->settings;

	if (!go_to_background(settings, e) ||
	    !log_open(settings->output, settings->foreground == FOREGROUND_QUIET, e))
		return false;
	set_limits(d);
	if ((d->loop = ev_default_loop(EVFLAG_AUTO)) == NULL)
		return err_set(e, "libev finds no way to wait for events");
	watch_signals(d);
	return listen_to_all(d, e) && start_workers(d, e) && write_pid(settings->pid, e);
}

bool
daemon_check(const struct program *program, const char *file, struct err *e)
{
	struct daemon d = {.program = program};
	bool ok = load(&d, file, e);

	daemon_clear(&d);
	return ok;
}

int
daemon_run(const struct program *program, const char *file)
{
	struct daemon d = {.program = program};
	struct err e = {.text = ""};
	int status = EXIT_USAGE;

	if (!load(&d, file, &e))
		goto fail;
	status = EXIT_FAILURE;
	if (!start(&d, &e))
		goto fail;
	log_info("event=ready program=%s version=%s services=%zu workers=%zu",
	    program->name, ROUTEPORT_VERSION, d.service_count, d.worker_count);
	ev_run(d.loop, 0);
	daemon_clear(&d);
	log_info("event=exit program=%s", program->name);
	return EXIT_SUCCESS;
fail:
	log_error("event=exit program=%s detail=%s", program->name, e.text);
	daemon_clear(&d);
	return status;
}
