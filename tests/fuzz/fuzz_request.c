/* Any bytes as a request at the status port. */
#include "common/status/http_request.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void
check_good(const struct request *r)
{
	size_t length = strnlen(r->path, REQUEST_PATH);

	MUST(length < REQUEST_PATH);
	for (size_t i = 0; i < length; i++)
		MUST((unsigned char)r->path[i] > ' ' && r->path[i] != 127);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	size_t n = size < REQUEST_MOST ? size : REQUEST_MOST;
	enum request_state verdict = REQUEST_MORE, again;
	struct request r, same;

	/* As it comes: once there is a verdict, no byte behind it changes it. */
	for (size_t i = 0; i <= n && verdict == REQUEST_MORE; i++)
		verdict = request_read(bytes, i, &r);
	again = request_read(bytes, n, &same);
	MUST(verdict == REQUEST_GOOD ? again == REQUEST_GOOD : true);
	MUST(verdict == REQUEST_BAD ? again == REQUEST_BAD : true);
	if (verdict == REQUEST_GOOD) {
		check_good(&r);
		MUST(strcmp(r.path, same.path) == 0 && r.head == same.head);
	}
	if (verdict == REQUEST_BAD)
		MUST(r.code >= 400 && r.code <= 505);
	return 0;
}
