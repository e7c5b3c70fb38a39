/*
 * The far ends that refused one stream, of which no byte has reached an app: whether it
 * is worth while to ask another one.
 */
#ifndef COMMON_TUNNEL_REFUSALS_H
#define COMMON_TUNNEL_REFUSALS_H

#include "common/base/reason.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	/** Far ends that are told apart. */
	REFUSALS_FAR_ENDS = 8,
};

/** All zero: there was none. */
struct refusals {
	enum reason reason; /* of the last */
	char *words;        /* the same, from the far end; perhaps NULL */
	int count;
	double since;                        /* of the first, by reactor_now() */
	uint64_t by[REFUSALS_FAR_ENDS];      /* their instances, */
	unsigned char of[REFUSALS_FAR_ENDS]; /* and how often each */
};

/** Of what a far end may refuse: can another one think otherwise? */
bool refusals_may_differ(enum reason reason);

/** @instance has refused it, in these words, perhaps NULL.  Far ends that do not say who
 * they are (0) are one. */
void refusals_add(
    struct refusals *r, enum reason reason, const char *words, uint64_t instance);

/** The last far end says that it stops, so that another one is soon there: worth waiting
 * for. */
bool refusals_end_soon(const struct refusals *r);

/** The same far end three times, or a good second: behind one whose app is down a program
 * should hear of it.  Never while they end soon. */
bool refusals_suffice(const struct refusals *r);

/** Seconds until they do; perhaps less than none. */
double refusals_left(const struct refusals *r);

/** As if there was none. */
void refusals_clear(struct refusals *r);

#endif
