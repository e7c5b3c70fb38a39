#include "common/worker/watchdog.h"

#include "common/base/log.h"

#include <stdlib.h>

/* Seconds between two looks; see PROGRESS_LOOKS. */
static const double look_every = 1;

struct watchdog {
	struct ev_loop *loop;
	ev_timer timer;
	struct worker *const *workers;
	size_t count;
	struct progress_seen sights[];
};

static const char *
doing(const struct watchdog *d, size_t index)
{
	return atomic_load_explicit(
	    &worker_progress(d->workers[index])->what, memory_order_relaxed);
}

static void
on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct watchdog *d = timer->data;

	(void)loop;
	(void)events;
	log_tell_left_out();
	for (size_t i = 0; i < d->count; i++) {
		switch (progress_look(&d->sights[i], worker_progress(d->workers[i]))) {
		case PROGRESS_STUCK:
			log_error("event=stuck worker=%zu seconds=%d doing=\"%s\"", i,
			    PROGRESS_LOOKS, doing(d, i));
			break;
		case PROGRESS_BACK:
			log_warning("event=turns-again worker=%zu", i);
			break;
		case PROGRESS_SAME:
			break;
		}
	}
}

struct watchdog *
watchdog_new(struct ev_loop *loop, struct worker *const *workers, size_t count)
{
	struct watchdog *d = calloc(1, sizeof(*d) + count * sizeof(d->sights[0]));

	if (d == NULL)
		return NULL;
	d->loop = loop;
	d->workers = workers;
	d->count = count;
	ev_timer_init(&d->timer, on_look, look_every, look_every);
	d->timer.data = d;
	ev_timer_start(loop, &d->timer);
	return d;
}

void
watchdog_free(struct watchdog *d)
{
	if (d == NULL)
		return;
	ev_timer_stop(d->loop, &d->timer);
	free(d);
}

long
watchdog_stuck(const struct watchdog *d, const char **what)
{
	for (size_t i = 0; i < d->count; i++) {
		if (d->sights[i].stuck) {
			*what = doing(d, i);
			return (long)i;
		}
	}
	return -1;
}

size_t
watchdog_count(const struct watchdog *d)
{
	size_t stuck = 0;

	for (size_t i = 0; i < d->count; i++)
		stuck += d->sights[i].stuck;
	return stuck;
}
