/*
 * What is wrong with a file of settings.  A program that is to run stops at the first
 * fault; who only checks a file wants to hear of all.  Used by one thread.
 */
#ifndef COMMON_CONFIG_DIAGNOSTICS_H
#define COMMON_CONFIG_DIAGNOSTICS_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>

/** All zero: looking ends with the first. */
struct diagnostics {
	/** Told of each by diagnostics_print(), for looking then goes on. */
	void (*tell)(void *owner, const char *text);
	/** Told of what is no fault, but perhaps not what was meant; NULL: nobody wants
	 * to know. */
	void (*remark)(void *owner, const char *text);
	void *owner;
	/** A remark was on something that no peer will take today, though the program
	 * would start with it. */
	bool useless;
	unsigned remarked; /* bits: what holds for many sections alike is told once */

	size_t count;
	struct err first;
	struct diagnostic *noted; /* those not told yet */
	size_t noted_count;
};

/** Note what @e says.  True: go on, there may be more, and diagnostics_print() is to
 * follow. */
bool diagnostics_note(struct diagnostics *faults, const struct err *e);

/** Tell of all that were noted, in the order of their lines, what is of none first, and
 * of each once: a line that holds for many sections may have been judged for each. */
void diagnostics_print(struct diagnostics *faults);

#endif
