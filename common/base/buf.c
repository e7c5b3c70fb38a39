#include "common/base/buf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Grow by at least a half, so that many small pieces are not each copied with all that
 * came before them. */
static bool
grow(struct buf *b, size_t n)
{
	size_t length = buf_length(b), least = length + n, space = length + length / 2;
	uint8_t *memory;

	if (space < least)
		space = least;
	if (space > UINT32_MAX)
		space = UINT32_MAX;
	if ((memory = malloc(space)) == NULL)
		return false;
	if (length > 0)
		memcpy(memory, b->memory + b->start, length);
	free(b->memory);
	b->memory = memory;
	b->capacity = (uint32_t)space;
	return true;
}

/* Make room for @n more bytes at the end.  What is there is moved down only where a good
 * part of it was consumed since the last time. */
static bool
make_room(struct buf *b, size_t n)
{
	size_t length = buf_length(b);

	if (length + n > UINT32_MAX)
		return false;
	if (b->capacity - b->end >= n)
		return true;
	if (b->capacity >= length + n && b->start >= length / 8)
		memmove(b->memory, b->memory + b->start, length);
	else if (!grow(b, n))
		return false;
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
