/*
 * What the status port tells of.  Part of status.
 */
#ifndef COMMON_STATUS_SUBJECT_H
#define COMMON_STATUS_SUBJECT_H

#include "common/worker/watchdog.h"
#include "common/worker/worker.h"

#include <dirent.h>

/** It outlives the status port. */
struct status_subject {
	const char *program;
	double started; /* by the wall clock, in seconds */
	const struct worker_setup *setup;
	const struct watchdog *watchdog;
	DIR *descriptors; /* /proc/self/fd; NULL: it is not there */
};

#endif
