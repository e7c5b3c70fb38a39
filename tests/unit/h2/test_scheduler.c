/*
 * How channels share a path that takes less than they have.
 */
#include "common/h2/internal.h"
#include "tests/unit/h2_scene.h"
#include "tests/unit/unit.h"

#include <string.h>

enum {
	PLENTY = 1 << 30,
};

/* A far end that lets everything in and accepts what is asked, and reads nothing yet. */
static void
meet_lavish_peer(struct scene *s, int channels)
{
	static const char settings[] = "\0\4\177\377\377\377",
			  window[] = "\77\377\377\377";

	meet_client(s);
	peer_frame(s, FRAME_SETTINGS, 0, 0, settings, 6);
	peer_frame(s, FRAME_WINDOW_UPDATE, 0, 0, window, 4);
	for (int i = 0; i < channels; i++) {
		open_channel(s, i);
		peer_frame(s, FRAME_HEADERS, END_HEADERS, 2 * i + 1, "\x88", 1);
		EXPECT(s, s->near[i].accepted == 1);
	}
}

/* Bulk of near[0] and near[1] until nothing more is taken; returns how much was. */
static size_t
fill_path(struct scene *s)
{
	size_t before, sent = 0;

	send_pattern(&s->near[0], PLENTY, false);
	send_pattern(&s->near[1], PLENTY, false);
	EXPECT(
	    s, (peer_reads(s), s->near[0].sent > 1 << 20 && s->near[1].sent > 1 << 20));
	do {
		before = sent;
		turns(s, 50);
		sent = s->near[0].sent + s->near[1].sent;
	} while (sent > before);
	ck_assert_uint_eq(endpoint_room(&s->near[0].channel->endpoint), 0);
	return sent;
}

START_TEST(a_small_frame_goes_before_the_bulk_that_waits)
{
	struct scene s;
	size_t sent;

	scene_init(&s);
	meet_lavish_peer(&s, 3);
	sent = fill_path(&s);
	send_pattern(&s.near[2], 100, false);
	ck_assert_uint_eq(s.near[2].sent, 0);
	EXPECT(&s, (peer_reads(&s), s.data_before[2] != SIZE_MAX));
	ck_assert_uint_eq(s.data_before[2], sent);
	scene_clear(&s);
}
END_TEST

START_TEST(who_becomes_bulk_waits_like_bulk)
{
	struct scene s;
	size_t before;

	scene_init(&s);
	meet_lavish_peer(&s, 3);
	fill_path(&s);
	send_pattern(&s.near[2], PLENTY, false);
	EXPECT(&s, (peer_reads(&s), s.near[2].sent > 4 << 20));
	before = s.near[0].sent + s.near[1].sent;
	EXPECT(&s, (peer_reads(&s), s.near[2].sent > 12 << 20));
	ck_assert_uint_gt(s.near[0].sent + s.near[1].sent - before, 8 << 20);
	scene_clear(&s);
}
END_TEST

static struct h2_channel
waiter(struct h2_carrier *c, uint32_t last_given)
{
	return (struct h2_channel){.carrier = c, .last_given = last_given};
}

START_TEST(many_small_ones_do_not_starve_bulk)
{
	struct h2_carrier c = {.scheduler.chunk = H2_CHUNK};
	struct h2_channel small = waiter(&c, 1000), bulk = waiter(&c, H2_CHUNK);
	int turns_of_bulk = 0, turns_of_small = 0;

	TAILQ_INIT(&c.scheduler.small);
	TAILQ_INIT(&c.scheduler.bulk);
	for (int i = 0; i < 1000; i++) {
		struct h2_channel *next;

		h2_scheduler_wait(&small);
		h2_scheduler_wait(&bulk);
		ck_assert_uint_eq(c.scheduler.waiting_count, 2);
		next = h2_scheduler_next(&c);
		h2_scheduler_note(next, next->last_given);
		turns_of_small += next == &small;
		turns_of_bulk += next == &bulk;
		h2_scheduler_leave(&small);
		h2_scheduler_leave(&bulk);
		ck_assert_uint_eq(c.scheduler.waiting_count, 0);
	}
	ck_assert_int_ge(turns_of_bulk, 50); /* one for each chunk of small ones */
	ck_assert_int_ge(turns_of_small, 900);
}
END_TEST

START_TEST(who_waits_waits_once)
{
	struct h2_carrier c = {.scheduler.chunk = H2_CHUNK};
	struct h2_channel ch = waiter(&c, 0);

	TAILQ_INIT(&c.scheduler.small);
	TAILQ_INIT(&c.scheduler.bulk);
	h2_scheduler_wait(&ch);
	h2_scheduler_wait(&ch);
	ck_assert_ptr_eq(h2_scheduler_next(&c), &ch);
	ck_assert_ptr_null(h2_scheduler_next(&c));
}
END_TEST

UNIT_MAIN("h2_scheduler", a_small_frame_goes_before_the_bulk_that_waits,
    who_becomes_bulk_waits_like_bulk, many_small_ones_do_not_starve_bulk,
    who_waits_waits_once)
