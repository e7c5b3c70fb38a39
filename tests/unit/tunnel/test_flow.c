#include "common/tunnel/flow.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

enum {
	FAKE_SIZE = 1024 * 1024,
	FAKE_STEPS = 8,
};

/* What a source says at one take. */
struct step {
	const char *bytes; /* NULL: none */
	size_t length;     /* 0: strlen(bytes) */
	enum source then;
};

/* An endpoint that plays a script as a source and takes what it has room for as a sink.
 */
struct fake {
	struct endpoint endpoint;
	struct step script[FAKE_STEPS];
	int next; /* step */
	int takes;
	size_t space;    /* what a give accepts in all, as a socket's buffer would */
	bool has_window; /* room() says 0 when no space is left, as a channel does */
	bool breaks;     /* the next give finds out that the far side is gone */
	int rst_delays;  /* how often ENDING_RST is not done yet */
	char *got;
	size_t got_length;
	int fins, rsts;
	size_t before_end; /* how many bytes were there when an ending came */
};

static struct fake *
fake_of(const struct endpoint *e)
{
	return (struct fake *)(uintptr_t)e; /* its first member */
}

static enum source
fake_take(struct endpoint *e, size_t most, struct batch *batch)
{
	struct fake *f = fake_of(e);
	const struct step *step = &f->script[f->next];
	size_t length;

	ck_assert_uint_gt(most, 0);
	f->takes++;
	if (step->bytes == NULL && step->then == SOURCE_OPEN) {
		e->readable = false;
		return SOURCE_OPEN;
	}
	f->next++;
	ck_assert_int_lt(f->next, FAKE_STEPS);
	length = step->length > 0 ? step->length : step->bytes ? strlen(step->bytes) : 0;
	if (length > 0)
		batch_add(batch, step->bytes, length);
	if (step->then != SOURCE_OPEN)
		e->readable = false;
	if (step->then == SOURCE_BROKEN)
		e->reason = REASON_FAR_RESET;
	return step->then;
}

static size_t
fake_room(const struct endpoint *e)
{
	const struct fake *f = fake_of(e);

	return f->has_window ? f->space : FAKE_SIZE;
}

static size_t
fake_give(struct endpoint *e, const struct batch *batch)
{
	struct fake *f = fake_of(e);
	size_t given = 0;

	ck_assert_msg(f->fins == 0 && f->rsts == 0, "bytes after an ending");
	ck_assert_msg(!e->deaf, "bytes for the deaf");
	if (f->breaks) {
		e->deaf = true;
		e->reason = REASON_PROGRAM_RESET;
		return 0;
	}
	for (int i = 0; i < batch->count && f->space > 0; i++) {
		const struct iovec *part = &batch->parts[i];
		size_t n = part->iov_len < f->space ? part->iov_len : f->space;

		ck_assert_uint_le(f->got_length + n, FAKE_SIZE);
		memcpy(f->got + f->got_length, part->iov_base, n);
		f->got_length += n;
		f->space -= n;
		given += n;
	}
	return given;
}

static bool
fake_end(struct endpoint *e, enum ending ending)
{
	struct fake *f = fake_of(e);

	if (ending == ENDING_RST && f->rst_delays > 0) {
		f->rst_delays--;
		return false;
	}
	f->before_end = f->got_length;
	f->fins += ending == ENDING_FIN;
	f->rsts += ending == ENDING_RST;
	return true;
}

static void
fake_wait(struct endpoint *e, bool readable, bool writable)
{
	(void)e;
	(void)readable;
	(void)writable;
}

static const struct endpoint_ops fake_ops = {
    .take = fake_take,
    .room = fake_room,
    .give = fake_give,
    .end = fake_end,
    .wait = fake_wait,
};

/* One flow between two fakes. */
struct scene {
	struct fake source;
	struct fake sink;
	struct flow flow;
	struct flow_stream stream;
};

static void
scene_init(struct scene *s)
{
	*s = (struct scene){
	    .source = {.endpoint = {.ops = &fake_ops, .readable = true}},
	    .sink = {.endpoint = {.ops = &fake_ops, .readable = true},
		.space = FAKE_SIZE,
		.got = malloc(FAKE_SIZE)},
	};
	ck_assert_ptr_nonnull(s->sink.got);
	flow_init(&s->flow, true, &s->stream);
	flow_connect(&s->flow, &s->source.endpoint, &s->sink.endpoint);
}

static void
scene_clear(struct scene *s)
{
	flow_cut(&s->flow);
	ck_assert_ptr_null(s->flow.kept.memory);
	free(s->sink.got);
}

static void
expect_got(const struct scene *s, const char *bytes)
{
	ck_assert_uint_eq(s->sink.got_length, strlen(bytes));
	ck_assert_int_eq(memcmp(s->sink.got, bytes, strlen(bytes)), 0);
}

START_TEST(bytes_pass_in_their_order)
{
	struct scene s;

	scene_init(&s);
	s.source.script[0] = (struct step){.bytes = "one "};
	s.source.script[1] = (struct step){.bytes = "two"};
	flow_step(&s.flow);
	expect_got(&s, "one ");
	flow_step(&s.flow);
	flow_step(&s.flow);
	expect_got(&s, "one two");
	ck_assert_int_eq(s.flow.state, FLOW_OPEN);
	ck_assert(flow_wants_source(&s.flow) && !flow_wants_sink(&s.flow));
	ck_assert_uint_eq(s.flow.taken, 7);
	ck_assert_uint_eq(s.flow.given, 7);
	ck_assert_uint_eq(flow_dropped(&s.flow), 0);
	ck_assert_ptr_null(s.flow.kept.memory);
	scene_clear(&s);
}
END_TEST

START_TEST(one_step_moves_at_most_one_batch)
{
	struct scene s;

	scene_init(&s);
	for (int i = 0; i < 4; i++)
		s.source.script[i] = (struct step){.bytes = "x"};
	flow_step(&s.flow);
	ck_assert_int_eq(s.source.takes, 1);
	scene_clear(&s);
}
END_TEST

START_TEST(a_source_that_ran_dry_is_not_asked_again)
{
	struct scene s;

	scene_init(&s);
	flow_step(&s.flow);
	ck_assert_int_eq(s.source.takes, 1);
	flow_step(&s.flow);
	ck_assert_int_eq(s.source.takes, 1);
	ck_assert(flow_wants_source(&s.flow));
	scene_clear(&s);
}
END_TEST

START_TEST(what_a_full_sink_leaves_is_kept_and_the_source_not_read)
{
	struct scene s;

	scene_init(&s);
	s.sink.space = 3;
	s.source.script[0] = (struct step){.bytes = "abcdefgh"};
	s.source.script[1] = (struct step){.bytes = "ij"};
	flow_step(&s.flow);
	expect_got(&s, "abc");
	ck_assert(!flow_wants_source(&s.flow) && flow_wants_sink(&s.flow));
	flow_step(&s.flow);
	ck_assert_int_eq(s.source.takes, 1);
	s.sink.space = 2;
	flow_step(&s.flow);
	expect_got(&s, "abcde");
	ck_assert_int_eq(s.source.takes, 1);
	s.sink.space = 100;
	flow_step(&s.flow);
	flow_step(&s.flow);
	expect_got(&s, "abcdefghij");
	ck_assert_uint_eq(s.flow.given, 10);
	ck_assert_ptr_null(s.flow.kept.memory);
	scene_clear(&s);
}
END_TEST

START_TEST(a_sink_without_room_leaves_the_bytes_in_the_source)
{
	struct scene s;

	scene_init(&s);
	s.sink.has_window = true;
	s.sink.space = 0;
	s.source.script[0] = (struct step){.bytes = "abc"};
	flow_step(&s.flow);
	ck_assert_int_eq(s.source.takes, 0);
	ck_assert(!flow_wants_source(&s.flow));
	s.sink.space = 8;
	ck_assert(flow_wants_source(&s.flow));
	flow_step(&s.flow);
	expect_got(&s, "abc");
	scene_clear(&s);
}
END_TEST

START_TEST(eof_is_passed_on_only_after_the_last_byte)
{
	struct scene s;

	scene_init(&s);
	s.sink.space = 1;
	s.source.script[0] = (struct step){.bytes = "abc", .then = SOURCE_FINISHED};
	flow_step(&s.flow);
	ck_assert_int_eq(s.flow.state, FLOW_DRAIN);
	ck_assert(flow_has_ended(&s.flow) && !flow_is_over(&s.flow));
	ck_assert(!flow_wants_source(&s.flow) && flow_wants_sink(&s.flow));
	ck_assert_int_eq(s.sink.fins, 0);
	s.sink.space = 1;
	flow_step(&s.flow);
	ck_assert_int_eq(s.sink.fins, 0);
	s.sink.space = 1;
	flow_step(&s.flow);
	expect_got(&s, "abc");
	ck_assert_int_eq(s.sink.fins, 1);
	ck_assert_uint_eq(s.sink.before_end, 3);
	ck_assert_int_eq(s.flow.state, FLOW_FINISHED);
	ck_assert(flow_is_over(&s.flow));
	flow_step(&s.flow);
	ck_assert_int_eq(s.sink.fins, 1);
	ck_assert_int_eq(s.sink.rsts, 0);
	ck_assert_int_eq(s.stream.reason, REASON_NONE);
	ck_assert(!flow_wants_source(&s.flow) && !flow_wants_sink(&s.flow));
	scene_clear(&s);
}
END_TEST

START_TEST(an_eof_without_bytes_is_passed_on_at_once)
{
	struct scene s;

	scene_init(&s);
	s.source.script[0] = (struct step){.then = SOURCE_FINISHED};
	flow_step(&s.flow);
	ck_assert_int_eq(s.sink.fins, 1);
	ck_assert_int_eq(s.flow.state, FLOW_FINISHED);
	scene_clear(&s);
}
END_TEST

START_TEST(a_reset_is_passed_on_behind_the_bytes_before_it)
{
	struct scene s;

	scene_init(&s);
	s.sink.space = 2;
	s.source.script[0] = (struct step){.bytes = "abcd", .then = SOURCE_BROKEN};
	flow_step(&s.flow);
	ck_assert_int_eq(s.flow.state, FLOW_DRAIN);
	ck_assert_int_eq(s.sink.rsts, 0);
	ck_assert_int_eq(s.stream.reason, REASON_FAR_RESET);
	s.sink.space = 2;
	flow_step(&s.flow);
	expect_got(&s, "abcd");
	ck_assert_int_eq(s.sink.rsts, 1);
	ck_assert_int_eq(s.sink.fins, 0);
	ck_assert_int_eq(s.flow.state, FLOW_DONE);
	scene_clear(&s);
}
END_TEST

START_TEST(a_reset_is_told_again_until_the_sink_has_done_it)
{
	struct scene s;

	scene_init(&s);
	s.sink.rst_delays = 2;
	s.source.script[0] = (struct step){.bytes = "a", .then = SOURCE_BROKEN};
	flow_step(&s.flow);
	ck_assert_int_eq(s.flow.state, FLOW_RESET);
	ck_assert(!flow_is_over(&s.flow) && flow_has_ended(&s.flow));
	ck_assert(!flow_wants_source(&s.flow) && !flow_wants_sink(&s.flow));
	flow_step(&s.flow);
	ck_assert_int_eq(s.flow.state, FLOW_RESET);
	flow_step(&s.flow);
	ck_assert_int_eq(s.sink.rsts, 1);
	ck_assert_int_eq(s.flow.state, FLOW_DONE);
	scene_clear(&s);
}
END_TEST

START_TEST(a_reset_after_a_fin_is_passed_on_too)
{
	struct scene s;

	scene_init(&s);
	s.source.script[0] = (struct step){.bytes = "a", .then = SOURCE_FINISHED};
	flow_step(&s.flow);
	ck_assert_int_eq(s.sink.fins, 1);
	s.source.endpoint.deaf = true;
	s.source.endpoint.reason = REASON_PROGRAM_RESET;
	flow_step(&s.flow);
	ck_assert_int_eq(s.sink.rsts, 1);
	ck_assert_int_eq(s.flow.state, FLOW_DONE);
	ck_assert_int_eq(s.stream.reason, REASON_PROGRAM_RESET);
	scene_clear(&s);
}
END_TEST

START_TEST(a_source_that_broke_before_its_fin_was_told_ends_in_a_reset)
{
	struct scene s;

	scene_init(&s);
	s.sink.space = 1;
	s.source.script[0] = (struct step){.bytes = "ab", .then = SOURCE_FINISHED};
	flow_step(&s.flow);
	s.source.endpoint.deaf = true;
	s.source.endpoint.reason = REASON_PROGRAM_RESET;
	s.sink.space = 1;
	flow_step(&s.flow);
	expect_got(&s, "ab");
	ck_assert_int_eq(s.sink.fins, 0);
	ck_assert_int_eq(s.sink.rsts, 1);
	ck_assert_int_eq(s.stream.reason, REASON_PROGRAM_RESET);
	scene_clear(&s);
}
END_TEST

START_TEST(bytes_for_a_sink_that_is_gone_are_dropped_and_counted)
{
	struct scene s;

	scene_init(&s);
	s.sink.space = 1;
	s.source.script[0] = (struct step){.bytes = "abcd"};
	flow_step(&s.flow);
	s.sink.breaks = true;
	flow_step(&s.flow); /* finds out */
	flow_step(&s.flow);
	ck_assert_int_eq(s.flow.state, FLOW_DONE);
	ck_assert_uint_eq(flow_dropped(&s.flow), 3);
	ck_assert_uint_eq(s.flow.given, 1);
	ck_assert_int_eq(s.source.takes, 1);
	ck_assert_int_eq(s.sink.fins + s.sink.rsts, 0);
	ck_assert(!flow_wants_source(&s.flow) && !flow_wants_sink(&s.flow));
	scene_clear(&s);
}
END_TEST

START_TEST(a_sink_that_breaks_under_a_fresh_batch_drops_all_of_it)
{
	struct scene s;

	scene_init(&s);
	s.sink.breaks = true;
	s.source.script[0] = (struct step){.bytes = "abcd", .then = SOURCE_FINISHED};
	flow_step(&s.flow);
	flow_step(&s.flow);
	ck_assert_int_eq(s.flow.state, FLOW_DONE);
	ck_assert_uint_eq(flow_dropped(&s.flow), 4);
	ck_assert_int_eq(s.sink.fins, 0);
	scene_clear(&s);
}
END_TEST

START_TEST(the_first_reason_stays)
{
	struct scene s;

	scene_init(&s);
	s.stream.reason = REASON_IDLE;
	s.source.script[0] = (struct step){.then = SOURCE_BROKEN};
	flow_step(&s.flow);
	ck_assert_int_eq(s.sink.rsts, 1);
	ck_assert_int_eq(s.stream.reason, REASON_IDLE);
	scene_clear(&s);
}
END_TEST

START_TEST(a_flow_that_is_cut_tells_nothing_and_keeps_nothing)
{
	struct scene s;

	scene_init(&s);
	s.sink.space = 1;
	s.source.script[0] = (struct step){.bytes = "abcd"};
	flow_step(&s.flow);
	flow_cut(&s.flow);
	flow_cut(&s.flow);
	ck_assert_uint_eq(flow_dropped(&s.flow), 3);
	ck_assert_int_eq(s.flow.state, FLOW_DONE);
	flow_step(&s.flow);
	ck_assert_int_eq(s.sink.fins + s.sink.rsts, 0);
	scene_clear(&s);
}
END_TEST

UNIT_MAIN("flow", bytes_pass_in_their_order, one_step_moves_at_most_one_batch,
    a_source_that_ran_dry_is_not_asked_again,
    what_a_full_sink_leaves_is_kept_and_the_source_not_read,
    a_sink_without_room_leaves_the_bytes_in_the_source,
    eof_is_passed_on_only_after_the_last_byte, an_eof_without_bytes_is_passed_on_at_once,
    a_reset_is_passed_on_behind_the_bytes_before_it,
    a_reset_is_told_again_until_the_sink_has_done_it,
    a_reset_after_a_fin_is_passed_on_too,
    a_source_that_broke_before_its_fin_was_told_ends_in_a_reset,
    bytes_for_a_sink_that_is_gone_are_dropped_and_counted,
    a_sink_that_breaks_under_a_fresh_batch_drops_all_of_it, the_first_reason_stays,
    a_flow_that_is_cut_tells_nothing_and_keeps_nothing)
