/*
 * The name that a client asks for in its ClientHello (SNI; RFC 6066, 3): what may be
 * sent, what came, and which pattern it fits.
 */
#ifndef COMMON_BASE_HOSTNAME_H
#define COMMON_BASE_HOSTNAME_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/** The longest name in the DNS, in bytes. */
	SERVER_NAME_MOST = 253,
	/** Room for what a ClientHello may have in its place, and the final NUL. */
	SERVER_NAME_SIZE = 256,
};

/** Can @name be sent?  Underscores are common, so they pass.  False: @e says why not. */
bool hostname_check(const char *name, struct err *e);

/** Is @pattern a name, or "*" with the end of one behind it?  False: @e says why not. */
bool hostname_check_pattern(const char *pattern, struct err *e);

/** In any case; a "*" at the start of @pattern stands for anything at all, dots
 * included, as in stunnel. */
bool hostname_fits(const char *pattern, const char *name);

/** The host name in the body of a ClientHello's server_name extension.  False: there is
 * none in it, or none that a name could be. */
bool hostname_read(const uint8_t *extension, size_t length, char name[SERVER_NAME_SIZE]);

#endif
