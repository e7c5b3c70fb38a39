/*
 * The table of all options: struct settings and struct service_settings as lines of a
 * file say them.  Part of settings; nobody else looks in here.
 */
#ifndef COMMON_CONFIG_OPTIONS_TABLE_H
#define COMMON_CONFIG_OPTIONS_TABLE_H

#include "common/config/option.h"

extern const struct option_table settings_rows;

#endif
