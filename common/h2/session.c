/*
 * The nghttp2 session of a carrier: its options and settings, what is submitted, and the
 * frames that left.
 */
#include "common/h2/internal.h"

#include "common/h2/headers.h"

#include <limits.h>
#include <math.h>
#include <string.h>

/* Seconds. */
static const double measure_every = 1;
static const double least_period = 60; /* of which the least round trip is taken */
static const double round_trip_most = 60;

static struct h2_channel *
channel_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

/* ---- frames that left ------------------------------------------------------------ */

/* Behind a refusal the far end is told to send no more (RFC 9113, 8.1). */
static void
end_refused(struct h2_carrier *c, int32_t id)
{
	if (nghttp2_session_get_stream_remote_close(c->session, id) == 0)
		nghttp2_submit_rst_stream(
		    c->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
}

static void
sent_goaway(struct h2_carrier *c, const nghttp2_goaway *goaway)
{
	if (goaway->error_code != NGHTTP2_NO_ERROR)
		h2_carrier_blame(c, "the far end broke the rules of HTTP/2: %s",
		    nghttp2_http2_strerror(goaway->error_code));
	else if (goaway->last_stream_id != INT32_MAX)
		c->goaway_sent = true;
}

static int
on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	struct h2_carrier *c = user_data;
	struct h2_channel *ch =
	    frame->hd.stream_id != 0 ? channel_of(session, frame->hd.stream_id) : NULL;
	bool last = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		if (c->server && last)
			end_refused(c, frame->hd.stream_id);
		if (ch != NULL)
			ch->can_send = !last;
		break;
	case NGHTTP2_DATA:
		if (ch != NULL && last)
			ch->out_finished = true;
		break;
	case NGHTTP2_SETTINGS:
		if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
			c->settings_at = reactor_now();
		break;
	case NGHTTP2_GOAWAY:
		sent_goaway(c, &frame->goaway);
		break;
	default:
		break;
	}
	return 0;
}

/* ---- the session ----------------------------------------------------------------- */

static nghttp2_session_callbacks *
make_callbacks(void)
{
	nghttp2_session_callbacks *k;

	if (nghttp2_session_callbacks_new(&k) != 0)
		return NULL;
	h2_frames_set_callbacks(k);
	nghttp2_session_callbacks_set_on_frame_send_callback(k, on_frame_send);
	h2_output_set_callbacks(k);
	return k;
}

/* Honest resets trip these: DATA for a stream that was just reset is a "glitch".  Which
 * of them this nghttp2 has the Makefile finds out. */
static void
lift_reset_limits(nghttp2_option *o)
{
	const uint64_t never = UINT64_C(1) << 40;

	(void)o;
	(void)never;
#ifdef NGHTTP2_HAS_RESET_RATE_LIMIT
	nghttp2_option_set_stream_reset_rate_limit(o, never, never);
#endif
#ifdef NGHTTP2_HAS_GLITCH_RATE_LIMIT
	nghttp2_option_set_glitch_rate_limit(o, never, never);
#endif
}

/* Credit, and limits of what a peer may do, are ours. */
static nghttp2_option *
make_options(void)
{
	nghttp2_option *o;

	if (nghttp2_option_new(&o) != 0)
		return NULL;
	nghttp2_option_set_no_auto_window_update(o, 1);
	nghttp2_option_set_no_closed_streams(o, 1);
	nghttp2_option_set_peer_max_concurrent_streams(o, H2_STREAMS_UNTOLD);
	nghttp2_option_set_max_deflate_dynamic_table_size(o, H2_HEADER_TABLE);
	lift_reset_limits(o);
	return o;
}

static bool
submit_settings(struct h2_carrier *c)
{
	uint64_t instance = c->links->instance;
	nghttp2_settings_entry entries[8] = {
	    {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, H2_HEADER_TABLE},
	    {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_WINDOW},
	    {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, H2_FRAME},
	    {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H2_HEADER_LIST},
	    {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_STREAMS},
	};
	size_t n = 5;

	if (!c->server) {
		entries[n++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
	} else if (instance != 0) {
		entries[n++] = (nghttp2_settings_entry){
		    H2_SETTING_INSTANCE_HIGH, (uint32_t)(instance >> 32)};
		entries[n++] =
		    (nghttp2_settings_entry){H2_SETTING_INSTANCE_LOW, (uint32_t)instance};
	}
	return nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, entries, n) == 0 &&
	       nghttp2_session_set_local_window_size(
		   c->session, NGHTTP2_FLAG_NONE, 0, H2_CONNECTION_WINDOW) == 0;
}

bool
h2_session_init(struct h2_carrier *c)
{
	nghttp2_session_callbacks *callbacks = make_callbacks();
	nghttp2_option *options = make_options();
	int result = NGHTTP2_ERR_NOMEM;

	if (callbacks != NULL && options != NULL)
		result = (c->server ? nghttp2_session_server_new2
				    : nghttp2_session_client_new2)(
		    &c->session, callbacks, c, options);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(options);
	if (result != 0) {
		c->session = NULL;
		return false;
	}
	return submit_settings(c);
}

void
h2_session_receive(struct h2_carrier *c, const struct batch *batch)
{
	for (int i = 0; i < batch->count; i++) {
		ssize_t n = nghttp2_session_mem_recv(
		    c->session, batch->parts[i].iov_base, batch->parts[i].iov_len);

		if (n < 0) {
			h2_carrier_blame(c, "not HTTP/2 as it should be: %s",
			    nghttp2_strerror((int)n));
			return;
		}
	}
}

/* ---- PING and the round trip ----------------------------------------------------- */

/* Behind what it is for stands when it was sent, in us of the carrier's life: the answer
 * brings that back. */
void
h2_session_ping(struct h2_carrier *c, enum h2_session_ping_kind what)
{
	uint8_t opaque[8] = {(uint8_t)what};
	uint64_t now = (uint64_t)((reactor_now() - c->opened) * 1e6);

	for (int i = 7; i > 0; i--, now >>= 8)
		opaque[i] = (uint8_t)now;
	nghttp2_submit_ping(c->session, NGHTTP2_FLAG_NONE, opaque);
}

double
h2_session_pinged(const struct h2_carrier *c, const nghttp2_ping *ping)
{
	uint64_t us = 0;

	for (int i = 1; i < 8; i++)
		us = us << 8 | ping->opaque_data[i];
	return c->opened + (double)us / 1e6;
}

void
h2_session_measure(struct h2_carrier *c, double now)
{
	if (now - c->measured_at < measure_every)
		return;
	c->measured_at = now;
	h2_session_ping(c, SESSION_H2_MEASURE);
}

/* The least of this period and of the one before: what waits on the way with bulk is no
 * part of the path, and yet a path that became longer is known in a while.  A peer that
 * answers what was never asked tells us nothing. */
void
h2_session_note(struct h2_carrier *c, double seconds)
{
	double gone = c->round_trip > 0 ? c->heard - c->least_since : HUGE_VAL;

	if (seconds <= 0 || seconds > round_trip_most)
		return;
	if (gone > least_period) {
		c->least_before = gone > 2 * least_period ? seconds : c->least;
		c->least = seconds;
		c->least_since = c->heard;
	} else if (seconds < c->least) {
		c->least = seconds;
	}
	c->round_trip = c->least < c->least_before ? c->least : c->least_before;
}

/* ---- requests and answers -------------------------------------------------------- */

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
h2_session_request(struct h2_channel *ch, const char *forwarded)
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
h2_session_accept(struct h2_channel *ch)
{
	nghttp2_nv headers[] = {header(":status", "200", NGHTTP2_NV_FLAG_NONE)};

	ch->verdict = H2_ACCEPTED;
	nghttp2_submit_headers(
	    ch->carrier->session, NGHTTP2_FLAG_NONE, ch->id, NULL, headers, 1, NULL);
}

void
h2_session_refuse(struct h2_channel *ch, enum reason reason, const char *detail)
{
	char error[HEADERS_H2_ERROR_SIZE];
	nghttp2_nv headers[2];

	h2_headers_write_error(error, reason, detail);
	headers[0] = header(":status", h2_headers_status(reason), NGHTTP2_NV_FLAG_NONE);
	headers[1] = header(HEADERS_H2_ERROR, error, NGHTTP2_NV_FLAG_NONE);
	ch->verdict = H2_REFUSED;
	nghttp2_submit_response(ch->carrier->session, ch->id, headers, 2, NULL);
}
