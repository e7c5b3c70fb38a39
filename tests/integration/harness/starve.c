/*
 * For LD_PRELOAD: an allocation that fails.  The file that STARVE names holds a number in
 * binary, which whoever tests may change at any time: 0 lets everything pass, n lets the
 * nth allocation from now on fail and is 0 then, and -1 lets all fail.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* What glibc calls its own ones. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t n);
void *__libc_realloc(void *old, size_t n);

static _Atomic int *control;

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("STARVE");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *map = MAP_FAILED;

	if (fd != -1)
		map = mmap(
		    NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED)
		control = map;
	if (fd != -1)
		close(fd);
}

static int
fails(void)
{
	int n = control != NULL ? atomic_load(control) : 0;

	while (n > 0 && !atomic_compare_exchange_weak(control, &n, n - 1))
		;
	if (n != 1 && n != -1)
		return 0;
	errno = ENOMEM;
	return 1;
}

void *
malloc(size_t n)
{
	return fails() ? NULL : __libc_malloc(n);
}

void *
calloc(size_t count, size_t n)
{
	return fails() ? NULL : __libc_calloc(count, n);
}

void *
realloc(void *old, size_t n)
{
	return fails() ? NULL : __libc_realloc(old, n);
}
