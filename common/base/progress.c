#include "common/base/progress.h"

enum turn_news
turn_look(struct turn_sight *sight, const struct turn *turn)
{
	unsigned long number = atomic_load_explicit(&turn->number, memory_order_relaxed);
	bool was_stuck = sight->stuck;

	if (number == 0 || number != sight->number) {
		*sight = (struct turn_sight){.number = number};
		return was_stuck ? TURN_BACK : TURN_SAME;
	}
	if (sight->looks < TURN_LOOKS)
		sight->looks++;
	sight->stuck = sight->looks == TURN_LOOKS;
	return sight->stuck && !was_stuck ? TURN_STUCK : TURN_SAME;
}
