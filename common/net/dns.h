/*
 * c-ares on a libev loop, for resolver.c alone.  It asks one question for one family at a
 * time and reads resolv.conf again when that has changed, which c-ares itself does not
 * (1.18) or does only in a thread of its own.
 *
 * An answer may be called back from inside dns_ask(), dns_free() or the loop.
 */
#ifndef COMMON_NET_DNS_H
#define COMMON_NET_DNS_H

#include <ares.h>
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

struct dns;

struct dns_setup {
	const char *resolv_conf; /* must outlive struct dns */
	uint16_t port;           /* of the name servers, host byte order */
	int try_ms; /* for the first try; the second and last has twice that */
};

/** NULL: a status of c-ares in *@failure. */
struct dns *dns_new(struct ev_loop *loop, const struct dns_setup *setup, int *failure);

/** What is still open is answered with ARES_EDESTRUCTION.  Not for use in an answer.
 * NULL is fine. */
void dns_free(struct dns *dns);

/** Used from the next dns_refresh() on. */
void dns_configure(struct dns *dns, const struct dns_setup *setup);

/** Read resolv.conf again if it has changed.  True: so it was. */
bool dns_refresh(struct dns *dns);

/** Ask for the addresses of @host in one @family.  @answer is called exactly once, and
 * owns its result. */
void dns_ask(struct dns *dns, const char *host, int family, ares_addrinfo_callback answer,
    void *arg);

/** A status of c-ares in plain words, in the view of whoever asked for a name. */
const char *dns_words(int status);

#endif
