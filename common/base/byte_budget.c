#include "common/base/byte_budget.h"

#include <assert.h>

size_t
byte_budget_take(struct byte_budget *b, size_t n)
{
	size_t used = atomic_load(&b->used), take;

	do {
		take = b->most > used ? (b->most - used) / 4 : 0;
		take = n < take ? n : take;
	} while (!atomic_compare_exchange_weak(&b->used, &used, used + take));
	return take;
}

void
byte_budget_return(struct byte_budget *b, size_t n)
{
	size_t used = atomic_fetch_sub(&b->used, n);

	assert(used >= n);
	(void)used;
}
