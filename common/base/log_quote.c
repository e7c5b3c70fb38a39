#include "common/base/log.h"

#include <stdio.h>
#include <string.h>

/* A word needs no quotes: it can neither end the line nor look like another pair. */
static bool
is_plain_word(const char *text, size_t size)
{
	size_t n = 0;

	for (; text[n] != '\0'; n++)
		if (text[n] <= ' ' || text[n] > '~' || strchr("\"\\=", text[n]) != NULL)
			return false;
	return n > 0 && n < size;
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

static const char *
quote(const char *text, char *out, size_t size)
{
	enum {
		TAIL = sizeof("...\"")
	};
	size_t n = 0;

	if (is_plain_word(text, size))
		return memcpy(out, text, strlen(text) + 1);
	out[n++] = '"';
	for (; *text != '\0' && n + 4 + TAIL <= size; text++)
		n += quote_byte((unsigned char)*text, out + n);
	if (*text == '\0')
		memcpy(out + n, "\"", sizeof("\""));
	else
		memcpy(out + n, "...\"", TAIL);
	return out;
}

const char *
log_quote(const char *text, char out[LOG_QUOTE_SIZE])
{
	return quote(text, out, LOG_QUOTE_SIZE);
}

const char *
log_quote_long(const char *text, char out[LOG_QUOTE_LONG_SIZE])
{
	return quote(text, out, LOG_QUOTE_LONG_SIZE);
}
