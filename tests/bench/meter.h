/*
 * What the load reads off: times, and what processes have used.
 */
#ifndef BENCH_METER_H
#define BENCH_METER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** Times in ns, in no order, as many as come. */
struct samples {
	uint64_t *ns;
	size_t count;
	size_t capacity;
};

void samples_add(struct samples *s, uint64_t ns);
void samples_sort(struct samples *s);

/** In us; the samples must be sorted. */
double samples_quantile(const struct samples *s, double q);

struct processes {
	pid_t *pids;
	size_t count;
};

/** CPU seconds, user and system, that the processes have used in their lives, threads
 * that have ended included. */
double processes_cpu(const struct processes *p);

/** Bytes of memory of the processes, each shared page divided by its sharers.  What the
 * kernel holds for their sockets is not in it. */
double processes_memory(const struct processes *p);

#endif
