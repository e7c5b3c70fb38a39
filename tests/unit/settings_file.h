/*
 * Settings read from a text, as cases need them.
 */
#ifndef TESTS_UNIT_SETTINGS_FILE_H
#define TESTS_UNIT_SETTINGS_FILE_H

#include "common/config/settings.h"

/** A client, and a server that lacks whom to let in, in three and four lines. */
#define CLIENT "[orders]\naccept = 127.0.0.1:5432\nconnect = orders.example:443\n"
#define SERVER "[orders]\naccept = 8443\nconnect = 5432\ncert = c.pem\n"

/** Read @text, which is good.  The caller calls settings_release(). */
struct settings *settings_from(enum role role, const char *text);

/** The log of what was loaded last; "" if nothing was said. */
const char *settings_warnings(void);

/** @text is refused, and what stands behind the file's name is @why. */
void settings_refused(enum role role, const char *text, const char *why);

/** @text is refused, and @part is in the reason. */
void settings_refused_with(enum role role, const char *text, const char *part);

#endif
