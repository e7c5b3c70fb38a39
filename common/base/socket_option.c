#include "common/base/socket_option.h"

#include "common/base/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum kind {
	KIND_NUMBER,
	KIND_INTERFACE,
	KIND_NOTHING, /* understood; how streams end and wait is not up to it */
};

#define NUMBER(level, name)                                                              \
	{                                                                                \
#name, level, name, KIND_NUMBER                                          \
	}
#define NOTHING(name)                                                                    \
	{                                                                                \
#name, SOL_SOCKET, name, KIND_NOTHING                                    \
	}

static const struct {
	const char *name;
	int level, number;
	enum kind kind;
} known[] = {
    NUMBER(SOL_SOCKET, SO_DEBUG),
    NUMBER(SOL_SOCKET, SO_DONTROUTE),
    NUMBER(SOL_SOCKET, SO_KEEPALIVE),
    NUMBER(SOL_SOCKET, SO_MARK),
    NUMBER(SOL_SOCKET, SO_OOBINLINE),
    NUMBER(SOL_SOCKET, SO_PRIORITY),
    NUMBER(SOL_SOCKET, SO_RCVBUF),
    NUMBER(SOL_SOCKET, SO_REUSEADDR),
    NUMBER(SOL_SOCKET, SO_SNDBUF),
    {"SO_BINDTODEVICE", SOL_SOCKET, SO_BINDTODEVICE, KIND_INTERFACE},
    NUMBER(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT),
    NUMBER(IPPROTO_IP, IP_FREEBIND),
    NUMBER(IPPROTO_IP, IP_TOS),
    NUMBER(IPPROTO_IP, IP_TTL),
    NUMBER(IPPROTO_IPV6, IPV6_V6ONLY),
    NUMBER(IPPROTO_TCP, TCP_DEFER_ACCEPT),
    NUMBER(IPPROTO_TCP, TCP_KEEPCNT),
    NUMBER(IPPROTO_TCP, TCP_KEEPIDLE),
    NUMBER(IPPROTO_TCP, TCP_KEEPINTVL),
    NUMBER(IPPROTO_TCP, TCP_MAXSEG),
    NUMBER(IPPROTO_TCP, TCP_NODELAY),
    NUMBER(IPPROTO_TCP, TCP_SYNCNT),
    NUMBER(IPPROTO_TCP, TCP_USER_TIMEOUT),
    NUMBER(IPPROTO_TCP, TCP_WINDOW_CLAMP),
    NOTHING(SO_LINGER),
    NOTHING(SO_RCVLOWAT),
    NOTHING(SO_RCVTIMEO),
    NOTHING(SO_SNDLOWAT),
    NOTHING(SO_SNDTIMEO),
};

enum {
	KNOWN = sizeof(known) / sizeof(known[0])
};

static size_t
find(const char *name, size_t length)
{
	size_t i = 0;

	while (i < KNOWN && (strlen(known[i].name) != length ||
				strncasecmp(known[i].name, name, length) != 0))
		i++;
	return i;
}

static bool
read_number(const char *text, int *number)
{
	int base = strncasecmp(text, "0x", 2) == 0 ? 16 : 10;
	char *end;
	long value;

	if (strcasecmp(text, "yes") == 0 || strcasecmp(text, "no") == 0) {
		*number = strcasecmp(text, "yes") == 0;
		return true;
	}
	errno = 0;
	value = strtol(text, &end, base);
	*number = (int)value;
	return errno == 0 && end != text && *end == '\0' && *number == value;
}

static bool
read_value(struct socket_option *o, enum kind kind, const char *text, struct err *e)
{
	if (kind == KIND_NUMBER && !read_number(text, &o->value))
		return err_set(e, "%s takes a number, yes or no", o->name);
	if (kind != KIND_INTERFACE)
		return true;
	if (*text == '\0' || strlen(text) >= sizeof(o->interface))
		return err_set(e, "%s takes the name of a network interface", o->name);
	memcpy(o->interface, text, strlen(text) + 1);
	return true;
}

static bool
append(struct socket_option_list *list, const struct socket_option *o, struct err *e)
{
	struct socket_option *more =
	    realloc(list->items, (list->count + 1) * sizeof(*more));

	if (more == NULL)
		return err_errno(e, ENOMEM, "socket");
	list->items = more;
	more[list->count++] = *o;
	return true;
}

bool
socket_option_add(struct socket_option_list *list, const char *text, struct err *e)
{
	static const char sides[] = {SOCKET_ACCEPT, SOCKET_LOCAL, SOCKET_REMOTE};
	const char *name = text + 2, *equals;
	struct socket_option o = {.name = NULL};
	size_t which;

	if (*text == '\0' || memchr(sides, text[0], sizeof(sides)) == NULL ||
	    text[1] != ':' || (equals = strchr(name, '=')) == NULL)
		return err_set(e,
		    "socket takes a:, l: or r: (sockets that listen, were accepted, or "
		    "dial) and NAME=VALUE, such as l:TCP_KEEPIDLE=60");
	which = find(name, (size_t)(equals - name));
	if (which == KNOWN)
		return err_set(e,
		    "%.*s is no socket option that routeport knows: those of socket(7), "
		    "tcp(7), ip(7) that a relay has a use for",
		    (int)(equals - name), name);
	o.side = (enum socket_side)text[0];
	o.name = known[which].name;
	o.level = known[which].level;
	o.number = known[which].number;
	if (!read_value(&o, known[which].kind, equals + 1, e))
		return false;
	if (known[which].kind != KIND_NOTHING)
		return append(list, &o, e);
	log_cause(LOG_LEVEL_WARNING, o.name,
	    "event=settings option=socket warning=\"%s has no effect: how long to wait, "
	    "and how a connection ends, is told by TIMEOUTclose, TIMEOUTidle and the "
	    "others\"",
	    o.name);
	return true;
}

void
socket_option_clear(struct socket_option_list *list)
{
	free(list->items);
	*list = (struct socket_option_list){0};
}

bool
socket_option_apply(const struct socket_option_list *list, int fd, enum socket_side side,
    const char **refused)
{
	int errnum = 0;

	for (size_t i = 0; list != NULL && i < list->count; i++) {
		const struct socket_option *o = &list->items[i];
		bool named = o->interface[0] != '\0';

		if (o->side != side ||
		    setsockopt(fd, o->level, o->number,
			named ? (const void *)o->interface : &o->value,
			named ? (socklen_t)sizeof(o->interface)
			      : (socklen_t)sizeof(o->value)) == 0 ||
		    errno == ENOPROTOOPT || errno == EOPNOTSUPP)
			continue;
		errnum = errno;
		*refused = o->name;
	}
	errno = errnum;
	return errnum == 0;
}
