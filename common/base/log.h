/*
 * The log: one line per event, `key=value` pairs, to stderr, a file, the system's log, or
 * all of them.
 *
 *	2026-11-23T20:51:56.123Z info stream=42 event=close why=finished ...
 *
 * Under systemd's journal only the level stands in front (sd-daemon(3), "<6>").  Any
 * thread may log; a line is one write(2).  A log that cannot be written is no reason to
 * stop: lines are then lost, which stderr is told once (event=log-failed), and the file
 * once it takes lines again (event=log-back).  What came from outside is written by
 * log_event() and LOG_TEXT(), which quote it.
 */
#ifndef COMMON_BASE_LOG_H
#define COMMON_BASE_LOG_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** syslog(3)'s levels that routeport uses. */
enum log_level {
	LOG_LEVEL_ERROR = 3,   /* somebody must act */
	LOG_LEVEL_WARNING = 4, /* degraded */
	LOG_LEVEL_INFO = 6,    /* life cycle */
	LOG_LEVEL_DEBUG = 7,   /* transitions */
};

enum {
	/** Room for quoted text: a longer one is cut and ends in "...". */
	LOG_QUOTE_SIZE = 512,
	/** The same for LOG_LONG_TEXT, which cuts no struct err. */
	LOG_QUOTE_LONG_SIZE = 2560,
};

/**
 * Send lines to @file (appended, 0600; NULL: none) and, unless @quiet, to stderr.
 * Before this call lines of level info and above go to stderr.  May be called again, also
 * while other threads log, to open a file that was moved away; one that is still there
 * need not be ours to open any more.  On failure all stays as it was.
 */
bool log_open(const char *file, bool quiet, struct err *e);

/** The same with a file that is open already (-1: none), and the log's from now on. */
void log_use(int fd, bool quiet);

/** Is it a file on a disk that lines go to, and no pipe, terminal or the like? */
bool log_is_regular(void);

/** How the log's file is opened: open(2)'s flags.  A FIFO that nobody reads is an error
 * and no reason to wait, which log_use() takes back. */
#define LOG_FILE_FLAGS (O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
#define LOG_FILE_MODE 0600

/**
 * Send lines to the system's log too, which listens at @socket (a path; NULL: to none any
 * more), by @name and @facility (LOG_DAEMON and the like, syslog(3)).  It need not be
 * there, and may come and go: lines are then lost.  Nothing waits for it.
 */
void log_to_system(const char *socket, const char *name, int facility);

/** Lines above @level (less important) are dropped. */
void log_set_level(enum log_level level);
bool log_is_on(enum log_level level);

void log_line(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
/** Its arguments are evaluated only when debug lines are written. */
#define log_debug(...)                                                                   \
	do {                                                                             \
		if (log_is_on(LOG_LEVEL_DEBUG))                                          \
			log_line(LOG_LEVEL_DEBUG, __VA_ARGS__);                          \
	} while (0)

/** A key and its value, made by the macros below.  Texts are borrowed for the call. */
struct log_pair {
	const char *key; /* NULL: the end of a list */
	enum {
		LOG_PAIR_WORD,
		LOG_PAIR_TEXT,
		LOG_PAIR_LONG_TEXT,
		LOG_PAIR_COUNT,
		LOG_PAIR_NUMBER,
		LOG_PAIR_DECIMAL,
	} kind;
	int digits;
	union {
		const char *text;
		uint64_t count;
		int64_t number;
		double decimal;
	};
};

/** A word of our own, as it is: "yes", reason_word().  NULL, here and below: the pair is
 * left out. */
#define LOG_WORD(key_, word_)                                                            \
	((struct log_pair){.key = (key_), .kind = LOG_PAIR_WORD, .text = (word_)})
/**
 * Text from outside, or of several words: as it is if it is one plain word, otherwise in
 * double quotes with \" for a quote, \\ for a backslash, and control characters and bytes
 * above 126 as \xNN, which a reader can undo.
 */
#define LOG_TEXT(key_, text_)                                                            \
	((struct log_pair){.key = (key_), .kind = LOG_PAIR_TEXT, .text = (text_)})
/** The same for the reason of a failure, which may be a long one. */
#define LOG_LONG_TEXT(key_, text_)                                                       \
	((struct log_pair){.key = (key_), .kind = LOG_PAIR_LONG_TEXT, .text = (text_)})
/** A whole number that is never below zero. */
#define LOG_COUNT(key_, count_)                                                          \
	((struct log_pair){                                                              \
	    .key = (key_), .kind = LOG_PAIR_COUNT, .count = (uint64_t)(count_)})
#define LOG_NUMBER(key_, number_)                                                        \
	((struct log_pair){                                                              \
	    .key = (key_), .kind = LOG_PAIR_NUMBER, .number = (int64_t)(number_)})
/** With this many digits behind the point, as by "%.*f". */
#define LOG_DECIMAL(key_, value_, digits_)                                               \
	((struct log_pair){.key = (key_),                                                \
	    .kind = LOG_PAIR_DECIMAL,                                                    \
	    .digits = (digits_),                                                         \
	    .decimal = (value_)})

#define LOG_PAIRS(...) ((const struct log_pair[]){__VA_ARGS__, {0}})

/**
 * One line of pairs, in this order, at least one behind the event:
 *
 *	log_event(LOG_LEVEL_INFO, "renewed", LOG_TEXT("service", name));
 *
 * Where @level is off, nothing but it is evaluated.  log_stream_event() puts the number
 * of the stream in front.
 */
#define log_event(level, event, ...)                                                     \
	do {                                                                             \
		const enum log_level log_event_level = (level);                          \
		if (log_is_on(log_event_level))                                          \
			log_pairs(log_event_level,                                       \
			    LOG_PAIRS(LOG_WORD("event", event), __VA_ARGS__));           \
	} while (0)
#define log_stream_event(level, id, event, ...)                                          \
	do {                                                                             \
		const enum log_level log_event_level = (level);                          \
		if (log_is_on(log_event_level))                                          \
			log_pairs(log_event_level,                                       \
			    LOG_PAIRS(LOG_COUNT("stream", id), LOG_WORD("event", event), \
				__VA_ARGS__));                                           \
	} while (0)

/** What log_event() calls. */
void log_pairs(enum log_level level, const struct log_pair *pairs);

/**
 * As log_line(), but a cause that was written within the last minute is only counted;
 * its next line says how often it came ("repeated=N").  @scope (a service's name, which
 * is not written) and the formatted text together are the cause, so the text should hold
 * nothing that changes each time.  Of the latest 64 causes that is; older are forgotten.
 *
 * Where it does change, since it has words of a stranger in it, at most 8 texts a minute
 * are written of each kind: scope, "event=", and "why=" and "service=" if these are next.
 * The others are counted, and told of in one line ("left-out=N") behind that minute, by
 * the next call or by log_tell_left_out().
 */
void log_cause(enum log_level level, const char *scope, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** The same for pairs. */
#define log_event_cause(level, scope, event, ...)                                        \
	do {                                                                             \
		const enum log_level log_event_level = (level);                          \
		if (log_is_on(log_event_level))                                          \
			log_pairs_cause(log_event_level, scope,                          \
			    LOG_PAIRS(LOG_WORD("event", event), __VA_ARGS__));           \
	} while (0)

/** What log_event_cause() calls. */
void
log_pairs_cause(enum log_level level, const char *scope, const struct log_pair *pairs);

/** Once in a while: tell of kinds whose minute is over. */
void log_tell_left_out(void);

#endif
