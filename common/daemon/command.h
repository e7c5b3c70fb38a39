/*
 * The command line of both programs.
 *
 * Exit status: 0 after a drain or a good --check, 1 when it could not start or run, 2
 * for a wrong command line or a file that would not run.
 */
#ifndef COMMON_DAEMON_COMMAND_H
#define COMMON_DAEMON_COMMAND_H

#include "common/daemon/daemon.h"

int command_main(const struct program *program, int argc, char **argv);

#endif
