/*
 * A file without a name in any folder: it goes with its process, so no test leaves one
 * behind.
 */
#ifndef TESTS_UNIT_MEMORY_FILE_H
#define TESTS_UNIT_MEMORY_FILE_H

#include <stddef.h>

struct memory_file {
	int fd;
	char path[32]; /* opens it in this process, as any file */
};

/** Make one that holds these bytes. */
struct memory_file memory_file(const void *bytes, size_t length);

/** What it holds now, as text; only valid until the next call. */
const char *memory_file_text(const struct memory_file *file);

#endif
