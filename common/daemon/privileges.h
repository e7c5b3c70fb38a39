/*
 * Rights that a program gives up once it has opened what it needs: another user, another
 * root folder, no way back to more rights, and by Landlock (Linux 5.13) no files but
 * those that it may have to read again.
 *
 * What a reload needs and what is not among these is refused by the system, and the
 * reload changes nothing.
 */
#ifndef COMMON_DAEMON_PRIVILEGES_H
#define COMMON_DAEMON_PRIVILEGES_H

#include "common/config/settings.h"

#include <sys/types.h>

/** Whom a file is to belong to that is opened with it; false: nobody else than us. */
bool privileges_owner(const struct settings *settings, uid_t *user, gid_t *group);

/** See another root folder and become another user.  For the main thread, before it
 * starts others.  False: @e says why. */
bool privileges_drop(const struct settings *settings, struct err *e);

/** Then, once all is open: no more rights, and no other files.  A kernel without Landlock
 * is no failure: a line in the log says so. */
bool privileges_confine(const struct settings *settings, struct err *e);

#endif
