#include "tests/unit/tls_scene.h"
#include "tests/unit/unit.h"

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* ---- before the stream ---------------------------------------------------------- */

START_TEST(eof_before_server_hello_means_no_pod)
{
	struct tls_scene s;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_open(&s, NULL);
	ck_assert_int_eq(tls_handshake(&s.client), TLS_HANDSHAKE);
	shutdown(s.fds[1], SHUT_RDWR);
	ck_assert_int_eq(tls_handshake(&s.client), TLS_BROKEN);
	tls_scene_expect(&s.client, REASON_NO_POD, "closed at once, before ServerHello");
	tls_scene_clear(&s);
}
END_TEST

/* What a router is likely to have met, by the seconds that it took. */
START_TEST(the_time_of_an_early_end_tells_its_cause)
{
	static const struct {
		double seconds;
		const char *words;
	} ends[] = {
	    {0.0, "no ready pod"},
	    {1.9, "no ready pod"},
	    {2.1, "nothing listens on the route's targetPort"},
	    {3.0, "nothing listens on the route's targetPort"},
	    {3.9, "nothing listens on the route's targetPort"},
	    {4.1, "pod-concurrent-connections"},
	    {5.0, "pod-concurrent-connections"},
	    {7.9, "pod-concurrent-connections"},
	    {8.1, "8 to 15 s"},
	    {15.1, "NetworkPolicy"},
	    {20.0, "NetworkPolicy"},
	    {3600, "NetworkPolicy"},
	};
	struct tls_scene s;

	tls_scene_init(&s, TLS1_3_VERSION);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		tls_scene_open(&s, NULL);
		ck_assert_int_eq(tls_handshake(&s.client), TLS_HANDSHAKE);
		s.client.sent -= ends[i].seconds;
		shutdown(s.fds[1], SHUT_RDWR);
		ck_assert_int_eq(tls_handshake(&s.client), TLS_BROKEN);
		tls_scene_expect(&s.client, REASON_NO_POD, ends[i].words);
		tls_scene_close(&s);
	}
	tls_scene_open(&s, NULL);
	tls_scene_clear(&s);
}
END_TEST

START_TEST(a_silent_peer_is_told_apart_from_a_slow_one)
{
	struct tls_scene s;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_open(&s, NULL);
	tls_handshake(&s.client);
	ck_assert_ptr_nonnull(strstr(tls_silence(&s.client), "without TLS, which waits"));
	ck_assert_ptr_null(strstr(tls_silence(&s.server), "ClientHello"));
	ck_assert_int_eq(send(s.fds[1], "\x16\x03", 2, 0), 2);
	ck_assert_int_eq(tls_handshake(&s.client), TLS_HANDSHAKE);
	ck_assert_ptr_null(strstr(tls_silence(&s.client), "without TLS"));
	tls_scene_clear(&s);
}
END_TEST

START_TEST(eof_before_client_hello_is_a_probe)
{
	struct tls_scene s;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_open(&s, NULL);
	shutdown(s.fds[0], SHUT_RDWR);
	ck_assert_int_eq(tls_handshake(&s.server), TLS_BROKEN);
	ck_assert_int_eq(s.server.reason, REASON_PROBE);
	tls_scene_clear(&s);
}
END_TEST

static SSL_CTX *
choose_same(void *chooser, const char *name, enum reason *reason)
{
	struct tls_scene *s = chooser;

	(void)name;
	(void)reason;
	return s->server_context;
}

/* The server hears @bytes, in two pieces, cut at @first. */
static void
hear(struct tls_scene *s, const char *bytes, size_t length, size_t first)
{
	tls_scene_init(s, TLS1_3_VERSION);
	tls_scene_open(s, NULL);
	s->server.choose = choose_same;
	s->server.chooser = s;
	ck_assert_int_eq(write(s->fds[0], bytes, first), (ssize_t)first);
	tls_handshake(&s->server);
	if (first < length)
		ck_assert_int_eq(write(s->fds[0], bytes + first, length - first),
		    (ssize_t)(length - first));
	tls_handshake(&s->server);
}

/* The last that came on @fd. */
static void
expect_fatal_alert(int fd)
{
	unsigned char bytes[4096];
	ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

	ck_assert_int_ge(n, 7);
	ck_assert_int_eq(bytes[n - 7], SSL3_RT_ALERT);
	ck_assert_int_eq(bytes[n - 2], SSL3_AL_FATAL);
}

/* As soon as it is said, and before there is room for it; by an alert. */
START_TEST(a_client_hello_that_claims_to_be_huge_is_refused_at_once)
{
	static const struct {
		const char *bytes;
		size_t length;
		enum tls_state state;
	} cases[] = {
	    {"\x16\3\1\2\0\1\0\x80\1", 9, TLS_BROKEN},
	    {"\x16\3\1\0\3\1\1\0\x16\3\1\0\3\0\0\0", 16, TLS_BROKEN},
	    {"\x16\3\1\0\1\1\x16\3\1\0\3\1\0\0", 14, TLS_BROKEN},
	    {"\x16\3\1\2\0\1\0\1\xfc", 9, TLS_HANDSHAKE},
	    {"\x16\3\1\0\3\1\0\1\x16\3\1\0\1\xfc", 14, TLS_HANDSHAKE},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t first = 1; first <= cases[i].length; first++) {
			struct tls_scene s;

			hear(&s, cases[i].bytes, cases[i].length, first);
			ck_assert_msg(s.server.state == cases[i].state,
			    "case %zu in %zu bytes", i, first);
			if (cases[i].state == TLS_BROKEN) {
				tls_scene_expect(&s.server, REASON_TLS_FAILED,
				    "the ClientHello is too large");
				expect_fatal_alert(s.fds[0]);
			}
			tls_scene_clear(&s);
		}
}
END_TEST

START_TEST(a_warning_in_front_of_a_client_hello_hides_nothing)
{
	static const uint8_t bytes[] = {21, 3, 1, 0, 2, 1, SSL_AD_USER_CANCELLED, 22, 3,
	    1, 2, 0, SSL3_MT_CLIENT_HELLO, 1, 0, 0};
	struct tls_scene s;

	tls_scene_init(&s, TLS1_2_VERSION);
	tls_scene_open(&s, NULL);
	ck_assert(tls_hello_look(&s.server, bytes, sizeof(bytes) - 1));
	ck_assert(!tls_hello_look(&s.server, bytes + sizeof(bytes) - 1, 1));
	tls_scene_clear(&s);
}
END_TEST

/* Behind a HelloRetryRequest, which somebody gets who offers no key for our groups. */
START_TEST(a_second_client_hello_is_looked_at_too)
{
	static const char huge[] = "\x14\3\3\0\1\1\x16\3\3\x40\0\1\1\0\0";
	struct tls_scene s;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_open(&s, NULL);
	ck_assert_int_eq(SSL_set1_groups_list(s.client.ssl, "P-384:P-256"), 1);
	ck_assert_int_eq(SSL_set1_groups_list(s.server.ssl, "P-256"), 1);
	tls_handshake(&s.client);
	tls_handshake(&s.server);
	ck_assert_int_eq(s.server.state, TLS_HANDSHAKE);
	ck_assert_int_gt(tls_scene_waiting(s.fds[0]), 0);
	ck_assert_int_eq(write(s.fds[0], huge, sizeof(huge) - 1), sizeof(huge) - 1);
	ck_assert_int_eq(tls_handshake(&s.server), TLS_BROKEN);
	tls_scene_expect(&s.server, REASON_TLS_FAILED, "the ClientHello is too large");
	expect_fatal_alert(s.fds[0]);
	tls_scene_clear(&s);
}
END_TEST

/* Its groups make the server ask again. */
START_TEST(an_honest_second_client_hello_passes)
{
	struct tls_scene s;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_open(&s, NULL);
	ck_assert_int_eq(SSL_set1_groups_list(s.client.ssl, "P-384:P-256"), 1);
	ck_assert_int_eq(SSL_set1_groups_list(s.server.ssl, "P-256"), 1);
	tls_scene_shake(&s);
	ck_assert_int_eq(s.client.state, TLS_OPEN);
	ck_assert_int_eq(s.server.state, TLS_OPEN);
	tls_scene_clear(&s);
}
END_TEST

START_TEST(a_certificate_of_a_client_may_be_as_large_as_any_honest_one)
{
	struct tls_scene s;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_open(&s, NULL);
	ck_assert_int_eq(SSL_get_max_cert_list(s.server.ssl), 32 * 1024);
	tls_scene_clear(&s);
}
END_TEST

START_TEST(eof_in_the_middle_of_the_handshake_says_so)
{
	struct tls_scene s;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_open(&s, NULL);
	tls_handshake(&s.client);
	ck_assert_int_eq(tls_handshake(&s.server), TLS_HANDSHAKE);
	shutdown(s.fds[0], SHUT_RDWR);
	ck_assert_int_eq(tls_handshake(&s.server), TLS_BROKEN);
	tls_scene_expect(&s.server, REASON_TLS_FAILED, "middle of the handshake");
	tls_scene_clear(&s);
}
END_TEST

/* What @words in place of TLS make of one end, in pieces of @most bytes. */
static void
expect_not_tls(bool server, const char *words, size_t n, size_t most, const char *detail)
{
	struct tls_scene s;
	struct tls *t = server ? &s.server : &s.client;
	size_t piece;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_open(&s, NULL);
	tls_handshake(t);
	for (; n > 0 && t->state == TLS_HANDSHAKE; words += piece, n -= piece) {
		piece = n < most ? n : most;
		ck_assert_uint_eq(
		    (size_t)send(s.fds[server ? 0 : 1], words, piece, 0), piece);
		tls_handshake(t);
	}
	shutdown(s.fds[server ? 0 : 1], SHUT_WR);
	if (t->state == TLS_HANDSHAKE)
		tls_handshake(t);
	tls_scene_expect(t, REASON_NOT_TLS, "does not speak TLS");
	tls_scene_expect(t, REASON_NOT_TLS, detail);
	for (const char *c = t->detail; *c != '\0'; c++)
		ck_assert_msg(*c >= ' ' && *c <= '~', "byte %d in \"%s\"", *c, t->detail);
	ck_assert_ptr_null(strstr(t->detail, "secret"));
	tls_scene_clear(&s);
}

#define WORDS(text) text, sizeof(text) - 1

START_TEST(a_peer_without_tls_is_shown)
{
	static const struct {
		const char *words;
		size_t n;
		const char *shown;
	} peers[] = {
	    {WORDS("HTTP/1.1 400 Bad request\r\n\r\nsecret"),
		"\"HTTP/1.1 400 Bad request\""},
	    {WORDS("SSH-2.0-OpenSSH_9.2p1\r\n"), "\"SSH-2.0-OpenSSH_9.2p1\""},
	    {WORDS("J\0\0\0\n8.0\"why=x\n\x1b[1m\xff and more than is shown, secret"),
		"\"J????8.0?why=x??[1m? and more th\""},
	    {WORDS("no"), "\"no\""},
	};

	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++)
		expect_not_tls(
		    false, peers[i].words, peers[i].n, SIZE_MAX, peers[i].shown);
	expect_not_tls(false, WORDS("SSH-2.0-x"), 2, "\"SSH-2.\"");
}
END_TEST

/* A program's own bytes, which may be a password, never. */
START_TEST(a_client_without_tls_is_named_by_its_protocol_alone)
{
	static const struct {
		const char *words;
		size_t n;
		const char *name;
	} clients[] = {
	    {WORDS("GET /secret HTTP/1.1\r\n\r\n"), "this is HTTP;"},
	    {WORDS("DELETE /secret HTTP/1.1\r\n\r\n"), "this is HTTP;"},
	    {WORDS("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "this is HTTP/2 without TLS;"},
	    {WORDS("PROXY TCP4 192.0.2.1 192.0.2.2 secret"), "this is a PROXY header;"},
	    {WORDS("\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c"), "this is a PROXY header;"},
	    {WORDS("\0\0\0\x08\x04\xd2\x16\x2f"), "this is PostgreSQL;"},
	    {WORDS("\0\0\0\x20\0\3\0\0user\0secret"), "this is PostgreSQL;"},
	    {WORDS("SSH-2.0-secret\r\n"), "this is SSH;"},
	    {WORDS("AUTH secret\r\n"), "does not speak TLS (wrong version number)"},
	    {WORDS("\0\0"), "does not speak TLS (closed)"},
	};

	for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++)
		expect_not_tls(
		    true, clients[i].words, clients[i].n, SIZE_MAX, clients[i].name);
}
END_TEST

START_TEST(a_client_that_shows_no_certificate_is_refused)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_scene s;

		tls_scene_init(&s, versions[i]);
		bench_take_certificates(&s.bench.client);
		tls_scene_open(&s, NULL);
		tls_scene_shake(&s);
		tls_scene_expect(
		    &s.server, REASON_CERT_MISSING, "the client shows no certificate");
		if (versions[i] == TLS1_3_VERSION)
			ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_BROKEN);
		tls_scene_expect(
		    &s.client, REASON_CERT_REFUSED, "refuses our certificate");
		ck_assert_int_eq(s.sessions, 0);
		tls_scene_clear(&s);
	}
}
END_TEST

static struct certificate
make_other_ca(void)
{
	return certificate_make(
	    &(struct certificate_wish){.common_name = "other CA", .is_ca = true});
}

/* However it came about; no list of ciphers that we load would let it.  A server that
 * wants a certificate asks for one even then, and OpenSSL's clients take that ill. */
START_TEST(nobody_comes_in_who_shows_nothing)
{
	struct tls_scene s;
	SSL_CTX *contexts[2];

	tls_scene_init(&s, TLS1_2_VERSION);
	s.bench.server.require_cert = s.bench.server.ask_cert = false;
	contexts[0] = s.client_context = bench_context(&s.bench.client);
	contexts[1] = s.server_context = bench_context(&s.bench.server);
	for (int i = 0; i < 2; i++) {
		SSL_CTX_set_security_level(contexts[i], 0);
		ck_assert_int_eq(SSL_CTX_set_cipher_list(contexts[i], "AECDH"), 1);
	}
	tls_scene_open(&s, NULL);
	tls_scene_shake(&s);
	ck_assert_int_eq(s.server.state, TLS_OPEN);
	tls_scene_expect(
	    &s.client, REASON_CERT_MISSING, "neither a certificate nor a pre-shared key");
	tls_scene_clear(&s);
}
END_TEST

START_TEST(a_client_certificate_of_another_ca_is_refused)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_scene s;
		struct certificate other = make_other_ca();

		tls_scene_init(&s, versions[i]);
		bench_give_certificate(&s.bench.client, "DNS:stranger.example", &other);
		tls_scene_open(&s, NULL);
		tls_scene_shake(&s);
		tls_scene_expect(&s.server, REASON_UNKNOWN_CA, "DNS:stranger.example");
		if (versions[i] == TLS1_3_VERSION)
			ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_BROKEN);
		tls_scene_expect(
		    &s.client, REASON_CERT_REFUSED, "refuses our certificate");
		ck_assert_int_eq(s.sessions, 0);
		certificate_free(&other);
		tls_scene_clear(&s);
	}
}
END_TEST

START_TEST(a_server_that_has_another_name_is_refused_and_its_names_are_told)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_scene s;

		tls_scene_init(&s, versions[i]);
		bench_give_certificate(
		    &s.bench.server, "DNS:console.apps.example", &s.bench.ca);
		tls_scene_open(&s, NULL);
		tls_scene_shake(&s);
		tls_scene_expect(
		    &s.client, REASON_NAME_MISMATCH, "DNS:console.apps.example");
		tls_scene_expect(&s.client, REASON_NAME_MISMATCH, "orders.apps.example");
		ck_assert_int_eq(s.server.state, TLS_BROKEN);
		ck_assert(s.server.alerted);
		ck_assert_int_eq(s.sessions, 0);
		tls_scene_clear(&s);
	}
}
END_TEST

START_TEST(a_server_of_an_unknown_ca_is_refused)
{
	struct tls_scene s;
	struct certificate other = make_other_ca();

	tls_scene_init(&s, TLS1_3_VERSION);
	bench_give_certificate(&s.bench.server, "DNS:orders.apps.example", &other);
	tls_scene_open(&s, NULL);
	tls_scene_shake(&s);
	tls_scene_expect(&s.client, REASON_UNKNOWN_CA, "not trusted");
	certificate_free(&other);
	tls_scene_clear(&s);
}
END_TEST

/* As when the certificates were made anew on one side alone. */
START_TEST(a_ca_of_the_same_name_and_another_key_is_told_as_an_unknown_one)
{
	for (size_t i = 0; i < 2; i++) {
		struct tls_scene s;
		struct certificate other = certificate_make_ca();

		tls_scene_init(&s, versions[i]);
		bench_give_certificate(&s.bench.client, "DNS:stranger.example", &other);
		tls_scene_open(&s, NULL);
		tls_scene_shake(&s);
		ck_assert_int_eq(s.server.reason, REASON_UNKNOWN_CA);
		if (versions[i] == TLS1_3_VERSION)
			ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_BROKEN);
		tls_scene_expect(
		    &s.client, REASON_CERT_REFUSED, "refuses our certificate");
		certificate_free(&other);
		tls_scene_clear(&s);
	}
}
END_TEST

START_TEST(an_expired_server_is_refused)
{
	struct tls_scene s;
	struct certificate old;

	tls_scene_init(&s, TLS1_3_VERSION);
	old = certificate_make(
	    &(struct certificate_wish){.names = "DNS:orders.apps.example",
		.purpose = "serverAuth",
		.begins = -7200,
		.ends = -3600,
		.issuer = &s.bench.ca});
	bench_take_certificates(&s.bench.server);
	bench_add_pair(&s.bench.server, certificate_write("old.crt", &old, NULL),
	    certificate_write_key("old.key", &old, NULL));
	tls_scene_open(&s, NULL);
	tls_scene_shake(&s);
	tls_scene_expect(&s.client, REASON_CERT_EXPIRED, "expired on");
	certificate_free(&old);
	tls_scene_clear(&s);
}
END_TEST

/* ---- what an end without words means -------------------------------------------- */

START_TEST(eof_right_behind_the_handshake_is_put_down_to_our_certificate)
{
	struct tls_scene s;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_open(&s, NULL);
	tls_handshake(&s.client);
	tls_handshake(&s.server);
	ck_assert_int_eq(tls_handshake(&s.client), TLS_OPEN);
	shutdown(s.fds[1], SHUT_RDWR);
	ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_BROKEN);
	tls_scene_expect(&s.client, REASON_CERT_REFUSED, "probably our certificate");
	tls_scene_clear(&s);
}
END_TEST

/* In TLS 1.2 the server judges our certificate before it says that it is done. */
START_TEST(eof_after_a_handshake_of_tls_1_2_is_not_about_our_certificate)
{
	struct tls_scene s;

	tls_scene_init(&s, TLS1_2_VERSION);
	tls_scene_meet(&s, NULL);
	shutdown(s.fds[1], SHUT_RDWR);
	ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_BROKEN);
	tls_scene_expect(&s.client, REASON_CARRIER_LOST, "closed without close_notify");
	tls_scene_clear(&s);
}
END_TEST

START_TEST(eof_from_a_server_that_never_asked_is_not_about_our_certificate)
{
	struct tls_scene s;

	tls_scene_init(&s, TLS1_3_VERSION);
	s.bench.server.ask_cert = s.bench.server.require_cert = false;
	tls_scene_meet(&s, NULL);
	ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_OPEN);
	shutdown(s.fds[1], SHUT_RDWR);
	ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_BROKEN);
	tls_scene_expect(&s.client, REASON_CARRIER_LOST, "closed without close_notify");
	tls_scene_clear(&s);
}
END_TEST

/* A server that gives a ticket has let us in. */
START_TEST(eof_after_a_ticket_is_not_about_our_certificate)
{
	struct tls_scene s;

	tls_scene_init(&s, TLS1_3_VERSION);
	tls_scene_meet(&s, NULL);
	ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_OPEN);
	ck_assert_int_eq(s.sessions, 1);
	shutdown(s.fds[1], SHUT_RDWR);
	ck_assert_int_eq(tls_scene_take(&s.client, ""), TLS_BROKEN);
	tls_scene_expect(&s.client, REASON_CARRIER_LOST, "closed without close_notify");
	tls_scene_clear(&s);
}
END_TEST

UNIT_MAIN("tls_handshake", eof_before_server_hello_means_no_pod,
    the_time_of_an_early_end_tells_its_cause, a_silent_peer_is_told_apart_from_a_slow_one,
    eof_before_client_hello_is_a_probe,
    a_client_hello_that_claims_to_be_huge_is_refused_at_once,
    a_warning_in_front_of_a_client_hello_hides_nothing,
    a_second_client_hello_is_looked_at_too, an_honest_second_client_hello_passes,
    a_certificate_of_a_client_may_be_as_large_as_any_honest_one,
    eof_in_the_middle_of_the_handshake_says_so, a_peer_without_tls_is_shown,
    a_client_without_tls_is_named_by_its_protocol_alone,
    a_client_that_shows_no_certificate_is_refused, nobody_comes_in_who_shows_nothing,
    a_client_certificate_of_another_ca_is_refused,
    a_server_that_has_another_name_is_refused_and_its_names_are_told,
    a_server_of_an_unknown_ca_is_refused,
    a_ca_of_the_same_name_and_another_key_is_told_as_an_unknown_one,
    an_expired_server_is_refused,
    eof_right_behind_the_handshake_is_put_down_to_our_certificate,
    eof_after_a_handshake_of_tls_1_2_is_not_about_our_certificate,
    eof_from_a_server_that_never_asked_is_not_about_our_certificate,
    eof_after_a_ticket_is_not_about_our_certificate)
