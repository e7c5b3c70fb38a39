/*
 * One end of a stream, as a flow sees it: something bytes are taken from and given to.
 * A plain socket is one, a channel is the other; neither knows of the other.
 *
 * An endpoint never calls its owner from inside one of its functions, only from the
 * loop, by `wake`.  The owner then moves what can be moved and says what to wait for.
 */
#ifndef COMMON_CARRIER_ENDPOINT_H
#define COMMON_CARRIER_ENDPOINT_H

#include "common/base/batch.h"
#include "common/base/reason.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What a source has come to, behind the bytes that it just gave. */
enum source {
	SOURCE_OPEN,     /* more may come */
	SOURCE_FINISHED, /* nothing more: an end in good order (FIN) */
	SOURCE_BROKEN, /* nothing more: cut off (RST, or no end at all); `reason` says why
			*/
};

/** How an endpoint is told that nothing more comes. */
enum ending {
	ENDING_FIN, /* in good order; the other direction goes on */
	ENDING_RST, /* cut off, both directions */
};

struct endpoint;

struct endpoint_ops {
	enum source (*take)(struct endpoint *, size_t most, struct batch *);
	size_t (*room)(const struct endpoint *);
	size_t (*give)(struct endpoint *, const struct batch *);
	void (*credit)(struct endpoint *, size_t n);
	bool (*end)(struct endpoint *, enum ending);
	void (*wait)(struct endpoint *, bool readable, bool writable);
};

struct endpoint {
	const struct endpoint_ops *ops;
	void (*wake)(void *owner);
	void *owner;
	bool readable; /* taking may bring something; cleared by take when it ran dry */
	bool deaf;     /* takes no more bytes, for good: its far side is gone */
	enum reason reason; /* why, once deaf or SOURCE_BROKEN */
};

/** Take at most @most bytes, and a batch.  The result holds for what comes behind these
 * bytes. */
static inline enum source
endpoint_take(struct endpoint *e, size_t most, struct batch *batch)
{
	batch_empty(batch);
	return e->ops->take(e, most, batch);
}

/** How many bytes can be given now; 0: wait for writability. */
static inline size_t
endpoint_room(const struct endpoint *e)
{
	return e->ops->room(e);
}

/** Give bytes.  Returns how many were accepted, from the front; fewer than offered: wait
 * for writability, or see `deaf`. */
static inline size_t
endpoint_give(struct endpoint *e, const struct batch *batch)
{
	return e->ops->give(e, batch);
}

/** Tell a source that @n bytes taken from it have left for good, so that it may let as
 * many in again. */
static inline void
endpoint_credit(struct endpoint *e, size_t n)
{
	if (e->ops->credit != NULL && n > 0)
		e->ops->credit(e, n);
}

/** Say that nothing more comes, behind all bytes given.  False: not done yet; `wake`
 * comes when it is worth calling again. */
static inline bool
endpoint_end(struct endpoint *e, enum ending ending)
{
	return e->ops->end(e, ending);
}

/** What the owner waits for; with neither, a break is still reported. */
static inline void
endpoint_wait(struct endpoint *e, bool readable, bool writable)
{
	e->ops->wait(e, readable, writable);
}

#endif
