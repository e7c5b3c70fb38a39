#include "common/worker/worker_internal.h"

#include "common/base/log.h"
#include "common/base/sysinfo.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* Seconds for alerts to be heard, once streams were cut off. */
static const double farewell = 1;

static void
leave_when_empty(struct worker *w)
{
	if (w->order >= COMMAND_DRAIN && w->streams.count == 0 && w->links.count == 0 &&
	    atomic_load(&w->load) == 0)
		ev_break(w->loop, EVBREAK_ALL);
}

static void
on_emptied(void *owner)
{
	leave_when_empty(owner);
}

static void
on_stream_ended(void *owner)
{
	worker_release(owner);
}

static void
on_farewell(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)timer;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

static void
worker_on_iteration_begins(struct ev_loop *loop, ev_check *check, int events)
{
	(void)loop;
	(void)events;
	progress_begin(check->data);
}

static void
worker_on_iteration_ends(struct ev_loop *loop, ev_prepare *prepare, int events)
{
	(void)loop;
	(void)events;
	progress_end(prepare->data);
}

/* First and last of all that a turn calls. */
static void
watch_turns(struct worker *w)
{
	ev_check_init(&w->iteration_begins, worker_on_iteration_begins);
	ev_prepare_init(&w->iteration_ends, worker_on_iteration_ends);
	ev_set_priority(&w->iteration_begins, EV_MAXPRI);
	ev_set_priority(&w->iteration_ends, EV_MINPRI);
	w->iteration_begins.data = w->iteration_ends.data = &w->reactor.turn;
	ev_check_start(w->loop, &w->iteration_begins);
	ev_prepare_start(w->loop, &w->iteration_ends);
}

static void
obey(struct worker *w, enum command order)
{
	if (order <= w->order)
		return;
	w->links.phase = order == COMMAND_STOP ? LINK_SET_CUTS : LINK_SET_ENDS;
	if (order == COMMAND_LINGER) {
		w->order = order;
		link_set_drain(&w->links, NULL, NULL);
		return;
	}
	listener_list_drain(&w->listeners);
	listener_list_clear(&w->listeners);
	w->order = order;
	pool_set_drain(&w->pools);
	link_set_drain(&w->links, NULL, NULL);
	if (order == COMMAND_STOP) {
		stream_set_cut(&w->streams, REASON_STOPPED);
		ev_timer_set(&w->farewell, farewell, 0);
		ev_timer_start(w->loop, &w->farewell);
	}
}

static void
keep_carrier(struct worker *w, struct service *service, struct target *target)
{
	struct pool *pool;

	if (target_may_h2(target) && (pool = pool_of(&w->pools, service, target)) != NULL)
		pool_keep(pool);
}

/*
 * So that the first stream pays no handshake.  While it is not known that the target
 * speaks h2 one worker tries: the app behind a raw one sees that as a connection that
 * ends at once.
 */
static void
keep_carriers(struct worker *w)
{
	struct service *service;
	long left = w->setup->ahead;
	size_t i;

	for (i = 0; i < w->generation->service_count; i++) {
		service = w->generation->services[i];
		if (service->settings->role == ROLE_SERVER || service->settings->delay ||
		    (service->settings->multiplex == MULTIPLEX_AUTO && w->index > 0))
			continue;
		if (left-- > 0)
			keep_carrier(w, service, &service->targets[0]);
		if (service->settings->failover == FAILOVER_RR)
			for (size_t n = 1; n < service->target_count && left-- > 0; n++)
				keep_carrier(w, service, &service->targets[n]);
	}
}

static bool
is_in_generation(const void *generation, const struct service *service)
{
	return generation_has(generation, service);
}

/* Carriers of services that are no more take no more streams. */
static void
follow(struct worker *w, struct generation *generation)
{
	generation_release(w->generation);
	w->generation = generation;
	admission_limit_handshakes(w);
	if (w->order >= COMMAND_DRAIN)
		return;
	if (!listener_list_follow(
		&w->listeners, w->loop, generation, w->index, &admission_events, w))
		log_error("event=no-memory detail=\"a worker cannot listen\"");
	pool_set_follow(&w->pools, is_in_generation, generation);
	link_set_drain(&w->links, is_in_generation, generation);
	keep_carriers(w);
}

static void
on_mail(void *owner)
{
	struct worker *w = owner;
	struct mail mail = mailbox_empty(&w->mailbox);
	struct handoff *handoff;

	progress_note(&w->reactor.turn, "its mailbox");
	for (handoff = mail.handoffs; handoff != NULL; handoff = handoff_free(handoff))
		w->setup->arrival(w, handoff->service, handoff->fd, &handoff->peer);
	if (mail.generation != NULL) {
		follow(w, mail.generation);
		atomic_store(&w->follows, w->generation->number);
		w->setup->changed(w->setup->owner);
	}
	if (mail.shortage)
		pool_set_shed(&w->pools);
	obey(w, mail.order);
	leave_when_empty(w);
}

/* ---- life ------------------------------------------------------------------------ */

static void *
run(void *arg)
{
	struct worker *w = arg;

	admission_limit_handshakes(w);
	keep_carriers(w);
	ev_run(w->loop, 0);
	stream_set_cut(&w->streams, REASON_STOPPED); /* those that began since the stop */
	link_set_clear(&w->links);
	pool_set_clear(&w->pools);
	progress_end(&w->reactor.turn);
	atomic_store(&w->over, true);
	w->setup->changed(w->setup->owner);
	return NULL;
}

/* What came when it had ended already. */
static void
return_mail(struct worker *w)
{
	struct mail mail = mailbox_empty(&w->mailbox);
	struct handoff *handoff;

	for (handoff = mail.handoffs; handoff != NULL; handoff = handoff_free(handoff)) {
		w->setup->reject(handoff->fd);
		admission_discharge(w);
	}
	generation_release(mail.generation);
}

void
worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	listener_list_clear(&w->listeners);
	generation_release(w->generation);
	if (w->resolver != NULL)
		resolver_free(w->resolver);
	if (w->loop != NULL) {
		return_mail(w);
		mailbox_clear(&w->mailbox);
		ev_timer_stop(w->loop, &w->farewell);
		ev_check_stop(w->loop, &w->iteration_begins);
		ev_prepare_stop(w->loop, &w->iteration_ends);
		reactor_clear(&w->reactor);
		ev_loop_destroy(w->loop);
	}
	free(w);
}

static void
connect_rooms(struct worker *w, unsigned long index)
{
	link_set_init(&w->links, &w->reactor, w->setup->windows);
	w->links.resolver = w->resolver;
	w->links.emptied = on_emptied;
	w->links.owner = w;
	w->links.instance = w->setup->instance;
	w->pools = (struct pool_set){
	    .reactor = &w->reactor,
	    .resolver = w->resolver,
	    .links = &w->links,
	};
	w->streams = (struct stream_set){
	    .dialer =
		{
		    .reactor = &w->reactor,
		    .resolver = w->resolver,
		    .links = &w->links,
		    .pools = &w->pools,
		},
	    .next_id = index + 1,
	    .id_step = w->setup->count,
	    .unique_id = sysinfo_random(),
	    .ended = on_stream_ended,
	    .owner = w,
	};
	ev_init(&w->farewell, on_farewell);
	watch_turns(w);
}

/* Signals are the main thread's. */
bool
worker_start(struct worker *w, struct err *e)
{
	sigset_t all, before;
	int failure;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failure = pthread_create(&w->thread, NULL, run, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	w->started = failure == 0;
	return w->started || err_errno(e, failure, "starting a worker's thread");
}

struct worker *
worker_new(unsigned long index, struct worker_setup *setup, struct err *e)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (w == NULL) {
		err_set(e, "out of memory");
		return NULL;
	}
	w->setup = setup;
	w->index = index;
	w->generation = generation_hold(setup->generation);
	w->reactor.broken = -1;
	if ((w->loop = ev_loop_new(EVFLAG_AUTO)) == NULL) {
		err_set(e, "libev finds no way to wait for events");
		goto fail;
	}
	mailbox_init(&w->mailbox, w->loop, on_mail, w);
	if (!reactor_init(&w->reactor, w->loop, e))
		goto fail;
	w->reactor.index = index;
	w->reactor.shortage = admission_events.shortage;
	w->reactor.owner = w;
	if ((w->resolver = resolver_new(w->loop, e)) == NULL)
		goto fail;
	connect_rooms(w, index);
	if (!listener_list_follow(
		&w->listeners, w->loop, w->generation, index, &admission_events, w)) {
		err_set(e, "out of memory");
		goto fail;
	}
	return w;
fail:
	worker_free(w);
	return NULL;
}

void
worker_follow(struct worker *w, struct generation *generation)
{
	mailbox_post_generation(&w->mailbox, generation);
}

bool
worker_follows(const struct worker *w, unsigned long number)
{
	return worker_is_over(w) || atomic_load(&w->follows) >= number;
}

void
worker_linger(struct worker *w)
{
	mailbox_post_command(&w->mailbox, COMMAND_LINGER);
}

void
worker_drain(struct worker *w)
{
	mailbox_post_command(&w->mailbox, COMMAND_DRAIN);
}

void
worker_stop(struct worker *w)
{
	mailbox_post_command(&w->mailbox, COMMAND_STOP);
}

const struct progress *
worker_progress(const struct worker *w)
{
	return &w->reactor.turn;
}

bool
worker_is_over(const struct worker *w)
{
	return atomic_load(&w->over);
}

void
worker_join(struct worker *w)
{
	if (w->started)
		pthread_join(w->thread, NULL);
	w->started = false;
}

struct stream_set *
worker_streams(struct worker *w)
{
	return &w->streams;
}

bool
worker_is_draining(const struct worker *w)
{
	return w->order >= COMMAND_DRAIN;
}

const struct generation *
worker_generation(const struct worker *w)
{
	return w->generation;
}

void
worker_release(struct worker *w)
{
	admission_discharge(w);
	leave_when_empty(w);
}
