#include "common/pki/psk_file.h"

#include "common/pki/credentials_internal.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

enum {
	KEY_LEAST = 16, /* bytes */
	/* An identity with its colon, twice as many digits as a key has bytes with colons
	 * between them, the end of the line. */
	LINE_SIZE = PSK_MAX_IDENTITY_LEN + 3 * PSK_MAX_PSK_LEN + 4,
};

struct psk_file {
	struct psk_key *items;
	size_t count;
};

void
psk_file_free(struct psk_file *keys)
{
	if (keys == NULL)
		return;
	for (size_t i = 0; i < keys->count; i++) {
		OPENSSL_clear_free(keys->items[i].key, keys->items[i].length);
		free(keys->items[i].identity);
	}
	free(keys->items);
	free(keys);
}

const struct psk_key *
psk_file_at(const struct psk_file *keys, size_t i)
{
	return i < keys->count ? &keys->items[i] : NULL;
}

const struct psk_key *
psk_file_find(const struct psk_file *keys, const char *identity)
{
	for (size_t i = 0; i < keys->count; i++)
		if (identity == NULL || strcmp(keys->items[i].identity, identity) == 0)
			return &keys->items[i];
	return NULL;
}

/* Bytes, or letters where it is no list of bytes. */
static unsigned char *
decode(const char *text, size_t *length)
{
	long n = 0;
	unsigned char *key = OPENSSL_hexstr2buf(text, &n);

	ERR_clear_error();
	*length = key != NULL ? (size_t)n : strlen(text);
	return key != NULL ? key : OPENSSL_memdup(text, *length);
}

static bool
judge_length(size_t length, struct err *e)
{
	if (length < KEY_LEAST)
		return err_set(e,
		    "the key has %zu bytes, and at least %d are needed, that is %d "
		    "hexadecimal digits: openssl rand -hex 32 makes a good one",
		    length, (int)KEY_LEAST, 2 * KEY_LEAST);
	return length <= PSK_MAX_PSK_LEN ||
	       err_set(e, "the key has more than %d bytes", PSK_MAX_PSK_LEN);
}

static bool
add(struct psk_file *keys, const char *identity, const char *text, struct err *e)
{
	struct psk_key *more =
	    realloc(keys->items, (keys->count + 1) * sizeof(*keys->items));
	struct psk_key one = {.identity = NULL};

	if (more == NULL)
		return err_set(e, "out of memory");
	keys->items = more;
	if (psk_file_find(keys, identity) != NULL)
		return err_set(e, "the identity %s stands there twice", identity);
	one.key = decode(text, &one.length);
	one.identity = strdup(identity);
	keys->items[keys->count++] = one;
	if (one.key == NULL || one.identity == NULL)
		return err_set(e, "out of memory");
	return judge_length(one.length, e);
}

static bool
take_line(struct psk_file *keys, char *line, struct err *e)
{
	char *colon = strchr(line, ':');

	if (colon == NULL || colon == line)
		return err_set(e, "is not IDENTITY:KEY");
	if (colon - line >= PSK_MAX_IDENTITY_LEN)
		return err_set(
		    e, "the identity has more than %d bytes", PSK_MAX_IDENTITY_LEN - 1);
	*colon = '\0';
	return add(keys, line, colon + 1, e);
}

static bool
take_lines(struct psk_file *keys, BIO *bio, const char *path, struct err *e)
{
	char line[LINE_SIZE];
	bool ok = true;
	int number = 0, n;

	while (ok && (n = BIO_gets(bio, line, sizeof(line))) > 0) {
		number++;
		if (n == (int)sizeof(line) - 1 && line[n - 1] != '\n')
			ok = err_set(e, "is too long");
		line[strcspn(line, "\r\n")] = '\0';
		if (ok && line[0] != '\0')
			ok = take_line(keys, line, e);
	}
	OPENSSL_cleanse(line, sizeof(line));
	if (!ok)
		return err_prefix(e, "PSKsecrets %s: line %d", path, number);
	return keys->count > 0 || err_set(e, "PSKsecrets %s: no key in it", path);
}

struct psk_file *
psk_file_read(const char *path, struct err *e)
{
	BIO *bio = pem_open("PSKsecrets", path, e);
	struct psk_file *keys = bio != NULL ? calloc(1, sizeof(*keys)) : NULL;
	bool ok = keys != NULL && take_lines(keys, bio, path, e);

	if (bio != NULL && keys == NULL)
		err_set(e, "out of memory");
	BIO_free(bio);
	if (ok) {
		credentials_warn_of_readers(path);
		return keys;
	}
	psk_file_free(keys);
	return NULL;
}
