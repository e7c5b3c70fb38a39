#include "common/net/dns_cache.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct name_cached {
	TAILQ_ENTRY(name_cached) entry;
	char *host;
	double expiry;
	size_t count;
	struct address addresses[];
};

static void
forget(struct dns_cache *cache, struct name_cached *name)
{
	TAILQ_REMOVE(&cache->names, name, entry);
	cache->count--;
	free(name->host);
	free(name);
}

void
dns_cache_init(struct dns_cache *cache)
{
	TAILQ_INIT(&cache->names);
	cache->count = 0;
}

void
dns_cache_clear(struct dns_cache *cache)
{
	while (!TAILQ_EMPTY(&cache->names))
		forget(cache, TAILQ_FIRST(&cache->names));
}

static struct name_cached *
look_for(const struct dns_cache *cache, const char *host)
{
	struct name_cached *name;

	TAILQ_FOREACH (name, &cache->names, entry)
		if (strcasecmp(name->host, host) == 0)
			return name;
	return NULL;
}

static struct name_cached *
make(const char *host, const struct address *addresses, size_t count)
{
	size_t size = count * sizeof(*addresses);
	struct name_cached *name = malloc(sizeof(*name) + size);

	if (name == NULL)
		return NULL;
	if ((name->host = strdup(host)) == NULL) {
		free(name);
		return NULL;
	}
	name->count = count;
	memcpy(name->addresses, addresses, size);
	return name;
}

void
dns_cache_keep(struct dns_cache *cache, const char *host, const struct address *addresses,
    size_t count, double expiry)
{
	struct name_cached *name = look_for(cache, host);

	if (name != NULL)
		forget(cache, name);
	if (count > DNS_CACHE_ADDRESSES)
		count = DNS_CACHE_ADDRESSES;
	if ((name = make(host, addresses, count)) == NULL)
		return;
	name->expiry = expiry;
	if (cache->count == DNS_CACHE_NAMES)
		forget(cache, TAILQ_LAST(&cache->names, name_cached_list));
	TAILQ_INSERT_HEAD(&cache->names, name, entry);
	cache->count++;
}

size_t
dns_cache_find(struct dns_cache *cache, const char *host, double now,
    struct address addresses[DNS_CACHE_ADDRESSES])
{
	struct name_cached *name = look_for(cache, host);

	if (name == NULL)
		return 0;
	if (now >= name->expiry) {
		forget(cache, name);
		return 0;
	}
	memcpy(addresses, name->addresses, name->count * sizeof(*addresses));
	return name->count;
}

void
dns_cache_prefer(struct dns_cache *cache, const char *host, const struct address *address)
{
	struct name_cached *name = look_for(cache, host);
	struct address chosen;
	size_t i;

	for (i = 0; name != NULL && i < name->count; i++)
		if (address_is_same_host(&name->addresses[i], address))
			break;
	if (name == NULL || i == name->count)
		return;
	chosen = name->addresses[i];
	memmove(&name->addresses[1], &name->addresses[0], i * sizeof(chosen));
	name->addresses[0] = chosen;
}
