/*
 * The file with the process number.  It is removed by whoever wrote it and by nobody
 * else, even from another root folder.
 */
#ifndef COMMON_PID_FILE_H
#define COMMON_PID_FILE_H

#include "common/err.h"

#include <stdbool.h>

struct pid_file {
	int folder; /* -1: nothing was written */
	char *name;
};

void pid_file_init(struct pid_file *p);

/** Write our number to @path in the folder @root, or NULL for the root folder; @path may
 * be NULL: nothing is written.  On failure @e says why. */
bool
pid_file_write(struct pid_file *p, const char *root, const char *path, struct err *e);

/** Could it be written there?  False: @e says why not. */
bool pid_file_judge(const char *root, const char *path, struct err *e);

/** Warn if it cannot be removed any more, with the rights that are left. */
void pid_file_warn(const struct pid_file *p);

/** Remove what was written, if anything was. */
void pid_file_remove(struct pid_file *p);

#endif
