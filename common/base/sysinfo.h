/*
 * What the machine really allows this process: not the node's cores, but the affinity
 * mask and the control group's quota; not the node's memory, but the control group's; not
 * the soft limit of descriptors, but the hard one.
 */
#ifndef COMMON_BASE_SYSINFO_H
#define COMMON_BASE_SYSINFO_H

#include <stdint.h>

/** How many threads can run at once; at least 1. */
long sysinfo_cpus(void);

/** How many bytes of memory this process may take: the least limit of its control group
 * and of those around it (memory.max of version 2, memory.limit_in_bytes of version 1),
 * and never more than the machine has.  Reads files below /proc and /sys, so call it
 * before they are out of reach. */
uint64_t sysinfo_memory(void);

/** Raise the limit of descriptors as far as it goes, and say where that is. */
long sysinfo_descriptors(void);

/** How many descriptors can still be opened. */
long sysinfo_descriptors_left(void);

/** A number that no other process has, in all likelihood; its upper half is free to count
 * on. */
unsigned long sysinfo_random(void);

/** No core files: private keys are in them. */
void sysinfo_forbid_cores(void);

/** @seconds, or up to @share of them more or less, so that not everybody does a thing at
 * the same time. */
double sysinfo_jitter(double seconds, double share);

#endif
