/*
 * A list of texts that it owns.  All zero is an empty one.
 */
#ifndef COMMON_TEXT_LIST_H
#define COMMON_TEXT_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct text_list {
	char **items;
	size_t count;
};

/** Append a copy of @text.  False: out of memory, and the list is as it was. */
bool text_list_add(struct text_list *list, const char *text);
void text_list_clear(struct text_list *list);

#endif
