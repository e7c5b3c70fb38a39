/*
 * Texts of a file, and lists of them.  A list owns its own; all zero is an empty one.
 */
#ifndef COMMON_BASE_STRLIST_H
#define COMMON_BASE_STRLIST_H

#include <stdbool.h>
#include <stddef.h>

struct text_list {
	char **items;
	size_t count;
};

/** Free @text and leave nothing of it in memory, for it may be a secret.  NULL is fine.
 */
void text_wipe(char *text);

/** Append a copy of @text.  False: out of memory, and the list is as it was. */
bool text_list_add(struct text_list *list, const char *text);
/** By text_wipe(). */
void text_list_clear(struct text_list *list);

#endif
