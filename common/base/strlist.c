#include "common/base/strlist.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

void
text_wipe(char *text)
{
	if (text != NULL)
		OPENSSL_cleanse(text, strlen(text));
	free(text);
}

bool
strlist_add(struct strlist *list, const char *text)
{
	char **items = realloc(list->items, (list->count + 1) * sizeof(*items));

	if (items == NULL)
		return false;
	list->items = items;
	if ((items[list->count] = strdup(text)) == NULL)
		return false;
	list->count++;
	return true;
}

void
strlist_clear(struct strlist *list)
{
	for (size_t i = 0; i < list->count; i++)
		text_wipe(list->items[i]);
	free(list->items);
	*list = (struct strlist){0};
}
