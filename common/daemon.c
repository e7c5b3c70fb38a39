#include "common/daemon.h"

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
	/* Descriptors that are not streams: logs, epolls, listening sockets, h2 carriers.
	 */
	SPARE_DESCRIPTORS = 64,
	SPARE_PER_WORKER = 64,
};

/* Seconds for looking up the names in `accept`. */
static const double accept_lookup = 10;

struct daemon {
	const struct program *program;
	struct settings *settings;
	struct ev_loop *loop;
	struct service **services;
	size_t service_count;
	struct door *doors;
	size_t door_count;
	struct worker **workers;
	size_t worker_count;
	struct worker_setup setup;
	atomic_long connections;
	atomic_ulong turn;
	long max_connections;
	ev_signal term, interrupt;
	ev_timer drain;
	ev_async worker_ended;
};

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

/* One listening socket for each worker. */
static bool
open_door(struct daemon *d, struct service *service, const struct net_address *address,
    struct err *e)
{
	struct door *more, *door;
	size_t i;

	more = realloc(d->doors, (d->door_count + 1) * sizeof(*more));
	if (more == NULL)
		return err_set(e, "out of memory");
	d->doors = more;
	door = &more[d->door_count];
	*door = (struct door){.service = service, .address = *address};
	if ((door->fds = malloc(d->worker_count * sizeof(int))) == NULL)
		return err_set(e, "out of memory");
	if ((door->fds[0] = net_listen(address, e)) < 0) {
		free(door->fds);
		return false;
	}
	d->door_count++;
	for (i = 1; i < d->worker_count; i++)
		door->fds[i] = -1;
	for (i = 1; i < d->worker_count; i++)
		if ((door->fds[i] = net_listen_beside(door->fds[0], e)) < 0)
			return false;
	return true;
}

/* All addresses of one `accept`.  "localhost" may lack one of its two. */
static bool
listen_to(
    struct daemon *d, struct service *service, const struct net_name *name, struct err *e)
{
	struct net_address addresses[8];
	size_t i, opened = 0, count = net_name_addresses(name, addresses);

	if (count == 0)
		count = resolve_now(name->host, name->port, accept_lookup, addresses,
		    sizeof(addresses) / sizeof(addresses[0]), e);
	for (i = 0; i < count; i++) {
		if (open_door(d, service, &addresses[i], e))
			opened++;
		else if (errno != EADDRNOTAVAIL && errno != EAFNOSUPPORT)
			return false;
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
make_workers(struct daemon *d, struct err *e)
{
	size_t i;

	if ((d->workers = calloc(d->worker_count, sizeof(struct worker *))) == NULL)
		return err_set(e, "out of memory");
	d->setup = (struct worker_setup){
	    .workers = d->workers,
	    .count = d->worker_count,
	    .services = d->services,
	    .service_count = d->service_count,
	    .doors = d->doors,
	    .door_count = d->door_count,
	    .most = d->max_connections,
	    .total = &d->connections,
	    .turn = d->program->in_turn ? &d->turn : NULL,
	    .arrival = d->program->arrival,
	    .turn_away = d->program->turn_away,
	    .ended = tell_main,
	    .owner = d,
	};
	for (i = 0; i < d->worker_count; i++)
		if ((d->workers[i] = worker_new(i, &d->setup, e)) == NULL)
			return false;
	return true;
}

static bool
start_workers(struct daemon *d, struct err *e)
{
	for (size_t i = 0; i < d->worker_count; i++)
		if (!worker_start(d->workers[i], e))
			return false;
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

/* Of the dearest service: the plain socket of a stream, its raw carrier, and one that is
 * still closing.  Where both kinds may come, the last is left to chance: out of
 * descriptors accepting pauses. */
static long
descriptors_per_stream(const struct settings *settings)
{
	static const long needed[] = {
	    [MULTIPLEX_NO] = 3, [MULTIPLEX_AUTO] = 2, [MULTIPLEX_YES] = 1};
	long most = 1;

	for (size_t i = 0; i < settings->service_count; i++)
		if (needed[settings->services[i].multiplex] > most)
			most = needed[settings->services[i].multiplex];
	return most;
}

static void
set_limits(struct daemon *d)
{
	long workers = d->settings->workers > 0 ? d->settings->workers : machine_cpus();
	long descriptors =
	    machine_descriptors() - SPARE_DESCRIPTORS - workers * SPARE_PER_WORKER;

	machine_forbid_cores();
	d->worker_count = (size_t)workers;
	d->max_connections = d->settings->max_connections;
	if (d->max_connections == 0)
		d->max_connections = descriptors / descriptors_per_stream(d->settings);
	if (d->max_connections < 1)
		d->max_connections = 1;
}

/* ---- end ------------------------------------------------------------------------- */

/* What no worker took over is closed.  A Unix socket's file is removed. */
static void
close_doors(struct daemon *d)
{
	for (size_t i = 0; i < d->door_count; i++) {
		const struct net_address *at = &d->doors[i].address;

		for (size_t j = 0; j < d->worker_count; j++)
			if (d->doors[i].fds[j] >= 0)
				close(d->doors[i].fds[j]);
		free(d->doors[i].fds);
		if (at->any.sa_family == AF_UNIX && at->un.sun_path[0] != '\0')
			(void)unlink(at->un.sun_path);
	}
	free(d->doors);
	d->doors = NULL;
	d->door_count = 0;
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
	close_doors(d);
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
end_workers(struct daemon *d)
{
	size_t i, count = d->workers != NULL ? d->worker_count : 0;

	while (count > 0 && d->workers[count - 1] == NULL)
		count--; /* never made */
	for (i = 0; i < count; i++)
		worker_stop(d->workers[i]);
	for (i = 0; i < count; i++)
		worker_join(d->workers[i]);
	for (i = 0; i < count; i++)
		worker_free(d->workers[i]);
}

static void
daemon_clear(struct daemon *d)
{
	size_t i;

	close_doors(d);
	end_workers(d);
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
	return listen_to_all(d, e) && make_workers(d, e) && write_pid(settings->pid, e) &&
	       start_workers(d, e);
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
