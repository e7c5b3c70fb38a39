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

struct pass_phrases;

/** NULL: out of memory.  @asking: who is not remembered is asked for at the terminal. */
struct pass_phrases *pass_phrases_new(bool asking);

/** NULL is fine. */
void pass_phrases_free(struct pass_phrases *p);

/** From now on nobody is asked. */
void pass_phrases_stop_asking(struct pass_phrases *p);

/** Is there somebody to ask, as far as is known? */
bool pass_phrases_are_asked(const struct pass_phrases *p);

/** The phrase of @file, from memory or from the terminal, which waits for as long as it
 * takes.  False: there is none.  The caller wipes @phrase. */
bool
pass_phrases_get(struct pass_phrases *p, const char *file, char phrase[PASS_PHRASE_SIZE]);

/** @phrase is that of @file; out of memory it is only forgotten. */
void pass_phrases_remember(struct pass_phrases *p, const char *file, const char *phrase);

/** The one of @file does not fit: forget it. */
void pass_phrases_forget(struct pass_phrases *p, const char *file);

#endif
