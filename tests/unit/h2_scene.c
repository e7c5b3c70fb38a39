#include "tests/unit/h2_scene.h"

#include "common/base/address.h"
#include "common/base/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const double patience = 10; /* seconds that no step of a test should take */

/* ---- owners ---------------------------------------------------------------------- */

uint8_t
pattern(size_t position)
{
	return (uint8_t)(position * 31 + (position >> 8) * 7 + (position >> 16));
}

static void
note(struct owner *o, const uint8_t *bytes, size_t n)
{
	bool whole = true;

	for (size_t i = 0; i < n; i++, o->got++) {
		whole &= !o->patterned || bytes[i] == pattern(o->got);
		if (o->got < sizeof(o->text) - 1)
			o->text[o->got] = (char)bytes[i];
	}
	ck_assert_msg(whole, "wrong bytes before %zu", o->got);
}

static void
take(struct owner *o)
{
	struct endpoint *e = &o->channel->endpoint;
	struct batch batch;
	enum source source;

	if (o->stalled || !o->answered || !e->readable || o->source != SOURCE_OPEN)
		return;
	source = endpoint_take(e, REACTOR_BATCH, &batch);
	for (int i = 0; i < batch.count; i++)
		note(o, batch.parts[i].iov_base, batch.parts[i].iov_len);
	endpoint_credit(e, batch.length);
	o->source = source;
}

static void
give(struct owner *o)
{
	static uint8_t other_space[REACTOR_BATCH];
	struct endpoint *e = &o->channel->endpoint;
	uint8_t *space =
	    o->elsewhere ? other_space : o->s->reactor.plain + REACTOR_HEADROOM;
	size_t n = o->to_send - o->sent, room = endpoint_room(e);
	struct batch batch = {.count = 0};

	n = n < room ? n : room;
	if (n > 0) {
		for (size_t i = 0; i < n; i++)
			space[i] = pattern(o->sent + i);
		batch_add(&batch, space, n);
		o->sent += endpoint_give(e, &batch);
	}
	if (o->fin && !o->fin_told && o->sent == o->to_send) {
		o->fin_told = true;
		endpoint_end(e, ENDING_FIN);
	}
}

static void
move(struct owner *o)
{
	if (o->channel == NULL || o->refused > 0)
		return;
	take(o);
	give(o);
	endpoint_wait(&o->channel->endpoint,
	    o->answered && !o->stalled && o->source == SOURCE_OPEN, o->sent < o->to_send);
}

static void
on_wake(void *owner)
{
	struct owner *o = owner;
	struct scene *s = o->s;

	if (s->release_all_at_wake && o >= s->far && o < s->far + OWNERS) {
		for (int i = 0; i < s->asked; i++)
			release(&s->far[i]);
		return;
	}
	move(o);
}

static void
adopt(struct owner *o, struct channel *channel)
{
	o->channel = channel;
	channel->endpoint.wake = on_wake;
	channel->endpoint.owner = o;
}

static void
on_accepted(void *owner)
{
	struct owner *o = owner;

	o->accepted++;
	o->answered = true;
	move(o);
}

static void
on_refused(void *owner, enum reason reason, const char *detail, bool again)
{
	struct owner *o = owner;

	o->refused++;
	o->reason = reason;
	o->again = again;
	snprintf(o->detail, sizeof(o->detail), "%s", detail != NULL ? detail : "");
}

static const struct channel_events channel_events = {
    .accepted = on_accepted,
    .refused = on_refused,
};

void
open_channel(struct scene *s, int i)
{
	struct channel *channel = h2_carrier_open(
	    s->client.carrier, "[2001:db8::7]:4711", &channel_events, &s->near[i]);

	ck_assert_ptr_nonnull(channel);
	adopt(&s->near[i], channel);
	move(&s->near[i]);
}

void
accept_channel(struct scene *s, int i)
{
	struct owner *o = &s->far[i];

	o->answered = true;
	channel_answer(o->channel, REASON_NONE, NULL);
	o->channel->endpoint.readable = true;
	move(o);
}

void
connect_channel(struct scene *s, int i)
{
	open_channel(s, i);
	EXPECT(s, s->far[i].channel != NULL);
	accept_channel(s, i);
	EXPECT(s, s->near[i].accepted == 1);
}

void
release(struct owner *o)
{
	struct channel *channel = o->channel;

	o->channel = NULL;
	if (channel != NULL)
		channel_release(channel);
}

void
give_text(struct owner *o, const char *text)
{
	struct batch batch = {.count = 0};

	batch_add(&batch, text, strlen(text));
	ck_assert_uint_eq(endpoint_give(&o->channel->endpoint, &batch), strlen(text));
}

void
send_pattern(struct owner *o, size_t n, bool fin)
{
	o->to_send = n;
	o->fin = fin;
	o->other->patterned = true;
	move(o);
}

void
unstall(struct owner *o)
{
	o->stalled = false;
	move(o);
}

/* ---- carriers -------------------------------------------------------------------- */

static void
on_asked(void *owner, struct channel *channel, const char *forwarded)
{
	struct side *side = owner;
	struct scene *s = side->s;
	int i = s->asked++ % OWNERS;

	snprintf(s->far[i].forwarded, sizeof(s->far[i].forwarded), "%s", forwarded);
	adopt(&s->far[i], channel);
	if (s->auto_accept)
		accept_channel(s, i);
	else
		endpoint_wait(&channel->endpoint, false, false);
}

static void
on_retired(void *owner)
{
	((struct side *)owner)->retired++;
}

static void
on_ended(void *owner, enum reason reason)
{
	struct side *side = owner;

	side->ended++;
	side->reason = reason;
	side->carrier = NULL;
}

static void
on_room(void *owner)
{
	struct side *side = owner;

	side->rooms++;
}

static const struct h2_carrier_events carrier_events = {
    .asked = on_asked,
    .retired = on_retired,
    .ended = on_ended,
    .room = on_room,
};

static void
on_opened(void *owner, struct link *link)
{
	struct side *side = owner;

	side->carrier = h2_carrier_new(link, LOG_LEVEL_INFO, &carrier_events, side);
	ck_assert_ptr_nonnull(side->carrier);
}

static void
on_failed(void *owner, enum reason reason, const char *detail)
{
	(void)owner;
	ck_abort_msg("handshake: %s %s", reason_word(reason), detail ? detail : "");
}

static const struct link_events link_events = {
    .opened = on_opened,
    .failed = on_failed,
};

static void
tcp_pair(int fds[2])
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int listening = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(listening, (struct sockaddr *)&address, length), 0);
	ck_assert_int_eq(listen(listening, 1), 0);
	ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&address, &length), 0);
	fds[1] = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(fds[1], (struct sockaddr *)&address, length), 0);
	fds[0] = accept(listening, NULL, NULL);
	ck_assert_int_ge(fds[0], 0);
	close(listening);
	for (int i = 0; i < 2; i++) {
		socket_tune(fds[i], false);
		ck_assert_int_eq(fcntl(fds[i], F_SETFL, O_NONBLOCK), 0);
	}
}

static void
start(struct side *side, int fd)
{
	bool client = side == &side->s->client;

	ck_assert_ptr_nonnull(link_new(&side->set, &side->service,
	    client ? &side->target : NULL, fd, 60, &link_events, side));
}

void
meet(struct scene *s)
{
	int fds[2];

	tcp_pair(fds);
	start(&s->client, fds[0]);
	start(&s->server, fds[1]);
	EXPECT(s, s->client.carrier != NULL && s->server.carrier != NULL);
}

static void
meet_peer(struct scene *s, struct side *side, const struct side *other)
{
	int fds[2];

	tcp_pair(fds);
	start(side, fds[0]);
	ck_assert(tls_init(&s->peer, &s->reactor, other->service.context, fds[1]));
	EXPECT(s, (s->peer.state != TLS_HANDSHAKE || tls_handshake(&s->peer)) &&
		      s->peer.state == TLS_OPEN && side->carrier != NULL);
}

void
meet_client(struct scene *s)
{
	s->peer_is_server = true;
	s->magic_left = 24;
	meet_peer(s, &s->client, &s->server);
}

void
meet_server(struct scene *s)
{
	meet_peer(s, &s->server, &s->client);
}

/* ---- the scripted peer ------------------------------------------------------------ */

void
end_peer(struct scene *s)
{
	int fd = s->peer.fd;

	if (fd < 0)
		return;
	tls_clear(&s->peer);
	close(fd);
	s->peer.fd = -1;
}

void
peer_sends(struct scene *s)
{
	for (size_t at = 0, n; at < s->script_length && !s->peer.deaf; at += n) {
		struct batch batch = {.count = 0};

		n = s->script_length - at;
		n = n < 64 * 1024 ? n : 64 * 1024;
		batch_add(&batch, s->script + at, n);
		tls_give(&s->peer, &batch);
		while (!s->peer.deaf && tls_room(&s->peer) == 0)
			turns(s, 1);
	}
	s->script_length = 0;
}

void
peer_gives(struct scene *s, const void *bytes, size_t n)
{
	ck_assert_uint_le(s->script_length + n, SCRIPT);
	memcpy(s->script + s->script_length, bytes, n);
	s->script_length += n;
	if (!s->batching)
		peer_sends(s);
}

void
peer_frame(
    struct scene *s, int type, int flags, int32_t id, const void *payload, size_t n)
{
	uint32_t number = (uint32_t)id;
	uint8_t header[] = {(uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n,
	    (uint8_t)type, (uint8_t)flags, (uint8_t)(number >> 24),
	    (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
	bool batching = s->batching;

	s->batching = true;
	peer_gives(s, header, sizeof(header));
	s->batching = batching;
	peer_gives(s, payload, n);
}

void
peer_settings(struct scene *s)
{
	static const char magic[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

	if (!s->peer_is_server)
		peer_gives(s, magic, sizeof(magic) - 1);
	peer_frame(s, FRAME_SETTINGS, 0, 0, "", 0);
}

size_t
peer_block(char *out, const char *name, const char *value)
{
	size_t a = strlen(name), b = strlen(value);

	out[0] = 0;
	out[1] = (char)a;
	memcpy(out + 2, name, a);
	out[2 + a] = (char)b;
	memcpy(out + 3 + a, value, b);
	return 3 + a + b;
}

void
peer_connects(struct scene *s, int32_t id)
{
	char block[64];
	size_t n = peer_block(block, ":method", "CONNECT");

	n += peer_block(block + n, ":authority", "orders:443");
	peer_frame(s, FRAME_HEADERS, END_HEADERS, id, block, n);
}

/* The streams of a client are 1, 3, 5 and so on. */
static void
note_frame(struct scene *s, const uint8_t *h)
{
	uint32_t id =
	    (uint32_t)h[5] << 24 | (uint32_t)h[6] << 16 | (uint32_t)h[7] << 8 | h[8];

	ck_assert_int_lt(h[3], FRAME_KINDS);
	s->seen[h[3]]++;
	if (h[3] != FRAME_DATA)
		return;
	ck_assert_uint_lt(id / 2, OWNERS);
	if (s->data_before[id / 2] == SIZE_MAX)
		s->data_before[id / 2] = s->data;
	s->data += s->payload_left;
}

static void
read_byte(struct scene *s, uint8_t byte)
{
	const uint8_t *h = s->header;

	if (s->magic_left > 0) {
		s->magic_left--;
	} else if (s->payload_left > 0) {
		s->payload_left--;
	} else {
		s->header[s->header_length++] = byte;
		if (s->header_length < sizeof(s->header))
			return;
		s->header_length = 0;
		s->payload_left = (size_t)h[0] << 16 | (size_t)h[1] << 8 | h[2];
		note_frame(s, h);
	}
}

bool
peer_reads(struct scene *s)
{
	struct batch batch = {.count = 0};

	tls_take(&s->peer, s->reactor.plain, &batch);
	for (int i = 0; i < batch.count; i++)
		for (size_t k = 0; k < batch.parts[i].iov_len; k++)
			read_byte(s, ((const uint8_t *)batch.parts[i].iov_base)[k]);
	return true;
}

/* ---- the scene ------------------------------------------------------------------- */

static void
on_patience(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct scene *s = timer->data;

	(void)loop;
	(void)revents;
	s->gave_up = true;
}

static void
side_init(struct scene *s, struct side *side, const struct service_settings *settings)
{
	side->s = s;
	link_set_init(&side->set, &s->reactor, &s->windows);
	atomic_init(&side->service.holders, 1);
	side->service.settings = settings;
	side->service.context = bench_context(settings);
	side->service.counters = counters_new();
	pthread_mutex_init(&side->target.lock, NULL);
}

void
scene_init(struct scene *s)
{
	struct err e = {.text = ""};

	memset(s, 0, sizeof(*s));
	s->peer.fd = -1;
	s->script = malloc(SCRIPT);
	ck_assert_ptr_nonnull(s->script);
	s->loop = ev_loop_new(EVFLAG_AUTO);
	ck_assert_ptr_nonnull(s->loop);
	ck_assert(reactor_init(&s->reactor, s->loop, &e));
	bench_init(&s->bench);
	s->bench.client.sni = s->bench.host;
	s->bench.client.timeout_close = s->bench.server.timeout_close = 60;
	s->bench.client.stream_window = s->bench.server.stream_window = 16;
	s->windows.most = 64 << 20;
	side_init(s, &s->client, &s->bench.client);
	side_init(s, &s->server, &s->bench.server);
	for (int i = 0; i < OWNERS; i++) {
		s->near[i].s = s->far[i].s = s;
		s->near[i].other = &s->far[i];
		s->far[i].other = &s->near[i];
		s->data_before[i] = SIZE_MAX;
	}
	ev_init(&s->timer, on_patience);
	s->timer.data = s;
}

static void
side_clear(struct side *side)
{
	if (side->carrier != NULL)
		h2_carrier_close(side->carrier);
	link_set_clear(&side->set);
	target_clear_sessions(&side->target);
	pthread_mutex_destroy(&side->target.lock);
	SSL_CTX_free(side->service.context);
	counters_release(side->service.counters);
}

void
scene_clear(struct scene *s)
{
	end_peer(s);
	free(s->script);
	for (int i = 0; i < OWNERS; i++) {
		release(&s->near[i]);
		release(&s->far[i]);
	}
	side_clear(&s->client);
	side_clear(&s->server);
	bench_clear(&s->bench);
	reactor_clear(&s->reactor);
	ev_loop_destroy(s->loop);
}

void
begin_to_wait(struct scene *s)
{
	s->gave_up = false;
	ev_timer_stop(s->loop, &s->timer);
	ev_timer_set(&s->timer, patience, 0);
	ev_timer_start(s->loop, &s->timer);
}

void
turns(struct scene *s, int count)
{
	while (count-- > 0) {
		if (s->peer.fd >= 0 && tls_room(&s->peer) == 0)
			tls_flush(&s->peer);
		ev_run(s->loop, EVRUN_NOWAIT);
		usleep(100);
	}
}
