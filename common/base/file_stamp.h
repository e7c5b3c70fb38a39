/*
 * What a file looks like from outside: enough to tell whether it was changed, replaced,
 * or reached through another link, as Kubernetes does with a mounted Secret.
 */
#ifndef COMMON_BASE_FILE_STAMP_H
#define COMMON_BASE_FILE_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

/** All zero: there is no such file. */
struct file_stamp {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
	uint64_t within; /* of a folder: what the files in it look like */
};

/** Look at @path, behind links, and if it is a folder at each file in it, too.  NULL: no
 * file.  If it cannot be looked at errno says why. */
struct file_stamp file_stamp(const char *path);

/** Are these @count pairs the same? */
bool
file_stamps_equal(const struct file_stamp *a, const struct file_stamp *b, size_t count);

#endif
