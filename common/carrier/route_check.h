/*
 * Does the route still lead to the far end?  A certificate for the right name does not
 * say so: an edge or reencrypt route may have such a one, and the router then reads what
 * is sent.  What a target did before says more.
 */
#ifndef COMMON_CARRIER_ROUTE_CHECK_H
#define COMMON_CARRIER_ROUTE_CHECK_H

#include "common/carrier/target.h"
#include "common/tls/conn.h"

/**
 * A client's handshake is over, well or not, in which TLS_PROTOCOL_H2 was offered: is it
 * refused by a target that has spoken it before?  Then nothing may be sent over @tls, and
 * @detail (TLS_DETAIL_SIZE bytes) says why.
 */
bool route_is_downgraded(
    struct target *target, const struct tls *tls, char detail[TLS_DETAIL_SIZE]);

/** A client's link is open: remember that it speaks h2, or warn, once a target, if nobody
 * wanted to see the certificate that the settings name. */
void route_note(struct target *target, const struct tls *tls);

/** A client's connection was lost, and nothing that was asked is unanswered: if the path
 * has an idle limit that is shorter than keepalive, remember that, and say so once. */
void route_note_loss(struct target *target, const struct tls *tls);

#endif
