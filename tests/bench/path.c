/*
 * A long path of packets: two network namespaces, near and far, joined by a wire that
 * takes DELAY ms each way, so that real TCP runs over it from end to end.
 *
 *	path DELAY [RATE [QUEUE]]
 *
 * RATE, in Mbit/s, is that of each direction; without it the wire takes all at once.
 * QUEUE, in bytes, is what waits at most for a wire that is busy, and what is beyond it
 * is dropped; without it that is one round trip at this rate.
 *
 * Once the path is there one line says how to get to its ends, `near FILE far FILE`, for
 * nsenter --net=FILE or setns().  Their addresses are 10.0.0.1 and 10.0.0.2; both have a
 * loopback of their own.  All is gone with this program, which ends with its standard
 * input, and with whoever else is still in there.  It needs root, and /dev/net/tun.
 *
 * Packets come as the kernel has them before it cuts them to size for a wire (TSO), up to
 * 64 KiB with their checksums undone; handed over as they are they cost little.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sockets.h"

enum {
	NEAR = 0,
	FAR = 1,
	OFFLOAD_HEADER = 10, /* bytes ahead of a packet: struct virtio_net_hdr */
	PACKET = OFFLOAD_HEADER + 65536,
	DEVICE_QUEUE = 10000, /* packets for us, while we do not run */
	TURN = 64,            /* packets read before others are written */
};

/** On its way. */
struct packet {
	STAILQ_ENTRY(packet) next;
	uint64_t due;
	size_t size;
	uint8_t bytes[];
};

/** One direction. */
struct wire {
	int from, to; /* devices */
	uint64_t idle_at;
	STAILQ_HEAD(, packet) packets;
};

/** What is the same for both directions. */
struct limits {
	uint64_t delay;   /* ns */
	double byte_time; /* ns, 0: no limit */
	uint64_t queue;   /* ns of waiting */
};

static void
set_up(int control, struct ifreq *request)
{
	request->ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(control, SIOCSIFFLAGS, request) == -1)
		err(1, "setting %s up", request->ifr_name);
}

static void
set_address(int control, struct ifreq *request, unsigned long what, const char *text)
{
	struct sockaddr_in address = {.sin_family = AF_INET};

	inet_pton(AF_INET, text, &address.sin_addr);
	memcpy(&request->ifr_addr, &address, sizeof(address));
	if (ioctl(control, what, request) == -1)
		err(1, "address %s", text);
}

/* A network namespace of our own, in which we stay, with a device in it.  Its descriptor
 * is what is read and written. */
static int
make_end(const char *address, const char *other)
{
	struct ifreq request = {.ifr_name = "lo"};
	int header = OFFLOAD_HEADER, control, device;

	if (unshare(CLONE_NEWNET) == -1)
		err(1, "making a network namespace");
	control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	set_up(control, &request);
	request = (struct ifreq){
	    .ifr_name = "path", .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
	device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (device == -1 || ioctl(device, TUNSETIFF, &request) == -1)
		err(1, "/dev/net/tun");
	if (ioctl(device, TUNSETVNETHDRSZ, &header) == -1 ||
	    ioctl(device, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4) == -1)
		err(1, "large packets");
	request.ifr_qlen = DEVICE_QUEUE;
	if (ioctl(control, SIOCSIFTXQLEN, &request) == -1)
		err(1, "queue of the device");
	set_address(control, &request, SIOCSIFADDR, address);
	set_address(control, &request, SIOCSIFDSTADDR, other);
	set_up(control, &request);
	close(control);
	return device;
}

static int
present_namespace(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		err(1, "/proc/thread-self/ns/net");
	return fd;
}

/* Keep a packet for the time it takes, if the queue has room for it. */
static void
wire_send(struct wire *w, const struct limits *l, const uint8_t *bytes, size_t size)
{
	uint64_t moment = now(), idle = w->idle_at > moment ? w->idle_at : moment;
	struct packet *p;

	if (l->byte_time > 0 && idle - moment > l->queue)
		return;
	w->idle_at = idle + (uint64_t)((double)(size - OFFLOAD_HEADER) * l->byte_time);
	if ((p = malloc(sizeof(*p) + size)) == NULL)
		err(1, "packet");
	p->due = w->idle_at + l->delay;
	p->size = size;
	memcpy(p->bytes, bytes, size);
	STAILQ_INSERT_TAIL(&w->packets, p, next);
}

static void
wire_read(struct wire *w, const struct limits *l)
{
	static uint8_t bytes[PACKET];
	ssize_t n;

	for (int i = 0; i < TURN && (n = read(w->from, bytes, sizeof(bytes))) > 0; i++)
		wire_send(w, l, bytes, (size_t)n);
}

/* Hand over what is due.  A packet that the kernel does not like is lost, as on any path.
 */
static void
wire_arrive(struct wire *w, uint64_t moment)
{
	struct packet *p;

	while ((p = STAILQ_FIRST(&w->packets)) != NULL && p->due <= moment) {
		if (write(w->to, p->bytes, p->size) == -1 && errno == EBADFD)
			err(1, "device");
		STAILQ_REMOVE_HEAD(&w->packets, next);
		free(p);
	}
}

static void
carry(struct wire wires[2], const struct limits *l)
{
	struct pollfd polls[] = {{.fd = wires[NEAR].from, .events = POLLIN},
	    {.fd = wires[FAR].from, .events = POLLIN}, {.fd = STDIN_FILENO}};
	uint64_t moment, next;
	struct timespec wait;

	while (!(polls[2].revents & POLLHUP)) {
		moment = now();
		next = moment + 1000000000;
		for (int i = 0; i < 2; i++) {
			const struct packet *first;

			wire_arrive(&wires[i], moment);
			first = STAILQ_FIRST(&wires[i].packets);
			if (first != NULL && first->due < next)
				next = first->due;
		}
		moment = now();
		next = next > moment ? next - moment : 0;
		wait = (struct timespec){.tv_sec = (time_t)(next / 1000000000),
		    .tv_nsec = (long)(next % 1000000000)};
		if (ppoll(polls, 3, &wait, NULL) == -1 && errno != EINTR)
			err(1, "poll");
		for (int i = 0; i < 2; i++)
			if (polls[i].revents != 0)
				wire_read(&wires[i], l);
	}
}

/* Others that keep the CPUs busy should not make the path longer than it is. */
static void
be_punctual(void)
{
	(void)setpriority(PRIO_PROCESS, 0, -20);
	(void)prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
}

int
main(int argc, char **argv)
{
	struct limits l = {0};
	struct wire wires[2] = {0};
	double rate = argc > 2 ? strtod(argv[2], NULL) : 0;
	int devices[2], spaces[2];

	if (argc < 2 || argc > 4)
		errx(2, "usage: path DELAY [RATE [QUEUE]]");
	l.delay = (uint64_t)(strtod(argv[1], NULL) * 1e6);
	l.byte_time = rate > 0 ? 8e3 / rate : 0;
	l.queue =
	    argc > 3 ? (uint64_t)(strtod(argv[3], NULL) * l.byte_time) : 2 * l.delay;
	for (int i = 0; i < 2; i++) {
		devices[i] = make_end(i == NEAR ? "10.0.0.1" : "10.0.0.2",
		    i == NEAR ? "10.0.0.2" : "10.0.0.1");
		spaces[i] = present_namespace();
	}
	for (int i = 0; i < 2; i++) {
		wires[i].from = devices[i];
		wires[i].to = devices[1 - i];
		STAILQ_INIT(&wires[i].packets);
	}
	be_punctual();
	printf("near /proc/%d/fd/%d far /proc/%d/fd/%d\n", (int)getpid(), spaces[NEAR],
	    (int)getpid(), spaces[FAR]);
	fflush(stdout);
	carry(wires, &l);
	return 0;
}
