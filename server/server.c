#include "server/server.h"

#include "common/carrier_raw.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A connection in its TLS handshake. */
struct incoming {
	struct worker *worker;
	struct service *service;
	struct net_address peer;
};

static void
on_opened(void *owner, struct link *link)
{
	struct incoming *in = owner;
	struct channel *channel = carrier_raw_new(link);

	if (channel != NULL)
		stream_from_channel(
		    worker_streams(in->worker), in->service, channel, &in->peer);
	else
		worker_release(in->worker);
	free(in);
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
	char peer[NET_TEXT_SIZE], name[LOG_QUOTE_SIZE], text[LOG_QUOTE_SIZE];

	net_address_format(&in->peer, peer, sizeof(peer));
	if (in->peer.any.sa_family != AF_UNIX)
		*strrchr(peer, ':') =
		    '\0'; /* the port would make every failure a new cause */
	log_cause(level_of(reason), service,
	    "event=failed why=%s service=%s peer=%s detail=%s", reason_word(reason),
	    log_quote(service, name), peer,
	    log_quote(detail != NULL ? detail : reason_text(reason), text));
	worker_release(in->worker);
	free(in);
}

static const struct link_events events = {
    .opened = on_opened,
    .failed = on_failed,
};

static void
on_arrival(struct worker *worker, struct service *service, int fd,
    const struct net_address *peer)
{
	struct link_set *links = worker_streams(worker)->dialer.links;
	struct incoming *in = malloc(sizeof(*in));

	if (in == NULL) {
		close(fd);
		worker_release(worker);
		return;
	}
	*in = (struct incoming){.worker = worker, .service = service, .peer = *peer};
	if (link_new(links, service, NULL, fd, service->settings->timeout_busy, &events,
		in) == NULL) {
		free(in);
		worker_release(worker);
	}
}

/* Before ServerHello, so that the client knows that it may try another target. */
static void
turn_away(int fd)
{
	close(fd);
}

const struct program server_program = {
    .name = "routeport-server",
    .purpose =
	"takes TLS from a passthrough route, and carries what is inside to the app",
    .role = ROLE_SERVER,
    .arrival = on_arrival,
    .turn_away = turn_away,
};
