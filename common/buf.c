#include "common/buf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Make room for @n more bytes at the end, moving or growing what is there. */
static bool
make_room(struct buf *b, size_t n)
{
	size_t length = buf_length(b);
	uint8_t *memory;

	if (length + n > UINT32_MAX)
		return false;
	if (b->capacity - b->end >= n)
		return true;
	if (b->capacity >= length + n) {
		memmove(b->memory, b->memory + b->start, length);
	} else {
		if ((memory = malloc(length + n)) == NULL)
			return false;
		if (length > 0)
			memcpy(memory, b->memory + b->start, length);
		free(b->memory);
		b->memory = memory;
		b->capacity = (uint32_t)(length + n);
	}
	b->start = 0;
	b->end = (uint32_t)length;
	return true;
}

bool
buf_append(struct buf *b, const void *bytes, size_t n)
{
	if (n == 0)
		return true;
	if (!make_room(b, n))
		return false;
	memcpy(b->memory + b->end, bytes, n);
	b->end += (uint32_t)n;
	return true;
}

void
buf_consume(struct buf *b, size_t n)
{
	assert(n <= buf_length(b));
	b->start += (uint32_t)n;
	if (b->start == b->end)
		buf_clear(b);
}

void
buf_clear(struct buf *b)
{
	free(b->memory);
	*b = (struct buf){0};
}
