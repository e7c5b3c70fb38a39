/*
 * Texts of a file, and lists of them.  A list owns its own; all zero is an empty one.
 */
#ifndef COMMON_BASE_STRLIST_H
#define COMMON_BASE_STRLIST_H

#include <stdbool.h>
#include <stddef.h>

struct strlist {
	char **items;
	size_t count;
};

/** Free @text and leave nothing of it in memory, for it may be a secret.  NULL is fine.
 */
void text_wipe(char *text);

/** Append a copy of @text.  False: out of memory, and the list is as it was. */
bool strlist_add(struct strlist *list, const char *text);
/** By text_wipe(). */
void strlist_clear(struct strlist *list);

#endif
