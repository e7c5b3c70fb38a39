#include "common/base/socket.h"
#include "common/net/connect.h"
#include "common/net/reactor.h"
#include "tests/unit/fake_dns.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * Addresses of 127.0.0.0/8 are told apart by their last byte: at 127.0.0.1 somebody
 * listens, at 127.0.0.2 nobody does, and at 127.0.0.3 the queue is full, so that nothing
 * is answered.
 */
static const struct fake_record records[] = {
    {.name = "good.test", .type = FAKE_DNS_A, .data = {"127.0.0.1"}},
    {.name = "refused.test",
	.type = FAKE_DNS_A,
	.data = {"127.0.0.2", "127.0.0.4", "127.0.0.5", "127.0.0.6", "127.0.0.7",
	    "127.0.0.8", "127.0.0.9", "127.0.0.10", "127.0.0.11", "127.0.0.12",
	    "127.0.0.13", "127.0.0.14", "127.0.0.15", "127.0.0.16", "127.0.0.17",
	    "127.0.0.1"}},
    {.name = "two.test", .type = FAKE_DNS_A, .data = {"127.0.0.2", "127.0.0.4"}},
    {.name = "deaf.test", .type = FAKE_DNS_A, .data = {"127.0.0.3", "127.0.0.1"}},
    {.name = "deafest.test", .type = FAKE_DNS_A, .data = {"127.0.0.2", "127.0.0.3"}},
    {.name = "silent.test", .type = FAKE_DNS_A, .instead = FAKE_DNS_SILENT},
    {.name = "silent.test", .type = FAKE_DNS_AAAA, .instead = FAKE_DNS_SILENT},
};

enum {
	FILLERS = 8,
	LONG = 30, /* seconds that no test takes */
};

/* What connect_done was told. */
struct heard {
	int calls;
	int fd;
	enum reason reason;
	char text[1200]; /* the address, or why there is none */
};

static struct ev_loop *loop;
static struct fake_dns dns;
static struct resolver *resolver;
static int listening;
static uint16_t port;
static int deaf;
static int fillers[FILLERS];

/* Linked with --wrap=connect: the next call finds its connection taken, and reset. */
static bool reset_at_once;

int __real_connect(int fd, const struct sockaddr *to, socklen_t length);
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t length);

int
__wrap_connect(int fd, const struct sockaddr *to, socklen_t length)
{
	if (!reset_at_once)
		return __real_connect(fd, to, length);
	reset_at_once = false;
	errno = ECONNRESET;
	return -1;
}

static struct sockaddr_in
at(const char *address)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

	ck_assert_int_eq(inet_pton(AF_INET, address, &in.sin_addr), 1);
	return in;
}

static int
listen_at(const char *address, int backlog)
{
	struct sockaddr_in in = at(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	ck_assert_int_ge(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	ck_assert_int_eq(listen(fd, backlog), 0);
	return fd;
}

/* A connection that is begun, and may never be answered. */
static int
knock_at(const char *address)
{
	struct sockaddr_in in = at(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_int_ge(fd, 0);
	(void)connect(fd, (struct sockaddr *)&in, sizeof(in));
	return fd;
}

static void
start(void)
{
	struct sockaddr_in in = {.sin_port = 0};
	socklen_t length = sizeof(in);
	struct err e;

	loop = ev_loop_new(EVFLAG_AUTO);
	fake_dns_start(
	    &dns, loop, "127.0.0.1", 0, records, sizeof(records) / sizeof(records[0]));
	ck_assert_msg((resolver = resolver_new(loop, &e)) != NULL, "%s", e.text);
	resolver_configure(resolver, dns.resolv_conf, dns.port, 60000);
	port = 0;
	listening = listen_at("127.0.0.1", 64);
	ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&in, &length), 0);
	port = ntohs(in.sin_port);
	deaf = -1;
}

/* Make 127.0.0.3 deaf. */
static void
deafen(void)
{
	deaf = listen_at("127.0.0.3", 0);
	for (size_t i = 0; i < FILLERS; i++)
		fillers[i] = knock_at("127.0.0.3");
}

static void
stop(void)
{
	if (deaf >= 0) {
		for (size_t i = 0; i < FILLERS; i++)
			close(fillers[i]);
		close(deaf);
	}
	close(listening);
	resolver_free(resolver);
	fake_dns_stop(&dns);
	ev_loop_destroy(loop);
}

static void
hear(void *arg, int fd, const struct address *to, enum reason reason, const char *why)
{
	struct heard *heard = arg;

	heard->calls++;
	heard->fd = fd;
	heard->reason = reason;
	ck_assert((fd >= 0) == (reason == REASON_NONE));
	ck_assert((fd >= 0) == (to != NULL));
	ck_assert((fd >= 0) == (why == NULL));
	if (fd >= 0)
		address_format(to, heard->text, sizeof(heard->text));
	else
		snprintf(heard->text, sizeof(heard->text), "%s", why);
}

static struct connect *
begin(const struct address_name *name, double seconds, struct heard *heard)
{
	struct connect *attempt;

	memset(heard, 0, sizeof(*heard));
	attempt = connect_start(loop, resolver, name, NULL, seconds, hear, heard);
	ck_assert_ptr_nonnull(attempt);
	ck_assert_int_eq(heard->calls, 0);
	return attempt;
}

static void
wait_for(const struct heard *heard)
{
	ev_invoke_pending(loop); /* a success at once is there already */
	while (heard->calls == 0)
		ev_run(loop, EVRUN_ONCE);
	ck_assert_int_eq(heard->calls, 1);
}

/* Connect to @host at the port of the test's listener, and wait for what comes. */
static void
dial(char *host, double seconds, struct heard *heard)
{
	struct address_name name = {.host = host, .port = port};

	begin(&name, seconds, heard);
	wait_for(heard);
}

static int
open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

/* "@before127.0.0.1:PORT@after", where 1 is @last. */
static const char *
words(const char *before, int last, const char *after)
{
	static char text[256];

	snprintf(
	    text, sizeof(text), "%s127.0.0.%d:%u%s", before, last, (unsigned)port, after);
	return text;
}

static void
expect_connected(const struct heard *heard, int last)
{
	char byte = 'x';

	ck_assert_str_eq(heard->text, words("", last, ""));
	ck_assert_int_eq(write(heard->fd, &byte, 1), 1);
	ck_assert_int_eq(fcntl(heard->fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	close(heard->fd);
}

START_TEST(a_literal_address_is_connected)
{
	struct heard heard;

	start();
	dial("127.0.0.1", LONG, &heard);
	expect_connected(&heard, 1);
	ck_assert_int_eq(dns.asked_a, 0);
	stop();
}
END_TEST

START_TEST(a_name_is_looked_up_and_connected)
{
	struct heard heard;

	start();
	dial("good.test", LONG, &heard);
	expect_connected(&heard, 1);
	stop();
}
END_TEST

START_TEST(localhost_is_reached_where_only_ipv4_listens)
{
	struct heard heard;

	start();
	dial("localhost", LONG, &heard);
	expect_connected(&heard, 1);
	stop();
}
END_TEST

START_TEST(a_refused_address_is_told_with_its_words)
{
	struct heard heard;

	start();
	dial("127.0.0.2", LONG, &heard);
	ck_assert_str_eq(heard.text, words("connect ", 2, ": Connection refused"));
	ck_assert_int_eq(heard.reason, REASON_CONNECT_FAILED);
	stop();
}
END_TEST

START_TEST(somebody_who_resets_at_once_was_reached)
{
	struct heard heard;

	start();
	reset_at_once = true;
	dial("127.0.0.1", LONG, &heard);
	ck_assert_str_eq(heard.text, words("connect ", 1, ": Connection reset by peer"));
	ck_assert_int_eq(heard.reason, REASON_FAR_RESET);
	stop();
}
END_TEST

START_TEST(all_that_failed_is_listed)
{
	struct heard heard;
	char both[256];

	start();
	dial("two.test", LONG, &heard);
	snprintf(both, sizeof(both),
	    "connect 127.0.0.2:%u: Connection refused; "
	    "connect 127.0.0.4:%u: Connection refused",
	    (unsigned)port, (unsigned)port);
	ck_assert_str_eq(heard.text, both);
	stop();
}
END_TEST

/* One after the other by the clock, 15 refused addresses would cost at least 3.75 s; at
 * once they cost next to nothing, but for what else the machine does. */
START_TEST(a_refused_address_is_followed_at_once_by_the_next)
{
	double began, least = 10;

	start();
	for (int i = 0; i < 10 && least > 2.5; i++) {
		struct heard heard;
		double took;

		began = ev_time();
		dial("refused.test", LONG, &heard);
		took = ev_time() - began;
		expect_connected(&heard, 1);
		if (took < least)
			least = took;
	}
	ck_assert_double_lt(least, 2.5);
	stop();
}
END_TEST

START_TEST(a_silent_address_is_overtaken_by_the_next)
{
	struct heard heard;
	int before;

	start();
	deafen();
	before = open_descriptors();
	dial("deaf.test", LONG, &heard);
	expect_connected(&heard, 1);
	resolver_free(resolver); /* whose question for AAAA may still be open */
	resolver = NULL;
	ck_assert_int_eq(open_descriptors(), before);
	stop();
}
END_TEST

/* Else the limit would pass before the second one's turn comes. */
START_TEST(a_silent_address_costs_the_next_connection_nothing)
{
	struct heard heard;

	start();
	deafen();
	dial("deaf.test", LONG, &heard);
	expect_connected(&heard, 1);
	dial("deaf.test", 0.24, &heard);
	expect_connected(&heard, 1);
	stop();
}
END_TEST

START_TEST(no_answer_ends_by_the_limit_of_time)
{
	struct heard heard;

	start();
	deafen();
	dial("127.0.0.3", 0.2, &heard);
	ck_assert_str_eq(heard.text, words("connect ", 3, ": no answer within 0.2 s"));
	ck_assert_int_eq(heard.reason, REASON_OPEN_TIMEOUT);
	dial("deafest.test", 1. / 3, &heard);
	ck_assert_ptr_nonnull(
	    strstr(heard.text, words("connect ", 2, ": Connection refused; connect ")));
	ck_assert_ptr_nonnull(
	    strstr(heard.text, words("connect ", 3, ": no answer within 0.3 s")));
	stop();
}
END_TEST

START_TEST(the_limit_of_time_holds_for_the_lookup_too)
{
	struct heard heard;

	start();
	dial("silent.test", 0.2, &heard);
	ck_assert_str_eq(heard.text, "look up silent.test: no answer within 0.2 s");
	ck_assert_int_eq(heard.reason, REASON_OPEN_TIMEOUT);
	stop();
}
END_TEST

START_TEST(an_unknown_name_is_told)
{
	struct heard heard;

	start();
	dial("nowhere.test", LONG, &heard);
	ck_assert_str_eq(heard.text, "look up nowhere.test: no such name");
	ck_assert_int_eq(heard.reason, REASON_NAME_NOT_FOUND);
	stop();
}
END_TEST

/* A Unix socket's name in a folder of its own, which remove_unix() takes away again. */
static struct address_name
make_unix(char folder[64], char path[80])
{
	snprintf(folder, 64, "/tmp/routeport-unix-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, 80, "%s/socket", folder);
	return (struct address_name){.path = path};
}

static int
listen_unix(const char *path, int backlog)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	ck_assert_int_eq(listen(fd, backlog), 0);
	return fd;
}

static void
remove_unix(const char *folder, const char *path)
{
	unlink(path);
	rmdir(folder);
}

START_TEST(a_unix_socket_is_connected)
{
	char folder[64], path[80];
	struct address_name name = make_unix(folder, path);
	struct heard heard;
	int fd;

	start();
	fd = listen_unix(path, 8);
	begin(&name, LONG, &heard);
	wait_for(&heard);
	ck_assert_int_ge(heard.fd, 0);
	ck_assert_str_eq(heard.text, path);
	close(heard.fd);
	close(fd);
	remove_unix(folder, path);
	stop();
}
END_TEST

START_TEST(a_unix_socket_that_is_not_there_is_told_by_the_loop)
{
	char folder[64], path[80], text[160];
	struct address_name name = make_unix(folder, path);
	struct heard heard;

	start();
	begin(&name, LONG, &heard);
	wait_for(&heard);
	snprintf(text, sizeof(text), "connect %s: No such file or directory", path);
	ck_assert_str_eq(heard.text, text);
	remove_unix(folder, path);
	stop();
}
END_TEST

START_TEST(a_unix_socket_whose_queue_is_full_is_a_failure)
{
	char folder[64], path[80];
	struct address_name name = make_unix(folder, path);
	struct heard heard;
	int connected[FILLERS], count = 0, fd;

	start();
	fd = listen_unix(path, 0);
	for (heard.fd = 0; heard.fd >= 0 && count < FILLERS;) {
		begin(&name, LONG, &heard);
		wait_for(&heard);
		if (heard.fd >= 0)
			connected[count++] = heard.fd;
	}
	ck_assert_int_lt(heard.fd, 0);
	ck_assert_msg(
	    strstr(heard.text, ": its queue of waiting connections is full") != NULL,
	    "%s", heard.text);
	while (count > 0)
		close(connected[--count]);
	close(fd);
	remove_unix(folder, path);
	stop();
}
END_TEST

/* From now on no descriptor is left.  Returns the limit of before. */
static struct rlimit
take_descriptors(void)
{
	struct rlimit old, limit;

	/* libev opens what it needs on its first turn */
	ev_run(loop, EVRUN_NOWAIT);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	limit = old;
	limit.rlim_cur = 3; /* stdin to stderr: what is open already stays open */
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return old;
}

START_TEST(having_no_descriptor_until_the_end_is_told)
{
	struct rlimit old;
	struct heard heard;

	start();
	old = take_descriptors();
	dial("127.0.0.1", 0.3, &heard);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	ck_assert_int_eq(heard.reason, REASON_CONNECT_FAILED);
	ck_assert_str_eq(heard.text,
	    words("connect ", 1, ": this process has no file descriptor left"));
	stop();
}
END_TEST

/* What is idle is closed when it is asked for the third time. */
static void
on_shortage(void *owner)
{
	const struct rlimit *old = owner;
	static int calls;

	if (++calls == 3)
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, old), 0);
}

START_TEST(a_descriptor_is_asked_for_and_waited_for)
{
	struct reactor reactor;
	struct rlimit old;
	struct heard heard;
	struct err e;

	start();
	ck_assert(reactor_init(&reactor, loop, &e));
	reactor.shortage = on_shortage;
	reactor.owner = &old;
	old = take_descriptors();
	dial("127.0.0.1", LONG, &heard);
	ck_assert_int_ge(heard.fd, 0);
	close(heard.fd);
	reactor_clear(&reactor);
	stop();
}
END_TEST

START_TEST(a_cancelled_attempt_calls_nobody_and_leaves_nothing_open)
{
	static char *hosts[] = {"127.0.0.1", "127.0.0.2", "127.0.0.3", "deaf.test",
	    "silent.test", "nowhere.test", "localhost"};
	struct address_name name = {.port = 0};
	struct connect *late;
	struct heard heard;
	int before;

	start();
	deafen();
	before = open_descriptors();
	name.port = port;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		name.host = hosts[i];
		connect_cancel(begin(&name, LONG, &heard));
		late = begin(&name, LONG, &heard);
		if (i >= 2 && i <= 4) { /* nothing comes of these at once */
			ev_run(loop, EVRUN_NOWAIT);
			ev_run(loop, EVRUN_NOWAIT);
		}
		connect_cancel(late);
	}
	for (int i = 0; i < 20; i++)
		ev_run(loop, EVRUN_NOWAIT);
	ck_assert_int_eq(heard.calls, 0);
	connect_cancel(NULL);
	resolver_free(resolver);
	resolver = NULL;
	ck_assert_int_eq(open_descriptors(), before);
	stop();
}
END_TEST

/* What done may free: all that was given to connect_start(). */
struct holder {
	struct heard *heard;
	struct address_name name;
};

static void
free_all(void *arg, int fd, const struct address *to, enum reason reason, const char *why)
{
	struct holder *holder = arg;

	hear(holder->heard, fd, to, reason, why);
	address_name_clear(&holder->name);
	free(holder);
	resolver_free(resolver);
	resolver = NULL;
}

static void
dial_and_free(const char *host, struct heard *heard)
{
	struct holder *holder = calloc(1, sizeof(*holder));

	memset(heard, 0, sizeof(*heard));
	ck_assert_ptr_nonnull(holder);
	*holder =
	    (struct holder){.heard = heard, .name = {.host = strdup(host), .port = port}};
	ck_assert_ptr_nonnull(
	    connect_start(loop, resolver, &holder->name, NULL, LONG, free_all, holder));
	wait_for(heard);
}

START_TEST(done_may_free_all_that_was_given)
{
	static const char *const hosts[] = {
	    "127.0.0.1", "127.0.0.2", "good.test", "two.test", "nowhere.test"};
	struct heard heard;

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		start();
		dial_and_free(hosts[i], &heard);
		if (heard.fd >= 0)
			close(heard.fd);
		stop();
	}
}
END_TEST

static struct address_name again;

static void
dial_again(
    void *arg, int fd, const struct address *to, enum reason reason, const char *why)
{
	struct heard *heard = arg;

	(void)to;
	(void)reason;
	(void)why;
	ck_assert_int_lt(fd, 0);
	connect_start(loop, resolver, &again, NULL, LONG, hear, heard);
	ck_assert_int_eq(heard->calls, 0);
}

START_TEST(done_may_start_the_next_attempt)
{
	struct address_name refused = {.host = "127.0.0.2"};
	struct heard heard = {.calls = 0};

	start();
	refused.port = port;
	again = (struct address_name){.host = "127.0.0.1", .port = port};
	connect_start(loop, resolver, &refused, NULL, LONG, dial_again, &heard);
	wait_for(&heard);
	expect_connected(&heard, 1);
	stop();
}
END_TEST

START_TEST(many_attempts_run_side_by_side)
{
	static struct heard heard[50];
	struct address_name name = {.host = "good.test"};

	start();
	name.port = port;
	for (size_t i = 0; i < 50; i++)
		begin(&name, LONG, &heard[i]);
	for (size_t i = 0; i < 50; i++) {
		while (heard[i].calls == 0)
			ev_run(loop, EVRUN_ONCE);
		expect_connected(&heard[i], 1);
	}
	stop();
}
END_TEST

/* Settings with `local` and `socket` as lines of a file say them. */
static struct service_settings
settings_of(char *local, const char *option)
{
	struct service_settings s = {.local = local};
	const struct address_name name = {.host = local};
	struct err e = {.text = ""};

	s.local_count = address_name_addresses(&name, s.local_addresses);
	ck_assert_msg(
	    option == NULL || socket_option_add(&s.socket, option, &e), "%s", e.text);
	return s;
}

static void
dial_with(const struct service_settings *s, char *host, struct heard *heard)
{
	struct address_name name = {.host = host, .port = port};

	*heard = (struct heard){0};
	ck_assert_ptr_nonnull(connect_start(loop, resolver, &name, s, LONG, hear, heard));
	wait_for(heard);
}

START_TEST(the_source_address_is_the_settings)
{
	struct service_settings s = settings_of("127.0.0.9", NULL);
	struct address ours, peers;
	struct heard heard;
	char text[ADDRESS_TEXT_SIZE];

	start();
	for (int i = 0; i < 2; i++) {
		dial_with(&s, i == 0 ? "127.0.0.1" : "localhost", &heard);
		socket_ends(heard.fd, &ours, &peers);
		ck_assert_mem_eq(
		    address_format(&ours, text, sizeof(text)), "127.0.0.9:", 10);
		expect_connected(&heard, 1);
	}
	stop();
}
END_TEST

START_TEST(a_source_address_that_does_not_fit_is_told)
{
	struct service_settings elsewhere = settings_of("192.0.2.1", NULL);
	struct service_settings six = settings_of("::1", NULL);
	struct heard heard;

	start();
	dial_with(&elsewhere, "127.0.0.1", &heard);
	ck_assert_int_eq(heard.reason, REASON_CONNECT_FAILED);
	ck_assert_str_eq(heard.text,
	    words("connect ", 1, ": no local address or port to connect from"));
	dial_with(&six, "127.0.0.1", &heard);
	ck_assert_str_eq(
	    heard.text, words("connect ", 1, ": local is an address of another family"));
	stop();
}
END_TEST

START_TEST(socket_options_are_set_before_it_dials)
{
	struct service_settings s = settings_of("127.0.0.1", "r:IP_TTL=42");
	socklen_t length = sizeof(int);
	struct heard heard;
	int ttl = 0;

	start();
	dial_with(&s, "127.0.0.1", &heard);
	ck_assert_int_eq(getsockopt(heard.fd, IPPROTO_IP, IP_TTL, &ttl, &length), 0);
	ck_assert_int_eq(ttl, 42);
	expect_connected(&heard, 1);
	socket_option_clear(&s.socket);
	s = settings_of("127.0.0.1", "r:SO_BINDTODEVICE=no-such-one");
	dial_with(&s, "127.0.0.1", &heard);
	ck_assert_int_eq(heard.reason, REASON_CONNECT_FAILED);
	socket_option_clear(&s.socket);
	stop();
}
END_TEST

UNIT_MAIN("connect", the_source_address_is_the_settings,
    a_source_address_that_does_not_fit_is_told, socket_options_are_set_before_it_dials,
    a_literal_address_is_connected, a_name_is_looked_up_and_connected,
    localhost_is_reached_where_only_ipv4_listens,
    a_refused_address_is_told_with_its_words, somebody_who_resets_at_once_was_reached,
    all_that_failed_is_listed, a_refused_address_is_followed_at_once_by_the_next,
    a_silent_address_is_overtaken_by_the_next,
    a_silent_address_costs_the_next_connection_nothing,
    no_answer_ends_by_the_limit_of_time, the_limit_of_time_holds_for_the_lookup_too,
    an_unknown_name_is_told, a_unix_socket_is_connected,
    a_unix_socket_that_is_not_there_is_told_by_the_loop,
    a_unix_socket_whose_queue_is_full_is_a_failure,
    having_no_descriptor_until_the_end_is_told, a_descriptor_is_asked_for_and_waited_for,
    a_cancelled_attempt_calls_nobody_and_leaves_nothing_open,
    done_may_free_all_that_was_given, done_may_start_the_next_attempt,
    many_attempts_run_side_by_side)
