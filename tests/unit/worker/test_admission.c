#include "common/worker/worker_internal.h"
#include "tests/unit/unit.h"

START_TEST(half_of_the_connections_may_be_unfinished_handshakes)
{
	ck_assert_int_eq(admission_handshakes(1000, 100000, 1), 500);
	ck_assert_int_eq(admission_handshakes(1000, 100000, 4), 125);
}
END_TEST

START_TEST(memory_bounds_them_for_all_workers_together)
{
	ck_assert_int_eq(admission_handshakes(10000, 512, 1), 512);
	ck_assert_int_eq(admission_handshakes(10000, 512, 8), 64);
}
END_TEST

START_TEST(a_few_always_may)
{
	ck_assert_int_eq(admission_handshakes(1, 100000, 1), 8);
	ck_assert_int_eq(admission_handshakes(10000, 0, 4), 8);
	ck_assert_int_eq(admission_handshakes(10000, 512, 128), 8);
}
END_TEST

UNIT_MAIN("admission", half_of_the_connections_may_be_unfinished_handshakes,
    memory_bounds_them_for_all_workers_together, a_few_always_may)
