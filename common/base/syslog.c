#include "common/base/syslog.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
	HEADER_SIZE = 128, /* "<30>Nov 26 03:39:39 name[123]: " */
};

static void
dial(struct log_syslog *log)
{
	log->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (log->fd < 0)
		return;
	if (connect(log->fd, (const struct sockaddr *)&log->address,
		sizeof(log->address)) != 0) {
		close(log->fd);
		log->fd = -1;
	}
}

void
log_syslog_open(
    struct log_syslog *log, const char *socket, const char *name, int facility)
{
	*log = (struct log_syslog){
	    .fd = -1, .address.sun_family = AF_UNIX, .facility = facility};
	strncat(log->address.sun_path, socket, sizeof(log->address.sun_path) - 1);
	strncat(log->name, name, sizeof(log->name) - 1);
	tzset(); /* while its file can be read */
	dial(log);
}

void
log_syslog_close(struct log_syslog *log)
{
	if (log->fd >= 0)
		close(log->fd);
	log->fd = -1;
}

static size_t
format_header(const struct log_syslog *log, int level, char header[HEADER_SIZE])
{
	time_t now = time(NULL);
	char clock[32];
	struct tm tm;
	int n;

	localtime_r(&now, &tm);
	strftime(clock, sizeof(clock), "%b %e %H:%M:%S", &tm);
	n = snprintf(header, HEADER_SIZE, "<%d>%s %s[%ld]: ", log->facility | level,
	    clock, log->name, (long)getpid());
	return n < HEADER_SIZE ? (size_t)n : HEADER_SIZE - 1;
}

static int
send_once(const struct log_syslog *log, struct iovec parts[2])
{
	const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

	return sendmsg(log->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 0;
}

void
log_syslog_send(struct log_syslog *log, int level, const char *line, size_t length)
{
	char header[HEADER_SIZE];
	struct iovec parts[2] = {
	    {.iov_base = header}, {.iov_base = (void *)line, .iov_len = length}};

	parts[0].iov_len = format_header(log, level, header);
	if (log->fd < 0)
		dial(log);
	else if (send_once(log, parts) == 0 || errno == EAGAIN || errno == ENOBUFS)
		return;
	else {
		/* It was started anew. */
		log_syslog_close(log);
		dial(log);
	}
	if (log->fd >= 0)
		(void)send_once(log, parts);
}
