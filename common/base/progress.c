#include "common/base/progress.h"

enum progress_news
progress_look(struct progress_seen *sight, const struct progress *turn)
{
	unsigned long number = atomic_load_explicit(&turn->number, memory_order_relaxed);
	bool was_stuck = sight->stuck;

	if (number == 0 || number != sight->number) {
		*sight = (struct progress_seen){.number = number};
		return was_stuck ? PROGRESS_BACK : PROGRESS_SAME;
	}
	if (sight->looks < PROGRESS_LOOKS)
		sight->looks++;
	sight->stuck = sight->looks == PROGRESS_LOOKS;
	return sight->stuck && !was_stuck ? PROGRESS_STUCK : PROGRESS_SAME;
}
