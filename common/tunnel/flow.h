/*
 * A flow is one direction of a stream: it takes from one endpoint and gives to the other,
 *and keeps bytes only while the other takes none.  While it keeps any it does not take:
 * that is the back-pressure, and it bounds the memory to one batch.
 *
 *	OPEN --source ended--> DRAIN --nothing kept--> FINISHED --source breaks--> RESET
 *	  |                      |                        ^ (FIN told)              |
 *	  |                      +--the source broke------|----------> RESET        |
 *	  +--the sink is gone--> DONE <--------------------------------(RST told)---+
 *
 * States only move forward.  Bytes have positions, counted from the start of the flow.
 */
#ifndef COMMON_TUNNEL_FLOW_H
#define COMMON_TUNNEL_FLOW_H

#include "common/base/buf.h"
#include "common/carrier/endpoint.h"

enum flow_state {
	FLOW_OPEN,     /* bytes may come */
	FLOW_DRAIN,    /* no more come; what is kept is still to be given */
	FLOW_FINISHED, /* the sink was told FIN */
	FLOW_RESET,    /* the sink is to be told RST, once it has the bytes */
	FLOW_DONE,     /* the sink was told RST, or is gone */
};

/** What the two flows of a stream have in common. */
struct flow_stream {
	unsigned long id;
	enum reason reason; /* why it ends; the first one stays */
};

struct flow {
	struct flow_stream *stream;
	struct endpoint *source;
	struct endpoint *sink;
	enum flow_state state;
	enum ending ending : 8; /* how the source ended, once it did */
	bool is_up;             /* from the legacy program, not to it; for the log */
	struct buf kept;        /* taken, not yet given */
	uint64_t taken;         /* position: bytes taken from the source */
	uint64_t given;         /* position: bytes the sink accepted */
};

/** @stream outlives the flow. */
void flow_init(struct flow *f, bool is_up, struct flow_stream *stream);

/** Between which two endpoints; before the first step. */
void flow_connect(struct flow *f, struct endpoint *source, struct endpoint *sink);

/** Before the first step: @taken bytes were moved by others, but for @rest, which is the
 * flow's from now on. */
void flow_resume(struct flow *f, struct buf rest, uint64_t taken);

/** Move at most one batch, and the state as far as it goes. */
void flow_step(struct flow *f);

/** Nothing more will be told: the stream is being cut off. */
void flow_cut(struct flow *f);

/** Does it wait for its source to have bytes? */
bool flow_wants_source(const struct flow *f);

/** Does it wait for its sink to have room? */
bool flow_wants_sink(const struct flow *f);

/** Bytes taken that the sink will never get. */
static inline uint64_t
flow_dropped(const struct flow *f)
{
	return f->taken - f->given - buf_length(&f->kept);
}

/** The source has ended, one way or the other. */
static inline bool
flow_has_ended(const struct flow *f)
{
	return f->state != FLOW_OPEN;
}

/** Nothing is left to do for it, unless its source breaks after a FIN. */
static inline bool
flow_is_over(const struct flow *f)
{
	return f->state == FLOW_FINISHED || f->state == FLOW_DONE;
}

#endif
