/*
 * What the programs of the bench need of TCP, and the clock.  Anything that fails ends
 * the program with status 1.  An address is [HOST:]PORT, HOST being four numbers; without
 * it that is 127.0.0.1.
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
int listen_on(const char *address);

/** Blocking, with TCP_NODELAY. */
int connect_to(const char *address);

/** The next connection, blocking, with TCP_NODELAY; -1: no more now. */
int accept_from(int listener);

int poller(void);
void poller_add(int epoll, int fd, uint32_t events, epoll_data_t data);

#endif
