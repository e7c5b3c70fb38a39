/*
 * The names that `options` takes: those of SSL_CTX_set_options(3) without SSL_OP_, as far
 * as they leave the rest as safe as it is.  Part of settings.
 */
#ifndef COMMON_CONFIG_SETTINGS_OPTIONS_H
#define COMMON_CONFIG_SETTINGS_OPTIONS_H

#include "common/base/err.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

/** Set in any case: no line clears them. */
#define SETTINGS_OPTIONS_ALWAYS (SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION)

/** What @text, "NAME" or "-NAME", sets or clears (@off).  False: @e says why not, and
 * which name is the nearest. */
bool settings_option_bits(const char *text, uint64_t *bits, bool *off, struct err *e);

#endif
