#include "common/base/sysinfo.h"

#include "tests/unit/unit.h"

#include <dlfcn.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* What the machine says instead; NULL: there is no such file. */
static const char *cpu_max, *cfs_quota, *cfs_period;
static struct {
	const char *path, *text;
} files[4];
static size_t affine_cpus;

/* In the place of libc's, for what sysinfo.c reads. */
FILE *
fopen(const char *path, const char *mode)
{
	FILE *(*real)(const char *, const char *);
	const char *text = NULL;

	if (strcmp(path, "/sys/fs/cgroup/cpu.max") == 0)
		text = cpu_max;
	else if (strcmp(path, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us") == 0)
		text = cfs_quota;
	else if (strcmp(path, "/sys/fs/cgroup/cpu/cpu.cfs_period_us") == 0)
		text = cfs_period;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (files[i].path != NULL && strcmp(path, files[i].path) == 0)
			text = files[i].text;
	if (text != NULL)
		return fmemopen((char *)(uintptr_t)text, strlen(text), "r");
	*(void **)&real = dlsym(RTLD_NEXT, "fopen"); /* coverage writes its own files */
	return strcmp(mode, "re") != 0 ? real(path, mode) : NULL;
}

int
sched_getaffinity(pid_t process, size_t size, cpu_set_t *mask)
{
	(void)process;
	memset(mask, 0, size);
	for (size_t i = 0; i < affine_cpus; i++)
		CPU_SET(i, mask);
	return 0;
}

START_TEST(without_a_quota_the_affinity_mask_says_how_many)
{
	affine_cpus = 6;
	ck_assert_int_eq(sysinfo_cpus(), 6);
	cpu_max = "max 100000\n";
	ck_assert_int_eq(sysinfo_cpus(), 6);
}
END_TEST

START_TEST(a_quota_counts_in_whole_processors_rounded_up)
{
	affine_cpus = 16;
	cpu_max = "150000 100000\n";
	ck_assert_int_eq(sysinfo_cpus(), 2);
	cpu_max = "200000 100000\n";
	ck_assert_int_eq(sysinfo_cpus(), 2);
	cpu_max = "10000 100000\n";
	ck_assert_int_eq(sysinfo_cpus(), 1);
}
END_TEST

START_TEST(a_quota_above_the_affinity_mask_adds_nothing)
{
	affine_cpus = 2;
	cpu_max = "800000 100000\n";
	ck_assert_int_eq(sysinfo_cpus(), 2);
}
END_TEST

START_TEST(the_older_control_groups_have_it_in_two_files)
{
	affine_cpus = 16;
	cfs_quota = "350000\n";
	cfs_period = "100000\n";
	ck_assert_int_eq(sysinfo_cpus(), 4);
	cfs_quota = "-1\n";
	ck_assert_int_eq(sysinfo_cpus(), 16);
}
END_TEST

START_TEST(a_file_that_says_nothing_is_no_quota)
{
	affine_cpus = 3;
	cpu_max = "\n";
	ck_assert_int_eq(sysinfo_cpus(), 3);
	cpu_max = "100000\n";
	ck_assert_int_eq(sysinfo_cpus(), 3);
	affine_cpus = 0;
	ck_assert_int_eq(sysinfo_cpus(), 1);
}
END_TEST

static uint64_t
physical_memory(void)
{
	return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* @text is all that @path says. */
static void
write_file(size_t number, const char *path, const char *text)
{
	files[number].path = path;
	files[number].text = text;
}

START_TEST(without_a_limit_of_its_group_a_process_has_the_machine_s_memory)
{
	ck_assert_uint_eq(sysinfo_memory(), physical_memory());
	write_file(0, "/proc/self/cgroup", "0::/\n");
	ck_assert_uint_eq(sysinfo_memory(), physical_memory());
	write_file(1, "/sys/fs/cgroup/memory.max", "max\n");
	ck_assert_uint_eq(sysinfo_memory(), physical_memory());
	write_file(0, "/proc/self/cgroup", "no group\n0:\n");
	ck_assert_uint_eq(sysinfo_memory(), physical_memory());
}
END_TEST

START_TEST(the_least_limit_of_the_groups_around_a_process_counts)
{
	write_file(0, "/proc/self/cgroup", "0::/kubepods.slice/pod/routeport\n");
	write_file(1, "/sys/fs/cgroup/kubepods.slice/pod/routeport/memory.max", "max\n");
	write_file(2, "/sys/fs/cgroup/kubepods.slice/pod/memory.max", "33554432\n");
	write_file(3, "/sys/fs/cgroup/kubepods.slice/memory.max", "50331648\n");
	ck_assert_uint_eq(sysinfo_memory(), 33554432);
	write_file(3, "/sys/fs/cgroup/memory.max", "16777216\n"); /* in a container */
	ck_assert_uint_eq(sysinfo_memory(), 16777216);
}
END_TEST

START_TEST(the_older_control_groups_name_memory_in_a_line_of_its_own)
{
	write_file(
	    0, "/proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/docker/1\n0::/\n");
	write_file(1, "/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes",
	    "9223372036854771712\n");
	ck_assert_uint_eq(sysinfo_memory(), physical_memory());
	write_file(2, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "67108864\n");
	ck_assert_uint_eq(sysinfo_memory(), 67108864);
}
END_TEST

START_TEST(the_limit_of_descriptors_is_raised_to_the_hard_one)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_max = limit.rlim_max < 300 ? limit.rlim_max : 300;
	limit.rlim_cur = 100;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(sysinfo_descriptors(), (long)limit.rlim_max);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_uint_eq(limit.rlim_cur, limit.rlim_max);
}
END_TEST

START_TEST(no_core_file_is_written_any_more)
{
	struct rlimit limit;

	sysinfo_forbid_cores();
	ck_assert_int_eq(getrlimit(RLIMIT_CORE, &limit), 0);
	ck_assert_uint_eq(limit.rlim_cur, 0);
	ck_assert_uint_eq(limit.rlim_max, 0);
}
END_TEST

UNIT_MAIN("machine", without_a_quota_the_affinity_mask_says_how_many,
    a_quota_counts_in_whole_processors_rounded_up,
    a_quota_above_the_affinity_mask_adds_nothing,
    the_older_control_groups_have_it_in_two_files, a_file_that_says_nothing_is_no_quota,
    without_a_limit_of_its_group_a_process_has_the_machine_s_memory,
    the_least_limit_of_the_groups_around_a_process_counts,
    the_older_control_groups_name_memory_in_a_line_of_its_own,
    the_limit_of_descriptors_is_raised_to_the_hard_one, no_core_file_is_written_any_more)
