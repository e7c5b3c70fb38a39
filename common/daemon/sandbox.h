/*
 * The files that a running program may still touch, by Landlock (landlock(7)).  Part of
 * privilege.
 */
#ifndef COMMON_DAEMON_SANDBOX_H
#define COMMON_DAEMON_SANDBOX_H

#include "common/config/settings.h"

/**
 * From now on this thread, and those that it starts, read only the folders of
 * certificates, keys and settings, the system's trusted certificates where they are used,
 * and what name lookups need; and write only the log, and where Unix sockets and the pid
 * file lie.  Needs no_new_privs.  Where the kernel has no Landlock, or a filter of system
 * calls refuses it, that is said in the log and nothing else changes.  False: @e.
 */
bool sandbox_enter(const struct settings *settings, struct err *e);

/** If @e says that a path is denied to us though its permissions allow it, add that its
 * folder is outside of the sandbox. */
void sandbox_explain(struct err *e);

#endif
