#include "common/net/dns_cache.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

static struct dns_cache cache;

/* 192.0.2.@last */
static struct address
address(int last)
{
	struct address a = {.length = sizeof(a.in)};

	a.in.sin_family = AF_INET;
	a.in.sin_addr.s_addr = htonl(0xC0000200u + (uint32_t)last);
	return a;
}

static void
keep(const char *host, int first, size_t count, double expiry)
{
	struct address list[DNS_CACHE_ADDRESSES + 1];

	for (size_t i = 0; i < count; i++)
		list[i] = address(first + (int)i);
	dns_cache_keep(&cache, host, list, count, expiry);
}

/* The last number of the first address kept; 0: none. */
static int
first_of(const char *host, double now)
{
	struct address list[DNS_CACHE_ADDRESSES];

	if (dns_cache_find(&cache, host, now, list) == 0)
		return 0;
	return (int)(ntohl(list[0].in.sin_addr.s_addr) & 0xFF);
}

START_TEST(a_name_is_kept_until_it_expires)
{
	dns_cache_init(&cache);
	ck_assert_int_eq(first_of("a.test", 100), 0);
	keep("a.test", 1, 2, 160);
	ck_assert_int_eq(first_of("A.test", 159.9), 1);
	ck_assert_int_eq(first_of("a.test", 160), 0);
	ck_assert_uint_eq(cache.count, 0);
	dns_cache_clear(&cache);
}
END_TEST

START_TEST(a_later_answer_replaces_the_one_before)
{
	dns_cache_init(&cache);
	keep("a.test", 1, 1, 160);
	keep("a.test", 7, 1, 200);
	ck_assert_int_eq(first_of("a.test", 180), 7);
	ck_assert_uint_eq(cache.count, 1);
	dns_cache_clear(&cache);
}
END_TEST

START_TEST(of_too_many_names_the_oldest_is_forgotten)
{
	char host[32];

	dns_cache_init(&cache);
	for (int i = 0; i < DNS_CACHE_NAMES + 2; i++) {
		snprintf(host, sizeof(host), "%d.test", i);
		keep(host, 1, 1, 160);
	}
	ck_assert_uint_eq(cache.count, DNS_CACHE_NAMES);
	ck_assert_int_eq(first_of("0.test", 100), 0);
	ck_assert_int_eq(first_of("1.test", 100), 0);
	ck_assert_int_eq(first_of("2.test", 100), 1);
	dns_cache_clear(&cache);
}
END_TEST

START_TEST(of_too_many_addresses_the_first_are_kept)
{
	struct address list[DNS_CACHE_ADDRESSES];

	dns_cache_init(&cache);
	keep("a.test", 1, DNS_CACHE_ADDRESSES + 1, 160);
	ck_assert_uint_eq(
	    dns_cache_find(&cache, "a.test", 100, list), DNS_CACHE_ADDRESSES);
	dns_cache_clear(&cache);
}
END_TEST

START_TEST(the_address_that_answered_comes_first_and_the_others_keep_their_order)
{
	struct address list[DNS_CACHE_ADDRESSES], third = address(3);

	dns_cache_init(&cache);
	keep("a.test", 1, 4, 160);
	third.in.sin_port = htons(443); /* makes no difference */
	dns_cache_prefer(&cache, "a.test", &third);
	ck_assert_uint_eq(dns_cache_find(&cache, "a.test", 100, list), 4);
	for (int i = 0; i < 4; i++) {
		const unsigned wanted[] = {3, 1, 2, 4};

		ck_assert_uint_eq(ntohl(list[i].in.sin_addr.s_addr) & 0xFF, wanted[i]);
	}
	dns_cache_clear(&cache);
}
END_TEST

START_TEST(an_address_that_is_not_kept_changes_nothing)
{
	struct address stranger = address(99);

	dns_cache_init(&cache);
	keep("a.test", 1, 2, 160);
	dns_cache_prefer(&cache, "a.test", &stranger);
	dns_cache_prefer(&cache, "b.test", &stranger);
	ck_assert_int_eq(first_of("a.test", 100), 1);
	dns_cache_clear(&cache);
}
END_TEST

UNIT_MAIN("name_cache", a_name_is_kept_until_it_expires,
    a_later_answer_replaces_the_one_before, of_too_many_names_the_oldest_is_forgotten,
    of_too_many_addresses_the_first_are_kept,
    the_address_that_answered_comes_first_and_the_others_keep_their_order,
    an_address_that_is_not_kept_changes_nothing)
