#include "common/tunnel/failover.h"

#include "common/base/log.h"
#include "common/net/reactor.h"

#include <stdio.h>
#include <string.h>

enum {
	/* Bytes that a line has for the words of each target, however many there are. */
	LEAST_WORDS = 64,
};

/* Seconds that every target gets, however many there are. */
static const double least_share = 1;

void
failover_init(struct failover_walk *a, struct service *service, bool *tried)
{
	*a = (struct failover_walk){
	    .service = service,
	    .tried = tried,
	    .beginning = service_first_target(service),
	    .untried = service->target_count,
	    .deadline = reactor_now() + service->settings->timeout_connect,
	};
	memset(tried, 0, service->target_count * sizeof(*tried));
}

void
failover_clear(struct failover_walk *a)
{
	buf_clear(&a->words);
}

/* Is there more than one target? */
static bool
has_choice(const struct failover_walk *a)
{
	return a->service->target_count > 1;
}

/* The last one's is the deadline itself: now + (deadline - now) may round to less, and
 * would then be extended by nothing. */
static double
end_of_share(const struct failover_walk *a, double now)
{
	double end = a->untried == 1 ? a->deadline
				     : now + (a->deadline - now) / (double)a->untried;

	return end > now + least_share ? end : now + least_share;
}

bool
failover_next(struct failover_walk *a)
{
	double now = reactor_now();

	if (a->untried == 0 || now >= a->deadline)
		return false;
	a->share_ends = end_of_share(a, now);
	a->current = target_next(a->service->targets, a->service->target_count,
	    a->beginning, a->tried, a->service->settings->role == ROLE_CLIENT, now);
	a->tried[a->current] = true;
	a->untried--;
	return true;
}

struct target *
failover_target(const struct failover_walk *a)
{
	return &a->service->targets[a->current];
}

struct target *
failover_look(const struct failover_walk *a)
{
	return target_look(
	    a->service->targets, a->service->target_count, a->tried, reactor_now());
}

double
failover_left(const struct failover_walk *a)
{
	return a->share_ends - reactor_now();
}

bool
failover_extend(struct failover_walk *a)
{
	if (a->share_ends >= a->deadline)
		return false;
	a->share_ends = a->deadline;
	return true;
}

/* Of several targets each has a like share of the line. */
static void
keep_words(struct failover_walk *a, enum reason reason, const char *detail)
{
	char piece[LOG_QUOTE_SIZE];
	size_t share = LOG_QUOTE_SIZE / a->service->target_count;
	int n;

	if (!has_choice(a)) {
		buf_append(&a->words, detail, strlen(detail));
		return;
	}
	if (share < LEAST_WORDS)
		share = LEAST_WORDS;
	n = snprintf(piece, share, "%s%s: %s (%s)", buf_length(&a->words) > 0 ? "; " : "",
	    failover_target(a)->text, reason_word(reason), detail);
	if ((size_t)n >= share)
		memcpy(piece + share - 4, "...", 4);
	buf_append(&a->words, piece, strlen(piece));
}

void
failover_blame(struct failover_walk *a, enum reason reason, const char *detail)
{
	if (a->reason == REASON_NONE)
		a->reason = reason;
	keep_words(a, reason, detail != NULL ? detail : reason_text(reason));
}

/* There is nowhere else to go while the only target rests, so it never does. */
void
failover_fail(struct failover_walk *a, enum reason reason, const char *detail)
{
	double seconds;

	if (detail == NULL)
		detail = reason_text(reason);
	failover_blame(a, reason, detail);
	if (!has_choice(a) || reason == REASON_NO_MEMORY)
		return;
	if ((seconds = target_fail(failover_target(a), reactor_now())) > 0)
		log_event(LOG_LEVEL_WARNING, "target-rests",
		    LOG_WORD("target", failover_target(a)->text),
		    LOG_TEXT("service", a->service->settings->name),
		    LOG_DECIMAL("for", seconds, 1), LOG_WORD("why", reason_word(reason)),
		    LOG_TEXT("detail", detail));
}

void
failover_succeed(struct failover_walk *a)
{
	if (has_choice(a) && target_answer(failover_target(a)))
		log_event(LOG_LEVEL_INFO, "target-back",
		    LOG_WORD("target", failover_target(a)->text),
		    LOG_TEXT("service", a->service->settings->name));
}

struct buf
failover_give_up(struct failover_walk *a)
{
	const char *service = a->service->settings->name;
	const char *detail = reason_text(a->reason);
	struct buf words;

	if (buf_append(&a->words, "", 1))
		detail = (const char *)buf_bytes(&a->words);
	else
		buf_clear(&a->words);
	log_event_cause(LOG_LEVEL_ERROR, service, "failed",
	    LOG_WORD("why", reason_word(a->reason)), LOG_TEXT("service", service),
	    LOG_WORD("target", has_choice(a) ? NULL : failover_target(a)->text),
	    LOG_TEXT("detail", detail));
	words = a->words;
	a->words = (struct buf){0};
	return words;
}
