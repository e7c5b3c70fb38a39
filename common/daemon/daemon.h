/*
 * A running program, from its settings to its last stream: listening sockets, workers,
 * signals, drain.
 */
#ifndef COMMON_DAEMON_DAEMON_H
#define COMMON_DAEMON_DAEMON_H

#include "common/worker/worker.h"

enum {
	/** Beside EXIT_SUCCESS and EXIT_FAILURE: a file, or a command line, that is
	 * wrong. */
	EXIT_USAGE = 2,
};

/** What differs between the two programs. */
struct program {
	const char *name;
	const char *purpose; /* one line for --help */
	enum role role;
	worker_arrival *arrival;
	bool waits_when_full; /* accepts no more at maxConnections, turns nobody away */
	bool in_turn; /* connections go round among the workers: they may be carriers */
	/** maxConnections is reached: end @fd so that the peer understands. */
	void (*reject)(int fd);
};

/** Would @file run?  Loads certificates and keys, looks up no names, binds nothing. */
void
daemon_check(const struct program *program, const char *file, struct diagnostics *faults);

/** Run @file until told to stop.  Returns the exit status. */
int daemon_run(const struct program *program, const char *file);

#endif
