#include "tests/unit/tls_scene.h"

#include "tests/unit/unit.h"

#include <openssl/err.h>

static void
keep_session(void *keeper, SSL_SESSION *session)
{
	struct tls_scene *s = keeper;

	SSL_SESSION_free(s->session);
	s->session = session;
	s->sessions++;
}

void
tls_scene_init(struct tls_scene *s, int version)
{
	struct err e = {.text = ""};

	*s = (struct tls_scene){.loop = ev_loop_new(EVFLAG_AUTO)};
	ck_assert_ptr_nonnull(s->loop);
	ck_assert(reactor_init(&s->reactor, s->loop, &e));
	bench_init(&s->bench);
	s->bench.server.tls_max = s->bench.client.tls_max = version;
}

void
tls_scene_open(struct tls_scene *s, SSL_SESSION *session)
{
	if (s->client_context == NULL) {
		s->client_context = bench_context(&s->bench.client);
		s->server_context = bench_context(&s->bench.server);
	}
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s->fds), 0);
	ck_assert(tls_init(&s->client, &s->reactor, s->client_context, s->fds[0]));
	ck_assert(tls_init(&s->server, &s->reactor, s->server_context, s->fds[1]));
	s->client.keep_session = keep_session;
	s->client.keeper = s;
	ck_assert(tls_prepare(&s->client, "orders.apps.example", session, s->offers_h2));
}

void
tls_scene_close(struct tls_scene *s)
{
	tls_clear(&s->client);
	tls_clear(&s->server);
	close(s->fds[0]);
	close(s->fds[1]);
}

void
tls_scene_clear(struct tls_scene *s)
{
	tls_scene_close(s);
	SSL_SESSION_free(s->session);
	SSL_CTX_free(s->client_context);
	SSL_CTX_free(s->server_context);
	bench_clear(&s->bench);
	reactor_clear(&s->reactor);
	ev_loop_destroy(s->loop);
}

void
tls_scene_shake(struct tls_scene *s)
{
	for (int i = 0; i < 20; i++) {
		if (s->client.state == TLS_HANDSHAKE)
			tls_handshake(&s->client);
		ck_assert_uint_eq(s->client.scratch_used, 0);
		if (s->server.state == TLS_HANDSHAKE)
			tls_handshake(&s->server);
		ck_assert_uint_eq(s->server.scratch_used, 0);
	}
}

void
tls_scene_meet(struct tls_scene *s, SSL_SESSION *session)
{
	tls_scene_open(s, session);
	tls_scene_shake(s);
	ck_assert_msg(s->client.state == TLS_OPEN, "%s",
	    s->client.detail ? s->client.detail : "no detail");
	ck_assert_msg(s->server.state == TLS_OPEN, "%s",
	    s->server.detail ? s->server.detail : "no detail");
}

void
tls_scene_give(struct tls *t, const void *bytes, size_t length)
{
	struct batch batch = {0};

	ck_assert_uint_gt(tls_room(t), 0);
	batch_add(&batch, bytes, length);
	ck_assert(tls_give(t, &batch));
	ck_assert_uint_eq(t->scratch_used, 0);
}

enum tls_state
tls_scene_take(struct tls *t, const char *bytes)
{
	struct batch batch = {0};
	enum tls_state state = tls_take(t, t->reactor->plain, &batch);

	ck_assert_uint_eq(batch.length, strlen(bytes));
	if (batch.length > 0)
		ck_assert_int_eq(memcmp(batch.parts[0].iov_base, bytes, batch.length), 0);
	ck_assert_uint_eq(t->scratch_used, 0);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	return state;
}

size_t
tls_scene_fill(struct tls *t)
{
	static const char zeros[REACTOR_BATCH];
	size_t given = 0;

	for (; tls_room(t) > 0; given += sizeof(zeros))
		tls_scene_give(t, zeros, sizeof(zeros));
	ck_assert_uint_gt(buf_length(&t->out), 0);
	return given;
}

size_t
tls_scene_take_some(struct tls *t)
{
	struct batch batch = {0};

	ck_assert_int_eq(tls_take(t, t->reactor->plain, &batch), TLS_OPEN);
	return batch.length;
}

void
tls_scene_expect(const struct tls *t, enum reason reason, const char *words)
{
	ck_assert_int_eq(t->state, TLS_BROKEN);
	ck_assert_msg(t->reason == reason, "%s instead of %s: %s", reason_word(t->reason),
	    reason_word(reason), t->detail ? t->detail : "no detail");
	ck_assert_ptr_nonnull(t->detail);
	ck_assert_msg(
	    strstr(t->detail, words) != NULL, "\"%s\" in \"%s\"", words, t->detail);
}

ssize_t
tls_scene_waiting(int fd)
{
	static char space[65536];

	return recv(fd, space, sizeof(space), MSG_PEEK);
}
