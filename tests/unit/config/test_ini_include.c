/*
 * A file with parts in a folder.
 */
#include "common/config/ini.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder of its own, which is the working directory of the case. */
static void
enter_folder(void)
{
	char folder[] = "/tmp/routeport-test-XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
}

static void
leave_folder(void)
{
	char folder[256], command[300];

	ck_assert_ptr_nonnull(getcwd(folder, sizeof(folder)));
	ck_assert_mem_eq(folder, "/tmp/routeport-test-", 20);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	ck_assert_int_eq(system(command), 0);
}

static void
put(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static struct ini *
read_main(void)
{
	struct diagnostics faults = {0};
	struct ini *ini = ini_read("main.ini", &faults);

	ck_assert_msg(ini != NULL, "%s", faults.first.text);
	return ini;
}

static void
refuses_main(const char *why)
{
	struct diagnostics faults = {0};

	ck_assert_ptr_null(ini_read("main.ini", &faults));
	ck_assert_str_eq(faults.first.text, why);
}

static void
has_entry(const struct ini *ini, size_t section, size_t entry, const char *file, int line,
    const char *value)
{
	const struct ini_entry *there;

	ck_assert_uint_lt(section, ini->count);
	ck_assert_uint_lt(entry, ini->sections[section].count);
	there = &ini->sections[section].entries[entry];
	ck_assert_str_eq(there->at.file, file);
	ck_assert_int_eq(there->at.line, line);
	ck_assert_str_eq(there->value, value);
}

START_TEST(parts_stand_in_place_of_the_line_in_the_order_of_their_names)
{
	struct ini *ini;

	enter_folder();
	mkdir("conf.d", 0700);
	put("main.ini", "a = 1\n  INCLUDE=conf.d \na = 9\n");
	put("conf.d/10-b", "a = 3\n[x]\na = 4");
	put("conf.d/02-a", "\na = 2\n");
	ini = read_main();
	ck_assert_uint_eq(ini->count, 2);
	ck_assert_uint_eq(ini->sections[0].count, 3);
	has_entry(ini, 0, 0, "main.ini", 1, "1");
	has_entry(ini, 0, 1, "conf.d/02-a", 2, "2");
	has_entry(ini, 0, 2, "conf.d/10-b", 1, "3");
	ck_assert_str_eq(ini->sections[1].at.file, "conf.d/10-b");
	ck_assert_int_eq(ini->sections[1].at.line, 2);
	has_entry(ini, 1, 0, "conf.d/10-b", 3, "4");
	has_entry(ini, 1, 1, "main.ini", 3, "9");
	ck_assert_uint_eq(ini->folders.count, 1);
	ck_assert_str_eq(ini->folders.items[0], "conf.d");
	ini_free(ini);
	leave_folder();
}
END_TEST

START_TEST(what_is_read_later_is_behind_wherever_it_stands)
{
	struct ini *ini;

	enter_folder();
	mkdir("conf.d", 0700);
	put("main.ini", "\n\n\na = 1\n[x]\ninclude = conf.d\n");
	put("conf.d/a", "a = 2\n");
	ini = read_main();
	ck_assert(ini_is_behind(
	    &ini->sections[1].entries[0].at, &ini->sections[0].entries[0].at));
	ck_assert(ini_is_behind(&ini->sections[1].entries[0].at, &ini->sections[1].at));
	ck_assert(!ini_is_behind(&ini->sections[1].at, &ini->sections[1].at));
	ini_free(ini);
	leave_folder();
}
END_TEST

START_TEST(only_files_are_parts_and_none_that_hides)
{
	struct ini *ini;

	enter_folder();
	mkdir("conf.d", 0700);
	mkdir("conf.d/folder", 0700);
	ck_assert_int_eq(mkfifo("conf.d/pipe", 0600), 0);
	put("main.ini", "include = conf.d\n");
	put("conf.d/.hidden", "not even a line\n");
	/* As Kubernetes mounts a ConfigMap. */
	mkdir("conf.d/..1", 0700);
	put("conf.d/..1/part", "a = 1\n");
	ck_assert_int_eq(symlink("..1", "conf.d/..data"), 0);
	ck_assert_int_eq(symlink("..data/part", "conf.d/part"), 0);
	ini = read_main();
	ck_assert_uint_eq(ini->sections[0].count, 1);
	has_entry(ini, 0, 0, "conf.d/part", 1, "1");
	ini_free(ini);
	leave_folder();
}
END_TEST

START_TEST(parts_may_include_others)
{
	struct ini *ini;

	enter_folder();
	mkdir("one", 0700);
	mkdir("two", 0700);
	mkdir("empty", 0700);
	put("main.ini", "include = one\ninclude = empty\n");
	put("one/part", "include = two\n");
	put("two/part", "a = 1\n");
	ini = read_main();
	has_entry(ini, 0, 0, "two/part", 1, "1");
	ini_free(ini);
	leave_folder();
}
END_TEST

START_TEST(a_part_that_is_wrong_is_named_with_its_line)
{
	enter_folder();
	mkdir("conf.d", 0700);
	put("main.ini", "include = conf.d\n");
	put("conf.d/a", "a = 1\n\nwrong\n");
	refuses_main(
	    "conf.d/a:3: \"wrong\": there is no \"=\" in it: write NAME = VALUE");
	ck_assert_int_eq(unlink("conf.d/a"), 0);
	ck_assert_int_eq(symlink("nowhere", "conf.d/a"), 0);
	refuses_main("read conf.d/a: No such file or directory");
	leave_folder();
}
END_TEST

START_TEST(a_folder_that_cannot_be_included_is_told)
{
	enter_folder();
	mkdir("round", 0700);
	put("main.ini", "include = nowhere\n");
	refuses_main(
	    "main.ini:1: \"include = nowhere\": the folder cannot be read: No such "
	    "file or directory");
	put("main.ini", "\ninclude =\n");
	refuses_main("main.ini:2: \"include =\": include needs a folder");
	put("main.ini", "include = main.ini\n");
	refuses_main(
	    "main.ini:1: \"include = main.ini\": the folder cannot be read: Not a "
	    "directory");
	put("main.ini", "include = round\n");
	put("round/part", "include = round\n");
	refuses_main("round/part:1: \"include = round\": folders include each other "
		     "without end");
	leave_folder();
}
END_TEST

START_TEST(an_option_that_begins_alike_includes_nothing)
{
	struct ini *ini;

	enter_folder();
	put("main.ini", "includes = nowhere\n");
	ini = read_main();
	ck_assert_uint_eq(ini->sections[0].count, 1);
	ini_free(ini);
	leave_folder();
}
END_TEST

UNIT_MAIN("ini_include", parts_stand_in_place_of_the_line_in_the_order_of_their_names,
    what_is_read_later_is_behind_wherever_it_stands,
    only_files_are_parts_and_none_that_hides, parts_may_include_others,
    a_part_that_is_wrong_is_named_with_its_line, a_folder_that_cannot_be_included_is_told,
    an_option_that_begins_alike_includes_nothing)
