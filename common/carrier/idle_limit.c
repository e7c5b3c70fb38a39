#include "common/carrier/idle_limit.h"

#include <math.h>

/* Seconds: a shorter silence is none. */
static const double least = 1;

/* Timers of a path are exact; that a loss is noticed late is what differs. */
static const double tolerance = 0.25, tolerance_part = 0.02;

/* Of the limit: there is time left for a packet that is sent again. */
static const double safe_part = 2.0 / 3;

static bool
is_same(double a, double b)
{
	return fabs(a - b) <= tolerance + tolerance_part * fmin(a, b);
}

bool
idle_limit_note(
    struct idle_limit *l, double opened, double now, double silence, double borne)
{
	bool again = l->lost > 0 && is_same(silence, l->silence);
	double interval = safe_part * fmin(silence, again ? l->silence : silence);

	if (silence < least || silence <= borne || opened < l->lost)
		return false;
	l->lost = now;
	l->silence = silence;
	if (!again || (l->interval > 0 && interval >= l->interval))
		return false;
	l->interval = interval;
	return true;
}

double
idle_limit_interval(const struct idle_limit *l, double wanted)
{
	return l->interval > 0 && l->interval < wanted ? l->interval : wanted;
}
