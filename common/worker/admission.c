#include "common/worker/worker_internal.h"

#include "common/base/log.h"

enum {
	/* Connections that a worker may have more than the idlest before that one gets
	 * the next. */
	SKEW = 16,
	/* Carriers of many streams that may be open whatever maxConnections is, */
	LEAST_CARRIERS = 64,
	/* and handshakes of strangers that a worker may leave unfinished. */
	LEAST_HANDSHAKES = 8,
};

/* Seconds between two times that the workers are told of a shortage. */
static const double shortage_again = 1;

long
admission_handshakes(long connections, long by_memory, long workers)
{
	long all = connections / 2 < by_memory ? connections / 2 : by_memory;
	long one = all / workers;

	return one > LEAST_HANDSHAKES ? one : LEAST_HANDSHAKES;
}

void
admission_limit_handshakes(struct worker *w)
{
	long most = admission_handshakes(
	    atomic_load(&w->setup->most), w->setup->handshakes, (long)w->setup->count);

	link_set_limit(&w->links, (size_t)most);
}

static long
load_of(const struct worker *w)
{
	return atomic_load_explicit(&w->load, memory_order_relaxed);
}

/* False: too many.  Who lets programs wait has looked before, and another worker may have
 * taken the last place since: one too many is no reason to reset a program. */
static bool
charge(struct worker *w)
{
	if (atomic_fetch_add(&w->setup->total, 1) >= atomic_load(&w->setup->most) &&
	    !w->setup->waits_when_full) {
		atomic_fetch_sub(&w->setup->total, 1);
		return false;
	}
	atomic_fetch_add(&w->load, 1);
	return true;
}

/* Whoever is known, or may become so, goes ahead of a stranger who says nothing. */
static bool
charge_or_make_way(struct worker *w, struct worker *to)
{
	return charge(to) || (link_set_give_way(&w->links) && charge(to));
}

void
admission_discharge(struct worker *w)
{
	atomic_fetch_sub(&w->setup->total, 1);
	atomic_fetch_sub(&w->load, 1);
}

/* Who takes what @w accepted. */
static struct worker *
choose(struct worker *w)
{
	struct worker_setup *setup = w->setup;
	struct worker *wanted = w, *idlest = w;
	unsigned long i;

	if (setup->in_turn)
		wanted = setup->workers[atomic_fetch_add(&setup->turn, 1) % setup->count];
	for (i = 0; i < setup->count; i++)
		if (load_of(setup->workers[i]) < load_of(idlest))
			idlest = setup->workers[i];
	return load_of(wanted) > load_of(idlest) + SKEW ? idlest : wanted;
}

static void
reject(struct worker *w, struct service *service, int fd)
{
	log_event_cause(LOG_LEVEL_WARNING, service->settings->name, "failed",
	    LOG_WORD("why", reason_word(REASON_FULL)),
	    LOG_TEXT("service", service->settings->name),
	    LOG_TEXT("detail", service_is_full(service) ? "maxStreams is reached"
							: "maxConnections is reached"));
	w->setup->reject(fd);
}

/* Where services are chosen by name it is not known yet whose limit holds. */
static bool
is_turned_away(const struct worker *w, struct service *service)
{
	return !w->setup->waits_when_full && service_is_full(service) &&
	       !generation_has_names(w->generation, service);
}

static void
admission_on_accepted(
    void *owner, struct service *service, int fd, const struct address *peer)
{
	struct worker *w = owner, *to = choose(w);

	progress_note(&w->reactor.turn, "a new connection");
	if (is_turned_away(w, service) || !charge_or_make_way(w, to)) {
		reject(w, service, fd);
	} else if (to == w) {
		w->setup->arrival(w, service, fd, peer);
	} else if (!mailbox_post_connection(&to->mailbox, service, fd, peer)) {
		admission_discharge(to);
		w->setup->reject(fd);
	}
}

/* The programs of a client wait in the queue of its socket; a server tells its clients at
 * once, so that they try another target. */
static bool
may_accept(void *owner, struct service *service)
{
	const struct worker *w = owner;

	return !w->setup->waits_when_full ||
	       (atomic_load(&w->setup->total) < atomic_load(&w->setup->most) &&
		   !service_is_full(service));
}

/* Descriptors are the process's, so what any worker has idle is of use.  Programs that
 * wait have this come again and again. */
static void
admission_on_shortage(void *owner)
{
	struct worker *w = owner;
	double now = reactor_now();

	if (now < w->shortage_told + shortage_again)
		return;
	w->shortage_told = now;
	for (unsigned long i = 0; i < w->setup->count; i++)
		mailbox_post_shortage(&w->setup->workers[i]->mailbox);
}

const struct listener_events admission_events = {
    .accepted = admission_on_accepted,
    .may_accept = may_accept,
    .shortage = admission_on_shortage,
};

bool
worker_charge_carrier(struct worker *w)
{
	long most = atomic_load(&w->setup->most);

	if (most < LEAST_CARRIERS)
		most = LEAST_CARRIERS;
	if (atomic_fetch_add(&w->setup->carriers, 1) < most)
		return true;
	worker_release_carrier(w);
	return false;
}

void
worker_release_carrier(struct worker *w)
{
	atomic_fetch_sub(&w->setup->carriers, 1);
}

bool
worker_charge(struct worker *w)
{
	return charge_or_make_way(w, w);
}
