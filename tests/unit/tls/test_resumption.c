#include "tests/unit/tls_scene.h"
#include "tests/unit/unit.h"

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* ---- resumption ----------------------------------------------------------------- */

START_TEST(a_session_is_resumed)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_scene s;
		SSL_SESSION *copy;

		tls_scene_init(&s, versions[i]);
		tls_scene_meet(&s, NULL);
		ck_assert(!SSL_session_reused(s.client.ssl));
		ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_OPEN);
		ck_assert_int_eq(s.sessions, 1);
		tls_finish(&s.client);
		tls_finish(&s.server);
		tls_scene_close(&s);
		for (int round = 0; round < 3; round++) {
			copy = SSL_SESSION_dup(s.session);
			tls_scene_meet(&s, copy);
			SSL_SESSION_free(copy);
			ck_assert(SSL_session_reused(s.client.ssl));
			ck_assert(SSL_session_reused(s.server.ssl));
			tls_scene_give(&s.server, "answer", 6);
			ck_assert_int_eq(tls_scene_take(&s.client, "answer"), TLS_OPEN);
			ck_assert_int_eq(s.sessions, 1);
			if (round < 2)
				tls_scene_close(&s); /* without close_notify */
		}
		tls_scene_clear(&s);
	}
}
END_TEST

/* In TLS 1.3 it comes when the responder has spoken. */
START_TEST(a_session_of_who_is_still_to_be_asked_about_is_not_kept)
{
	for (size_t i = 0; i < 4; i++) {
		struct tls_scene s;

		tls_scene_init(&s, versions[i % 2]);
		s.bench.client.ocsp_aia = i < 2;
		s.bench.client.ocsp_url = i < 2 ? NULL : "http://127.0.0.1/";
		tls_scene_meet(&s, NULL);
		ck_assert_int_eq(s.sessions, 0);
		tls_scene_take(&s.client, "");
		ck_assert_int_eq(s.sessions, versions[i % 2] == TLS1_3_VERSION ? 1 : 0);
		tls_scene_clear(&s);
	}
}
END_TEST

/* The far end forgets it, as RFC 8446, 6.2 asks; but the copy is ours alone, since other
 * workers look at it. */
static void
expect_session_survives_abort(bool by_server)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_scene s;

		tls_scene_init(&s, versions[i]);
		tls_scene_meet(&s, NULL);
		ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_OPEN);
		ck_assert_int_eq(s.sessions, 1);
		ck_assert(tls_abort(by_server ? &s.server : &s.client));
		ck_assert_int_eq(
		    tls_scene_take(by_server ? &s.client : &s.server, ""), TLS_BROKEN);
		tls_scene_close(&s);
		ck_assert_msg(SSL_SESSION_is_resumable(s.session),
		    "the session that was kept is marked bad");
		tls_scene_clear(&s);
	}
}

START_TEST(an_abort_by_the_client_leaves_the_session_good)
{
	expect_session_survives_abort(false);
}
END_TEST

START_TEST(an_abort_by_the_server_leaves_the_session_good)
{
	expect_session_survives_abort(true);
}
END_TEST

START_TEST(who_resumes_is_judged_by_today_s_rules)
{
	static char other[] = "billing.apps.example";

	for (size_t i = 0; i < 2; i++) {
		struct tls_scene s;

		tls_scene_init(&s, versions[i]);
		tls_scene_meet(&s, NULL);
		ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_OPEN);
		tls_scene_close(&s);
		s.bench.host = other;
		tls_scene_open(&s, s.session);
		tls_scene_shake(&s);
		ck_assert(SSL_session_reused(s.client.ssl));
		tls_scene_expect(&s.client, REASON_NAME_MISMATCH, "somebody else's");
		tls_scene_clear(&s);
	}
}
END_TEST

START_TEST(the_server_judges_who_resumes_too)
{
	static char other_name[] = "other.legacy.example";
	static char *other = other_name;

	for (size_t i = 0; i < 2; i++) {
		struct tls_scene s;

		tls_scene_init(&s, versions[i]);
		tls_scene_meet(&s, NULL);
		ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_OPEN);
		tls_scene_close(&s);
		s.bench.server.check_host.items = &other;
		s.bench.server.check_host.count = 1;
		tls_scene_open(&s, s.session);
		tls_scene_shake(&s);
		tls_scene_expect(&s.server, REASON_NAME_MISMATCH, "somebody else's");
		s.bench.server.check_host.count = 0;
		tls_scene_clear(&s);
	}
}
END_TEST

UNIT_MAIN("tls_resumption", a_session_is_resumed,
    a_session_of_who_is_still_to_be_asked_about_is_not_kept,
    an_abort_by_the_client_leaves_the_session_good,
    an_abort_by_the_server_leaves_the_session_good,
    who_resumes_is_judged_by_today_s_rules, the_server_judges_who_resumes_too)
