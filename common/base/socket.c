#include "common/base/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

int
socket_open(const struct address *address)
{
	return socket(
	    address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

bool
socket_is_unix(int fd)
{
	int domain = 0;
	socklen_t length = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 &&
	       domain == AF_UNIX;
}

void
socket_ends(int fd, struct address *ours, struct address *peers)
{
	ours->length = peers->length = sizeof(ours->un);
	if (getsockname(fd, &ours->any, &ours->length) != 0)
		*ours = (struct address){0};
	if (getpeername(fd, &peers->any, &peers->length) != 0)
		*peers = (struct address){0};
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
socket_tune(int fd, bool plain)
{
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (!plain)
		return;
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_abortive(fd, true);
}

void
socket_close(int fd)
{
	set_abortive(fd, false);
	close(fd);
}

int
socket_unacknowledged(int fd)
{
	int n = 0;

	return ioctl(fd, SIOCOUTQ, &n) == 0 ? n : 0;
}

/* The last probe may still be on its way, the one before it is not. */
double
socket_unanswered(int fd)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0 ||
	    (info.tcpi_retransmits == 0 && info.tcpi_probes < 2))
		return 0;
	return info.tcpi_last_ack_recv / 1000.0;
}

void
socket_reset(int fd)
{
	set_abortive(fd, true);
	close(fd);
}

/* True if the path is a socket that a process left behind: nobody answers there. */
static bool
is_left_behind(const struct address *address)
{
	struct stat st;
	bool refused;
	int fd;

	if (lstat(address->un.sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return false;
	if ((fd = socket_open(address)) == -1)
		return false;
	refused =
	    connect(fd, &address->any, address->length) == -1 && errno == ECONNREFUSED;
	close(fd);
	return refused;
}

static bool
bind_to(int fd, const struct address *address)
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
listen_at(int fd, const struct address *address, const struct socket_option_list *options,
    bool shared, const char **refused)
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
socket_listen(const struct address *address, const struct socket_option_list *options,
    struct err *e)
{
	const char *refused = NULL;
	char text[ADDRESS_TEXT_SIZE], what[ADDRESS_TEXT_SIZE + sizeof("listen on ")];
	int fd, errnum;

	if ((fd = socket_open(address)) >= 0 &&
	    listen_at(fd, address, options, false, &refused))
		return fd;
	errnum = errno;
	if (fd >= 0)
		close(fd);
	address_format(address, text, sizeof(text));
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
socket_listen_shared(int first, const struct socket_option_list *options, struct err *e)
{
	const char *refused;
	struct address address = {.length = sizeof(address.un)};
	int fd = -1;

	if (getsockname(first, &address.any, &address.length) == 0 &&
	    address.any.sa_family != AF_UNIX && (fd = socket_open(&address)) >= 0 &&
	    listen_at(fd, &address, options, true, &refused))
		return fd;
	if (fd >= 0)
		close(fd);
	if ((fd = fcntl(first, F_DUPFD_CLOEXEC, 0)) < 0)
		set_listen_error(e, errno, "listen once more");
	return fd;
}
