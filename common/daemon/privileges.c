#include "common/daemon/privileges.h"

#include "common/base/log.h"
#include "common/daemon/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* ---- who ------------------------------------------------------------------------- */

struct identity {
	bool user_given, group_given;
	uid_t user;
	gid_t group; /* the user's own, unless another one is given */
};

/* A number stands for itself. */
static bool
read_number(const char *text, unsigned *number)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || value >= UINT_MAX)
		return false;
	*number = (unsigned)value;
	return true;
}

/* The system's list is read by ourselves: a static program has no other way. */
static bool
find_user(const char *name, struct identity *who, struct err *e)
{
	FILE *file = fopen("/etc/passwd", "re");
	struct passwd *line = NULL;

	while (file != NULL && (line = fgetpwent(file)) != NULL)
		if (strcmp(line->pw_name, name) == 0)
			break;
	if (line != NULL) {
		who->user = line->pw_uid;
		who->group = line->pw_gid;
	}
	if (file != NULL)
		(void)fclose(file);
	return line != NULL || err_set(e,
				   "setuid: /etc/passwd has no user %s; a number will "
				   "do, with setgid beside it",
				   name);
}

static bool
find_group(const char *name, struct identity *who, struct err *e)
{
	FILE *file = fopen("/etc/group", "re");
	struct group *line = NULL;

	while (file != NULL && (line = fgetgrent(file)) != NULL)
		if (strcmp(line->gr_name, name) == 0)
			break;
	if (line != NULL)
		who->group = line->gr_gid;
	if (file != NULL)
		(void)fclose(file);
	return line != NULL ||
	       err_set(e, "setgid: /etc/group has no group %s; a number will do", name);
}

static bool
find_identity(const struct settings *settings, struct identity *who, struct err *e)
{
	*who = (struct identity){.user_given = settings->setuid != NULL,
	    .group_given = settings->setgid != NULL || settings->setuid != NULL,
	    .group = getgid()};
	if (settings->setuid != NULL && !read_number(settings->setuid, &who->user) &&
	    !find_user(settings->setuid, who, e))
		return false;
	if (settings->setgid == NULL)
		return true;
	return read_number(settings->setgid, &who->group) ||
	       find_group(settings->setgid, who, e);
}

/* A program without the right to leave its groups may have none to leave. */
static bool
leave_groups(gid_t own, struct err *e)
{
	gid_t group;
	int failure, count;

	if (setgroups(0, NULL) == 0)
		return true;
	failure = errno;
	count = getgroups(0, NULL);
	if (failure == EPERM &&
	    (count == 0 || (count == 1 && getgroups(1, &group) == 1 && group == own)))
		return true;
	return err_errno(e, failure, "setgid: leaving other groups");
}

/* The group first: the user may not be allowed to change it any more. */
static bool
become(const struct identity *who, struct err *e)
{
	if (who->group_given && !leave_groups(who->group, e))
		return false;
	if (who->group_given && setgid(who->group) != 0)
		return err_errno(e, errno, "setgid");
	if (who->user_given && setuid(who->user) != 0)
		return err_errno(e, errno, "setuid");
	return true;
}

static bool
change_root(const char *folder, struct err *e)
{
	if (folder == NULL)
		return true;
	if (chroot(folder) != 0 || chdir("/") != 0)
		return err_errno(e, errno, "chroot %s", folder);
	return true;
}

/* No kernel refuses this, but a filter of system calls may: what is gained is less then.
 */
static void
give_up(int option, unsigned long value, const char *what)
{
	if (prctl(option, value, 0, 0, 0) != 0)
		log_warning("event=sandbox detail=\"prctl is refused to us (%s): %s\"",
		    strerror(errno), what);
}

/* Changing the user resets the last of these. */
static void
forbid_more(void)
{
	give_up(PR_SET_NO_NEW_PRIVS, 1, "new privileges are not given up");
	give_up(PR_SET_DUMPABLE, 0, "debuggers and core files are not forbidden");
}

static void
warn_if_unreadable(const char *path)
{
	if (access(path, R_OK) != 0 && errno == EACCES)
		log_event(LOG_LEVEL_WARNING, "unreadable", LOG_TEXT("file", path),
		    LOG_TEXT("detail", "with the rights given up it cannot be read "
				       "again: its renewal takes a restart"));
}

/* A key is often in its certificate's file. */
static bool
is_among(const char *const *paths, size_t count, const char *path)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(paths[i], path) == 0)
			return true;
	return false;
}

static void
warn_of_unreadable(const struct settings *settings)
{
	for (size_t i = 0; i < settings->service_count; i++) {
		const char *paths[SETTINGS_FILES];
		size_t count = settings_files(&settings->services[i], paths);

		for (size_t j = 0; j < count; j++)
			if (!is_among(paths, j, paths[j]))
				warn_if_unreadable(paths[j]);
	}
}

bool
privileges_owner(const struct settings *settings, uid_t *user, gid_t *group)
{
	struct identity who;
	struct err e;

	if (!find_identity(settings, &who, &e) || !who.user_given)
		return false;
	*user = who.user;
	*group = who.group;
	return true;
}

bool
privileges_drop(const struct settings *settings, struct err *e)
{
	struct identity who;

	return find_identity(settings, &who, e) && change_root(settings->chroot, e) &&
	       become(&who, e);
}

bool
privileges_confine(const struct settings *settings, struct err *e)
{
	if (settings->sandbox) {
		forbid_more();
		if (!sandbox_enter(settings, e))
			return false;
	}
	warn_of_unreadable(settings);
	return true;
}
