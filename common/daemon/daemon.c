#include "common/daemon/internal.h"

#include "common/base/log.h"
#include "common/base/sysinfo.h"
#include "common/daemon/privileges.h"
#include "common/base/file_access.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

/* ---- start ----------------------------------------------------------------------- */

/* On the worker's thread. */
static void
tell_main(void *owner)
{
	struct daemon *d = owner;

	ev_async_send(d->loop, &d->worker_changed);
}

static bool
make_workers(struct daemon *d, struct err *e)
{
	size_t i;

	d->windows.most = (size_t)d->settings->window_budget << 20;
	if ((d->workers = calloc(d->worker_count, sizeof(struct worker *))) == NULL)
		return err_set(e, "out of memory");
	d->setup = (struct worker_setup){
	    .workers = d->workers,
	    .count = d->worker_count,
	    .generation = d->generation,
	    .most = limits_max_connections(d, d->settings),
	    .handshakes = limits_max_handshakes(),
	    .windows = &d->windows,
	    .instance = (uint64_t)sysinfo_random() << 1 | 1,
	    .in_turn = d->program->in_turn,
	    .waits_when_full = d->program->waits_when_full,
	    .arrival = d->program->arrival,
	    .reject = d->program->reject,
	    .changed = tell_main,
	    .owner = d,
	};
	for (i = 0; i < d->worker_count; i++)
		if ((d->workers[i] = worker_new(i, &d->setup, e)) == NULL)
			return false;
	limits_share_descriptors(d);
	d->watchdog = watchdog_new(d->loop, d->workers, d->worker_count);
	return d->watchdog != NULL || err_set(e, "out of memory");
}

static bool
start_workers(struct daemon *d, struct err *e)
{
	for (size_t i = 0; i < d->worker_count; i++)
		if (!worker_start(d->workers[i], e))
			return false;
	return true;
}

static bool
open_status(struct daemon *d, struct err *e)
{
	d->subject = (struct status_subject){
	    .program = d->program->name,
	    .started = ev_time(),
	    .setup = &d->setup,
	    .watchdog = d->watchdog,
	    .descriptors = opendir("/proc/self/fd"), /* out of reach, soon */
	};
	if ((d->status = status_new(d->loop, &d->subject)) == NULL)
		return err_set(e, "out of memory");
	status_follow(d->status, d->generation, d->settings);
	return true;
}

/* ---- end ------------------------------------------------------------------------- */

/* Stop listening, let streams finish. */
static void
drain(struct daemon *d)
{
	d->state = DAEMON_DRAINING;
	log_info("event=drain limit=%.0f", d->settings->timeout_drain);
	status_stop(d->status, "told to stop: draining");
	for (size_t i = 0; i < d->worker_count; i++)
		worker_drain(d->workers[i]);
	ev_timer_set(&d->limit, d->settings->timeout_drain, 0);
	ev_timer_start(d->loop, &d->limit);
}

static void
on_limit(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct daemon *d = timer->data;

	(void)events;
	if (d->state == DAEMON_LINGERING)
		drain(d);
	else
		ev_break(loop, EVBREAK_ALL);
}

/* Go on accepting, for the router hears late; who is here already goes elsewhere. */
static void
linger(struct daemon *d)
{
	if (d->program->role == ROLE_SERVER)
		for (size_t i = 0; i < d->worker_count; i++)
			worker_linger(d->workers[i]);
	ev_timer_set(&d->limit, d->settings->timeout_linger, 0);
	ev_timer_start(d->loop, &d->limit);
}

/* Linger, then drain.  A second signal does not wait. */
static void
on_stop(struct ev_loop *loop, ev_signal *signal, int events)
{
	struct daemon *d = signal->data;

	(void)events;
	if (d->state != DAEMON_RUNNING) {
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	d->state = DAEMON_LINGERING;
	status_stop(d->status, "told to stop: lingering");
	sd_notify_stopping(&d->notify);
	log_info("event=stop signal=%d linger=%.0f", signal->signum,
	    d->settings->timeout_linger);
	ev_timer_stop(loop, &d->look);
	if (d->settings->timeout_linger <= 0)
		drain(d);
	else
		linger(d);
}

/* One follows another generation, or has drained; when all have, there is nothing left to
 * wait for. */
static void
on_worker_changed(struct ev_loop *loop, ev_async *async, int events)
{
	struct daemon *d = async->data;
	size_t i;

	(void)events;
	reload_report(d);
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
	free(d->workers);
}

static void
daemon_clear(struct daemon *d)
{
	status_free(d->status);
	ocsp_refresh_free(d->ocsp_refresh);
	if (d->subject.descriptors != NULL)
		closedir(d->subject.descriptors);
	sd_notify_close(&d->notify);
	watchdog_free(d->watchdog);
	end_workers(d);
	socket_activation_clear(&d->inherited);
	generation_release(d->generation);
	pid_file_remove(&d->pid);
	settings_release(d->settings);
	passphrases_free(d->phrases);
}

/* ---- signals --------------------------------------------------------------------- */

static void
on_hangup(struct ev_loop *loop, ev_signal *signal, int events)
{
	struct daemon *d = signal->data;

	(void)loop;
	(void)events;
	if (d->state != DAEMON_RUNNING)
		return;
	sd_notify_reloading(&d->notify);
	reload_settings(d);
}

static void
on_user1(struct ev_loop *loop, ev_signal *signal, int events)
{
	struct daemon *d = signal->data;
	struct err e = {.text = ""};

	(void)loop;
	(void)events;
	if (daemon_reopen_log(d, d->settings, &e))
		log_info("event=log-opened");
	else
		log_event(LOG_LEVEL_ERROR, "log-failed", LOG_LONG_TEXT("detail", e.text));
}

static void
watch_signal(struct daemon *d, ev_signal *watcher, int number,
    void (*callback)(struct ev_loop *, ev_signal *, int))
{
	ev_signal_init(watcher, callback, number);
	watcher->data = d;
	ev_signal_start(d->loop, watcher);
}

static void
watch_signals(struct daemon *d)
{
	(void)signal(SIGPIPE, SIG_IGN);
	watch_signal(d, &d->term, SIGTERM, on_stop);
	watch_signal(d, &d->interrupt, SIGINT, on_stop);
	watch_signal(d, &d->hangup, SIGHUP, on_hangup);
	watch_signal(d, &d->user1, SIGUSR1, on_user1);
	ev_init(&d->limit, on_limit);
	d->limit.data = d;
	ev_async_init(&d->worker_changed, on_worker_changed);
	d->worker_changed.data = d;
	ev_async_start(d->loop, &d->worker_changed);
}

/* ---- the whole ------------------------------------------------------------------- */

/* The settings, and a generation that listens nowhere yet. */
static bool
load(struct daemon *d, const char *file, struct err *e)
{
	d->settings = settings_load(file, d->program->role, e);
	if (d->settings == NULL)
		return false;
	if ((d->phrases = passphrases_new(true)) == NULL)
		return err_set(e, "out of memory");
	settings_lend_phrases(d->settings, d->phrases);
	log_set_level(d->settings->debug);
	return (d->generation = generation_new(d->settings, 0, NULL, NULL, e)) != NULL;
}

static void
warn_of_missing(const struct generation *generation)
{
	for (size_t i = 0; i < generation->missing_count; i++) {
		const struct missing *m = &generation->missing[i];

		log_event(LOG_LEVEL_ERROR, "listen-failed",
		    LOG_TEXT("service",
			m->service != NULL ? m->service->settings->name : "status"),
		    LOG_DECIMAL("next", reload_listen_every, 0),
		    LOG_TEXT("detail", m->why));
	}
}

static bool
listen_to_all(struct daemon *d, struct err *e)
{
	struct generation *generation =
	    generation_new(d->settings, d->worker_count, d->generation, &d->inherited, e);

	if (generation == NULL)
		return false;
	generation_release(d->generation);
	d->generation = generation;
	warn_of_missing(generation);
	return socket_activation_is_used_up(&d->inherited, e);
}

/* In another root most files are gone. */
static bool
give_up_privileges(struct daemon *d, struct err *e)
{
	if (!privileges_drop(d->settings, e) || !daemon_open_deferred(d, e) ||
	    !privileges_confine(d->settings, e))
		return false;
	for (size_t i = 0; i < d->generation->service_count; i++)
		service_forgive_gone(d->generation->services[i]);
	return true;
}

/* Everything that can fail comes before the first connection is accepted. */
static bool
start(struct daemon *d, struct err *e)
{
	const struct settings *settings = d->settings;

	passphrases_stop_asking(d->phrases);
	/* Threads do not survive a fork, so this comes before the workers. */
	if (settings->foreground == FOREGROUND_NO && !daemonize_enter(&d->background, e))
		return false;
	if (!daemon_open_log(d, e))
		return false;
	sysinfo_forbid_cores();
	(void)sysinfo_descriptors(); /* listening takes some for each worker */
	d->worker_count =
	    (size_t)(settings->workers > 0 ? settings->workers : sysinfo_cpus());
	reactor_prepare();
	if ((d->loop = ev_default_loop(EVFLAG_AUTO)) == NULL)
		return err_set(e, "libev finds no way to wait for events");
	if ((d->ocsp_refresh = ocsp_refresh_new(d->loop)) == NULL)
		return err_set(e, "out of memory");
	watch_signals(d);
	reload_watch_files(d);
	return listen_to_all(d, e) && make_workers(d, e) && daemon_write_pid(d, e) &&
	       open_status(d, e) && give_up_privileges(d, e) && start_workers(d, e);
}

/* What is written at the start, and how. */
static void
check_files(const struct settings *settings, struct diagnostics *faults)
{
	struct err e = {.text = ""};

	if (settings->output != NULL && !file_access_check(settings->output, &e)) {
		err_prefix(&e, "%s: output", settings->file);
		(void)diagnostics_note(faults, &e);
	}
	if (!pid_file_judge(settings->chroot, settings->pid, &e)) {
		err_prefix(&e, "%s", settings->file);
		(void)diagnostics_note(faults, &e);
	}
}

void
daemon_check(const struct program *program, const char *file, struct diagnostics *faults)
{
	struct settings *settings = settings_load_all(file, program->role, faults);
	struct passphrases *phrases;

	if (settings == NULL)
		return;
	log_set_level(settings->debug);
	phrases = passphrases_new(true); /* without, a locked key is told as such */
	settings_lend_phrases(settings, phrases);
	check_files(settings, faults);
	generation_check(settings, faults);
	settings_release(settings);
	passphrases_free(phrases);
}

/* For systemd's watchdog. */
static bool
all_turn(void *owner)
{
	struct daemon *d = owner;

	return watchdog_count(d->watchdog) == 0;
}

int
daemon_run(const struct program *program, const char *file)
{
	struct daemon d = {.program = program};
	struct err e = {.text = ""};
	int status = EXIT_USAGE;

	daemonize_init(&d.background);
	pid_file_init(&d.pid);
	sd_notify_open(&d.notify);
	if (!socket_activation_read(&d.inherited, &e) || !load(&d, file, &e))
		goto fail;
	status = EXIT_FAILURE;
	if (!start(&d, &e))
		goto fail;
	pid_file_warn(&d.pid);
	log_info("event=ready program=%s version=%s services=%zu workers=%zu "
		 "streams=%ld",
	    program->name, ROUTEPORT_VERSION, d.generation->service_count, d.worker_count,
	    atomic_load(&d.setup.most));
	daemonize_ready(&d.background);
	sd_notify_ready(&d.notify);
	sd_notify_status(&d.notify, "%zu services", d.generation->service_count);
	sd_notify_watch(&d.notify, d.loop, all_turn, &d);
	ev_run(d.loop, 0);
	daemon_clear(&d);
	log_info("event=exit program=%s", program->name);
	return EXIT_SUCCESS;
fail:
	log_event(LOG_LEVEL_ERROR, "exit", LOG_WORD("program", program->name),
	    LOG_LONG_TEXT("detail", e.text));
	sd_notify_status(&d.notify, "%s", e.text);
	daemon_clear(&d);
	return status;
}
