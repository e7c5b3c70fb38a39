#include "common/base/file_access.h"

#include "tests/unit/own_folder.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
may_be_written(const char *path)
{
	struct err e = {.text = ""};

	ck_assert_msg(file_access_check(path, &e), "%s", e.text);
}

static void
may_not(const char *path, const char *why)
{
	struct err e = {.text = ""};

	ck_assert(!file_access_check(path, &e));
	ck_assert_str_eq(e.text, why);
}

START_TEST(a_new_file_needs_a_folder)
{
	own_folder_enter();
	may_be_written("new");
	may_not("nowhere/new",
	    "nowhere/new: there is no folder nowhere: make it, or write another one");
	may_not("/proc/version/new", "/proc/version/new: Not a directory");
	own_folder_leave();
}
END_TEST

START_TEST(a_file_that_is_there_needs_none)
{
	const char *folder;
	char why[128];
	int fd;

	folder = own_folder_enter();
	fd = open("old", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	may_be_written("old");
	may_be_written("/dev/null");
	snprintf(
	    why, sizeof(why), "%s is a folder: write the name of a file in it", folder);
	may_not(folder, why);
	ck_assert_int_eq(unlink("old"), 0);
	own_folder_leave();
}
END_TEST

START_TEST(a_path_that_is_too_long_is_none)
{
	static char path[PATH_MAX + 10];
	struct err e = {.text = ""};

	memset(path, 'x', sizeof(path) - 1);
	ck_assert(!file_access_check(path, &e));
	ck_assert_ptr_nonnull(strstr(e.text, ": File name too long"));
}
END_TEST

UNIT_MAIN("writable", a_new_file_needs_a_folder, a_file_that_is_there_needs_none,
    a_path_that_is_too_long_is_none)
