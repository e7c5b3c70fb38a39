#include "common/config/settings.h"

#include "common/config/unsupported.h"
#include "tests/unit/memory_file.h"
#include "tests/unit/settings_file.h"
#include "tests/unit/unit.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

START_TEST(global_defaults_are_those_of_the_table)
{
	struct settings *settings = settings_from(ROLE_CLIENT, CLIENT);
	struct service_settings *s = &settings->services[0];

	ck_assert_int_eq(settings->debug, LOG_LEVEL_INFO);
	ck_assert_ptr_null(settings->output);
	ck_assert_ptr_null(settings->pid);
	ck_assert_int_eq(settings->foreground, FOREGROUND_YES);
	ck_assert_int_eq(settings->workers, 0);
	ck_assert_int_eq(settings->max_connections, 0);
	ck_assert_double_eq(settings->timeout_drain, 15);
	ck_assert_double_eq(s->timeout_busy, 30);
	ck_assert_double_eq(s->timeout_close, 60);
	ck_assert_double_eq(s->timeout_connect, 10);
	ck_assert_double_eq(s->timeout_idle, 43200);
	settings_release(settings);
}
END_TEST

START_TEST(global_options_are_read_before_the_first_section)
{
	struct settings *settings = settings_from(ROLE_CLIENT,
	    "debug = daemon.warning\noutput = /var/log/x\npid =\nforeground = quiet\n"
	    "WORKERS = 3\nmaxConnections = 100\nTIMEOUTdrain = 0\n" CLIENT);

	ck_assert_int_eq(settings->debug, LOG_LEVEL_WARNING);
	ck_assert_str_eq(settings->output, "/var/log/x");
	ck_assert_ptr_null(settings->pid);
	ck_assert_int_eq(settings->foreground, FOREGROUND_QUIET);
	ck_assert_int_eq(settings->workers, 3);
	ck_assert_int_eq(settings->max_connections, 100);
	ck_assert_double_eq(settings->timeout_drain, 0);
	settings_release(settings);
}
END_TEST

START_TEST(debug_takes_the_levels_of_syslog_by_name_or_number)
{
	static const struct {
		const char *line;
		enum log_level level;
	} cases[] = {
	    {"debug = 0\n", LOG_LEVEL_ERROR},
	    {"debug = 3\n", LOG_LEVEL_ERROR},
	    {"debug = crit\n", LOG_LEVEL_ERROR},
	    {"debug = 4\n", LOG_LEVEL_WARNING},
	    {"debug = 5\n", LOG_LEVEL_INFO},
	    {"debug = notice\n", LOG_LEVEL_INFO},
	    {"debug = 6\n", LOG_LEVEL_INFO},
	    {"debug = 7\n", LOG_LEVEL_DEBUG},
	    {"debug = Local0.Debug\n", LOG_LEVEL_DEBUG},
	};
	char text[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct settings *settings;

		snprintf(text, sizeof(text), "%s" CLIENT, cases[i].line);
		settings = settings_from(ROLE_CLIENT, text);
		ck_assert_int_eq(settings->debug, cases[i].level);
		settings_release(settings);
	}
	settings_refused_with(ROLE_CLIENT, "debug = 8\n" CLIENT,
	    "debug takes [FACILITY.]LEVEL, which is 0 to 7, or emerg");
	settings_refused_with(ROLE_CLIENT, "debug = verbose\n" CLIENT,
	    "debug takes [FACILITY.]LEVEL, which is 0 to 7, or emerg");
}
END_TEST

START_TEST(a_global_option_in_a_section_is_an_error)
{
	settings_refused(ROLE_CLIENT, CLIENT "output = x\n",
	    ":4: \"output = x\": output holds for all services: write it before the "
	    "first [section]");
}
END_TEST

START_TEST(debug_in_a_section_holds_where_it_asks_for_more)
{
	static const struct {
		const char *text;
		enum log_level level;
	} cases[] = {
	    {CLIENT "debug = 7\n", LOG_LEVEL_DEBUG},
	    {CLIENT "debug = 3\n", LOG_LEVEL_INFO},
	    {"debug = err\n" CLIENT "debug = warning\n", LOG_LEVEL_WARNING},
	    {"debug = 7\n" CLIENT "debug = 3\n", LOG_LEVEL_DEBUG},
	    {CLIENT "[other]\nclient = no\ndebug = 7\n", LOG_LEVEL_INFO},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct settings *settings = settings_from(ROLE_CLIENT, cases[i].text);

		ck_assert_int_eq(settings->debug, cases[i].level);
		settings_release(settings);
	}
	settings_refused_with(ROLE_CLIENT, CLIENT "debug = verbose\n",
	    ":4: \"debug = verbose\": debug takes [FACILITY.]LEVEL");
}
END_TEST

START_TEST(service_options_before_the_first_section_are_defaults_for_all)
{
	struct settings *settings = settings_from(ROLE_CLIENT,
	    "TIMEOUTidle = 60\nCAfile = a.pem\nverifyChain = no\n"
	    "[one]\naccept = ::1:1\nconnect = one.example:443\nverifyChain = yes\n"
	    "[two]\naccept = ::1:2\nconnect = two.example:443\nTIMEOUTidle = 30\n"
	    "TIMEOUTidle = 20\n");
	struct service_settings *one = &settings->services[0];
	struct service_settings *two = &settings->services[1];

	ck_assert_uint_eq(settings->service_count, 2);
	ck_assert_double_eq(one->timeout_idle, 60);
	ck_assert_double_eq(two->timeout_idle, 20);
	ck_assert_str_eq(one->ca_file, "a.pem");
	ck_assert_str_eq(two->ca_file, "a.pem");
	ck_assert(one->verify_chain);
	ck_assert(!two->verify_chain);
	ck_assert_int_eq(two->line, 8);
	settings_release(settings);
}
END_TEST

START_TEST(repeatable_lines_of_a_section_add_to_the_defaults)
{
	struct settings *settings = settings_from(ROLE_CLIENT,
	    "accept = ::1:1\nconnect = a.example:443\ncheckHost = a\n"
	    "[x]\naccept = ::1:2\nconnect = b.example:443\ncheckHost = b\nsni = s\n");
	struct service_settings *s = &settings->services[0];

	ck_assert_uint_eq(s->accept.count, 2);
	ck_assert_uint_eq(s->connect.count, 2);
	ck_assert_str_eq(s->connect.items[0].host, "a.example");
	ck_assert_str_eq(s->connect.items[1].host, "b.example");
	ck_assert_uint_eq(s->check_host.count, 2);
	ck_assert_str_eq(s->check_host.items[1], "b");
	ck_assert_str_eq(settings_warnings(), "");
	settings_release(settings);
}
END_TEST

START_TEST(certificates_of_a_section_replace_those_of_the_defaults)
{
	struct settings *settings = settings_from(ROLE_CLIENT,
	    "cert = a\ncert = b\nkey = c\nkey = d\n" CLIENT
	    "cert = e\ncert = f\ncert = g\nkey = h\nkey = i\nkey = j\n"
	    "[x]\naccept = ::1:1\nconnect = x.example:443\n");
	const struct service_settings *one = &settings->services[0];
	const struct service_settings *two = &settings->services[1];

	ck_assert_uint_eq(one->cert.count, 3);
	ck_assert_str_eq(one->cert.items[0], "e");
	ck_assert_str_eq(one->key.items[2], "j");
	ck_assert_uint_eq(two->cert.count, 2);
	ck_assert_str_eq(two->key.items[1], "d");
	settings_release(settings);
}
END_TEST

START_TEST(all_files_of_a_service_are_known)
{
	struct settings *settings = settings_from(ROLE_SERVER,
	    SERVER "CAfile = ca\nCApath = /ca\nCAstore = file:///store\nCRLfile = crl\n"
		   "CRLpath = /crls\nkeyPassFile = pass\nPSKsecrets = psk\n");
	static const char *const expected[] = {
	    "c.pem", "c.pem", "ca", "/ca", "/store", "crl", "/crls", "pass", "psk"};
	const char *paths[SETTINGS_FILES];
	size_t count = settings_files(&settings->services[0], paths);

	ck_assert_uint_eq(count, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < count; i++)
		ck_assert_str_eq(paths[i], expected[i]);
	settings_release(settings);
	settings = settings_from(ROLE_CLIENT, CLIENT "CAstore = pkcs11:token=x\n");
	ck_assert_uint_eq(settings_files(&settings->services[0], paths), 0);
	settings_release(settings);
}
END_TEST

START_TEST(names_of_options_and_words_are_taken_in_any_case)
{
	struct settings *settings = settings_from(ROLE_CLIENT,
	    "[x]\nACCEPT = ::1:1\nConnect = x.example:443\nVERIFYCHAIN = No\n"
	    "SSLVERSIONMIN = tlsv1.3\nCurve = X25519\n");

	ck_assert(!settings->services[0].verify_chain);
	ck_assert_int_eq(settings->services[0].tls_min, TLS1_3_VERSION);
	ck_assert_str_eq(settings->services[0].curves, "X25519");
	settings_release(settings);
}
END_TEST

START_TEST(each_program_runs_its_own_sections)
{
	static const char *const text =
	    "[a]\nclient = yes\naccept = ::1:1\nconnect = a.example:443\n"
	    "[b]\nclient = no\naccept = 2\nconnect = 3\ncert = c\nCAfile = d\n"
	    "[c]\nclient = yes\naccept = ::1:3\nconnect = c.example:443\n";
	struct settings *settings = settings_from(ROLE_CLIENT, text);

	ck_assert_uint_eq(settings->service_count, 2);
	ck_assert_str_eq(settings->services[0].name, "a");
	ck_assert_str_eq(settings->services[1].name, "c");
	settings_release(settings);
	settings = settings_from(ROLE_SERVER, text);
	ck_assert_uint_eq(settings->service_count, 1);
	ck_assert_str_eq(settings->services[0].name, "b");
	ck_assert_str_eq(settings->services[0].sni == NULL ? "" : "sni", "");
	settings_release(settings);
}
END_TEST

START_TEST(client_before_the_first_section_holds_for_all)
{
	settings_refused_with(ROLE_SERVER, "client = yes\n" CLIENT, "no section is for");
	settings_release(settings_from(ROLE_CLIENT, "client = yes\n" CLIENT));
}
END_TEST

START_TEST(a_file_with_none_of_the_programs_role_is_an_error)
{
	settings_refused(ROLE_CLIENT, SERVER "client = no\n",
	    ": no section is for routeport-client: it runs those with \"client = yes\", "
	    "or "
	    "without client; the sections here are for routeport-server");
	settings_refused(ROLE_SERVER, CLIENT "client = yes\n",
	    ": no section is for routeport-server: it runs those with \"client = no\", "
	    "or "
	    "without client; the sections here are for routeport-client");
}
END_TEST

START_TEST(sections_of_the_other_role_are_still_read_for_mistakes)
{
	settings_release(settings_from(ROLE_CLIENT, CLIENT "[b]\nclient = no\n"));
	settings_refused(ROLE_CLIENT, CLIENT "[b]\nclient = no\nconect = 1\n",
	    ":6: \"conect = 1\": there is no such option; the nearest one is connect");
	settings_refused_with(ROLE_CLIENT,
	    CLIENT "[b]\nclient = no\nTIMEOUTidle = soon\n",
	    ":6: \"TIMEOUTidle = soon\": TIMEOUTidle takes 1 to 31536000 seconds");
}
END_TEST

START_TEST(a_file_without_any_section_is_an_error)
{
	settings_refused_with(
	    ROLE_CLIENT, "accept = 1\nconnect = 2\n", ": there is no [section]: ");
	settings_refused_with(ROLE_CLIENT, "", ": there is no [section]: ");
}
END_TEST

START_TEST(two_sections_of_one_name_are_an_error)
{
	settings_refused(ROLE_CLIENT, CLIENT CLIENT,
	    ":4: \"[orders]\": a section of this name stands on line 1 already");
	settings_refused(ROLE_CLIENT, CLIENT "[ orders ]\n",
	    ":4: \"[orders]\": a section of this name stands on line 1 already");
}
END_TEST

START_TEST(a_service_needs_both_ends)
{
	settings_refused(ROLE_CLIENT, "[x]\nconnect = x.example:443\n",
	    ":1: \"[x]\": accept is missing: add \"accept = [HOST:]PORT\", where to "
	    "listen");
	settings_refused(ROLE_CLIENT, "\n\n[x]\naccept = ::1:1\n",
	    ":3: \"[x]\": connect is missing: add \"connect = [HOST:]PORT\", where to "
	    "forward to");
}
END_TEST

START_TEST(a_wrong_line_is_shown_with_its_number)
{
	settings_refused(ROLE_CLIENT, CLIENT "\n  TIMEOUTclose=-1  \n",
	    ":5: \"TIMEOUTclose=-1\": TIMEOUTclose takes 0 to 86400 seconds");
	settings_refused(ROLE_CLIENT, "connect = db:http\n" CLIENT,
	    ":1: \"connect = db:http\": \"http\" is no port: write its number (names of "
	    "ports are not looked up)");
	settings_refused(ROLE_CLIENT, CLIENT "just words\n",
	    ":4: \"just words\": there is no \"=\" in it: write NAME = VALUE");
	settings_refused(
	    ROLE_CLIENT, CLIENT "CAfile =\n", ":4: \"CAfile =\": CAfile needs a value");
}
END_TEST

/* All that stunnel 5.75 has of them. */
static const char *const refused[] = {"exec", "execArgs", "pty", "transparent", "ident",
    "libwrap", "redirect", "compression", "engine", "engineCtrl", "engineDefault",
    "engineId", "engineNum", "provider", "providerParameter", "CAengine", "EGD",
    "RNDbytes", "RNDfile", "RNDoverwrite", "sessiond", "stack", "taskbar", "iconActive",
    "iconError", "iconIdle", "setEnv", "protocolDomain"};

START_TEST(options_that_stunnel_has_and_routeport_will_not_have_are_refused_by_name)
{
	char text[256], part[256];

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		snprintf(text, sizeof(text), CLIENT "%s = x\n", refused[i]);
		snprintf(part, sizeof(part),
		    ":4: \"%s = x\": %s is refused: ", refused[i], refused[i]);
		settings_refused_with(ROLE_CLIENT, text, part);
		snprintf(text, sizeof(text), "%s = x\n" CLIENT, refused[i]);
		settings_refused_with(ROLE_CLIENT, text, " is refused: ");
	}
}
END_TEST

/* Behind the reason: another option, or a way to do without. */
START_TEST(a_refusal_says_what_to_do_instead)
{
	static const char *const ways[] = {"remove the line", "; name ", ": name ",
	    "; run ", ": set ", "protocolAuthentication = basic"};

	for (const struct option_refusal *r = settings_unsupported; r->names != NULL;
	     r++) {
		bool told = strstr(r->why, "is not supported yet") == r->why;

		for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
			told |= strstr(r->why, ways[i]) != NULL;
		ck_assert_msg(told, "%s %s", r->names, r->why);
	}
}
END_TEST

START_TEST(the_time_for_a_handshake_is_30_seconds_at_most)
{
	struct settings *settings =
	    settings_from(ROLE_CLIENT, "TIMEOUTbusy = 300\n" CLIENT);

	ck_assert_double_eq(settings->services[0].timeout_busy, 30);
	ck_assert_ptr_nonnull(strstr(settings_warnings(), "option=TIMEOUTbusy"));
	settings_release(settings);
	settings = settings_from(ROLE_CLIENT, CLIENT "TIMEOUTbusy = 7.5\n");
	ck_assert_double_eq(settings->services[0].timeout_busy, 7.5);
	settings_release(settings);
}
END_TEST

START_TEST(multiplex_is_used_where_the_peer_can)
{
	struct settings *settings = settings_from(ROLE_CLIENT, CLIENT);

	ck_assert_int_eq(settings->services[0].multiplex, MULTIPLEX_AUTO);
	settings_release(settings);
	settings = settings_from(ROLE_CLIENT, CLIENT "multiplex = no\n");
	ck_assert_int_eq(settings->services[0].multiplex, MULTIPLEX_NO);
	settings_release(settings);
	settings_refused_with(
	    ROLE_CLIENT, CLIENT "multiplex = 1\n", "multiplex takes auto, yes, no");
}
END_TEST

START_TEST(a_file_from_another_system_is_read_all_the_same)
{
	struct settings *settings = settings_from(ROLE_CLIENT,
	    "\xef\xbb\xbf; a note\r\n\r\n[my service.1]\r\n\taccept = 127.0.0.1:1\r\n"
	    "  connect=x.example:443  \r\nciphers = A ; B");

	ck_assert_str_eq(settings->services[0].name, "my service.1");
	ck_assert_uint_eq(settings->services[0].connect.count, 1);
	ck_assert_str_eq(settings->services[0].ciphers, "A ; B");
	settings_release(settings);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_an_error)
{
	struct err e = {.text = ""};

	ck_assert_ptr_null(settings_load("/nowhere/at/all", ROLE_CLIENT, &e));
	ck_assert_str_eq(e.text, "read /nowhere/at/all: No such file or directory");
}
END_TEST

START_TEST(nothing_is_nothing_to_free)
{
	settings_release(NULL);
}
END_TEST

START_TEST(the_options_of_a_role_are_printed)
{
	struct memory_file file = memory_file("", 0);
	FILE *out = fopen(file.path, "w");

	settings_print_options(out, ROLE_SERVER);
	settings_print_markdown(out);
	fclose(out);
	ck_assert_ptr_nonnull(
	    strstr(memory_file_text(&file), "\nTIMEOUTidle       43200 "));
	ck_assert_ptr_nonnull(
	    strstr(memory_file_text(&file), "\n| `protocolHost` | HOST:PORT | "));
	ck_assert_ptr_null(strstr(memory_file_text(&file), "\nprotocolHost "));
}
END_TEST

UNIT_MAIN("settings", global_defaults_are_those_of_the_table,
    global_options_are_read_before_the_first_section,
    debug_takes_the_levels_of_syslog_by_name_or_number,
    a_global_option_in_a_section_is_an_error,
    debug_in_a_section_holds_where_it_asks_for_more,
    service_options_before_the_first_section_are_defaults_for_all,
    repeatable_lines_of_a_section_add_to_the_defaults,
    certificates_of_a_section_replace_those_of_the_defaults,
    all_files_of_a_service_are_known, names_of_options_and_words_are_taken_in_any_case,
    each_program_runs_its_own_sections, client_before_the_first_section_holds_for_all,
    a_file_with_none_of_the_programs_role_is_an_error,
    sections_of_the_other_role_are_still_read_for_mistakes,
    a_file_without_any_section_is_an_error, two_sections_of_one_name_are_an_error,
    a_service_needs_both_ends, a_wrong_line_is_shown_with_its_number,
    options_that_stunnel_has_and_routeport_will_not_have_are_refused_by_name,
    a_refusal_says_what_to_do_instead, the_time_for_a_handshake_is_30_seconds_at_most,
    multiplex_is_used_where_the_peer_can, a_file_from_another_system_is_read_all_the_same,
    a_file_that_cannot_be_read_is_an_error, nothing_is_nothing_to_free,
    the_options_of_a_role_are_printed)
