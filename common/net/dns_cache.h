/*
 * The addresses of names, each kept for its TTL and no longer.  Belongs to one thread.
 * Times are seconds by the caller's clock, which never jumps.
 */
#ifndef COMMON_NET_DNS_CACHE_H
#define COMMON_NET_DNS_CACHE_H

#include "common/base/net.h"

#include <sys/queue.h>

enum {
	/** Names; of more the one kept first is forgotten. */
	NAME_CACHE_NAMES = 256,
	/** Addresses of a name. */
	NAME_CACHE_ADDRESSES = 32,
};

struct name_cache {
	TAILQ_HEAD(name_cached_list, name_cached) names; /* the newest first */
	size_t count;
};

void name_cache_init(struct name_cache *cache);
void name_cache_clear(struct name_cache *cache);

/** Keep what @host was answered by, instead of what was kept before, until @expiry.  Out
 * of memory: it is not kept. */
void name_cache_keep(struct name_cache *cache, const char *host,
    const struct net_address *addresses, size_t count, double expiry);

/** How many addresses of @host are kept, and written; 0: ask for it. */
size_t name_cache_find(struct name_cache *cache, const char *host, double now,
    struct net_address addresses[NAME_CACHE_ADDRESSES]);

/** @address has answered: of those of @host it comes first from now on. */
void name_cache_prefer(
    struct name_cache *cache, const char *host, const struct net_address *address);

#endif
