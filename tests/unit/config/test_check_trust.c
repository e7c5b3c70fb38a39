#include "common/config/settings.h"
#include "tests/unit/settings_file.h"
#include "tests/unit/unit.h"

#include <openssl/ocsp.h>
#include <stdio.h>
#include <string.h>

#define WITH_CA SERVER "CAfile = ca.pem\n"

/* ---- rules ----------------------------------------------------------------------- */

START_TEST(rules_of_all_kinds_are_taken_from_both_ends)
{
	static const char rules[] =
	    "checkIP = 192.0.2.1\ncheckIP = 2001:db8::1\ncheckEmail = ops@a.example\n"
	    "checkURI = spiffe://a.example/ns/*\ncheckSubject = O=Acme, Inc., CN=*.a\n"
	    "checkFingerprint = SHA256:"
	    "AA:bb:cc:dd:00:11:22:33:44:55:66:77:88:99:aa:bb:"
	    "AAbbccdd00112233445566778899aabb\n";
	char client[1024], server[1024];

	snprintf(client, sizeof(client), CLIENT "%s", rules);
	snprintf(server, sizeof(server), WITH_CA "%s", rules);
	for (int role = ROLE_CLIENT; role <= ROLE_SERVER; role++) {
		struct settings *settings =
		    settings_from((enum role)role, role == ROLE_CLIENT ? client : server);
		const struct service_settings *s = &settings->services[0];

		ck_assert_uint_eq(s->check_host.count, 0);
		ck_assert_uint_eq(s->check_ip.count, 2);
		ck_assert_str_eq(s->check_email.items[0], "ops@a.example");
		ck_assert_str_eq(s->check_uri.items[0], "spiffe://a.example/ns/*");
		ck_assert_str_eq(s->check_subject.items[0], "O=Acme, Inc., CN=*.a");
		ck_assert_str_eq(s->check_fingerprint.items[0],
		    "aabbccdd00112233445566778899aabb"
		    "aabbccdd00112233445566778899aabb");
		ck_assert_str_eq(settings_warnings(), "");
		settings_release(settings);
	}
}
END_TEST

START_TEST(a_rule_that_cannot_be_meant_is_refused)
{
	static const struct {
		const char *line;
		const char *why;
	} cases[] = {
	    {"checkIP = a.example", ":4: \"checkIP = a.example\": checkIP is an address"},
	    {"checkIP = fe80::1%lo", "without port or zone"},
	    {"checkIP = 192.0.2.1:443", "checkIP is an address"},
	    {"checkEmail = ops", "checkEmail is NAME@HOST"},
	    {"checkEmail = @a", "checkEmail is NAME@HOST"},
	    {"checkURI = spiffe://*/ns", "stands at the end alone"},
	    {"checkURI = spiffe://a.example*", "behind a whole authority"},
	    {"checkURI = spiffe:///*", "behind a whole authority"},
	    {"checkURI = *", "behind a whole authority"},
	    {"checkSubject = orders", "begins with CN=, O= or OU="},
	    {"checkSubject = L=Paris", "begins with CN=, O= or OU="},
	    {"checkSubject = CN=", "nothing behind the"},
	    {"checkSubject = CN=, O=x", "nothing behind the"},
	    {"checkSubject = CN=*", "would let everybody in"},
	    {"checkSubject = CN=*, O=**", "would let everybody in"},
	    {"checkFingerprint = 00:11", "64 hexadecimal digits"},
	    {"checkFingerprint = sha1:0011", "64 hexadecimal digits"},
	};
	char text[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), CLIENT "%s\n", cases[i].line);
		settings_refused_with(ROLE_CLIENT, text, cases[i].why);
	}
}
END_TEST

START_TEST(names_prove_nothing_unless_somebody_vouches_for_them)
{
	static const char *const rules[] = {"checkHost = a", "checkIP = ::1",
	    "checkEmail = a@b", "checkURI = a:b", "checkSubject = CN=a"};
	char text[256];

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		snprintf(text, sizeof(text), CLIENT "verifyChain = no\n%s\n", rules[i]);
		settings_refused_with(
		    ROLE_CLIENT, text, " proves nothing with verifyChain = no");
	}
}
END_TEST

#define FINGERPRINT                                                                      \
	"checkFingerprint = "                                                            \
	"0011223344556677001122334455667700112233445566770011223344556677\n"

START_TEST(a_key_alone_may_decide)
{
	struct settings *settings =
	    settings_from(ROLE_CLIENT, CLIENT "verifyChain = no\n" FINGERPRINT);

	ck_assert(!settings->services[0].verify_chain);
	ck_assert(!settings->services[0].system_ca);
	ck_assert_uint_eq(settings->services[0].check_host.count, 0);
	ck_assert_str_eq(settings_warnings(), "");
	settings_release(settings);
	settings = settings_from(ROLE_SERVER, SERVER "verifyChain = no\n" FINGERPRINT);
	ck_assert(settings->services[0].require_cert && settings->services[0].ask_cert);
	settings_release(settings);
	settings_refused_with(
	    ROLE_SERVER, SERVER FINGERPRINT, "add \"verifyChain = no\", or \"CAfile");
	settings_refused_with(ROLE_SERVER,
	    SERVER "verifyChain = no\ncheckHost = a\n" FINGERPRINT,
	    "checkHost proves nothing");
}
END_TEST

/* ---- verifyPeer and verify ------------------------------------------------------- */

START_TEST(verify_peer_alone_drops_the_chain)
{
	struct settings *settings =
	    settings_from(ROLE_CLIENT, CLIENT "CAfile = peer.pem\nverifyPeer = yes\n");
	const struct service_settings *s = &settings->services[0];

	ck_assert(s->verify_peer && !s->verify_chain && !s->system_ca);
	ck_assert_uint_eq(s->check_host.count, 0);
	ck_assert_str_eq(settings_warnings(), "");
	settings_release(settings);
	settings = settings_from(ROLE_CLIENT,
	    CLIENT "CAfile = peer.pem\nverifyPeer = yes\nverifyChain = yes\n");
	s = &settings->services[0];
	ck_assert(s->verify_peer && s->verify_chain);
	ck_assert_str_eq(s->check_host.items[0], "orders.example");
	settings_release(settings);
	settings_refused_with(ROLE_CLIENT, CLIENT "verifyPeer = yes\n",
	    "verifyPeer needs the peers' own certificates: add \"CAfile = FILE\"");
}
END_TEST

START_TEST(verify_peer_implies_that_a_certificate_is_shown)
{
	struct settings *settings =
	    settings_from(ROLE_SERVER, "requireCert = no\n" WITH_CA "verifyPeer = yes\n");

	ck_assert(settings->services[0].require_cert && settings->services[0].ask_cert);
	settings_release(settings);
	settings =
	    settings_from(ROLE_SERVER, WITH_CA "verifyPeer = yes\nrequireCert = no\n");
	ck_assert(!settings->services[0].require_cert && settings->services[0].ask_cert);
	settings_release(settings);
}
END_TEST

START_TEST(the_obsolete_levels_stand_for_their_lines)
{
	static const struct {
		bool chain, peer, require;
	} levels[] = {{false, false, false}, {true, false, false}, {true, false, true},
	    {true, true, true}, {false, true, true}};
	char text[256];

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		struct settings *settings;
		const struct service_settings *s;

		snprintf(text, sizeof(text), WITH_CA "verify = %zu\n", i);
		settings = settings_from(ROLE_SERVER, text);
		s = &settings->services[0];
		ck_assert(s->ask_cert);
		ck_assert_int_eq(s->verify_chain, levels[i].chain);
		ck_assert_int_eq(s->verify_peer, levels[i].peer);
		ck_assert_int_eq(s->require_cert, levels[i].require);
		ck_assert_int_eq(
		    strstr(settings_warnings(), "requireCert = no") == NULL, i > 1);
		settings_release(settings);
	}
	settings_refused_with(
	    ROLE_SERVER, WITH_CA "verify = 5\n", "verify takes 0, 1, 2");
	settings_refused_with(
	    ROLE_SERVER, SERVER "verify = 2\n", "nothing says whom to let in");
	settings_refused_with(ROLE_SERVER, SERVER "verify = 4\n", "verifyPeer needs");
}
END_TEST

START_TEST(a_written_line_wins_over_a_level)
{
	struct settings *settings =
	    settings_from(ROLE_SERVER, WITH_CA "requireCert = no\nverify = 2\n");

	ck_assert(settings->services[0].verify_chain);
	ck_assert(!settings->services[0].require_cert);
	settings_release(settings);
	settings = settings_from(ROLE_CLIENT, CLIENT "verify = 2\n");
	ck_assert(settings->services[0].system_ca);
	ck_assert_str_eq(settings->services[0].check_host.items[0], "orders.example");
	settings_release(settings);
	settings = settings_from(ROLE_CLIENT, CLIENT "verify = 0\n");
	ck_assert_ptr_nonnull(strstr(settings_warnings(), "the server may be anybody"));
	settings_release(settings);
}
END_TEST

/* ---- pre-shared keys ------------------------------------------------------------- */

#define PSK_SERVER "[orders]\naccept = 8443\nconnect = 5432\nPSKsecrets = keys\n"

START_TEST(keys_take_the_place_of_certificates)
{
	struct settings *settings =
	    settings_from(ROLE_CLIENT, CLIENT "PSKsecrets = keys\nPSKidentity = a\n");

	ck_assert_str_eq(settings->services[0].psk_identity, "a");
	ck_assert(!settings->services[0].system_ca && settings->services[0].verify_chain);
	settings_release(settings);
	settings = settings_from(ROLE_SERVER, PSK_SERVER);
	ck_assert(!settings->services[0].require_cert);
	ck_assert_str_eq(settings_warnings(), "");
	settings_release(settings);
	settings = settings_from(ROLE_SERVER, PSK_SERVER "cert = c\n");
	ck_assert(settings->services[0].require_cert && settings->services[0].ask_cert);
	settings_release(settings);
	settings = settings_from(ROLE_SERVER, PSK_SERVER "verifyChain = no\n");
	ck_assert(settings->services[0].verify_chain);
	settings_release(settings);
	/* There is no CA for whom it would be good to ask. */
	settings = settings_from(ROLE_SERVER, PSK_SERVER "cert = c\nrequireCert = no\n");
	ck_assert(!settings->services[0].ask_cert);
	settings_release(settings);
}
END_TEST

START_TEST(rules_on_certificates_need_certificates)
{
	settings_refused_with(ROLE_SERVER, PSK_SERVER "checkHost = a\n",
	    "checkHost is about certificates, and with PSKsecrets alone nobody shows "
	    "one");
	settings_release(settings_from(
	    ROLE_SERVER, PSK_SERVER "cert = c\nCAfile = ca\ncheckHost = a\n"));
	settings_refused_with(
	    ROLE_CLIENT, CLIENT "PSKidentity = a\n", "add \"PSKsecrets = FILE\"");
}
END_TEST

/* ---- files ----------------------------------------------------------------------- */

START_TEST(a_private_store_takes_the_systems_place)
{
	struct settings *settings =
	    settings_from(ROLE_CLIENT, CLIENT "CAstore = file:/ca.pem\n");

	ck_assert(!settings->services[0].system_ca);
	settings_release(settings);
	settings_release(settings_from(ROLE_SERVER, SERVER "CAstore = file:/ca.pem\n"));
}
END_TEST

START_TEST(a_revocation_list_needs_a_chain)
{
	settings_release(settings_from(ROLE_CLIENT, CLIENT "CRLfile = crl.pem\n"));
	settings_refused_with(ROLE_CLIENT,
	    CLIENT "CAfile = c\nverifyPeer = yes\nCRLpath = /crls\n",
	    "CRLpath needs verifyChain = yes");
	settings_refused_with(ROLE_CLIENT, CLIENT "verifyChain = no\nCRLfile = crl.pem\n",
	    "CRLfile needs verifyChain = yes");
}
END_TEST

START_TEST(each_certificate_has_a_key_or_none_has)
{
	struct settings *settings =
	    settings_from(ROLE_CLIENT, CLIENT "cert = a\ncert = b\n");

	ck_assert_uint_eq(settings->services[0].key.count, 2);
	ck_assert_str_eq(settings->services[0].key.items[1], "b");
	settings_release(settings);
	settings_refused_with(ROLE_CLIENT, CLIENT "cert = a\ncert = b\nkey = c\n",
	    "there are 2 cert lines and 1 key lines");
	settings_refused_with(ROLE_CLIENT,
	    CLIENT "cert = a\ncert = b\ncert = c\ncert = d\ncert = e\n",
	    "more than 4 cert lines");
}
END_TEST

/* ---- sessions, and how weak TLS may be ------------------------------------------- */

#define HEX16 "00112233445566778899aabbccddeeff"

START_TEST(sessions_have_stunnels_defaults)
{
	struct settings *settings = settings_from(ROLE_SERVER, WITH_CA);
	const struct service_settings *s = &settings->services[0];

	ck_assert(s->session_resume && !s->fips);
	ck_assert_int_eq(s->session_cache_size, 1000);
	ck_assert_int_eq(s->session_cache_timeout, 300);
	ck_assert_int_eq(s->security_level, 2);
	ck_assert_ptr_null(s->ticket_key_secret);
	settings_release(settings);
	settings =
	    settings_from(ROLE_CLIENT, CLIENT "session = 60\nsessionResume = no\n");
	ck_assert_int_eq(settings->services[0].session_cache_timeout, 60);
	ck_assert(!settings->services[0].session_resume);
	settings_release(settings);
}
END_TEST

START_TEST(secrets_of_tickets_are_judged_and_never_shown)
{
	static const char *const bad[] = {"0011", HEX16 "00",
	    "xx112233445566778899aabbccddeeff", HEX16 HEX16 "00",
	    "0112233445566778899aabbccddeeff"};
	char text[512];

	settings_release(settings_from(ROLE_SERVER,
	    WITH_CA "ticketKeySecret = " HEX16 HEX16 "\nticketMacSecret = "
		    "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff\n"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text),
		    WITH_CA "ticketKeySecret = %s\nticketMacSecret = " HEX16 "\n",
		    bad[i]);
		settings_refused(ROLE_SERVER, text,
		    ":6: \"ticketKeySecret = (not shown)\": ticketKeySecret is 32 or 64 "
		    "hexadecimal digits, "
		    "of "
		    "16 or 32 bytes: openssl rand -hex 32 makes them");
	}
	settings_refused_with(ROLE_SERVER, WITH_CA "ticketMacSecret = " HEX16 "\n",
	    "ticketKeySecret is missing");
	settings_refused_with(ROLE_SERVER, WITH_CA "ticketKeySecret = " HEX16 "\n",
	    "ticketMacSecret is missing");
}
END_TEST

START_TEST(responders_are_asked_over_plain_http_about_a_chain)
{
	struct settings *settings = settings_from(ROLE_SERVER, WITH_CA
	    "OCSP = http://ocsp.example/\nOCSPflag = nocerts\nOCSPflag = NOCHAIN\n");
	const struct service_settings *s = &settings->services[0];

	ck_assert(!s->ocsp_aia && s->ocsp_require && !s->ocsp_nonce);
	ck_assert_uint_eq(s->ocsp_flags, OCSP_NOCERTS | OCSP_NOCHAIN);
	ck_assert_double_eq(s->timeout_ocsp, 5);
	settings_release(settings);
	settings_refused_with(ROLE_SERVER, WITH_CA "OCSP = https://ocsp.example/\n",
	    "OCSP is http://HOST[:PORT]/PATH");
	settings_refused_with(
	    ROLE_SERVER, WITH_CA "OCSPflag = NOVERIFY\n", "nobody vouches for");
	settings_refused_with(ROLE_CLIENT, CLIENT "verifyChain = no\nOCSPaia = yes\n",
	    "OCSPaia needs verifyChain = yes");
	settings_release(
	    settings_from(ROLE_CLIENT, CLIENT "verifyChain = no\nOCSPaia = no\n"));
}
END_TEST

START_TEST(what_makes_tls_weak_is_refused_or_warned_of)
{
	settings_refused_with(ROLE_CLIENT, CLIENT "renegotiation = yes\n",
	    "renegotiation = yes is refused: ");
	settings_release(settings_from(ROLE_CLIENT, CLIENT "renegotiation = no\n"));
	settings_release(settings_from(ROLE_CLIENT, CLIENT "securityLevel = 1\n"));
	ck_assert_ptr_nonnull(
	    strstr(settings_warnings(), "securityLevel = 1 takes keys"));
	settings_refused_with(ROLE_CLIENT, CLIENT "securityLevel = 6\n", "takes 0 to 5");
}
END_TEST

UNIT_MAIN("settings_trust", rules_of_all_kinds_are_taken_from_both_ends,
    a_rule_that_cannot_be_meant_is_refused,
    names_prove_nothing_unless_somebody_vouches_for_them, a_key_alone_may_decide,
    verify_peer_alone_drops_the_chain, verify_peer_implies_that_a_certificate_is_shown,
    the_obsolete_levels_stand_for_their_lines, a_written_line_wins_over_a_level,
    keys_take_the_place_of_certificates, rules_on_certificates_need_certificates,
    a_private_store_takes_the_systems_place, a_revocation_list_needs_a_chain,
    each_certificate_has_a_key_or_none_has, sessions_have_stunnels_defaults,
    secrets_of_tickets_are_judged_and_never_shown,
    responders_are_asked_over_plain_http_about_a_chain,
    what_makes_tls_weak_is_refused_or_warned_of)
