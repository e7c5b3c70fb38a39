/*
 * A stream's HEADERS: the request for the app, and the answer to it.
 */
#include "common/h2/internal.h"

#include "common/h2/headers.h"

#include <string.h>

static nghttp2_nv
header(const char *name, const char *value, uint8_t flags)
{
	return (nghttp2_nv){
	    .name = (uint8_t *)(uintptr_t)name,
	    .value = (uint8_t *)(uintptr_t)value,
	    .namelen = strlen(name),
	    .valuelen = strlen(value),
	    .flags = flags,
	};
}

/* An address that comes once is not worth a place in the table of headers. */
bool
h2_request_send(struct h2_channel *ch, const char *forwarded)
{
	struct h2_carrier *c = ch->carrier;
	char element[HEADERS_H2_FORWARDED_SIZE];
	size_t n = 2;
	nghttp2_nv headers[3] = {
	    header(":method", "CONNECT", NGHTTP2_NV_FLAG_NONE),
	    header(":authority", c->authority, NGHTTP2_NV_FLAG_NONE),
	};

	if (forwarded != NULL && *forwarded != '\0') {
		h2_headers_write_forwarded(element, forwarded);
		headers[n++] = header("forwarded", element, NGHTTP2_NV_FLAG_NO_INDEX);
	}
	ch->id = nghttp2_submit_headers(
	    c->session, NGHTTP2_FLAG_NONE, -1, NULL, headers, n, ch);
	return ch->id > 0;
}

void
h2_request_accept(struct h2_channel *ch)
{
	nghttp2_nv headers[] = {header(":status", "200", NGHTTP2_NV_FLAG_NONE)};

	ch->answer = H2_ACCEPTED;
	nghttp2_submit_headers(
	    ch->carrier->session, NGHTTP2_FLAG_NONE, ch->id, NULL, headers, 1, NULL);
}

void
h2_request_refuse(struct h2_channel *ch, enum reason reason, const char *detail)
{
	char error[HEADERS_H2_ERROR_SIZE];
	nghttp2_nv headers[2];

	h2_headers_write_error(error, reason, detail);
	headers[0] = header(":status", h2_headers_status(reason), NGHTTP2_NV_FLAG_NONE);
	headers[1] = header(HEADERS_H2_ERROR, error, NGHTTP2_NV_FLAG_NONE);
	ch->answer = H2_REFUSED;
	nghttp2_submit_response(ch->carrier->session, ch->id, headers, 2, NULL);
}
