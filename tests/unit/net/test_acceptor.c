#include "common/base/socket.h"
#include "common/net/acceptor.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

/* An acceptor, and what it told its owner. */
struct scene {
	struct acceptor acceptor;
	struct ev_loop *loop;
	struct address address;
	int accepted, asked, room; /* room: how many more are welcome */
	int shortage;              /* errno of the last one */
	struct rlimit limit;       /* to go back to */
};

static void
on_accepted(void *owner, int fd, const struct address *peer)
{
	struct scene *s = owner;

	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(peer->any.sa_family, AF_INET);
	s->accepted++;
	s->room--;
	close(fd);
}

static bool
may_accept(void *owner)
{
	struct scene *s = owner;

	s->asked++;
	return s->room > 0;
}

static void
on_shortage(void *owner, int errnum)
{
	struct scene *s = owner;

	s->shortage = errnum;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &s->limit), 0);
}

static const struct acceptor_events events = {
    .accepted = on_accepted, .may_accept = may_accept, .shortage = on_shortage};

static void
begin(struct scene *s, int batch)
{
	struct err e = {.text = ""};
	int fd;

	*s = (struct scene){.loop = ev_loop_new(EVFLAG_AUTO), .room = 1000};
	s->address = (struct address){
	    .length = sizeof(struct sockaddr_in),
	    .in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}},
	};
	fd = socket_listen(&s->address, NULL, &e);
	ck_assert_msg(fd >= 0, "%s", e.text);
	ck_assert_int_eq(getsockname(fd, &s->address.any, &s->address.length), 0);
	acceptor_start(&s->acceptor, s->loop, fd, batch, &events, s);
}

static void
end(struct scene *s)
{
	acceptor_stop(&s->acceptor);
	ev_loop_destroy(s->loop);
}

static void
connect_many(const struct scene *s, int count)
{
	for (int i = 0; i < count; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		ck_assert_int_eq(connect(fd, &s->address.any, s->address.length), 0);
		close(fd);
	}
}

START_TEST(one_iteration_accepts_a_batch_and_the_next_goes_on)
{
	struct scene s;

	begin(&s, 3);
	connect_many(&s, 5);
	ev_run(s.loop, EVRUN_ONCE);
	ck_assert_int_eq(s.accepted, 3);
	ev_run(s.loop, EVRUN_ONCE);
	ck_assert_int_eq(s.accepted, 5);
	end(&s);
}
END_TEST

START_TEST(all_that_is_waiting_is_accepted_when_it_is_drained)
{
	struct scene s;

	begin(&s, 1);
	connect_many(&s, 7);
	acceptor_drain(&s.acceptor);
	ck_assert_int_eq(s.accepted, 7);
	end(&s);
}
END_TEST

START_TEST(a_full_owner_is_asked_again_after_a_pause)
{
	struct scene s;

	begin(&s, 10);
	s.room = 2;
	connect_many(&s, 3);
	ev_run(s.loop, EVRUN_ONCE);
	ck_assert_int_eq(s.accepted, 2);
	ev_run(s.loop, EVRUN_NOWAIT);
	ck_assert_int_eq(s.asked, 3);
	s.room = 1;
	while (s.accepted < 3)
		ev_run(s.loop, EVRUN_ONCE);
	end(&s);
}
END_TEST

START_TEST(out_of_descriptors_it_tells_and_tries_again_after_a_pause)
{
	struct scene s;
	struct rlimit none;
	int lowest;

	begin(&s, 10);
	connect_many(&s, 1);
	ev_run(s.loop, EVRUN_NOWAIT); /* what epoll takes is there from now on */
	ck_assert_int_eq(s.accepted, 1);
	connect_many(&s, 1);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &s.limit), 0);
	lowest = dup(0);
	close(lowest);
	none = (struct rlimit){.rlim_cur = (rlim_t)lowest, .rlim_max = s.limit.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ev_run(s.loop, EVRUN_ONCE);
	ck_assert_int_eq(s.shortage, EMFILE);
	ck_assert_int_eq(s.accepted, 1);
	while (s.accepted < 2)
		ev_run(s.loop, EVRUN_ONCE);
	end(&s);
}
END_TEST

UNIT_MAIN("acceptor", one_iteration_accepts_a_batch_and_the_next_goes_on,
    all_that_is_waiting_is_accepted_when_it_is_drained,
    a_full_owner_is_asked_again_after_a_pause,
    out_of_descriptors_it_tells_and_tries_again_after_a_pause)
