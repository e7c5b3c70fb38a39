/*
 * A number of bytes that many share, on any thread: what is taken is given back later,
 * and never is more out than the budget has.
 */
#ifndef COMMON_BASE_BYTE_BUDGET_H
#define COMMON_BASE_BYTE_BUDGET_H

#include <stdatomic.h>
#include <stddef.h>

struct budget {
	size_t most; /* not changed once it is in use */
	atomic_size_t used;
};

/** Take @n bytes, but at most a quarter of what is left, so that something is left for
 * whoever comes next.  Returns how many. */
size_t budget_take(struct budget *b, size_t n);

/** Give back what was taken. */
void budget_return(struct budget *b, size_t n);

#endif
