#include "server/server.h"

#include "common/h2/carrier.h"
#include "common/carrier/raw.h"
#include "common/base/log.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A connection: in its TLS handshake, and as an h2 carrier after it. */
struct incoming {
	struct worker *worker;
	struct service *service;
	struct address peer;
	struct h2_carrier *carrier; /* NULL before */
	time_t expiry;              /* of what lets the client in; 0: never */
};

/* The service whose name the client asks for, at the listen sockets of the one that it
 * came to, as the settings are by now. */
static struct service *
choose(void *owner, const char *name, enum reason *reason)
{
	struct incoming *in = owner;
	const struct generation *generation = worker_generation(in->worker);
	struct service *at = generation_present(generation, in->service);
	struct service *service =
	    at != NULL ? generation_service_for(generation, at, name) : NULL;

	*reason = at != NULL ? REASON_SNI_UNKNOWN : REASON_STOPPED;
	if (at == NULL || (service == NULL && at->settings->sni_strict))
		return NULL;
	service = service_hold(service != NULL ? service : at);
	service_release(in->service);
	in->service = service;
	*reason = REASON_FULL;
	return service_is_full(in->service) ? NULL : in->service;
}

/* Did a reload come between the ClientHello and the end of the handshake? */
static bool
is_overtaken(const struct incoming *in)
{
	return !generation_has(worker_generation(in->worker), in->service);
}

/* Whom it let in the service of now might refuse. */
static bool
is_judged_otherwise(const struct incoming *in)
{
	const struct service *now =
	    generation_present(worker_generation(in->worker), in->service);

	return now == NULL ||
	       !tls_context_judges_alike(in->service->context, now->context);
}

static void
incoming_free(struct incoming *in)
{
	service_release(in->service);
	free(in);
}

/* It is a connection that ends without a stream. */
static void
forget(struct incoming *in)
{
	worker_release(in->worker);
	incoming_free(in);
}

/* One connection, one stream: the stream is what counts from now on. */
static void
begin_raw(struct incoming *in, struct link *link)
{
	struct channel *channel = carrier_raw_new(link);
	char peer[ADDRESS_TEXT_SIZE];

	if (channel == NULL) {
		forget(in);
		return;
	}
	stream_from_channel(worker_streams(in->worker), in->service, channel,
	    address_format(&in->peer, peer, sizeof(peer)));
	incoming_free(in);
}

/* So that the client comes again, and is judged again. */
static bool
has_expired(struct incoming *in)
{
	if (in->expiry == 0 || time(NULL) < in->expiry)
		return false;
	h2_carrier_drain(in->carrier);
	return true;
}

static void
refuse(struct channel *channel, enum reason reason, const char *detail)
{
	channel_answer(channel, reason, detail);
	channel_release(channel);
}

/* A stream on an h2 carrier: the legacy program's address came along. */
static void
on_asked(void *owner, struct channel *channel, const char *forwarded)
{
	struct incoming *in = owner;
	char peer[ADDRESS_TEXT_SIZE];

	if (has_expired(in)) {
		refuse(channel, REASON_STOPPED,
		    "what let the client in (its chain, a revocation list or an OCSP "
		    "answer) has "
		    "expired since");
		return;
	}
	if (service_is_full(in->service) || !worker_charge(in->worker)) {
		refuse(channel, REASON_FULL, NULL);
		return;
	}
	if (forwarded[0] == '\0')
		forwarded = address_format(&in->peer, peer, sizeof(peer));
	stream_from_channel(worker_streams(in->worker), in->service, channel, forwarded);
}

static void
on_carrier_ended(void *owner, enum reason reason)
{
	struct incoming *in = owner;

	(void)reason;
	worker_release_carrier(in->worker);
	incoming_free(in);
}

static const struct h2_carrier_events carrier_events = {
    .asked = on_asked,
    .ended = on_carrier_ended,
};

static void
begin_h2(struct incoming *in, struct link *link)
{
	const struct service_settings *settings = in->service->settings;
	struct h2_carrier *carrier;

	in->expiry = tls_until(&link->tls);
	if (!worker_charge_carrier(in->worker)) {
		link_refuse(link, REASON_FULL,
		    "too many carriers: maxConnections is for them too");
		return;
	}
	carrier = h2_carrier_new(link, LOG_LEVEL_INFO, &carrier_events, in);
	worker_release(in->worker); /* its streams are what counts */
	if (carrier == NULL) {
		worker_release_carrier(in->worker);
		incoming_free(in);
		return;
	}
	in->carrier = carrier;
	h2_carrier_set_keepalive(
	    carrier, settings->keepalive, settings->keepalive_timeout);
	if (worker_is_draining(in->worker) || is_overtaken(in))
		h2_carrier_drain(carrier);
}

static void
on_opened(void *owner, struct link *link)
{
	struct incoming *in = owner;

	if (tls_is_h2(&link->tls)) {
		begin_h2(in, link);
	} else if (in->service->settings->multiplex == MULTIPLEX_YES) {
		link_refuse(link, REASON_NO_PROTOCOL,
		    "multiplex = yes, but the client does not offer " TLS_PROTOCOL_H2);
	} else if (is_overtaken(in) && is_judged_otherwise(in)) {
		link_refuse(link, REASON_STOPPED,
		    "a reload changed whom to let in while the handshake was under way");
	} else {
		begin_raw(in, link);
	}
}

/* Health checks and port scans are nobody's fault; a peer with a wrong certificate is. */
static enum log_level
level_of(enum reason reason)
{
	switch (reason) {
	case REASON_PROBE:
		return LOG_LEVEL_DEBUG;
	case REASON_NOT_TLS:
	case REASON_TLS_FAILED:
	case REASON_OPEN_TIMEOUT:
		return LOG_LEVEL_INFO;
	default:
		return LOG_LEVEL_WARNING;
	}
}

static void
on_failed(void *owner, enum reason reason, const char *detail)
{
	struct incoming *in = owner;
	const char *service = in->service->settings->name;
	char peer[ADDRESS_TEXT_SIZE];

	address_format(&in->peer, peer, sizeof(peer));
	if (in->peer.any.sa_family != AF_UNIX)
		*strrchr(peer, ':') =
		    '\0'; /* the port would make every failure a new cause */
	log_event_cause(level_of(reason), service, "failed",
	    LOG_WORD("why", reason_word(reason)), LOG_TEXT("service", service),
	    LOG_WORD("peer", peer),
	    LOG_TEXT("detail", detail != NULL ? detail : reason_text(reason)));
}

/* It counts until its descriptor is free again. */
static void
on_gone(void *owner)
{
	forget(owner);
}

static const struct link_events events = {
    .choose = choose,
    .opened = on_opened,
    .failed = on_failed,
    .gone = on_gone,
};

static void
on_arrival(
    struct worker *worker, struct service *service, int fd, const struct address *peer)
{
	struct link_set *links = worker_streams(worker)->dialer.links;
	struct incoming *in = malloc(sizeof(*in));

	if (in == NULL) {
		close(fd);
		worker_release(worker);
		return;
	}
	*in = (struct incoming){
	    .worker = worker, .service = service_hold(service), .peer = *peer};
	if (link_new(links, service, NULL, fd, service->settings->timeout_busy, &events,
		in) == NULL)
		forget(in);
}

/* Before ServerHello, so that the client knows that it may try another target. */
static void
reject(int fd)
{
	close(fd);
}

const struct program server_program = {
    .name = "routeport-server",
    .purpose =
	"takes TLS from a passthrough route, and carries what is inside to the app",
    .role = ROLE_SERVER,
    .arrival = on_arrival,
    .in_turn = true,
    .reject = reject,
};
