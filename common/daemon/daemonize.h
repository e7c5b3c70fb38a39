/*
 * `foreground = no`: the program goes on in a process of its own, and the one that was
 * started waits until that is ready or has failed, and says so by its exit status.  Until
 * then errors still go to the terminal.
 */
#ifndef COMMON_DAEMON_DAEMONIZE_H
#define COMMON_DAEMON_DAEMONIZE_H

#include "common/base/err.h"

#include <stdbool.h>

struct daemonize {
	int ready; /* a pipe to the process that waits; -1: none does */
	int null;  /* /dev/null, which may be out of reach later */
};

/** In the foreground. */
void daemonize_init(struct daemonize *b);

/** Returns in the new process alone, which has a session of its own and keeps the working
 * directory.  False: @e, and there is no other process. */
bool daemonize_enter(struct daemonize *b, struct err *e);

/** Let go of the terminal and of who waits.  In the foreground it does nothing. */
void daemonize_ready(struct daemonize *b);

#endif
