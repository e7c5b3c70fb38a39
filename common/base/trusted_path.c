#include "common/base/trusted_path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
	LINKS_MOST = 40, /* as in the kernel */
};

/* The way that is being gone. */
struct walk {
	int root; /* no ".." leads above it */
	int at;   /* where we are */
	int links;
	char rest[PATH_MAX]; /* still to go */
};

static bool
is_roots(const struct stat *st)
{
	return st->st_uid == 0 &&
	       (S_ISLNK(st->st_mode) || (st->st_mode & (S_IWGRP | S_IWOTH)) == 0);
}

static bool
is_same(int one, int other)
{
	struct stat a, b;

	return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* Be at @fd from now on, if it is a folder of root's. */
static bool
step_to(struct walk *w, int fd)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISDIR(st.st_mode) || !is_roots(&st)) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	if (w->at >= 0)
		close(w->at);
	w->at = fd;
	return true;
}

static bool
start_at_root(struct walk *w)
{
	return step_to(w, fcntl(w->root, F_DUPFD_CLOEXEC, 0));
}

static bool
begin(struct walk *w, const char *path)
{
	return (size_t)snprintf(w->rest, sizeof(w->rest), "%s", path) < sizeof(w->rest) &&
	       start_at_root(w);
}

/* The next name of the way.  False: there is none, or it is too long. */
static bool
take_name(struct walk *w, char name[NAME_MAX + 1])
{
	size_t skip = strspn(w->rest, "/"), length = strcspn(w->rest + skip, "/");

	if (length == 0 || length > NAME_MAX)
		return false;
	memcpy(name, w->rest + skip, length);
	name[length] = '\0';
	memmove(w->rest, w->rest + skip + length, strlen(w->rest + skip + length) + 1);
	return true;
}

/* Go where the link @name leads to. */
static bool
follow(struct walk *w, const char *name)
{
	char to[PATH_MAX], whole[PATH_MAX];
	ssize_t n = readlinkat(w->at, name, to, sizeof(to) - 1);

	if (n <= 0 || ++w->links > LINKS_MOST)
		return false;
	to[n] = '\0';
	if ((size_t)snprintf(whole, sizeof(whole), "%s%s", to, w->rest) >= sizeof(whole))
		return false;
	memcpy(w->rest, whole, strlen(whole) + 1);
	return to[0] != '/' || start_at_root(w);
}

/* Up, but not above the root. */
static bool
go_up(struct walk *w)
{
	return is_same(w->at, w->root) ||
	       step_to(w, openat(w->at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

static bool
is_in_proc(const struct walk *w)
{
	struct statfs fs;

	return fstatfs(w->at, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* Go into the folder @name, or where a link of this name leads to. */
static bool
step(struct walk *w, const char *name)
{
	struct stat st;

	if (strcmp(name, ".") == 0)
		return true;
	if (strcmp(name, "..") == 0)
		return go_up(w);
	if (fstatat(w->at, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	if (S_ISLNK(st.st_mode))
		return is_roots(&st) && follow(w, name);
	return step_to(w, openat(w->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
}

/* The last name of the way: is it none that leads elsewhere? */
static bool
is_end(const struct walk *w, struct trusted_path *p)
{
	struct stat st;

	if (fstatat(w->at, p->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT;
	p->is_open_already = S_ISLNK(st.st_mode) && is_in_proc(w);
	return p->is_open_already || !S_ISLNK(st.st_mode);
}

static bool
go(struct walk *w, struct trusted_path *p, const char *path)
{
	if (!begin(w, path))
		return false;
	while (take_name(w, p->name)) {
		if (w->rest[0] == '\0' && is_end(w, p))
			return true;
		if (!step(w, p->name))
			return false;
	}
	return false;
}

/* The folder itself has to be root's as well. */
static bool
go_into(struct walk *w, const char *folder)
{
	char name[NAME_MAX + 1];

	if (!begin(w, folder))
		return false;
	while (take_name(w, name))
		if (!step(w, name))
			return false;
	return true;
}

static void
end(struct walk *w)
{
	if (w->at >= 0)
		close(w->at);
	if (w->root >= 0)
		close(w->root);
}

bool
trusted_path_find(struct trusted_path *p, const char *root, const char *path)
{
	struct walk outside = {.at = -1}, inside = {.at = -1};
	bool ok;

	*p = (struct trusted_path){.folder = -1};
	outside.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	ok = go_into(&outside, root != NULL ? root : "/");
	inside.root = ok ? fcntl(outside.at, F_DUPFD_CLOEXEC, 0) : -1;
	ok = ok && go(&inside, p, path);
	if (ok) {
		p->folder = inside.at;
		inside.at = -1;
	}
	end(&inside);
	end(&outside);
	return ok;
}

int
trusted_path_open(const struct trusted_path *p, int flags, mode_t mode)
{
	return openat(
	    p->folder, p->name, flags | (p->is_open_already ? 0 : O_NOFOLLOW), mode);
}

void
trusted_path_clear(struct trusted_path *p)
{
	if (p->folder >= 0)
		close(p->folder);
	p->folder = -1;
}
