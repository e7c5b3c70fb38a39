#include "common/daemon/sandbox.h"

#include "common/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/landlock.h>
#include <openssl/x509.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the first version of Landlock knows; later ones add to it, and what a program of
 * ours never does need not be forbidden. */
static const uint64_t handled =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
    LANDLOCK_ACCESS_FS_MAKE_SYM;

static const uint64_t reading =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
static const uint64_t logging =
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG;
static const uint64_t listening =
    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE;

/* What c-ares reads. */
static const char *const lookup_files[] = {
    "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf"};

/* Where distributions keep trusted certificates: folders, since these are links. */
static const char *const trust_folders[] = {"/etc/ssl", "/etc/pki",
    "/etc/ca-certificates", "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates", "/var/lib/ca-certificates"};

/* glibc has no names for these calls yet. */
static int
create_ruleset(const struct landlock_ruleset_attr *attr, size_t size, uint32_t flags)
{
	return (int)syscall(SYS_landlock_create_ruleset, attr, size, flags);
}

/* What is not there cannot be read, so that is no failure. */
static void
allow(int rules, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr beneath = {.allowed_access = access};
	struct stat st;

	if (path == NULL || (beneath.parent_fd = open(path, O_PATH | O_CLOEXEC)) < 0)
		return;
	if (fstat(beneath.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		beneath.allowed_access &=
		    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
	(void)syscall(
	    SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
	close(beneath.parent_fd);
}

/* The folder, for a file in it may be replaced. */
static void
allow_folder_of(int rules, const char *path, uint64_t access)
{
	char copy[PATH_MAX];

	if (path == NULL || strlen(path) >= sizeof(copy))
		return;
	memcpy(copy, path, strlen(path) + 1);
	allow(rules, dirname(copy), access);
}

/* A folder stands for itself. */
static bool
is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Behind its links, too: a file of another folder, which is replaced there. */
static void
allow_real(int rules, const char *path, uint64_t access)
{
	char real[PATH_MAX];

	allow(rules, path, access);
	if (path == NULL || realpath(path, real) == NULL || strcmp(real, path) == 0)
		return;
	allow_folder_of(rules, real, access);
}

/* Sockets are removed at the end. */
static void
allow_sockets(int rules, const struct name_list *names)
{
	for (size_t i = 0; i < names->count; i++)
		allow_folder_of(rules, names->items[i].path, listening);
}

static void
allow_service(int rules, const struct service_settings *s)
{
	const char *paths[SETTINGS_FILES];
	size_t count = settings_files(s, paths);

	for (size_t i = 0; i < count; i++) {
		if (is_folder(paths[i])) {
			allow(rules, paths[i], reading);
			continue;
		}
		allow_folder_of(rules, paths[i], reading);
		allow_real(rules, paths[i], reading);
	}
	allow_sockets(rules, &s->accept);
}

static void
allow_system_trust(int rules)
{
	allow_folder_of(rules, getenv(X509_get_default_cert_file_env()), reading);
	allow(rules, getenv(X509_get_default_cert_dir_env()), reading);
	allow_folder_of(rules, X509_get_default_cert_file(), reading);
	for (size_t i = 0; i < sizeof(trust_folders) / sizeof(trust_folders[0]); i++)
		allow(rules, trust_folders[i], reading);
}

static void
allow_all(int rules, const struct settings *settings)
{
	bool system_ca = false;

	for (size_t i = 0; i < settings->service_count; i++) {
		allow_service(rules, &settings->services[i]);
		system_ca |= settings->services[i].system_ca;
	}
	allow_sockets(rules, &settings->status);
	if (system_ca)
		allow_system_trust(rules);
	allow_folder_of(rules, settings->file, reading);
	allow_real(rules, settings->file, reading);
	for (size_t i = 0; i < settings->folders.count; i++)
		allow_real(rules, settings->folders.items[i], reading);
	allow_folder_of(rules, settings->output, logging);
	allow_folder_of(rules, settings->pid, LANDLOCK_ACCESS_FS_REMOVE_FILE);
	for (size_t i = 0; i < sizeof(lookup_files) / sizeof(lookup_files[0]); i++)
		allow_real(rules, lookup_files[i], LANDLOCK_ACCESS_FS_READ_FILE);
	allow(rules, getenv("CARES_HOSTS"), LANDLOCK_ACCESS_FS_READ_FILE);
}

/* The kernel is asked for what it cannot do: it answers EFAULT, and a filter of system
 * calls what it always does. */
static bool
may_add_rules(int rules)
{
	return syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, NULL,
		   0) == 0 ||
	       errno == EFAULT;
}

/* With no rule for what is to be read, all of it would be out of reach. */
static bool
restrict_self(int rules, const struct settings *settings)
{
	if (!may_add_rules(rules))
		return false;
	allow_all(rules, settings);
	return syscall(SYS_landlock_restrict_self, rules, 0) == 0;
}

/* Filters of systemd and of container engines answer EPERM to calls that they do not
 * know, kernels and newer engines ENOSYS. */
static bool
go_without(int errnum, struct err *e)
{
	if (errnum == EPERM)
		log_warning(
		    "event=sandbox detail=\"Landlock is refused to us (EPERM): files are "
		    "guarded by their permissions alone; let landlock_create_ruleset, "
		    "landlock_add_rule and landlock_restrict_self through, as "
		    "SystemCallFilter does under systemd, or write sandbox = no\"");
	else if (errnum == ENOSYS || errnum == EOPNOTSUPP)
		log_info("event=sandbox detail=\"the kernel has no Landlock: files are "
			 "guarded by their permissions alone\"");
	else
		return err_errno(e, errnum, "entering Landlock's rules");
	return true;
}

bool
sandbox_enter(const struct settings *settings, struct err *e)
{
	struct landlock_ruleset_attr attr = {.handled_access_fs = handled};
	int rules = create_ruleset(&attr, sizeof(attr.handled_access_fs), 0);
	bool entered = rules >= 0 && restrict_self(rules, settings);
	int errnum = errno;

	if (rules >= 0)
		close(rules);
	return entered || go_without(errnum, e);
}

/* ---- what it keeps away ----------------------------------------------------------- */

/* The last absolute path in @text; "": there is none. */
static void
last_path(const char *text, char path[PATH_MAX])
{
	path[0] = '\0';
	for (const char *at = strchr(text, '/'); at != NULL; at = strchr(at, '/')) {
		size_t length = strcspn(at, " \":");

		if (at > text && strchr(" \"=", at[-1]) != NULL && length < PATH_MAX)
			snprintf(path, PATH_MAX, "%.*s", (int)length, at);
		at += length;
	}
}

/* Do the permissions alone allow it?  access(2) asks nobody else. */
static bool
is_permitted(const char *path, const char *folder)
{
	return access(folder, X_OK) == 0 &&
	       (access(path, F_OK) == 0 ? access(path, R_OK) == 0
					: access(folder, W_OK) == 0);
}

void
sandbox_explain(struct err *e)
{
	char path[PATH_MAX], copy[PATH_MAX];
	const char *folder = path;
	size_t length = strlen(e->text);

	last_path(e->text, path);
	if (path[0] == '\0' || strstr(e->text, strerror(EACCES)) == NULL)
		return;
	if (!is_folder(path)) {
		memcpy(copy, path, sizeof(copy));
		folder = dirname(copy);
	}
	if (is_permitted(path, folder))
		snprintf(e->text + length, sizeof(e->text) - length,
		    "; %s is outside of the sandbox, which knows the folders of the "
		    "start "
		    "alone: restart to have it",
		    folder);
}
