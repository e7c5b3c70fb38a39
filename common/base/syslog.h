/*
 * The system's log, by the protocol of syslog(3) over a socket that never waits.  Part of
 * log, which guards it against several threads.
 */
#ifndef COMMON_BASE_SYSLOG_H
#define COMMON_BASE_SYSLOG_H

#include <stddef.h>
#include <sys/un.h>

struct log_syslog {
	int fd; /* -1: closed */
	struct sockaddr_un address;
	char name[64];
	int facility;
};

/** What cannot be opened is tried again with each line. */
void log_syslog_open(
    struct log_syslog *log, const char *socket, const char *name, int facility);
void log_syslog_close(struct log_syslog *log);

/** One line of @length bytes without its newline; @level as syslog(3) has them. */
void log_syslog_send(struct log_syslog *log, int level, const char *line, size_t length);

#endif
