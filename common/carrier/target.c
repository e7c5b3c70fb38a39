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
target_init(struct target *target, const struct address_name *name, bool multiplex)
{
	memset(target, 0, sizeof(*target));
	target->name = name;
	target->multiplex = multiplex;
	address_name_format(name, target->text, sizeof(target->text));
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
	target->health = before->rest > 0 ? TARGET_RESTS : TARGET_WELL;
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

static bool
is_due(const struct target *target, double now)
{
	return target->health != TARGET_WELL && target->health != TARGET_ALIVE &&
	       now >= target->due;
}

/* Whoever is told of it is alone in that until the next one is due, else every stream
 * would wait for a target that still does not answer. */
static void
claim(struct target *target, enum target_health health, double now)
{
	target->health = health;
	target->due = now + target->rest;
}

/* True: try it. */
static bool
claim_to_try(struct target *target, bool looks, double now)
{
	bool ready;

	pthread_mutex_lock(&target->lock);
	ready = target->health == TARGET_WELL || target->health == TARGET_ALIVE ||
		(!looks && is_due(target, now));
	if (ready && target->health != TARGET_WELL)
		claim(target, TARGET_TRIED, now);
	pthread_mutex_unlock(&target->lock);
	return ready;
}

static bool
claim_to_look(struct target *target, double now)
{
	bool due;

	pthread_mutex_lock(&target->lock);
	due = is_due(target, now);
	if (due)
		claim(target, TARGET_LOOKED_AT, now);
	pthread_mutex_unlock(&target->lock);
	return due;
}

static double
due_at(struct target *target)
{
	double due;

	pthread_mutex_lock(&target->lock);
	due = target->due;
	pthread_mutex_unlock(&target->lock);
	return due;
}

/* @count: there is none. */
static size_t
next_ready(struct target *targets, size_t count, size_t first, const bool *tried,
    bool looks, double now)
{
	for (size_t n = 0; n < count; n++) {
		size_t i = (first + n) % count;

		if (!tried[i] && claim_to_try(&targets[i], looks, now))
			return i;
	}
	return count;
}

static size_t
next_due(struct target *targets, size_t count, size_t first, const bool *tried)
{
	size_t best = count;
	double earliest = 0;

	for (size_t n = 0; n < count; n++) {
		size_t i = (first + n) % count;
		double due = due_at(&targets[i]);

		if (!tried[i] && (best == count || due < earliest)) {
			best = i;
			earliest = due;
		}
	}
	assert(best < count);
	return best;
}

size_t
target_next(struct target *targets, size_t count, size_t first, const bool *tried,
    bool looks, double now)
{
	size_t i = next_ready(targets, count, first, tried, looks, now);

	if (i == count && looks)
		i = next_ready(targets, count, first, tried, false, now);
	return i < count ? i : next_due(targets, count, first, tried);
}

struct target *
target_look(struct target *targets, size_t count, const bool *tried, double now)
{
	for (size_t i = 0; i < count; i++)
		if (!tried[i] && claim_to_look(&targets[i], now))
			return &targets[i];
	return NULL;
}

/* Returns for how long, in seconds. */
static double
rest(struct target *target, double now)
{
	double seconds;

	target->rest = target->rest > 0 ? target->rest * 2 : rest_first;
	if (target->rest > rest_last)
		target->rest = rest_last;
	seconds = sysinfo_jitter(target->rest, 0.25);
	target->health = TARGET_RESTS;
	target->due = now + seconds;
	return seconds;
}

/* What was under way when the rest began is no news of it. */
double
target_fail(struct target *target, double now)
{
	bool well;
	double seconds = 0;

	pthread_mutex_lock(&target->lock);
	well = target->health == TARGET_WELL;
	if (well || target->health == TARGET_TRIED)
		seconds = rest(target, now);
	pthread_mutex_unlock(&target->lock);
	return well ? seconds : 0;
}

void
target_fail_look(struct target *target, double now)
{
	pthread_mutex_lock(&target->lock);
	if (target->health == TARGET_LOOKED_AT)
		(void)rest(target, now);
	pthread_mutex_unlock(&target->lock);
}

bool
target_answer(struct target *target)
{
	bool rested;

	pthread_mutex_lock(&target->lock);
	rested = target->health != TARGET_WELL;
	target->health = TARGET_WELL;
	target->rest = 0;
	target->due = 0;
	pthread_mutex_unlock(&target->lock);
	return rested;
}

void
target_rouse(struct target *target)
{
	pthread_mutex_lock(&target->lock);
	if (target->health != TARGET_WELL && target->health != TARGET_TRIED)
		target->health = TARGET_ALIVE;
	pthread_mutex_unlock(&target->lock);
}
