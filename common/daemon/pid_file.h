/*
 * The file with the process number.  It is removed by whoever wrote it and by nobody
 * else, even from another root folder.
 */
#ifndef COMMON_DAEMON_PID_FILE_H
#define COMMON_DAEMON_PID_FILE_H

#include "common/base/err.h"
#include "common/base/trusted_path.h"

#include <stdbool.h>

struct pid_file {
	int folder; /* -1: nothing was written */
	char *name;
};

void pid_file_init(struct pid_file *p);

/** Write our number to @path, with the rights that we have.  On failure @e says why. */
bool pid_file_write(struct pid_file *p, const char *path, struct err *e);

/** The same where trusted_path_find() has found it. */
bool pid_file_write_trusted(struct pid_file *p, const struct trusted_path *where,
    const char *path, struct err *e);

/** Could it be written there, in the folder @root (NULL: "/")?  False: @e says why not.
 * @path NULL: there is nothing to write. */
bool pid_file_judge(const char *root, const char *path, struct err *e);

/** Warn if it cannot be removed any more, with the rights that are left. */
void pid_file_warn(const struct pid_file *p);

/** Remove what was written, if anything was. */
void pid_file_remove(struct pid_file *p);

#endif
