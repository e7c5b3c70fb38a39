/*
 * The log and the pid file are written where the settings say, and somebody else may have
 * put a link there.  So root opens only what nobody but root can bend (trusted_path.h);
 * any other path is opened once the rights are given up, by the user of setuid and in the
 * folder of chroot, who can reach nothing by it that is not in reach anyway.
 */
#include "common/daemon/internal.h"

#include "common/base/log.h"
#include "common/daemon/privileges.h"
#include "common/base/trusted_path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

/* Has opening @path, in the folder @root, to wait?  If not, and if root opens it, @place
 * is where it is. */
static bool
has_to_wait(const struct settings *settings, const char *root, const char *path,
    struct trusted_path *place)
{
	if (geteuid() == 0)
		return !trusted_path_find(place, root, path);
	*place = (struct trusted_path){.folder = -1};
	return settings->chroot != NULL;
}

static bool
is_quiet(const struct settings *settings)
{
	return settings->foreground == FOREGROUND_QUIET;
}

static void
open_system_log(const struct settings *settings)
{
	log_to_system(
	    settings->syslog ? _PATH_LOG : NULL, settings->service, settings->facility);
}

/* ---- the log --------------------------------------------------------------------- */

/* A new file belongs to whom we shall be, who has to open it again one day. */
static int
open_trusted(const struct settings *settings, const struct trusted_path *place)
{
	int fd = trusted_path_open(place, LOG_FILE_FLAGS | O_EXCL, LOG_FILE_MODE);
	uid_t user;
	gid_t group;

	if (fd < 0 && errno == EEXIST)
		return trusted_path_open(place, LOG_FILE_FLAGS & ~O_CREAT, 0);
	if (fd >= 0 && privileges_owner(settings, &user, &group))
		(void)!fchown(fd, user, group);
	return fd;
}

/* The log's from now on.  A device stays as it is. */
static bool
use_log(const struct settings *settings, int fd, struct err *e)
{
	struct stat st;

	if (fd < 0)
		return err_errno(e, errno, "open the log file %s", settings->output);
	if (settings->log_mode != LOG_APPEND && fstat(fd, &st) == 0 &&
	    S_ISREG(st.st_mode) && ftruncate(fd, 0) != 0) {
		err_errno(e, errno, "log = overwrite: empty %s", settings->output);
		close(fd);
		return false;
	}
	log_use(fd, is_quiet(settings));
	return true;
}

bool
daemon_open_log(struct daemon *d, struct err *e)
{
	const struct settings *settings = d->settings;
	struct trusted_path place;
	int fd;

	open_system_log(settings);
	if (settings->output == NULL) {
		log_use(-1, is_quiet(settings));
		return true;
	}
	d->log_deferred = has_to_wait(settings, NULL, settings->output, &place);
	if (d->log_deferred)
		return true; /* until then stderr has it */
	fd = place.folder >= 0 ? open_trusted(settings, &place)
			       : open(settings->output, LOG_FILE_FLAGS, LOG_FILE_MODE);
	trusted_path_clear(&place);
	return use_log(settings, fd, e);
}

static bool
open_deferred_log(const struct settings *settings, struct err *e)
{
	return use_log(
	    settings, open(settings->output, LOG_FILE_FLAGS, LOG_FILE_MODE), e);
}

/* Where it is out of reach by now the lines go on to where they went, if that is what is
 * wanted: a device or pipe is never moved away. */
bool
daemon_reopen_log(const struct daemon *d, const struct settings *settings, struct err *e)
{
	const char *before = d->settings->output;
	bool stays = before != NULL && settings->output != NULL &&
		     strcmp(before, settings->output) == 0;

	if (!log_open(settings->output, is_quiet(settings), e) &&
	    !(stays && !log_is_regular()))
		return false;
	open_system_log(settings);
	return true;
}

/* ---- the pid file ---------------------------------------------------------------- */

bool
daemon_write_pid(struct daemon *d, struct err *e)
{
	const struct settings *settings = d->settings;
	struct trusted_path place;
	bool ok;

	if (settings->pid == NULL)
		return true;
	d->pid_deferred = has_to_wait(settings, settings->chroot, settings->pid, &place);
	if (d->pid_deferred)
		return true;
	ok = place.folder >= 0 ? pid_file_write_trusted(&d->pid, &place, settings->pid, e)
			       : pid_file_write(&d->pid, settings->pid, e);
	trusted_path_clear(&place);
	return ok;
}

/* ---- what had to wait ------------------------------------------------------------ */

bool
daemon_open_deferred(struct daemon *d, struct err *e)
{
	const struct settings *settings = d->settings;

	if ((!d->log_deferred || open_deferred_log(settings, e)) &&
	    (!d->pid_deferred || pid_file_write(&d->pid, settings->pid, e)))
		return true;
	if (settings->setuid == NULL && settings->chroot == NULL)
		return false;
	return err_prefix(e, "with the rights of setuid, in the folder of chroot, since "
			     "others than root may change a folder or link of the path");
}
