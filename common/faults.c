#include "common/faults.h"

bool
faults_note(struct faults *faults, const struct err *e)
{
	if (faults->count++ == 0)
		faults->first = *e;
	if (faults->tell == NULL)
		return false;
	faults->tell(faults->owner, e->text);
	return true;
}
