#include "common/h2/headers.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

const char *
h2_headers_status(enum reason reason)
{
	switch (reason) {
	case REASON_ROUTE_UNKNOWN:
	case REASON_NAME_MISMATCH:
		return "421";
	case REASON_FULL:
	case REASON_STOPPED:
	case REASON_NO_MEMORY:
		return "503";
	case REASON_OPEN_TIMEOUT:
		return "504";
	default:
		return "502";
	}
}

/* ---- routeport-error -------------------------------------------------------------- */

static bool
is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

void
h2_headers_write_error(
    char out[HEADERS_H2_ERROR_SIZE], enum reason reason, const char *detail)
{
	size_t end;

	snprintf(out, HEADERS_H2_ERROR_SIZE, "%s%s%s", reason_word(reason),
	    detail != NULL ? ": " : "", detail != NULL ? detail : "");
	for (char *c = out; *c != '\0'; c++)
		if (is_control(*c))
			*c = ' ';
	for (end = strlen(out); end > 0 && out[end - 1] == ' '; end--)
		out[end - 1] = '\0';
}

static bool
word_is(const char *text, size_t length, const char *word)
{
	return strlen(word) == length && memcmp(text, word, length) == 0;
}

/* REASON_NONE: no word of ours. */
static enum reason
find_word(const char *text, size_t length)
{
	static const enum reason known[] = {
#define REASON_VALUE(name, word, text) REASON_##name,
	    REASONS(REASON_VALUE)
#undef REASON_VALUE
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i] > REASON_FINISHED &&
		    word_is(text, length, reason_word(known[i])))
			return known[i];
	return REASON_NONE;
}

static enum reason
reason_of_status(int status)
{
	switch (status) {
	case 503:
		return REASON_FULL;
	case 504:
		return REASON_OPEN_TIMEOUT;
	default:
		return REASON_APP_UNREACHABLE;
	}
}

enum reason
h2_headers_read_error(int status, const char *error, const char **detail)
{
	enum reason reason;
	size_t length;

	*detail = NULL;
	if (error == NULL || *error == '\0')
		return reason_of_status(status);
	length = strcspn(error, ":");
	reason = find_word(error, length);
	if (reason == REASON_PROGRAM_RESET) /* on their side */
		reason = REASON_FAR_RESET;
	if (reason == REASON_NONE) {
		*detail = error; /* in words that we do not know */
		return reason_of_status(status);
	}
	if (error[length] == ':')
		*detail = error + length + 1 + strspn(error + length + 1, " ");
	return reason;
}

/* ---- forwarded -------------------------------------------------------------------- */

void
h2_headers_write_forwarded(char out[HEADERS_H2_FORWARDED_SIZE], const char *address)
{
	static const char key[] = "for=\"";
	size_t n = sizeof(key) - 1;

	memcpy(out, key, n);
	/* Two bytes for a quoted character, two for the end. */
	for (; *address != '\0' && n + 4 < HEADERS_H2_FORWARDED_SIZE; address++) {
		if (is_control(*address) || (unsigned char)*address > 0x7e)
			continue;
		if (*address == '"' || *address == '\\')
			out[n++] = '\\';
		out[n++] = *address;
	}
	out[n++] = '"';
	out[n] = '\0';
}

/* What stands behind `for=` in the first element; NULL: nothing. */
static const char *
find_for(const char *at, const char *end)
{
	bool quoted = false, fresh = true; /* a parameter may begin here */

	for (; at < end; at++) {
		if (quoted && *at == '\\')
			at++;
		else if (*at == '"')
			quoted = !quoted;
		else if (quoted)
			continue;
		else if (*at == ',')
			return NULL;
		else if (fresh && end - at > 4 && strncasecmp(at, "for=", 4) == 0)
			return at + 4;
		else
			fresh = *at == ';' || (fresh && *at == ' ');
	}
	return NULL;
}

void
h2_headers_read_forwarded(
    char out[HEADERS_H2_FORWARDED_SIZE], const char *value, size_t length)
{
	const char *end = value + length, *at = find_for(value, end);
	bool quoted = at != NULL && at < end && *at == '"';
	size_t n = 0;

	out[0] = '\0';
	if (at == NULL)
		return;
	for (at += quoted; at < end && n + 1 < HEADERS_H2_FORWARDED_SIZE; at++) {
		if (*at == (quoted ? '"' : ';') ||
		    (!quoted && (*at == ',' || *at == ' ')))
			break;
		if (quoted && *at == '\\' && at + 1 < end)
			at++;
		if (!is_control(*at))
			out[n++] = *at;
	}
	out[n] = '\0';
}
