#include "common/tunnel/flow.h"

#include "common/base/log.h"

static const char *const state_names[] = {
    [FLOW_OPEN] = "open",
    [FLOW_DRAIN] = "drain",
    [FLOW_FINISHED] = "finished",
    [FLOW_RESET] = "reset",
    [FLOW_DONE] = "done",
};

/* The only place a flow changes state.  States never go back. */
static void
enter(struct flow *f, enum flow_state next)
{
	assert(next > f->state);
	log_debug("stream=%lu event=flow flow=%s from=%s to=%s", f->stream->id,
	    f->is_up ? "up" : "down", state_names[f->state], state_names[next]);
	f->state = next;
}

void
flow_init(struct flow *f, bool is_up, struct flow_stream *stream)
{
	*f = (struct flow){.is_up = is_up, .stream = stream};
}

void
flow_connect(struct flow *f, struct endpoint *source, struct endpoint *sink)
{
	f->source = source;
	f->sink = sink;
}

void
flow_resume(struct flow *f, struct buf rest, uint64_t taken)
{
	f->kept = rest;
	f->taken = taken;
	f->given = taken - buf_length(&rest);
}

/* The first reason wins. */
static void
blame(struct flow *f, enum reason reason)
{
	if (f->stream->reason == REASON_NONE)
		f->stream->reason = reason;
}

/* Keep what the sink left of a batch. */
static void
keep(struct flow *f, const struct batch *batch, size_t given)
{
	size_t skip = given;
	int i;

	for (i = 0; i < batch->count; i++) {
		const struct iovec *part = &batch->parts[i];
		size_t from = skip < part->iov_len ? skip : part->iov_len;

		skip -= from;
		if (!buf_append(&f->kept, (const uint8_t *)part->iov_base + from,
			part->iov_len - from)) {
			blame(f, REASON_NO_MEMORY);
			f->ending = ENDING_RST;
			buf_clear(&f->kept);
			if (f->state == FLOW_OPEN)
				enter(f, FLOW_DRAIN);
			return;
		}
	}
}

static void
give_kept(struct flow *f)
{
	struct batch batch;
	size_t n;

	batch_empty(&batch);
	batch_add(&batch, buf_bytes(&f->kept), buf_length(&f->kept));
	n = endpoint_give(f->sink, &batch);
	f->given += n;
	endpoint_credit(f->source, n);
	buf_consume(&f->kept, n);
}

/* One batch from the source to the sink. */
static void
move(struct flow *f)
{
	struct batch batch;
	enum source source;
	size_t n, room = endpoint_room(f->sink);

	if (!f->source->readable || room == 0)
		return;
	source = endpoint_take(f->source, room, &batch);
	f->taken += batch.length;
	if (batch.length > 0) {
		n = endpoint_give(f->sink, &batch);
		f->given += n;
		endpoint_credit(f->source, n);
		if (n < batch.length)
			keep(f, &batch, n);
	}
	if (source == SOURCE_OPEN || f->state != FLOW_OPEN)
		return;
	if (source == SOURCE_BROKEN) {
		f->ending = ENDING_RST;
		blame(f, f->source->reason);
	}
	enter(f, FLOW_DRAIN);
}

/* Tell the sink how the source ended.  A source that took an error while it was
 * written to ends in RST, whatever its last bytes looked like. */
static void
tell(struct flow *f)
{
	if (f->source->deaf)
		f->ending = ENDING_RST;
	if (f->ending == ENDING_RST) {
		blame(f, f->source->reason);
		enter(f, FLOW_RESET);
	} else {
		endpoint_end(f->sink, ENDING_FIN);
		enter(f, FLOW_FINISHED);
	}
}

void
flow_step(struct flow *f)
{
	if (f->sink->deaf) {
		flow_cut(
		    f); /* why is known once the other flow has read the rest from it */
		return;
	}
	if (buf_length(&f->kept) > 0)
		give_kept(f);
	if (f->state == FLOW_OPEN && buf_length(&f->kept) == 0)
		move(f);
	if (f->state == FLOW_DRAIN && buf_length(&f->kept) == 0)
		tell(f);
	if (f->state == FLOW_FINISHED && f->source->deaf) {
		blame(f, f->source->reason);
		enter(f, FLOW_RESET);
	}
	if (f->state == FLOW_RESET && endpoint_end(f->sink, ENDING_RST))
		enter(f, FLOW_DONE);
}

void
flow_cut(struct flow *f)
{
	buf_clear(&f->kept);
	if (f->state != FLOW_DONE)
		enter(f, FLOW_DONE);
}

bool
flow_wants_source(const struct flow *f)
{
	return f->state == FLOW_OPEN && buf_length(&f->kept) == 0 &&
	       endpoint_room(f->sink) > 0;
}

bool
flow_wants_sink(const struct flow *f)
{
	return f->state < FLOW_FINISHED &&
	       (buf_length(&f->kept) > 0 || endpoint_room(f->sink) == 0);
}
