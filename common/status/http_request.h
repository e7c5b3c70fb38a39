/*
 * The head of an HTTP/1.1 request (RFC 9112), as far as a status port needs it: method,
 * host and path.  Pure: looks at bytes, keeps nothing.
 */
#ifndef COMMON_STATUS_HTTP_REQUEST_H
#define COMMON_STATUS_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

enum {
	/** The longest head that is read, in bytes. */
	REQUEST_MOST = 8192,
	REQUEST_PATH = 64,
	REQUEST_HOST = 256,
};

enum request_state {
	REQUEST_MORE, /* the head is not whole yet */
	REQUEST_GOOD, /* GET or HEAD */
	REQUEST_BAD   /* to be refused with `code` */
};

struct request {
	int code;  /* 400, 405, 431 or 505 */
	bool head; /* HEAD, not GET */
	/** Without the query; "" when it is longer than any that exists. */
	char path[REQUEST_PATH];
	/** Whom it is for (RFC 9110, 7.2), in lower case, without the port, a last dot
	 * and an IPv6 address's brackets; "": it does not say. */
	char host[REQUEST_HOST];
};

/** Judge the first @n bytes, at most REQUEST_MOST, of a connection.  What is behind the
 * head (a body, another request) is not looked at. */
enum request_state request_read(const char *bytes, size_t n, struct request *r);

#endif
