#include "common/carrier/target.h"

#include "common/base/sysinfo.h"
#include "common/net/reactor.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Seconds for which a target that speaks no h2 is not asked again. */
static const double raw_seconds = 300;

/* Seconds of a rest; doubling. */
static const double rest_first = 1, rest_last = 60;

void
target_init(struct target *target, const struct net_name *name, bool multiplex)
{
	memset(target, 0, sizeof(*target));
	target->name = name;
	target->multiplex = multiplex;
	net_name_format(name, target->text, sizeof(target->text));
	pthread_mutex_init(&target->lock, NULL);
}

void
target_clear(struct target *target)
{
	target_clear_sessions(target);
	pthread_mutex_destroy(&target->lock);
}

void
target_succeed(struct target *target, struct target *before, bool same_section)
{
	pthread_mutex_lock(&before->lock);
	target->raw_until = before->raw_until;
	target->spoke_h2 = same_section && before->spoke_h2;
	if (same_section)
		target->idle = before->idle;
	target->rest = before->rest;
	target->due = before->due;
	pthread_mutex_unlock(&before->lock);
	atomic_store(&target->overrun, atomic_load(&before->overrun));
	atomic_store(&target->told, same_section && atomic_load(&before->told));
}

bool
target_may_h2(struct target *target)
{
	double raw_until;

	if (!target->multiplex)
		return false;
	pthread_mutex_lock(&target->lock);
	raw_until = target->raw_until;
	pthread_mutex_unlock(&target->lock);
	return reactor_now() >= raw_until;
}

void
target_set_h2(struct target *target)
{
	pthread_mutex_lock(&target->lock);
	target->spoke_h2 = true;
	target->raw_until = 0;
	pthread_mutex_unlock(&target->lock);
}

bool
target_spoke_h2(struct target *target)
{
	bool spoke;

	pthread_mutex_lock(&target->lock);
	spoke = target->spoke_h2;
	pthread_mutex_unlock(&target->lock);
	return spoke;
}

bool
target_tells_once(struct target *target)
{
	return !atomic_exchange(&target->told, true);
}

void
target_set_raw(struct target *target)
{
	pthread_mutex_lock(&target->lock);
	if (!target->spoke_h2)
		target->raw_until = reactor_now() + raw_seconds;
	pthread_mutex_unlock(&target->lock);
}

bool
target_bears(struct target *target, unsigned heartbeats)
{
	unsigned most = atomic_load(&target->overrun);

	return most == 0 || heartbeats < most;
}

void
target_set_overrun(struct target *target, unsigned heartbeats)
{
	atomic_store(&target->overrun, heartbeats);
}

double
target_note_loss(
    struct target *target, double opened, double now, double silence, double borne)
{
	bool learnt;
	double interval;

	pthread_mutex_lock(&target->lock);
	learnt = idle_limit_note(&target->idle, opened, now, silence, borne);
	interval = target->idle.interval;
	pthread_mutex_unlock(&target->lock);
	return learnt ? interval : 0;
}

double
target_keepalive(struct target *target, double keepalive)
{
	double seconds;

	pthread_mutex_lock(&target->lock);
	seconds = idle_limit_interval(&target->idle, keepalive);
	pthread_mutex_unlock(&target->lock);
	return seconds;
}

/* ---- whom to try ----------------------------------------------------------------- */

/* True: try it.  Whoever tries it after its rest is alone in that until the next one is
 * due, else every stream would wait for a target that still does not answer. */
static bool
claim(struct target *target, double now, double *due)
{
	bool ready;

	pthread_mutex_lock(&target->lock);
	*due = target->due;
	ready = target->rest == 0 || now >= target->due;
	if (ready && target->rest > 0) {
		target->scouted = true;
		target->due = now + target->rest;
	}
	pthread_mutex_unlock(&target->lock);
	return ready;
}

size_t
target_next(
    struct target *targets, size_t count, size_t first, const bool *tried, double now)
{
	double earliest = 0, due;
	size_t best = count;

	for (size_t n = 0; n < count; n++) {
		size_t i = (first + n) % count;

		if (tried[i])
			continue;
		if (claim(&targets[i], now, &due))
			return i;
		if (best == count || due < earliest) {
			best = i;
			earliest = due;
		}
	}
	assert(best < count);
	return best;
}

/* What was under way when the rest began is no news of it. */
double
target_fail(struct target *target, double now)
{
	bool well;
	double seconds = 0;

	pthread_mutex_lock(&target->lock);
	well = target->rest == 0;
	if (well || target->scouted) {
		target->rest = well ? rest_first : target->rest * 2;
		if (target->rest > rest_last)
			target->rest = rest_last;
		seconds = sysinfo_jitter(target->rest, 0.25);
		target->due = now + seconds;
		target->scouted = false;
	}
	pthread_mutex_unlock(&target->lock);
	return well ? seconds : 0;
}

bool
target_answer(struct target *target)
{
	bool rested;

	pthread_mutex_lock(&target->lock);
	rested = target->rest > 0;
	target->rest = 0;
	target->due = 0;
	target->scouted = false;
	pthread_mutex_unlock(&target->lock);
	return rested;
}

void
target_rouse(struct target *target, double now)
{
	pthread_mutex_lock(&target->lock);
	if (target->rest > 0 && !target->scouted && target->due > now)
		target->due = now;
	pthread_mutex_unlock(&target->lock);
}
