/*
 * How frames become TLS records.  A frame of 2 KiB or more is a record of its own,
 * encrypted where its bytes lie, with the frame's header written over the bytes ahead of
 * them; smaller ones are gathered, and leave in one record before the loop waits.  The
 * order of frames is always kept.
 *
 * Bytes of a stream are never copied into nghttp2.  h2_output_give() sets `out.giving`
 * and calls nghttp2, which asks h2_output_on_want_data() how long the next DATA is, makes
 * the frame's header, and calls h2_output_on_send_data() to send both.  All that is given
 * has left the caller's memory, encrypted, when h2_output_give() returns.
 *
 * Encrypted records lie in the scratch space of the reactor, which all carriers of a
 * worker share.  So whoever writes records also flushes them to the socket, in the same
 * call.
 */
#include "common/h2/internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- to TLS ---------------------------------------------------------------------- */

static void
write_record(struct h2_carrier *c, const uint8_t *bytes, size_t n)
{
	if (c->link != NULL)
		tls_write(&c->link->tls, bytes, n);
	c->out.written += n;
	c->out.encrypted = true;
	c->out.records++;
}

static void
write_gathered(struct h2_carrier *c)
{
	if (c->out.gathered_length > 0)
		write_record(c, c->out.gathered, c->out.gathered_length);
	c->out.gathered_length = 0;
}

static void
forget_gathered(struct h2_carrier *c)
{
	free(c->out.gathered);
	c->out.gathered = NULL;
	c->out.gathered_length = c->out.gathered_space = 0;
}

/* What was encrypted has to leave TLS's scratch space before another link writes.  After
 * so many records the key is changed, once the socket has room for the KeyUpdate. */
static void
flush_records(struct h2_carrier *c)
{
	struct tls *t = &c->link->tls;

	c->out.encrypted = false;
	h2_scheduler_flush(c);
	if (c->out.records > H2_RECORDS && tls_room(t) > 0) {
		tls_probe(t); /* its KeyUpdate is a new key */
		c->out.records = 0;
	}
	if (t->deaf || (c->scheduler.waiting_count > 0 && tls_room(t) > 0))
		h2_carrier_later(c); /* to tell that, or to let those who wait give */
	h2_output_wait(c);
}

void
h2_output_send(struct h2_carrier *c)
{
	ev_prepare_stop(c->reactor->loop, &c->out.prepare);
	if (c->link == NULL || c->out.gathered_length == 0)
		return;
	write_gathered(c);
	flush_records(c);
	forget_gathered(c);
}

/* If the socket is full, h2_carrier_on_ready() sends once it takes bytes again. */
static void
h2_output_on_prepare(struct ev_loop *loop, ev_prepare *prepare, int events)
{
	struct h2_carrier *c = prepare->data;

	(void)events;
	if (tls_room(&c->link->tls) > 0)
		h2_output_send(c);
	else
		ev_prepare_stop(loop, prepare);
}

/* Most often little is gathered.  False: out of memory. */
static bool
make_space(struct h2_carrier *c, size_t length)
{
	size_t space = c->out.gathered_space > 0 ? c->out.gathered_space : H2_GATHERED;
	uint8_t *memory;

	while (space < length)
		space *= 2;
	if (space == c->out.gathered_space)
		return true;
	if ((memory = realloc(c->out.gathered, space)) == NULL)
		return false;
	c->out.gathered = memory;
	c->out.gathered_space = space;
	return true;
}

/* False: out of memory. */
static bool
gather(struct h2_carrier *c, const uint8_t *bytes, size_t n)
{
	if (c->out.gathered_length + n > H2_RECORD)
		write_gathered(c);
	if (!make_space(c, c->out.gathered_length + n))
		return false;
	memcpy(c->out.gathered + c->out.gathered_length, bytes, n);
	c->out.gathered_length += n;
	return true;
}

/* ---- nghttp2's callbacks --------------------------------------------------------- */

/* Frames but for DATA. */
static ssize_t
h2_output_on_send(
    nghttp2_session *session, const uint8_t *bytes, size_t n, int flags, void *user_data)
{
	struct h2_carrier *c = user_data;

	(void)session;
	(void)flags;
	if (n < H2_SMALL) {
		if (!gather(c, bytes, n))
			return NGHTTP2_ERR_CALLBACK_FAILURE;
	} else {
		write_gathered(c);
		write_record(c, bytes, n);
	}
	return (ssize_t)n;
}

static ssize_t
h2_output_on_read_length(nghttp2_session *session, uint8_t type, int32_t id,
    int32_t session_window, int32_t stream_window, uint32_t most, void *user_data)
{
	(void)session;
	(void)type;
	(void)id;
	(void)session_window;
	(void)stream_window;
	(void)user_data;
	return most < H2_PAYLOAD ? (ssize_t)most : H2_PAYLOAD;
}

/* The part being given, from the first byte that was not sent yet. */
static const struct iovec *
present_part(struct h2_giving *g)
{
	while (g->offset == g->batch->parts[g->part].iov_len) {
		g->part++;
		g->offset = 0;
	}
	return &g->batch->parts[g->part];
}

/*
 * How long the next DATA of a stream is, at most @length.
 *
 * EOF without END_STREAM at the last of what is given: nghttp2 then forgets the data
 * source, and holds no memory for a stream that is silent; h2_output_data() submits a new
 * one with the next bytes.  If nothing is given, the call is for the end of the stream,
 * which is an empty DATA with END_STREAM; a stream without an owner has ended already.
 */
static ssize_t
h2_output_on_want_data(nghttp2_session *session, int32_t id, uint8_t *buf, size_t length,
    uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
	struct h2_carrier *c = user_data;
	struct h2_giving *g = &c->out.giving;
	struct h2_channel *ch = nghttp2_session_get_stream_user_data(session, id);
	size_t n;

	(void)buf;
	(void)source;
	if (ch != NULL && ch == g->channel && g->left > 0) {
		n = present_part(g)->iov_len - g->offset;
		n = n < length ? n : length;
		*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
		if (n < g->left)
			return (ssize_t)n;
		*flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
		return (ssize_t)g->left;
	}
	if (ch != NULL && !ch->out_ended)
		return NGHTTP2_ERR_DEFERRED;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	return 0;
}

/* A record of one frame.  Bytes that lie elsewhere than in the scratch space have no room
 * ahead of them, and go there first. */
static void
write_frame(struct h2_carrier *c, const uint8_t *header, const uint8_t *bytes, size_t n)
{
	uint8_t *first = c->reactor->plain + REACTOR_HEADROOM;
	uint8_t *at = first;

	if (bytes >= first && bytes + n <= first + REACTOR_PLAIN)
		at += bytes - first;
	else
		memcpy(at, bytes, n);
	memcpy(at - H2_FRAME_HEADER, header, H2_FRAME_HEADER);
	write_record(c, at - H2_FRAME_HEADER, H2_FRAME_HEADER + n);
}

static int
h2_output_on_send_data(nghttp2_session *session, nghttp2_frame *frame,
    const uint8_t *header, size_t n, nghttp2_data_source *source, void *user_data)
{
	struct h2_carrier *c = user_data;
	struct h2_giving *g = &c->out.giving;
	const uint8_t *bytes = (const uint8_t *)present_part(g)->iov_base + g->offset;

	(void)session;
	(void)frame;
	(void)source;
	if (n < H2_SMALL) {
		if (!gather(c, header, H2_FRAME_HEADER) || !gather(c, bytes, n))
			return NGHTTP2_ERR_CALLBACK_FAILURE;
	} else {
		write_gathered(c);
		write_frame(c, header, bytes, n);
	}
	g->offset += n;
	g->left -= n;
	return 0;
}

void
h2_output_set_callbacks(nghttp2_session_callbacks *callbacks)
{
	nghttp2_session_callbacks_set_send_callback(callbacks, h2_output_on_send);
	nghttp2_session_callbacks_set_send_data_callback(
	    callbacks, h2_output_on_send_data);
	nghttp2_session_callbacks_set_data_source_read_length_callback(
	    callbacks, h2_output_on_read_length);
}

/* ---- for the carrier ------------------------------------------------------------- */

void
h2_output_init(struct h2_carrier *c)
{
	ev_prepare_init(&c->out.prepare, h2_output_on_prepare);
	c->out.prepare.data = c;
}

void
h2_output_clear(struct h2_carrier *c)
{
	ev_prepare_stop(c->reactor->loop, &c->out.prepare);
	forget_gathered(c);
}

void
h2_output_pump(struct h2_carrier *c)
{
	int result;

	if (c->session == NULL)
		return;
	if ((result = nghttp2_session_send(c->session)) != 0)
		h2_carrier_fail(c, "%s", nghttp2_strerror(result));
	if (c->out.encrypted) {
		write_gathered(c);
		flush_records(c);
	} else if (c->out.gathered_length > 0) {
		ev_prepare_start(c->reactor->loop, &c->out.prepare);
	}
}

/* DATA_EXIST: nghttp2 still has the last source, which was deferred, or stopped by a
 * closed window. */
void
h2_output_data(struct h2_channel *ch)
{
	static const nghttp2_data_provider provider = {
	    .read_callback = h2_output_on_want_data};
	struct h2_carrier *c = ch->carrier;
	int result =
	    nghttp2_submit_data(c->session, NGHTTP2_FLAG_END_STREAM, ch->id, &provider);

	if (result == NGHTTP2_ERR_DATA_EXIST)
		result = nghttp2_session_resume_data(c->session, ch->id);
	if (nghttp2_is_fatal(result))
		h2_carrier_fail(c, "%s", nghttp2_strerror(result));
	h2_output_pump(c);
}

size_t
h2_output_give(struct h2_channel *ch, const struct batch *batch, size_t most)
{
	struct h2_carrier *c = ch->carrier;
	size_t n = batch->length < most ? batch->length : most;

	/* Until TCP is given more than this, no app can have seen a byte of it. */
	if (ch->given == 0)
		ch->data_at = c->out.written + c->out.gathered_length;
	c->out.giving = (struct h2_giving){.batch = batch, .left = n, .channel = ch};
	h2_output_data(ch);
	n -= c->out.giving.left;
	c->out.giving = (struct h2_giving){.batch = NULL};
	ch->given += n;
	c->out.bytes += n;
	h2_scheduler_note(ch, n);
	return n;
}

void
h2_output_wait(struct h2_carrier *c)
{
	if (c->link != NULL)
		link_wait(c->link, buf_length(&c->link->tls.out) < H2_UNREAD);
}
