#include "common/base/hostname.h"

#include "common/base/address.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum {
	LABEL_MAX = 63, /* RFC 1035, 2.3.4 */
	TYPE_HOST_NAME = 0,
};

static bool
judge_letters(const char *name, struct err *e)
{
	size_t label = 0;

	for (const char *c = name; *c != '\0'; c++) {
		if (*c == '.' && label == 0)
			return err_set(e, "a part of the host name is empty");
		if (*c != '.' && !isalnum((unsigned char)*c) && *c != '-' && *c != '_')
			return err_set(e,
			    "a host name has letters, digits, \"-\", \"_\" and "
			    "\".\" alone (write xn--... for others)");
		label = *c == '.' ? 0 : label + 1;
		if (label > LABEL_MAX)
			return err_set(e,
			    "a part of the host name has at most %d letters", LABEL_MAX);
	}
	return label > 0 || err_set(e, "a part of the host name is empty");
}

bool
hostname_check(const char *name, struct err *e)
{
	if (address_is_literal(name))
		return err_set(e, "an address cannot be sent as SNI, only a host name");
	if (strlen(name) > SERVER_NAME_MOST)
		return err_set(e, "a host name has at most %d letters", SERVER_NAME_MOST);
	return judge_letters(name, e);
}

bool
hostname_check_pattern(const char *pattern, struct err *e)
{
	const char *name = pattern;

	if (*name != '*')
		return hostname_check(name, e);
	name++;
	if (*name == '.')
		name++;
	return (*name == '\0' && name == pattern + 1) || hostname_check(name, e);
}

bool
hostname_fits(const char *pattern, const char *name)
{
	size_t length = strlen(name), end = strlen(pattern);

	if (*pattern != '*')
		return strcasecmp(pattern, name) == 0;
	end--;
	return length >= end && strcasecmp(name + length - end, pattern + 1) == 0;
}

bool
hostname_read(const uint8_t *extension, size_t length, char name[SERVER_NAME_SIZE])
{
	size_t list, n;

	/* The length of the list, then of each entry: its type, length and bytes. */
	if (length < 5)
		return false;
	list = (size_t)extension[0] << 8 | extension[1];
	n = (size_t)extension[3] << 8 | extension[4];
	if (list != length - 2 || extension[2] != TYPE_HOST_NAME || n == 0 ||
	    n > list - 3 || n >= SERVER_NAME_SIZE || memchr(extension + 5, '\0', n))
		return false;
	memcpy(name, extension + 5, n);
	name[n] = '\0';
	return true;
}
