#include "common/base/sysinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

/* The quota in whole processors, rounded up; 0: none is set. */
static long
in_cpus(double quota, double period)
{
	if (quota <= 0 || period <= 0)
		return 0;
	return (long)((quota + period - 1) / period);
}

/* The first two numbers in a file; 0 for what is not there, or is no number ("max"). */
static void
read_numbers(const char *path, double numbers[2])
{
	FILE *file = fopen(path, "re");
	char line[128] = "";
	char *rest = line;

	if (file != NULL) {
		if (fgets(line, sizeof(line), file) == NULL)
			line[0] = '\0';
		(void)fclose(file);
	}
	numbers[0] = strtod(rest, &rest);
	numbers[1] = strtod(rest, &rest);
}

static long
quota_of_cgroup2(void)
{
	double numbers[2];

	read_numbers("/sys/fs/cgroup/cpu.max", numbers);
	return in_cpus(numbers[0], numbers[1]);
}

static long
quota_of_cgroup1(void)
{
	double quota[2], period[2];

	read_numbers("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", quota);
	read_numbers("/sys/fs/cgroup/cpu/cpu.cfs_period_us", period);
	return in_cpus(quota[0], period[0]);
}

long
sysinfo_cpus(void)
{
	cpu_set_t mask;
	long cpus, quota = quota_of_cgroup2();

	if (sched_getaffinity(0, sizeof(mask), &mask) == 0)
		cpus = CPU_COUNT(&mask);
	else /* refused, or more processors than a mask of glibc's has bits */
		cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (quota == 0)
		quota = quota_of_cgroup1();
	if (quota > 0 && quota < cpus)
		cpus = quota;
	return cpus > 0 ? cpus : 1;
}

/* The lesser of @most and what @file says in @group below @root, and in each group around
 * it.  A container sees its own group as the root, though its name may be the host's. */
static uint64_t
limit_of_groups(const char *root, char *group, const char *file, uint64_t most)
{
	char path[PATH_MAX];
	char *end = group + strlen(group);
	double numbers[2];

	while (end != NULL) {
		*end = '\0';
		snprintf(path, sizeof(path), "%s%s/%s", root, group, file);
		read_numbers(path, numbers);
		if (numbers[0] > 0 && numbers[0] < (double)most)
			most = (uint64_t)numbers[0];
		end = strrchr(group, '/');
	}
	return most;
}

/* @line is one of /proc/self/cgroup, cgroups(7): number:controllers:/group; version 2 has
 * number 0 and no controllers. */
static uint64_t
limit_of_line(char *line, uint64_t most)
{
	char *rest = line;
	const char *number = strsep(&rest, ":"), *controllers = strsep(&rest, ":");

	if (rest == NULL)
		return most;
	rest[strcspn(rest, "\n")] = '\0';
	if (strcmp(number, "0") == 0 && *controllers == '\0')
		return limit_of_groups("/sys/fs/cgroup", rest, "memory.max", most);
	if (strcmp(controllers, "memory") == 0)
		return limit_of_groups(
		    "/sys/fs/cgroup/memory", rest, "memory.limit_in_bytes", most);
	return most;
}

uint64_t
sysinfo_memory(void)
{
	uint64_t most =
	    (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX];

	if (file == NULL)
		return most;
	while (fgets(line, sizeof(line), file) != NULL)
		most = limit_of_line(line, most);
	(void)fclose(file);
	return most;
}

long
sysinfo_descriptors(void)
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

long
sysinfo_descriptors_left(void)
{
	long most = sysinfo_descriptors();
	int lowest = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);

	if (lowest < 0)
		return errno == EMFILE ? 0 : most;
	close(lowest);
	return most > lowest ? most - lowest
			     : 0; /* there are no gaps, but for the first */
}

void
sysinfo_forbid_cores(void)
{
	(void)setrlimit(RLIMIT_CORE, &(struct rlimit){0});
}

unsigned long
sysinfo_random(void)
{
	unsigned long number = 0;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return (unsigned long)getpid() << 32; /* so few bytes never fail */
	return number >> 1;
}

double
sysinfo_jitter(double seconds, double share)
{
	double random = (double)sysinfo_random() / ((double)ULONG_MAX / 2); /* 0 to 1 */

	return seconds * (1 - share + 2 * share * random);
}
