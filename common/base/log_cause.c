#include "common/base/log_internal.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

enum {
	CAUSES = 64,        /* how many causes are remembered */
	CAUSE_SECONDS = 60, /* for how long a cause is only counted */
	KINDS = 64,         /* how many kinds of causes are remembered */
	KIND_TEXTS = 8,     /* of one kind, within CAUSE_SECONDS */
	KIND_SIZE = 128,
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

static pthread_mutex_t causes_lock = PTHREAD_MUTEX_INITIALIZER;
static struct cause causes[CAUSES];
static struct kind kinds[KINDS];

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
append_text(struct log_line *line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line_append(line, format, args);
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
	struct log_line line = {.end = LOG_PREFIX_SIZE};

	if (k->left_out > 0) {
		append_text(&line,
		    "%s detail=\"more of these, each another: only counted\" "
		    "left-out=%lu",
		    k->name, k->left_out);
		log_line_send(&line, k->level);
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
log_line_send_cause(struct log_line *line, enum log_level level, const char *scope)
{
	const char *text = line->memory + LOG_PREFIX_SIZE;
	unsigned long repeated;
	uint64_t key;

	line->memory[line->end] = '\0';
	key = hash_text(hash_text(UINT64_C(14695981039346656037), scope), text);
	if (!cause_is_due(key == 0 ? 1 : key, scope, text, level, &repeated))
		return;
	if (repeated > 0)
		append_text(line, " repeated=%lu", repeated);
	log_line_send(line, level);
}

void
log_cause(enum log_level level, const char *scope, const char *format, ...)
{
	struct log_line line;
	va_list args;

	if (!log_is_on(level))
		return;
	line.end = LOG_PREFIX_SIZE;
	va_start(args, format);
	log_line_append(&line, format, args);
	va_end(args);
	log_line_send_cause(&line, level, scope);
}
