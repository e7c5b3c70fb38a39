/* Any bytes from a server, against the client's carrier. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/h2_script.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	h2_script_play(ROLE_CLIENT, data, size);
	return 0;
}
