#include "common/config/passphrase.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

struct pass_phrase {
	LIST_ENTRY(pass_phrase) entry;
	char *file;
	char phrase[PASS_PHRASE_SIZE];
};

struct pass_phrases {
	LIST_HEAD(, pass_phrase) known;
	bool asking;
};

struct pass_phrases *
pass_phrases_new(bool asking)
{
	struct pass_phrases *p = calloc(1, sizeof(*p));

	if (p != NULL) {
		LIST_INIT(&p->known);
		p->asking = asking;
	}
	return p;
}

static void
remove_phrase(struct pass_phrase *one)
{
	LIST_REMOVE(one, entry);
	OPENSSL_cleanse(one->phrase, sizeof(one->phrase));
	free(one->file);
	free(one);
}

void
pass_phrases_free(struct pass_phrases *p)
{
	struct pass_phrase *one;

	if (p == NULL)
		return;
	while ((one = LIST_FIRST(&p->known)) != NULL)
		remove_phrase(one);
	free(p);
}

void
pass_phrases_stop_asking(struct pass_phrases *p)
{
	p->asking = false;
}

bool
pass_phrases_are_asked(const struct pass_phrases *p)
{
	return p->asking;
}

static struct pass_phrase *
find(struct pass_phrases *p, const char *file)
{
	struct pass_phrase *one;

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
pass_phrases_remember(struct pass_phrases *p, const char *file, const char *phrase)
{
	struct pass_phrase *one = calloc(1, sizeof(*one));

	if (one == NULL || (one->file = strdup(file)) == NULL) {
		free(one);
		return;
	}
	memcpy(one->phrase, phrase, strlen(phrase) + 1);
	LIST_INSERT_HEAD(&p->known, one, entry);
}

bool
pass_phrases_get(struct pass_phrases *p, const char *file, char phrase[PASS_PHRASE_SIZE])
{
	const struct pass_phrase *one = find(p, file);

	if (one != NULL) {
		memcpy(phrase, one->phrase, sizeof(one->phrase));
		return true;
	}
	if (!p->asking || !ask(file, phrase))
		return false;
	pass_phrases_remember(p, file, phrase);
	return true;
}

void
pass_phrases_forget(struct pass_phrases *p, const char *file)
{
	struct pass_phrase *one = find(p, file);

	if (one != NULL)
		remove_phrase(one);
}
