#include "common/base/log.h"

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

enum {
	LINE_SIZE = 4096,   /* PIPE_BUF: a write of this much is never torn apart */
	PREFIX_SIZE = 40,   /* room for the time and the level, or for "<6>" */
	CAUSES = 64,        /* how many causes are remembered */
	CAUSE_SECONDS = 60, /* for how long a cause is only counted */
	KINDS = 64,         /* how many kinds of causes are remembered */
	KIND_TEXTS = 8,     /* of one kind, within CAUSE_SECONDS */
	KIND_SIZE = 128,
};

/* A line under work: the prefix goes in front of the body once its kind is known. */
struct line {
	char memory[LINE_SIZE];
	size_t end; /* of the body, which starts at PREFIX_SIZE */
};

struct cause {
	uint64_t key; /* 0: free */
	time_t written;
	unsigned long repeated;
};

/* What differs in a cause may be a stranger's words: a name, an address. */
struct kind {
	uint64_t key; /* 0: free */
	time_t since;
	unsigned texts;         /* written since */
	unsigned long left_out; /* not written since */
	enum log_level level;
	char name[KIND_SIZE]; /* "event=failed why=sni-unknown service=orders" */
};

static atomic_int level_limit = LOG_LEVEL_INFO;
static atomic_int log_file = -1;
static atomic_bool to_stderr = true;
static atomic_bool under_journal;
static atomic_ulong unwritten; /* lines that the file has not taken, since it took one */
static pthread_once_t journal_once = PTHREAD_ONCE_INIT;

static pthread_mutex_t system_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool to_system;
static struct log_syslog system_log = {.fd = -1};

static pthread_mutex_t causes_lock = PTHREAD_MUTEX_INITIALIZER;
static struct cause causes[CAUSES];
static struct kind kinds[KINDS];

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
format_prefix(char out[PREFIX_SIZE], enum log_level level, bool journal)
{
	struct timespec now;
	struct tm tm;
	char day[24];
	int n;

	if (journal)
		return (size_t)snprintf(out, PREFIX_SIZE, "<%d>", (int)level);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	n = snprintf(out, PREFIX_SIZE, "%s.%03dZ %s ", day, (int)(now.tv_nsec / 1000000),
	    level_name(level));
	return (size_t)(n < PREFIX_SIZE ? n : PREFIX_SIZE - 1);
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
line_write(struct line *line, int fd, enum log_level level, bool journal)
{
	char prefix[PREFIX_SIZE];
	size_t length = format_prefix(prefix, level, journal);
	char *start = line->memory + PREFIX_SIZE - length;

	memcpy(start, prefix, length);
	return write_once(fd, start, line->end - PREFIX_SIZE + length);
}

static void
line_append(struct line *line, const char *format, va_list args)
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

/* Whatever got past log_quote(), an event stays one line. */
static void
line_finish(struct line *line)
{
	for (size_t i = PREFIX_SIZE; i < line->end; i++)
		if ((unsigned char)line->memory[i] < ' ' || line->memory[i] == 127)
			line->memory[i] = '?';
	line->memory[line->end++] = '\n';
}

static void
line_send_to_stderr(struct line *line, enum log_level level)
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
	struct line line = {.end = PREFIX_SIZE};
	va_list args;

	va_start(args, format);
	line_append(&line, format, args);
	va_end(args);
	line_finish(&line);
	if (fd != -1)
		line_write(&line, fd, level, false);
	line_send_to_stderr(&line, level);
}

static void
line_send_to_file(struct line *line, int fd, enum log_level level)
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

static void
line_send(struct line *line, enum log_level level)
{
	int fd = log_file;

	line_finish(line);
	if (fd != -1)
		line_send_to_file(line, fd, level);
	if (to_system) {
		pthread_mutex_lock(&system_lock);
		log_syslog_send(&system_log, (int)level, line->memory + PREFIX_SIZE,
		    line->end - PREFIX_SIZE - 1);
		pthread_mutex_unlock(&system_lock);
	}
	line_send_to_stderr(line, level);
}

void
log_line(enum log_level level, const char *format, ...)
{
	struct line line;
	va_list args;

	if (!log_is_on(level))
		return;
	line.end = PREFIX_SIZE;
	va_start(args, format);
	line_append(&line, format, args);
	va_end(args);
	line_send(&line, level);
}

/* FNV-1a; the final NUL counts, so that it parts what is hashed one after another. */
static uint64_t
hash_text(uint64_t hash, const char *text)
{
	do
		hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
	while (*text++ != '\0');
	return hash;
}

/* NULL: it is none of the latest. */
static struct cause *
find_cause(uint64_t key)
{
	for (size_t i = 0; i < CAUSES; i++)
		if (causes[i].key == key)
			return &causes[i];
	return NULL;
}

/* The place of the cause that was not written for longest, for another. */
static struct cause *
replace_cause(void)
{
	struct cause *oldest = &causes[0];

	for (size_t i = 1; i < CAUSES; i++)
		if (causes[i].written < oldest->written)
			oldest = &causes[i];
	*oldest = (struct cause){0};
	return oldest;
}

static void
append_text(struct line *line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	line_append(line, format, args);
	va_end(args);
}

/* The event, and why and of which service, where these come next. */
static size_t
kind_length(const char *text)
{
	size_t n = strcspn(text, " ");

	while (
	    strncmp(text + n, " why=", 5) == 0 || strncmp(text + n, " service=", 9) == 0)
		n += 1 + strcspn(text + n + 1, " ");
	return n < KIND_SIZE ? n : KIND_SIZE - 1;
}

/* One line for all that was left out of it. */
static void
kind_end(struct kind *k)
{
	struct line line = {.end = PREFIX_SIZE};

	if (k->left_out > 0) {
		append_text(&line,
		    "%s detail=\"more of these, each another: only counted\" "
		    "left-out=%lu",
		    k->name, k->left_out);
		line_send(&line, k->level);
	}
	k->key = 0;
}

static void
end_old_kinds(time_t now)
{
	for (size_t i = 0; i < KINDS; i++)
		if (kinds[i].key != 0 && now - kinds[i].since >= CAUSE_SECONDS)
			kind_end(&kinds[i]);
}

/* A new one, whose key is 0, takes the place of the oldest. */
static struct kind *
find_kind(uint64_t key, time_t now)
{
	struct kind *oldest = &kinds[0];

	for (size_t i = 0; i < KINDS; i++) {
		struct kind *k = &kinds[i];

		if (k->key == key)
			return k;
		if (k->key == 0 || (oldest->key != 0 && k->since < oldest->since))
			oldest = k;
	}
	if (oldest->key != 0)
		kind_end(oldest);
	*oldest = (struct kind){.since = now};
	return oldest;
}

/* May one text more of its kind be written?  Under the lock. */
static bool
kind_has_room(const char *scope, const char *text, enum log_level level, time_t now)
{
	char name[KIND_SIZE] = "";
	struct kind *k;
	uint64_t key;

	memcpy(name, text, kind_length(text));
	key = hash_text(hash_text(UINT64_C(14695981039346656037), scope), name);
	end_old_kinds(now);
	k = find_kind(key == 0 ? 1 : key, now);
	if (k->key == 0) {
		k->key = key == 0 ? 1 : key;
		k->level = level;
		memcpy(k->name, name, sizeof(name));
	}
	if (k->texts < KIND_TEXTS) {
		k->texts++;
		return true;
	}
	k->left_out++;
	return false;
}

void
log_tell_left_out(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&causes_lock);
	end_old_kinds(now.tv_sec);
	pthread_mutex_unlock(&causes_lock);
}

/* May this cause be written now?  If so, @repeated is how often it was only counted. */
static bool
cause_is_due(uint64_t key, const char *scope, const char *text, enum log_level level,
    unsigned long *repeated)
{
	struct timespec now;
	struct cause *cause;
	bool due;

	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&causes_lock);
	cause = find_cause(key);
	due = cause == NULL || now.tv_sec - cause->written >= CAUSE_SECONDS;
	due = due && kind_has_room(scope, text, level, now.tv_sec);
	if (due) {
		cause = cause != NULL ? cause : replace_cause();
		*repeated = cause->repeated;
		*cause = (struct cause){.key = key, .written = now.tv_sec};
	} else if (cause != NULL) {
		cause->repeated++;
	}
	pthread_mutex_unlock(&causes_lock);
	return due;
}

void
log_cause(enum log_level level, const char *scope, const char *format, ...)
{
	struct line line;
	unsigned long repeated;
	uint64_t key;
	va_list args;

	if (!log_is_on(level))
		return;
	line.end = PREFIX_SIZE;
	va_start(args, format);
	line_append(&line, format, args);
	va_end(args);
	line.memory[line.end] = '\0';
	key = hash_text(UINT64_C(14695981039346656037), scope);
	key = hash_text(key, line.memory + PREFIX_SIZE);
	if (!cause_is_due(
		key == 0 ? 1 : key, scope, line.memory + PREFIX_SIZE, level, &repeated))
		return;
	if (repeated > 0)
		append_text(&line, " repeated=%lu", repeated);
	line_send(&line, level);
}

/* A word needs no quotes: it can neither end the line nor look like another pair. */
static bool
is_plain_word(const char *text, size_t size)
{
	size_t n = 0;

	for (; text[n] != '\0'; n++)
		if (text[n] <= ' ' || text[n] > '~' || strchr("\"\\=", text[n]) != NULL)
			return false;
	return n > 0 && n < size;
}

/* One byte as it is shown.  Returns how many that are, at most 4. */
static size_t
quote_byte(unsigned char c, char *out)
{
	bool escaped = c == '"' || c == '\\';

	if (c < ' ' || c > '~')
		return (size_t)snprintf(out, 5, "\\x%02x", c);
	if (escaped)
		*out++ = '\\';
	*out = (char)c;
	return escaped ? 2 : 1;
}

static const char *
quote(const char *text, char *out, size_t size)
{
	enum {
		TAIL = sizeof("...\"")
	};
	size_t n = 0;

	if (is_plain_word(text, size))
		return memcpy(out, text, strlen(text) + 1);
	out[n++] = '"';
	for (; *text != '\0' && n + 4 + TAIL <= size; text++)
		n += quote_byte((unsigned char)*text, out + n);
	if (*text == '\0')
		memcpy(out + n, "\"", sizeof("\""));
	else
		memcpy(out + n, "...\"", TAIL);
	return out;
}

const char *
log_quote(const char *text, char out[LOG_QUOTE_SIZE])
{
	return quote(text, out, LOG_QUOTE_SIZE);
}

const char *
log_quote_long(const char *text, char out[LOG_QUOTE_LONG_SIZE])
{
	return quote(text, out, LOG_QUOTE_LONG_SIZE);
}
