#include "common/daemon/pid_file.h"

#include "tests/unit/own_folder.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static long
number_in(const char *path)
{
	char text[32] = "";
	FILE *file = fopen(path, "re");

	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(fgets(text, sizeof(text), file));
	fclose(file);
	return strtol(text, NULL, 10);
}

static void
write_it(struct pid_file *p, const char *path)
{
	struct err e = {.text = ""};

	pid_file_init(p);
	ck_assert_msg(pid_file_write(p, path, &e), "%s", e.text);
}

START_TEST(our_number_is_there_until_it_is_removed)
{
	struct pid_file p;

	own_folder_enter();
	write_it(&p, "x.pid");
	ck_assert_int_eq(number_in("x.pid"), getpid());
	pid_file_remove(&p);
	ck_assert_int_ne(access("x.pid", F_OK), 0);
	pid_file_remove(&p);
	own_folder_leave();
}
END_TEST

START_TEST(it_is_removed_from_another_folder_too)
{
	struct pid_file p;

	own_folder_enter();
	write_it(&p, "x.pid");
	ck_assert_int_eq(chdir("/"), 0);
	pid_file_remove(&p);
	own_folder_leave();
}
END_TEST

START_TEST(who_writes_none_removes_none)
{
	struct pid_file p;
	FILE *other;

	own_folder_enter();
	other = fopen("x.pid", "we");
	ck_assert_ptr_nonnull(other);
	fclose(other);
	pid_file_init(&p);
	pid_file_remove(&p);
	ck_assert_int_eq(unlink("x.pid"), 0);
	own_folder_leave();
}
END_TEST

START_TEST(what_cannot_be_written_is_told)
{
	struct err e = {.text = ""};
	struct pid_file p;

	pid_file_init(&p);
	ck_assert(!pid_file_write(&p, "/nowhere/x.pid", &e));
	ck_assert_str_eq(e.text, "pid /nowhere/x.pid: No such file or directory");
	pid_file_remove(&p);
}
END_TEST

START_TEST(what_is_no_file_is_not_removed)
{
	struct pid_file p;
	struct err e = {.text = ""};

	own_folder_enter();
	ck_assert_int_eq(symlink("/dev/null", "null"), 0);
	ck_assert_int_eq(symlink("/dev/full", "full"), 0);
	write_it(&p, "null");
	pid_file_remove(&p);
	ck_assert(!pid_file_write(&p, "full", &e));
	ck_assert_str_eq(e.text, "pid full: No space left on device");
	pid_file_remove(&p);
	ck_assert_int_eq(unlink("null"), 0);
	ck_assert_int_eq(unlink("full"), 0);
	own_folder_leave();
}
END_TEST

UNIT_MAIN("pid_file", our_number_is_there_until_it_is_removed,
    it_is_removed_from_another_folder_too, who_writes_none_removes_none,
    what_cannot_be_written_is_told, what_is_no_file_is_not_removed)
