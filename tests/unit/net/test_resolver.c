#include "common/net/resolver.h"
#include "tests/unit/fake_dns.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	PORT = 5432,
	PATIENT = 60000, /* ms that a question is not repeated: no test takes so long */
	SECOND = 1000,
	HASTY = 300, /* newer c-ares makes 250 of less */
	MOST = 40,
};

#define BOTH                                                                             \
	"[2001:db8::1]:5432 192.0.2.1:5432 [2001:db8::2]:5432 192.0.2.2:5432 "           \
	"192.0.2.3:5432"

static const struct fake_record records[] = {
    {.name = "both.test",
	.type = FAKE_DNS_A,
	.data = {"192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3"}},
    {.name = "both.test", .type = FAKE_DNS_AAAA, .data = {"2001:db8::1", "2001:db8::2"}},
    {.name = "four.test", .type = FAKE_DNS_A, .data = {"192.0.2.4"}},
    {.name = "six.test", .type = FAKE_DNS_AAAA, .data = {"2001:db8::6"}},
    {.name = "alias.test",
	.type = FAKE_DNS_A,
	.alias = "four.test",
	.data = {"192.0.2.4"}},
    {.name = "db.short.test", .type = FAKE_DNS_A, .data = {"192.0.2.5"}},
    {.name = "many.test",
	.type = FAKE_DNS_A,
	.data = {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5",
	    "192.0.2.6", "192.0.2.7", "192.0.2.8", "192.0.2.9", "192.0.2.10",
	    "192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.14", "192.0.2.15",
	    "192.0.2.16", "192.0.2.17", "192.0.2.18"}},
    {.name = "silent6.test", .type = FAKE_DNS_A, .data = {"192.0.2.6"}},
    {.name = "silent6.test", .type = FAKE_DNS_AAAA, .instead = FAKE_DNS_SILENT},
    {.name = "lost4.test",
	.type = FAKE_DNS_A,
	.instead = FAKE_DNS_LOST,
	.data = {"192.0.2.7"}},
    {.name = "lost4.test", .type = FAKE_DNS_AAAA, .data = {"2001:db8::7"}},
    {.name = "silent4.test", .type = FAKE_DNS_A, .instead = FAKE_DNS_SILENT},
    {.name = "silent4.test", .type = FAKE_DNS_AAAA, .data = {"2001:db8::8"}},
    {.name = "held.test",
	.type = FAKE_DNS_A,
	.instead = FAKE_DNS_HELD,
	.data = {"192.0.2.8"}},
    {.name = "held.test", .type = FAKE_DNS_AAAA},
    {.name = "silent.test", .type = FAKE_DNS_A, .instead = FAKE_DNS_SILENT},
    {.name = "silent.test", .type = FAKE_DNS_AAAA, .instead = FAKE_DNS_SILENT},
    {.name = "empty.test", .type = FAKE_DNS_A},
    {.name = "empty.test", .type = FAKE_DNS_AAAA},
    {.name = "broken.test", .type = FAKE_DNS_A, .instead = FAKE_DNS_SERVFAIL},
    {.name = "broken.test", .type = FAKE_DNS_AAAA, .instead = FAKE_DNS_SERVFAIL},
    {.name = "brief.test", .type = FAKE_DNS_A, .ttl = 1, .data = {"192.0.2.1"}},
    {.name = "brief.test", .type = FAKE_DNS_AAAA, .data = {"2001:db8::1"}},
    {.name = "brief-alias.test",
	.type = FAKE_DNS_A,
	.alias = "four.test",
	.alias_ttl = 1,
	.data = {"192.0.2.4"}},
    {.name = "fleeting.test",
	.type = FAKE_DNS_A,
	.ttl = FAKE_DNS_NO_TTL,
	.data = {"192.0.2.1"}},
    {.name = "moved.test", .type = FAKE_DNS_A, .data = {"192.0.2.1"}},
};

/* What resolve_done was told. */
struct heard {
	int calls;
	char text[MOST *
		  ADDRESS_TEXT_SIZE]; /* the addresses in turn, or why there is none */
};

static struct ev_loop *loop;
static struct fake_dns dns;
static struct resolver *resolver;

static void
start(int try_ms)
{
	struct err e;

	loop = ev_loop_new(EVFLAG_AUTO);
	fake_dns_start(
	    &dns, loop, "127.0.0.1", 0, records, sizeof(records) / sizeof(records[0]));
	ck_assert_msg((resolver = resolver_new(loop, &e)) != NULL, "%s", e.text);
	resolver_configure(resolver, dns.resolv_conf, dns.port, try_ms);
}

static void
stop(void)
{
	resolver_free(resolver);
	fake_dns_stop(&dns);
	ev_loop_destroy(loop);
}

static void
hear(void *arg, const struct address *addresses, size_t count, const char *why)
{
	struct heard *heard = arg;
	char one[ADDRESS_TEXT_SIZE];
	size_t used = 0;

	heard->calls++;
	ck_assert((count == 0) == (why != NULL));
	snprintf(heard->text, sizeof(heard->text), "%s", why != NULL ? why : "");
	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(heard->text + used, sizeof(heard->text) - used,
		    "%s%s", i == 0 ? "" : " ",
		    address_format(&addresses[i], one, sizeof(one)));
}

static struct resolver_query *
ask(const char *host, struct heard *heard)
{
	struct resolver_query *query;

	memset(heard, 0, sizeof(*heard));
	query = resolver_start(resolver, host, PORT, hear, heard);
	ck_assert_ptr_nonnull(query);
	ck_assert_int_eq(heard->calls, 0);
	return query;
}

static void
wait_for(const struct heard *heard)
{
	while (heard->calls == 0)
		ev_run(loop, EVRUN_ONCE);
	ck_assert_int_eq(heard->calls, 1);
}

/* Let the loop do whatever it can do at once. */
static void
run_what_is_ready(void)
{
	for (int i = 0; i < 20; i++)
		ev_run(loop, EVRUN_NOWAIT);
}

/* Ask, and compare what comes. */
static void
expect(const char *host, const char *text)
{
	struct heard heard;

	ask(host, &heard);
	wait_for(&heard);
	ck_assert_str_eq(heard.text, text);
}

START_TEST(ipv6_and_ipv4_addresses_come_in_turn_and_none_twice)
{
	start(PATIENT);
	expect("both.test", BOTH);
	stop();
}
END_TEST

START_TEST(one_family_is_enough)
{
	start(PATIENT);
	expect("four.test", "192.0.2.4:5432");
	expect("six.test", "[2001:db8::6]:5432");
	stop();
}
END_TEST

START_TEST(an_alias_is_followed)
{
	start(PATIENT);
	expect("alias.test", "192.0.2.4:5432");
	stop();
}
END_TEST

START_TEST(a_short_name_is_found_by_the_search_list)
{
	start(PATIENT);
	expect("db", "192.0.2.5:5432");
	stop();
}
END_TEST

START_TEST(of_very_many_addresses_the_first_16_are_kept)
{
	struct heard heard;

	start(PATIENT);
	ask("many.test", &heard);
	wait_for(&heard);
	ck_assert_ptr_nonnull(strstr(heard.text, "192.0.2.16:5432"));
	ck_assert_ptr_null(strstr(heard.text, "192.0.2.17:5432"));
	stop();
}
END_TEST

START_TEST(a_literal_address_is_answered_without_asking)
{
	start(PATIENT);
	expect("10.0.0.7", "10.0.0.7:5432");
	expect("2001:db8::9", "[2001:db8::9]:5432");
	ck_assert_int_eq(dns.asked_a + dns.asked_aaaa, 0);
	stop();
}
END_TEST

START_TEST(localhost_is_answered_without_asking)
{
	start(PATIENT);
	expect("localhost", "[::1]:5432 127.0.0.1:5432");
	ck_assert_int_eq(dns.asked_a + dns.asked_aaaa, 0);
	stop();
}
END_TEST

/* With a server that is asked but once a minute only the resolution delay ends this. */
START_TEST(a_silent_aaaa_does_not_hold_back_the_a)
{
	start(PATIENT);
	expect("silent6.test", "192.0.2.6:5432");
	ck_assert_int_eq(dns.asked_aaaa, 1);
	stop();
}
END_TEST

START_TEST(an_aaaa_waits_until_a_lost_a_was_asked_for_again)
{
	start(SECOND);
	expect("lost4.test", "[2001:db8::7]:5432 192.0.2.7:5432");
	stop();
}
END_TEST

START_TEST(a_silent_a_does_not_hold_back_the_aaaa_for_ever)
{
	start(HASTY);
	expect("silent4.test", "[2001:db8::8]:5432");
	stop();
}
END_TEST

START_TEST(an_unknown_name_is_said_to_be_unknown)
{
	start(PATIENT);
	expect("nowhere.test", "no such name");
	stop();
}
END_TEST

START_TEST(a_name_without_addresses_is_said_to_have_none)
{
	start(PATIENT);
	expect("empty.test", "the name has no address");
	stop();
}
END_TEST

START_TEST(a_silent_server_is_said_to_be_silent)
{
	start(HASTY);
	expect("silent.test", "the name server does not answer");
	ck_assert_int_eq(dns.asked_a, 2);
	stop();
}
END_TEST

START_TEST(a_failing_server_is_said_to_fail)
{
	struct heard heard;

	start(HASTY);
	ask("broken.test", &heard);
	wait_for(&heard);
	/* c-ares 1.18 does not tell it from a server that is not there. */
	ck_assert_msg(strstr(heard.text, "failed") != NULL, "%s", heard.text);
	stop();
}
END_TEST

START_TEST(a_server_that_is_not_there_is_said_to_be_out_of_reach)
{
	struct heard heard;

	start(HASTY);
	ev_io_stop(loop, &dns.io);
	close(dns.io.fd);
	ask("both.test", &heard);
	wait_for(&heard);
	/* Where no ICMP comes back it is as good as silent. */
	ck_assert_msg(strstr(heard.text, "no name server can be reached") != NULL ||
			  strstr(heard.text, "does not answer") != NULL,
	    "%s", heard.text);
	dns.io.fd = dup(0);
	stop();
}
END_TEST

START_TEST(nonsense_is_not_a_name)
{
	start(PATIENT);
	expect("a..b", "not a valid name or address");
	expect("fe80::1%nosuchinterface", "not a valid name or address");
	stop();
}
END_TEST

/* Make a hosts file with one line; the caller unlinks it. */
static void
write_hosts(char *path, const char *line)
{
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");

	ck_assert_ptr_nonnull(f);
	fprintf(f, "%s\n", line);
	fclose(f);
	setenv("CARES_HOSTS", path, 1);
}

START_TEST(an_address_in_the_hosts_file_keeps_those_of_the_server_out)
{
	char path[] = "/tmp/routeport-hosts-XXXXXX";
	char other[] = "/tmp/routeport-hosts-XXXXXX";

	start(PATIENT);
	write_hosts(path, "198.51.100.1 both.test");
	expect("both.test", "198.51.100.1:5432");
	unlink(path);
	write_hosts(other, "2001:db8::99 both.test");
	expect("both.test", "[2001:db8::99]:5432");
	unlink(other);
	unsetenv("CARES_HOSTS");
	stop();
}
END_TEST

START_TEST(a_changed_resolv_conf_is_read_again)
{
	static const struct fake_record others[] = {
	    {.name = "moved.test", .type = FAKE_DNS_A, .data = {"192.0.2.99"}}};
	struct fake_dns other;

	start(PATIENT);
	fake_dns_start(&other, loop, "127.0.0.2", dns.port, others, 1);
	expect("moved.test", "192.0.2.1:5432");
	fake_dns_point_to(&dns, "127.0.0.2");
	expect("moved.test", "192.0.2.99:5432");
	ck_assert_int_eq(dns.asked_a, 1);
	fake_dns_stop(&other);
	stop();
}
END_TEST

START_TEST(a_question_to_the_old_server_is_still_answered)
{
	struct fake_dns other;
	struct heard heard;

	start(PATIENT);
	fake_dns_start(&other, loop, "127.0.0.2", dns.port, NULL, 0);
	ask("held.test", &heard);
	while (dns.held_length == 0)
		ev_run(loop, EVRUN_ONCE);
	fake_dns_point_to(&dns, "127.0.0.2");
	expect("held.test", "no such name");
	ck_assert_int_eq(heard.calls, 0);
	fake_dns_release(&dns);
	wait_for(&heard);
	ck_assert_str_eq(heard.text, "192.0.2.8:5432");
	expect("held.test", "no such name"); /* what the old one said is not kept */
	fake_dns_stop(&other);
	stop();
}
END_TEST

/* ---- what is kept ---------------------------------------------------------------- */

/* Ask once more, and compare how many questions the server has had by then. */
static void
expect_asked(const char *host, const char *text, int a)
{
	expect(host, text);
	ck_assert_int_eq(dns.asked_a, a);
}

START_TEST(within_the_ttl_no_server_is_asked_again)
{
	start(PATIENT);
	expect_asked("both.test", BOTH, 1);
	expect_asked("both.test", BOTH, 1);
	expect_asked("Both.Test", BOTH, 1);
	ck_assert_int_eq(dns.asked_aaaa, 1);
	expect_asked("four.test", "192.0.2.4:5432", 2);
	stop();
}
END_TEST

START_TEST(what_is_kept_has_the_port_that_is_asked_for)
{
	struct heard heard = {0};

	start(PATIENT);
	expect("four.test", "192.0.2.4:5432");
	ck_assert_ptr_nonnull(resolver_start(resolver, "four.test", 80, hear, &heard));
	wait_for(&heard);
	ck_assert_str_eq(heard.text, "192.0.2.4:80");
	ck_assert_int_eq(dns.asked_a, 1);
	stop();
}
END_TEST

START_TEST(the_least_ttl_counts_and_no_answer_is_kept_longer)
{
	static const char *const hosts[] = {"brief.test", "brief-alias.test"};
	static const char *const texts[] = {
	    "[2001:db8::1]:5432 192.0.2.1:5432", "192.0.2.4:5432"};

	start(PATIENT);
	for (int i = 0; i < 2; i++) {
		dns.asked_a = 0;
		expect_asked(hosts[i], texts[i], 1);
		sleep(1);
		expect_asked(hosts[i], texts[i], 2);
	}
	stop();
}
END_TEST

START_TEST(an_answer_without_a_ttl_is_not_kept)
{
	start(PATIENT);
	expect_asked("fleeting.test", "192.0.2.1:5432", 1);
	expect_asked("fleeting.test", "192.0.2.1:5432", 2);
	stop();
}
END_TEST

START_TEST(that_there_is_no_answer_is_not_kept)
{
	start(PATIENT); /* which is asked for by the search list, too */
	expect_asked("empty.test", "the name has no address", 2);
	expect_asked("empty.test", "the name has no address", 4);
	stop();
}
END_TEST

START_TEST(an_address_that_answered_comes_first)
{
	struct address second = {.length = sizeof(second.in)};

	start(PATIENT);
	expect("both.test", BOTH);
	second.in.sin_family = AF_INET;
	ck_assert_int_eq(inet_pton(AF_INET, "192.0.2.2", &second.in.sin_addr), 1);
	resolver_prefer(resolver, "both.test", &second);
	expect_asked("both.test",
	    "192.0.2.2:5432 [2001:db8::1]:5432 192.0.2.1:5432 [2001:db8::2]:5432 "
	    "192.0.2.3:5432",
	    1);
	resolver_prefer(resolver, "nobody.test", &second);
	stop();
}
END_TEST

START_TEST(a_cancelled_question_calls_nobody)
{
	struct heard answered, held, literal, bad;

	start(PATIENT);
	resolver_cancel(ask("both.test", &answered));
	resolver_cancel(ask("held.test", &held));
	resolver_cancel(ask("10.0.0.7", &literal));
	resolver_cancel(ask("a..b", &bad));
	resolver_cancel(NULL);
	while (dns.held_length == 0)
		ev_run(loop, EVRUN_ONCE);
	fake_dns_release(&dns);
	expect("four.test", "192.0.2.4:5432");
	run_what_is_ready();
	ck_assert_int_eq(answered.calls + held.calls + literal.calls + bad.calls, 0);
	stop();
}
END_TEST

START_TEST(a_resolver_may_be_freed_with_questions_open)
{
	struct heard held, silent, literal, cancelled;

	start(PATIENT);
	ask("held.test", &held);
	ask("silent.test", &silent);
	resolver_cancel(ask("silent.test", &cancelled));
	while (dns.held_length == 0)
		ev_run(loop, EVRUN_ONCE);
	ask("10.0.0.7", &literal);
	stop();
	ck_assert_int_eq(held.calls + silent.calls + literal.calls + cancelled.calls, 0);
}
END_TEST

static void
free_the_resolver(
    void *arg, const struct address *addresses, size_t count, const char *why)
{
	hear(arg, addresses, count, why);
	resolver_free(resolver);
	resolver = NULL;
}

START_TEST(done_may_free_the_resolver)
{
	struct heard heard = {.calls = 0};

	start(PATIENT);
	/* An AAAA is still open then. */
	resolver_start(resolver, "silent6.test", PORT, free_the_resolver, &heard);
	wait_for(&heard);
	ck_assert_str_eq(heard.text, "192.0.2.6:5432");
	stop();
}
END_TEST

static void
ask_again(void *arg, const struct address *addresses, size_t count, const char *why)
{
	struct heard *heard = arg;

	(void)addresses;
	(void)count;
	(void)why;
	resolver_start(resolver, "six.test", PORT, hear, heard);
	ck_assert_int_eq(heard->calls, 0);
}

START_TEST(done_may_ask_again)
{
	struct heard heard = {.calls = 0};

	start(PATIENT);
	resolver_start(resolver, "four.test", PORT, ask_again, &heard);
	wait_for(&heard);
	ck_assert_str_eq(heard.text, "[2001:db8::6]:5432");
	stop();
}
END_TEST

START_TEST(many_questions_at_once_are_all_answered)
{
	static struct heard heard[100];

	start(PATIENT);
	for (size_t i = 0; i < 100; i++)
		ask(i % 2 ? "four.test" : "six.test", &heard[i]);
	for (size_t i = 0; i < 100; i++) {
		while (heard[i].calls == 0)
			ev_run(loop, EVRUN_ONCE);
		ck_assert_str_eq(
		    heard[i].text, i % 2 ? "192.0.2.4:5432" : "[2001:db8::6]:5432");
	}
	stop();
}
END_TEST

START_TEST(resolve_now_waits_for_the_answer)
{
	char path[] = "/tmp/routeport-hosts-XXXXXX", text[ADDRESS_TEXT_SIZE];
	struct address found[2];
	struct err e;

	ck_assert_uint_eq(resolver_now("localhost", PORT, 5, found, 2, &e), 2);
	ck_assert_uint_eq(resolver_now("localhost", PORT, 5, found, 1, &e), 1);
	ck_assert_str_eq(address_format(&found[0], text, sizeof(text)), "[::1]:5432");
	write_hosts(path, "198.51.100.1 listed.test");
	ck_assert_uint_eq(resolver_now("listed.test", PORT, 5, found, 2, &e), 1);
	ck_assert_str_eq(
	    address_format(&found[0], text, sizeof(text)), "198.51.100.1:5432");
	unlink(path);
	unsetenv("CARES_HOSTS");
}
END_TEST

START_TEST(resolve_now_says_why_it_has_nothing)
{
	struct address found[2];
	struct err e;

	ck_assert_uint_eq(resolver_now("a..b", PORT, 5, found, 2, &e), 0);
	ck_assert_str_eq(e.text, "look up a..b: not a valid name or address");
}
END_TEST

UNIT_MAIN("resolve", ipv6_and_ipv4_addresses_come_in_turn_and_none_twice,
    one_family_is_enough, an_alias_is_followed, a_short_name_is_found_by_the_search_list,
    of_very_many_addresses_the_first_16_are_kept,
    a_literal_address_is_answered_without_asking, localhost_is_answered_without_asking,
    a_silent_aaaa_does_not_hold_back_the_a,
    an_aaaa_waits_until_a_lost_a_was_asked_for_again,
    a_silent_a_does_not_hold_back_the_aaaa_for_ever,
    an_unknown_name_is_said_to_be_unknown, a_name_without_addresses_is_said_to_have_none,
    a_silent_server_is_said_to_be_silent, a_failing_server_is_said_to_fail,
    a_server_that_is_not_there_is_said_to_be_out_of_reach, nonsense_is_not_a_name,
    an_address_in_the_hosts_file_keeps_those_of_the_server_out,
    a_changed_resolv_conf_is_read_again, a_question_to_the_old_server_is_still_answered,
    within_the_ttl_no_server_is_asked_again, what_is_kept_has_the_port_that_is_asked_for,
    the_least_ttl_counts_and_no_answer_is_kept_longer,
    an_answer_without_a_ttl_is_not_kept, that_there_is_no_answer_is_not_kept,
    an_address_that_answered_comes_first, a_cancelled_question_calls_nobody,
    a_resolver_may_be_freed_with_questions_open, done_may_free_the_resolver,
    done_may_ask_again, many_questions_at_once_are_all_answered,
    resolve_now_waits_for_the_answer, resolve_now_says_why_it_has_nothing)
