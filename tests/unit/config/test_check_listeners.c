/* Where services listen, and dial, compared with each other. */
#include "tests/unit/settings_file.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

/* Two sections that accept so, and dial another host. */
#define PAIR                                                                             \
	"%s[a]\naccept = %s\nconnect = a.example:443\n%s"                                \
	"[b]\naccept = %s\nconnect = b.example:443\n%s"

static const char *
pair(const char *head, const char *a, const char *a_more, const char *b,
    const char *b_more)
{
	static char text[1024];

	snprintf(text, sizeof(text), PAIR, head, a, a_more, b, b_more);
	return text;
}

static const struct {
	const char *a, *b;
} overlapping[] = {
    {"127.0.0.1:5432", "127.0.0.1:5432"},
    {"[::1]:5432", "::1:5432"},
    {"localhost:5432", "127.0.0.1:5432"},
    {"127.0.0.1:5432", "localhost:5432"},
    {"5432", "5432"},
    {"127.0.0.1:5432", "5432"},
    {"5432", "127.0.0.1:5432"},
    {"5432", ":::5432"},
    {":::5432", "192.0.2.1:5432"},
    {":::5432", "::1:5432"},
    {"0.0.0.0:5432", ":::5432"},
    {"/run/x/socket", "/run/x/socket"},
};

START_TEST(two_that_cannot_both_listen_are_an_error_that_names_both_lines)
{
	char why[512];

	for (size_t i = 0; i < sizeof(overlapping) / sizeof(overlapping[0]); i++) {
		const char *a = overlapping[i].a, *b = overlapping[i].b;

		snprintf(why, sizeof(why),
		    ":5: \"accept = %s\": [b] cannot listen here, for [a] does by line "
		    "2, \"accept = %s\": write another port, or remove one of the two",
		    b, a);
		settings_refused(ROLE_CLIENT, pair("", a, "", b, ""), why);
	}
}
END_TEST

static const struct {
	const char *a, *a_more, *b, *b_more;
} apart[] = {
    {"127.0.0.1:5432", "", "127.0.0.1:5433", ""},
    {"127.0.0.1:5432", "", "127.0.0.2:5432", ""},
    {"127.0.0.1:5432", "", "::1:5432", ""},
    {"0.0.0.0:5432", "", "::1:5432", ""},
    {"127.0.0.1:0", "", "127.0.0.1:0", ""},
    {"0.0.0.0:5432", "", ":::5432", "socket = a:IPV6_V6ONLY=yes\n"},
    {":::5432", "socket = a:IPV6_V6ONLY=yes\n", "127.0.0.1:5432", ""},
    {"127.0.0.1:5432", "socket = a:SO_BINDTODEVICE=lo\n", "5432", ""},
    {"one.example:5432", "", "5432", ""},
    {"/run/x", "", "/run/y", ""},
};

START_TEST(those_that_the_system_has_beside_each_other_are_good)
{
	for (size_t i = 0; i < sizeof(apart) / sizeof(apart[0]); i++) {
		settings_release(settings_from(ROLE_CLIENT,
		    pair("", apart[i].a, apart[i].a_more, apart[i].b, apart[i].b_more)));
	}
}
END_TEST

START_TEST(the_status_port_and_lines_of_one_section_are_compared_too)
{
	settings_refused(ROLE_CLIENT,
	    pair("status = 127.0.0.1:8080\n", "5432", "", "8080", ""),
	    ":6: \"accept = 8080\": [b] cannot listen here, for the status port does by "
	    "line 1, \"status = 127.0.0.1:8080\": write another port, or remove one of "
	    "the two");
	settings_refused_with(ROLE_CLIENT,
	    pair("", "5432", "accept = 127.0.0.1:5432\n", "5433", ""),
	    ":4: \"accept = 127.0.0.1:5432\": [a] cannot listen here, for [a] does by "
	    "line 2");
	settings_refused_with(ROLE_CLIENT,
	    pair("status = 1\nstatus = 1\n", "2", "", "3", ""),
	    ":2: \"status = 1\": the status port cannot listen here");
}
END_TEST

START_TEST(accept_before_the_first_section_serves_one_section_alone)
{
	settings_refused(ROLE_CLIENT, pair("accept = 1\n", "2", "", "3", ""),
	    ":1: \"accept = 1\": it holds for [a] and for [b], and one socket cannot "
	    "serve both: write accept in each section");
}
END_TEST

START_TEST(services_of_the_other_program_may_listen_there)
{
	settings_release(settings_from(ROLE_CLIENT,
	    pair("", "5432", "", "5432", "client = no\ncert = c\nCAfile = d\n")));
}
END_TEST

/* ---- connect that leads back ------------------------------------------------------ */

#define SNI "sni = a.example\n"

static const struct {
	const char *accept, *connect;
} own[] = {
    {"127.0.0.1:5432", "127.0.0.1:5432"},
    {"127.0.0.1:5432", "5432"},
    {"5432", "5432"},
    {"0.0.0.0:5432", "127.1.2.3:5432"},
    {"0.0.0.0:5432", "0.0.0.0:5432"},
    {":::5432", "127.0.0.1:5432"},
    {"192.0.2.1:5432", "192.0.2.1:5432"},
    {"/run/x", "/run/x"},
};

START_TEST(connect_that_is_the_own_accept_is_an_error)
{
	char text[512], why[512];

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		snprintf(text, sizeof(text), "[a]\naccept = %s\n" SNI "connect = %s\n",
		    own[i].accept, own[i].connect);
		snprintf(why, sizeof(why),
		    ":4: \"connect = %s\": this is where [a] accepts, by line 2, so "
		    "that each stream would open another one without end: write where "
		    "the other end is",
		    own[i].connect);
		settings_refused(ROLE_CLIENT, text, why);
	}
}
END_TEST

START_TEST(a_loop_through_other_sections_is_one_too)
{
	settings_refused_with(ROLE_CLIENT,
	    "[a]\naccept = 1\n" SNI "connect = 2\n"
	    "[b]\naccept = 2\n" SNI "connect = b.example:443\nconnect = 1\n",
	    ":4: \"connect = 2\": this is where [b] accepts, by line 6");
	settings_refused_with(ROLE_SERVER,
	    "cert = c\nCAfile = d\n[a]\naccept = 1\nconnect = 2\n"
	    "[b]\nsni = a:b.example\nconnect = 1\n",
	    ":8: \"connect = 1\": this is where [a] accepts, by line 4");
}
END_TEST

START_TEST(one_section_behind_another_is_none)
{
	settings_release(
	    settings_from(ROLE_CLIENT, "[a]\naccept = 1\n" SNI "connect = 2\n"
				       "[b]\naccept = 2\nconnect = b.example:443\n"));
	settings_release(
	    settings_from(ROLE_CLIENT, "[a]\naccept = 127.0.0.1:1\n" SNI
				       "connect = ::1:1\nconnect = 192.0.2.1:1\n"));
	settings_release(settings_from(
	    ROLE_SERVER, "cert = c\nCAfile = d\n[a]\naccept = 1\nconnect = 2\n"));
}
END_TEST

UNIT_MAIN("settings_listeners",
    two_that_cannot_both_listen_are_an_error_that_names_both_lines,
    those_that_the_system_has_beside_each_other_are_good,
    the_status_port_and_lines_of_one_section_are_compared_too,
    accept_before_the_first_section_serves_one_section_alone,
    services_of_the_other_program_may_listen_there,
    connect_that_is_the_own_accept_is_an_error, a_loop_through_other_sections_is_one_too,
    one_section_behind_another_is_none)
