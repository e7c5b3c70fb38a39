/*
 * Bytes that wait: a queue that holds no memory while it is empty.  Owned by one
 * object, used by one thread.
 */
#ifndef COMMON_BASE_BUF_H
#define COMMON_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** All zero is an empty buffer. */
struct buf {
	uint8_t *memory; /* NULL while empty */
	uint32_t start;  /* offset of the first byte kept */
	uint32_t end;    /* offset behind the last */
	uint32_t capacity;
};

static inline size_t
buf_length(const struct buf *b)
{
	return b->end - b->start;
}

static inline const uint8_t *
buf_bytes(const struct buf *b)
{
	return b->memory + b->start;
}

/** Append a copy of @n bytes.  False: out of memory, or it would be 4 GiB, and nothing
 * was appended. */
bool buf_append(struct buf *b, const void *bytes, size_t n);

/** Forget the first @n bytes, at most buf_length(); the memory goes with the last of
 * them. */
void buf_consume(struct buf *b, size_t n);

/** Forget all bytes. */
void buf_clear(struct buf *b);

#endif
