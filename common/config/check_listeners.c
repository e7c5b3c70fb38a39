#include "common/config/check_listeners.h"

#include <errno.h>
#include <stdlib.h>

/* @later cannot listen beside @first.  Always returns false. */
static bool
add_overlap(const struct listener *later, const struct listener *first, struct err *e)
{
	char a[INI_LINE_MAX + 3], b[INI_LINE_MAX + 3];
	const struct ini_place *at = &first->entry->at;
	const char *one = listener_owner(first, a, sizeof(a));
	const char *two = listener_owner(later, b, sizeof(b));

	if (first->entry == later->entry)
		err_set(e,
		    "it holds for %s and for %s, and one socket cannot serve both: write "
		    "accept in each section",
		    one, two);
	else
		err_set(e,
		    "%s cannot listen here, for %s does by line %d%s%s, \"%.200s\": "
		    "write another port, or remove one of the two",
		    two, one, at->line, at->file == later->entry->at.file ? "" : " of ",
		    at->file == later->entry->at.file ? "" : at->file,
		    first->entry->text);
	return ini_blame(&later->entry->at, later->entry->text, e);
}

/* Is @a told of rather than @b, as the one that comes too late? */
static bool
is_later(const struct listener *a, const struct listener *b)
{
	return a->entry == b->entry || ini_is_behind(&a->entry->at, &b->entry->at);
}

/* Each line is told of once, with the first that is in its way. */
static bool
check_overlaps(const struct listeners *list, struct diagnostics *faults)
{
	for (size_t i = 0; i < list->count; i++)
		for (size_t j = 0; j < i; j++) {
			const struct listener *a = &list->items[i], *b = &list->items[j];
			struct err e;

			if (!listener_overlaps(a, b))
				continue;
			add_overlap(is_later(a, b) ? a : b, is_later(a, b) ? b : a, &e);
			if (!diagnostics_note(faults, &e))
				return false;
			break;
		}
	return true;
}

bool
settings_check_listeners(
    const struct settings *settings, const struct ini *ini, struct diagnostics *faults)
{
	struct listeners list = {0};
	struct err e;
	bool go_on;

	if (!listeners_collect(&list, settings, ini)) {
		err_errno(&e, ENOMEM, "%s", ini->file);
		go_on = diagnostics_note(faults, &e);
	} else {
		go_on = check_overlaps(&list, faults) &&
			settings_check_loops(settings, ini, &list, faults);
	}
	free(list.items);
	return go_on;
}
