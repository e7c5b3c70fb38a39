#include "common/base/err.h"

#include <stdio.h>
#include <string.h>

bool
err_set(struct err *e, const char *format, ...)
{
	va_list args;

	e->place = 0;
	va_start(args, format);
	vsnprintf(e->text, sizeof(e->text), format, args);
	va_end(args);
	return false;
}

bool
err_prefix(struct err *e, const char *format, ...)
{
	struct err old = *e;
	va_list args;
	size_t length;

	va_start(args, format);
	vsnprintf(e->text, sizeof(e->text), format, args);
	va_end(args);
	length = strlen(e->text);
	snprintf(e->text + length, sizeof(e->text) - length, ": %s", old.text);
	return false;
}

bool
err_errno(struct err *e, int errnum, const char *format, ...)
{
	va_list args;
	size_t length;

	e->place = 0;
	va_start(args, format);
	vsnprintf(e->text, sizeof(e->text), format, args);
	va_end(args);
	length = strlen(e->text);
	snprintf(e->text + length, sizeof(e->text) - length, ": %s", strerror(errnum));
	return false;
}
