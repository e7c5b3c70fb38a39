/*
 * What the programs of the bench need of TCP on the loopback, and the clock.  Anything
 * that fails ends the program with status 1.
 */
#ifndef BENCH_SOCKETS_H
#define BENCH_SOCKETS_H

#include <stdint.h>
#include <sys/epoll.h>

/** ns of the monotonic clock. */
uint64_t now(void);

/** Sleep, whatever signals come. */
void pause_for(double seconds);

void no_delay(int fd);

/** Non-blocking. */
int listen_on(uint16_t port);

/** Blocking, with TCP_NODELAY. */
int connect_to(uint16_t port);

/** The next connection, blocking, with TCP_NODELAY; -1: no more now. */
int accept_from(int listener);

int poller(void);
void poller_add(int epoll, int fd, uint32_t events, epoll_data_t data);

#endif
