#include "tests/unit/tls_scene.h"
#include "tests/unit/unit.h"

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* ---- the router's wildcard ------------------------------------------------------ */

/* The server's certificate fits the client's rule only through its wildcard. */
static void
wildcard_init(struct tls_scene *s, int version)
{
	tls_scene_init(s, version);
	bench_give_certificate(&s->bench.server, "DNS:*.apps.example", &s->bench.ca);
	s->bench.server.multiplex = MULTIPLEX_AUTO;
}

/* The client has been given a session, and resumes it. */
static void
meet_again(struct tls_scene *s)
{
	SSL_SESSION *copy;

	ck_assert_int_eq(tls_scene_take(&s->client, ""), TLS_OPEN);
	ck_assert_int_ge(s->sessions, 1);
	tls_scene_close(s);
	copy = SSL_SESSION_dup(s->session);
	tls_scene_meet(s, copy);
	SSL_SESSION_free(copy);
	ck_assert(SSL_session_reused(s->client.ssl));
}

START_TEST(that_nobody_asked_for_our_certificate_is_remembered_with_the_session)
{
	for (size_t i = 0; i < 4; i++) {
		struct tls_scene s;

		tls_scene_init(&s, versions[i % 2]);
		s.bench.server.ask_cert = s.bench.server.require_cert = i < 2;
		tls_scene_meet(&s, NULL);
		ck_assert_int_eq(s.client.asked_us, i < 2);
		meet_again(&s);
		ck_assert_int_eq(s.client.asked_us, i < 2);
		meet_again(&s);
		ck_assert_int_eq(s.client.asked_us, i < 2);
		tls_scene_clear(&s);
	}
}
END_TEST

/* With clientTLS the router's own TLS asks for our certificate, too. */
START_TEST(a_wildcard_is_the_router_whether_it_asks_for_our_certificate_or_not)
{
	for (size_t i = 0; i < 4; i++) {
		struct tls_scene s;

		wildcard_init(&s, versions[i % 2]);
		s.bench.server.ask_cert = s.bench.server.require_cert = i < 2;
		s.bench.server.multiplex = MULTIPLEX_NO;
		s.offers_h2 = true;
		tls_scene_open(&s, NULL);
		tls_scene_shake(&s);
		tls_scene_expect(&s.client, REASON_ROUTE_UNKNOWN, "DNS:*.apps.example");
		ck_assert_int_eq(s.client.asked_us, i < 2);
		ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_BROKEN);
		ck_assert_int_eq(s.sessions, 0);
		tls_scene_clear(&s);
	}
}
END_TEST

START_TEST(a_wildcard_counts_where_our_protocol_is_selected)
{
	for (size_t i = 0; i < 4; i++) {
		struct tls_scene s;

		wildcard_init(&s, versions[i % 2]);
		s.bench.server.ask_cert = s.bench.server.require_cert = i < 2;
		s.offers_h2 = true;
		tls_scene_meet(&s, NULL);
		meet_again(&s);
		ck_assert(tls_is_h2(&s.client));
		tls_scene_clear(&s);
	}
}
END_TEST

/* The session is good, and says nothing of who has it now. */
START_TEST(a_wildcard_is_judged_anew_in_a_resumed_handshake)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_scene s;

		wildcard_init(&s, versions[i]);
		s.offers_h2 = true;
		tls_scene_meet(&s, NULL);
		ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_OPEN);
		ck_assert_int_eq(s.sessions, 1);
		tls_scene_close(&s);
		s.offers_h2 = false;
		tls_scene_open(&s, s.session);
		tls_scene_shake(&s);
		ck_assert(SSL_session_reused(s.client.ssl));
		tls_scene_expect(&s.client, REASON_ROUTE_UNKNOWN, "DNS:*.apps.example");
		tls_scene_clear(&s);
	}
}
END_TEST

START_TEST(a_wildcard_that_is_the_rule_itself_is_good_enough)
{
	static char rule[] = "*.apps.example";

	for (size_t i = 0; i < 2; i++) {
		struct tls_scene s;

		wildcard_init(&s, versions[i]);
		s.bench.server.ask_cert = s.bench.server.require_cert = false;
		s.bench.host = rule;
		tls_scene_meet(&s, NULL);
		meet_again(&s);
		tls_scene_clear(&s);
	}
}
END_TEST

/* verifyPeer: the certificate is among those that are trusted, and no CA is. */
START_TEST(a_wildcard_of_a_certificate_that_is_pinned_is_good_enough)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_scene s;

		wildcard_init(&s, versions[i]);
		s.bench.client.verify_chain = false;
		s.bench.client.verify_peer = true;
		free(s.bench.client.ca_file);
		s.bench.client.ca_file = strdup(s.bench.server.cert.items[0]);
		tls_scene_meet(&s, NULL);
		meet_again(&s);
		tls_scene_clear(&s);
	}
}
END_TEST

/* checkFingerprint */
START_TEST(a_wildcard_of_a_key_that_is_pinned_is_good_enough)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_scene s;
		char digits[IDENTITY_FINGERPRINT_SIZE], *rule = digits;

		wildcard_init(&s, versions[i]);
		s.server_context = bench_context(&s.bench.server);
		ck_assert(identity_fingerprint(
		    SSL_CTX_get0_certificate(s.server_context), digits));
		s.bench.client.check_fingerprint =
		    (struct strlist){.items = &rule, .count = 1};
		s.client_context = bench_context(&s.bench.client);
		tls_scene_meet(&s, NULL);
		meet_again(&s);
		tls_scene_clear(&s);
	}
}
END_TEST

UNIT_MAIN("tls_wildcard",
    a_wildcard_is_the_router_whether_it_asks_for_our_certificate_or_not,
    a_wildcard_counts_where_our_protocol_is_selected,
    a_wildcard_is_judged_anew_in_a_resumed_handshake,
    a_wildcard_that_is_the_rule_itself_is_good_enough,
    a_wildcard_of_a_certificate_that_is_pinned_is_good_enough,
    a_wildcard_of_a_key_that_is_pinned_is_good_enough,
    that_nobody_asked_for_our_certificate_is_remembered_with_the_session)
