/*
 * Pumps bytes through a forwarder in both directions at once and checks each of them.
 *
 *	pump LISTEN_PORT CONNECT_PORT BYTES
 *
 * Listens as the app, connects as the legacy program; each sends BYTES bytes and its FIN.
 * Both know what the other one sends, so that every byte is compared in its place, which
 * says more than a checksum.  Exit status 0: all came, then FIN.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BLOCK = 256 * 1024
};

/* One direction as one of its ends sees it. */
struct flow {
	int fd;
	uint64_t seed;
	uint64_t bytes;
	bool right;
};

/* The next BLOCK bytes of a sequence (xorshift64*). */
static void
fill(uint64_t *block, uint64_t *state)
{
	uint64_t x = *state;

	for (size_t i = 0; i < BLOCK / sizeof x; i++) {
		x ^= x >> 12;
		x ^= x << 25;
		x ^= x >> 27;
		block[i] = x * UINT64_C(0x2545F4914F6CDD1D);
	}
	*state = x;
}

static void *
send_all(void *arg)
{
	struct flow *flow = arg;
	uint64_t *block = malloc(BLOCK), state = flow->seed;
	ssize_t n;

	for (uint64_t left = flow->bytes; left > 0;) {
		fill(block, &state);
		size_t size = left < BLOCK ? (size_t)left : BLOCK;
		for (size_t at = 0; at < size; at += (size_t)n) {
			n = send(flow->fd, (char *)block + at, size - at, MSG_NOSIGNAL);
			if (n < 0)
				err(1, "send");
		}
		left -= size;
	}
	shutdown(flow->fd, SHUT_WR);
	flow->right = true;
	free(block);
	return NULL;
}

static void *
receive_all(void *arg)
{
	struct flow *flow = arg;
	uint64_t *block = malloc(BLOCK), state = flow->seed, received = 0;
	char *got = malloc(BLOCK);
	ssize_t n;

	flow->right = true;
	while ((n = recv(flow->fd, got, BLOCK - received % BLOCK, 0)) > 0) {
		if (received % BLOCK == 0)
			fill(block, &state);
		if (memcmp(got, (char *)block + received % BLOCK, (size_t)n) != 0)
			flow->right = false;
		received += (uint64_t)n;
	}
	if (n < 0)
		err(1, "recv");
	if (received != flow->bytes)
		flow->right = false;
	free(block);
	free(got);
	return NULL;
}

static struct sockaddr_in
loopback(const char *port)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	return address;
}

int
main(int argc, char **argv)
{
	if (argc != 4)
		errx(2, "usage: pump LISTEN_PORT CONNECT_PORT BYTES");

	struct sockaddr_in here = loopback(argv[1]), there = loopback(argv[2]);
	uint64_t bytes = strtoull(argv[3], NULL, 10);
	int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
	int legacy = socket(AF_INET, SOCK_STREAM, 0), app;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (bind(listener, (struct sockaddr *)&here, sizeof here) < 0 ||
	    listen(listener, 1) < 0)
		err(1, "listen on %s", argv[1]);
	if (connect(legacy, (struct sockaddr *)&there, sizeof there) < 0)
		err(1, "connect to %s", argv[2]);
	app = accept(listener, NULL, NULL);
	if (app < 0)
		err(1, "accept");

	struct flow flows[] = {
	    {.fd = legacy, .seed = 1, .bytes = bytes}, /* sends */
	    {.fd = app, .seed = 1, .bytes = bytes},    /* receives that */
	    {.fd = app, .seed = 2, .bytes = bytes},
	    {.fd = legacy, .seed = 2, .bytes = bytes},
	};
	pthread_t threads[4];
	bool right = true;

	for (size_t i = 0; i < 4; i++)
		if (pthread_create(
			&threads[i], NULL, i % 2 ? receive_all : send_all, &flows[i]))
			errx(1, "no thread");
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		right = right && flows[i].right;
	}
	if (!right)
		errx(1, "not the bytes that were sent");
	return 0;
}
