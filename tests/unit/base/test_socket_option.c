#include "common/base/socket_option.h"

#include "common/base/log.h"
#include "tests/unit/memory_file.h"
#include "tests/unit/unit.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void
add(struct socket_option_list *list, const char *text)
{
	struct err e = {.text = ""};

	ck_assert_msg(socket_option_add(list, text, &e), "%s: %s", text, e.text);
}

static void
refuses(const char *text, const char *why)
{
	struct socket_option_list list = {0};
	struct err e = {.text = ""};

	ck_assert_msg(!socket_option_add(&list, text, &e), "%s", text);
	ck_assert_msg(strstr(e.text, why) != NULL, "%s", e.text);
	ck_assert_uint_eq(list.count, 0);
}

static int
value_of(int fd, int level, int name)
{
	int value = -1;
	socklen_t length = sizeof(value);

	ck_assert_int_eq(getsockopt(fd, level, name, &value, &length), 0);
	return value;
}

START_TEST(options_are_numbers_or_yes_and_no)
{
	struct socket_option_list list = {0};

	add(&list, "l:TCP_KEEPIDLE=60");
	add(&list, "r:so_keepalive=yes");
	add(&list, "a:IP_TOS=0x10");
	add(&list, "r:TCP_NODELAY=no");
	ck_assert_uint_eq(list.count, 4);
	ck_assert_int_eq(list.items[0].side, SOCKET_LOCAL);
	ck_assert_str_eq(list.items[0].name, "TCP_KEEPIDLE");
	ck_assert_int_eq(list.items[0].value, 60);
	ck_assert_int_eq(list.items[1].value, 1);
	ck_assert_int_eq(list.items[2].value, 16);
	ck_assert_int_eq(list.items[3].value, 0);
	socket_option_clear(&list);
	ck_assert_ptr_null(list.items);
}
END_TEST

START_TEST(what_is_no_option_is_refused)
{
	refuses("", "socket takes a:, l: or r:");
	refuses("x:TCP_NODELAY=1", "socket takes a:, l: or r:");
	refuses("l", "socket takes a:, l: or r:");
	refuses("lTCP_NODELAY=1", "socket takes a:, l: or r:");
	refuses("l:TCP_NODELAY", "socket takes a:, l: or r:");
	refuses("l:=1", " is no socket option that routeport knows");
	refuses("l:TCP_NODELAYS=1", "TCP_NODELAYS is no socket option");
	refuses("l:TCP_NODELAY=", "TCP_NODELAY takes a number, yes or no");
	refuses("l:TCP_NODELAY=maybe", "TCP_NODELAY takes a number, yes or no");
	refuses("l:SO_SNDBUF=99999999999", "SO_SNDBUF takes a number, yes or no");
	refuses("a:SO_BINDTODEVICE=", "takes the name of a network interface");
	refuses("a:SO_BINDTODEVICE=a-name-that-is-too-long", "network interface");
}
END_TEST

START_TEST(how_a_connection_ends_is_not_up_to_options)
{
	static const char *const lines[] = {"l:SO_LINGER=1:60", "r:SO_RCVTIMEO=1:0"};
	struct memory_file file = memory_file("", 0);
	struct socket_option_list list = {0};
	struct err e = {.text = ""};

	ck_assert(log_open(file.path, true, &e));
	for (size_t i = 0; i < 2; i++)
		add(&list, lines[i]);
	ck_assert_uint_eq(list.count, 0);
	ck_assert_ptr_nonnull(
	    strstr(memory_file_text(&file), "SO_LINGER has no effect: "));
	ck_assert_ptr_nonnull(
	    strstr(memory_file_text(&file), "SO_RCVTIMEO has no effect: "));
}
END_TEST

START_TEST(only_the_options_of_a_side_are_set_and_the_last_one_holds)
{
	struct socket_option_list list = {0};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	const char *refused = NULL;

	add(&list, "r:IP_TTL=40");
	add(&list, "r:IP_TTL=41");
	add(&list, "l:IP_TTL=42");
	add(&list, "r:TCP_NODELAY=1");
	ck_assert(socket_option_apply(&list, fd, SOCKET_REMOTE, &refused));
	ck_assert_int_eq(value_of(fd, IPPROTO_IP, IP_TTL), 41);
	ck_assert_int_eq(value_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	ck_assert(socket_option_apply(&list, fd, SOCKET_LOCAL, &refused));
	ck_assert_int_eq(value_of(fd, IPPROTO_IP, IP_TTL), 42);
	ck_assert(socket_option_apply(NULL, fd, SOCKET_LOCAL, &refused));
	ck_assert_ptr_null(refused);
	socket_option_clear(&list);
	close(fd);
}
END_TEST

START_TEST(what_a_socket_does_not_have_is_passed_over)
{
	struct socket_option_list list = {0};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	const char *refused = NULL;

	add(&list, "l:TCP_NODELAY=1");
	add(&list, "l:IP_TTL=9");
	add(&list, "l:SO_KEEPALIVE=yes");
	ck_assert(socket_option_apply(&list, fd, SOCKET_LOCAL, &refused));
	ck_assert_int_eq(value_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	socket_option_clear(&list);
	close(fd);
}
END_TEST

START_TEST(what_the_system_refuses_is_named_and_the_others_are_set)
{
	struct socket_option_list list = {0};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	const char *refused = NULL;

	add(&list, "r:SO_BINDTODEVICE=no-such-one");
	add(&list, "r:IP_TTL=43");
	ck_assert(!socket_option_apply(&list, fd, SOCKET_REMOTE, &refused));
	ck_assert_str_eq(refused, "SO_BINDTODEVICE");
	ck_assert_int_eq(value_of(fd, IPPROTO_IP, IP_TTL), 43);
	socket_option_clear(&list);
	close(fd);
}
END_TEST

UNIT_MAIN("socket_option", options_are_numbers_or_yes_and_no,
    what_is_no_option_is_refused, how_a_connection_ends_is_not_up_to_options,
    only_the_options_of_a_side_are_set_and_the_last_one_holds,
    what_a_socket_does_not_have_is_passed_over,
    what_the_system_refuses_is_named_and_the_others_are_set)
