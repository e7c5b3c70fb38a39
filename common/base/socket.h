/*
 * Stream sockets of TCP and of Unix: opened, tuned, listened on, asked and closed.
 * Nothing here waits.
 */
#ifndef COMMON_BASE_SOCKET_H
#define COMMON_BASE_SOCKET_H

#include "common/base/address.h"
#include "common/base/err.h"
#include "common/base/socket_option.h"

#include <stdbool.h>

/** A listening, non-blocking, close-on-exec socket, or -1 and @e: "listen on
 * 127.0.0.1:443: Address already in use".  An IPv6 socket takes IPv6 alone, unless it is
 * the any-address.  A Unix socket's file is replaced if nobody answers there; whoever
 * closes the socket for good unlinks the file.  @options, perhaps NULL, are set first. */
int socket_listen(const struct address *address, const struct socket_option_list *options,
    struct err *e);

/** Another listening socket at the address of @first, which socket_listen() made: the
 * kernel shares out between them what comes.  Where it cannot (a Unix socket), a
 * duplicate, from which whoever comes first accepts.  -1 and @e: no descriptor is left.
 */
int
socket_listen_shared(int first, const struct socket_option_list *options, struct err *e);

/** A non-blocking, close-on-exec stream socket of the address' family, or -1 with errno.
 */
int socket_open(const struct address *address);

/** Is it a Unix socket? */
bool socket_is_unix(int fd);

/** The two addresses of a connection; the length of one is 0 where it cannot be told. */
void socket_ends(int fd, struct address *ours, struct address *peers);

/** What every stream socket gets: TCP_NODELAY.  @plain: it leads to a program, which is
 * looked after by SO_KEEPALIVE, and which sees RST should this process die: only
 * socket_close() ends such a socket in good order.  What is accepted inherits all from
 * its listening socket.  Unix sockets have none of it.  Never fails. */
void socket_tune(int fd, bool plain);

/** Close so that the peer gets every byte sent, and then FIN. */
void socket_close(int fd);

/** How many bytes the peer's kernel has not acknowledged; 0 too where that cannot be
 * asked. */
int socket_unacknowledged(int fd);

/** For how many seconds the peer's TCP has acknowledged nothing at all, although it was
 * reminded in vain: by a retransmission, or by a probe of the window that it had closed.
 * 0: it owes no answer.  A peer that is there and takes nothing answers every probe. */
double socket_unanswered(int fd);

/** Close so that the peer sees RST; bytes not sent yet are thrown away.
 * A Unix socket has no RST: its peer sees EOF, or ECONNRESET if it left bytes unread. */
void socket_reset(int fd);

#endif
