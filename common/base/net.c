#include "common/base/net.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
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
net_is_literal(const char *host)
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
	if (net_is_literal(host))
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
parse_path(struct net_name *name, const char *text, struct err *e)
{
	char *path;

	if (strlen(text) > PATH_MAX_UNIX)
		return err_set(e, "the path of a Unix socket has at most %d bytes",
		    (int)PATH_MAX_UNIX);
	if ((path = strdup(text)) == NULL)
		return err_errno(e, ENOMEM, "%s", text);
	*name = (struct net_name){.path = path};
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
parse_name(struct net_name *name, const char *text, const char *default_host,
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
	*name =
	    (struct net_name){.host = host, .port = port, .port_alone = colon == NULL};
	return true;
}

bool
net_name_parse(
    struct net_name *name, const char *text, const char *default_host, struct err *e)
{
	return parse_name(name, text, default_host, 1, e);
}

bool
net_name_parse_listener(
    struct net_name *name, const char *text, const char *default_host, struct err *e)
{
	return parse_name(name, text, default_host, 0, e);
}

void
net_name_clear(struct net_name *name)
{
	free(name->host);
	free(name->path);
	*name = (struct net_name){0};
}

const char *
net_name_format(const struct net_name *name, char *text, size_t size)
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
net_address_is_open(const struct net_address *address)
{
	if (address->any.sa_family == AF_INET)
		return address->in.sin_port == 0;
	return address->any.sa_family == AF_INET6 && address->in6.sin6_port == 0;
}

static struct net_address
address_in(struct in_addr in, uint16_t port)
{
	return (struct net_address){
	    .length = sizeof(struct sockaddr_in),
	    .in = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = in},
	};
}

static struct net_address
address_un(const char *path)
{
	struct net_address address = {.un = {.sun_family = AF_UNIX}};
	size_t length = strlen(path);

	assert(length <= PATH_MAX_UNIX);
	memcpy(address.un.sun_path, path, length + 1);
	address.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
	return address;
}

size_t
net_name_addresses(const struct net_name *name, struct net_address addresses[2])
{
	struct net_address in6 = {
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
net_any_addresses(uint16_t port, struct net_address addresses[2])
{
	size_t count = 0;

	if (!has_ipv4())
		addresses[count++] = (struct net_address){
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
format_un(const struct net_address *address, char *text, size_t size)
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
net_is_same_host(const struct net_address *a, const struct net_address *b)
{
	if (a->any.sa_family == AF_INET6)
		return IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr);
	return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
}

const char *
net_address_format(const struct net_address *address, char *text, size_t size)
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

int
net_socket(const struct net_address *address)
{
	return socket(
	    address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

bool
net_is_unix(int fd)
{
	int domain = 0;
	socklen_t length = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 &&
	       domain == AF_UNIX;
}

void
net_ends(int fd, struct net_address *ours, struct net_address *peers)
{
	ours->length = peers->length = sizeof(ours->un);
	if (getsockname(fd, &ours->any, &ours->length) != 0)
		*ours = (struct net_address){0};
	if (getpeername(fd, &peers->any, &peers->length) != 0)
		*peers = (struct net_address){0};
}

static void
set_option(int fd, int level, int option, int value)
{
	setsockopt(fd, level, option, &value, sizeof(value));
}

/* What does close() do, by us or by the kernel when the process dies? */
static void
set_abortive(int fd, bool abortive)
{
	struct linger linger = {.l_onoff = abortive, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

void
net_tune(int fd, bool plain)
{
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (!plain)
		return;
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_abortive(fd, true);
}

void
net_close(int fd)
{
	set_abortive(fd, false);
	close(fd);
}

int
net_unacknowledged(int fd)
{
	int n = 0;

	return ioctl(fd, SIOCOUTQ, &n) == 0 ? n : 0;
}

/* The last probe may still be on its way, the one before it is not. */
double
net_unanswered(int fd)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0 ||
	    (info.tcpi_retransmits == 0 && info.tcpi_probes < 2))
		return 0;
	return info.tcpi_last_ack_recv / 1000.0;
}

void
net_reset(int fd)
{
	set_abortive(fd, true);
	close(fd);
}

/* True if the path is a socket that a process left behind: nobody answers there. */
static bool
is_left_behind(const struct net_address *address)
{
	struct stat st;
	bool refused;
	int fd;

	if (lstat(address->un.sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return false;
	if ((fd = net_socket(address)) == -1)
		return false;
	refused =
	    connect(fd, &address->any, address->length) == -1 && errno == ECONNREFUSED;
	close(fd);
	return refused;
}

static bool
bind_to(int fd, const struct net_address *address)
{
	if (bind(fd, &address->any, address->length) == 0)
		return true;
	if (errno != EADDRINUSE || address->any.sa_family != AF_UNIX)
		return false;
	if (is_left_behind(address) && unlink(address->un.sun_path) == 0)
		return bind(fd, &address->any, address->length) == 0;
	errno = EADDRINUSE;
	return false;
}

static bool
listen_at(int fd, const struct net_address *address,
    const struct socket_option_list *options, bool shared, const char **refused)
{
	if (address->any.sa_family != AF_UNIX)
		set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (address->any.sa_family == AF_INET6)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY,
		    !IN6_IS_ADDR_UNSPECIFIED(&address->in6.sin6_addr));
	if (!socket_option_apply(options, fd, SOCKET_ACCEPT, refused))
		return false;
	if (address->any.sa_family == AF_UNIX)
		return bind_to(fd, address) && listen(fd, SOMAXCONN) == 0;
	set_option(fd, SOL_SOCKET, SO_REUSEPORT, shared);
	if (!bind_to(fd, address))
		return false;
	/* Only now: with it, bind() would share the port of another program too. */
	set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	return listen(fd, SOMAXCONN) == 0;
}

/* Too few descriptors are mended outside of us: say where. */
static void
set_listen_error(struct err *e, int errnum, const char *what)
{
	struct rlimit limit = {0};

	if (errnum != EMFILE) {
		err_errno(e, errnum, "%s", what);
		return;
	}
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	err_errno(e, errnum,
	    "%s: the limit of descriptors (RLIMIT_NOFILE) is %ju, and each worker takes "
	    "one for each accept; raise it by LimitNOFILE= under systemd or ulimit -Hn, "
	    "or lower `workers`",
	    what, (uintmax_t)limit.rlim_cur);
}

int
net_listen(const struct net_address *address, const struct socket_option_list *options,
    struct err *e)
{
	const char *refused = NULL;
	char text[NET_TEXT_SIZE], what[NET_TEXT_SIZE + sizeof("listen on ")];
	int fd, errnum;

	if ((fd = net_socket(address)) >= 0 &&
	    listen_at(fd, address, options, false, &refused))
		return fd;
	errnum = errno;
	if (fd >= 0)
		close(fd);
	net_address_format(address, text, sizeof(text));
	if (refused != NULL)
		err_errno(e, errnum, "listen on %s: %s", text, refused);
	else {
		snprintf(what, sizeof(what), "listen on %s", text);
		set_listen_error(e, errnum, what);
	}
	errno = errnum;
	return -1;
}

int
net_listen_beside(int first, const struct socket_option_list *options, struct err *e)
{
	const char *refused;
	struct net_address address = {.length = sizeof(address.un)};
	int fd = -1;

	if (getsockname(first, &address.any, &address.length) == 0 &&
	    address.any.sa_family != AF_UNIX && (fd = net_socket(&address)) >= 0 &&
	    listen_at(fd, &address, options, true, &refused))
		return fd;
	if (fd >= 0)
		close(fd);
	if ((fd = fcntl(first, F_DUPFD_CLOEXEC, 0)) < 0)
		set_listen_error(e, errno, "listen once more");
	return fd;
}
