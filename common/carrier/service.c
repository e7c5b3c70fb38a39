#include "common/carrier/service.h"

#include "common/base/socket.h"
#include "common/base/log.h"
#include "common/tls/context.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/* A file that may not be looked at any more (@before, perhaps NULL) is as it was. */
static void
look(const struct service_settings *s, struct file_stamp stamps[SETTINGS_FILES],
    const struct file_stamp *before)
{
	const char *paths[SETTINGS_FILES] = {NULL};

	(void)settings_files(s, paths);
	for (size_t i = 0; i < SETTINGS_FILES; i++) {
		errno = 0;
		stamps[i] = file_stamp(paths[i]);
		if (errno == EACCES && before != NULL)
			stamps[i] = before[i];
	}
}

struct service *
service_new(
    struct settings *whole, const struct service_settings *settings, struct err *e)
{
	struct service *service = calloc(1, sizeof(*service));
	size_t i;

	if (service == NULL)
		goto no_memory;
	atomic_init(&service->holders, 1);
	if (whole != NULL)
		service->whole = settings_hold(whole);
	service->settings = settings;
	service->targets = calloc(settings->connect.count, sizeof(*service->targets));
	service->counters = counters_new();
	if (service->targets == NULL || service->counters == NULL)
		goto no_memory;
	for (i = 0; i < settings->connect.count; i++)
		target_init(&service->targets[i], &settings->connect.items[i],
		    settings->multiplex != MULTIPLEX_NO);
	service->target_count = settings->connect.count;
	look(settings, service->stamps,
	    NULL); /* first: what changes meanwhile is seen later */
	if ((service->context = tls_context_new(settings, e)) == NULL)
		goto fail;
	own_chain_expiry(service->context, &service->expiry);
	return service;
no_memory:
	err_set(e, "out of memory");
fail:
	service_release(service);
	return NULL;
}

void
service_succeed(struct service *service, const struct service *before)
{
	bool same = service->settings == before->settings ||
		    strcmp(service->settings->text, before->settings->text) == 0;

	for (size_t i = 0; i < service->target_count; i++)
		for (size_t n = 0; n < before->target_count; n++)
			if (strcmp(service->targets[i].text, before->targets[n].text) ==
			    0)
				target_succeed(
				    &service->targets[i], &before->targets[n], same);
	counters_release(service->counters);
	service->counters = counters_hold(before->counters);
}

struct service *
service_hold(struct service *service)
{
	atomic_fetch_add(&service->holders, 1);
	return service;
}

void
service_release(struct service *service)
{
	size_t i;

	if (service == NULL || atomic_fetch_sub(&service->holders, 1) > 1)
		return;
	for (i = 0; i < service->target_count; i++)
		target_clear(&service->targets[i]);
	free(service->targets);
	SSL_CTX_free(service->context);
	settings_release(service->whole);
	counters_release(service->counters);
	free(service);
}

bool
service_is_full(struct service *service)
{
	long most = service->settings->max_streams;

	return most > 0 && counters_open_streams(service->counters) >= most;
}

bool
service_look(const struct service *service, struct file_stamp now[SETTINGS_FILES])
{
	look(service->settings, now, service->stamps);
	return !file_stamps_equal(now, service->stamps, SETTINGS_FILES);
}

void
service_forgive_gone(struct service *service)
{
	static const struct file_stamp none;
	struct file_stamp now[SETTINGS_FILES];

	look(service->settings, now, service->stamps);
	for (size_t i = 0; i < SETTINGS_FILES; i++)
		if (file_stamps_equal(&now[i], &none, 1))
			service->stamps[i] = none;
}

bool
service_tells_once(struct service *service)
{
	return !atomic_exchange(&service->told, true);
}

size_t
service_first_target(struct service *service)
{
	if (service->settings->failover == FAILOVER_PRIO)
		return 0;
	return atomic_fetch_add(&service->turn, 1) % service->target_count;
}

void
service_tune(const struct service *service, int fd, enum socket_side side, bool plain)
{
	const struct service_settings *s = service->settings;
	const char *refused = NULL;
	struct err detail;

	if (side != SOCKET_LOCAL)
		socket_tune(fd, plain);
	if (s->socket.count > 0 && !socket_option_apply(&s->socket, fd, side, &refused)) {
		(void)err_set(
		    &detail, "socket = %c:%s: %s", side, refused, strerror(errno));
		log_event_cause(LOG_LEVEL_WARNING, s->name, "socket",
		    LOG_TEXT("service", s->name), LOG_TEXT("detail", detail.text));
	}
}
