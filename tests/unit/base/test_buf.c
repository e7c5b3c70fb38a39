#include "common/base/buf.h"
#include "tests/unit/unit.h"

#include <stdint.h>
#include <string.h>

START_TEST(an_empty_buffer_holds_no_memory)
{
	struct buf b = {0};

	ck_assert_uint_eq(buf_length(&b), 0);
	ck_assert(buf_append(&b, "", 0));
	ck_assert_ptr_null(b.memory);
}
END_TEST

START_TEST(bytes_come_out_in_the_order_they_went_in)
{
	struct buf b = {0};

	ck_assert(buf_append(&b, "abc", 3));
	ck_assert(buf_append(&b, "de", 2));
	ck_assert_uint_eq(buf_length(&b), 5);
	ck_assert_mem_eq(buf_bytes(&b), "abcde", 5);
	buf_consume(&b, 2);
	ck_assert_uint_eq(buf_length(&b), 3);
	ck_assert_mem_eq(buf_bytes(&b), "cde", 3);
	buf_clear(&b);
}
END_TEST

/* Else keeping many of them takes time that grows with the square of their number. */
START_TEST(small_pieces_do_not_each_move_all_that_came_before)
{
	struct buf b = {0};
	unsigned moved = 0, steady = 0;

	for (int i = 0; i < 100000; i++) {
		const uint8_t *before = b.memory;

		ck_assert(buf_append(&b, "x", 1));
		moved += b.memory != before;
	}
	ck_assert_uint_lt(moved, 50);
	ck_assert_uint_lt(b.capacity, 160000);
	for (int i = 0; i < 100000; i++) { /* as much is taken as comes */
		uint32_t before = b.start;

		buf_consume(&b, 1);
		ck_assert(buf_append(&b, "x", 1));
		steady += b.start < before;
	}
	ck_assert_uint_lt(steady, 50);
	ck_assert_uint_eq(buf_length(&b), 100000);
	buf_clear(&b);
}
END_TEST

START_TEST(the_memory_goes_with_the_last_byte)
{
	struct buf b = {0};

	ck_assert(buf_append(&b, "abc", 3));
	buf_consume(&b, 2);
	ck_assert_ptr_nonnull(b.memory);
	buf_consume(&b, 1);
	ck_assert_ptr_null(b.memory);
	ck_assert_uint_eq(b.capacity, 0);
}
END_TEST

START_TEST(clearing_forgets_all_bytes)
{
	struct buf b = {0};

	ck_assert(buf_append(&b, "abc", 3));
	buf_clear(&b);
	ck_assert_uint_eq(buf_length(&b), 0);
	ck_assert_ptr_null(b.memory);
	buf_clear(&b);
}
END_TEST

START_TEST(room_before_the_first_byte_is_used_again)
{
	struct buf b = {0};
	char bytes[1000] = {0};
	size_t capacity;

	ck_assert(buf_append(&b, bytes, sizeof(bytes)));
	buf_consume(&b, 900);
	capacity = b.capacity;
	ck_assert(buf_append(&b, bytes, 800));
	ck_assert_uint_eq(b.capacity, capacity);
	buf_clear(&b);
}
END_TEST

START_TEST(no_byte_is_lost_or_moved_over_many_uneven_steps)
{
	struct buf b = {0};
	uint8_t in = 0, out = 0, chunk[64];

	for (size_t step = 1; step < 2000; step++) {
		for (size_t i = 0; i < step % 61; i++)
			chunk[i] = in++;
		ck_assert(buf_append(&b, chunk, step % 61));
		for (size_t i = step % 53; i > 0 && buf_length(&b) > 0; i--) {
			ck_assert_uint_eq(*buf_bytes(&b), out);
			out++;
			buf_consume(&b, 1);
		}
	}
	while (buf_length(&b) > 0) {
		ck_assert_uint_eq(*buf_bytes(&b), out);
		out++;
		buf_consume(&b, 1);
	}
	ck_assert_uint_eq(in, out);
}
END_TEST

UNIT_MAIN("buf", an_empty_buffer_holds_no_memory,
    bytes_come_out_in_the_order_they_went_in,
    small_pieces_do_not_each_move_all_that_came_before,
    the_memory_goes_with_the_last_byte, clearing_forgets_all_bytes,
    room_before_the_first_byte_is_used_again,
    no_byte_is_lost_or_moved_over_many_uneven_steps)
