#include "common/base/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	HOST_MAX = 255, /* the longest name DNS has, in bytes */
	PATH_MAX_UNIX = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1,
};

/* Read an IPv6 address with an optional %scope: an interface's name or number. */
static bool
parse_in6(const char *host, struct sockaddr_in6 *out, bool *scope_known)
{
	char text[INET6_ADDRSTRLEN];
	const char *percent = strchr(host, '%');
	size_t length = percent == NULL ? strlen(host) : (size_t)(percent - host);
	unsigned long number;
	char *end;

	*scope_known = true;
	if (length >= sizeof(text))
		return false;
	memcpy(text, host, length);
	text[length] = '\0';
	if (inet_pton(AF_INET6, text, &out->sin6_addr) != 1)
		return false;
	if (percent == NULL)
		return true;
	if (percent[1] == '\0')
		return false;
	out->sin6_scope_id = if_nametoindex(percent + 1);
	if (out->sin6_scope_id == 0) {
		number = strtoul(percent + 1, &end, 10);
		*scope_known = isdigit((unsigned char)percent[1]) && *end == '\0' &&
			       number <= UINT32_MAX;
		out->sin6_scope_id = *scope_known ? (uint32_t)number : 0;
	}
	return true;
}

bool
address_is_literal(const char *host)
{
	struct in_addr in;
	struct sockaddr_in6 in6;
	bool scope_known;

	return inet_pton(AF_INET, host, &in) == 1 || parse_in6(host, &in6, &scope_known);
}

static bool
is_localhost(const char *host)
{
	return strcasecmp(host, "localhost") == 0 || strcasecmp(host, "localhost.") == 0;
}

/* @least is 0 where the system may choose. */
static bool
parse_port(const char *text, unsigned least, uint16_t *port, struct err *e)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long number;

	if (*text == '\0')
		return err_set(e, "no port stands behind the last colon");
	if (text[digits] != '\0')
		return err_set(e,
		    "\"%s\" is no port: write its number (names of ports are not looked "
		    "up)",
		    text);
	number = strtoul(text, NULL, 10);
	if (digits > 5 || number < least || number > UINT16_MAX)
		return err_set(e, "a port is a number from 1 to 65535");
	*port = (uint16_t)number;
	return true;
}

static bool
check_host(const char *host, struct err *e)
{
	if (*host == '\0')
		return err_set(e, "no host stands before the colon");
	if (strcmp(host, "*") == 0)
		return err_set(e, "\"*\" is no host: write the port alone to listen at "
				  "every address, and to connect the host itself");
	if (address_is_literal(host))
		return true;
	if (strchr(host, ':') != NULL)
		return err_set(
		    e, "\"%s\" is no IPv6 address: write [ADDRESS]:PORT", host);
	if (strlen(host) > HOST_MAX)
		return err_set(e, "the host name is longer than %d bytes", HOST_MAX);
	for (const char *c = host; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && strchr("-._", *c) == NULL)
			return err_set(e,
			    "\"%s\" is no host name: it has letters, digits, \"-\", "
			    "\"_\" "
			    "and \".\" (write xn--... for others)",
			    host);
	return true;
}

static bool
parse_path(struct address_name *name, const char *text, struct err *e)
{
	char *path;

	if (strlen(text) > PATH_MAX_UNIX)
		return err_set(e, "the path of a Unix socket has at most %d bytes",
		    (int)PATH_MAX_UNIX);
	if ((path = strdup(text)) == NULL)
		return err_errno(e, ENOMEM, "%s", text);
	*name = (struct address_name){.path = path};
	return true;
}

/* A copy of what stands before the colon, without the brackets of an IPv6 address. */
static char *
copy_host(const char *text, size_t length)
{
	if (length > 1 && text[0] == '[' && text[length - 1] == ']')
		return strndup(text + 1, length - 2);
	return strndup(text, length);
}

static bool
parse_name(struct address_name *name, const char *text, const char *default_host,
    unsigned least, struct err *e)
{
	const char *colon;
	uint16_t port = 0;
	char *host;

	if (*text == '\0')
		return err_set(e, "write [HOST:]PORT or /unix/socket");
	if (*text == '/')
		return parse_path(name, text, e);
	if ((colon = strstr(text, "://")) != NULL)
		return err_set(e,
		    "write HOST:PORT, without %.*s://, and no path behind it",
		    (int)(colon - text), text);
	colon = strrchr(text, ':');
	if (colon == NULL && (strchr(text, '.') != NULL || is_localhost(text)))
		return err_set(
		    e, "the port is missing: write %s:PORT, as in %s:443", text, text);
	if (colon == NULL)
		host = strdup(default_host);
	else
		host = copy_host(text, (size_t)(colon - text));
	if (host == NULL)
		return err_errno(e, ENOMEM, "%s", text);
	if (!parse_port(colon == NULL ? text : colon + 1, least, &port, e) ||
	    !check_host(host, e)) {
		free(host);
		return false;
	}
	*name = (struct address_name){
	    .host = host, .port = port, .port_alone = colon == NULL};
	return true;
}

bool
address_name_parse(
    struct address_name *name, const char *text, const char *default_host, struct err *e)
{
	return parse_name(name, text, default_host, 1, e);
}

bool
address_name_parse_listener(
    struct address_name *name, const char *text, const char *default_host, struct err *e)
{
	return parse_name(name, text, default_host, 0, e);
}

void
address_name_clear(struct address_name *name)
{
	free(name->host);
	free(name->path);
	*name = (struct address_name){0};
}

const char *
address_name_format(const struct address_name *name, char *text, size_t size)
{
	if (name->path != NULL)
		snprintf(text, size, "%s", name->path);
	else if (strchr(name->host, ':') != NULL)
		snprintf(text, size, "[%s]:%u", name->host, (unsigned)name->port);
	else
		snprintf(text, size, "%s:%u", name->host, (unsigned)name->port);
	return text;
}

bool
address_is_ephemeral(const struct address *address)
{
	if (address->any.sa_family == AF_INET)
		return address->in.sin_port == 0;
	return address->any.sa_family == AF_INET6 && address->in6.sin6_port == 0;
}

static struct address
address_in(struct in_addr in, uint16_t port)
{
	return (struct address){
	    .length = sizeof(struct sockaddr_in),
	    .in = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = in},
	};
}

static struct address
address_un(const char *path)
{
	struct address address = {.un = {.sun_family = AF_UNIX}};
	size_t length = strlen(path);

	assert(length <= PATH_MAX_UNIX);
	memcpy(address.un.sun_path, path, length + 1);
	address.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
	return address;
}

size_t
address_name_addresses(const struct address_name *name, struct address addresses[2])
{
	struct address in6 = {
	    .length = sizeof(struct sockaddr_in6),
	    .in6 = {.sin6_family = AF_INET6, .sin6_port = htons(name->port)},
	};
	struct in_addr in = {.s_addr = htonl(INADDR_LOOPBACK)};
	bool scope_known;

	if (name->path != NULL) {
		addresses[0] = address_un(name->path);
		return 1;
	}
	if (is_localhost(name->host)) {
		in6.in6.sin6_addr = in6addr_loopback;
		addresses[0] = in6;
		addresses[1] = address_in(in, name->port);
		return 2;
	}
	if (inet_pton(AF_INET, name->host, &in) == 1) {
		addresses[0] = address_in(in, name->port);
		return 1;
	}
	if (!parse_in6(name->host, &in6.in6, &scope_known) || !scope_known)
		return 0;
	addresses[0] = in6;
	return 1;
}

/* Without netlink, which a service manager may forbid.  What cannot be told counts as
 * IPv4.
 */
static bool
has_ipv4(void)
{
	struct ifreq interfaces[64] = {0};
	struct ifconf all = {.ifc_len = sizeof(interfaces), .ifc_req = interfaces};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool found = fd < 0 ? errno != EAFNOSUPPORT : ioctl(fd, SIOCGIFCONF, &all) != 0;

	for (size_t i = 0;
	     fd >= 0 && !found && i < (size_t)all.ifc_len / sizeof(*interfaces); i++) {
		struct sockaddr_in in;

		memcpy(&in, &interfaces[i].ifr_addr, sizeof(in));
		found = ntohl(in.sin_addr.s_addr) >> IN_CLASSA_NSHIFT != IN_LOOPBACKNET;
	}
	if (fd >= 0)
		close(fd);
	return found;
}

size_t
address_any(uint16_t port, struct address addresses[2])
{
	size_t count = 0;

	if (!has_ipv4())
		addresses[count++] = (struct address){
		    .length = sizeof(struct sockaddr_in6),
		    .in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)},
		};
	addresses[count++] = address_in((struct in_addr){.s_addr = INADDR_ANY}, port);
	return count;
}

/* The digits of @n, and returns their end. */
static char *
put_number(char *text, unsigned n)
{
	if (n >= 10)
		text = put_number(text, n / 10);
	*text++ = (char)('0' + n % 10);
	return text;
}

/* Each stream has one, and printf() would be a tenth of what opening it takes here. */
static void
format_in(const struct in_addr *in, uint16_t port, char *text, size_t size)
{
	char whole[sizeof("255.255.255.255:65535")], *end = whole;
	uint32_t host = ntohl(in->s_addr);
	size_t length;

	for (int shift = 24; shift >= 0; shift -= 8) {
		end = put_number(end, host >> shift & 0xff);
		*end++ = shift > 0 ? '.' : ':';
	}
	length = (size_t)(put_number(end, ntohs(port)) - whole);
	if (length >= size)
		length = size - 1;
	memcpy(text, whole, length);
	text[length] = '\0';
}

static void
format_in6(const struct sockaddr_in6 *in6, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN], scope[IF_NAMESIZE + 1] = "";
	struct in_addr mapped;

	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		memcpy(&mapped, in6->sin6_addr.s6_addr + 12, sizeof(mapped));
		format_in(&mapped, in6->sin6_port, text, size);
		return;
	}
	inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
	if (in6->sin6_scope_id != 0) {
		scope[0] = '%';
		if (if_indextoname(in6->sin6_scope_id, scope + 1) == NULL)
			snprintf(scope + 1, sizeof(scope) - 1, "%u", in6->sin6_scope_id);
	}
	snprintf(text, size, "[%s%s]:%u", host, scope, (unsigned)ntohs(in6->sin6_port));
}

/* The path need not end in NUL; a first NUL is Linux' abstract name space. */
static void
format_un(const struct address *address, char *text, size_t size)
{
	size_t head = offsetof(struct sockaddr_un, sun_path);
	const char *path = address->un.sun_path;
	int length = (int)(address->length - head);

	if (address->length <= head)
		snprintf(text, size, "unix");
	else if (path[0] == '\0')
		snprintf(text, size, "@%.*s", length - 1, path + 1);
	else
		snprintf(text, size, "%.*s", length, path);
}

bool
address_is_same_host(const struct address *a, const struct address *b)
{
	if (a->any.sa_family == AF_INET6)
		return IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr);
	return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
}

bool
address_equals(const struct address *a, const struct address *b)
{
	return a->length == b->length && memcmp(&a->any, &b->any, a->length) == 0;
}

bool
address_is_any(const struct address *address)
{
	if (address->any.sa_family == AF_INET)
		return address->in.sin_addr.s_addr == htonl(INADDR_ANY);
	return address->any.sa_family == AF_INET6 &&
	       IN6_IS_ADDR_UNSPECIFIED(&address->in6.sin6_addr) != 0;
}

bool
address_is_loopback(const struct address *address)
{
	if (address->any.sa_family == AF_INET)
		return ntohl(address->in.sin_addr.s_addr) >> IN_CLASSA_NSHIFT ==
		       IN_LOOPBACKNET;
	return address->any.sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&address->in6.sin6_addr) != 0;
}

const char *
address_format(const struct address *address, char *text, size_t size)
{
	switch (address->any.sa_family) {
	case AF_INET:
		format_in(&address->in.sin_addr, address->in.sin_port, text, size);
		break;
	case AF_INET6:
		format_in6(&address->in6, text, size);
		break;
	default:
		format_un(address, text, size);
		break;
	}
	return text;
}
