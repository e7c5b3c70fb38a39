#include "common/config/ini_form.h"

#include "common/config/ini.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
	FORM_BYTES = 4096, /* at the start of a file tell what it is */
	SHOWN_MAX = 200,   /* bytes of a line in an error */
	/* Of control characters in a text, by mistake; more of them, and more than one
	 * byte in so many, are no text. */
	STRAY_MAX = 3,
	STRAY_SHARE = 32,
};

/* ---- a whole file ---------------------------------------------------------------- */

static const char utf16[] = "the file is in UTF-16, as Notepad's \"Unicode\" and "
			    "PowerShell's > write it: save it as UTF-8, or use iconv -f "
			    "UTF-16 -t UTF-8";

static bool
has_mark(const unsigned char *bytes, size_t length)
{
	return length >= 2 && ((bytes[0] == 0xff && bytes[1] == 0xfe) ||
				  (bytes[0] == 0xfe && bytes[1] == 0xff));
}

/* Without a byte order mark: what is ASCII has a NUL in each pair, always on the same
 * side.  Four pairs are the least that tells, and some may be other letters. */
static bool
is_in_pairs(const unsigned char *bytes, size_t length)
{
	size_t nul[2] = {0, 0}, pairs = length / 2;

	for (size_t i = 0; i < pairs * 2; i++)
		nul[i % 2] += bytes[i] == 0;
	return pairs >= 4 && (nul[0] == 0 || nul[1] == 0) &&
	       (nul[0] + nul[1]) * 4 > pairs * 3;
}

static bool
is_stray(unsigned char byte)
{
	return (byte < ' ' && !(byte >= '\t' && byte <= '\r')) || byte == 127;
}

static bool
is_binary(const unsigned char *bytes, size_t length)
{
	size_t stray = 0;

	for (size_t i = 0; i < length; i++)
		stray += is_stray(bytes[i]);
	return stray > STRAY_MAX && stray > length / STRAY_SHARE;
}

static const char *
form_of(const unsigned char *bytes, size_t length)
{
	static const char pem[] = "-----BEGIN ";

	if (has_mark(bytes, length) || is_in_pairs(bytes, length))
		return utf16;
	if (is_binary(bytes, length))
		return "the file is binary, not a text of settings: give the .ini file";
	if (length >= sizeof(pem) - 1 && memcmp(bytes, pem, sizeof(pem) - 1) == 0)
		return "the file is a certificate or a key in PEM, not a text of "
		       "settings: give the .ini file that names it";
	return NULL;
}

const char *
ini_form_of_file(FILE *stream)
{
	unsigned char bytes[FORM_BYTES];
	ssize_t length = pread(fileno(stream), bytes, sizeof(bytes), 0);
	const char *why = length > 0 ? form_of(bytes, (size_t)length) : NULL;

	OPENSSL_cleanse(bytes, sizeof(bytes));
	return why;
}

/* ---- a line ---------------------------------------------------------------------- */

/* The name of the option whose value nobody is to read, though the line be misspelt; or
 * NULL. */
static const char *
secret_option(const char *text)
{
	static const struct {
		const char *begin, *option;
	} secrets[] = {
	    {"protocolPass", "protocolPassword"},
	    {"ticketKey", "ticketKeySecret"},
	    {"ticketMac", "ticketMacSecret"},
	};

	text += strspn(text, " \t");
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		if (strncasecmp(text, secrets[i].begin, strlen(secrets[i].begin)) == 0)
			return secrets[i].option;
	return NULL;
}

static bool
has_control_characters(const char *text)
{
	for (; *text != '\0'; text++)
		if (((unsigned char)*text < ' ' && *text != '\t') || *text == 127)
			return true;
	return false;
}

/* Characters that look like a blank, or like nothing at all, in UTF-8. */
static const struct unseen {
	const char *bytes;
	bool blank; /* it may stand between the words of a value */
	const char *name;
} unseen[] = {
    {"\xc2\xa0", true, "U+00A0, a no-break space"},
    {"\xe2\x80\x87", true, "U+2007, a figure space"},
    {"\xe2\x80\xaf", true, "U+202F, a narrow no-break space"},
    {"\xe3\x80\x80", true, "U+3000, an ideographic space"},
    {"\xc2\xad", false, "U+00AD, a soft hyphen"},
    {"\xe2\x80\x8b", false, "U+200B, a space of no width"},
    {"\xe2\x80\x8e", false, "U+200E, a left-to-right mark"},
    {"\xe2\x80\x8f", false, "U+200F, a right-to-left mark"},
    {"\xe2\x81\xa0", false, "U+2060, a word joiner"},
    {"\xef\xbb\xbf", false, "U+FEFF, a byte order mark"},
};

/* Is what stands at @at, within @value or, if that is NULL, in a name, out of place? */
static bool
is_out_of_place(const struct unseen *u, const char *at, const char *value)
{
	if (!u->blank || value == NULL || at < value)
		return true;
	value += strspn(value, " \t");
	return at == value || at[strlen(u->bytes)] == '\0';
}

static const struct unseen *
find_unseen(const char *text, const char *equals)
{
	const char *value = equals != NULL ? equals + 1 : NULL;

	for (size_t i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++)
		for (const char *at = strstr(text, unseen[i].bytes); at != NULL;
		     at = strstr(at + 1, unseen[i].bytes))
			if (is_out_of_place(&unseen[i], at, value))
				return &unseen[i];
	return NULL;
}

/* ${NAME}, {{ anything }} or, as the whole value, <ANYTHING>: its length, or 0. */
static size_t
placeholder_at(const char *at, bool whole)
{
	const char *end;

	if (strncmp(at, "${", 2) == 0) {
		for (end = at + 2; isalnum((unsigned char)*end) || *end == '_'; end++)
			;
		return end > at + 2 && strchr("}:-", *end) != NULL && *end != '\0' &&
			       (end = strchr(end, '}')) != NULL
			   ? (size_t)(end + 1 - at)
			   : 0;
	}
	if (strncmp(at, "{{", 2) == 0 && (end = strstr(at, "}}")) != NULL)
		return (size_t)(end + 2 - at);
	if (whole && *at == '<' && (end = strchr(at, '>')) != NULL && end > at + 1 &&
	    end[1] == '\0')
		return (size_t)(end + 1 - at);
	return 0;
}

/* A password may look like one. */
static bool
judge_placeholders(const char *text, const char *equals, struct err *e)
{
	const char *begin = equals + 1 + strspn(equals + 1, " \t");
	size_t length;

	if (secret_option(text) != NULL)
		return true;
	for (const char *at = begin; *at != '\0'; at++)
		if ((length = placeholder_at(at, at == begin)) > 0)
			return err_set(e,
			    "%.*s is a placeholder that nothing has filled in, and "
			    "routeport fills in none: write the value itself, or have "
			    "envsubst or your template tool write the file",
			    length < SHOWN_MAX ? (int)length : SHOWN_MAX, at);
	return true;
}

bool
ini_form_of_line(const char *text, const char *equals, struct err *e)
{
	const struct unseen *u;

	if (has_control_characters(text))
		return err_set(e, "there are control characters in it");
	if ((u = find_unseen(text, equals)) != NULL)
		return err_set(e,
		    "there is an invisible character in it (%s), as copied from a web "
		    "page or a document: delete it, or type the line anew",
		    u->name);
	return *text == '[' || equals == NULL || judge_placeholders(text, equals, e);
}

/* ---- a line in an error ---------------------------------------------------------- */

/* The line as an error shows it: no control characters, and not too much of it. */
static void
show_line(const char *text, char out[SHOWN_MAX + sizeof("...")])
{
	size_t length = strlen(text), n = length < SHOWN_MAX ? length : SHOWN_MAX;

	for (size_t i = 0; i < n; i++) {
		out[i] = text[i];
		if ((unsigned char)text[i] < ' ' || text[i] == 127)
			out[i] = text[i] == '\t' ? ' ' : '?';
	}
	snprintf(out + n, sizeof("..."), "%s", n < length ? "..." : "");
}

bool
ini_blame(const struct ini_place *at, const char *text, struct err *e)
{
	const char *secret = secret_option(text);
	char shown[SHOWN_MAX + sizeof("...")];

	show_line(secret != NULL ? "" : text, shown);
	e->place = at->count + 1;
	return err_prefix(e, "%s:%d: \"%s%s\"", at->file, at->line,
	    secret != NULL ? secret : shown, secret != NULL ? " = (not shown)" : "");
}
