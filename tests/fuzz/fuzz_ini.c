/* Any file as settings: read line by line, and with all that its options mean. */
#include "common/config/ini.h"
#include "common/config/settings.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void
check_lines(const char *file)
{
	struct diagnostics faults = {0};
	struct ini *ini = ini_read(file, &faults);

	MUST((ini == NULL) == (faults.count == 1));
	if (ini == NULL)
		return;
	MUST(ini->count >= 1);
	for (size_t i = 0; i < ini->count; i++)
		for (size_t k = 0; k < ini->sections[i].count; k++) {
			const struct ini_entry *entry = &ini->sections[i].entries[k];

			MUST(entry->at.line > 0 && entry->name[0] != '\0');
			MUST(strlen(entry->text) <= INI_LINE_MAX);
			MUST(strlen(entry->name) + strlen(entry->value) <
			     strlen(entry->text) + 1);
		}
	ini_free(ini);
}

static void
tell(void *owner, const char *text)
{
	(void)owner;
	MUST(text[0] != '\0');
}

/* Who looks for all faults finds some exactly where there is a first one. */
static void
check_settings(const char *file, enum role role)
{
	struct err e = {.text = ""};
	struct settings *settings = settings_load(file, role, &e);
	struct diagnostics faults = {.tell = tell};

	MUST((settings == NULL) == (e.text[0] != '\0'));
	MUST(settings == NULL || settings->service_count >= 1);
	settings_release(settings);
	settings_release(settings_load_all(file, role, &faults));
	diagnostics_print(&faults);
	MUST((faults.count > 0) == (e.text[0] != '\0'));
	MUST(strcmp(faults.first.text, e.text) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char file[64];
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct err e = {.text = ""};

	MUST(log_open(NULL, true, &e));
	MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	check_lines(file);
	check_settings(file, ROLE_CLIENT);
	check_settings(file, ROLE_SERVER);
	close(fd);
	return 0;
}
