#include "common/service.h"

#include "common/reactor.h"
#include "common/tls_context.h"

#include <stdlib.h>

/* Seconds for which a target that speaks no h2 is not asked again. */
static const double raw_seconds = 300;

static void
target_init(struct target *target, const struct net_name *name, bool multiplex)
{
	target->name = name;
	target->multiplex = multiplex;
	net_name_format(name, target->text, sizeof(target->text));
	pthread_mutex_init(&target->lock, NULL);
}

struct service *
service_new(const struct service_settings *settings, struct err *e)
{
	struct service *service = calloc(1, sizeof(*service));
	size_t i;

	if (service == NULL)
		goto no_memory;
	service->settings = settings;
	service->targets = calloc(settings->connect.count, sizeof(*service->targets));
	if (service->targets == NULL)
		goto no_memory;
	for (i = 0; i < settings->connect.count; i++)
		target_init(&service->targets[i], &settings->connect.items[i],
		    settings->multiplex != MULTIPLEX_NO);
	service->target_count = settings->connect.count;
	if ((service->context = tls_context_new(settings, e)) == NULL)
		goto fail;
	return service;
no_memory:
	err_set(e, "out of memory");
fail:
	service_free(service);
	return NULL;
}

void
service_free(struct service *service)
{
	size_t i;

	if (service == NULL)
		return;
	for (i = 0; i < service->target_count; i++) {
		SSL_SESSION_free(service->targets[i].session);
		pthread_mutex_destroy(&service->targets[i].lock);
	}
	free(service->targets);
	SSL_CTX_free(service->context);
	free(service);
}

bool
target_may_h2(struct target *target)
{
	double raw_until;

	if (!target->multiplex)
		return false;
	pthread_mutex_lock(&target->lock);
	raw_until = target->raw_until;
	pthread_mutex_unlock(&target->lock);
	return reactor_now() >= raw_until;
}

void
target_set_raw(struct target *target)
{
	pthread_mutex_lock(&target->lock);
	target->raw_until = reactor_now() + raw_seconds;
	pthread_mutex_unlock(&target->lock);
}

/* A copy, since OpenSSL writes to a session that a connection uses. */
SSL_SESSION *
target_session(struct target *target)
{
	SSL_SESSION *copy = NULL;

	pthread_mutex_lock(&target->lock);
	if (target->session != NULL && SSL_SESSION_is_resumable(target->session))
		copy = SSL_SESSION_dup(target->session);
	pthread_mutex_unlock(&target->lock);
	return copy;
}

void
target_keep_session(struct target *target, SSL_SESSION *session)
{
	SSL_SESSION *old;

	pthread_mutex_lock(&target->lock);
	old = target->session;
	target->session = session;
	pthread_mutex_unlock(&target->lock);
	SSL_SESSION_free(old);
}
