#include "tests/unit/settings_file.h"

#include "common/base/log.h"
#include "tests/unit/memory_file.h"

#include <check.h>
#include <string.h>

static struct memory_file log_file;

static void
catch_log(void)
{
	struct err e = {.text = ""};

	log_file = memory_file("", 0);
	ck_assert_msg(log_open(log_file.path, true, &e), "%s", e.text);
}

struct settings *
settings_from(enum role role, const char *text)
{
	struct memory_file file = memory_file(text, strlen(text));
	struct err e = {.text = ""};
	struct settings *settings;

	catch_log();
	settings = settings_load(file.path, role, &e);
	ck_assert_msg(settings != NULL, "%s", e.text);
	ck_assert_uint_gt(settings->service_count, 0);
	return settings;
}

const char *
settings_warnings(void)
{
	return memory_file_text(&log_file);
}

/* What stands behind the file's name in the error that @text is answered with. */
static const char *
refusal(enum role role, const char *text)
{
	struct memory_file file = memory_file(text, strlen(text));
	static struct err e;

	catch_log();
	e = (struct err){.text = ""};
	ck_assert_ptr_null(settings_load(file.path, role, &e));
	ck_assert_uint_gt(strlen(e.text), strlen(file.path));
	ck_assert_mem_eq(e.text, file.path, strlen(file.path));
	return e.text + strlen(file.path);
}

void
settings_refused(enum role role, const char *text, const char *why)
{
	ck_assert_str_eq(refusal(role, text), why);
}

void
settings_refused_with(enum role role, const char *text, const char *part)
{
	const char *why = refusal(role, text);

	ck_assert_msg(strstr(why, part) != NULL, "%s", why);
}
