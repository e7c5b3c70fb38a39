/*
 * Where services and the status port listen, compared with each other and with what the
 * services dial: two sockets that the system does not have beside each other, and a
 * `connect` that leads to the program itself.  Part of settings.
 */
#ifndef COMMON_CONFIG_CHECK_LISTENERS_H
#define COMMON_CONFIG_CHECK_LISTENERS_H

#include "common/base/err.h"
#include "common/config/diagnostics.h"
#include "common/config/listeners.h"

/** Listeners that overlap, and services that forward to themselves.  Each of the @faults
 * names both lines.  False: look no further. */
bool settings_check_listeners(
    const struct settings *settings, const struct ini *ini, struct diagnostics *faults);

/** The part of it that is about `connect`. */
bool settings_check_loops(const struct settings *settings, const struct ini *ini,
    const struct listeners *list, struct diagnostics *faults);

#endif
