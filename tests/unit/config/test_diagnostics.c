/*
 * All that is wrong with a file, as --check tells it.
 */
#include "common/config/settings.h"
#include "tests/unit/memory_file.h"
#include "tests/unit/settings_file.h"
#include "tests/unit/unit.h"

#include <string.h>

struct told {
	const char *file;
	char text[4096];
};

/* Each fault on a line of its own, without the file's name. */
static void
tell(void *owner, const char *text)
{
	struct told *told = owner;

	if (strncmp(text, told->file, strlen(told->file)) == 0)
		text += strlen(told->file);
	strncat(told->text, text, sizeof(told->text) - strlen(told->text) - 2);
	strcat(told->text, "\n");
}

static size_t
count_good(const struct settings *settings)
{
	size_t good = 0;

	for (size_t i = 0; i < settings->service_count; i++)
		good += !settings->services[i].faulty;
	return good;
}

/* These faults, one a line, and so many services with which nothing is wrong. */
static void
expect_faults(enum role role, const char *text, const char *faults, size_t good)
{
	struct memory_file file = memory_file(text, strlen(text));
	struct told told = {.file = file.path};
	struct diagnostics all = {.tell = tell, .owner = &told};
	struct settings *settings = settings_load_all(file.path, role, &all);

	diagnostics_print(&all);
	ck_assert_ptr_nonnull(settings);
	ck_assert_str_eq(told.text, faults);
	ck_assert_uint_eq(count_good(settings), good);
	settings_release(settings);
}

START_TEST(the_first_fault_ends_the_look_unless_somebody_is_told)
{
	struct diagnostics first = {0};
	struct told told = {.file = "no file"};
	struct diagnostics all = {.tell = tell, .owner = &told};
	struct err e = {.text = "one"};

	ck_assert(!diagnostics_note(&first, &e));
	ck_assert(diagnostics_note(&all, &e));
	e = (struct err){.text = "two"};
	ck_assert(diagnostics_note(&all, &e));
	ck_assert_str_eq(first.first.text, "one");
	ck_assert_uint_eq(first.count, 1);
	ck_assert_str_eq(all.first.text, "one");
	ck_assert_uint_eq(all.count, 2);
	diagnostics_print(&all);
	ck_assert_str_eq(told.text, "one\ntwo\n");
}
END_TEST

START_TEST(they_are_told_in_the_order_of_their_lines_and_each_once)
{
	struct told told = {.file = "no file"};
	struct diagnostics all = {.tell = tell, .owner = &told};
	static const struct err found[] = {{"nine", 9}, {"two", 2}, {"nine", 9},
	    {"none", 0}, {"two again", 2}, {"two", 2}};

	for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++)
		ck_assert(diagnostics_note(&all, &found[i]));
	ck_assert_str_eq(told.text, "");
	diagnostics_print(&all);
	ck_assert_str_eq(told.text, "none\ntwo\ntwo again\nnine\n");
	ck_assert_uint_eq(all.count, 6);
	diagnostics_print(&all);
	ck_assert_str_eq(told.text, "none\ntwo\ntwo again\nnine\n");
}
END_TEST

START_TEST(a_default_that_is_wrong_is_one_fault)
{
	expect_faults(ROLE_CLIENT,
	    "sslVersion = TLSv1.1\n" CLIENT
	    "[b]\naccept = 127.0.0.1:2\nconnect = b.example:443\n",
	    ":1: \"sslVersion = TLSv1.1\": routeport speaks TLS 1.2 and 1.3 alone, for "
	    "what is older is broken: remove the line or write TLSv1.2\n",
	    0);
}
END_TEST

START_TEST(a_good_file_has_none)
{
	expect_faults(ROLE_CLIENT, CLIENT, "", 1);
}
END_TEST

#define MISSING(section)                                                                 \
	section                                                                          \
	    "accept is missing: add \"accept = [HOST:]PORT\", where to listen\n" section \
	    "connect is missing: add \"connect = [HOST:]PORT\", where to forward to\n"

START_TEST(lines_that_are_none_are_all_told)
{
	expect_faults(ROLE_CLIENT, "one\n" CLIENT "two\n= 3\n[more\n[two] x\n[]\n",
	    ":1: \"one\": there is no \"=\" in it: write NAME = VALUE\n"
	    ":5: \"two\": there is no \"=\" in it: write NAME = VALUE\n"
	    ":6: \"= 3\": no name stands before the \"=\"\n"
	    ":7: \"[more\": \"]\" is missing\n" MISSING(
		":7: \"[more]\": ") ":8: \"[two] "
				    "x\": text "
				    "stands "
				    "behind "
				    "\"]"
				    "\""
				    "\n" MISSING(
					":8: \"[two]\": ") ":9: \"[]\": a section needs "
							   "a name\n" MISSING(":9: "
									      "\"[]\":"
									      " "),
	    1);
}
END_TEST

START_TEST(faults_of_several_sections_are_all_told)
{
	expect_faults(ROLE_CLIENT,
	    "debug = loud\nTIMEOUTidle = soon\nexec = sh\n"
	    "[a]\naccept = 1x\nconnect = a.example:443\nverifyChain = maybe\n"
	    "[b]\naccept = ::1:1\nconect = b.example:443\nfailover = r\n"
	    "[c]\naccept = ::1:2\nconnect = c.example:443\n"
	    "[c]\naccept = ::1:3\n"
	    "[d]\nclient = no\ncert =\n",
	    ":1: \"debug = loud\": debug takes [FACILITY.]LEVEL, which is 0 to 7, or "
	    "emerg, alert, crit, err, "
	    "warning, notice, info, debug\n"
	    ":2: \"TIMEOUTidle = soon\": TIMEOUTidle takes 1 to 31536000 seconds\n"
	    ":3: \"exec = sh\": exec is refused: routeport starts no programs; run the "
	    "program as a TCP server and name it by connect\n"
	    ":5: \"accept = 1x\": \"1x\" is no port: write its number (names of ports "
	    "are "
	    "not looked up)\n"
	    ":7: \"verifyChain = maybe\": verifyChain takes yes, no\n"
	    ":10: \"conect = b.example:443\": there is no such option; the nearest one "
	    "is "
	    "connect\n"
	    ":11: \"failover = r\": failover takes prio, rr\n"
	    ":15: \"[c]\": a section of this name stands on line 12 already\n"
	    ":19: \"cert =\": cert needs a value\n",
	    1);
}
END_TEST

START_TEST(a_section_may_have_several)
{
	expect_faults(ROLE_CLIENT,
	    "[a]\nconnect = a.example:443\nkey = k\nsslVersion = TLSv1.1\n"
	    "sni = a b\nprotocolHost = p:1\n",
	    ":1: \"[a]\": accept is missing: add \"accept = [HOST:]PORT\", where to "
	    "listen\n"
	    ":4: \"sslVersion = TLSv1.1\": routeport speaks TLS 1.2 and 1.3 alone, for "
	    "what is older is broken: remove the line or write TLSv1.2\n"
	    ":5: \"sni = a b\": a host name has letters, digits, \"-\", \"_\" and \".\" "
	    "alone (write xn--... for others)\n"
	    ":6: \"protocolHost = p:1\": protocolHost is for an HTTP proxy: add "
	    "\"protocol = connect\" if connect is one\n",
	    0);
}
END_TEST

START_TEST(each_rule_is_judged)
{
	expect_faults(ROLE_CLIENT,
	    "checkURI = a*b\n" CLIENT "checkHost = x.example  # a DNS name\n"
	    "checkHost = https://a b/\ncheckHost = 192.0.2.1\ncheckHost = *.b.example\n"
	    "checkHost = .c.example\ncheckHost = *\ncheckURI = *c*\ncheckSubject = x\n",
	    ":1: \"checkURI = a*b\": a \"*\" of checkURI stands at the end alone\n"
	    ":5: \"checkHost = x.example  # a DNS name\": no comment may stand behind a "
	    "value: write it on a line of its own\n"
	    ":6: \"checkHost = https://a b/\": a host name has letters, digits, \"-\", "
	    "\"_\" and \".\" alone (write xn--... for others)\n"
	    ":7: \"checkHost = 192.0.2.1\": checkHost is a host name: an address is for "
	    "checkIP\n"
	    ":10: \"checkHost = *\": a host name has letters, digits, \"-\", \"_\" and "
	    "\".\" alone (write xn--... for others)\n"
	    ":11: \"checkURI = *c*\": a \"*\" of checkURI stands at the end alone\n"
	    ":12: \"checkSubject = x\": checkSubject begins with CN=, O= or OU= and "
	    "takes "
	    "several of them, a comma between two\n",
	    0);
}
END_TEST

START_TEST(what_follows_from_a_fault_is_not_told)
{
	/* Neither is anything missing, nor does sni name nobody. */
	expect_faults(ROLE_SERVER,
	    "[a]\nacept = 8443\nconnect = 1x\ncert = c\nCAfle = d\n"
	    "[b]\nsni = a:b.example\nconnect = 2\ncert = c\nCAfile = d\n"
	    "[c]\nsni = a:..\nconnect = 2\ncert = c\nCAfile = d\n",
	    ":2: \"acept = 8443\": there is no such option; the nearest one is accept\n"
	    ":3: \"connect = 1x\": \"1x\" is no port: write its number (names of ports "
	    "are not looked up)\n"
	    ":5: \"CAfle = d\": there is no such option; the nearest one is CAfile\n"
	    ":12: \"sni = a:..\": a part of the host name is empty\n",
	    1);
}
END_TEST

START_TEST(a_misspelt_option_of_the_other_program_is_one_fault)
{
	expect_faults(ROLE_CLIENT, CLIENT "snii = a.example\nsniStrct = yes\n",
	    ":4: \"snii = a.example\": there is no such option; the nearest one is sni\n"
	    ":5: \"sniStrct = yes\": there is no such option; the nearest one is "
	    "sniStrict\n",
	    0);
}
END_TEST

START_TEST(sections_that_do_not_go_together_are_all_told)
{
	expect_faults(ROLE_SERVER,
	    SERVER "CAfile = d\nsniStrict = yes\n"
		   "[b]\nsni = a:b.example\nconnect = 2\ncert = c\nCAfile = d\n",
	    ":1: \"[orders]\": sniStrict = yes would refuse everybody, for no sni line "
	    "names this section: remove it, or add \"sni = orders:NAME\"\n"
	    ":7: \"[b]\": sni = a:b.example: no section [a] of routeport-server is in "
	    "this file: write the name of the one that accepts\n",
	    0);
}
END_TEST

START_TEST(a_file_for_the_other_program_has_one)
{
	expect_faults(ROLE_SERVER, "client = yes\n" CLIENT,
	    ": no section is for routeport-server: it runs those with \"client = no\", "
	    "or without client; the sections here are for routeport-client\n",
	    0);
	expect_faults(ROLE_SERVER, "",
	    ": there is no [section]: each service needs one, which begins with a line "
	    "such as [orders]\n",
	    0);
}
END_TEST

/* What --check has to say of a good file. */
static void
expect_remarks(enum role role, const char *text, const char *part)
{
	struct memory_file file = memory_file(text, strlen(text));
	struct told told = {.file = file.path};
	struct diagnostics all = {.tell = tell, .remark = tell, .owner = &told};

	settings_release(settings_load_all(file.path, role, &all));
	ck_assert_uint_eq(all.count, 0);
	if (*part == '\0')
		ck_assert_str_eq(told.text, "");
	else
		ck_assert_msg(strstr(told.text, part) != NULL, "%s", told.text);
}

START_TEST(what_stunnel_would_not_verify_is_remarked_on)
{
	expect_remarks(ROLE_CLIENT, "client = yes\n" CLIENT,
	    ":2: \"[orders]\": stunnel would take any server here; routeport takes one "
	    "whose certificate leads to the system's CAs");
	expect_remarks(ROLE_CLIENT, CLIENT "client = yes\nCAfile = ca\n",
	    "add \"verifyChain = yes\" to have");
	expect_remarks(ROLE_SERVER, SERVER "CAfile = ca\n",
	    ":1: \"[orders]\": stunnel would let anyone in here");
}
END_TEST

START_TEST(it_is_remarked_on_once)
{
	static const char file[] = "client = yes\nCAfile = ca\n" CLIENT
				   "[b]\naccept = 127.0.0.1:2\nconnect = b.example:443\n";
	struct memory_file memory = memory_file(file, strlen(file));
	struct told told = {.file = memory.path};
	struct diagnostics all = {.tell = tell, .remark = tell, .owner = &told};

	settings_release(settings_load_all(memory.path, ROLE_CLIENT, &all));
	ck_assert_ptr_nonnull(strstr(told.text, "[orders]"));
	ck_assert_ptr_null(strstr(told.text, "[b]"));
	ck_assert_ptr_eq(strchr(told.text, '\n'), strrchr(told.text, '\n'));
}
END_TEST

START_TEST(what_is_written_out_needs_no_remark)
{
	static const char verified[] =
	    "client = yes\nverifyChain = yes\n" CLIENT "checkHost = orders.example\n";

	expect_remarks(ROLE_CLIENT, verified, "");
	expect_remarks(ROLE_CLIENT, CLIENT "client = yes\nverifyChain = no\n", "");
	expect_remarks(
	    ROLE_CLIENT, "client = yes\nverify = 2\n" CLIENT "checkHost =\n", "");
	expect_remarks(
	    ROLE_SERVER, "client = no\n" SERVER "CAfile = ca\nverifyChain = yes\n", "");
	expect_remarks(ROLE_SERVER, "client = no\n" SERVER "requireCert = no\n", "");
}
END_TEST

START_TEST(a_name_that_stunnel_would_not_check_is_remarked_on)
{
	expect_remarks(ROLE_CLIENT, "client = yes\nverify = 2\n" CLIENT,
	    ":3: \"[orders]\": stunnel would take any certificate of these CAs here, for "
	    "no checkHost is written; routeport also checks the name: add \"checkHost = "
	    "orders.example\" to");
	expect_remarks(ROLE_CLIENT,
	    "client = yes\nverifyChain = yes\nCAfile = ca\n"
	    "[a]\naccept = 1\nconnect = 192.0.2.1:443\n",
	    "routeport also checks the address: add \"checkIP = 192.0.2.1\" to");
}
END_TEST

/* A section without client, the same for both programs. */
START_TEST(a_section_for_either_program_is_told_which_it_reads_like)
{
	static const struct {
		const char *lines, *program;
	} cases[] = {
	    {"accept = 127.0.0.1:1\nconnect = a.example:443\n", "routeport-client"},
	    {"accept = 1\nconnect = a.example:465\n", "routeport-client"},
	    {"accept = 127.0.0.1:1\nconnect = a.example:443\ncert = c\n",
		"routeport-client"},
	    {"accept = 443\nconnect = 80\ncert = c\n", "routeport-server"},
	    {"accept = 0.0.0.0:443\nconnect = ::1:80\ncert = c\n", "routeport-server"},
	    {"accept = 443\nconnect = /run/app\ncert = c\n", "routeport-server"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[256], part[64];

		snprintf(text, sizeof(text),
		    "verifyChain = no\nrequireCert = no\n[x]\n%s", cases[i].lines);
		snprintf(part, sizeof(part), "reads like one for %s:", cases[i].program);
		expect_remarks(ROLE_CLIENT, text, part);
		if (strstr(text, "cert = c") != NULL)
			expect_remarks(ROLE_SERVER, text, part);
	}
}
END_TEST

START_TEST(a_file_that_is_not_there_is_told_too)
{
	struct told told = {.file = "no file"};
	struct diagnostics all = {.tell = tell, .owner = &told};

	ck_assert_ptr_null(settings_load_all("/nowhere", ROLE_CLIENT, &all));
	diagnostics_print(&all);
	ck_assert_str_eq(told.text, "read /nowhere: No such file or directory\n");
}
END_TEST

UNIT_MAIN("faults", the_first_fault_ends_the_look_unless_somebody_is_told,
    they_are_told_in_the_order_of_their_lines_and_each_once,
    a_default_that_is_wrong_is_one_fault, a_good_file_has_none,
    lines_that_are_none_are_all_told, faults_of_several_sections_are_all_told,
    a_section_may_have_several, each_rule_is_judged,
    what_follows_from_a_fault_is_not_told,
    a_misspelt_option_of_the_other_program_is_one_fault,
    sections_that_do_not_go_together_are_all_told, a_file_for_the_other_program_has_one,
    what_stunnel_would_not_verify_is_remarked_on, it_is_remarked_on_once,
    what_is_written_out_needs_no_remark,
    a_name_that_stunnel_would_not_check_is_remarked_on,
    a_section_for_either_program_is_told_which_it_reads_like,
    a_file_that_is_not_there_is_told_too)
