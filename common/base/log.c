#include "common/base/log_internal.h"

#include "common/base/syslog.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static atomic_int level_limit = LOG_LEVEL_INFO;
static atomic_int log_file = -1;
static atomic_bool to_stderr = true;
static atomic_bool under_journal;
static atomic_ulong unwritten; /* lines that the file has not taken, since it took one */
static pthread_once_t journal_once = PTHREAD_ONCE_INIT;

static pthread_mutex_t system_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool to_system;
static struct log_syslog system_log = {.fd = -1};

/* systemd.exec(5): stderr is the journal's if it still is what JOURNAL_STREAM names. */
static void
detect_journal(void)
{
	const char *stream = secure_getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat st;

	if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
		return;
	/* NOLINTNEXTLINE(cert-err34-c): too large a number matches no file */
	if (sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) == 2)
		under_journal = device == st.st_dev && inode == st.st_ino;
}

void
log_use(int fd, bool quiet)
{
	int old = log_file;

	if (fd != -1)
		(void)fcntl(fd, F_SETFL, O_APPEND); /* and no O_NONBLOCK */
	if (fd != -1 && old != -1) {
		/* Keep the number: another thread may be about to write to it. */
		dup3(fd, old, O_CLOEXEC);
		close(fd);
	} else {
		log_file = fd;
		if (old != -1)
			close(old);
	}
	to_stderr = !quiet;
}

bool
log_is_regular(void)
{
	struct stat st;

	return log_file != -1 && fstat(log_file, &st) == 0 && S_ISREG(st.st_mode);
}

/* Is what has this name the file that lines go to? */
static bool
is_log_file(const char *file)
{
	struct stat there, ours;

	return log_file != -1 && stat(file, &there) == 0 && fstat(log_file, &ours) == 0 &&
	       there.st_dev == ours.st_dev && there.st_ino == ours.st_ino;
}

bool
log_open(const char *file, bool quiet, struct err *e)
{
	int fd = -1;

	if (file != NULL && is_log_file(file)) {
		to_stderr = !quiet;
		return true;
	}
	if (file != NULL) {
		fd = open(file, LOG_FILE_FLAGS, LOG_FILE_MODE);
		if (fd == -1)
			return err_errno(e, errno, "open the log file %s", file);
	}
	log_use(fd, quiet);
	return true;
}

void
log_to_system(const char *socket, const char *name, int facility)
{
	pthread_mutex_lock(&system_lock);
	log_syslog_close(&system_log);
	if (socket != NULL)
		log_syslog_open(&system_log, socket, name, facility);
	to_system = socket != NULL;
	pthread_mutex_unlock(&system_lock);
}

void
log_set_level(enum log_level level)
{
	level_limit = (int)level;
}

bool
log_is_on(enum log_level level)
{
	return (int)level <= level_limit;
}

static const char *
level_name(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "error";
	case LOG_LEVEL_WARNING:
		return "warning";
	case LOG_LEVEL_INFO:
		return "info";
	case LOG_LEVEL_DEBUG:
		return "debug";
	}
	return "unknown";
}

static size_t
format_prefix(char out[LOG_PREFIX_SIZE], enum log_level level, bool journal)
{
	struct timespec now;
	struct tm tm;
	char day[24];
	int n;

	if (journal)
		return (size_t)snprintf(out, LOG_PREFIX_SIZE, "<%d>", (int)level);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	n = snprintf(out, LOG_PREFIX_SIZE, "%s.%03dZ %s ", day,
	    (int)(now.tv_nsec / 1000000), level_name(level));
	return (size_t)(n < LOG_PREFIX_SIZE ? n : LOG_PREFIX_SIZE - 1);
}

/* A log that cannot be written is no reason to stop, nor to try twice. */
static bool
write_once(int fd, const char *bytes, size_t length)
{
	ssize_t n;

	while ((n = write(fd, bytes, length)) == -1 && errno == EINTR)
		;
	if (n >= 0 && (size_t)n < length)
		errno = ENOSPC;
	return n == (ssize_t)length;
}

/* False: errno says why not. */
static bool
line_write(struct log_line *line, int fd, enum log_level level, bool journal)
{
	char prefix[LOG_PREFIX_SIZE];
	size_t length = format_prefix(prefix, level, journal);
	char *start = line->memory + LOG_PREFIX_SIZE - length;

	memcpy(start, prefix, length);
	return write_once(fd, start, line->end - LOG_PREFIX_SIZE + length);
}

void
log_line_append(struct log_line *line, const char *format, va_list args)
{
	size_t room = sizeof(line->memory) - line->end - 1; /* 1: the newline */
	int n = vsnprintf(line->memory + line->end, room, format, args);

	if (n < 0)
		return;
	if ((size_t)n < room) {
		line->end += (size_t)n;
		return;
	}
	line->end += room - 1;
	memcpy(line->memory + line->end - 3, "...", 3);
}

void
log_line_put(struct log_line *line, const char *bytes, size_t length)
{
	size_t room = sizeof(line->memory) - line->end - 2; /* 2: the newline or a NUL */

	if (length <= room) {
		memcpy(line->memory + line->end, bytes, length);
		line->end += length;
		return;
	}
	memcpy(line->memory + line->end, bytes, room);
	line->end += room;
	memcpy(line->memory + line->end - 3, "...", 3);
}

/* Whatever was not quoted, an event stays one line. */
static void
line_finish(struct log_line *line)
{
	for (size_t i = LOG_PREFIX_SIZE; i < line->end; i++)
		if ((unsigned char)line->memory[i] < ' ' || line->memory[i] == 127)
			line->memory[i] = '?';
	line->memory[line->end++] = '\n';
}

static void
line_send_to_stderr(struct log_line *line, enum log_level level)
{
	if (!to_stderr)
		return;
	pthread_once(&journal_once, detect_journal);
	line_write(line, STDERR_FILENO, level, under_journal);
}

/* The file's own troubles, once each time: they go where lines still arrive. */
static void __attribute__((format(printf, 3, 4)))
tell_of_file(int fd, enum log_level level, const char *format, ...)
{
	struct log_line line = {.end = LOG_PREFIX_SIZE};
	va_list args;

	va_start(args, format);
	log_line_append(&line, format, args);
	va_end(args);
	line_finish(&line);
	if (fd != -1)
		line_write(&line, fd, level, false);
	line_send_to_stderr(&line, level);
}

static void
line_send_to_file(struct log_line *line, int fd, enum log_level level)
{
	unsigned long lost;

	if (!line_write(line, fd, level, false)) {
		int error = errno;

		if (atomic_fetch_add(&unwritten, 1) == 0)
			tell_of_file(-1, LOG_LEVEL_ERROR,
			    "event=log-failed detail=\"the log file takes no line: %s\"",
			    strerror(error));
	} else if (unwritten > 0 && (lost = atomic_exchange(&unwritten, 0)) > 0) {
		tell_of_file(fd, LOG_LEVEL_WARNING, "event=log-back lost=%lu", lost);
	}
}

void
log_line_send(struct log_line *line, enum log_level level)
{
	int fd = log_file;

	line_finish(line);
	if (fd != -1)
		line_send_to_file(line, fd, level);
	if (to_system) {
		pthread_mutex_lock(&system_lock);
		log_syslog_send(&system_log, (int)level, line->memory + LOG_PREFIX_SIZE,
		    line->end - LOG_PREFIX_SIZE - 1);
		pthread_mutex_unlock(&system_lock);
	}
	line_send_to_stderr(line, level);
}

void
log_line(enum log_level level, const char *format, ...)
{
	struct log_line line;
	va_list args;

	if (!log_is_on(level))
		return;
	line.end = LOG_PREFIX_SIZE;
	va_start(args, format);
	log_line_append(&line, format, args);
	va_end(args);
	log_line_send(&line, level);
}
