/* Any bytes as the server_name of a ClientHello, and as a name or pattern of the
 * settings. */
#include "common/base/hostname.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
check_extension(const uint8_t *data, size_t size)
{
	char name[SERVER_NAME_SIZE] = "untouched";

	if (!hostname_read(data, size, name)) {
		MUST(strcmp(name, "untouched") == 0);
		return;
	}
	MUST(name[0] != '\0' && strlen(name) <= size - 5);
	MUST(memcmp(name, data + 5, strlen(name)) == 0);
	MUST(hostname_fits("*", name));
	MUST(name[0] == '*' || hostname_fits(name, name));
}

/* A name that may be sent is a pattern that fits itself, and one with a star for any of
 * its beginnings. */
static void
check_text(const char *text)
{
	struct err e = {.text = ""};
	size_t length = strlen(text);
	char pattern[SERVER_NAME_MOST + 2];

	if (!hostname_check(text, &e)) {
		MUST(e.text[0] != '\0');
		return;
	}
	MUST(length <= SERVER_NAME_MOST);
	MUST(hostname_check_pattern(text, &e) && hostname_fits(text, text));
	for (size_t i = 0; i <= length; i++) {
		snprintf(pattern, sizeof(pattern), "*%s", text + i);
		MUST(hostname_fits(pattern, text));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	MUST(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	check_extension(data, size);
	check_text(text);
	free(text);
	return 0;
}
