/* Any text in a peer's HEADERS; and whatever text of ours goes there is understood. */
#include "common/h2/headers.h"

#include "tests/fuzz/fuzz.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Nothing that nghttp2 would refuse a whole answer for. */
static bool
is_clean(const char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	return n == 0 || (text[0] != ' ' && text[n - 1] != ' ');
}

static void
read_both(int status, const char *text, size_t length)
{
	char address[HEADERS_H2_FORWARDED_SIZE];
	const char *detail;
	enum reason reason;

	h2_headers_read_forwarded(address, text, length);
	MUST(strlen(address) <= length);
	reason = h2_headers_read_error(status, text, &detail);
	MUST(reason > REASON_FINISHED);
	MUST(detail == NULL || (detail >= text && detail <= text + strlen(text)));
	MUST(*h2_headers_status(reason) >= '4');
}

/* What we write we understand. */
static void
write_both(const char *text)
{
	char error[HEADERS_H2_ERROR_SIZE], forwarded[HEADERS_H2_FORWARDED_SIZE];
	char address[HEADERS_H2_FORWARDED_SIZE], again[HEADERS_H2_FORWARDED_SIZE];
	const char *detail;

	h2_headers_write_error(error, REASON_APP_UNREACHABLE, text);
	MUST(is_clean(error));
	MUST(h2_headers_read_error(502, error, &detail) == REASON_APP_UNREACHABLE);
	h2_headers_write_forwarded(forwarded, text);
	MUST(is_clean(forwarded));
	h2_headers_read_forwarded(address, forwarded, strlen(forwarded));
	h2_headers_write_forwarded(forwarded, address);
	h2_headers_read_forwarded(again, forwarded, strlen(forwarded));
	MUST(strcmp(address, again) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int status = size > 0 ? 300 + data[0] * 2 : 502;
	char *text = malloc(size + 1);

	MUST(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	read_both(status, text, size);
	write_both(text);
	free(text);
	return 0;
}
