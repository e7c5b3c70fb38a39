#include "common/machine.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>

/* The quota in whole processors, rounded up; 0: none is set. */
static long
in_cpus(double quota, double period)
{
	if (quota <= 0 || period <= 0)
		return 0;
	return (long)((quota + period - 1) / period);
}

static long
quota_of_cgroup2(void)
{
	FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
	double quota = 0, period = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%lf %lf", &quota, &period) != 2) /* "max 100000": no quota */
		quota = 0;
	(void)fclose(file);
	return in_cpus(quota, period);
}

static double
number_in(const char *path)
{
	FILE *file = fopen(path, "re");
	double number = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%lf", &number) != 1)
		number = 0;
	(void)fclose(file);
	return number;
}

static long
quota_of_cgroup1(void)
{
	return in_cpus(number_in("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
	    number_in("/sys/fs/cgroup/cpu/cpu.cfs_period_us"));
}

long
machine_cpus(void)
{
	cpu_set_t mask;
	long cpus = 1, quota = quota_of_cgroup2();

	if (sched_getaffinity(0, sizeof(mask), &mask) == 0)
		cpus = CPU_COUNT(&mask);
	if (quota == 0)
		quota = quota_of_cgroup1();
	if (quota > 0 && quota < cpus)
		cpus = quota;
	return cpus > 0 ? cpus : 1;
}

long
machine_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1024;
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
		(void)getrlimit(RLIMIT_NOFILE, &limit);
	}
	return limit.rlim_cur > 1048576 ? 1048576 : (long)limit.rlim_cur;
}

void
machine_forbid_cores(void)
{
	(void)setrlimit(RLIMIT_CORE, &(struct rlimit){0});
}
