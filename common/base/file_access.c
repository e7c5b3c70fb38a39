#include "common/base/file_access.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
judge_folder(const char *path, struct err *e)
{
	char copy[PATH_MAX];
	const char *folder;

	if (strlen(path) >= sizeof(copy))
		return err_errno(e, ENAMETOOLONG, "%.500s", path);
	memcpy(copy, path, strlen(path) + 1);
	folder = dirname(copy);
	if (access(folder, W_OK | X_OK) == 0)
		return true;
	if (errno == ENOENT)
		return err_set(e,
		    "%s: there is no folder %s: make it, or write another one", path,
		    folder);
	return err_errno(e, errno, "%s: the folder %s", path, folder);
}

bool
file_access_check(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) != 0 && errno == ENOENT)
		return judge_folder(path, e);
	if (access(path, W_OK) != 0)
		return err_errno(e, errno, "%.500s", path);
	return !S_ISDIR(st.st_mode) ||
	       err_set(e, "%s is a folder: write the name of a file in it", path);
}
