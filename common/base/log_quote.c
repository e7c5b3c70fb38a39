#include "common/base/log_internal.h"

#include <stdio.h>
#include <string.h>

/* A word needs no quotes: it can neither end the line nor look like another pair.
 * Returns its length; 0: it is none. */
static size_t
plain_word_length(const char *text, size_t size)
{
	size_t n = 0;

	for (char c; (c = text[n]) != '\0'; n++)
		if (c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '=')
			return 0;
	return n < size ? n : 0;
}

/* One byte as it is shown.  Returns how many that are, at most 4. */
static size_t
quote_byte(unsigned char c, char *out)
{
	bool escaped = c == '"' || c == '\\';

	if (c < ' ' || c > '~')
		return (size_t)snprintf(out, 5, "\\x%02x", c);
	if (escaped)
		*out++ = '\\';
	*out = (char)c;
	return escaped ? 2 : 1;
}

size_t
log_quote(const char *text, char *out, size_t size)
{
	enum {
		TAIL = sizeof("...\"")
	};
	size_t n = plain_word_length(text, size);
	const char *end;

	if (n > 0) {
		memcpy(out, text, n + 1);
		return n;
	}
	out[n++] = '"';
	for (; *text != '\0' && n + 4 + TAIL <= size; text++)
		n += quote_byte((unsigned char)*text, out + n);
	end = *text != '\0' ? "...\"" : "\"";
	memcpy(out + n, end, strlen(end) + 1);
	return n + strlen(end);
}
