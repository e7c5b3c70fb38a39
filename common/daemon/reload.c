#include "common/daemon/internal.h"

#include "common/base/log.h"
#include "common/net/reactor.h"
#include "common/daemon/sandbox.h"

#include <string.h>

/* Seconds.  A change is taken up when two looks have found the same. */
static const double look_every = 2;
static const double day = 86400;
const double reload_listen_every = 10;

enum {
	/* Before a certificate expires there is a warning each day. */
	WARN_DAYS = 30,
};

/* Everybody goes on with @generation, which is held by the caller no more: the workers
 * when they come to it, see reload_report(). */
static void
adopt(struct daemon *d, struct generation *generation)
{
	generation->number = d->generation->number + 1;
	generation_release(d->generation);
	d->generation = generation;
	for (size_t i = 0; i < d->worker_count; i++)
		worker_follow(d->workers[i], generation);
	status_follow(d->status, generation, d->settings);
}

static bool
all_follow(const struct daemon *d, unsigned long number)
{
	for (size_t i = 0; i < d->worker_count; i++)
		if (!worker_follows(d->workers[i], number))
			return false;
	return true;
}

static void
report_renewed(struct daemon *d, struct service *service)
{
	if (service->renewed == 0 || !all_follow(d, service->renewed))
		return;
	service->renewed = 0;
	log_event(
	    LOG_LEVEL_INFO, "renewed", LOG_TEXT("service", service->settings->name));
}

void
reload_report(struct daemon *d)
{
	for (size_t i = 0; i < d->generation->service_count; i++)
		report_renewed(d, d->generation->services[i]);
	if (d->reloaded == 0 || !all_follow(d, d->reloaded))
		return;
	d->reloaded = 0;
	log_info("event=reloaded services=%zu", d->generation->service_count);
	sd_notify_status(&d->notify, "%zu services", d->generation->service_count);
	sd_notify_ready(&d->notify);
}

/* ---- SIGHUP ---------------------------------------------------------------------- */

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Some lines are only read at the start. */
static void
warn_of_fixed(const struct settings *old, const struct settings *new)
{
	if (old->workers != new->workers)
		log_warning("event=reload detail=\"workers changes with a restart\"");
	if (old->foreground != new->foreground)
		log_warning("event=reload detail=\"foreground changes with a restart\"");
	if (!same_text(old->pid, new->pid))
		log_warning("event=reload detail=\"pid changes with a restart\"");
	if (!same_text(old->setuid, new->setuid) ||
	    !same_text(old->setgid, new->setgid) ||
	    !same_text(old->chroot, new->chroot) || old->sandbox != new->sandbox)
		log_warning("event=reload detail=\"setuid, setgid, chroot and sandbox "
			    "change with a restart\"");
}

static void
take_over(struct daemon *d, struct settings *settings, struct generation *generation)
{
	warn_of_fixed(d->settings, settings);
	log_set_level(settings->debug);
	atomic_store(&d->setup.most, limits_max_connections(d, settings));
	settings_release(d->settings);
	d->settings = settings;
	adopt(d, generation);
	d->reloaded = generation->number;
}

/* A log that stays where it was, and cannot be opened anew, is no reason to go on with
 * the old settings. */
static bool
follow_log(struct daemon *d, const struct settings *settings, struct err *e)
{
	if (daemon_reopen_log(d, settings, e))
		return true;
	if (!same_text(d->settings->output, settings->output))
		return false;
	log_event(LOG_LEVEL_ERROR, "log-failed", LOG_LONG_TEXT("detail", e->text));
	return true;
}

void
reload_settings(struct daemon *d)
{
	struct err e = {.text = ""};
	struct settings *settings =
	    settings_load(d->settings->file, d->program->role, &e);
	struct generation *generation = NULL;

	if (settings != NULL) {
		settings_lend_phrases(settings, d->phrases);
		generation =
		    generation_new(settings, d->worker_count, d->generation, NULL, &e);
	}
	if (generation != NULL && follow_log(d, settings, &e)) {
		take_over(d, settings, generation);
		return;
	}
	if (d->settings->sandbox)
		sandbox_explain(&e);
	generation_release(generation);
	settings_release(settings);
	log_event(LOG_LEVEL_ERROR, "reload-failed", LOG_LONG_TEXT("detail", e.text));
	sd_notify_status(&d->notify, "a reload failed: %s", e.text);
	if (d->reloaded == 0)
		sd_notify_ready(&d->notify);
}

/* ---- files ----------------------------------------------------------------------- */

/* The service with what its files say now; the old one stays where they say nothing good.
 */
static void
renew(struct daemon *d, struct service *service)
{
	struct err e = {.text = ""};
	struct service *renewed = service_new(service->whole, service->settings, &e);
	struct generation *generation = NULL;

	if (renewed != NULL) {
		service_succeed(renewed, service);
		if ((generation = generation_with(d->generation, service, renewed)) ==
		    NULL)
			err_set(&e, "out of memory");
	}
	if (generation != NULL) {
		adopt(d, generation);
		renewed->renewed = generation->number;
	} else {
		log_event(LOG_LEVEL_ERROR, "renewal-failed",
		    LOG_TEXT("service", service->settings->name),
		    LOG_TEXT("detail", e.text));
	}
	service_release(renewed);
}

/* Has it come to rest, and not been tried yet? */
static bool
is_due(struct service *service)
{
	struct file_stamp now[SETTINGS_FILES];
	bool changed = service_look(service, now);
	bool rests = file_stamps_equal(now, service->seen, SETTINGS_FILES);

	memcpy(service->seen, now, sizeof(now));
	if (!rests)
		service->tried = false;
	if (!changed || !rests || service->tried)
		return false;
	service->tried = true;
	return true;
}

static void
warn_of_expiry(const struct service *service)
{
	time_t expiry = service->expiry.at;
	double left = (double)(expiry - time(NULL)) / day;
	bool over = left < 0;

	if (expiry == 0 || left > WARN_DAYS)
		return;
	log_event(over ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING,
	    over ? "cert-expired" : "cert-expires",
	    LOG_TEXT("service", service->settings->name),
	    LOG_DECIMAL("days", over ? -left : left, 0),
	    LOG_LONG_TEXT("detail", service->expiry.text));
}

/* An expired one is told by warn_of_expiry(). */
static void
log_remark(void *owner, bool bad, const char *remark)
{
	const struct service *service = owner;

	if (bad && service->expiry.at < time(NULL))
		return;
	log_event(bad ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO,
	    bad ? "cert-not-yet-valid" : "cert-chain",
	    LOG_TEXT("service", service->settings->name),
	    LOG_LONG_TEXT("detail", remark));
}

static void
look_at_certificates(struct service *service)
{
	const struct own_chain_listener listener = {log_remark, service};

	warn_of_expiry(service);
	own_chain_check(service->context, service->settings, &listener);
}

/* An address that was taken may have become free. */
static void
listen_again(struct daemon *d, double now)
{
	struct generation *generation;

	if (d->generation->missing_count == 0)
		return;
	if (d->tried_to_listen == 0)
		d->tried_to_listen = now; /* at the start, just before */
	if (now < d->tried_to_listen + reload_listen_every)
		return;
	d->tried_to_listen = now;
	if ((generation = generation_retry(d->generation, d->worker_count)) != NULL)
		adopt(d, generation);
}

static void
on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct daemon *d = timer->data;
	double now = reactor_now();

	(void)loop;
	(void)events;
	ocsp_refresh_look(d->ocsp_refresh, d->generation);
	listen_again(d, now);
	for (size_t i = 0; i < d->generation->service_count; i++)
		if (is_due(d->generation->services[i]))
			renew(d, d->generation->services[i]);
	if (d->looked_at_dates > 0 && now < d->looked_at_dates + day)
		return;
	d->looked_at_dates = now;
	for (size_t i = 0; i < d->generation->service_count; i++)
		look_at_certificates(d->generation->services[i]);
}

void
reload_watch_files(struct daemon *d)
{
	ev_timer_init(&d->look, on_look, 0, look_every);
	d->look.data = d;
	ev_timer_start(d->loop, &d->look);
}
