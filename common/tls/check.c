/*
 * What is wrong with the settings of a context, part by part: a context is made from each
 * of them alone, so that one fault does not hide another.
 */
#include "common/tls/internal.h"
#include "common/pki/credentials.h"

#include <openssl/err.h>
#include <stddef.h>
#include <string.h>

#define PLACE(field) offsetof(struct service_settings, field)

/* Those that are one text. */
static const size_t texts[] = {
    PLACE(ciphersuites),
    PLACE(curves),
    PLACE(ciphers),
    PLACE(ca_file),
    PLACE(ca_path),
    PLACE(ca_store),
    PLACE(crl_file),
    PLACE(crl_path),
    PLACE(psk_secrets),
};

/* Those that are a list. */
static const size_t lists[] = {PLACE(config), PLACE(options)};

static void *
at(struct service_settings *s, size_t place)
{
	return (char *)s + place;
}

/* @s without its parts, and without secrets whose file would be warned of each time. */
static struct service_settings
strip(const struct service_settings *s)
{
	struct service_settings bare = *s;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		memset(at(&bare, texts[i]), 0, sizeof(char *));
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		memset(at(&bare, lists[i]), 0, sizeof(struct strlist));
	bare.cert = bare.key = (struct strlist){0};
	bare.key_pass_file = bare.ticket_key_secret = bare.protocol_password = NULL;
	bare.system_ca = false;
	return bare;
}

/* A context of @part; NULL: it was told why not. */
static SSL_CTX *
load(const struct service_settings *part, const struct tls_listener *listener)
{
	struct err e = {.text = "out of memory"};
	SSL_CTX *context = tls_options_begin(part, &e);
	struct tls_secrets *secrets = context != NULL ? tls_secrets_new(context) : NULL;

	if (secrets != NULL && tls_options_load(context, part, &e) &&
	    credentials_load(context, part, &e) &&
	    tls_psk_load(context, part, secrets, &e) &&
	    tls_options_end(context, part, &e))
		return context;
	listener->tell(listener->owner, &e);
	ERR_clear_error();
	SSL_CTX_free(context);
	return NULL;
}

static void
judge(const struct service_settings *part, const struct tls_listener *listener)
{
	SSL_CTX_free(load(part, listener));
}

static void
judge_texts(const struct service_settings *s, const struct tls_listener *listener)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct service_settings part = strip(s);

		memcpy(at(&part, texts[i]), (const char *)s + texts[i], sizeof(char *));
		judge(&part, listener);
	}
}

static void
judge_lists(const struct service_settings *s, const struct tls_listener *listener)
{
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct strlist all;

		memcpy(&all, (const char *)s + lists[i], sizeof(all));
		for (size_t j = 0; j < all.count; j++) {
			struct service_settings part = strip(s);
			const struct strlist one = {all.items + j, 1};

			memcpy(at(&part, lists[i]), &one, sizeof(one));
			judge(&part, listener);
		}
	}
}

static void
judge_pairs(const struct service_settings *s, const struct tls_listener *listener)
{
	for (size_t i = 0; i < s->cert.count && i < s->key.count; i++) {
		const struct service_settings bare = strip(s);
		SSL_CTX *context = load(&bare, listener);

		if (context != NULL)
			credentials_check(context, s, i, listener);
		SSL_CTX_free(context);
	}
}

void
tls_context_check(const struct service_settings *s, const struct tls_listener *listener)
{
	struct service_settings trust = strip(s);

	trust.system_ca = s->system_ca;
	judge(&trust, listener);
	judge_lists(s, listener);
	judge_texts(s, listener);
	judge_pairs(s, listener);
}
