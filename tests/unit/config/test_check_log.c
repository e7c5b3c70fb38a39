#include "tests/unit/settings_file.h"
#include "tests/unit/unit.h"

#include <string.h>
#include <syslog.h>

START_TEST(a_daemon_logs_to_the_system_unless_told_otherwise)
{
	static const struct {
		const char *lines;
		bool syslog;
	} cases[] = {
	    {"", false},
	    {"foreground = quiet\n", false},
	    {"foreground = no\n", true},
	    {"foreground = no\nsyslog = no\n", false},
	    {"syslog = yes\n", true},
	};
	char text[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct settings *settings;

		snprintf(text, sizeof(text), "%s" CLIENT, cases[i].lines);
		settings = settings_from(ROLE_CLIENT, text);
		ck_assert_msg(settings->syslog == cases[i].syslog, "%s", text);
		settings_release(settings);
	}
}
END_TEST

START_TEST(the_name_in_the_systems_log_is_the_programs_unless_written)
{
	struct settings *settings = settings_from(ROLE_CLIENT, CLIENT);

	ck_assert_str_eq(settings->service, "routeport-client");
	settings_release(settings);
	settings =
	    settings_from(ROLE_SERVER, "service = stunnel\n" SERVER "CAfile = d\n");
	ck_assert_str_eq(settings->service, "stunnel");
	settings_release(settings);
}
END_TEST

START_TEST(a_facility_stands_in_front_of_the_level)
{
	struct settings *settings = settings_from(ROLE_CLIENT, "debug = 7\n" CLIENT);

	ck_assert_int_eq(settings->facility, LOG_DAEMON);
	settings_release(settings);
	settings = settings_from(
	    ROLE_CLIENT, "debug = local0.info\nDebug = AuthPriv.debug\n" CLIENT);
	ck_assert_int_eq(settings->facility, LOG_AUTHPRIV);
	ck_assert_int_eq(settings->debug, LOG_LEVEL_DEBUG);
	settings_release(settings);
	settings_refused_with(ROLE_CLIENT, "\ndebug = local9.info\n" CLIENT,
	    ":2: \"debug = local9.info\": local9 is no facility: those are auth, ");
}
END_TEST

START_TEST(a_log_file_is_appended_to_unless_written)
{
	struct settings *settings = settings_from(ROLE_CLIENT, CLIENT);

	ck_assert_int_eq(settings->log_mode, LOG_APPEND);
	settings_release(settings);
	settings = settings_from(ROLE_CLIENT, "log = overwrite\n" CLIENT);
	ck_assert_int_eq(settings->log_mode, LOG_OVERWRITE);
	settings_release(settings);
	settings_refused_with(
	    ROLE_CLIENT, "log = /var/log/x\n" CLIENT, "log takes append, overwrite");
}
END_TEST

START_TEST(streams_are_numbered_as_a_section_says)
{
	struct settings *settings = settings_from(ROLE_CLIENT,
	    "logId = unique\n" CLIENT "[b]\naccept = ::1:1\nconnect = b.example:443\n"
	    "logId = none\n");

	ck_assert_int_eq(settings->services[0].log_id, LOG_ID_UNIQUE);
	ck_assert_int_eq(settings->services[1].log_id, LOG_ID_NONE);
	settings_release(settings);
}
END_TEST

UNIT_MAIN("settings_log", a_daemon_logs_to_the_system_unless_told_otherwise,
    the_name_in_the_systems_log_is_the_programs_unless_written,
    a_facility_stands_in_front_of_the_level, a_log_file_is_appended_to_unless_written,
    streams_are_numbered_as_a_section_says)
