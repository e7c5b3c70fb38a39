/*
 * Pre-shared keys, from a file in stunnel's format: IDENTITY:KEY in each line.  Part of
 * tls_keys.
 */
#ifndef COMMON_PKI_PSK_FILE_H
#define COMMON_PKI_PSK_FILE_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct psk_key {
	char *identity;
	unsigned char *key;
	size_t length; /* bytes */
};

struct psk_file;

/** Read @path.  Empty lines are nothing; a KEY of hexadecimal digits (in pairs, colons
 * between them or not) stands for their bytes, any other for its letters; it has at least
 * 16 bytes.  NULL: @e says which line is wrong, and never shows a key. */
struct psk_file *psk_file_read(const char *path, struct err *e);

/** NULL is fine.  The keys are wiped. */
void psk_file_free(struct psk_file *keys);

/** Key number @i, from 0 on.  NULL: there are not so many. */
const struct psk_key *psk_file_at(const struct psk_file *keys, size_t i);

/** The key of @identity, or of the first line where that is NULL.  NULL: there is none.
 */
const struct psk_key *psk_file_find(const struct psk_file *keys, const char *identity);

#endif
