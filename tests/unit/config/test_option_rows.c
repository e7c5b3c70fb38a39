/*
 * Every option of the table by itself: a value that it takes, what is then there, and one
 * that it refuses.
 */
#include "common/config/options_table.h"
#include "tests/unit/settings_file.h"
#include "tests/unit/unit.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#define SERVER_FILE SERVER "CAfile = ca.pem\n"
/* 16 and 15 bytes. */
#define HEX15 "00112233445566778899aabbccddee"
#define HEX16 HEX15 "ff"
#define PROXY "protocol = connect\nprotocolHost = a.example:443\n"
#define CREDENTIALS PROXY "protocolUsername = me\nprotocolPassword = secret\n"

/* One row: `good` leaves `there` behind, of a list its last entry; the reason for which
 * `bad` is refused has `why` in it. */
static const struct row_case {
	const char *name;
	enum role role;
	const char *with; /* lines without which it would be refused; NULL: none */
	const char *good, *there;
	const char *bad, *why; /* NULL: nothing is refused */
} rows[] = {
    {"debug", ROLE_CLIENT, NULL, "daemon.debug", "7", "loud", "debug takes [FACILITY.]"},
    {"output", ROLE_CLIENT, NULL, "/var/log/x", "/var/log/x", "", "output needs a value"},
    {"log", ROLE_CLIENT, NULL, "overwrite", "1", "overwrit", "nearest is overwrite"},
    {"syslog", ROLE_CLIENT, NULL, "yes", "yes", "maybe", "syslog takes yes, no"},
    {"service", ROLE_CLIENT, NULL, "stunnel", "stunnel", "", "service needs a value"},
    {"foreground", ROLE_CLIENT, NULL, "quiet", "2", "quite", "takes yes, no, quiet"},
    {"pid", ROLE_CLIENT, NULL, "/run/x.pid", "/run/x.pid", NULL, NULL},
    {"status", ROLE_SERVER, NULL, "9080", "0.0.0.0:9080", "9080x", "is no port"},
    {"statusHost", ROLE_SERVER, NULL, "a.example", "a.example", "",
	"statusHost needs a value"},
    {"setuid", ROLE_CLIENT, NULL, "nobody", "nobody", "", "setuid needs a value"},
    {"setgid", ROLE_CLIENT, NULL, "nogroup", "nogroup", "", "setgid needs a value"},
    {"chroot", ROLE_CLIENT, NULL, "/srv", "/srv", "", "chroot needs a value"},
    {"sandbox", ROLE_CLIENT, NULL, "no", "no", "off", "sandbox takes yes, no"},
    {"workers", ROLE_CLIENT, NULL, "4", "4", "1025", "workers takes 0 to 1024"},
    {"maxConnections", ROLE_CLIENT, NULL, "9", "9", "-1", "takes 0 to 10000000"},
    {"maxStreams", ROLE_SERVER, NULL, "9", "9", "many", "takes 0 to 10000000"},
    {"TIMEOUTlinger", ROLE_SERVER, NULL, "0.5", "0.5", "86401", "0 to 86400 seconds"},
    {"TIMEOUTdrain", ROLE_SERVER, NULL, "60", "60", "1m", "0 to 86400 seconds"},
    {"windowBudget", ROLE_CLIENT, NULL, "0", "0", "1.5", "0 to 1048576 MiB"},
    {"client", ROLE_CLIENT, NULL, "yes", "0", "1", "client takes yes, no"},
    {"accept", ROLE_CLIENT, NULL, ":::7", "[::]:7", "localhost", "port is missing"},
    {"connect", ROLE_SERVER, NULL, "/run/app", "/run/app", "a:70000", "1 to 65535"},
    {"logId", ROLE_CLIENT, NULL, "unique", "1", "uniq", "nearest is unique"},
    {"local", ROLE_CLIENT, NULL, "192.0.2.7", "192.0.2.7", "eth0", "in numbers"},
    {"socket", ROLE_CLIENT, NULL, "l:TCP_NODELAY=no", "TCP_NODELAY", "TCP_NODELAY",
	"socket takes a:, l: or r:"},
    {"retry", ROLE_CLIENT, NULL, "1000", "", "often", "takes yes, no, or milliseconds"},
    {"reset", ROLE_CLIENT, NULL, "no", "", "never", "reset takes yes, no"},
    {"failover", ROLE_CLIENT, NULL, "rr", "1", "random", "failover takes prio, rr"},
    {"sni", ROLE_CLIENT, NULL, "a.example", "a.example", "192.0.2.1", "be sent as SNI"},
    {"sniStrict", ROLE_SERVER, "sni = orders:a.example\n", "yes", "yes", "1",
	"sniStrict takes yes, no"},
    {"cert", ROLE_CLIENT, NULL, "c.pem", "c.pem", "", "cert needs a value"},
    {"key", ROLE_SERVER, NULL, "k.pem", "k.pem", "", "key needs a value"},
    {"keyPassFile", ROLE_CLIENT, NULL, "pass", "pass", "", "needs a value"},
    {"PSKsecrets", ROLE_CLIENT, NULL, "keys", "keys", "", "PSKsecrets needs a value"},
    {"PSKidentity", ROLE_CLIENT, "PSKsecrets = keys\n", "me", "me", "", "needs a value"},
    {"CAfile", ROLE_CLIENT, NULL, "a.pem", "a.pem", "", "CAfile needs a value"},
    {"CApath", ROLE_CLIENT, NULL, "/ca", "/ca", "", "CApath needs a value"},
    {"CAstore", ROLE_CLIENT, NULL, "file:/a", "file:/a", "", "CAstore needs a value"},
    {"CRLfile", ROLE_CLIENT, NULL, "c.pem", "c.pem", "", "CRLfile needs a value"},
    {"CRLpath", ROLE_CLIENT, NULL, "/crls", "/crls", "", "CRLpath needs a value"},
    {"verifyPeer", ROLE_SERVER, NULL, "yes", "yes", "maybe", "takes yes, no"},
    {"verify", ROLE_SERVER, NULL, "3", "3", "5", "verify takes 0, 1, 2, 3, 4"},
    {"verifyChain", ROLE_CLIENT, NULL, "no", "no", "maybe", "takes yes, no"},
    {"requireCert", ROLE_SERVER, NULL, "no", "no", "maybe", "takes yes, no"},
    {"checkHost", ROLE_SERVER, NULL, "a.example", "a.example", "*", "a host name has"},
    {"checkIP", ROLE_SERVER, NULL, "::1", "::1", "a.example", "an address of IPv4"},
    {"checkEmail", ROLE_SERVER, NULL, "a@b", "a@b", "a", "checkEmail is NAME@HOST"},
    {"checkURI", ROLE_SERVER, NULL, "a://b/*", "a://b/*", "*", "a whole authority"},
    {"checkSubject", ROLE_SERVER, NULL, "CN=*.a", "CN=*.a", "L=a", "begins with CN="},
    {"checkFingerprint", ROLE_SERVER, NULL, "AA:" HEX16 HEX15, "aa" HEX16 HEX15, "00",
	"64 hexadecimal digits"},
    {"securityLevel", ROLE_CLIENT, NULL, "3", "3", "6", "securityLevel takes 0 to 5"},
    {"options", ROLE_CLIENT, NULL, "-NO_TICKET", "-NO_TICKET", "", "needs a value"},
    {"config", ROLE_CLIENT, NULL, "Groups:P-256", "Groups:P-256", "", "needs a value"},
    {"renegotiation", ROLE_CLIENT, NULL, "no", "no", "yes", "= yes is refused"},
    {"fips", ROLE_CLIENT, NULL, "yes", "yes", "1", "fips takes yes, no"},
    {"OCSPaia", ROLE_CLIENT, NULL, "yes", "yes", "1", "OCSPaia takes yes, no"},
    {"OCSP", ROLE_CLIENT, NULL, "http://a/", "http://a/", "https://a/", "need no TLS"},
    {"OCSPrequire", ROLE_CLIENT, NULL, "no", "no", "1", "OCSPrequire takes yes, no"},
    {"OCSPflag", ROLE_CLIENT, NULL, "NOCERTS", "NOCERTS", "NOVERIFY", "vouches for"},
    {"OCSPnonce", ROLE_CLIENT, NULL, "yes", "yes", "1", "OCSPnonce takes yes, no"},
    {"TIMEOUTocsp", ROLE_CLIENT, NULL, "9", "9", "0", "takes 1 to 60 seconds"},
    {"sessionResume", ROLE_CLIENT, NULL, "no", "no", "1", "takes yes, no"},
    {"sessionCacheSize", ROLE_SERVER, NULL, "0", "0", "-1", "takes 0 to 10000000"},
    {"sessionCacheTimeout", ROLE_SERVER, NULL, "9", "9", "0", "1 to 604800 seconds"},
    {"ticketKeySecret", ROLE_SERVER, "ticketMacSecret = " HEX16 "\n", HEX16, HEX16, "00",
	"32 or 64 hexadecimal digits"},
    {"ticketMacSecret", ROLE_SERVER, "ticketKeySecret = " HEX16 "\n", HEX16, HEX16, "00",
	"32 or 64 hexadecimal digits"},
    {"sslVersion", ROLE_CLIENT, NULL, "TLSv1.3", "772", "TLSv1.1", "1.2 and 1.3 alone"},
    {"sslVersionMin", ROLE_CLIENT, NULL, "TLSv1.3", "772", "TLSv2", "takes all, TLSv1.2"},
    {"sslVersionMax", ROLE_CLIENT, NULL, "TLSv1.2", "771", "SSLv3", "1.2 and 1.3 alone"},
    {"ciphers", ROLE_CLIENT, NULL, "HIGH", "HIGH", "", "ciphers needs a value"},
    {"ciphersuites", ROLE_CLIENT, NULL, "A:B", "A:B", "", "needs a value"},
    {"curves", ROLE_CLIENT, NULL, "X25519", "X25519", "", "curves needs a value"},
    {"protocol", ROLE_SERVER, NULL, "proxy", "1", "pop3",
	"a passthrough route wants TLS"},
    {"protocolVersion", ROLE_SERVER, NULL, "2", "2", "3", "protocolVersion takes 1, 2"},
    {"protocolHost", ROLE_CLIENT, "protocol = connect\n", "a.example:443",
	"a.example:443", "a.example", "protocolHost is HOST:PORT"},
    {"protocolAuthentication", ROLE_CLIENT, CREDENTIALS, "basic", "0", "ntlm",
	"protocolAuthentication = ntlm is refused"},
    {"protocolUsername", ROLE_CLIENT, CREDENTIALS, "you", "you", "a:b", "has no colon"},
    {"protocolPassword", ROLE_CLIENT, CREDENTIALS, "p w", "p w", "", "needs a value"},
    {"protocolHeader", ROLE_CLIENT, PROXY, "X-A: b", "X-A: b", "X-A", "is NAME: VALUE"},
    {"multiplex", ROLE_CLIENT, NULL, "yes", "2", "always", "takes auto, yes, no"},
    {"carriers", ROLE_CLIENT, NULL, "64", "64", "0", "carriers takes 1 to 64"},
    {"delay", ROLE_CLIENT, NULL, "yes", "yes", "5", "delay takes yes, no"},
    {"streamWindow", ROLE_CLIENT, NULL, "16", "16", "0", "takes 1 to 1024 MiB"},
    {"freshFor", ROLE_CLIENT, NULL, "0.5", "0.5", "-1", "freshFor takes 0 to 86400"},
    {"maxAge", ROLE_CLIENT, NULL, "0", "0", "never", "maxAge takes 0 to 31536000"},
    {"keepalive", ROLE_CLIENT, NULL, "5", "5", "0.5", "keepalive takes 1 to 3600"},
    {"keepaliveTimeout", ROLE_CLIENT, NULL, "5", "5", "0", "takes 1 to 3600 seconds"},
    {"TIMEOUTconnect", ROLE_CLIENT, NULL, "5", "5", "0", "takes 1 to 3600 seconds"},
    {"TIMEOUTbusy", ROLE_SERVER, NULL, "300", "30", "0", "takes 1 to 30 seconds"},
    {"TIMEOUTidle", ROLE_CLIENT, NULL, "60", "60", "0", "1 to 31536000 seconds"},
    {"TIMEOUTclose", ROLE_CLIENT, NULL, "0", "0", "-5", "takes 0 to 86400 seconds"},
};

enum {
	CASES = sizeof(rows) / sizeof(rows[0])
};

/* Tested with files and folders of their own. */
static const char *const elsewhere[] = {"include"};

static const struct option *
row_of(const struct row_case *c)
{
	struct err e = {.text = ""};
	const struct option *o = option_find(&settings_rows, c->name, &e);

	ck_assert_msg(o != NULL, "%s: %s", c->name, e.text);
	return o;
}

/* A file in which the option has this value: in its section, or before the first one. */
static const char *
file_with(const struct row_case *c, const char *value, bool before)
{
	static char text[1024];
	const char *base = c->role == ROLE_CLIENT ? CLIENT : SERVER_FILE;
	const char *with = c->with != NULL ? c->with : "";

	if (before)
		snprintf(text, sizeof(text), "%s = %s\n%s%s", c->name, value, base, with);
	else
		snprintf(text, sizeof(text), "%s%s%s = %s\n", base, with, c->name, value);
	return text;
}

/* What is there, as text. */
static void
show(const struct option *o, const void *place, char text[256])
{
	const struct strlist *texts = place;
	const struct name_list *names = place;
	const struct socket_option_list *sockets = place;

	switch (o->type) {
	case OPTION_YES_NO:
		snprintf(text, 256, "%s", *(const bool *)place ? "yes" : "no");
		break;
	case OPTION_INTEGER:
		snprintf(text, 256, "%ld", *(const long *)place);
		break;
	case OPTION_SECONDS:
		snprintf(text, 256, "%g", *(const double *)place);
		break;
	case OPTION_WORD:
		snprintf(text, 256, "%d", *(const int *)place);
		break;
	case OPTION_TEXT:
		snprintf(text, 256, "%s", *(char *const *)place);
		break;
	case OPTION_TEXTS:
		snprintf(text, 256, "%s", texts->items[texts->count - 1]);
		break;
	case OPTION_ADDRESSES:
		address_name_format(&names->items[names->count - 1], text, 256);
		break;
	case OPTION_SOCKETS:
		snprintf(text, 256, "%s", sockets->items[sockets->count - 1].name);
		break;
	case OPTION_NOTHING:
		text[0] = '\0';
		break;
	}
}

static void
expect_there(const struct row_case *c, const char *file)
{
	const struct option *o = row_of(c);
	struct settings *settings = settings_from(c->role, file);
	const void *base =
	    o->scope == OPTION_GLOBAL ? (const void *)settings : &settings->services[0];
	char text[256];

	show(o, (const char *)base + o->offset, text);
	ck_assert_msg(strcmp(text, c->there) == 0, "%s: %s", c->name, text);
	settings_release(settings);
}

START_TEST(every_option_of_the_table_has_a_case)
{
	for (size_t i = 0; i < settings_rows.count; i++) {
		const char *name = settings_rows.rows[i].name;
		bool found = strcmp(name, elsewhere[0]) == 0;

		for (size_t j = 0; j < CASES; j++)
			found |= strcmp(rows[j].name, name) == 0;
		ck_assert_msg(found, "%s has no line in the cases of this file", name);
	}
}
END_TEST

START_TEST(a_good_value_is_there)
{
	for (size_t i = 0; i < CASES; i++)
		expect_there(&rows[i], file_with(&rows[i], rows[i].good,
					   row_of(&rows[i])->scope == OPTION_GLOBAL));
}
END_TEST

/* But for addresses, of which those of the section stand behind; and for what a section
 * with lines of its own would overrule. */
START_TEST(before_the_first_section_it_is_the_default_of_all)
{
	for (size_t i = 0; i < CASES; i++) {
		const struct row_case *c = &rows[i];

		if (c->with == NULL && row_of(c)->type != OPTION_ADDRESSES)
			expect_there(c, file_with(c, c->good, true));
	}
}
END_TEST

START_TEST(a_bad_value_is_refused_with_its_line_and_reason)
{
	for (size_t i = 0; i < CASES; i++) {
		const struct row_case *c = &rows[i];
		bool before = row_of(c)->scope == OPTION_GLOBAL;
		char line[256];

		if (c->bad == NULL)
			continue;
		snprintf(line, sizeof(line), "%s =%s%s", c->name,
		    *c->bad != '\0' ? " " : "", c->bad);
		settings_refused_with(c->role, file_with(c, c->bad, before), c->why);
		settings_refused_with(c->role, file_with(c, c->bad, before),
		    strcmp(c->name, "protocolPassword") == 0 ||
			    strncmp(c->name, "ticket", 6) == 0
			? "(not shown)"
			: line);
	}
}
END_TEST

START_TEST(a_global_option_has_no_place_in_a_section)
{
	for (size_t i = 0; i < CASES; i++)
		if (row_of(&rows[i])->scope == OPTION_GLOBAL &&
		    !row_of(&rows[i])->anywhere)
			settings_refused_with(rows[i].role,
			    file_with(&rows[i], rows[i].good, false),
			    "holds for all services: write it before the first "
			    "[section]");
}
END_TEST

START_TEST(an_option_of_one_program_is_refused_in_a_section_of_the_other)
{
	for (size_t i = 0; i < CASES; i++) {
		struct row_case c = rows[i];

		if (row_of(&c)->roles == OPTION_BOTH)
			continue;
		c.role = c.role == ROLE_CLIENT ? ROLE_SERVER : ROLE_CLIENT;
		c.with = NULL;
		settings_refused_with(c.role, file_with(&c, c.good, false),
		    "is for services of routeport-");
		settings_release(settings_from(c.role, file_with(&c, c.good, true)));
	}
}
END_TEST

START_TEST(names_and_aliases_are_taken_in_any_case)
{
	struct err e = {.text = ""};

	for (size_t i = 0; i < settings_rows.count; i++) {
		const struct option *o = &settings_rows.rows[i];
		const char *const names[] = {o->name, o->alias};

		for (size_t j = 0; j < 2 && names[j] != NULL; j++) {
			char upper[64] = "";

			for (size_t k = 0; names[j][k] != '\0'; k++)
				upper[k] = (char)(names[j][k] >= 'a' && names[j][k] <= 'z'
						      ? names[j][k] - 'a' + 'A'
						      : names[j][k]);
			ck_assert_ptr_eq(option_find(&settings_rows, upper, &e), o);
		}
	}
}
END_TEST

START_TEST(no_name_stands_twice_or_is_refused_too)
{
	for (size_t i = 0; i < settings_rows.count; i++) {
		const struct option *o = &settings_rows.rows[i];
		struct option_table without = settings_rows;
		struct err e = {.text = ""};

		for (size_t j = 0; j < i; j++)
			ck_assert_str_ne(settings_rows.rows[j].name, o->name);
		without.count = 1; /* include alone */
		if (i == 0)
			continue;
		ck_assert_ptr_null(option_find(&without, o->name, &e));
		ck_assert_msg(strstr(e.text, "there is no such option") == e.text,
		    "%s is in both tables", o->name);
	}
}
END_TEST

START_TEST(every_row_says_what_it_does)
{
	for (size_t i = 0; i < settings_rows.count; i++) {
		const struct option *o = &settings_rows.rows[i];
		size_t length = strlen(o->help);

		ck_assert_uint_gt(length, 10);
		ck_assert_int_ne(o->help[length - 1], '.');
		ck_assert_int_ne(o->help[length - 1], ' ');
		ck_assert_ptr_null(strstr(o->help, "  "));
	}
}
END_TEST

UNIT_MAIN("option_rows", every_option_of_the_table_has_a_case, a_good_value_is_there,
    before_the_first_section_it_is_the_default_of_all,
    a_bad_value_is_refused_with_its_line_and_reason,
    a_global_option_has_no_place_in_a_section,
    an_option_of_one_program_is_refused_in_a_section_of_the_other,
    names_and_aliases_are_taken_in_any_case, no_name_stands_twice_or_is_refused_too,
    every_row_says_what_it_does)
