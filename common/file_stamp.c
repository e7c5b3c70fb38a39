#include "common/file_stamp.h"

struct file_stamp
file_stamp(const char *path)
{
	struct stat st;

	if (path == NULL || stat(path, &st) != 0)
		return (struct file_stamp){0};
	return (struct file_stamp){
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
	       same_time(&a->modified, &b->modified) &&
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
