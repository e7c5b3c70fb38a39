/*
 * The nghttp2 session of a carrier: its options and settings, what is submitted, and the
 * frames that left.
 */
#include "common/h2/internal.h"

static struct h2_channel *
channel_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

/* ---- frames that left ------------------------------------------------------------ */

/* Behind a refusal we ask the far end to send no more (RFC 9113, 8.1). */
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
		h2_carrier_fail(c, "the far end broke the rules of HTTP/2: %s",
		    nghttp2_http2_strerror(goaway->error_code));
	else if (goaway->last_stream_id != INT32_MAX)
		c->drain.goaway = H2_GOAWAY_SENT;
}

static int
h2_session_on_frame_send(
    nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
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
			c->rtt.settings_at = reactor_now();
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
	nghttp2_session_callbacks_set_on_frame_send_callback(k, h2_session_on_frame_send);
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

/* Windows, and limits of what a peer may do, are ours. */
static nghttp2_option *
make_options(void)
{
	nghttp2_option *o;

	if (nghttp2_option_new(&o) != 0)
		return NULL;
	nghttp2_option_set_no_auto_window_update(o, 1);
	nghttp2_option_set_no_closed_streams(o, 1);
	nghttp2_option_set_peer_max_concurrent_streams(o, H2_STREAMS_BEFORE_SETTINGS);
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
			h2_carrier_fail(c, "not HTTP/2 as it should be: %s",
			    nghttp2_strerror((int)n));
			return;
		}
	}
}
