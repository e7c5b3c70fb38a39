/*
 * A number of bytes that many share, on any thread: what is taken is given back later,
 * and never is more out than the budget has.
 */
#ifndef COMMON_BASE_BYTE_BUDGET_H
#define COMMON_BASE_BYTE_BUDGET_H

#include <stdatomic.h>
#include <stddef.h>

struct byte_budget {
	size_t most; /* not changed once it is in use */
	atomic_size_t used;
};

/** Take @n bytes, but at most a quarter of what is left, so that something is left for
 * whoever comes next.  Returns how many. */
size_t byte_budget_take(struct byte_budget *b, size_t n);

/** Give back what was taken. */
void byte_budget_return(struct byte_budget *b, size_t n);

#endif
