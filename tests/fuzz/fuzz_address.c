/* Any text as an address in the settings. */
#include "common/base/address.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

/* What we print of a name reads as the same name. */
static void
check_again(const struct address_name *name)
{
	struct address_name again;
	struct err e = {.text = ""};
	char text[512], same[512];

	address_name_format(name, text, sizeof(text));
	if (strlen(text) == sizeof(text) - 1)
		return; /* cut */
	MUST(address_name_parse(&again, text, NULL, &e));
	address_name_format(&again, same, sizeof(same));
	MUST(strcmp(text, same) == 0);
	MUST(again.port == name->port);
	address_name_clear(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct address addresses[2];
	struct address_name name;
	struct err e = {.text = ""};
	char shown[ADDRESS_TEXT_SIZE];

	MUST(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (address_name_parse(&name, text, "localhost", &e)) {
		MUST((name.path != NULL) == (name.host == NULL));
		check_again(&name);
		for (size_t i = address_name_addresses(&name, addresses); i > 0; i--)
			MUST(strlen(address_format(&addresses[i - 1], shown,
				 sizeof(shown))) < sizeof(shown));
		address_name_clear(&name);
	} else {
		MUST(e.text[0] != '\0');
	}
	free(text);
	return 0;
}
