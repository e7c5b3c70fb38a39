#include "sockets.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void
pause_for(double seconds)
{
	struct timespec t = {.tv_sec = (time_t)seconds};

	t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
	while (nanosleep(&t, &t) == -1 && errno == EINTR)
		;
}

void
no_delay(int fd)
{
	int yes = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) == -1)
		err(1, "TCP_NODELAY");
}

static struct sockaddr_in
address_of(const char *text)
{
	const char *colon = strrchr(text, ':');
	const char *port = colon != NULL ? colon + 1 : text;
	struct sockaddr_in a = {.sin_family = AF_INET};
	char host[INET_ADDRSTRLEN] = "127.0.0.1";

	if (colon != NULL)
		snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	a.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
	if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
		errx(1, "%s is no address", text);
	return a;
}

int
listen_on(const char *address)
{
	struct sockaddr_in a = address_of(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;

	if (fd == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == -1 ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) == -1 || listen(fd, 4096) == -1)
		err(1, "listen on %s", address);
	return fd;
}

int
connect_to(const char *address)
{
	struct sockaddr_in a = address_of(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	/* On the loopback a connect() takes no time worth an event. */
	if (fd == -1 || connect(fd, (struct sockaddr *)&a, sizeof(a)) == -1)
		err(1, "connect to %s", address);
	no_delay(fd);
	return fd;
}

int
accept_from(int listener)
{
	int fd;

	do
		fd = accept4(listener, NULL, NULL, 0);
	while (fd == -1 && errno == ECONNABORTED);
	if (fd == -1) {
		if (errno != EAGAIN)
			err(1, "accept");
		return -1;
	}
	no_delay(fd);
	return fd;
}

int
poller(void)
{
	int fd = epoll_create1(0);

	if (fd == -1)
		err(1, "epoll_create1");
	return fd;
}

void
poller_add(int epoll, int fd, uint32_t events, epoll_data_t data)
{
	struct epoll_event e = {.events = events, .data = data};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) == -1)
		err(1, "epoll_ctl");
}
