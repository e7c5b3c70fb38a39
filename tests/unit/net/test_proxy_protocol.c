#include "common/net/proxy_protocol.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

/* The address that @text names; "unix" is that of a Unix socket. */
static struct address
address(const char *text)
{
	struct address a = {.length = sizeof(a.un), .un = {.sun_family = AF_UNIX}};

	if (strcmp(text, "unix") != 0)
		ck_assert_msg(proxy_protocol_read_address(&a, text), "%s", text);
	return a;
}

/* A stream of which nothing but its addresses is known. */
#define FROM(a, b)                                                                       \
	(struct proxy_facts)                                                             \
	{                                                                                \
		.from = (a), .to = (b), .sni = "", .tls = "", .cipher = "",              \
		.common_name = ""                                                        \
	}

/* ---- version 1 ------------------------------------------------------------------- */

static void
expect_line(const char *from, const char *to, const char *line)
{
	struct address source = address(from), destination = address(to);
	struct proxy_facts facts = FROM(&source, &destination);
	uint8_t out[PROXY_PROTOCOL_SIZE];
	size_t n = proxy_protocol_write(out, 1, &facts);

	ck_assert_uint_eq(n, strlen(line));
	ck_assert_mem_eq(out, line, n);
	ck_assert_uint_le(n, 107);
}

START_TEST(the_line_for_ipv4)
{
	expect_line("192.0.2.1:51234", "198.51.100.7:8443",
	    "PROXY TCP4 192.0.2.1 198.51.100.7 51234 8443\r\n");
	expect_line("255.255.255.255:65535", "255.255.255.255:65535",
	    "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n");
	expect_line("0.0.0.0", "10.0.0.1:1", "PROXY TCP4 0.0.0.0 10.0.0.1 0 1\r\n");
}
END_TEST

START_TEST(the_line_for_ipv6)
{
	expect_line("[2001:db8::7]:51234", "[::1]:8443",
	    "PROXY TCP6 2001:db8::7 ::1 51234 8443\r\n");
	expect_line("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:65535",
	    "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe 65535 65535\r\n");
}
END_TEST

START_TEST(a_mapped_address_is_an_ipv4_one)
{
	expect_line("[::ffff:192.0.2.1]:51234", "[::ffff:198.51.100.7]:8443",
	    "PROXY TCP4 192.0.2.1 198.51.100.7 51234 8443\r\n");
	expect_line("192.0.2.1:51234", "[::ffff:198.51.100.7]:8443",
	    "PROXY TCP4 192.0.2.1 198.51.100.7 51234 8443\r\n");
}
END_TEST

/* The line knows no dots in an IPv6 address. */
START_TEST(an_ipv4_address_beside_an_ipv6_one_is_mapped_in_hexadecimal)
{
	expect_line("192.0.2.1:51234", "[2001:db8::7]:8443",
	    "PROXY TCP6 ::ffff:c000:201 2001:db8::7 51234 8443\r\n");
	expect_line("[2001:db8::7]:51234", "0.255.0.16:8443",
	    "PROXY TCP6 2001:db8::7 ::ffff:ff:10 51234 8443\r\n");
	expect_line("[::192.0.2.1]:51234", "[2001:db8::7]:8443",
	    "PROXY TCP6 ::c000:201 2001:db8::7 51234 8443\r\n");
}
END_TEST

START_TEST(the_line_without_two_addresses_says_unknown)
{
	expect_line("unix", "unix", "PROXY UNKNOWN\r\n");
	expect_line("unix", "192.0.2.1:80", "PROXY UNKNOWN\r\n");
	expect_line("[2001:db8::7]:80", "unix", "PROXY UNKNOWN\r\n");
}
END_TEST

/* ---- version 2 ------------------------------------------------------------------- */

/* @expected is all behind the signature. */
static void
expect_bytes(const struct proxy_facts *facts, const void *expected, size_t length)
{
	uint8_t out[PROXY_PROTOCOL_SIZE];
	size_t n = proxy_protocol_write(out, 2, facts);

	ck_assert_uint_eq(n, 12 + length);
	ck_assert_mem_eq(out, SIGNATURE, 12);
	ck_assert_mem_eq(out + 12, expected, length);
}

#define EXPECT_BYTES(facts, literal) expect_bytes(facts, literal, sizeof(literal) - 1)

/* PP2_TYPE_SSL of a peer that showed no certificate, and nothing in it. */
#define NO_PROOF "\x20\0\x05\x01\0\0\0\x01"

START_TEST(the_bytes_for_ipv4)
{
	struct address from = address("192.0.2.1:4660");
	struct address to = address("[::ffff:198.51.100.7]:443");
	struct proxy_facts facts = FROM(&from, &to);

	EXPECT_BYTES(&facts, "\x21\x11\0\x14\xc0\0\x02\x01\xc6\x33\x64\x07\x12\x34\x01"
			     "\xbb" NO_PROOF);
}
END_TEST

START_TEST(the_bytes_for_ipv6)
{
	struct address from = address("192.0.2.1:4660");
	struct address to = address("[2001:db8::7]:443");
	struct proxy_facts facts = FROM(&from, &to);

	EXPECT_BYTES(&facts, "\x21\x21\0\x2c"
			     "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x01"
			     "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
			     "\x12\x34\x01\xbb" NO_PROOF);
}
END_TEST

START_TEST(the_bytes_without_two_addresses_say_unspecified)
{
	struct address from = address("192.0.2.1:4660"), to = address("unix");
	struct proxy_facts facts = FROM(&from, &to);

	facts.sni = "a.example";
	EXPECT_BYTES(&facts, "\x21\0\0\x14\x02\0\x09"
			     "a.example" NO_PROOF);
}
END_TEST

START_TEST(all_that_is_known_stands_behind_the_addresses)
{
	struct address from = address("192.0.2.1:4660");
	struct address to = address("198.51.100.7:443");
	struct proxy_facts facts = {
	    .from = &from,
	    .to = &to,
	    .sni = "orders.apps.example",
	    .tls = "TLSv1.3",
	    .cipher = "TLS_AES_128_GCM_SHA256",
	    .common_name = "B\xc3\xbcro",
	    .shown = true,
	    .shown_now = true,
	    .verified = true,
	};

	EXPECT_BYTES(&facts, "\x21\x11\0\x55\xc0\0\x02\x01\xc6\x33\x64\x07\x12\x34\x01"
			     "\xbb\x02\0\x13orders.apps.example"
			     "\x20\0\x30\x07\0\0\0\0"
			     "\x21\0\x07TLSv1.3"
			     "\x22\0\x05"
			     "B\xc3\xbcro"
			     "\x23\0\x16TLS_AES_128_GCM_SHA256");
}
END_TEST

/* What the fifth TLV byte and the four behind it say of the peer's certificate. */
static void
expect_proof(bool shown, bool shown_now, bool verified, const char proof[5])
{
	struct address none = address("unix");
	struct proxy_facts facts = FROM(&none, &none);
	uint8_t out[PROXY_PROTOCOL_SIZE];

	facts.shown = shown;
	facts.shown_now = shown_now;
	facts.verified = verified;
	ck_assert_uint_eq(proxy_protocol_write(out, 2, &facts), 16 + 3 + 5);
	ck_assert_mem_eq(out + 16 + 3, proof, 5);
}

START_TEST(a_certificate_of_the_connection_one_of_the_session_and_none_are_told_apart)
{
	expect_proof(true, true, true, "\x07\0\0\0\0");
	expect_proof(true, false, true, "\x05\0\0\0\0");
	expect_proof(true, true, false, "\x07\0\0\0\x01");
	expect_proof(false, false, false, "\x01\0\0\0\x01");
	/* Who showed nothing has proved nothing. */
	expect_proof(false, true, true, "\x01\0\0\0\x01");
}
END_TEST

/* A part of a name would be another name. */
START_TEST(a_text_that_is_too_long_is_left_out_and_not_cut)
{
	struct address none = address("unix");
	struct proxy_facts facts = FROM(&none, &none);
	char text[PROXY_PROTOCOL_TEXT + 2] = "";
	uint8_t out[PROXY_PROTOCOL_SIZE];

	memset(text, 'x', PROXY_PROTOCOL_TEXT);
	facts.sni = facts.tls = facts.cipher = facts.common_name = text;
	ck_assert_uint_eq(proxy_protocol_write(out, 2, &facts),
	    16 + 8 + 4 * (3 + (size_t)PROXY_PROTOCOL_TEXT));
	ck_assert_mem_eq(out + 12, "\x21\0\x04\x14\x02\x01\0xxx", 10);
	text[PROXY_PROTOCOL_TEXT] = 'x';
	EXPECT_BYTES(&facts, "\x21\0\0\x08" NO_PROOF);
}
END_TEST

START_TEST(the_largest_header_fits)
{
	struct address from = address("[2001:db8::7]:1"), to = address("[::1]:2");
	struct proxy_facts facts = FROM(&from, &to);
	char text[PROXY_PROTOCOL_TEXT + 1] = "";
	uint8_t out[PROXY_PROTOCOL_SIZE];

	memset(text, 'x', PROXY_PROTOCOL_TEXT);
	facts.sni = facts.tls = facts.cipher = facts.common_name = text;
	ck_assert_uint_eq(proxy_protocol_write(out, 2, &facts), PROXY_PROTOCOL_SIZE);
}
END_TEST

/* The lengths alone say where a text ends. */
START_TEST(what_a_peer_names_cannot_leave_its_place)
{
	struct address none = address("unix");
	struct proxy_facts facts = FROM(&none, &none);

	facts.sni = "\r\n\x22";
	EXPECT_BYTES(&facts, "\x21\0\0\x0e\x02\0\x03\r\n\x22" NO_PROOF);
}
END_TEST

/* ---- reading --------------------------------------------------------------------- */

/* @text is an address, shown as @shown. */
static void
reads(const char *text, const char *shown)
{
	struct address a;
	char out[ADDRESS_TEXT_SIZE];

	ck_assert_msg(proxy_protocol_read_address(&a, text), "%s", text);
	ck_assert_str_eq(address_format(&a, out, sizeof(out)), shown);
}

START_TEST(an_address_is_read_as_it_is_written)
{
	reads("192.0.2.1:51234", "192.0.2.1:51234");
	reads("[2001:db8::7]:4711", "[2001:db8::7]:4711");
	reads("[::1]:65535", "[::1]:65535");
	reads("[::ffff:192.0.2.1]:80", "192.0.2.1:80");
}
END_TEST

START_TEST(an_address_may_lack_its_port)
{
	reads("192.0.2.1", "192.0.2.1:0");
	reads("[2001:db8::7]", "[2001:db8::7]:0");
}
END_TEST

START_TEST(an_interface_of_another_host_is_passed_over)
{
	reads("[fe80::1%eth0]:80", "[fe80::1]:80");
	reads("[fe80::1%lo]", "[fe80::1]:0");
	reads("[fe80::1%1]:80", "[fe80::1]:80");
}
END_TEST

START_TEST(nothing_but_numbers_is_an_address)
{
	static const char *const texts[] = {"", "unknown", "_hidden", "unix", "@app",
	    "/run/app.sock", "localhost:80", "localhost", "example.com:443", "nobody",
	    "192.0.2.1:", "192.0.2.1:http", "192.0.2.1:80 ", " 192.0.2.1:80",
	    "192.0.2.1:-1", "192.0.2.1:+80", "192.0.2.1:65536", "192.0.2.1:000080",
	    "192.0.2.1:80:80", "192.0.2.1:80\r\n", "192.0.2.1\r\nPROXY", "192.0.2", "1",
	    "192.0.2.256:1", "192.0.02.1:1", "0x7f.1:80", "2130706433:80", "[", "[]",
	    "[]:80", "]:80", "[::1", "[::1:80", "[::1]80", "[::1]:", "[::1]]:80",
	    "[[::1]]:80", "[::1]:80]", "[192.0.2.1]:80", "::1", "::1:80", "2001:db8::7",
	    "[2001:db8::7::1]:80", "[%eth0]:80", "[::1%", "[::g]:80",
	    "192.0.2.1:80, 192.0.2.2:80", "PROXY TCP4 1.2.3.4 1.2.3.4 1 1",
	    "\xff\xff\xff\xff", "[0000000000000000000000000000000000000000000000001]:1",
	    "111111111111111111111111111111111111111111111111111111111111:1"};
	struct address a;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(!proxy_protocol_read_address(&a, texts[i]), "%s", texts[i]);
}
END_TEST

UNIT_MAIN("proxy_header", the_line_for_ipv4, the_line_for_ipv6,
    a_mapped_address_is_an_ipv4_one,
    an_ipv4_address_beside_an_ipv6_one_is_mapped_in_hexadecimal,
    the_line_without_two_addresses_says_unknown, the_bytes_for_ipv4, the_bytes_for_ipv6,
    the_bytes_without_two_addresses_say_unspecified,
    all_that_is_known_stands_behind_the_addresses,
    a_certificate_of_the_connection_one_of_the_session_and_none_are_told_apart,
    a_text_that_is_too_long_is_left_out_and_not_cut, the_largest_header_fits,
    what_a_peer_names_cannot_leave_its_place, an_address_is_read_as_it_is_written,
    an_address_may_lack_its_port, an_interface_of_another_host_is_passed_over,
    nothing_but_numbers_is_an_address)
