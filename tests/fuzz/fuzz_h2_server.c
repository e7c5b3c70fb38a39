/* Any bytes from a client, against the server's carrier. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/h2_script.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	h2_script_play(ROLE_SERVER, data, size);
	return 0;
}
