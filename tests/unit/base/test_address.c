#include "common/base/address.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

/* @text is read as this host and port, and shown as @shown. */
static void
reads(const char *text, const char *host, unsigned port, const char *shown)
{
	struct err e = {.text = ""};
	struct address_name name = {0};
	char out[ADDRESS_TEXT_SIZE];

	ck_assert_msg(
	    address_name_parse(&name, text, "default", &e), "%s: %s", text, e.text);
	ck_assert_str_eq(name.host, host);
	ck_assert_uint_eq(name.port, port);
	ck_assert_ptr_null(name.path);
	ck_assert_str_eq(address_name_format(&name, out, sizeof(out)), shown);
	address_name_clear(&name);
	ck_assert_ptr_null(name.host);
}

/* @text is refused, and the error has this in it. */
static void
refuses(const char *text, const char *why)
{
	struct err e = {.text = ""};
	struct address_name name = {.port = 7};

	ck_assert_msg(!address_name_parse(&name, text, "default", &e), "%s", text);
	ck_assert_msg(strstr(e.text, why) != NULL, "%s: %s", text, e.text);
	ck_assert_uint_eq(name.port, 7);
}

START_TEST(an_address_splits_at_its_last_colon)
{
	reads("db.example:5432", "db.example", 5432, "db.example:5432");
	reads("192.0.2.1:80", "192.0.2.1", 80, "192.0.2.1:80");
	reads("[::1]:80", "::1", 80, "[::1]:80");
	reads("::1:80", "::1", 80, "[::1]:80");
	reads("fe80::1%eth0:80", "fe80::1%eth0", 80, "[fe80::1%eth0]:80");
	reads("under_score.example.:65535", "under_score.example.", 65535,
	    "under_score.example.:65535");
}
END_TEST

START_TEST(three_colons_and_a_port_are_ipv6_any)
{
	reads(":::443", "::", 443, "[::]:443");
}
END_TEST

START_TEST(a_port_alone_gets_the_default_host)
{
	reads("443", "default", 443, "default:443");
	reads("0080", "default", 80, "default:80");
}
END_TEST

START_TEST(a_leading_slash_is_a_unix_socket)
{
	struct err e = {.text = ""};
	struct address_name name = {0};
	char out[ADDRESS_TEXT_SIZE];

	ck_assert(address_name_parse(&name, "/run/app:1.sock", "default", &e));
	ck_assert_str_eq(name.path, "/run/app:1.sock");
	ck_assert_ptr_null(name.host);
	ck_assert_uint_eq(name.port, 0);
	ck_assert_str_eq(address_name_format(&name, out, sizeof(out)), "/run/app:1.sock");
	address_name_clear(&name);
}
END_TEST

START_TEST(a_unix_path_longer_than_the_system_takes_is_refused)
{
	struct err e = {.text = ""};
	struct address_name name = {0};
	char path[109];

	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[107] = '\0';
	ck_assert(address_name_parse(&name, path, "default", &e));
	address_name_clear(&name);
	path[107] = 'x';
	path[108] = '\0';
	refuses(path, "at most 107 bytes");
}
END_TEST

START_TEST(a_port_is_a_number_from_1_to_65535)
{
	refuses("db:0", "from 1 to 65535");
	refuses("db:65536", "from 1 to 65535");
	refuses("db:18446744073709551617", "from 1 to 65535");
	refuses("db:-1", "\"-1\" is no port");
	refuses("db: 80", "is no port");
	refuses("db:https", "\"https\" is no port: write its number");
	refuses("https", "\"https\" is no port: write its number");
	refuses("db:", "no port");
	refuses("[::1]", "is no port");
	refuses("a.b:c.d", "\"c.d\" is no port");
	refuses("", "write [HOST:]PORT");
	refuses("orders.example",
	    "the port is missing: write orders.example:PORT, as in orders.example:443");
	refuses("localhost", "the port is missing: write localhost:PORT");
	refuses("192.0.2.1", "the port is missing: write 192.0.2.1:PORT");
}
END_TEST

START_TEST(what_cannot_be_a_host_is_refused)
{
	refuses(":80", "no host");
	refuses("[]:80", "no host");
	refuses("*:80", "\"*\" is no host: write the port alone to listen at every");
	refuses("my host:80", "is no host name");
	refuses("b\xc3\xbc"
		"cher.example:80",
	    "xn--");
	refuses("http://db:80", "write HOST:PORT, without http://");
	refuses("https://x.y:443/", "write HOST:PORT, without https://");
	refuses("::1", "is no IPv6 address");
	refuses("[db]x:80", "is no host name");
	refuses("1:2:3:80", "is no IPv6 address");
}
END_TEST

START_TEST(literals_are_told_from_names)
{
	ck_assert(address_is_literal("192.0.2.1"));
	ck_assert(address_is_literal("::1"));
	ck_assert(address_is_literal("fe80::1%nosuchinterface"));
	ck_assert(address_is_literal("::ffff:192.0.2.1"));
	ck_assert(!address_is_literal("127.1"));
	ck_assert(!address_is_literal("localhost"));
	ck_assert(!address_is_literal("192.0.2.1.example"));
	ck_assert(!address_is_literal("fe80::1%"));
	ck_assert(!address_is_literal(""));
}
END_TEST

/* The addresses that need no lookup, as text with a blank behind each. */
static const char *
addresses_of(const char *host, const char *path)
{
	struct address_name name = {.port = 80};
	struct address addresses[2];
	char text[ADDRESS_TEXT_SIZE];
	static char all[2 * ADDRESS_TEXT_SIZE];
	size_t n;

	name.host = host == NULL ? NULL : strdup(host);
	name.path = path == NULL ? NULL : strdup(path);
	n = address_name_addresses(&name, addresses);
	address_name_clear(&name);
	all[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		strcat(all, address_format(&addresses[i], text, sizeof(text)));
		strcat(all, " ");
	}
	return all;
}

START_TEST(literals_localhost_and_paths_need_no_lookup)
{
	ck_assert_str_eq(addresses_of("192.0.2.1", NULL), "192.0.2.1:80 ");
	ck_assert_str_eq(addresses_of("2001:db8::1", NULL), "[2001:db8::1]:80 ");
	ck_assert_str_eq(addresses_of("LocalHost", NULL), "[::1]:80 127.0.0.1:80 ");
	ck_assert_str_eq(addresses_of("localhost.", NULL), "[::1]:80 127.0.0.1:80 ");
	ck_assert_str_eq(addresses_of(NULL, "/run/app.sock"), "/run/app.sock ");
	ck_assert_str_eq(addresses_of("db.example", NULL), "");
}
END_TEST

START_TEST(a_scope_is_an_interface_by_name_or_number)
{
	ck_assert_str_eq(addresses_of("fe80::1%lo", NULL), "[fe80::1%lo]:80 ");
	ck_assert_str_eq(addresses_of("fe80::1%1", NULL), "[fe80::1%lo]:80 ");
	ck_assert_str_eq(addresses_of("fe80::1%77777", NULL), "[fe80::1%77777]:80 ");
	ck_assert_str_eq(addresses_of("fe80::1%nosuchone", NULL), "");
	ck_assert_str_eq(addresses_of("fe80::1%99999999999", NULL), "");
}
END_TEST

START_TEST(an_ipv4_peer_of_an_ipv6_socket_is_shown_as_ipv4)
{
	ck_assert_str_eq(addresses_of("::ffff:192.0.2.1", NULL), "192.0.2.1:80 ");
}
END_TEST

START_TEST(unix_addresses_are_shown_whatever_they_are)
{
	struct address a = {.un = {.sun_family = AF_UNIX}};
	char text[ADDRESS_TEXT_SIZE];

	a.length = offsetof(struct sockaddr_un, sun_path);
	ck_assert_str_eq(address_format(&a, text, sizeof(text)), "unix");
	memcpy(a.un.sun_path, "\0abc", 4);
	a.length += 4;
	ck_assert_str_eq(address_format(&a, text, sizeof(text)), "@abc");
	memset(a.un.sun_path, 'x', sizeof(a.un.sun_path));
	a.length = sizeof(a.un);
	ck_assert_uint_eq(
	    strlen(address_format(&a, text, sizeof(text))), sizeof(a.un.sun_path));
}
END_TEST

UNIT_MAIN("address", an_address_splits_at_its_last_colon,
    three_colons_and_a_port_are_ipv6_any, a_port_alone_gets_the_default_host,
    a_leading_slash_is_a_unix_socket, a_unix_path_longer_than_the_system_takes_is_refused,
    a_port_is_a_number_from_1_to_65535, what_cannot_be_a_host_is_refused,
    literals_are_told_from_names, literals_localhost_and_paths_need_no_lookup,
    a_scope_is_an_interface_by_name_or_number,
    an_ipv4_peer_of_an_ipv6_socket_is_shown_as_ipv4,
    unix_addresses_are_shown_whatever_they_are)
