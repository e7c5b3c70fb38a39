/*
 * Options of stunnel's that routeport does not have, and what to do instead: for good, or
 * not yet.  A file that relies on one of them must not seem to work.  Part of settings.
 */
#ifndef COMMON_CONFIG_UNSUPPORTED_H
#define COMMON_CONFIG_UNSUPPORTED_H

#include "common/config/option.h"

extern const struct option_refusal settings_unsupported[];

#endif
