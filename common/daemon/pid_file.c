#include "common/daemon/pid_file.h"

#include "common/base/log.h"
#include "common/base/file_access.h"

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

/* Over whatever is there, of the name in the folder. */
static bool
write_number(struct pid_file *p, int more_flags, const char *path, struct err *e)
{
	struct stat st = {.st_mode = 0};
	int fd = -1, length = -1;

	if (p->folder >= 0 && p->name != NULL)
		fd = openat(p->folder, p->name,
		    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK |
			more_flags,
		    0644);
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
pid_file_write(struct pid_file *p, const char *path, struct err *e)
{
	if (strlen(path) >= PATH_MAX)
		return err_errno(e, ENAMETOOLONG, "pid %.500s", path);
	return (find_folder(p, path) || err_errno(e, errno, "pid %s", path)) &&
	       write_number(p, 0, path, e);
}

bool
pid_file_write_trusted(
    struct pid_file *p, const struct trusted_path *where, const char *path, struct err *e)
{
	p->folder = fcntl(where->folder, F_DUPFD_CLOEXEC, 0);
	p->name = strdup(where->name);
	return write_number(p, where->is_open_already ? 0 : O_NOFOLLOW, path, e);
}

/* In the folder @root. */
bool
pid_file_judge(const char *root, const char *path, struct err *e)
{
	char whole[PATH_MAX];

	if (path == NULL)
		return true;
	if ((size_t)snprintf(whole, PATH_MAX, "%s%s%s", root != NULL ? root : "",
		root != NULL && *path != '/' ? "/" : "", path) >= PATH_MAX)
		return err_errno(e, ENAMETOOLONG, "pid %.500s", path);
	return file_access_check(whole, e) || err_prefix(e, "pid");
}

/* In a folder such as /tmp only the owner of a file, or of the folder, removes it. */
static bool
may_remove(const struct pid_file *p)
{
	struct stat folder, file;

	if (faccessat(p->folder, ".", W_OK | X_OK, AT_EACCESS) != 0 ||
	    fstat(p->folder, &folder) != 0 || fstatat(p->folder, p->name, &file, 0) != 0)
		return false;
	return geteuid() == 0 || (folder.st_mode & S_ISVTX) == 0 ||
	       folder.st_uid == geteuid() || file.st_uid == geteuid();
}

void
pid_file_warn(const struct pid_file *p)
{
	if (p->folder >= 0 && !may_remove(p))
		log_event(LOG_LEVEL_WARNING, "pid-stays", LOG_TEXT("file", p->name),
		    LOG_TEXT("detail",
			"with the rights given up it cannot be removed at the end: name "
			"one in a folder that belongs to the user of setuid"));
}

void
pid_file_remove(struct pid_file *p)
{
	if (p->folder >= 0)
		(void)unlinkat(p->folder, p->name, 0);
	forget(p);
}
