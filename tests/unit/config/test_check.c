#include "common/config/settings.h"
#include "tests/unit/settings_file.h"
#include "tests/unit/unit.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

START_TEST(a_small_client_gets_safe_defaults)
{
	struct settings *settings = settings_from(ROLE_CLIENT, CLIENT);
	struct service_settings *s = &settings->services[0];

	ck_assert_uint_eq(settings->service_count, 1);
	ck_assert_str_eq(s->name, "orders");
	ck_assert_int_eq(s->line, 1);
	ck_assert_int_eq(s->role, ROLE_CLIENT);
	ck_assert_uint_eq(s->accept.count, 1);
	ck_assert_str_eq(s->accept.items[0].host, "127.0.0.1");
	ck_assert_str_eq(s->connect.items[0].host, "orders.example");
	ck_assert_uint_eq(s->connect.items[0].port, 443);
	ck_assert(s->verify_chain);
	ck_assert(s->system_ca);
	ck_assert_str_eq(s->sni, "orders.example");
	ck_assert_uint_eq(s->check_host.count, 1);
	ck_assert_str_eq(s->check_host.items[0], "orders.example");
	ck_assert_uint_eq(s->check_ip.count, 0);
	ck_assert_uint_eq(s->cert.count, 0);
	ck_assert_uint_eq(s->key.count, 0);
	ck_assert_int_eq(s->tls_min, TLS1_2_VERSION);
	ck_assert_int_eq(s->tls_max, 0);
	ck_assert_ptr_null(s->ciphers);
	ck_assert_int_eq(s->multiplex, MULTIPLEX_AUTO);
	ck_assert_str_eq(settings_warnings(), "");
	settings_release(settings);
}
END_TEST

START_TEST(a_small_server_needs_to_be_told_whom_to_let_in)
{
	struct settings *settings;
	struct service_settings *s;

	settings_refused(ROLE_SERVER, SERVER,
	    ":1: \"[orders]\": nothing says whom to let in: add \"CAfile = FILE\" with "
	    "the "
	    "CA of the clients' certificates, or \"requireCert = no\" to let anyone in");
	settings = settings_from(ROLE_SERVER, SERVER "CAfile = ca.pem\n");
	s = &settings->services[0];
	ck_assert_int_eq(s->role, ROLE_SERVER);
	ck_assert(s->verify_chain);
	ck_assert(s->require_cert);
	ck_assert(s->ask_cert);
	ck_assert(!s->system_ca);
	ck_assert_str_eq(s->ca_file, "ca.pem");
	ck_assert_str_eq(s->cert.items[0], "c.pem");
	ck_assert_str_eq(s->key.items[0], "c.pem");
	ck_assert_ptr_null(s->sni);
	ck_assert_uint_eq(s->check_host.count, 0);
	ck_assert_str_eq(s->accept.items[0].host, "0.0.0.0");
	ck_assert_str_eq(s->connect.items[0].host, "localhost");
	ck_assert_str_eq(settings_warnings(), "");
	settings_release(settings);
}
END_TEST

START_TEST(a_client_that_listens_everywhere_is_warned_of)
{
	static const char *const accepts[] = {
	    "5432", "0.0.0.0:5432", ":::5432", "[::]:5432"};
	char text[256];

	for (size_t i = 0; i < sizeof(accepts) / sizeof(accepts[0]); i++) {
		snprintf(text, sizeof(text),
		    "[x y]\naccept = %s\nconnect = x.example:443\n", accepts[i]);
		settings_release(settings_from(ROLE_CLIENT, text));
		ck_assert_ptr_nonnull(
		    strstr(settings_warnings(), " warning event=settings service=\"x y\" "
						"warning=\"accept listens everywhere"));
	}
	settings_release(settings_from(
	    ROLE_CLIENT, "[x]\naccept = /run/s\nconnect = x.example:443\n"));
	ck_assert_str_eq(settings_warnings(), "");
}
END_TEST

START_TEST(sni_given_is_sent_and_checked)
{
	struct settings *settings = settings_from(
	    ROLE_CLIENT, CLIENT "connect = 192.0.2.1:443\nsni = Route_1.Example\n");
	struct service_settings *s = &settings->services[0];

	ck_assert_str_eq(s->sni, "Route_1.Example");
	ck_assert_uint_eq(s->check_host.count, 1);
	ck_assert_str_eq(s->check_host.items[0], "Route_1.Example");
	ck_assert_uint_eq(s->check_ip.count, 0);
	ck_assert_str_eq(settings_warnings(), "");
	settings_release(settings);
}
END_TEST

START_TEST(the_dot_at_the_end_of_a_name_is_not_sent)
{
	struct settings *settings =
	    settings_from(ROLE_CLIENT, CLIENT "sni = route.example.\n");

	ck_assert_str_eq(settings->services[0].sni, "route.example");
	ck_assert_str_eq(settings->services[0].check_host.items[0], "route.example");
	ck_assert_ptr_nonnull(
	    strstr(settings_warnings(), "the dot at the end of sni is not sent"));
	settings_release(settings);
	settings =
	    settings_from(ROLE_CLIENT, "[x]\naccept = ::1:1\nconnect = x.example.:443\n");
	ck_assert_str_eq(settings->services[0].sni, "x.example");
	ck_assert_str_eq(settings->services[0].connect.items[0].host, "x.example.");
	ck_assert_str_eq(settings_warnings(), "");
	settings_release(settings);
}
END_TEST

START_TEST(without_a_name_the_address_is_checked_and_no_sni_is_sent)
{
	struct settings *settings = settings_from(ROLE_CLIENT,
	    "[x]\naccept = ::1:1\nconnect = 192.0.2.1:443\nconnect = fe80::1%lo:443\n");
	struct service_settings *s = &settings->services[0];

	ck_assert_ptr_null(s->sni);
	ck_assert_uint_eq(s->check_host.count, 0);
	ck_assert_uint_eq(s->check_ip.count, 2);
	ck_assert_str_eq(s->check_ip.items[0], "192.0.2.1");
	ck_assert_str_eq(s->check_ip.items[1], "fe80::1");
	ck_assert_ptr_nonnull(strstr(settings_warnings(), "no route can match"));
	settings_release(settings);
}
END_TEST

START_TEST(an_empty_sni_sends_none_and_still_checks_the_host)
{
	struct settings *settings =
	    settings_from(ROLE_CLIENT, "sni = default\n" CLIENT "sni =\n");
	struct service_settings *s = &settings->services[0];

	ck_assert_ptr_null(s->sni);
	ck_assert_uint_eq(s->check_host.count, 1);
	ck_assert_str_eq(s->check_host.items[0], "orders.example");
	ck_assert_str_eq(settings_warnings(), "");
	settings_release(settings);
}
END_TEST

START_TEST(a_name_that_cannot_be_sent_as_sni_is_refused)
{
	char label[65] = "", text[600], name[300] = "";

	settings_refused(ROLE_CLIENT, CLIENT "sni = 192.0.2.1\n",
	    ":4: \"sni = 192.0.2.1\": an address cannot be sent as SNI, only a host "
	    "name");
	settings_refused_with(
	    ROLE_CLIENT, CLIENT "sni = a..b\n", "a part of the host name is empty");
	settings_refused_with(
	    ROLE_CLIENT, CLIENT "sni = .a\n", "a part of the host name is empty");
	settings_refused_with(
	    ROLE_CLIENT, CLIENT "sni = .\n", "a part of the host name is empty");
	settings_refused_with(
	    ROLE_CLIENT, CLIENT "sni = a..\n", "a part of the host name is empty");
	settings_refused_with(ROLE_CLIENT, CLIENT "sni = *.example\n", "letters, digits");
	settings_refused_with(ROLE_CLIENT, CLIENT "sni = a b\n", "letters, digits");
	memset(label, 'l', 64);
	snprintf(text, sizeof(text), CLIENT "sni = %s.example\n", label);
	settings_refused_with(ROLE_CLIENT, text, "at most 63 letters");
	for (int i = 0; i < 127; i++)
		strcat(name, "a.");
	snprintf(text, sizeof(text), CLIENT "sni = %sa\n", name);
	settings_refused_with(ROLE_CLIENT, text, "at most 253 letters");
	snprintf(text, sizeof(text), CLIENT "sni = %.63s.%.253s\n", label, name + 66);
	settings_release(settings_from(ROLE_CLIENT, text));
}
END_TEST

START_TEST(several_hosts_share_the_sni_of_the_first_with_a_warning)
{
	struct settings *settings =
	    settings_from(ROLE_CLIENT, CLIENT "connect = ORDERS.example:444\n");

	ck_assert_str_eq(settings_warnings(), "");
	settings_release(settings);
	settings = settings_from(ROLE_CLIENT, CLIENT "connect = other.example:443\n");
	ck_assert_str_eq(settings->services[0].sni, "orders.example");
	ck_assert_ptr_nonnull(strstr(settings_warnings(), "connect names several hosts"));
	settings_release(settings);
}
END_TEST

START_TEST(a_server_behind_a_unix_socket_must_be_named)
{
	static const char *const text = "[x]\naccept = ::1:1\nconnect = /run/tls\n";
	char more[128];

	settings_refused_with(
	    ROLE_CLIENT, text, "add \"sni = HOST\" or \"checkHost = HOST\"");
	snprintf(more, sizeof(more), "%ssni = x.example\n", text);
	settings_release(settings_from(ROLE_CLIENT, more));
	snprintf(more, sizeof(more), "%scheckHost = x.example\n", text);
	settings_release(settings_from(ROLE_CLIENT, more));
}
END_TEST

START_TEST(check_host_given_replaces_its_default)
{
	struct settings *settings = settings_from(
	    ROLE_CLIENT, CLIENT "checkHost = *.example\ncheckHost = b.example\n");
	struct service_settings *s = &settings->services[0];

	ck_assert_str_eq(s->sni, "orders.example");
	ck_assert_uint_eq(s->check_host.count, 2);
	ck_assert_str_eq(s->check_host.items[0], "*.example");
	settings_release(settings);
}
END_TEST

START_TEST(a_client_that_verifies_nothing_is_warned_of_and_checks_no_name)
{
	struct settings *settings =
	    settings_from(ROLE_CLIENT, CLIENT "verifyChain = no\n");
	struct service_settings *s = &settings->services[0];

	ck_assert(!s->verify_chain);
	ck_assert(!s->system_ca);
	ck_assert_str_eq(s->sni, "orders.example");
	ck_assert_uint_eq(s->check_host.count + s->check_ip.count, 0);
	ck_assert_ptr_nonnull(strstr(settings_warnings(), "the server may be anybody"));
	settings_release(settings);
}
END_TEST

START_TEST(check_host_without_a_verified_chain_is_refused)
{
	settings_refused_with(ROLE_CLIENT, CLIENT "verifyChain = no\ncheckHost = x\n",
	    ":5: \"checkHost = x\": checkHost proves nothing with verifyChain = no");
	settings_refused_with(ROLE_SERVER,
	    SERVER "verifyChain = no\nrequireCert = no\ncheckHost = x\n",
	    "checkHost proves nothing with verifyChain = no");
}
END_TEST

START_TEST(trusted_certificates_of_our_own_replace_the_systems)
{
	struct settings *settings = settings_from(ROLE_CLIENT, CLIENT "CApath = /ca\n");

	ck_assert(!settings->services[0].system_ca);
	ck_assert_str_eq(settings->services[0].ca_path, "/ca");
	settings_release(settings);
}
END_TEST

START_TEST(a_key_goes_with_a_certificate)
{
	struct settings *settings =
	    settings_from(ROLE_CLIENT, CLIENT "cert = c.pem\nkey = k.pem\n");

	ck_assert_str_eq(settings->services[0].cert.items[0], "c.pem");
	ck_assert_str_eq(settings->services[0].key.items[0], "k.pem");
	settings_release(settings);
	settings_refused_with(ROLE_SERVER, "[x]\naccept = 1\nconnect = 2\nkey = k.pem\n",
	    "there is a key but no cert");
	settings_refused(ROLE_SERVER, "[x]\naccept = 1\nconnect = 2\n",
	    ":1: \"[x]\": cert is missing: a server needs a certificate, add \"cert = "
	    "FILE\"");
}
END_TEST

START_TEST(a_key_alone_in_a_client_is_warned_of)
{
	struct settings *settings =
	    settings_from(ROLE_CLIENT, CLIENT "key = k.pem\nmultiplex = no\n");

	ck_assert_uint_eq(settings->services[0].key.count, 0);
	ck_assert_ptr_nonnull(
	    strstr(settings_warnings(), "key has no effect, for there is no cert"));
	settings_release(settings);
}
END_TEST

START_TEST(port_0_is_for_accept_alone)
{
	struct settings *settings = settings_from(
	    ROLE_CLIENT, "[x]\naccept = 127.0.0.1:0\nconnect = x.example:443\n");

	ck_assert_uint_eq(settings->services[0].accept.items[0].port, 0);
	settings_release(settings);
	settings_refused(ROLE_CLIENT, "[x]\naccept = 1\nconnect = x.example:0\n",
	    ":3: \"connect = x.example:0\": a port is a number from 1 to 65535");
	settings_refused(ROLE_CLIENT, "status = 127.0.0.1:0\n" CLIENT,
	    ":1: \"status = 127.0.0.1:0\": a port is a number from 1 to 65535");
}
END_TEST

START_TEST(an_empty_check_host_checks_no_name_and_forgets_those_before_it)
{
	struct settings *settings = settings_from(ROLE_CLIENT,
	    "checkHost = a.example\n" CLIENT "checkHost =\n"
	    "[b]\naccept = 1\nconnect = b.example:443\ncheckHost =\ncheckHost = "
	    "c.example\n"
	    "[d]\naccept = 2\nconnect = 192.0.2.1:443\nsni = d.example\ncheckHost =\n"
	    "verifyChain = no\n");

	ck_assert(settings->services[0].verify_chain);
	ck_assert_uint_eq(settings->services[0].check_host.count, 0);
	ck_assert_uint_eq(settings->services[0].check_ip.count, 0);
	ck_assert_ptr_nonnull(strstr(settings_warnings(), "checkHost is empty: whoever"));
	ck_assert_uint_eq(settings->services[1].check_host.count, 1);
	ck_assert_str_eq(settings->services[1].check_host.items[0], "c.example");
	ck_assert_uint_eq(settings->services[2].check_host.count, 0);
	settings_release(settings);
}
END_TEST

START_TEST(an_option_of_openssl_is_judged_at_its_own_line)
{
	settings_refused(ROLE_CLIENT, CLIENT "options = NO_SSLv2\noptions = NO_TLSv1.1\n",
	    ":5: \"options = NO_TLSv1.1\": there is no such option of OpenSSL's; the "
	    "nearest is NO_TLSv1_1");
	settings_refused(ROLE_CLIENT, CLIENT "options = -NO_TIKET\n",
	    ":4: \"options = -NO_TIKET\": there is no such option of OpenSSL's; the "
	    "nearest is -NO_TICKET");
	settings_refused(ROLE_CLIENT, "options = FANTASY\n" CLIENT,
	    ":1: \"options = FANTASY\": is none that routeport knows "
	    "(SSL_CTX_set_options(3) without SSL_OP_), or would make it less safe");
	settings_refused_with(ROLE_CLIENT, CLIENT "options = -NO_RENEGOTIATION\n",
	    "is refused: routeport neither renegotiates nor compresses; remove the line");
}
END_TEST

/* Whom a server lets in, in letters: Verify the chain, Require a certificate, Ask for
 * one. */
static const char *
listen_sockets(const char *lines)
{
	static char letters[4];
	char text[512];
	struct settings *settings;
	struct service_settings *s;

	snprintf(text, sizeof(text), SERVER "%s", lines);
	settings = settings_from(ROLE_SERVER, text);
	s = &settings->services[0];
	snprintf(letters, sizeof(letters), "%s%s%s", s->verify_chain ? "V" : "-",
	    s->require_cert ? "R" : "-", s->ask_cert ? "A" : "-");
	settings_release(settings);
	return letters;
}

START_TEST(a_server_lets_in_whom_its_file_says)
{
	ck_assert_str_eq(listen_sockets("CAfile = ca\n"), "VRA");
	ck_assert_str_eq(listen_sockets("CApath = ca\n"), "VRA");
	ck_assert_str_eq(listen_sockets("CAfile = ca\nverifyChain = yes\n"), "VRA");
	ck_assert_str_eq(listen_sockets("CAfile = ca\ncheckHost = x\n"), "VRA");
	ck_assert_str_eq(settings_warnings(), "");
	ck_assert_str_eq(listen_sockets("requireCert = no\n"), "V--");
	ck_assert_ptr_nonnull(
	    strstr(settings_warnings(), "requireCert = no: anyone is let in"));
	ck_assert_str_eq(listen_sockets("verifyChain = no\nrequireCert = no\n"), "---");
	ck_assert_str_eq(listen_sockets("CAfile = ca\nrequireCert = no\n"), "V-A");
	ck_assert_ptr_nonnull(
	    strstr(settings_warnings(), "who shows no certificate is let in too"));
}
END_TEST

START_TEST(verify_chain_written_out_implies_require_cert_unless_that_comes_later)
{
	ck_assert_str_eq(
	    listen_sockets("CAfile = ca\nrequireCert = no\nverifyChain = yes\n"), "VRA");
	ck_assert_str_eq(
	    listen_sockets("CAfile = ca\nverifyChain = yes\nrequireCert = no\n"), "V-A");
}
END_TEST

START_TEST(a_server_that_would_let_anyone_in_does_not_start_by_itself)
{
	settings_refused_with(
	    ROLE_SERVER, SERVER "requireCert = yes\n", "nothing says whom to let in");
	settings_refused_with(ROLE_SERVER, SERVER "verifyChain = yes\nrequireCert = no\n",
	    "nothing says whom to let in");
	settings_refused_with(ROLE_SERVER, SERVER "requireCert = no\ncheckHost = x\n",
	    "nothing says whom to let in");
	settings_refused_with(ROLE_SERVER, SERVER "verifyChain = no\n",
	    ":5: \"verifyChain = no\": a certificate that is not verified keeps nobody "
	    "out");
	settings_refused_with(ROLE_SERVER,
	    SERVER "CAfile = ca\nverifyChain = no\nrequireCert = yes\n",
	    "a certificate that is not verified keeps nobody out");
}
END_TEST

/* The versions of TLS that these lines allow: "1.2-1.3", or "1.2-" without an end. */
static const char *
versions(const char *lines)
{
	static char out[24];
	char text[512];
	struct settings *settings;
	struct service_settings *s;

	snprintf(text, sizeof(text), CLIENT "%s", lines);
	settings = settings_from(ROLE_CLIENT, text);
	s = &settings->services[0];
	snprintf(out, sizeof(out), "1.%d-%s", (s->tls_min - TLS1_VERSION) & 7,
	    s->tls_max == 0                ? ""
	    : s->tls_max == TLS1_3_VERSION ? "1.3"
					   : "1.2");
	settings_release(settings);
	return out;
}

START_TEST(versions_of_tls_are_as_written)
{
	ck_assert_str_eq(versions(""), "1.2-");
	ck_assert_str_eq(versions("sslVersion = all\n"), "1.2-");
	ck_assert_str_eq(versions("sslVersion = TLSv1.2\n"), "1.2-1.2");
	ck_assert_str_eq(versions("sslVersion = TLSv1.3\n"), "1.3-1.3");
	ck_assert_str_eq(versions("sslVersionMin = TLSv1.3\n"), "1.3-");
	ck_assert_str_eq(versions("sslVersionMin = all\n"), "1.2-");
	ck_assert_str_eq(versions("sslVersionMax = TLSv1.2\n"), "1.2-1.2");
	ck_assert_str_eq(versions("sslVersionMax = all\n"), "1.2-");
	ck_assert_str_eq(
	    versions("sslVersionMin = TLSv1.2\nsslVersionMax = TLSv1.3\n"), "1.2-1.3");
	ck_assert_str_eq(settings_warnings(), "");
}
END_TEST

START_TEST(the_later_of_two_version_lines_holds)
{
	ck_assert_str_eq(
	    versions("sslVersion = TLSv1.1\nsslVersion = TLSv1.3\n"), "1.3-1.3");
	ck_assert_str_eq(
	    versions("sslVersion = TLSv1.2\nsslVersionMax = TLSv1.3\n"), "1.2-1.3");
	ck_assert_str_eq(versions("sslVersionMin = TLSv1.3\nsslVersion = all\n"), "1.2-");
}
END_TEST

START_TEST(a_least_version_that_is_too_old_is_raised_with_a_warning)
{
	ck_assert_str_eq(versions("sslVersionMin = TLSv1\n"), "1.2-");
	ck_assert_ptr_nonnull(
	    strstr(settings_warnings(), "sslVersionMin = TLSv1 is raised to TLSv1.2"));
	ck_assert_str_eq(
	    versions("sslVersionMin = SSLv3\nsslVersionMax = TLSv1.2\n"), "1.2-1.2");
	ck_assert_ptr_nonnull(
	    strstr(settings_warnings(), "sslVersionMin = SSLv3 is raised to TLSv1.2"));
}
END_TEST

START_TEST(exactly_an_old_version_is_refused)
{
	static const char *const old[] = {"SSLv2", "SSLv3", "TLSv1", "TLSv1.1"};
	char text[256], part[256];

	for (size_t i = 0; i < sizeof(old) / sizeof(old[0]); i++) {
		snprintf(text, sizeof(text), CLIENT "sslVersion = %s\n", old[i]);
		snprintf(part, sizeof(part),
		    ":4: \"sslVersion = %s\": routeport speaks TLS 1.2 and 1.3 alone",
		    old[i]);
		settings_refused_with(ROLE_CLIENT, text, part);
		snprintf(text, sizeof(text), CLIENT "sslVersionMax = %s\n", old[i]);
		settings_refused_with(
		    ROLE_CLIENT, text, "routeport speaks TLS 1.2 and 1.3 alone");
	}
	settings_refused_with(ROLE_CLIENT, CLIENT "sslVersion = TLSv9\n",
	    "sslVersion takes all, TLSv1.2, TLSv1.3");
}
END_TEST

START_TEST(a_least_version_above_the_greatest_is_refused)
{
	settings_refused(ROLE_CLIENT,
	    CLIENT "sslVersionMin = TLSv1.3\nsslVersionMax = TLSv1.2\n",
	    ":5: \"sslVersionMax = TLSv1.2\": the oldest version is above the newest "
	    "one");
}
END_TEST

START_TEST(a_server_may_name_who_connects_to_its_app)
{
	struct settings *settings = settings_from(ROLE_SERVER, SERVER "CAfile = ca\n");

	ck_assert_int_eq(settings->services[0].protocol, PROTOCOL_NONE);
	settings_release(settings);
	settings = settings_from(ROLE_SERVER, SERVER "CAfile = ca\nprotocol = Proxy\n");
	ck_assert_int_eq(settings->services[0].protocol, PROTOCOL_PROXY);
	ck_assert_int_eq(settings->services[0].protocol_version, 1);
	ck_assert_str_eq(settings_warnings(), "");
	settings_release(settings);
	settings = settings_from(ROLE_SERVER,
	    "protocol = proxy\nprotocolVersion = 2\n" SERVER "CAfile = ca\n");
	ck_assert_int_eq(settings->services[0].protocol, PROTOCOL_PROXY);
	ck_assert_int_eq(settings->services[0].protocol_version, 2);
	settings_release(settings);
	settings_refused(ROLE_SERVER, SERVER "protocolVersion = 3\n",
	    ":5: \"protocolVersion = 3\": protocolVersion takes 1, 2");
	settings_refused(ROLE_SERVER, SERVER "protocol = ident\n",
	    ":5: \"protocol = ident\": protocol takes none, connect, proxy");
}
END_TEST

START_TEST(a_client_has_no_app_to_name_anybody_to)
{
	const char *why = "protocol = proxy is for services of routeport-server alone, "
			  "which has the app to tell: write the line there";
	char text[512];

	snprintf(text, sizeof(text), ":4: \"protocol = proxy\": %s", why);
	settings_refused(ROLE_CLIENT, CLIENT "protocol = proxy\n", text);
	snprintf(text, sizeof(text), ":1: \"protocol = proxy\": %s", why);
	settings_refused(ROLE_CLIENT, "protocol = proxy\n" CLIENT, text);
	settings_refused_with(ROLE_CLIENT, CLIENT "protocolVersion = 2\n",
	    "protocolVersion is for services of routeport-server alone");
	settings_release(settings_from(ROLE_CLIENT, CLIENT "protocol = none\n"));
}
END_TEST

START_TEST(what_else_stunnel_says_ahead_of_a_stream_is_refused_by_name)
{
	static const char *const names[] = {"capwin", "capwinctrl", "cifs", "imap",
	    "ldap", "nntp", "pgsql", "pop3", "smtp"};
	char text[256], part[256];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(text, sizeof(text), CLIENT "protocol = %s\n", names[i]);
		snprintf(part, sizeof(part),
		    ":4: \"protocol = %s\": protocol = %s is refused: ", names[i],
		    names[i]);
		settings_refused_with(ROLE_CLIENT, text, part);
		snprintf(
		    text, sizeof(text), SERVER "CAfile = ca\nprotocol = %s\n", names[i]);
		settings_refused_with(ROLE_SERVER, text, "is refused: ");
	}
	settings_refused_with(ROLE_SERVER, SERVER "protocol = socks\n",
	    "protocol = socks is refused: no peer chooses where a stream goes");
}
END_TEST

#define PROXIED                                                                          \
	"[orders]\naccept = 127.0.0.1:5432\nconnect = proxy.example:3128\n"              \
	"protocol = connect\n"
#define BEHIND PROXIED "protocolHost = orders.example:443\n"

START_TEST(a_route_behind_an_http_proxy_is_named_by_protocol_host)
{
	struct settings *settings = settings_from(ROLE_CLIENT, BEHIND);
	struct service_settings *s = &settings->services[0];

	ck_assert_int_eq(s->protocol, PROTOCOL_CONNECT);
	ck_assert_str_eq(s->connect.items[0].host, "proxy.example");
	ck_assert_str_eq(s->route.host, "orders.example");
	ck_assert_uint_eq(s->route.port, 443);
	ck_assert_str_eq(s->sni, "orders.example");
	ck_assert_uint_eq(s->check_host.count, 1);
	ck_assert_str_eq(s->check_host.items[0], "orders.example");
	ck_assert_str_eq(settings_warnings(), "");
	settings_release(settings);
}
END_TEST

START_TEST(an_address_behind_an_http_proxy_is_checked_and_no_sni_is_sent)
{
	struct settings *settings =
	    settings_from(ROLE_CLIENT, PROXIED "protocolHost = [2001:db8::1]:443\n");
	struct service_settings *s = &settings->services[0];

	ck_assert_str_eq(s->route.host, "2001:db8::1");
	ck_assert_ptr_null(s->sni);
	ck_assert_uint_eq(s->check_host.count, 0);
	ck_assert_uint_eq(s->check_ip.count, 1);
	ck_assert_str_eq(s->check_ip.items[0], "2001:db8::1");
	ck_assert_ptr_nonnull(strstr(settings_warnings(), "protocolHost is an address"));
	settings_release(settings);
}
END_TEST

START_TEST(several_http_proxies_lead_to_the_same_route)
{
	struct settings *settings =
	    settings_from(ROLE_CLIENT, BEHIND "connect = other.example:3128\n");

	ck_assert_uint_eq(settings->services[0].connect.count, 2);
	ck_assert_str_eq(settings->services[0].sni, "orders.example");
	ck_assert_str_eq(settings_warnings(), "");
	settings_release(settings);
}
END_TEST

START_TEST(an_http_proxy_may_want_a_name_a_password_and_headers)
{
	struct settings *settings = settings_from(ROLE_CLIENT,
	    BEHIND "protocolAuthentication = Basic\nprotocolUsername = me\n"
		   "protocolPassword = a:b c\nprotocolHeader = User-Agent: x\n"
		   "protocolHeader = X-Empty:\n");
	struct service_settings *s = &settings->services[0];

	ck_assert_str_eq(s->protocol_username, "me");
	ck_assert_str_eq(s->protocol_password, "a:b c");
	ck_assert_uint_eq(s->protocol_header.count, 2);
	ck_assert_str_eq(s->protocol_header.items[1], "X-Empty:");
	settings_release(settings);
}
END_TEST

START_TEST(what_an_http_proxy_lacks_is_told)
{
	settings_refused_with(ROLE_CLIENT, PROXIED,
	    ":4: \"protocol = connect\": protocolHost is missing: add ");
	settings_refused_with(ROLE_CLIENT, PROXIED "protocolHost = orders.example\n",
	    ":5: \"protocolHost = orders.example\": protocolHost is HOST:PORT");
	settings_refused_with(
	    ROLE_CLIENT, PROXIED "protocolHost = /run/x\n", "protocolHost is HOST:PORT");
	settings_refused_with(ROLE_CLIENT, PROXIED "protocolHost = a b:443\n",
	    ":5: \"protocolHost = a b:443\": \"a b\" is no host name");
	settings_refused(ROLE_CLIENT, BEHIND "protocolUsername = me\n",
	    ":6: \"protocolUsername = me\": protocolPassword is missing");
	settings_refused(ROLE_CLIENT,
	    BEHIND "protocolUsername = a:b\nprotocolPassword = c\n",
	    ":6: \"protocolUsername = a:b\": a name for an HTTP proxy has no colon");
	settings_refused(ROLE_CLIENT, BEHIND "protocolHeader = nonsense\n",
	    ":6: \"protocolHeader = nonsense\": a header field is NAME: VALUE");
	settings_refused_with(ROLE_CLIENT, BEHIND "protocolHeader = a b: c\n",
	    "a header field is NAME: VALUE");
	settings_refused_with(ROLE_CLIENT, BEHIND "protocolAuthentication = ntlm\n",
	    "protocolAuthentication = ntlm is refused: ");
}
END_TEST

START_TEST(what_is_for_an_http_proxy_alone_is_refused_without_one)
{
	settings_refused_with(ROLE_CLIENT, CLIENT "protocolHost = a:443\n",
	    "protocolHost is for an HTTP proxy: add \"protocol = connect\"");
	settings_release(settings_from(ROLE_CLIENT, "protocolHost = a:443\n" CLIENT));
	settings_refused_with(ROLE_SERVER, SERVER "protocol = connect\n",
	    "protocol = connect is for services of routeport-client alone");
}
END_TEST

START_TEST(a_password_is_never_shown)
{
	const char *why = ":6: \"protocolPassword = (not shown)\": ";

	settings_refused_with(ROLE_CLIENT, BEHIND "protocolPassword = hush\n",
	    ":6: \"protocolPassword = (not shown)\": protocolUsername is missing");
	settings_refused_with(ROLE_CLIENT, BEHIND "ProtocolPasswort = hush\n", why);
	settings_refused_with(ROLE_CLIENT, BEHIND "  protocolPassword hush\n", why);
	settings_refused_with(ROLE_SERVER, SERVER "protocolPassword = hush\n",
	    ":5: \"protocolPassword = (not shown)\": ");
	settings_refused_with(ROLE_CLIENT, "protocolpasswd = hush\n" CLIENT,
	    ":1: \"protocolPassword = (not shown)\": ");
}
END_TEST

UNIT_MAIN("settings_check", a_small_client_gets_safe_defaults,
    a_key_alone_in_a_client_is_warned_of, port_0_is_for_accept_alone,
    an_empty_check_host_checks_no_name_and_forgets_those_before_it,
    an_option_of_openssl_is_judged_at_its_own_line,
    a_small_server_needs_to_be_told_whom_to_let_in,
    a_client_that_listens_everywhere_is_warned_of, sni_given_is_sent_and_checked,
    the_dot_at_the_end_of_a_name_is_not_sent,
    without_a_name_the_address_is_checked_and_no_sni_is_sent,
    an_empty_sni_sends_none_and_still_checks_the_host,
    a_name_that_cannot_be_sent_as_sni_is_refused,
    several_hosts_share_the_sni_of_the_first_with_a_warning,
    a_server_behind_a_unix_socket_must_be_named, check_host_given_replaces_its_default,
    a_client_that_verifies_nothing_is_warned_of_and_checks_no_name,
    check_host_without_a_verified_chain_is_refused,
    trusted_certificates_of_our_own_replace_the_systems, a_key_goes_with_a_certificate,
    a_server_lets_in_whom_its_file_says,
    verify_chain_written_out_implies_require_cert_unless_that_comes_later,
    a_server_that_would_let_anyone_in_does_not_start_by_itself,
    versions_of_tls_are_as_written, the_later_of_two_version_lines_holds,
    a_least_version_that_is_too_old_is_raised_with_a_warning,
    exactly_an_old_version_is_refused, a_least_version_above_the_greatest_is_refused,
    a_server_may_name_who_connects_to_its_app, a_client_has_no_app_to_name_anybody_to,
    what_else_stunnel_says_ahead_of_a_stream_is_refused_by_name,
    a_route_behind_an_http_proxy_is_named_by_protocol_host,
    an_address_behind_an_http_proxy_is_checked_and_no_sni_is_sent,
    several_http_proxies_lead_to_the_same_route,
    an_http_proxy_may_want_a_name_a_password_and_headers,
    what_an_http_proxy_lacks_is_told,
    what_is_for_an_http_proxy_alone_is_refused_without_one, a_password_is_never_shown)
