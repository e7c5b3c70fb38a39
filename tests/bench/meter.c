#include "meter.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void
samples_add(struct samples *s, uint64_t ns)
{
	if (s->count == s->capacity) {
		s->capacity = s->capacity ? 2 * s->capacity : 65536;
		s->ns = realloc(s->ns, s->capacity * sizeof(*s->ns));
		if (s->ns == NULL)
			err(1, "samples");
	}
	s->ns[s->count++] = ns;
}

static int
compare_ns(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

void
samples_sort(struct samples *s)
{
	if (s->count > 0)
		qsort(s->ns, s->count, sizeof(*s->ns), compare_ns);
}

double
samples_quantile(const struct samples *s, double q)
{
	size_t at = (size_t)(q * (double)s->count);

	if (s->count == 0)
		return 0;
	return (double)s->ns[at < s->count ? at : s->count - 1] / 1e3;
}

double
processes_cpu(const struct processes *p)
{
	double sum = 0;

	for (size_t i = 0; i < p->count; i++) {
		clockid_t clock;
		struct timespec t;

		if (clock_getcpuclockid(p->pids[i], &clock) != 0 ||
		    clock_gettime(clock, &t) != 0)
			errx(1, "process %d is gone", (int)p->pids[i]);
		sum += (double)t.tv_sec + (double)t.tv_nsec / 1e9;
	}
	return sum;
}

double
processes_memory(const struct processes *p)
{
	double sum = 0;

	for (size_t i = 0; i < p->count; i++) {
		char path[64], line[256];
		long kib = -1;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)p->pids[i]);
		if ((f = fopen(path, "r")) == NULL)
			err(1, "%s", path);
		while (kib < 0 && fgets(line, sizeof(line), f) != NULL)
			if (strncmp(line, "Pss:", 4) == 0)
				kib = strtol(line + 4, NULL, 10);
		fclose(f);
		if (kib < 0)
			errx(1, "%s: no Pss", path);
		sum += (double)kib * 1024;
	}
	return sum;
}
