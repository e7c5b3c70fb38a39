#include "common/daemon/sd_notify.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Who listens in systemd's place, at @text as NOTIFY_SOCKET has it. */
static int
listen_at(const char *text)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	size_t length = strlen(text);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	memcpy(at.sun_path, text, length);
	if (text[0] == '@')
		at.sun_path[0] = '\0';
	ck_assert_int_eq(
	    bind(fd, (struct sockaddr *)&at,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
	    0);
	setenv("NOTIFY_SOCKET", text, 1);
	return fd;
}

static void
hears(int fd, const char *expected)
{
	char text[1024];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	ck_assert_msg(n >= 0, "nothing instead of %s", expected);
	text[n] = '\0';
	ck_assert_str_eq(text, expected);
}

static void
hears_nothing(int fd)
{
	char byte;

	ck_assert_int_eq(recv(fd, &byte, 1, 0), -1);
	ck_assert_int_eq(errno, EAGAIN);
}

static int
begin(struct sd_notify *n)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "@routeport-test-%ld", (long)getpid());
	fd = listen_at(name);
	sd_notify_open(n);
	return fd;
}

START_TEST(each_state_is_a_datagram)
{
	struct sd_notify n;
	int fd = begin(&n);

	sd_notify_ready(&n);
	hears(fd, "READY=1");
	sd_notify_stopping(&n);
	hears(fd, "STOPPING=1");
	sd_notify_status(&n, "%d services", 2);
	hears(fd, "STATUS=2 services");
	hears_nothing(fd);
	sd_notify_close(&n);
	sd_notify_ready(&n);
	hears_nothing(fd);
	close(fd);
}
END_TEST

START_TEST(a_reload_tells_the_time_that_never_jumps)
{
	struct sd_notify n;
	struct timespec now;
	unsigned long long usec;
	char text[256] = "";
	int fd = begin(&n);

	sd_notify_reloading(&n);
	ck_assert_int_gt(recv(fd, text, sizeof(text) - 1, 0), 0);
	ck_assert_int_eq(sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%llu", &usec), 1);
	clock_gettime(CLOCK_MONOTONIC, &now);
	ck_assert_uint_le(usec / 1000000, (unsigned long long)now.tv_sec);
	ck_assert_uint_ge(usec / 1000000 + 60, (unsigned long long)now.tv_sec);
	sd_notify_close(&n);
	close(fd);
}
END_TEST

START_TEST(a_status_is_one_line_however_long)
{
	static char wide[5000];
	struct sd_notify n;
	char text[1024];
	ssize_t length;
	int fd = begin(&n);

	memset(wide, 'x', sizeof(wide) - 1);
	wide[3] = '\n';
	sd_notify_status(&n, "%s", wide);
	length = recv(fd, text, sizeof(text), 0);
	ck_assert_int_gt(length, 100);
	ck_assert_ptr_null(memchr(text, '\n', (size_t)length));
	sd_notify_close(&n);
	close(fd);
}
END_TEST

START_TEST(a_path_is_as_good_as_an_abstract_name)
{
	char folder[] = "/tmp/routeport-notify-XXXXXX", path[64];
	struct sd_notify n;
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	fd = listen_at(path);
	sd_notify_open(&n);
	sd_notify_ready(&n);
	hears(fd, "READY=1");
	sd_notify_close(&n);
	close(fd);
	unlink(path);
	rmdir(folder);
}
END_TEST

START_TEST(without_a_socket_nothing_happens)
{
	static const char *const useless[] = {NULL, "", "/", "relative", "vsock:2:1234"};
	struct sd_notify n;

	for (size_t i = 0; i < sizeof(useless) / sizeof(useless[0]); i++) {
		if (useless[i] == NULL)
			unsetenv("NOTIFY_SOCKET");
		else
			setenv("NOTIFY_SOCKET", useless[i], 1);
		sd_notify_open(&n);
		ck_assert_uint_eq(n.to.length, 0);
		sd_notify_ready(&n);
		sd_notify_close(&n);
	}
}
END_TEST

static bool
is_alive(void *owner)
{
	return *(bool *)owner;
}

static void
on_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)timer;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

static void
run_for(struct ev_loop *loop, double seconds)
{
	ev_timer timer;

	ev_timer_init(&timer, on_patience, seconds, 0);
	ev_timer_start(loop, &timer);
	ev_run(loop, 0);
}

START_TEST(the_watchdog_hears_of_life_while_there_is_any)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct sd_notify n;
	bool alive = true;
	int fd = begin(&n);

	setenv("WATCHDOG_USEC", "20000", 1);
	unsetenv("WATCHDOG_PID");
	sd_notify_watch(&n, loop, is_alive, &alive);
	for (int i = 0; i < 2; i++) {
		while (recv(fd, &(char){0}, 1, MSG_PEEK) < 0)
			ev_run(loop, EVRUN_ONCE);
		hears(fd, "WATCHDOG=1");
	}
	alive = false;
	while (recv(fd, &(char){0}, 1, 0) > 0)
		continue;
	run_for(loop, 0.1);
	hears_nothing(fd);
	sd_notify_close(&n);
	ev_loop_destroy(loop);
	close(fd);
}
END_TEST

START_TEST(a_watchdog_that_is_not_ours_hears_nothing)
{
	static const char *const usec[] = {"", "0", "x", "-5", "20000x", "20000"};
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct sd_notify n;
	bool alive = true;
	int fd = begin(&n);

	setenv("WATCHDOG_PID", "1", 1);
	for (size_t i = 0; i < sizeof(usec) / sizeof(usec[0]); i++) {
		setenv("WATCHDOG_USEC", usec[i], 1);
		if (i + 1 < sizeof(usec) / sizeof(usec[0]))
			unsetenv("WATCHDOG_PID");
		else
			setenv("WATCHDOG_PID", "1", 1);
		sd_notify_watch(&n, loop, is_alive, &alive);
		ck_assert_ptr_null(n.loop);
	}
	sd_notify_close(&n);
	ev_loop_destroy(loop);
	close(fd);
}
END_TEST

UNIT_MAIN("notify", each_state_is_a_datagram, a_reload_tells_the_time_that_never_jumps,
    a_status_is_one_line_however_long, a_path_is_as_good_as_an_abstract_name,
    without_a_socket_nothing_happens, the_watchdog_hears_of_life_while_there_is_any,
    a_watchdog_that_is_not_ours_hears_nothing)
