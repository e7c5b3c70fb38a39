#include "common/daemon/ocsp_refresh.h"

#include "common/base/log.h"
#include "common/pki/ocsp_client.h"
#include "common/net/reactor.h"
#include "common/tls/context.h"

#include <stdlib.h>
#include <sys/queue.h>

/* Seconds: behind a question without an answer; and between two about the same, whatever
 * the answer says of its own age. */
static const double again = 60, at_least = 60, at_most = 12 * 3600;

/* One certificate of a service that is at work. */
struct kept {
	LIST_ENTRY(kept) entry;
	struct ocsp_refresh *ocsp_refresh;
	struct service *service; /* held */
	struct tls_staple *staple;
	X509_STORE *store; /* whose word counts: the issuer's */
	struct ocsp_client *ask;
	double due;  /* by reactor_now() */
	bool wanted; /* at this look */
};

struct ocsp_refresh {
	struct ev_loop *loop;
	struct resolver *resolver; /* NULL: none was needed yet */
	LIST_HEAD(, kept) list;
};

struct ocsp_refresh *
ocsp_refresh_new(struct ev_loop *loop)
{
	struct ocsp_refresh *s = calloc(1, sizeof(*s));

	if (s != NULL) {
		s->loop = loop;
		LIST_INIT(&s->list);
	}
	return s;
}

static void
drop(struct kept *k)
{
	ocsp_client_cancel(k->ask);
	X509_STORE_free(k->store);
	LIST_REMOVE(k, entry);
	service_release(k->service);
	free(k);
}

void
ocsp_refresh_free(struct ocsp_refresh *s)
{
	struct kept *k;

	if (s == NULL)
		return;
	while ((k = LIST_FIRST(&s->list)) != NULL)
		drop(k);
	resolver_free(s->resolver);
	free(s);
}

static struct ocsp_matter
matter_of(const struct kept *k)
{
	return (struct ocsp_matter){.certificate = k->staple->certificate,
	    .issuer = k->staple->issuer,
	    .store = k->store,
	    .flags = k->service->settings->ocsp_flags};
}

/* When half of its time is over, and neither at once nor never. */
static double
due_after(time_t until)
{
	double seconds = until != 0 ? difftime(until, time(NULL)) / 2 : at_most;

	if (seconds < at_least)
		seconds = at_least;
	return reactor_now() + (seconds < at_most ? seconds : at_most);
}

/* Good or revoked, the clients shall know. */
static void
keep(struct kept *k, OCSP_RESPONSE *response)
{
	struct ocsp_matter matter = matter_of(k);
	time_t until = ocsp_until(&matter, response);
	unsigned char *der = NULL;
	int n = i2d_OCSP_RESPONSE(response, &der);

	if (n > 0)
		tls_staple_put(k->staple, der, (size_t)n, until);
	k->due = due_after(until);
}

static void
on_answer(void *arg, enum ocsp_answer answer, OCSP_RESPONSE *response, const char *why)
{
	struct kept *k = arg;
	const char *name = k->service->settings->name;

	k->ask = NULL;
	if (answer == OCSP_NOTHING) {
		log_event_cause(LOG_LEVEL_WARNING, name, "staple-failed",
		    LOG_TEXT("service", name), LOG_TEXT("detail", why));
		k->due = reactor_now() + again;
		return;
	}
	keep(k, response);
	if (answer == OCSP_REVOKED)
		log_event(LOG_LEVEL_ERROR, "cert-revoked", LOG_TEXT("service", name),
		    LOG_TEXT("detail", why));
	else
		log_event(LOG_LEVEL_INFO, "stapled", LOG_TEXT("service", name));
}

static void
ask(struct kept *k)
{
	const struct service_settings *s = k->service->settings;
	struct ocsp_matter matter = matter_of(k);
	struct ocsp_way way = {
	    .settings = s, .url = s->ocsp_url, .aia = true, .seconds = s->timeout_ocsp};
	struct err e;

	if (k->ocsp_refresh->resolver == NULL)
		k->ocsp_refresh->resolver = resolver_new(k->ocsp_refresh->loop, &e);
	if (k->ocsp_refresh->resolver != NULL)
		k->ask = ocsp_client_start(k->ocsp_refresh->loop,
		    k->ocsp_refresh->resolver, &matter, &way, on_answer, k);
	k->due = reactor_now() + again;
}

static struct kept *
find(struct ocsp_refresh *s, const struct tls_staple *staple)
{
	struct kept *k;

	LIST_FOREACH (k, &s->list, entry)
		if (k->staple == staple)
			return k;
	return NULL;
}

/* Who has issued it is believed, whoever has issued that one. */
static X509_STORE *
store_of(X509 *issuer)
{
	X509_STORE *store = X509_STORE_new();

	if (store != NULL && X509_STORE_add_cert(store, issuer) == 1 &&
	    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1)
		return store;
	X509_STORE_free(store);
	return NULL;
}

static struct kept *
add(struct ocsp_refresh *s, struct service *service, struct tls_staple *staple)
{
	struct kept *k = calloc(1, sizeof(*k));

	if (k == NULL || (k->store = store_of(staple->issuer)) == NULL) {
		free(k);
		return NULL;
	}
	k->ocsp_refresh = s;
	k->service = service_hold(service);
	k->staple = staple;
	LIST_INSERT_HEAD(&s->list, k, entry);
	return k;
}

static void
look_at(struct ocsp_refresh *s, struct service *service)
{
	size_t count;
	struct tls_staple *ocsp_refresh = tls_context_staples(service->context, &count);

	for (size_t i = 0; i < count; i++) {
		struct kept *k = find(s, &ocsp_refresh[i]);

		if (k == NULL && (k = add(s, service, &ocsp_refresh[i])) == NULL)
			continue;
		k->wanted = true;
		if (k->ask == NULL && reactor_now() >= k->due)
			ask(k);
	}
}

void
ocsp_refresh_look(struct ocsp_refresh *s, const struct generation *generation)
{
	struct kept *k, *next;

	for (k = LIST_FIRST(&s->list); k != NULL; k = LIST_NEXT(k, entry))
		k->wanted = false;
	for (size_t i = 0; i < generation->service_count; i++)
		look_at(s, generation->services[i]);
	for (k = LIST_FIRST(&s->list); k != NULL; k = next) {
		next = LIST_NEXT(k, entry);
		if (!k->wanted)
			drop(k);
	}
}
