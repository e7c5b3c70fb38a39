/*
 * May a file be written, before anybody does?  For who checks settings and leaves no
 * trace.
 */
#ifndef COMMON_BASE_FILE_ACCESS_H
#define COMMON_BASE_FILE_ACCESS_H

#include "common/base/err.h"

#include <stdbool.h>

/** Could we write a file at @path: one that is there, or a new one in its folder?  False:
 * @e says why not, and what to do. */
bool file_access_check(const char *path, struct err *e);

#endif
