#include "common/base/hostname.h"
#include "tests/unit/unit.h"

#include <string.h>

START_TEST(a_host_name_can_be_sent)
{
	static const char *const names[] = {"a", "orders.apps.example",
	    "xn--bcher-kva.example", "my_db.example", "1a.2b"};
	struct err e = {.text = ""};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ck_assert_msg(hostname_check(names[i], &e), "%s: %s", names[i], e.text);
		ck_assert(hostname_check_pattern(names[i], &e));
	}
}
END_TEST

START_TEST(what_is_no_host_name_cannot_be_sent)
{
	static const char *const names[] = {"", ".", "a..b", ".a", "a.", "a b", "a:443",
	    "192.0.2.1", "::1", "b\xc3\xbc", "*.a"};
	char label[80], name[300];
	struct err e = {.text = ""};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_msg(!hostname_check(names[i], &e), "%s", names[i]);
	memset(label, 'a', 64);
	label[64] = '\0';
	ck_assert(!hostname_check(label, &e));
	ck_assert_ptr_nonnull(strstr(e.text, "at most 63"));
	for (size_t i = 0; i < sizeof(name) - 1; i++)
		name[i] = i % 10 == 9 ? '.' : 'a';
	name[254] = '\0';
	ck_assert(!hostname_check(name, &e));
	ck_assert_ptr_nonnull(strstr(e.text, "at most 253"));
}
END_TEST

START_TEST(a_pattern_may_begin_with_a_star)
{
	static const char *const good[] = {
	    "*", "*.example", "*.apps.example", "*apps.example"};
	static const char *const bad[] = {
	    "", "a.*", "*.*.example", "**", "*.", "*..a", "*a b"};
	struct err e = {.text = ""};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(hostname_check_pattern(good[i], &e), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!hostname_check_pattern(bad[i], &e), "%s", bad[i]);
}
END_TEST

START_TEST(a_star_stands_for_anything_at_all)
{
	static const struct {
		const char *pattern, *name;
		bool fits;
	} cases[] = {
	    {"a.example", "a.example", true},
	    {"a.example", "A.Example", true},
	    {"a.example", "b.example", false},
	    {"a.example", "aa.example", false},
	    {"a.example", "", false},
	    {"*.example", "a.example", true},
	    {"*.EXAMPLE", "a.b.example", true},
	    {"*.example", "example", false},
	    {"*.example", "a.example.org", false},
	    {"*example", "anexample", true},
	    {"*", "a", true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(
		    hostname_fits(cases[i].pattern, cases[i].name) == cases[i].fits,
		    "%s %s", cases[i].pattern, cases[i].name);
}
END_TEST

START_TEST(a_name_is_read_out_of_a_client_hello)
{
	static const uint8_t good[] = {0, 6, 0, 0, 3, 'a', '.', 'b'};
	char name[SERVER_NAME_SIZE] = "";

	ck_assert(hostname_read(good, sizeof(good), name));
	ck_assert_str_eq(name, "a.b");
}
END_TEST

START_TEST(what_is_no_name_is_not_read)
{
	static const uint8_t bad[][9] = {
	    {0, 6, 1, 0, 3, 'a', '.', 'b'},  /* another type */
	    {0, 7, 0, 0, 3, 'a', '.', 'b'},  /* a longer list than there is */
	    {0, 5, 0, 0, 3, 'a', '.', 'b'},  /* a shorter one */
	    {0, 6, 0, 0, 4, 'a', '.', 'b'},  /* a longer name than there is */
	    {0, 6, 0, 0, 0, 'a', '.', 'b'},  /* none */
	    {0, 6, 0, 0, 3, 'a', '\0', 'b'}, /* a NUL byte */
	};
	uint8_t large[2 + 3 + SERVER_NAME_SIZE] = {1, 3, 0, 1, 0};
	char name[SERVER_NAME_SIZE] = "as before";

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert(!hostname_read(bad[i], 8, name));
	for (size_t n = 0; n < 5; n++)
		ck_assert(!hostname_read(bad[0], n, name));
	memset(large + 5, 'a', SERVER_NAME_SIZE);
	ck_assert(!hostname_read(large, sizeof(large), name));
	ck_assert_str_eq(name, "as before");
}
END_TEST

UNIT_MAIN("server_name", a_host_name_can_be_sent, what_is_no_host_name_cannot_be_sent,
    a_pattern_may_begin_with_a_star, a_star_stands_for_anything_at_all,
    a_name_is_read_out_of_a_client_hello, what_is_no_name_is_not_read)
