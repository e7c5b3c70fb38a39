#include "common/base/file_stamp.h"
#include "tests/unit/certificates.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder and a file in it, of the test's own folder. */
struct scene {
	char *folder, *file, *elsewhere, *link;
	struct file_stamp before;
};

static void
scene_init(struct scene *s)
{
	s->folder = certificates_path("lists");
	ck_assert_int_eq(mkdir(s->folder, 0700), 0);
	s->file = certificates_write_text("lists/a.r0", "one");
	s->elsewhere = certificates_write_text("elsewhere", "one");
	s->link = certificates_path("lists/b.r0");
	ck_assert_int_eq(symlink("../elsewhere", s->link), 0);
	s->before = file_stamp(s->folder);
}

/* Removes what the test's own folder is not emptied of. */
static void
scene_clear(struct scene *s)
{
	(void)unlink(s->file);
	(void)unlink(s->link);
	(void)rmdir(s->folder);
	free(s->folder);
	free(s->file);
	free(s->elsewhere);
	free(s->link);
}

static bool
is_as_before(const struct scene *s)
{
	struct file_stamp now = file_stamp(s->folder);

	return file_stamps_equal(&now, &s->before, 1);
}

static void
overwrite(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
}

START_TEST(a_folder_is_the_same_until_a_file_in_it_changes)
{
	struct scene s;

	scene_init(&s);
	ck_assert(is_as_before(&s));
	overwrite(s.file, "another");
	ck_assert(!is_as_before(&s));
	scene_clear(&s);
}
END_TEST

START_TEST(a_file_behind_a_link_is_looked_at)
{
	struct scene s;

	scene_init(&s);
	overwrite(s.elsewhere, "another");
	ck_assert(!is_as_before(&s));
	scene_clear(&s);
}
END_TEST

START_TEST(what_is_not_there_has_no_stamp)
{
	static const struct file_stamp none;
	struct file_stamp stamp = file_stamp("/nowhere");

	ck_assert(file_stamps_equal(&stamp, &none, 1));
	stamp = file_stamp(NULL);
	ck_assert(file_stamps_equal(&stamp, &none, 1));
}
END_TEST

UNIT_MAIN("file_stamp", a_folder_is_the_same_until_a_file_in_it_changes,
    a_file_behind_a_link_is_looked_at, what_is_not_there_has_no_stamp)
