#include "common/carrier/target.h"

#include "common/net/reactor.h"

/* ---- all of these with the lock -----------------------------------------------------
 */

/* NULL: it was not met, or long ago. */
static struct target_session *
find(struct target *target, uint64_t instance)
{
	for (size_t i = 0; i < TARGET_SESSIONS; i++)
		if (target->sessions[i].met && target->sessions[i].instance == instance)
			return &target->sessions[i];
	return NULL;
}

/* Its place, which may be that of the one that was not used for the longest time. */
static struct target_session *
find_or_make(struct target *target, uint64_t instance)
{
	struct target_session *s = find(target, instance), *oldest = target->sessions;

	if (s != NULL)
		return s;
	for (size_t i = 1; i < TARGET_SESSIONS; i++)
		if (target->sessions[i].used < oldest->used)
			oldest = &target->sessions[i];
	SSL_SESSION_free(oldest->session);
	*oldest = (struct target_session){.instance = instance, .met = true};
	return oldest;
}

static struct target_session *
newest(struct target *target)
{
	struct target_session *best = NULL;

	for (size_t i = 0; i < TARGET_SESSIONS; i++) {
		struct target_session *s = &target->sessions[i];

		if (s->session != NULL && (best == NULL || s->used > best->used))
			best = s;
	}
	return best;
}

/* Where they are taken in turn, that is as exact as a guess can be. */
static struct target_session *
expected(struct target *target)
{
	struct target_session *last = find(target, target->met);
	struct target_session *next = last != NULL ? find(target, last->next) : NULL;

	return next != NULL && next->session != NULL ? next : newest(target);
}

/* ---- for others ------------------------------------------------------------------ */

/* A copy, since OpenSSL writes to a session that a connection uses. */
SSL_SESSION *
target_session(struct target *target, double most, uint64_t *instance)
{
	struct target_session *s;
	SSL_SESSION *copy = NULL;

	*instance = 0;
	pthread_mutex_lock(&target->lock);
	s = expected(target);
	if (s != NULL && SSL_SESSION_is_resumable(s->session) &&
	    tls_session_is_current(s->session) && reactor_now() < s->judged + most) {
		copy = SSL_SESSION_dup(s->session);
		*instance = s->instance;
	}
	pthread_mutex_unlock(&target->lock);
	return copy;
}

void
target_keep_session(
    struct target *target, uint64_t instance, SSL_SESSION *session, bool resumed)
{
	struct target_session *s;
	SSL_SESSION *old;

	pthread_mutex_lock(&target->lock);
	s = find_or_make(target, instance);
	old = s->session;
	s->session = session;
	s->used = reactor_now();
	if (!resumed)
		s->judged = s->used;
	pthread_mutex_unlock(&target->lock);
	SSL_SESSION_free(old);
}

void
target_meet(struct target *target, uint64_t instance)
{
	struct target_session *last;

	pthread_mutex_lock(&target->lock);
	if ((last = find(target, target->met)) != NULL)
		last->next = instance;
	target->met = instance;
	find_or_make(target, instance)->used = reactor_now();
	pthread_mutex_unlock(&target->lock);
}

void
target_clear_sessions(struct target *target)
{
	for (size_t i = 0; i < TARGET_SESSIONS; i++) {
		SSL_SESSION_free(target->sessions[i].session);
		target->sessions[i] = (struct target_session){.met = false};
	}
}
