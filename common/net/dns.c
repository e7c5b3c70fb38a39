#include "common/net/dns.h"

#include "common/base/file_stamp.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum {
	TRIES = 2,
};

/* A descriptor that c-ares wants watched. */
struct watch {
	ev_io io;
	LIST_ENTRY(watch) entry;
};

/* One reading of resolv.conf: a c-ares channel, and what the loop watches for it. */
struct reading {
	struct dns *dns;
	ares_channel channel;
	ev_timer timer; /* c-ares' next limit of time; stopped: nothing is open */
	LIST_HEAD(, watch) watches;
	LIST_ENTRY(reading) entry;
};

struct dns {
	struct ev_loop *loop;
	struct dns_setup setup;
	bool configured;         /* since resolv.conf was read */
	struct file_stamp stamp; /* of resolv.conf when it was read */
	/* The first is asked; the others only finish what they were asked before. */
	LIST_HEAD(, reading) readings;
};

static void
reading_free(struct reading *r)
{
	ares_destroy(r->channel); /* answers what is open, closes every descriptor */
	assert(LIST_EMPTY(&r->watches));
	ev_timer_stop(r->dns->loop, &r->timer);
	LIST_REMOVE(r, entry);
	free(r);
}

/* Due after every call into c-ares: wait for its next limit of time, or part. */
static void
reading_turn(struct reading *r)
{
	struct timeval space, *left = ares_timeout(r->channel, NULL, &space);

	ev_timer_stop(r->dns->loop, &r->timer);
	if (left != NULL) {
		/* c-ares cuts to milliseconds: without one more it would not be due yet.
		 */
		ev_timer_set(&r->timer,
		    (double)left->tv_sec + (double)left->tv_usec / 1e6 + 0.001, 0.);
		ev_timer_start(r->dns->loop, &r->timer);
	} else if (r != LIST_FIRST(&r->dns->readings)) {
		reading_free(r);
	}
}

static void
on_timeout(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct reading *r = timer->data;

	(void)loop;
	(void)events;
	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	reading_turn(r);
}

static void
on_readiness(struct ev_loop *loop, ev_io *io, int events)
{
	struct reading *r = io->data;
	int fd = io->fd;

	(void)loop;
	/* The watch may be gone after this. */
	ares_process_fd(r->channel, events & EV_READ ? fd : ARES_SOCKET_BAD,
	    events & EV_WRITE ? fd : ARES_SOCKET_BAD);
	reading_turn(r);
}

/* c-ares opened or uses, or (with neither direction) is about to close, a descriptor. */
static void
on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct reading *r = arg;
	struct watch *w;

	LIST_FOREACH (w, &r->watches, entry) {
		if (w->io.fd == fd)
			break;
	}
	if (w != NULL)
		ev_io_stop(r->dns->loop, &w->io);
	if (!readable && !writable) {
		if (w != NULL)
			LIST_REMOVE(w, entry);
		free(w);
		return;
	}
	if (w == NULL) {
		if ((w = calloc(1, sizeof(*w))) == NULL)
			return; /* the question ends by its limit of time */
		LIST_INSERT_HEAD(&r->watches, w, entry);
	}
	ev_io_init(&w->io, on_readiness, fd,
	    (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
	w->io.data = r;
	ev_io_start(r->dns->loop, &w->io);
}

/* A status of c-ares. */
static int
open_channel(struct reading *r, const struct dns_setup *setup)
{
	struct ares_options options = {
	    .timeout = setup->try_ms,
	    .tries = TRIES,
	    .udp_port = setup->port,
	    .tcp_port = setup->port,
	    .sock_state_cb = on_socket_state,
	    .sock_state_cb_data = r,
	    .resolvconf_path = (char *)(uintptr_t)setup->resolv_conf,
	};
	int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_UDP_PORT |
		   ARES_OPT_TCP_PORT | ARES_OPT_SOCK_STATE_CB | ARES_OPT_RESOLVCONF;

#ifdef ARES_OPT_QUERY_CACHE
	mask |= ARES_OPT_QUERY_CACHE; /* none: .qcache_max_ttl is 0 */
#endif
	return ares_init_options(&r->channel, &options, mask);
}

/* Read resolv.conf.  A status of c-ares; if it is no success, all is as before. */
static int
reading_new(struct dns *dns)
{
	struct reading *r = calloc(1, sizeof(*r));
	int status;

	if (r == NULL)
		return ARES_ENOMEM;
	r->dns = dns;
	LIST_INIT(&r->watches);
	ev_timer_init(&r->timer, on_timeout, 0., 0.);
	r->timer.data = r;
	if ((status = open_channel(r, &dns->setup)) != ARES_SUCCESS) {
		free(r);
		return status;
	}
	LIST_INSERT_HEAD(&dns->readings, r, entry);
	return ARES_SUCCESS;
}

/* If that fails the old reading serves on, and the next question tries again. */
bool
dns_refresh(struct dns *dns)
{
	struct reading *old = LIST_FIRST(&dns->readings);
	/* Before it is read: a change in between is then seen the next time. */
	struct file_stamp now = file_stamp(dns->setup.resolv_conf);

	if (!dns->configured && file_stamps_equal(&now, &dns->stamp, 1))
		return false;
	if (reading_new(dns) != ARES_SUCCESS)
		return false;
	dns->stamp = now;
	dns->configured = false;
	reading_turn(old); /* goes now if nothing is open */
	return true;
}

struct dns *
dns_new(struct ev_loop *loop, const struct dns_setup *setup, int *failure)
{
	struct dns *dns = calloc(1, sizeof(*dns));

	if (dns == NULL) {
		*failure = ARES_ENOMEM;
		return NULL;
	}
	dns->loop = loop;
	dns->setup = *setup;
	dns->stamp = file_stamp(setup->resolv_conf);
	if ((*failure = reading_new(dns)) != ARES_SUCCESS) {
		free(dns);
		return NULL;
	}
	return dns;
}

void
dns_free(struct dns *dns)
{
	if (dns == NULL)
		return;
	while (!LIST_EMPTY(&dns->readings))
		reading_free(LIST_FIRST(&dns->readings));
	free(dns);
}

void
dns_configure(struct dns *dns, const struct dns_setup *setup)
{
	dns->setup = *setup;
	dns->configured = true;
}

void
dns_ask(struct dns *dns, const char *host, int family, ares_addrinfo_callback answer,
    void *arg)
{
	/* Not sorted: the server may spread load by its order. */
	struct ares_addrinfo_hints hints = {
	    .ai_flags = ARES_AI_NOSORT | ARES_AI_ENVHOSTS,
	    .ai_family = family,
	    .ai_socktype = SOCK_STREAM,
	};
	struct reading *r = LIST_FIRST(&dns->readings);

	ares_getaddrinfo(r->channel, host, NULL, &hints, answer, arg);
	reading_turn(r);
}

const char *
dns_words(int status)
{
	switch (status) {
	case ARES_ENOTFOUND:
		return "no such name";
	case ARES_ENODATA:
		return "the name has no address";
	case ARES_EBADNAME:
		return "not a valid name or address";
	case ARES_ETIMEOUT:
		return "the name server does not answer";
	case ARES_ECONNREFUSED:
		/* c-ares 1.18 calls SERVFAIL and REFUSED by all of them by this, too. */
		return "no name server can be reached, or each of them failed";
	case ARES_ESERVFAIL:
		return "the name server failed (SERVFAIL)";
	case ARES_EREFUSED:
		return "the name server refused the question";
	case ARES_EBADRESP:
		return "the name server's answer cannot be read";
	case ARES_ENOMEM:
		return "out of memory";
	default:
		return ares_strerror(status);
	}
}
