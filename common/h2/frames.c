/*
 * What nghttp2 tells of the frames that come.  These callbacks only note; owners are
 * woken when nghttp2 has returned.
 */
#include "common/h2/internal.h"

#include "common/h2/headers.h"
#include "common/base/log.h"

#include <stdlib.h>
#include <string.h>

static struct h2_channel *
channel_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

/* A peer over a limit loses its carrier. */
static int
check_rate(struct h2_carrier *c, enum h2_rate_limit which, size_t n)
{
	if (h2_rate_limit_count(&c->in.limits, which, (double)n, c->in.last_at))
		return 0;
	h2_carrier_fail(c, "too many %s", h2_rate_limit_name(which));
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* Cut one stream off for a fault of the peer. */
static void
refuse_frame(struct h2_carrier *c, struct h2_channel *ch, uint32_t code, const char *why)
{
	nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, ch->id, code);
	ch->reset = true;
	h2_channel_break(ch, REASON_FAR_RESET, why);
}

/* ---- HEADERS --------------------------------------------------------------------- */

/*
 * A client's stream ids only grow (RFC 9113, 5.1.1), and on a stream that is over nothing
 * is left to be said by HEADERS, since a CONNECT has no trailers (8.5).  nghttp2 takes
 * either for trailers that crossed a reset, and ignores them.
 */
static int
h2_frames_on_begin_frame(
    nghttp2_session *session, const nghttp2_frame_hd *hd, void *user_data)
{
	const struct h2_carrier *c = user_data;

	if (!c->server || hd->type != NGHTTP2_HEADERS || hd->stream_id == 0 ||
	    hd->stream_id > nghttp2_session_get_last_proc_stream_id(session) ||
	    nghttp2_session_find_stream(session, hd->stream_id) != NULL)
		return 0;
	return nghttp2_session_terminate_session(session, NGHTTP2_PROTOCOL_ERROR) == 0
		   ? 0
		   : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int
begin_request(struct h2_carrier *c, int32_t id)
{
	struct h2_channel *ch = h2_channel_new(c);

	c->streams++;
	c->streams_ever++;
	if (ch == NULL) {
		nghttp2_submit_rst_stream(
		    c->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
		return 0;
	}
	ch->id = id;
	nghttp2_session_set_stream_user_data(c->session, id, ch);
	return 0;
}

/* Behind the request or the final answer a CONNECT has nothing but DATA (RFC 9113, 8.5).
 */
static int
h2_frames_on_begin_headers(
    nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	struct h2_carrier *c = user_data;
	struct h2_channel *ch;

	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		return begin_request(c, frame->hd.stream_id);
	ch = channel_of(session, frame->hd.stream_id);
	if (ch != NULL && !ch->reset && (c->server || ch->status >= 200)) {
		refuse_frame(c, ch, NGHTTP2_PROTOCOL_ERROR, "trailers in a CONNECT");
		return check_rate(c, LIMIT_INVALID, 1);
	}
	return 0;
}

static bool
is_named(const uint8_t *name, size_t length, const char *wanted)
{
	return length == strlen(wanted) && memcmp(name, wanted, length) == 0;
}

static void
note_request(struct h2_channel *ch, const uint8_t *name, size_t name_length,
    const uint8_t *value, size_t length)
{
	if (is_named(name, name_length, ":method")) {
		ch->is_connect = is_named(value, length, "CONNECT");
	} else if (is_named(name, name_length, ":authority")) {
		ch->has_authority = length > 0;
	} else if (is_named(name, name_length, "forwarded") && ch->text == NULL) {
		if ((ch->text = malloc(HEADERS_H2_FORWARDED_SIZE)) != NULL)
			h2_headers_read_forwarded(ch->text, (const char *)value, length);
	}
}

/* nghttp2 has seen to it that `:status` is three digits. */
static void
note_answer(struct h2_channel *ch, const uint8_t *name, size_t name_length,
    const uint8_t *value, size_t length)
{
	if (is_named(name, name_length, ":status") && length == 3)
		ch->status =
		    (value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0');
	else if (is_named(name, name_length, HEADERS_H2_ERROR) && ch->text == NULL)
		ch->text = strndup((const char *)value, length);
}

static int
h2_frames_on_header(nghttp2_session *session, const nghttp2_frame *frame,
    const uint8_t *name, size_t name_length, const uint8_t *value, size_t length,
    uint8_t flags, void *user_data)
{
	struct h2_carrier *c = user_data;
	struct h2_channel *ch = channel_of(session, frame->hd.stream_id);
	size_t size = name_length + length + 32; /* RFC 9113, 6.5.2 */

	(void)flags;
	if (check_rate(c, LIMIT_HEADER_BYTES, size) != 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (ch == NULL || ch->reset)
		return 0;
	ch->header_bytes += (unsigned)size;
	if (ch->header_bytes > H2_HEADER_LIST) /* a frame may decode to megabytes */
		return check_rate(c, LIMIT_INVALID, 10) != 0
			   ? NGHTTP2_ERR_CALLBACK_FAILURE
			   : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (c->server)
		note_request(ch, name, name_length, value, length);
	else
		note_answer(ch, name, name_length, value, length);
	return 0;
}

static int
take_request(struct h2_carrier *c, struct h2_channel *ch)
{
	nghttp2_nv bad[] = {{(uint8_t *)(uintptr_t) ":status",
	    (uint8_t *)(uintptr_t) "400", 7, 3, NGHTTP2_NV_FLAG_NONE}};

	if (ch->is_connect && ch->has_authority) {
		h2_channel_ready(ch);
		return 0;
	}
	nghttp2_submit_response(c->session, ch->id, bad, 1, NULL);
	ch->reset = true; /* it gets no owner */
	return check_rate(c, LIMIT_INVALID, 1);
}

static void
take_answer(struct h2_channel *ch)
{
	const char *detail;
	enum reason reason;

	if (ch->status < 200 || ch->answer != H2_UNANSWERED)
		return;
	if (ch->status < 300) {
		ch->answer = H2_ACCEPTED;
		ch->channel.endpoint.readable = true;
		h2_channel_ready(ch);
		h2_scheduler_window_opened(ch);
		return;
	}
	reason = h2_headers_read_error(ch->status, ch->text, &detail);
	ch->detail = detail;
	ch->again = true;
	h2_channel_refuse(ch, reason);
}

/* The peer's END_STREAM: a FIN behind the bytes. */
static void
take_end(struct h2_channel *ch)
{
	if (ch->end != SOURCE_OPEN)
		return;
	ch->end = SOURCE_FINISHED;
	ch->channel.endpoint.readable = true;
	h2_channel_ready(ch);
}

/* ---- other frames ---------------------------------------------------------------- */

/* Who the far end is, if it is a server that says so. */
static void
take_instance(struct h2_carrier *c, const nghttp2_settings *settings)
{
	uint64_t high = 0, low = 0;

	for (size_t i = 0; i < settings->niv; i++) {
		if (settings->iv[i].settings_id == H2_SETTING_INSTANCE_HIGH)
			high = settings->iv[i].value;
		else if (settings->iv[i].settings_id == H2_SETTING_INSTANCE_LOW)
			low = settings->iv[i].value;
	}
	if (c->server || c->in.settings_came)
		return;
	c->in.instance = high << 32 | low;
	link_name(c->link, c->in.instance);
}

static void
take_settings(struct h2_carrier *c, const nghttp2_settings *settings, bool ack)
{
	struct h2_channel *ch;

	if (ack) {
		if (c->rtt.settings_at > 0)
			h2_rtt_note(c, c->in.last_at - c->rtt.settings_at);
		c->rtt.settings_at = 0;
		h2_rtt_measure(c, c->in.last_at); /* its answer has less to wait for */
		return;
	}
	take_instance(c, settings);
	c->in.settings_came = true;
	LIST_FOREACH (ch, &c->channels, entry) /* their windows may have changed */
		h2_scheduler_window_opened(ch);
}

static void
take_pong(struct h2_carrier *c, const nghttp2_ping *ping)
{
	if (ping->opaque_data[0] == H2_PING_DRAIN && c->drain.goaway == H2_GOAWAY_NOTICE)
		c->drain.goaway = H2_GOAWAY_DUE;
	h2_rtt_note(c, c->in.last_at - h2_rtt_sent_at(c, ping));
}

static void
take_goaway(struct h2_carrier *c, const nghttp2_goaway *goaway)
{
	c->drain.goaway_came = true;
	if (goaway->error_code != NGHTTP2_NO_ERROR)
		h2_carrier_fail(c, "the far end gave up: %s",
		    nghttp2_http2_strerror(goaway->error_code));
	h2_carrier_retire(c);
}

static int
take_headers(struct h2_carrier *c, struct h2_channel *ch, uint8_t flags)
{
	int result = 0;

	if (ch == NULL || ch->reset)
		return 0;
	if (!c->server)
		take_answer(ch);
	else if (!ch->announced && ch->id > 0)
		result = take_request(c, ch);
	if ((flags & NGHTTP2_FLAG_END_STREAM) && !ch->reset)
		take_end(ch);
	return result;
}

static int
take_data(struct h2_carrier *c, struct h2_channel *ch, const nghttp2_frame *frame)
{
	if (ch != NULL) /* it took room in the window, and goes nowhere */
		ch->consumed += (uint32_t)frame->data.padlen;
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
		if (ch != NULL && !ch->reset)
			take_end(ch);
	} else if (frame->hd.length == frame->data.padlen) {
		return check_rate(c, LIMIT_EMPTY_DATA, 1);
	}
	return 0;
}

static int
h2_frames_on_frame_recv(
    nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	struct h2_carrier *c = user_data;
	bool ack = frame->hd.flags & NGHTTP2_FLAG_ACK;
	struct h2_channel *ch =
	    frame->hd.stream_id != 0 ? channel_of(session, frame->hd.stream_id) : NULL;

	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		return take_headers(c, ch, frame->hd.flags);
	case NGHTTP2_DATA:
		return take_data(c, ch, frame);
	case NGHTTP2_SETTINGS:
		take_settings(c, &frame->settings, ack);
		return ack ? 0 : check_rate(c, LIMIT_SETTINGS, 1);
	case NGHTTP2_PING:
		if (!ack)
			return check_rate(c, LIMIT_PING, 1);
		take_pong(c, &frame->ping);
		return 0;
	case NGHTTP2_GOAWAY:
		take_goaway(c, &frame->goaway);
		return 0;
	case NGHTTP2_WINDOW_UPDATE:
		if (ch != NULL)
			h2_scheduler_window_opened(ch);
		return check_rate(c, LIMIT_WINDOW_UPDATE, 1);
	case NGHTTP2_PRIORITY:
		return check_rate(c, LIMIT_PRIORITY, 1);
	case NGHTTP2_RST_STREAM:
		if (ch == NULL)
			return check_rate(c, LIMIT_GONE, 1);
		if (c->server && ch->answer == H2_UNANSWERED)
			return check_rate(c, LIMIT_RESET, 1);
		return 0;
	default:
		return 0;
	}
}

/* nghttp2 answers it by itself, by an RST_STREAM or by a GOAWAY. */
static int
h2_frames_on_invalid_frame(
    nghttp2_session *session, const nghttp2_frame *frame, int error, void *user_data)
{
	struct h2_carrier *c = user_data;

	(void)session;
	log_debug("event=carrier-invalid-frame type=%d stream=%d error=\"%s\"",
	    frame->hd.type, frame->hd.stream_id, nghttp2_strerror(error));
	return check_rate(c, LIMIT_INVALID, 1);
}

/* The connection's window is given back at once: one stalled stream stalls no other. */
static int
h2_frames_on_data(nghttp2_session *session, uint8_t flags, int32_t id,
    const uint8_t *bytes, size_t n, void *user_data)
{
	struct h2_carrier *c = user_data;
	struct h2_channel *ch = channel_of(session, id);

	(void)flags;
	if (nghttp2_session_consume_connection(session, n) != 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	c->in.bytes += n;
	if (ch != NULL && !ch->reset && ch->end == SOURCE_OPEN)
		h2_receive_add(ch, bytes, n);
	return 0;
}

static int
h2_frames_on_stream_close(
    nghttp2_session *session, int32_t id, uint32_t code, void *user_data)
{
	struct h2_carrier *c = user_data;
	struct h2_channel *ch = channel_of(session, id);

	c->streams--;
	if (!c->server && c->in.received == NULL)
		h2_carrier_later(c); /* there may be room for another one */
	if (ch == NULL)
		return 0;
	if (c->server && !ch->announced)
		h2_channel_free(ch);
	else
		h2_channel_closed(ch, code);
	return 0;
}

void
h2_frames_set_callbacks(nghttp2_session_callbacks *k)
{
	nghttp2_session_callbacks_set_on_begin_frame_callback(
	    k, h2_frames_on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(
	    k, h2_frames_on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(k, h2_frames_on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(k, h2_frames_on_frame_recv);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
	    k, h2_frames_on_invalid_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(k, h2_frames_on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(
	    k, h2_frames_on_stream_close);
}
