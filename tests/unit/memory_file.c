#include "tests/unit/memory_file.h"

#include <check.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

struct memory_file
memory_file(const void *bytes, size_t length)
{
	struct memory_file file;

	file.fd = memfd_create("test", MFD_CLOEXEC);
	ck_assert_int_ne(file.fd, -1);
	ck_assert_int_eq(write(file.fd, bytes, length), (ssize_t)length);
	snprintf(file.path, sizeof(file.path), "/proc/self/fd/%d", file.fd);
	return file;
}

const char *
memory_file_text(const struct memory_file *file)
{
	static char text[1 << 20];
	ssize_t n = pread(file->fd, text, sizeof(text) - 1, 0);

	ck_assert_int_ne(n, -1);
	text[n] = '\0';
	return text;
}
