#include "common/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void
pid_file_init(struct pid_file *p)
{
	*p = (struct pid_file){.folder = -1};
}

/* Open the folder and remember the name in it. */
static bool
find_folder(struct pid_file *p, const char *path)
{
	char copy[PATH_MAX];

	memcpy(copy, path, strlen(path) + 1);
	if ((p->name = strdup(basename(copy))) == NULL)
		return false;
	memcpy(copy, path, strlen(path) + 1);
	p->folder = open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC);
	return p->folder >= 0;
}

/* Without touching the file. */
static void
forget(struct pid_file *p)
{
	if (p->folder >= 0)
		close(p->folder);
	free(p->name);
	pid_file_init(p);
}

static bool
write_number(struct pid_file *p, const char *path, struct err *e)
{
	struct stat st = {.st_mode = 0};
	int fd = -1, length = -1;

	if (find_folder(p, path))
		fd = openat(
		    p->folder, p->name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd >= 0) {
		length = dprintf(fd, "%ld\n", (long)getpid());
		(void)fstat(fd, &st);
	}
	if (length < 0)
		err_errno(e, errno, "pid %s", path);
	if (fd >= 0)
		close(fd);
	/* A device, say, is not ours to remove. */
	if (length < 0 || !S_ISREG(st.st_mode))
		forget(p);
	return length >= 0;
}

bool
pid_file_write(struct pid_file *p, const char *root, const char *path, struct err *e)
{
	char whole[PATH_MAX];

	if (path == NULL)
		return true;
	if ((size_t)snprintf(whole, sizeof(whole), "%s%s%s", root != NULL ? root : "",
		root != NULL && *path != '/' ? "/" : "", path) >= sizeof(whole))
		return err_errno(e, ENAMETOOLONG, "pid %s", path);
	return write_number(p, whole, e);
}

void
pid_file_remove(struct pid_file *p)
{
	if (p->folder >= 0)
		(void)unlinkat(p->folder, p->name, 0);
	forget(p);
}
