#include "client/client.h"

#include "common/base/address.h"
#include "common/base/socket.h"

static void
on_arrival(
    struct worker *worker, struct service *service, int fd, const struct address *peer)
{
	char text[ADDRESS_TEXT_SIZE];

	stream_from_program(worker_streams(worker), service, fd,
	    address_format(peer, text, sizeof(text)));
}

/* A clean EOF would look like an answer. */
static void
reject(int fd)
{
	socket_reset(fd);
}

const struct program client_program = {
    .name = "routeport-client",
    .purpose = "carries plain TCP to an OpenShift passthrough route, inside TLS",
    .role = ROLE_CLIENT,
    .arrival = on_arrival,
    .waits_when_full = true,
    .reject = reject,
};
