#include "common/daemon/sd_notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	TEXT_SIZE = 512,
};

/* A path, or "@name" in the abstract name space. */
static bool
read_address(struct address *to, const char *text)
{
	size_t length = strlen(text);

	if ((text[0] != '/' && text[0] != '@') || length < 2 ||
	    length >= sizeof(to->un.sun_path))
		return false;
	*to = (struct address){.un.sun_family = AF_UNIX};
	memcpy(to->un.sun_path, text, length);
	if (text[0] == '@')
		to->un.sun_path[0] = '\0';
	to->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length +
				 (text[0] == '/'));
	return true;
}

void
sd_notify_open(struct sd_notify *n)
{
	const char *text = getenv("NOTIFY_SOCKET");

	*n = (struct sd_notify){0};
	if (text == NULL || !read_address(&n->to, text))
		return;
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (n->fd < 0)
		n->to.length = 0;
}

void
sd_notify_close(struct sd_notify *n)
{
	if (n->loop != NULL)
		ev_timer_stop(n->loop, &n->watchdog);
	if (n->to.length > 0)
		close(n->fd);
	*n = (struct sd_notify){0};
}

/* A word that is lost is systemd's to notice. */
static void
tell(struct sd_notify *n, const char *text)
{
	if (n->to.length > 0)
		(void)sendto(
		    n->fd, text, strlen(text), MSG_NOSIGNAL, &n->to.any, n->to.length);
}

void
sd_notify_ready(struct sd_notify *n)
{
	tell(n, "READY=1");
}

/* With the time, by which systemd tells this reload from the one before
 * (Type=notify-reload). */
void
sd_notify_reloading(struct sd_notify *n)
{
	struct timespec now;
	char text[TEXT_SIZE];

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
	    (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	tell(n, text);
}

void
sd_notify_stopping(struct sd_notify *n)
{
	tell(n, "STOPPING=1");
}

void
sd_notify_status(struct sd_notify *n, const char *format, ...)
{
	static const char head[] = "STATUS=";
	char text[TEXT_SIZE];
	va_list args;

	memcpy(text, head, sizeof(head));
	va_start(args, format);
	vsnprintf(text + strlen(head), sizeof(text) - strlen(head), format, args);
	va_end(args);
	for (char *c = text; *c != '\0'; c++)
		if (*c == '\n')
			*c = ' ';
	tell(n, text);
}

static void
on_watchdog(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct sd_notify *n = timer->data;

	(void)loop;
	(void)events;
	if (n->alive(n->owner))
		tell(n, "WATCHDOG=1");
}

/* A number, or 0: there is none. */
static unsigned long long
number_of(const char *variable)
{
	const char *text = getenv(variable);
	char *end;
	unsigned long long number;

	if (text == NULL || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	number = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0' ? number : 0;
}

void
sd_notify_watch(
    struct sd_notify *n, struct ev_loop *loop, bool (*alive)(void *owner), void *owner)
{
	unsigned long long pid = number_of("WATCHDOG_PID");
	double half = (double)number_of("WATCHDOG_USEC") / 1e6 / 2;

	if (n->to.length == 0 || half <= 0 ||
	    (getenv("WATCHDOG_PID") != NULL && pid != (unsigned long long)getpid()))
		return;
	n->loop = loop;
	n->alive = alive;
	n->owner = owner;
	ev_timer_init(&n->watchdog, on_watchdog, 0, half);
	n->watchdog.data = n;
	ev_timer_start(loop, &n->watchdog);
}
