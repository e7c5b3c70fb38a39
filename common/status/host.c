#include "common/status/host.h"

#include <arpa/inet.h>
#include <limits.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static bool
is_address(const char *host)
{
	struct in6_addr address;

	return inet_pton(AF_INET, host, &address) == 1 ||
	       inet_pton(AF_INET6, host, &address) == 1;
}

static bool
ends_in(const char *host, const char *end)
{
	size_t length = strlen(host), tail = strlen(end);

	return length > tail && strcmp(host + length - tail, end) == 0;
}

static bool
is_own_name(const char *host)
{
	char own[HOST_NAME_MAX + 1];

	if (gethostname(own, sizeof(own)) != 0)
		return false;
	own[sizeof(own) - 1] = '\0';
	return strcasecmp(host, own) == 0;
}

/* No name server of the world outside answers for one of these. */
static bool
is_in_cluster(const char *host)
{
	return strchr(host, '.') == NULL || ends_in(host, ".svc") ||
	       ends_in(host, ".svc.cluster.local");
}

static bool
is_among(const char *host, const struct strlist *more)
{
	for (size_t i = 0; i < more->count; i++)
		if (strcasecmp(host, more->items[i]) == 0)
			return true;
	return false;
}

bool
status_host_is_ours(const char *host, const struct strlist *more)
{
	return host[0] == '\0' || is_address(host) || is_in_cluster(host) ||
	       is_own_name(host) || is_among(host, more);
}
