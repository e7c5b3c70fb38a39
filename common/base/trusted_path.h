/*
 * Paths that nobody but root can bend: each folder and each symbolic link on the way
 * belongs to root, and nobody else may write to those folders.  What root opens by
 * another path may be a file that somebody else has chosen, by a link of his own.
 *
 * The way is gone step by step and never by name again, so what was found stays true.
 */
#ifndef COMMON_BASE_TRUSTED_PATH_H
#define COMMON_BASE_TRUSTED_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

struct trusted_path {
	int folder; /* O_PATH; -1: none */
	char name[NAME_MAX + 1];
	/** @name is a link of /proc, such as /proc/self/fd/1, to something that is open
	 * already: there are no words to follow, and nobody else has made it. */
	bool is_open_already;
};

/**
 * Find the folder of the last name in @path, behind all links, in the folder @root (NULL:
 * "/"), which no link leads out of.  What has that name is no link of the file system,
 * and need not be there.  False: somebody else could bend it, or it leads nowhere.  The
 * caller calls trusted_path_clear() in any case.
 */
bool trusted_path_find(struct trusted_path *p, const char *root, const char *path);

/** As open(2) of what was found; sets errno. */
int trusted_path_open(const struct trusted_path *p, int flags, mode_t mode);

void trusted_path_clear(struct trusted_path *p);

#endif
