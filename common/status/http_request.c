#include "common/status/http_request.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* A piece of the head. */
struct span {
	const char *at;
	size_t length;
};

static enum request_state
refuse(struct request *r, int code)
{
	r->code = code;
	return REQUEST_BAD;
}

/* RFC 9110, 5.6.2. */
static size_t
token_length(struct span s)
{
	size_t n = 0;

	while (n < s.length &&
	       (isalnum((unsigned char)s.at[n]) ||
		   (s.at[n] != '\0' && strchr("!#$%&'*+-.^_`|~", s.at[n]) != NULL)))
		n++;
	return n;
}

static bool
is_text(struct span s, const char *text)
{
	return s.length == strlen(text) && memcmp(s.at, text, s.length) == 0;
}

/* Take one line off the front, without its end.  False: there is no whole line. */
static bool
take_line(struct span *rest, struct span *line)
{
	const char *end = memchr(rest->at, '\n', rest->length);

	if (end == NULL)
		return false;
	*line = (struct span){rest->at, (size_t)(end - rest->at)};
	rest->length -= line->length + 1;
	rest->at = end + 1;
	if (line->length > 0 && line->at[line->length - 1] == '\r')
		line->length--;
	return true;
}

/* Up to the next blank, which goes too. */
static struct span
take_word(struct span *rest)
{
	const char *end = memchr(rest->at, ' ', rest->length);
	struct span word = {
	    rest->at, end != NULL ? (size_t)(end - rest->at) : rest->length};
	size_t used = word.length + (end != NULL);

	rest->at += used;
	rest->length -= used;
	return word;
}

/* No head has any of these; TLS, for one, is found out by them at once. */
static bool
has_control_characters(const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] == '\r' && i + 1 < n && bytes[i + 1] != '\n')
			return true;
		if (iscntrl((unsigned char)bytes[i]) &&
		    strchr("\t\r\n", bytes[i]) == NULL)
			return true;
		if (bytes[i] == '\0')
			return true;
	}
	return false;
}

/* "host:port" or "[address]:port".  False: longer than any host's name. */
static bool
read_host(struct span authority, struct request *r)
{
	const char *end = authority.at + authority.length;
	const char *colon = memrchr(authority.at, ':', authority.length);
	const char *bracket = memrchr(authority.at, ']', authority.length);

	if (bracket != NULL && authority.at[0] == '[') {
		authority.at++;
		end = bracket;
	} else if (colon != NULL) {
		end = colon;
	}
	if (end > authority.at && end[-1] == '.')
		end--;
	authority.length = (size_t)(end - authority.at);
	if (authority.length >= sizeof(r->host))
		return false;
	for (size_t i = 0; i < authority.length; i++)
		r->host[i] = (char)tolower((unsigned char)authority.at[i]);
	r->host[authority.length] = '\0';
	return true;
}

/* "/path?query", or the same behind "http://host". */
static bool
read_target(struct span target, struct request *r)
{
	static const char scheme[] = "http://";
	const char *query;

	if (target.length >= strlen(scheme) &&
	    strncasecmp(target.at, scheme, strlen(scheme)) == 0) {
		const char *host = target.at + strlen(scheme);
		size_t left = target.length - strlen(scheme);
		const char *slash = memchr(host, '/', left);

		if (slash == NULL || slash == host ||
		    !read_host((struct span){host, (size_t)(slash - host)}, r))
			return false;
		target = (struct span){slash, left - (size_t)(slash - host)};
	}
	if (target.length == 0 || target.at[0] != '/')
		return false;
	if ((query = memchr(target.at, '?', target.length)) != NULL)
		target.length = (size_t)(query - target.at);
	if (target.length < sizeof(r->path)) {
		memcpy(r->path, target.at, target.length);
		r->path[target.length] = '\0';
	}
	return true;
}

/* Returns the code to refuse it with, or 0; @minor: of HTTP/1. */
static int
read_version(struct span version, char *minor)
{
	if (version.length != strlen("HTTP/1.1") || memcmp(version.at, "HTTP/", 5) != 0 ||
	    !isdigit((unsigned char)version.at[5]) || version.at[6] != '.' ||
	    !isdigit((unsigned char)version.at[7]))
		return 400;
	*minor = version.at[7];
	return version.at[5] == '1' ? 0 : 505;
}

/* Returns the code to refuse it with, or 0.  A method that is not for us may have any
 * target. */
static int
read_request_line(struct span line, struct request *r, bool *known, char *minor)
{
	struct span method = take_word(&line), target = take_word(&line);

	if (method.length == 0 || token_length(method) != method.length ||
	    target.length == 0 || memchr(target.at, '\t', target.length) != NULL)
		return 400;
	r->head = is_text(method, "HEAD");
	*known = r->head || is_text(method, "GET");
	if (*known && !read_target(target, r))
		return 400;
	return read_version(line, minor);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* What stands behind the name of a field, without blanks around it. */
static struct span
value_of(struct span line, size_t name)
{
	struct span value = {line.at + name + 1, line.length - name - 1};

	while (value.length > 0 && is_blank(value.at[0])) {
		value.at++;
		value.length--;
	}
	while (value.length > 0 && is_blank(value.at[value.length - 1]))
		value.length--;
	return value;
}

/* False: it is none.  A line that goes on with the one before (RFC 9112, 5.2) is none.  A
 * host in the request line counts before that of the field (RFC 9112, 3.2.2). */
static bool
read_field(struct span line, struct request *r, size_t *hosts)
{
	size_t name = token_length(line);

	if (name == 0 || name == line.length || line.at[name] != ':')
		return false;
	if (name != strlen("Host") || strncasecmp(line.at, "Host", name) != 0)
		return true;
	(*hosts)++;
	return r->host[0] != '\0' || read_host(value_of(line, name), r);
}

static enum request_state
judge(struct span request_line, struct span fields, struct request *r)
{
	struct span line;
	size_t hosts = 0;
	bool known = false;
	char minor = '0';
	int code = read_request_line(request_line, r, &known, &minor);

	if (code != 0)
		return refuse(r, code);
	while (take_line(&fields, &line) && line.length > 0)
		if (!read_field(line, r, &hosts))
			return refuse(r, 400);
	if (hosts > 1 || (minor != '0' && hosts == 0)) /* RFC 9112, 3.2 */
		return refuse(r, 400);
	return known ? REQUEST_GOOD : refuse(r, 405);
}

/* How long the head is, with the empty line at its end; 0: that has not come. */
static size_t
head_length(struct span rest)
{
	const char *start = rest.at;
	struct span line;

	while (take_line(&rest, &line))
		if (line.length == 0)
			return (size_t)(rest.at - start);
	return 0;
}

enum request_state
request_read(const char *bytes, size_t n, struct request *r)
{
	struct span all = {bytes, n}, first;
	size_t length;

	*r = (struct request){0};
	while (all.length > 0 && (*all.at == '\r' || *all.at == '\n')) {
		all.at++; /* left over from before (RFC 9112, 2.2) */
		all.length--;
	}
	length = head_length(all);
	if (has_control_characters(all.at, length > 0 ? length : all.length))
		return refuse(r, 400);
	if (length == 0)
		return n < REQUEST_MOST ? REQUEST_MORE : refuse(r, 431);
	all.length = length;
	return take_line(&all, &first) ? judge(first, all, r) : refuse(r, 400);
}
