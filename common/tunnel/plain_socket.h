/*
 * A plain socket: the side of a stream without TLS.  An endpoint that tells an RST from
 * a FIN even where recv() does not, and that resets its peer only once the peer's
 * kernel has every byte before it.
 */
#ifndef COMMON_TUNNEL_PLAIN_SOCKET_H
#define COMMON_TUNNEL_PLAIN_SOCKET_H

#include "common/carrier/endpoint.h"
#include "common/net/reactor.h"

struct plain_socket {
	struct endpoint endpoint;
	struct watch watch;
	ev_timer *drain; /* looks whether the last bytes have arrived; NULL: not yet */
	int fd;          /* -1 once closed */
	int waiting;     /* bytes that the peer's kernel had not yet, last time */
	bool shut;       /* our FIN is sent */
};

/** Take over @fd.  @wake and @owner as in endpoint.h. */
void plain_socket_init(struct plain_socket *p, struct reactor *r, int fd,
    void (*wake)(void *owner), void *owner);

/** Close in good order.  Fine when closed already. */
void plain_socket_close(struct plain_socket *p);

/** Close with an RST, now; what is not sent yet is thrown away. */
void plain_socket_reset(struct plain_socket *p);

#endif
