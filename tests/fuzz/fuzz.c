#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

void
fuzz_fail(const char *condition, const char *file, int line)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
	abort();
}
