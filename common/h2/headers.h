/*
 * The text in HEADERS: whom a stream is for (`forwarded`, RFC 7239) and why it was
 * refused (`:status` and `routeport-error`, which is a reason's word, perhaps with words
 * of its own behind it: "app-unreachable: connect 127.0.0.1:5432: Connection refused").
 */
#ifndef COMMON_H2_HEADERS_H
#define COMMON_H2_HEADERS_H

#include "common/base/reason.h"

#include <stddef.h>

#define HEADERS_H2_ERROR "routeport-error"

enum {
	HEADERS_H2_ERROR_SIZE = 201, /* with the final NUL */
	HEADERS_H2_FORWARDED_SIZE = 160,
};

/** "421", "502", "503" or "504". */
const char *h2_headers_status(enum reason reason);

/** `routeport-error`: no control characters, no outer blanks (nghttp2 would refuse the
 * whole answer), at most 200 bytes.  @detail may be NULL. */
void h2_headers_write_error(
    char out[HEADERS_H2_ERROR_SIZE], enum reason reason, const char *detail);

/** The reason in a refusal.  @error: `routeport-error`, or NULL; @detail: what stands
 * behind the word in it, or NULL. */
enum reason h2_headers_read_error(int status, const char *error, const char **detail);

/** `forwarded` for an address in text. */
void h2_headers_write_forwarded(char out[HEADERS_H2_FORWARDED_SIZE], const char *address);

/** The first address in it, "" for none. */
void h2_headers_read_forwarded(
    char out[HEADERS_H2_FORWARDED_SIZE], const char *value, size_t length);

#endif
