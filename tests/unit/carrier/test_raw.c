#include "common/carrier/raw.h"

#include "common/base/address.h"
#include "common/base/socket.h"
#include "common/tls/conn.h"
#include "tests/unit/own_network.h"
#include "tests/unit/tls_bench.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const double patience = 10; /* seconds that no step of a test should take */

/* A carrier on a loop, and its peer: a struct tls that the test moves by hand. */
struct scene {
	struct bench bench;
	struct ev_loop *loop;
	struct reactor reactor;
	struct link_set set;
	struct service service; /* of the carrier */
	struct target target;
	SSL_CTX *peer_context;
	enum role role; /* the carrier's */

	struct link *link;       /* NULL once it was told */
	struct channel *channel; /* NULL before, and once released */
	struct tls peer;
	int fd; /* the peer's; -1 once closed */

	bool want_read; /* what the owner waits for at each wake */
	int wakes, opened, failed, emptied;
	enum reason reason; /* of `failed` */
	ev_timer timer;
	bool gave_up;
};

static void
on_emptied(void *owner)
{
	((struct scene *)owner)->emptied++;
}

static void
on_wake(void *owner)
{
	struct scene *s = owner;

	s->wakes++;
	endpoint_wait(&s->channel->endpoint, s->want_read, false);
}

static void
on_opened(void *owner, struct link *link)
{
	struct scene *s = owner;
	struct channel *channel = carrier_raw_new(link);

	ck_assert_ptr_nonnull(channel);
	s->opened++;
	s->link = NULL;
	s->channel = channel;
	channel->endpoint.wake = on_wake;
	channel->endpoint.owner = s;
	endpoint_wait(&channel->endpoint, false, false);
}

static void
on_failed(void *owner, enum reason reason, const char *detail)
{
	struct scene *s = owner;

	(void)detail;
	s->failed++;
	s->link = NULL;
	s->reason = reason;
}

static const struct link_events events = {
    .opened = on_opened,
    .failed = on_failed,
};

static void
on_patience(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct scene *s = timer->data;

	(void)loop;
	(void)revents;
	s->gave_up = true;
}

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
scene_init(struct scene *s, enum role role)
{
	struct err e = {.text = ""};

	*s = (struct scene){.loop = ev_loop_new(EVFLAG_AUTO), .role = role, .fd = -1};
	ck_assert_ptr_nonnull(s->loop);
	ck_assert(reactor_init(&s->reactor, s->loop, &e));
	bench_init(&s->bench);
	s->bench.client.sni = s->bench.host;
	s->bench.client.timeout_close = s->bench.server.timeout_close = 60;
	link_set_init(&s->set, &s->reactor, NULL);
	s->set.emptied = on_emptied;
	s->set.owner = s;
	pthread_mutex_init(&s->target.lock, NULL);
	ev_init(&s->timer, on_patience);
	s->timer.data = s;
}

/* A carrier, and a peer who has not said anything yet. */
static void
start(struct scene *s, double seconds)
{
	bool client = s->role == ROLE_CLIENT;
	int fds[2];

	if (s->peer_context == NULL) {
		atomic_init(&s->service.holders, 1);
		s->service.settings = client ? &s->bench.client : &s->bench.server;
		s->service.context = bench_context(s->service.settings);
		s->service.counters = counters_new();
		s->peer_context =
		    bench_context(client ? &s->bench.server : &s->bench.client);
	}
	tcp_pair(fds);
	s->fd = fds[1];
	ck_assert(tls_init(&s->peer, &s->reactor, s->peer_context, s->fd));
	s->link = link_new(&s->set, &s->service, client ? &s->target : NULL, fds[0],
	    seconds, &events, s);
	ck_assert_ptr_nonnull(s->link);
	ck_assert_uint_eq(s->set.count, 1);
}

static void
end_peer(struct scene *s, bool reset)
{
	if (s->peer.ssl != NULL)
		tls_clear(&s->peer);
	if (s->fd >= 0) {
		if (reset)
			socket_reset(s->fd);
		else
			close(s->fd);
	}
	s->fd = -1;
}

static void
scene_clear(struct scene *s)
{
	end_peer(s, false);
	if (s->channel != NULL)
		channel_release(s->channel);
	link_set_clear(&s->set);
	target_clear_sessions(&s->target);
	pthread_mutex_destroy(&s->target.lock);
	SSL_CTX_free(s->service.context);
	counters_release(s->service.counters);
	SSL_CTX_free(s->peer_context);
	bench_clear(&s->bench);
	reactor_clear(&s->reactor);
	ev_loop_destroy(s->loop);
}

static void
begin_to_wait(struct scene *s)
{
	s->gave_up = false;
	ev_timer_set(&s->timer, patience, 0);
	ev_timer_start(s->loop, &s->timer);
}

static void
turn(struct scene *s)
{
	ev_run(s->loop, EVRUN_NOWAIT);
	usleep(200);
}

/* Turn the loop until @condition holds; fails when it never does. */
#define EXPECT(s, condition)                                                             \
	do {                                                                             \
		begin_to_wait(s);                                                        \
		while (!(condition)) {                                                   \
			ck_assert_msg(!(s)->gave_up, "never: %s", #condition);           \
			turn(s);                                                         \
		}                                                                        \
		ev_timer_stop((s)->loop, &(s)->timer);                                   \
	} while (0)

static void
turns(struct scene *s, int count)
{
	while (count-- > 0)
		turn(s);
}

static enum tls_state
peer_shakes(struct scene *s)
{
	return s->peer.state == TLS_HANDSHAKE ? tls_handshake(&s->peer) : s->peer.state;
}

static void
meet(struct scene *s)
{
	start(s, 60);
	EXPECT(s, peer_shakes(s) == TLS_OPEN && s->channel != NULL);
	ck_assert_int_eq(s->opened, 1);
}

static void
release(struct scene *s)
{
	struct channel *channel = s->channel;

	s->channel = NULL;
	channel_release(channel);
}

static void
peer_gives(struct scene *s, const char *text)
{
	struct batch batch = {0};

	batch_add(&batch, text, strlen(text));
	ck_assert(tls_give(&s->peer, &batch));
}

static void
we_give(struct scene *s, const char *text)
{
	struct batch batch = {0};

	batch_add(&batch, text, strlen(text));
	ck_assert_uint_eq(endpoint_give(&s->channel->endpoint, &batch), strlen(text));
}

/* Until there is no room.  Returns how many bytes. */
static size_t
we_fill(struct scene *s)
{
	static const char zeros[REACTOR_BATCH];
	size_t all = 0;

	while (endpoint_room(&s->channel->endpoint) > 0) {
		struct batch batch = {0};

		batch_add(&batch, zeros, sizeof(zeros));
		ck_assert_uint_eq(
		    endpoint_give(&s->channel->endpoint, &batch), sizeof(zeros));
		all += sizeof(zeros);
	}
	return all;
}

static enum source
we_take(struct scene *s, const char *text)
{
	struct batch batch;
	enum source source = endpoint_take(&s->channel->endpoint, REACTOR_BATCH, &batch);

	ck_assert_uint_eq(batch.length, strlen(text));
	if (batch.length > 0)
		ck_assert_int_eq(memcmp(batch.parts[0].iov_base, text, batch.length), 0);
	return source;
}

static size_t
peer_takes(struct scene *s)
{
	struct batch batch = {0};

	tls_take(&s->peer, s->peer.reactor->plain, &batch);
	return batch.length;
}

/* All that comes until the peer's reading side ends. */
static size_t
peer_takes_all(struct scene *s)
{
	size_t all = 0;

	EXPECT(s, (all += peer_takes(s), s->peer.state != TLS_OPEN));
	return all;
}

static bool
peer_sees_tcp_open(struct scene *s)
{
	char byte;

	turns(s, 20);
	return recv(s->fd, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

/* ---- handshake ------------------------------------------------------------------ */

START_TEST(a_good_handshake_gives_a_channel_and_its_facts)
{
	for (int role = ROLE_CLIENT; role <= ROLE_SERVER; role++) {
		const struct link_facts *facts;
		struct link_facts space;
		struct scene s;

		scene_init(&s, (enum role)role);
		meet(&s);
		facts = channel_facts(s.channel, &space);
		ck_assert_str_eq(facts->tls, "TLSv1.3");
		ck_assert(!facts->resumed);
		ck_assert_str_eq(
		    facts->sni, role == ROLE_CLIENT ? "orders.apps.example" : "");
		ck_assert_str_eq(facts->names, role == ROLE_CLIENT
						   ? "DNS:orders.apps.example"
						   : "DNS:host.legacy.example");
		ck_assert_ptr_null(channel_detail(s.channel));
		scene_clear(&s);
	}
}
END_TEST

START_TEST(a_peer_that_leaves_before_its_hello_is_told_as_no_pod_or_probe)
{
	for (int i = 0; i < 4; i++) {
		struct scene s;

		scene_init(&s, i % 2 ? ROLE_CLIENT : ROLE_SERVER);
		start(&s, 60);
		end_peer(&s, i / 2);
		EXPECT(&s, s.failed == 1);
		ck_assert_int_eq(s.reason, i % 2 ? REASON_NO_POD : REASON_PROBE);
		EXPECT(&s, s.set.count == 0);
		ck_assert_int_eq(s.emptied, 1);
		ck_assert_int_eq(s.opened, 0);
		scene_clear(&s);
	}
}
END_TEST

START_TEST(a_peer_that_never_answers_is_given_up)
{
	for (int role = ROLE_CLIENT; role <= ROLE_SERVER; role++) {
		struct scene s;

		scene_init(&s, (enum role)role);
		start(&s, 0.05);
		EXPECT(&s, s.failed == 1);
		ck_assert_int_eq(s.reason, REASON_OPEN_TIMEOUT);
		EXPECT(&s, s.set.count == 0);
		scene_clear(&s);
	}
}
END_TEST

START_TEST(a_cancelled_handshake_tells_nobody)
{
	struct scene s;
	char space[4096];

	scene_init(&s, ROLE_CLIENT);
	start(&s, 60);
	turns(&s, 5);
	link_cancel(s.link);
	ck_assert_uint_eq(s.set.count, 0);
	turns(&s, 5);
	ck_assert_int_eq(s.opened + s.failed, 0);
	while (recv(s.fd, space, sizeof(space), 0) > 0)
		;
	ck_assert_int_eq(errno, ECONNRESET);
	scene_clear(&s);
}
END_TEST

START_TEST(a_refused_peer_hears_why_before_tcp_ends)
{
	struct scene s;

	scene_init(&s, ROLE_SERVER);
	bench_take_certificates(&s.bench.client);
	start(&s, 60);
	EXPECT(&s, (peer_shakes(&s), s.failed == 1));
	ck_assert_int_eq(s.reason, REASON_CERT_MISSING);
	ck_assert_uint_eq(peer_takes_all(&s), 0);
	ck_assert_int_eq(s.peer.reason, REASON_CERT_REFUSED);
	end_peer(&s, false);
	EXPECT(&s, s.set.count == 0);
	scene_clear(&s);
}
END_TEST

START_TEST(a_session_is_kept_by_the_target_and_resumed)
{
	struct link_facts space;
	struct scene s;

	scene_init(&s, ROLE_CLIENT);
	meet(&s);
	ck_assert_int_eq(we_take(&s, ""), SOURCE_OPEN);
	ck_assert_ptr_nonnull(s.target.sessions[0].session);
	endpoint_end(&s.channel->endpoint, ENDING_RST);
	release(&s);
	end_peer(&s, false);
	EXPECT(&s, s.set.count == 0);
	s.opened = 0;
	meet(&s);
	ck_assert_msg(
	    channel_facts(s.channel, &space)->resumed, "an abort has spoilt the session");
	scene_clear(&s);
}
END_TEST

/* Else the target would be lost for as long as the server resumes it. */
START_TEST(a_session_that_was_refused_is_not_tried_again)
{
	static char other[] = "billing.apps.example";
	SSL_SESSION *again;
	uint64_t whose;
	struct scene s;

	scene_init(&s, ROLE_CLIENT);
	meet(&s);
	ck_assert_int_eq(we_take(&s, ""), SOURCE_OPEN);
	endpoint_end(&s.channel->endpoint, ENDING_FIN);
	release(&s);
	end_peer(&s, false);
	EXPECT(&s, s.set.count == 0);
	s.bench.host = other;
	start(&s, 60);
	EXPECT(&s, (peer_shakes(&s), s.failed == 1));
	ck_assert_int_eq(s.reason, REASON_NAME_MISMATCH);
	again = target_session(&s.target, 3600, &whose);
	ck_assert_msg(again == NULL, "the refused session is offered again");
	SSL_SESSION_free(again);
	scene_clear(&s);
}
END_TEST

/* ---- a clean end ---------------------------------------------------------------- */

START_TEST(who_reads_the_second_close_notify_closes_tcp_first)
{
	struct scene s;

	scene_init(&s, ROLE_CLIENT);
	meet(&s);
	we_give(&s, "question");
	endpoint_end(&s.channel->endpoint, ENDING_FIN);
	ck_assert_uint_eq(peer_takes_all(&s), 8);
	ck_assert_int_eq(s.peer.state, TLS_FINISHED);
	ck_assert(peer_sees_tcp_open(&s));
	peer_gives(&s, "answer");
	tls_finish(&s.peer);
	ck_assert_int_eq(we_take(&s, "answer"), SOURCE_FINISHED);
	release(&s);
	EXPECT(&s, tls_discard(&s.peer));
	ck_assert_uint_eq(s.set.count, 1);
	end_peer(&s, false);
	EXPECT(&s, s.set.count == 0);
	ck_assert_int_eq(s.emptied, 1);
	scene_clear(&s);
}
END_TEST

START_TEST(who_wrote_the_second_close_notify_waits_for_the_other_s_fin)
{
	struct scene s;

	scene_init(&s, ROLE_SERVER);
	meet(&s);
	peer_gives(&s, "question");
	tls_finish(&s.peer);
	ck_assert_int_eq(we_take(&s, "question"), SOURCE_FINISHED);
	we_give(&s, "answer");
	endpoint_end(&s.channel->endpoint, ENDING_FIN);
	release(&s);
	ck_assert_uint_eq(peer_takes_all(&s), 6);
	ck_assert_int_eq(s.peer.state, TLS_FINISHED);
	ck_assert(peer_sees_tcp_open(&s));
	ck_assert_uint_eq(s.set.count, 1);
	shutdown(s.fd, SHUT_WR);
	EXPECT(&s, s.set.count == 0);
	EXPECT(&s, tls_discard(&s.peer));
	scene_clear(&s);
}
END_TEST

START_TEST(the_wait_for_the_other_s_fin_has_a_limit)
{
	struct scene s;

	scene_init(&s, ROLE_SERVER);
	s.bench.server.timeout_close = 0.05;
	meet(&s);
	tls_finish(&s.peer);
	ck_assert_int_eq(we_take(&s, ""), SOURCE_FINISHED);
	endpoint_end(&s.channel->endpoint, ENDING_FIN);
	release(&s);
	EXPECT(&s, s.set.count == 0);
	ck_assert_uint_eq(peer_takes_all(&s), 0);
	ck_assert_int_eq(s.peer.state, TLS_FINISHED);
	scene_clear(&s);
}
END_TEST

START_TEST(kept_bytes_and_close_notify_are_sent_after_the_release)
{
	size_t given;
	struct scene s;

	scene_init(&s, ROLE_SERVER);
	meet(&s);
	tls_finish(&s.peer);
	ck_assert_int_eq(we_take(&s, ""), SOURCE_FINISHED);
	given = we_fill(&s);
	endpoint_end(&s.channel->endpoint, ENDING_FIN);
	release(&s);
	ck_assert_uint_eq(peer_takes_all(&s), given);
	ck_assert_int_eq(s.peer.state, TLS_FINISHED);
	scene_clear(&s);
}
END_TEST

/* As haproxy does: its FIN comes right behind its close_notify, and it reads on. */
START_TEST(kept_bytes_are_sent_to_a_peer_that_has_sent_its_fin)
{
	for (int abort = 0; abort < 2; abort++) {
		size_t given;
		struct scene s;

		scene_init(&s, ROLE_CLIENT);
		meet(&s);
		s.want_read = true;
		tls_finish(&s.peer);
		shutdown(s.fd, SHUT_WR);
		ck_assert_int_eq(we_take(&s, ""), SOURCE_FINISHED);
		endpoint_wait(&s.channel->endpoint, false, false);
		turns(&s, 10);
		given = we_fill(&s);
		endpoint_end(&s.channel->endpoint, abort ? ENDING_RST : ENDING_FIN);
		release(&s);
		turns(&s, 10);
		ck_assert_uint_eq(peer_takes_all(&s), given);
		if (abort)
			ck_assert_int_eq(s.peer.reason, REASON_FAR_RESET);
		else
			ck_assert_int_eq(s.peer.state, TLS_FINISHED);
		EXPECT(&s, s.set.count == 0);
		scene_clear(&s);
	}
}
END_TEST

/* ---- an abort ------------------------------------------------------------------- */

START_TEST(an_abort_leaves_tcp_open_until_the_peer_closes)
{
	for (int role = ROLE_CLIENT; role <= ROLE_SERVER; role++) {
		struct scene s;

		scene_init(&s, (enum role)role);
		meet(&s);
		we_give(&s, "last");
		endpoint_end(&s.channel->endpoint, ENDING_RST);
		release(&s);
		ck_assert_uint_eq(peer_takes_all(&s), 4);
		ck_assert_int_eq(s.peer.reason, REASON_FAR_RESET);
		ck_assert(peer_sees_tcp_open(&s));
		ck_assert_uint_eq(s.set.count, 1);
		end_peer(&s, false);
		EXPECT(&s, s.set.count == 0);
		scene_clear(&s);
	}
}
END_TEST

START_TEST(a_peer_that_goes_on_sending_after_our_abort_is_not_heard)
{
	struct scene s;

	scene_init(&s, ROLE_SERVER);
	meet(&s);
	endpoint_end(&s.channel->endpoint, ENDING_RST);
	release(&s);
	for (int i = 0; i < 20; i++) {
		peer_gives(&s, "more and more");
		turns(&s, 2);
	}
	ck_assert_uint_eq(peer_takes_all(&s), 0);
	ck_assert_int_eq(s.peer.reason, REASON_FAR_RESET);
	end_peer(&s, false);
	EXPECT(&s, s.set.count == 0);
	scene_clear(&s);
}
END_TEST

START_TEST(an_abort_waits_for_the_peer_only_so_long)
{
	struct scene s;

	scene_init(&s, ROLE_CLIENT);
	s.bench.client.timeout_close = 0.05;
	meet(&s);
	endpoint_end(&s.channel->endpoint, ENDING_RST);
	release(&s);
	EXPECT(&s, s.set.count == 0);
	scene_clear(&s);
}
END_TEST

START_TEST(an_abort_after_our_close_notify_is_a_reset_behind_the_bytes)
{
	struct scene s;

	scene_init(&s, ROLE_CLIENT);
	meet(&s);
	we_give(&s, "last");
	endpoint_end(&s.channel->endpoint, ENDING_FIN);
	ck_assert_uint_eq(peer_takes_all(&s), 4);
	endpoint_end(&s.channel->endpoint, ENDING_RST);
	release(&s);
	EXPECT(&s, s.set.count == 0);
	EXPECT(&s, tls_discard(&s.peer));
	ck_assert(s.peer.deaf); /* reset, not closed */
	scene_clear(&s);
}
END_TEST

START_TEST(an_abort_by_the_peer_comes_behind_its_bytes)
{
	struct scene s;

	scene_init(&s, ROLE_CLIENT);
	meet(&s);
	peer_gives(&s, "last");
	ck_assert(tls_abort(&s.peer));
	ck_assert_int_eq(we_take(&s, "last"), SOURCE_BROKEN);
	ck_assert(s.channel->endpoint.deaf);
	ck_assert_int_eq(s.channel->endpoint.reason, REASON_FAR_RESET);
	ck_assert_ptr_nonnull(channel_detail(s.channel));
	endpoint_end(&s.channel->endpoint, ENDING_RST);
	release(&s);
	ck_assert_uint_eq(s.set.count, 0); /* nothing to wait for */
	scene_clear(&s);
}
END_TEST

/* ---- while it is open ----------------------------------------------------------- */

START_TEST(a_reset_of_a_quiet_carrier_is_noticed)
{
	struct scene s;

	scene_init(&s, ROLE_SERVER);
	meet(&s);
	ck_assert_int_eq(we_take(&s, ""), SOURCE_OPEN);
	endpoint_wait(&s.channel->endpoint, false, false);
	s.wakes = 0;
	end_peer(&s, true);
	EXPECT(&s, s.channel->endpoint.deaf);
	ck_assert_int_eq(s.channel->endpoint.reason, REASON_CARRIER_LOST);
	s.wakes = 0;
	turns(&s, 20);
	ck_assert_int_eq(s.wakes, 0);
	scene_clear(&s);
}
END_TEST

/* Its owner is busy elsewhere: the program takes nothing. */
START_TEST(a_reset_of_a_full_carrier_does_not_spin)
{
	struct scene s;

	scene_init(&s, ROLE_SERVER);
	meet(&s);
	ck_assert_int_eq(we_take(&s, ""), SOURCE_OPEN);
	endpoint_wait(&s.channel->endpoint, false, false); /* guarded from here on */
	we_fill(&s);
	endpoint_wait(&s.channel->endpoint, false, true);
	turns(&s, 5);
	end_peer(&s, true);
	EXPECT(&s, s.channel->endpoint.deaf);
	turns(&s, 5);
	s.wakes = 0;
	turns(&s, 50);
	ck_assert_msg(s.wakes < 5, "%d wakes in 50 turns, with nothing to do", s.wakes);
	scene_clear(&s);
}
END_TEST

/* As when the stream was woken by its other side. */
START_TEST(a_reset_of_a_full_carrier_that_a_take_finds_out_does_not_spin)
{
	struct scene s;

	scene_init(&s, ROLE_SERVER);
	meet(&s);
	ck_assert_int_eq(we_take(&s, ""), SOURCE_OPEN);
	we_fill(&s);
	endpoint_wait(&s.channel->endpoint, false, true);
	turns(&s, 5);
	end_peer(&s, true);
	ck_assert_int_eq(we_take(&s, ""), SOURCE_BROKEN);
	endpoint_wait(&s.channel->endpoint, false, false);
	turns(&s, 5);
	s.wakes = 0;
	turns(&s, 50);
	ck_assert_msg(s.wakes < 5, "%d wakes in 50 turns, with nothing to do", s.wakes);
	scene_clear(&s);
}
END_TEST

START_TEST(a_full_carrier_says_when_it_has_room)
{
	struct scene s;

	scene_init(&s, ROLE_SERVER);
	meet(&s);
	we_fill(&s);
	endpoint_wait(&s.channel->endpoint, false, true);
	s.wakes = 0;
	EXPECT(&s, (peer_takes(&s), endpoint_room(&s.channel->endpoint) > 0));
	ck_assert_int_gt(s.wakes, 0);
	s.wakes = 0;
	turns(&s, 20);
	ck_assert_int_eq(s.wakes, 0);
	scene_clear(&s);
}
END_TEST

START_TEST(a_fin_behind_close_notify_wakes_nobody_again_and_again)
{
	struct scene s;

	scene_init(&s, ROLE_CLIENT);
	meet(&s);
	tls_finish(&s.peer);
	shutdown(s.fd, SHUT_WR);
	ck_assert_int_eq(we_take(&s, ""), SOURCE_FINISHED);
	endpoint_wait(&s.channel->endpoint, false, false);
	turns(&s, 10);
	s.wakes = 0;
	turns(&s, 50);
	ck_assert_int_eq(s.wakes, 0);
	ck_assert(!s.channel->endpoint.deaf);
	we_give(&s, "still here");
	ck_assert_uint_eq(peer_takes(&s), 10);
	scene_clear(&s);
}
END_TEST

START_TEST(a_peer_that_is_gone_behind_its_close_notify_is_found_out)
{
	struct scene s;

	scene_init(&s, ROLE_CLIENT);
	meet(&s);
	tls_finish(&s.peer);
	ck_assert_int_eq(we_take(&s, ""), SOURCE_FINISHED);
	endpoint_wait(&s.channel->endpoint, false, false);
	end_peer(&s, false); /* looks like a half-close */
	EXPECT(&s, s.channel->endpoint.deaf);
	scene_clear(&s);
}
END_TEST

/* ---- heartbeats ----------------------------------------------------------------- */

static void
keep_alive(struct scene *s, double keepalive, double timeout)
{
	s->bench.client.keepalive = s->bench.server.keepalive = keepalive;
	s->bench.client.keepalive_timeout = s->bench.server.keepalive_timeout = timeout;
}

static struct tls *
our_tls(struct scene *s)
{
	return &LIST_FIRST(&s->set.links)->tls;
}

static double
peer_hears(struct scene *s)
{
	ck_assert_uint_eq(peer_takes(s), 0);
	return s->peer.messages_came;
}

static void
wait_seconds(struct scene *s, double seconds)
{
	double end = reactor_now() + seconds;

	while (reactor_now() < end)
		turn(s);
}

START_TEST(a_silent_carrier_sends_heartbeats)
{
	for (int role = ROLE_CLIENT; role <= ROLE_SERVER; role++) {
		struct scene s;

		scene_init(&s, (enum role)role);
		keep_alive(&s, 0.1, 0.1);
		meet(&s);
		EXPECT(&s, peer_hears(&s) >= 3);
		ck_assert(!s.channel->endpoint.deaf);
		peer_gives(&s, "word");
		turns(&s, 5);
		ck_assert_int_eq(we_take(&s, "word"), SOURCE_OPEN);
		scene_clear(&s);
	}
}
END_TEST

START_TEST(bytes_that_were_sent_put_the_heartbeat_off)
{
	struct scene s;

	scene_init(&s, ROLE_CLIENT);
	keep_alive(&s, 0.05, 10);
	meet(&s);
	our_tls(&s)->sent = reactor_now() + 60;
	wait_seconds(&s, 0.5);
	ck_assert(peer_hears(&s) == 0);
	our_tls(&s)->sent = reactor_now();
	EXPECT(&s, peer_hears(&s) >= 1);
	scene_clear(&s);
}
END_TEST

START_TEST(heartbeats_go_on_when_the_peer_has_finished)
{
	struct scene s;
	double before;

	scene_init(&s, ROLE_CLIENT);
	keep_alive(&s, 0.1, 10);
	meet(&s);
	tls_finish(&s.peer);
	turns(&s, 5);
	ck_assert_int_eq(we_take(&s, ""), SOURCE_FINISHED);
	before = peer_hears(&s);
	EXPECT(&s, peer_hears(&s) >= before + 3);
	scene_clear(&s);
}
END_TEST

START_TEST(heartbeats_end_when_we_have_finished)
{
	struct scene s;
	double before;

	scene_init(&s, ROLE_CLIENT);
	keep_alive(&s, 0.05, 10);
	meet(&s);
	endpoint_end(&s.channel->endpoint, ENDING_FIN);
	ck_assert_uint_eq(peer_takes_all(&s), 0);
	before = s.peer.messages_came;
	wait_seconds(&s, 0.5);
	ck_assert_uint_eq(peer_takes(&s), 0);
	ck_assert_int_eq(s.peer.state, TLS_FINISHED);
	ck_assert(s.peer.messages_came == before);
	scene_clear(&s);
}
END_TEST

/* There is no record for it, and the stream goes on. */
START_TEST(tls_1_2_has_no_heartbeat)
{
	struct scene s;

	scene_init(&s, ROLE_SERVER);
	s.bench.client.tls_max = s.bench.server.tls_max = TLS1_2_VERSION;
	keep_alive(&s, 0.05, 0.05);
	meet(&s);
	ck_assert(s.service.told);
	wait_seconds(&s, 0.5);
	ck_assert(peer_hears(&s) == 0);
	we_give(&s, "word");
	ck_assert_uint_eq(peer_takes(&s), 4);
	scene_clear(&s);
}
END_TEST

START_TEST(a_target_that_bears_only_so_many_heartbeats_gets_no_more)
{
	struct scene s;

	scene_init(&s, ROLE_CLIENT);
	keep_alive(&s, 0.05, 10);
	meet(&s);
	EXPECT(&s, peer_hears(&s) >= 3);
	our_tls(&s)->overrun = true;
	our_tls(&s)->updates_sent = 3;
	ck_assert_int_eq(we_take(&s, ""), SOURCE_OPEN);
	ck_assert_uint_eq(s.target.overrun, 3);
	endpoint_end(&s.channel->endpoint, ENDING_RST);
	release(&s);
	end_peer(&s, false);
	EXPECT(&s, s.set.count == 0);

	s.opened = 0;
	meet(&s);
	EXPECT(&s, peer_hears(&s) >= 2);
	wait_seconds(&s, 0.3);
	ck_assert(peer_hears(&s) == 2);
	we_give(&s, "word"); /* a new row begins */
	EXPECT(&s, peer_takes(&s) == 4);
	EXPECT(&s, peer_hears(&s) >= 4);
	wait_seconds(&s, 0.3);
	ck_assert(peer_hears(&s) == 4);
	scene_clear(&s);
}
END_TEST

/* ---- dead paths ----------------------------------------------------------------- */

/* They meet in a network that can be cut.  False: there is none to be had. */
static bool
meet_apart(struct scene *s, enum role role, double keepalive, double timeout)
{
	if (!own_network_enter())
		return false;
	scene_init(s, role);
	keep_alive(s, keepalive, timeout);
	meet(s);
	return true;
}

static void
expect_lost(struct scene *s)
{
	EXPECT(s, s->channel->endpoint.deaf);
	ck_assert(s->channel->endpoint.readable);
	ck_assert_int_eq(s->channel->endpoint.reason, REASON_CARRIER_LOST);
	ck_assert_ptr_nonnull(
	    strstr(channel_detail(s->channel), "no acknowledgement for"));
}

START_TEST(a_silent_carrier_whose_path_dies_is_found_out_by_its_heartbeat)
{
	struct scene s;

	if (!meet_apart(&s, ROLE_SERVER, 0.1, 0.5))
		return;
	EXPECT(&s, peer_hears(&s) >= 1);
	ck_assert(!s.channel->endpoint.deaf);
	ck_assert_int_eq(we_take(&s, ""), SOURCE_OPEN);
	ck_assert(!s.channel->endpoint.readable);
	own_network_cut();
	expect_lost(&s);
	ck_assert_int_eq(we_take(&s, ""), SOURCE_BROKEN);
	scene_clear(&s);
}
END_TEST

START_TEST(a_full_carrier_whose_path_dies_is_found_out)
{
	struct scene s;

	if (!meet_apart(&s, ROLE_CLIENT, 0.1, 0.2))
		return;
	we_fill(&s);
	endpoint_wait(&s.channel->endpoint, false, true);
	wait_seconds(&s, 0.3); /* the window is closed, the first probes are answered */
	own_network_cut();
	expect_lost(&s);
	scene_clear(&s);
}
END_TEST

START_TEST(a_finished_carrier_whose_path_dies_is_found_out_by_what_it_sent_last)
{
	struct scene s;

	if (!meet_apart(&s, ROLE_CLIENT, 0.1, 0.5))
		return;
	own_network_cut();
	we_give(&s, "last");
	endpoint_end(&s.channel->endpoint, ENDING_FIN);
	expect_lost(&s);
	scene_clear(&s);
}
END_TEST

START_TEST(what_arrived_before_the_path_died_is_still_taken)
{
	struct scene s;

	if (!meet_apart(&s, ROLE_CLIENT, 0.1, 0.2))
		return;
	ck_assert_int_eq(we_take(&s, ""), SOURCE_OPEN);
	peer_gives(&s, "last");
	turns(&s, 5);
	own_network_cut();
	expect_lost(&s);
	ck_assert_int_eq(we_take(&s, "last"), SOURCE_OPEN);
	ck_assert_int_eq(we_take(&s, ""), SOURCE_BROKEN);
	scene_clear(&s);
}
END_TEST

/* It acknowledges each probe of its closed window. */
START_TEST(a_reader_that_takes_nothing_is_not_taken_for_dead)
{
	struct scene s;
	size_t given;

	scene_init(&s, ROLE_SERVER);
	keep_alive(&s, 0.05, 0.05);
	meet(&s);
	given = we_fill(&s);
	endpoint_wait(&s.channel->endpoint, false, true);
	wait_seconds(&s, 1);
	ck_assert(!s.channel->endpoint.deaf);
	EXPECT(&s, (given -= peer_takes(&s)) == 0);
	scene_clear(&s);
}
END_TEST

/* As after a stop of the process: most of the silence was ours. */
START_TEST(a_silence_before_we_looked_does_not_count)
{
	struct scene s;

	if (!meet_apart(&s, ROLE_SERVER, 0.1, 2))
		return;
	ck_assert_uint_eq(peer_takes(&s), 0);
	usleep(2200000);
	own_network_cut();
	we_give(&s, "word");
	EXPECT(&s, socket_unanswered(our_tls(&s)->fd) > 2);
	ck_assert(!s.channel->endpoint.deaf);
	expect_lost(&s);
	scene_clear(&s);
}
END_TEST

UNIT_MAIN("carrier_raw", a_good_handshake_gives_a_channel_and_its_facts,
    a_peer_that_leaves_before_its_hello_is_told_as_no_pod_or_probe,
    a_peer_that_never_answers_is_given_up, a_cancelled_handshake_tells_nobody,
    a_refused_peer_hears_why_before_tcp_ends, a_session_is_kept_by_the_target_and_resumed,
    a_session_that_was_refused_is_not_tried_again,
    who_reads_the_second_close_notify_closes_tcp_first,
    who_wrote_the_second_close_notify_waits_for_the_other_s_fin,
    the_wait_for_the_other_s_fin_has_a_limit,
    kept_bytes_and_close_notify_are_sent_after_the_release,
    kept_bytes_are_sent_to_a_peer_that_has_sent_its_fin,
    an_abort_leaves_tcp_open_until_the_peer_closes,
    a_peer_that_goes_on_sending_after_our_abort_is_not_heard,
    an_abort_waits_for_the_peer_only_so_long,
    an_abort_after_our_close_notify_is_a_reset_behind_the_bytes,
    an_abort_by_the_peer_comes_behind_its_bytes, a_reset_of_a_quiet_carrier_is_noticed,
    a_reset_of_a_full_carrier_does_not_spin,
    a_reset_of_a_full_carrier_that_a_take_finds_out_does_not_spin,
    a_full_carrier_says_when_it_has_room,
    a_fin_behind_close_notify_wakes_nobody_again_and_again,
    a_peer_that_is_gone_behind_its_close_notify_is_found_out,
    a_silent_carrier_sends_heartbeats, bytes_that_were_sent_put_the_heartbeat_off,
    heartbeats_go_on_when_the_peer_has_finished, heartbeats_end_when_we_have_finished,
    tls_1_2_has_no_heartbeat, a_target_that_bears_only_so_many_heartbeats_gets_no_more,
    a_silent_carrier_whose_path_dies_is_found_out_by_its_heartbeat,
    a_full_carrier_whose_path_dies_is_found_out,
    a_finished_carrier_whose_path_dies_is_found_out_by_what_it_sent_last,
    what_arrived_before_the_path_died_is_still_taken,
    a_reader_that_takes_nothing_is_not_taken_for_dead,
    a_silence_before_we_looked_does_not_count)
