#include "common/carrier/link_internal.h"

#include "common/base/sysinfo.h"

enum {
	/* Strangers at a time, on one worker, whatever it may have. */
	MOST_STRANGERS = 1024,
	/* Worked on in one turn: each may cost a millisecond, which streams wait for. */
	HANDSHAKES_A_TURN = 4,
};

void
link_set_init(struct link_set *set, struct reactor *reactor, struct byte_budget *windows)
{
	*set = (struct link_set){.reactor = reactor,
	    .windows = windows,
	    .turn_left = HANDSHAKES_A_TURN,
	    .stranger_most = MOST_STRANGERS,
	    .dice = sysinfo_random()};
	for (int i = 0; i < LINK_PROGRESS_COUNT; i++)
		TAILQ_INIT(&set->strangers[i]);
}

void
link_set_limit(struct link_set *set, size_t most)
{
	set->stranger_most = most < MOST_STRANGERS ? most : MOST_STRANGERS;
}

void
link_set_hold(struct link_set *set)
{
	set->count++;
}

void
link_set_release(struct link_set *set)
{
	if (--set->count == 0 && set->emptied != NULL)
		set->emptied(set->owner);
}

void
link_leave_strangers(struct link *l)
{
	struct link_set *set = l->set;

	if (!l->counted)
		return;
	l->counted = false;
	TAILQ_REMOVE(&set->strangers[l->progress], l, stranger_entry);
	set->stranger_counts[l->progress]--;
	set->stranger_count--;
}

void
link_enter_strangers(struct link *l, enum link_progress progress)
{
	struct link_set *set = l->set;

	l->counted = true;
	l->progress = progress;
	TAILQ_INSERT_TAIL(&set->strangers[progress], l, stranger_entry);
	set->stranger_counts[progress]++;
	set->stranger_count++;
}

void
link_advance(struct link *l, enum link_progress progress)
{
	if (!l->counted || l->progress == progress)
		return;
	link_leave_strangers(l);
	link_enter_strangers(l, progress);
}

struct link *
link_set_draw(struct link_set *set)
{
	struct link *l = NULL;
	size_t steps;

	for (int i = 0; i < LINK_PROGRESS_COUNT && l == NULL; i++) {
		l = TAILQ_FIRST(&set->strangers[i]);
		if (l == NULL)
			continue;
		set->dice = set->dice * 6364136223846793005UL + 1442695040888963407UL;
		steps = (set->dice >> 33) % set->stranger_counts[i];
		while (steps-- > 0)
			l = TAILQ_NEXT(l, stranger_entry);
	}
	return l;
}

bool
link_set_is_turn_over(struct link_set *set)
{
	unsigned now = ev_iteration(set->reactor->loop);

	if (set->turn != now) {
		set->turn = now;
		set->turn_left = HANDSHAKES_A_TURN;
	}
	return set->turn_left-- <= 0;
}
