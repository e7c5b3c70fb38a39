/*
 * Endings as scripts: two flows, as a stream has them, between two endpoints that do what
 * the input says, in any order and at any moment.  Each step is a byte: the lower three
 * bits say what happens, the next to which endpoint, the upper four how much.
 *
 *	0 bytes come	units of 1 KiB and some bytes
 *	1 FIN comes	behind them
 *	2 RST comes	behind them
 *	3 room		for so many units more
 *	4 window	room() tells of it, as a channel does; again: it does not
 *	5 break		the next bytes given meet an RST
 *	6 delay		an RST is told only after so many calls
 *	7 turn		both flows take so many steps
 */
#include "common/tunnel/flow.h"

#include "common/base/log.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/script.h"

#include <string.h>

enum {
	UNIT = 1024,
	MOST = 64 * UNIT, /* bytes of one take */
	MUCH = 1 << 30,
};

struct end {
	struct endpoint endpoint;
	uint64_t seed;
	uint64_t said, taken; /* bytes that came, and of these those that were taken */
	enum source then;     /* what is behind them */
	size_t space;
	bool has_window, breaks;
	int delays;
	const struct end *other; /* whose bytes it gets */
	uint64_t got;
	uint64_t credit; /* returned for bytes taken */
	int fins, rsts;
};

static uint8_t space[MOST];

static struct end *
end_of(const struct endpoint *e)
{
	return (struct end *)(uintptr_t)e; /* its first member */
}

static uint8_t
byte_at(const struct end *e, uint64_t position)
{
	return (uint8_t)((position * 167 + (position >> 8) * 13) ^ e->seed);
}

static enum source
end_take(struct endpoint *e, size_t most, struct batch *batch)
{
	struct end *end = end_of(e);
	uint64_t n = end->said - end->taken;
	size_t first;

	MUST(most > 0 && e->readable);
	n = n < most ? n : most;
	n = n < MOST ? n : MOST;
	for (size_t i = 0; i < n; i++)
		space[i] = byte_at(end, end->taken + i);
	first = (size_t)n / 3;
	if (first > 0)
		batch_add(batch, space, first);
	if (n > first)
		batch_add(batch, space + first, (size_t)n - first);
	end->taken += n;
	if (end->taken < end->said)
		return SOURCE_OPEN;
	e->readable = false;
	if (end->then == SOURCE_BROKEN)
		e->reason = REASON_PROGRAM_RESET;
	return end->then;
}

static size_t
end_room(const struct endpoint *e)
{
	const struct end *end = end_of(e);

	return end->has_window ? end->space : MOST;
}

static size_t
end_give(struct endpoint *e, const struct batch *batch)
{
	struct end *end = end_of(e);
	size_t given = 0;

	MUST(end->fins == 0 && end->rsts == 0 && !e->deaf);
	if (end->breaks) {
		e->deaf = true;
		e->reason = REASON_FAR_RESET;
		return 0;
	}
	for (int i = 0; i < batch->count; i++) {
		const uint8_t *bytes = batch->parts[i].iov_base;

		for (size_t k = 0; k < batch->parts[i].iov_len && end->space > 0; k++) {
			MUST(bytes[k] == byte_at(end->other, end->got));
			end->got++;
			end->space--;
			given++;
		}
	}
	return given;
}

static void
end_credit(struct endpoint *e, size_t n)
{
	end_of(e)->credit += n;
}

static bool
end_end(struct endpoint *e, enum ending ending)
{
	struct end *end = end_of(e);

	MUST(end->rsts == 0);
	if (ending == ENDING_RST) {
		if (end->delays > 0) {
			end->delays--;
			return false;
		}
		end->rsts++;
		return true;
	}
	/* No byte is missing, and it is the end that the other side said. */
	MUST(end->fins == 0 && end->other->then == SOURCE_FINISHED);
	MUST(end->got == end->other->said && !end->other->endpoint.deaf);
	end->fins++;
	return true;
}

static void
end_wait(struct endpoint *e, bool readable, bool writable)
{
	(void)e;
	(void)readable;
	(void)writable;
}

static const struct endpoint_ops ops = {
    .take = end_take,
    .room = end_room,
    .give = end_give,
    .credit = end_credit,
    .end = end_end,
    .wait = end_wait,
};

struct play {
	struct end ends[2];
	struct flow flows[2]; /* flows[i] is read from ends[i] */
	struct flow_stream stream;
};

static void
check(const struct play *p, const struct flow *f, enum flow_state before)
{
	const struct end *source = end_of(f->source), *sink = end_of(f->sink);
	size_t kept = buf_length(&f->kept);

	MUST(f->state >= before);
	MUST(f->taken == source->taken && f->given == sink->got);
	MUST(source->credit == sink->got);
	MUST(kept <= MOST && (kept == 0 || !flow_wants_source(f)));
	MUST(f->state == FLOW_DONE || flow_dropped(f) == 0);
	MUST(!flow_is_over(f) || kept == 0);
	MUST(sink->rsts == 0 || f->state == FLOW_DONE);
	MUST(f->ending != ENDING_RST || p->stream.reason != REASON_NONE);
}

static void
turn(struct play *p, int steps)
{
	for (int i = 0; i <= steps; i++)
		for (int way = 0; way < 2; way++) {
			struct flow *f = &p->flows[way];
			enum flow_state before = f->state;

			if (f->state != FLOW_DONE)
				flow_step(f);
			check(p, f, before);
		}
}

static void
come(struct end *e, uint64_t n, enum source then)
{
	if (e->then != SOURCE_OPEN)
		return;
	e->said += n;
	e->then = then;
	e->endpoint.readable = true;
}

static void
play_step(struct play *p, uint8_t step)
{
	struct end *e = &p->ends[step / 8 % 2];
	unsigned amount = step / 16;

	switch (step % 8) {
	case 0:
		come(e, amount * UNIT + step % 7, SOURCE_OPEN);
		break;
	case 1:
		come(e, 0, SOURCE_FINISHED);
		break;
	case 2:
		come(e, 0, SOURCE_BROKEN);
		break;
	case 3:
		e->space += amount * UNIT + 1;
		break;
	case 4:
		e->has_window = !e->has_window;
		break;
	case 5:
		e->breaks = true;
		break;
	case 6:
		e->delays = (int)amount;
		break;
	default:
		turn(p, (int)amount);
		break;
	}
}

/* Everybody takes what comes, and what is to come has come: what had to be told is told.
 */
static void
play_end(struct play *p)
{
	for (int way = 0; way < 2; way++) {
		p->ends[way].space = MUCH;
		p->ends[way].delays = 0;
		come(&p->ends[way], 0, SOURCE_FINISHED);
	}
	turn(p, 200);
	for (int way = 0; way < 2; way++) {
		const struct end *source = &p->ends[way], *sink = source->other;
		const struct flow *f = &p->flows[way];

		MUST(flow_is_over(f));
		MUST(sink->endpoint.deaf || sink->fins + sink->rsts > 0);
		if (!sink->endpoint.deaf)
			MUST(sink->got == source->said);
		if (source->then == SOURCE_BROKEN && !sink->endpoint.deaf)
			MUST(sink->fins == 0 && sink->rsts == 1);
		flow_cut(&p->flows[way]);
		MUST(f->kept.memory == NULL);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct play p = {.stream = {.id = 1}};
	struct err e = {.text = ""};

	MUST(log_open(NULL, true, &e)); /* lines are made, and go nowhere */
	log_set_level(LOG_LEVEL_DEBUG);
	for (int way = 0; way < 2; way++)
		p.ends[way] = (struct end){.endpoint = {.ops = &ops, .readable = true},
		    .seed = (uint64_t)way * 91,
		    .other = &p.ends[1 - way]};
	for (int way = 0; way < 2; way++) {
		flow_init(&p.flows[way], way == 0, &p.stream);
		flow_connect(
		    &p.flows[way], &p.ends[way].endpoint, &p.ends[1 - way].endpoint);
	}
	for (size_t i = 0; i < size; i++)
		play_step(&p, data[i]);
	play_end(&p);
	return 0;
}
