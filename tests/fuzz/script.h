/*
 * A fuzzer's input as a script, read from its front; what is missing at the end counts as
 * zero.
 */
#ifndef TESTS_FUZZ_SCRIPT_H
#define TESTS_FUZZ_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

struct script {
	const uint8_t *data; /* what is left */
	size_t left;
};

static inline uint8_t
script_next(struct script *s)
{
	if (s->left == 0)
		return 0;
	s->left--;
	return *s->data++;
}

/** At most @most bytes, of which there are @n. */
static inline const uint8_t *
script_bytes(struct script *s, size_t most, size_t *n)
{
	const uint8_t *bytes = s->data;

	*n = most < s->left ? most : s->left;
	s->data += *n;
	s->left -= *n;
	return bytes;
}

#endif
