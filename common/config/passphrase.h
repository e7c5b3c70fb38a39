/*
 * Pass phrases that were typed in at the start, by the file that they open.  They stay in
 * memory, so that a renewed key can be read when nobody sits at a terminal any more, and
 * are wiped in the end.  Used by one thread.
 */
#ifndef COMMON_CONFIG_PASSPHRASE_H
#define COMMON_CONFIG_PASSPHRASE_H

#include <stdbool.h>
#include <stddef.h>

enum {
	/** Of a phrase with its NUL. */
	PASS_PHRASE_SIZE = 1024,
};

struct passphrases;

/** NULL: out of memory.  @asking: who is not remembered is asked for at the terminal. */
struct passphrases *passphrases_new(bool asking);

/** NULL is fine. */
void passphrases_free(struct passphrases *p);

/** From now on nobody is asked. */
void passphrases_stop_asking(struct passphrases *p);

/** Is there somebody to ask, as far as is known? */
bool passphrases_are_asked(const struct passphrases *p);

/** The phrase of @file, from memory or from the terminal, which waits for as long as it
 * takes.  False: there is none.  The caller wipes @phrase. */
bool
passphrases_get(struct passphrases *p, const char *file, char phrase[PASS_PHRASE_SIZE]);

/** @phrase is that of @file; out of memory it is only forgotten. */
void passphrases_remember(struct passphrases *p, const char *file, const char *phrase);

/** The one of @file does not fit: forget it. */
void passphrases_forget(struct passphrases *p, const char *file);

#endif
