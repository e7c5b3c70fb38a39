#include "common/base/file_stamp.h"

#include <dirent.h>
#include <fcntl.h>

/* FNV-1a: nobody gains from a stamp that two folders have. */
static uint64_t
hash(uint64_t sum, const void *bytes, size_t n)
{
	const unsigned char *at = bytes;

	for (size_t i = 0; i < n; i++)
		sum = (sum ^ at[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static uint64_t
hash_entry(int folder, const char *name)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	struct stat st;

	for (const char *c = name; *c != '\0'; c++)
		sum = hash(sum, c, 1);
	if (fstatat(folder, name, &st, 0) != 0)
		return sum;
	sum = hash(sum, &st.st_dev, sizeof(st.st_dev));
	sum = hash(sum, &st.st_ino, sizeof(st.st_ino));
	sum = hash(sum, &st.st_size, sizeof(st.st_size));
	sum = hash(sum, &st.st_mtim, sizeof(st.st_mtim));
	return hash(sum, &st.st_ctim, sizeof(st.st_ctim));
}

/* In any order: that in which they are found may change.  What is above or beside the
 * folder is no part of it. */
static bool
look_within(const char *path, uint64_t *within)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;

	if (dir == NULL)
		return false;
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			*within += hash_entry(dirfd(dir), entry->d_name);
	closedir(dir);
	return true;
}

struct file_stamp
file_stamp(const char *path)
{
	struct stat st;
	uint64_t within = 0;

	if (path == NULL || stat(path, &st) != 0)
		return (struct file_stamp){0};
	if (S_ISDIR(st.st_mode) && !look_within(path, &within))
		return (struct file_stamp){0};
	return (struct file_stamp){
	    .within = within,
	    .device = st.st_dev,
	    .inode = st.st_ino,
	    .size = st.st_size,
	    .modified = st.st_mtim,
	    .changed = st.st_ctim,
	};
}

static bool
same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool
same(const struct file_stamp *a, const struct file_stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->within == b->within && same_time(&a->modified, &b->modified) &&
	       same_time(&a->changed, &b->changed);
}

bool
file_stamps_equal(const struct file_stamp *a, const struct file_stamp *b, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!same(&a[i], &b[i]))
			return false;
	return true;
}
