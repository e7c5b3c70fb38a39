/*
 * The addresses of names, each kept for its TTL and no longer.  Belongs to one thread.
 * Times are seconds by the caller's clock, which never jumps.
 */
#ifndef COMMON_NET_DNS_CACHE_H
#define COMMON_NET_DNS_CACHE_H

#include "common/base/address.h"

#include <sys/queue.h>

enum {
	/** Names; of more the one kept first is forgotten. */
	DNS_CACHE_NAMES = 256,
	/** Addresses of a name. */
	DNS_CACHE_ADDRESSES = 32,
};

struct dns_cache {
	TAILQ_HEAD(name_cached_list, name_cached) names; /* the newest first */
	size_t count;
};

void dns_cache_init(struct dns_cache *cache);
void dns_cache_clear(struct dns_cache *cache);

/** Keep what @host was answered by, instead of what was kept before, until @expiry.  Out
 * of memory: it is not kept. */
void dns_cache_keep(struct dns_cache *cache, const char *host,
    const struct address *addresses, size_t count, double expiry);

/** How many addresses of @host are kept, and written; 0: ask for it. */
size_t dns_cache_find(struct dns_cache *cache, const char *host, double now,
    struct address addresses[DNS_CACHE_ADDRESSES]);

/** @address has answered: of those of @host it comes first from now on. */
void dns_cache_prefer(
    struct dns_cache *cache, const char *host, const struct address *address);

#endif
