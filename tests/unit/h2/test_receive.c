/*
 * Windows: how far each stream may be ahead of its reader, and all of them together.
 */
#include "common/h2/internal.h"
#include "tests/unit/h2_scene.h"
#include "tests/unit/unit.h"

#include <string.h>

enum {
	KIB = 1024,
	MIB = 1024 * 1024,
};

static struct h2_channel *
inside(const struct owner *o)
{
	return (struct h2_channel *)(void *)o->channel;
}

/* From now on the round trip is taken for that long. */
static void
set_round_trip(struct h2_carrier *c, double seconds)
{
	c->rtt.seconds = c->rtt.least = c->rtt.least_before = seconds;
	c->rtt.settings_at = 0;
	c->rtt.measured_at = 1e18;
}

static void
begin(struct scene *s, int channels)
{
	scene_init(s);
	meet(s);
	set_round_trip(s->client.carrier, 0.001);
	set_round_trip(s->server.carrier, 0.001);
	for (int i = 0; i < channels; i++)
		connect_channel(s, i);
}

/* So far the sender gets ahead of a reader that has stopped. */
static void
expect_window(struct scene *s, int i, size_t size)
{
	struct owner *to = &s->far[i], *from = &s->near[i];

	to->stalled = true;
	send_pattern(from, from->sent + 64 * MIB, false);
	EXPECT(s, from->sent - to->got >= size);
	turns(s, 20);
	ck_assert_uint_eq(from->sent - to->got, size);
}

/* Bulk that the reader keeps up with, until @condition holds. */
#define BULK_UNTIL(s, i, condition)                                                      \
	do {                                                                             \
		send_pattern(&(s)->near[i], (size_t)1 << 40, false);                     \
		EXPECT(s, condition);                                                    \
	} while (0)

START_TEST(a_stream_begins_with_64_KiB)
{
	struct scene s;

	begin(&s, 1);
	expect_window(&s, 0, 64 * KIB);
	ck_assert_uint_eq(s.windows.used, 0);
	scene_clear(&s);
}
END_TEST

START_TEST(a_fast_stream_gets_a_wider_window_as_long_as_it_lasts)
{
	struct scene s;

	begin(&s, 2);
	set_round_trip(s.server.carrier, 10); /* whatever comes is fast then */
	BULK_UNTIL(&s, 0, s.windows.used >= 256 * KIB);
	expect_window(&s, 0, 64 * KIB + s.windows.used);
	expect_window(&s, 1, 64 * KIB); /* nobody else's */
	release(&s.near[0]);
	release(&s.far[0]);
	ck_assert_uint_eq(s.windows.used, 0);
	scene_clear(&s);
}
END_TEST

START_TEST(no_window_grows_beyond_the_most)
{
	struct scene s;

	begin(&s, 1);
	set_round_trip(s.server.carrier, 10);
	inside(&s.far[0])->carrier->in.window_most = MIB;
	BULK_UNTIL(&s, 0, s.windows.used >= MIB - 64 * KIB);
	BULK_UNTIL(&s, 0, s.far[0].got > 8 * MIB);
	expect_window(&s, 0, MIB);
	scene_clear(&s);
}
END_TEST

/* The sender is ahead of its reader by the window. */
static bool
is_at_its_limit(struct scene *s, int i)
{
	return s->near[i].sent - s->far[i].got == inside(&s->far[i])->window;
}

START_TEST(all_windows_together_stay_within_the_budget)
{
	size_t ahead = 0;
	struct scene s;

	begin(&s, 4);
	s.windows.most = MIB;
	set_round_trip(s.server.carrier, 10);
	for (int i = 0; i < 4; i++)
		send_pattern(&s.near[i], (size_t)1 << 40, false);
	EXPECT(&s, s.far[0].got + s.far[1].got + s.far[2].got + s.far[3].got > 4 * MIB);
	ck_assert_uint_le(s.windows.used, MIB);
	for (int i = 0; i < 4; i++)
		s.far[i].stalled = true; /* all, for windows go on changing with bulk */
	EXPECT(&s, is_at_its_limit(&s, 0) && is_at_its_limit(&s, 1) &&
		       is_at_its_limit(&s, 2) && is_at_its_limit(&s, 3));
	for (int i = 0; i < 4; i++) {
		ck_assert_uint_gt(
		    inside(&s.far[i])->window, 64 * KIB); /* each has some */
		ahead += inside(&s.far[i])->window;
	}
	ck_assert_uint_eq(ahead, 4 * 64 * KIB + s.windows.used);
	scene_clear(&s);
}
END_TEST

START_TEST(a_reader_that_is_behind_gets_no_wider_window)
{
	struct scene s;

	begin(&s, 1);
	set_round_trip(s.server.carrier, 10);
	for (int i = 0; i < 20; i++) {
		expect_window(&s, 0, 64 * KIB);
		unstall(&s.far[0]);
	}
	ck_assert_uint_eq(s.windows.used, 0);
	scene_clear(&s);
}
END_TEST

START_TEST(a_stream_that_became_slow_gives_back_what_it_had)
{
	struct h2_channel *ch;
	struct scene s;

	begin(&s, 1);
	ch = inside(&s.far[0]);
	set_round_trip(s.server.carrier, 10);
	BULK_UNTIL(&s, 0, s.windows.used >= 256 * KIB);
	set_round_trip(s.server.carrier, 0.001);
	/* As if each half of a window took that long. */
	BULK_UNTIL(
	    &s, 0, (ch->cycle_start = reactor_now() - 100, s.windows.used <= 8 * KIB));
	expect_window(&s, 0, 64 * KIB + s.windows.used);
	scene_clear(&s);
}
END_TEST

START_TEST(bulk_measures_the_round_trip_again)
{
	struct h2_carrier *c;
	struct scene s;

	begin(&s, 1);
	c = s.server.carrier;
	set_round_trip(c, 10);
	c->rtt.measured_at = 0;
	BULK_UNTIL(&s, 0, c->rtt.seconds < 10);
	ck_assert_double_gt(c->rtt.seconds, 0);
	scene_clear(&s);
}
END_TEST

UNIT_MAIN("h2_receive", a_stream_begins_with_64_KiB,
    a_fast_stream_gets_a_wider_window_as_long_as_it_lasts,
    no_window_grows_beyond_the_most, all_windows_together_stay_within_the_budget,
    a_reader_that_is_behind_gets_no_wider_window,
    a_stream_that_became_slow_gives_back_what_it_had, bulk_measures_the_round_trip_again)
