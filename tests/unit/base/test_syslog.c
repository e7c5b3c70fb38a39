/*
 * The system's log, in whose place the test listens.
 */
#include "common/base/log.h"
#include "tests/unit/unit.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

static char path[64];

static int
listen_there(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, path, strlen(path) + 1);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void
start(void)
{
	struct err e = {.text = ""};

	snprintf(path, sizeof(path), "/tmp/routeport-test-%ld.log", (long)getpid());
	(void)unlink(path);
	ck_assert(log_open(NULL, true, &e));
	log_set_level(LOG_LEVEL_INFO);
}

static void
stop(void)
{
	log_to_system(NULL, NULL, 0);
	(void)unlink(path);
}

/* What came next, or "" if nothing did. */
static const char *
next(int fd)
{
	static char text[8192];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void
expect(int fd, const char *pattern)
{
	const char *text = next(fd);
	char whole[512];
	regex_t regex;

	snprintf(whole, sizeof(whole), pattern, (long)getpid());
	ck_assert_int_eq(regcomp(&regex, whole, REG_EXTENDED | REG_NOSUB), 0);
	ck_assert_msg(regexec(&regex, text, 0, NULL, 0) == 0, "%s", text);
	regfree(&regex);
}

#define CLOCK "[A-Z][a-z][a-z] [ 1-3][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} "

START_TEST(lines_come_as_syslog_has_them)
{
	int fd;

	start();
	fd = listen_there();
	log_to_system(path, "orders", LOG_LOCAL3);
	log_error("event=one");
	log_info("event=two detail=\"a b\"");
	log_debug("event=three");
	expect(fd, "^<155>" CLOCK "orders\\[%ld\\]: event=one$");
	expect(fd, "^<158>" CLOCK "orders\\[%ld\\]: event=two detail=\"a b\"$");
	ck_assert_str_eq(next(fd), "");
	log_to_system(NULL, NULL, 0);
	log_error("event=four");
	ck_assert_str_eq(next(fd), "");
	close(fd);
	stop();
}
END_TEST

START_TEST(it_need_not_be_there_and_may_come_and_go)
{
	int fd;

	start();
	log_to_system(path, "orders", LOG_DAEMON);
	log_info("event=lost");
	fd = listen_there();
	log_info("event=one");
	expect(fd, ": event=one$");
	close(fd);
	log_info("event=lost");
	(void)unlink(path);
	fd = listen_there();
	log_info("event=two");
	expect(fd, ": event=two$");
	ck_assert_str_eq(next(fd), "");
	close(fd);
	stop();
}
END_TEST

START_TEST(nothing_waits_for_it)
{
	int fd, lines = 0;

	start();
	fd = listen_there();
	log_to_system(path, "orders", LOG_DAEMON);
	for (int i = 0; i < 100000; i++)
		log_info("event=many number=%d", i);
	while (*next(fd) != '\0')
		lines++;
	ck_assert_int_gt(lines, 0);
	ck_assert_int_lt(lines, 100000);
	log_info("event=after");
	expect(fd, ": event=after$");
	close(fd);
	stop();
}
END_TEST

START_TEST(long_names_and_paths_are_cut)
{
	char name[200], socket[200];

	start();
	memset(name, 'n', sizeof(name) - 1);
	memset(socket, '/', sizeof(socket) - 1);
	name[199] = socket[199] = '\0';
	log_to_system(socket, name, LOG_DAEMON);
	log_info("event=lost");
	stop();
}
END_TEST

UNIT_MAIN("log_system", lines_come_as_syslog_has_them,
    it_need_not_be_there_and_may_come_and_go, nothing_waits_for_it,
    long_names_and_paths_are_cut)
