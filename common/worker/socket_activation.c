#include "common/worker/socket_activation.h"

#include "common/base/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	FIRST = 3, /* SD_LISTEN_FDS_START */
	MOST = 1024,
};

/* A variable with a number from 1 to @most; 0: there is none. */
static long
number_of(const char *variable, long most)
{
	const char *text = getenv(variable);
	char *end;
	long n;

	if (text == NULL)
		return 0;
	errno = 0;
	n = strtol(text, &end, 10);
	return errno == 0 && *end == '\0' && n > 0 && n <= most ? n : 0;
}

/* "a:b:c": the one at @index. */
static void
copy_name(char name[ADDRESS_TEXT_SIZE], const char *names, size_t index)
{
	size_t length;

	name[0] = '\0';
	for (; names != NULL && index > 0; index--)
		if ((names = strchr(names, ':')) != NULL)
			names++;
	if (names == NULL)
		return;
	length = strcspn(names, ":");
	if (length >= ADDRESS_TEXT_SIZE)
		length = ADDRESS_TEXT_SIZE - 1;
	memcpy(name, names, length);
	name[length] = '\0';
}

static int
option_of(int fd, int option)
{
	int value = -1;
	socklen_t length = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

/* As socket_listen() makes them. */
static bool
adopt(struct activated_socket *h, struct err *e)
{
	int flags = fcntl(h->fd, F_GETFL);

	h->address.length = sizeof(h->address.un);
	if (flags < 0 || getsockname(h->fd, &h->address.any, &h->address.length) != 0)
		return err_errno(
		    e, errno, "LISTEN_FDS: descriptor %d (%s)", h->fd, h->name);
	if (option_of(h->fd, SO_TYPE) != SOCK_STREAM ||
	    option_of(h->fd, SO_ACCEPTCONN) != 1)
		return err_set(e,
		    "LISTEN_FDS: descriptor %d (%s) is no listening stream socket: write "
		    "ListenStream and Accept=no in the socket unit",
		    h->fd, h->name);
	if (fcntl(h->fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
	    fcntl(h->fd, F_SETFD, FD_CLOEXEC) != 0)
		return err_errno(
		    e, errno, "LISTEN_FDS: descriptor %d (%s)", h->fd, h->name);
	return true;
}

bool
socket_activation_read(struct socket_activation *in, struct err *e)
{
	const char *pid = getenv("LISTEN_PID");
	size_t count = (size_t)number_of("LISTEN_FDS", MOST);

	*in = (struct socket_activation){0};
	if (count == 0 || pid == NULL || strtol(pid, NULL, 10) != (long)getpid())
		return true;
	if ((in->items = calloc(count, sizeof(*in->items))) == NULL)
		return err_set(e, "out of memory");
	for (in->count = 0; in->count < count; in->count++) {
		struct activated_socket *h = &in->items[in->count];

		h->fd = FIRST + (int)in->count;
		copy_name(h->name, getenv("LISTEN_FDNAMES"), in->count);
		if (!adopt(h, e))
			return false;
	}
	return true;
}

/* A path may or may not have its NUL counted in, as bind(2) was called. */
static bool
same_path(const struct address *a, const struct address *b)
{
	const char *one = a->un.sun_path, *other = b->un.sun_path;

	return one[0] != '\0' && strncmp(one, other, sizeof(a->un.sun_path)) == 0;
}

static bool
same_place(const struct address *a, const struct address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	switch (a->any.sa_family) {
	case AF_INET:
		return a->in.sin_port == b->in.sin_port &&
		       a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	case AF_INET6:
		return a->in6.sin6_port == b->in6.sin6_port &&
		       a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
		       IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr);
	default:
		return same_path(a, b);
	}
}

int
socket_activation_take(struct socket_activation *in, const struct address *address)
{
	for (size_t i = 0; i < in->count; i++) {
		int fd = in->items[i].fd;

		if (fd >= 0 && same_place(&in->items[i].address, address)) {
			in->items[i].fd = -1;
			return fd;
		}
	}
	return -1;
}

bool
socket_activation_is_used_up(const struct socket_activation *in, struct err *e)
{
	char text[ADDRESS_TEXT_SIZE];

	for (size_t i = 0; i < in->count; i++) {
		const struct activated_socket *h = &in->items[i];

		if (h->fd >= 0)
			return err_set(e,
			    "systemd handed a socket over that listens on %s (%s), but "
			    "no accept and no status is that address",
			    address_format(&h->address, text, sizeof(text)), h->name);
	}
	return true;
}

void
socket_activation_clear(struct socket_activation *in)
{
	for (size_t i = 0; i < in->count; i++)
		if (in->items[i].fd >= 0)
			close(in->items[i].fd);
	free(in->items);
	*in = (struct socket_activation){0};
}
