#include "common/config/diagnostics.h"

#include <stdlib.h>
#include <string.h>

struct diagnostic {
	struct err e;
	size_t order; /* in which it was found */
};

bool
diagnostics_note(struct diagnostics *faults, const struct err *e)
{
	struct diagnostic *more;

	if (faults->count++ == 0)
		faults->first = *e;
	if (faults->tell == NULL)
		return false;
	more = realloc(faults->noted, (faults->noted_count + 1) * sizeof(*more));
	if (more == NULL) {
		faults->tell(faults->owner, e->text);
		return true;
	}
	faults->noted = more;
	more[faults->noted_count] = (struct diagnostic){*e, faults->noted_count};
	faults->noted_count++;
	return true;
}

static int
compare(const void *one, const void *other)
{
	const struct diagnostic *a = one, *b = other;

	if (a->e.place != b->e.place)
		return a->e.place < b->e.place ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

/* Is there an equal one before it, of the same line? */
static bool
is_repeated(const struct diagnostics *faults, size_t which)
{
	const struct err *e = &faults->noted[which].e;

	for (size_t i = which; i > 0 && faults->noted[i - 1].e.place == e->place; i--)
		if (strcmp(faults->noted[i - 1].e.text, e->text) == 0)
			return true;
	return false;
}

void
diagnostics_print(struct diagnostics *faults)
{
	if (faults->noted_count > 0)
		qsort(
		    faults->noted, faults->noted_count, sizeof(*faults->noted), compare);
	for (size_t i = 0; i < faults->noted_count; i++)
		if (!is_repeated(faults, i))
			faults->tell(faults->owner, faults->noted[i].e.text);
	free(faults->noted);
	faults->noted = NULL;
	faults->noted_count = 0;
}
