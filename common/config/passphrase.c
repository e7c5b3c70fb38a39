#include "common/config/passphrase.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

struct passphrase {
	LIST_ENTRY(passphrase) entry;
	char *file;
	char phrase[PASS_PHRASE_SIZE];
};

struct passphrases {
	LIST_HEAD(, passphrase) known;
	bool asking;
};

struct passphrases *
passphrases_new(bool asking)
{
	struct passphrases *p = calloc(1, sizeof(*p));

	if (p != NULL) {
		LIST_INIT(&p->known);
		p->asking = asking;
	}
	return p;
}

static void
remove_phrase(struct passphrase *one)
{
	LIST_REMOVE(one, entry);
	OPENSSL_cleanse(one->phrase, sizeof(one->phrase));
	free(one->file);
	free(one);
}

void
passphrases_free(struct passphrases *p)
{
	struct passphrase *one;

	if (p == NULL)
		return;
	while ((one = LIST_FIRST(&p->known)) != NULL)
		remove_phrase(one);
	free(p);
}

void
passphrases_stop_asking(struct passphrases *p)
{
	p->asking = false;
}

bool
passphrases_are_asked(const struct passphrases *p)
{
	return p->asking;
}

static struct passphrase *
find(struct passphrases *p, const char *file)
{
	struct passphrase *one;

	LIST_FOREACH (one, &p->known, entry)
		if (strcmp(one->file, file) == 0)
			return one;
	return NULL;
}

/* OpenSSL's own way of asking takes what comes on stdin where there is no terminal. */
static bool
ask(const char *file, char phrase[PASS_PHRASE_SIZE])
{
	char prompt[512];
	int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (terminal < 0)
		return false;
	close(terminal);
	snprintf(prompt, sizeof(prompt), "Pass phrase of %s: ", file);
	return EVP_read_pw_string(phrase, PASS_PHRASE_SIZE, prompt, 0) == 0;
}

void
passphrases_remember(struct passphrases *p, const char *file, const char *phrase)
{
	struct passphrase *one = calloc(1, sizeof(*one));

	if (one == NULL || (one->file = strdup(file)) == NULL) {
		free(one);
		return;
	}
	memcpy(one->phrase, phrase, strlen(phrase) + 1);
	LIST_INSERT_HEAD(&p->known, one, entry);
}

bool
passphrases_get(struct passphrases *p, const char *file, char phrase[PASS_PHRASE_SIZE])
{
	const struct passphrase *one = find(p, file);

	if (one != NULL) {
		memcpy(phrase, one->phrase, sizeof(one->phrase));
		return true;
	}
	if (!p->asking || !ask(file, phrase))
		return false;
	passphrases_remember(p, file, phrase);
	return true;
}

void
passphrases_forget(struct passphrases *p, const char *file)
{
	struct passphrase *one = find(p, file);

	if (one != NULL)
		remove_phrase(one);
}
