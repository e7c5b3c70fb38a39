#include "common/status/host.h"
#include "tests/unit/unit.h"

#include <limits.h>
#include <unistd.h>

static const struct strlist nobody;

START_TEST(addresses_and_names_from_inside_are_ours)
{
	static const char *const names[] = {"", "127.0.0.1", "192.0.2.7", "::1",
	    "2001:db8::7", "localhost", "orders", "orders.shop.svc",
	    "orders.shop.svc.cluster.local"};
	char own[HOST_NAME_MAX + 1] = "";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_msg(status_host_is_ours(names[i], &nobody), "%s", names[i]);
	ck_assert_int_eq(gethostname(own, sizeof(own)), 0);
	ck_assert(status_host_is_ours(own, &nobody));
}
END_TEST

START_TEST(names_of_the_world_are_not)
{
	static const char *const names[] = {"evil.example", "localhost.evil.example",
	    "svc.evil.example", "127.0.0.1.evil.example", "x.svc.cluster.local.evil",
	    "svc.example", ".svc", "1.2.3.4.5"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_msg(!status_host_is_ours(names[i], &nobody), "%s", names[i]);
}
END_TEST

START_TEST(more_names_may_be_given)
{
	struct strlist more = {0};

	ck_assert(strlist_add(&more, "Metrics.Example.com"));
	ck_assert(status_host_is_ours("metrics.example.com", &more));
	ck_assert(!status_host_is_ours("other.example.com", &more));
	strlist_clear(&more);
}
END_TEST

UNIT_MAIN("status_host", addresses_and_names_from_inside_are_ours,
    names_of_the_world_are_not, more_names_may_be_given)
