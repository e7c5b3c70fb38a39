/*
 * Bytes on their way from one socket to another, where they lie.
 */
#ifndef COMMON_BASE_BATCH_H
#define COMMON_BASE_BATCH_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum {
	BATCH_PARTS = 64,
};

/** Bytes on loan: valid until the next call on any endpoint of the same worker, but for
 * endpoint_give() and endpoint_credit(). */
struct batch {
	struct iovec parts[BATCH_PARTS];
	int count;
	size_t length; /* of all parts, in bytes */
};

/** Nothing in it; the parts need not be touched. */
static inline void
batch_empty(struct batch *batch)
{
	batch->count = 0;
	batch->length = 0;
}

/** For endpoints: one part more. */
static inline void
batch_add(struct batch *batch, const void *bytes, size_t n)
{
	assert(batch->count < BATCH_PARTS);
	batch->parts[batch->count++] =
	    (struct iovec){.iov_base = (void *)(uintptr_t)bytes, .iov_len = n};
	batch->length += n;
}

#endif
