#include "common/net/resolver.h"

#include "common/net/dns.h"
#include "common/net/dns_cache.h"
#include "common/net/reactor.h"

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum {
	/* A lost question costs 1 s.  Three dead servers cost 9 s, so that the words
	 * about them still fit into a connection's usual limit of 10 s. */
	TRY_MS = 1000,
	MOST_OF_A_FAMILY = 16, /* addresses; more would hardly be tried in time */
};

/* RFC 8305, 3: seconds that an A waits for the AAAA. */
static const double resolution_delay = 0.05;

/* The two questions, in the order in which their answers are delivered. */
enum {
	V6,
	V4,
	FAMILIES
};
static const int families[FAMILIES] = {AF_INET6, AF_INET};

struct resolver {
	struct ev_loop *loop;
	struct dns *dns;
	double try_seconds;
	struct dns_cache kept;
	LIST_HEAD(, resolver_query) queries; /* those that are wanted */
};

/* One of the two questions. */
struct half {
	struct resolver_query *query;
	int status; /* c-ares' verdict */
	int ttl;    /* seconds, the least of all that led here */
	size_t count;
	struct address found[MOST_OF_A_FAMILY];
};

/*
 * A query is held by its asker, until it is delivered or cancelled, and by c-ares, which
 * cannot forget a single question, until both halves are called back.  Whoever lets go
 * last frees it.
 */
struct resolver_query {
	struct resolver *resolver;
	resolve_done *done;
	void *arg;
	char *host; /* behind the query */
	uint16_t port;
	bool kept;        /* answered by what is kept */
	bool outdated;    /* its answer is not to be kept */
	bool wanted;      /* by its asker */
	bool settled;     /* what may still come does not count */
	size_t open;      /* halves that c-ares has not called back for */
	ev_timer deliver; /* calls done */
	LIST_ENTRY(resolver_query) entry;
	struct half halves[FAMILIES];
	size_t count; /* these two: what is delivered */
	struct address list[DNS_CACHE_ADDRESSES];
};

static_assert(DNS_CACHE_ADDRESSES == FAMILIES * MOST_OF_A_FAMILY, "all of a query");

struct resolver *
resolver_new(struct ev_loop *loop, struct err *e)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));
	struct dns_setup setup = {
	    .resolv_conf = "/etc/resolv.conf", .port = 53, .try_ms = TRY_MS};
	int failure = ARES_ENOMEM;

	if (resolver == NULL ||
	    (resolver->dns = dns_new(loop, &setup, &failure)) == NULL) {
		err_set(e, "starting c-ares: %s", dns_words(failure));
		free(resolver);
		return NULL;
	}
	resolver->loop = loop;
	dns_cache_init(&resolver->kept);
	resolver->try_seconds = setup.try_ms / 1e3;
	return resolver;
}

void
resolver_configure(
    struct resolver *resolver, const char *resolv_conf, uint16_t port, int try_ms)
{
	struct dns_setup setup = {
	    .resolv_conf = resolv_conf, .port = port, .try_ms = try_ms};

	dns_configure(resolver->dns, &setup);
	resolver->try_seconds = try_ms / 1e3;
}

/* The last one who holds the query lets go of it. */
static void
query_reap(struct resolver_query *query)
{
	if (!query->wanted && query->open == 0)
		free(query);
}

/* The asker lets go. */
static void
query_drop(struct resolver_query *query)
{
	ev_timer_stop(query->resolver->loop, &query->deliver);
	LIST_REMOVE(query, entry);
	query->wanted = false;
	query_reap(query);
}

void
resolver_free(struct resolver *resolver)
{
	if (resolver == NULL)
		return;
	while (!LIST_EMPTY(&resolver->queries))
		query_drop(LIST_FIRST(&resolver->queries));
	dns_free(resolver->dns);
	dns_cache_clear(&resolver->kept);
	free(resolver);
}

/* The addresses of both families in turn. */
static void
collect(struct resolver_query *query)
{
	for (size_t i = 0; i < MOST_OF_A_FAMILY; i++) {
		for (size_t f = 0; f < FAMILIES; f++) {
			if (i < query->halves[f].count)
				query->list[query->count++] = query->halves[f].found[i];
		}
	}
}

/* Keep what was found for its TTL, of which the hosts file has none. */
static void
keep(struct resolver_query *query)
{
	int ttl = INT_MAX;

	for (size_t f = 0; f < FAMILIES; f++)
		if (query->halves[f].count > 0 && query->halves[f].ttl < ttl)
			ttl = query->halves[f].ttl;
	if (query->count > 0 && ttl > 0 && !query->outdated)
		dns_cache_keep(&query->resolver->kept, query->host, query->list,
		    query->count, reactor_now() + ttl);
}

/* Why there is no address: that there is no such name, else what went wrong. */
static const char *
failure_words(const struct resolver_query *query)
{
	int v6 = query->halves[V6].status;
	int v4 = query->halves[V4].status;

	if (v6 == ARES_ENOTFOUND || v4 == ARES_ENODATA)
		return dns_words(v6);
	return dns_words(v4);
}

static void
on_deliver(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct resolver_query *query = timer->data;
	struct address list[DNS_CACHE_ADDRESSES];
	size_t count;
	const char *why;
	resolve_done *done = query->done;
	void *arg = query->arg;

	(void)loop;
	(void)events;
	if (!query->kept) {
		collect(query);
		keep(query);
	}
	count = query->count;
	memcpy(list, query->list, count * sizeof(list[0]));
	why = count > 0 ? NULL : failure_words(query);
	query_drop(query); /* first, as done may free the resolver */
	done(arg, list, count, why);
}

static void
deliver_in(struct resolver_query *query, double seconds)
{
	ev_timer_stop(query->resolver->loop, &query->deliver);
	ev_timer_set(&query->deliver, seconds, 0.);
	ev_timer_start(query->resolver->loop, &query->deliver);
}

/* A half was called back, perhaps from inside resolver_start(): see what to wait for. */
static void
query_turn(struct resolver_query *query)
{
	if (!query->wanted)
		query_reap(query);
	else if (query->settled || query->open == 0)
		deliver_in(query, 0.);
	else if (query->halves[V4].count > 0)
		deliver_in(query, resolution_delay);
	else if (query->halves[V6].count > 0)
		/* IPv4 works where IPv6 is set up badly: time for one more try. */
		deliver_in(query, 2 * query->resolver->try_seconds);
}

/* Whether the half has this address already. */
static bool
half_has(const struct half *half, const struct address *address)
{
	for (size_t i = 0; i < half->count; i++) {
		if (address_is_same_host(&half->found[i], address))
			return true;
	}
	return false;
}

static void
set_port(struct address *address, uint16_t port)
{
	if (address->any.sa_family == AF_INET6)
		address->in6.sin6_port = htons(port);
	else
		address->in.sin_port = htons(port);
}

static void
half_add(struct half *half, const struct ares_addrinfo_node *node)
{
	struct address *a = &half->found[half->count];

	if (half->count == MOST_OF_A_FAMILY || node->ai_addrlen > sizeof(a->in6))
		return;
	memset(a, 0, sizeof(*a));
	a->length = (socklen_t)node->ai_addrlen;
	memcpy(&a->any, node->ai_addr, a->length);
	set_port(a, half->query->port);
	if (!half_has(half, a))
		half->count++;
}

/* What an alias leads to is good for as long as the alias is, too. */
static int
least_ttl(const struct ares_addrinfo *result)
{
	int least = INT_MAX;

	for (const struct ares_addrinfo_node *n = result->nodes; n != NULL;
	     n = n->ai_next)
		if (n->ai_ttl < least)
			least = n->ai_ttl;
	for (const struct ares_addrinfo_cname *c = result->cnames; c != NULL; c = c->next)
		if (c->ttl < least)
			least = c->ttl;
	return least;
}

static void
on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *result)
{
	struct half *half = arg;
	struct resolver_query *query = half->query;

	(void)timeouts;
	half->status = status;
	if (status == ARES_SUCCESS && !query->settled) {
		for (struct ares_addrinfo_node *n = result->nodes; n != NULL;
		     n = n->ai_next)
			half_add(half, n);
		half->ttl = least_ttl(result);
	}
	ares_freeaddrinfo(result); /* NULL is fine */
	query->open--;
	query_turn(query);
}

/* Ask for both families. */
static void
ask(struct resolver_query *query, const char *host)
{
	query->open = FAMILIES;
	for (size_t f = 0; f < FAMILIES; f++)
		dns_ask(query->resolver->dns, host, families[f], on_answer,
		    &query->halves[f]);
	/*
	 * An address that is there at once is from the hosts file.  Then the other family
	 * does not come from the name server: who writes an IPv4 address into that file
	 * does not mean the IPv6 address that others see.
	 */
	if (query->halves[V6].count + query->halves[V4].count > 0) {
		query->settled = true;
		query_turn(query);
	}
}

/* What needs no question.  False: ask. */
static bool
answer_here(struct resolver_query *query, const char *host)
{
	struct address_name name = {.host = (char *)(uintptr_t)host, .port = query->port};
	struct address found[2];
	size_t count = address_name_addresses(&name, found);

	for (size_t i = 0; i < count; i++) {
		struct half *half =
		    &query->halves[found[i].any.sa_family == AF_INET6 ? V6 : V4];

		half->found[half->count++] = found[i];
	}
	return count > 0 ||
	       address_is_literal(host); /* of an interface that is not there */
}

/* There are other servers now, who may say something else. */
static void
forget_all(struct resolver *resolver)
{
	struct resolver_query *query;

	dns_cache_clear(&resolver->kept);
	LIST_FOREACH (query, &resolver->queries, entry)
		query->outdated = true;
}

/* What was asked for lately needs no question either. */
static bool
answer_from_kept(struct resolver_query *query)
{
	struct resolver *resolver = query->resolver;

	query->count =
	    dns_cache_find(&resolver->kept, query->host, reactor_now(), query->list);
	for (size_t i = 0; i < query->count; i++)
		set_port(&query->list[i], query->port);
	query->kept = query->count > 0;
	return query->kept;
}

static struct resolver_query *
query_new(struct resolver *resolver, const char *host)
{
	size_t room = strlen(host) + 1;
	struct resolver_query *query = calloc(1, sizeof(*query) + room);

	if (query == NULL)
		return NULL;
	query->resolver = resolver;
	query->host = memcpy(query + 1, host, room);
	query->wanted = true;
	for (size_t f = 0; f < FAMILIES; f++) {
		query->halves[f].query = query;
		query->halves[f].status = ARES_EBADNAME; /* until there is a verdict */
	}
	ev_timer_init(&query->deliver, on_deliver, 0., 0.);
	query->deliver.data = query;
	LIST_INSERT_HEAD(&resolver->queries, query, entry);
	return query;
}

struct resolver_query *
resolver_start(struct resolver *resolver, const char *host, uint16_t port,
    resolve_done *done, void *arg)
{
	struct resolver_query *query;

	if (dns_refresh(resolver->dns))
		forget_all(resolver);
	if ((query = query_new(resolver, host)) == NULL)
		return NULL;
	query->done = done;
	query->arg = arg;
	query->port = port;
	if (answer_here(query, host) || answer_from_kept(query))
		query_turn(query);
	else
		ask(query, host);
	return query;
}

void
resolver_prefer(
    struct resolver *resolver, const char *host, const struct address *address)
{
	dns_cache_prefer(&resolver->kept, host, address);
}

void
resolver_cancel(struct resolver_query *query)
{
	if (query != NULL)
		query_drop(query);
}

/* What resolver_now() waits for. */
struct now {
	struct ev_loop *loop;
	const char *host;
	double seconds;
	struct address *addresses;
	size_t most;
	size_t count;
	struct err *e;
};

static void
on_now_done(void *arg, const struct address *addresses, size_t count, const char *why)
{
	struct now *now = arg;

	now->count = count < now->most ? count : now->most;
	memcpy(now->addresses, addresses, now->count * sizeof(*addresses));
	if (count == 0)
		err_set(now->e, "look up %s: %s", now->host, why);
	ev_break(now->loop, EVBREAK_ALL);
}

static void
on_now_late(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct now *now = timer->data;

	(void)events;
	err_set(now->e, "look up %s: no answer within %g s", now->host, now->seconds);
	ev_break(loop, EVBREAK_ALL);
}

size_t
resolver_now(const char *host, uint16_t port, double seconds, struct address *addresses,
    size_t most, struct err *e)
{
	struct now now = {.host = host,
	    .seconds = seconds,
	    .addresses = addresses,
	    .most = most,
	    .e = e};
	struct resolver *resolver = NULL;
	ev_timer limit;

	if ((now.loop = ev_loop_new(EVFLAG_AUTO)) == NULL) {
		err_set(e, "look up %s: no event loop can be made", host);
		return 0;
	}
	if ((resolver = resolver_new(now.loop, e)) == NULL)
		goto out;
	if (resolver_start(resolver, host, port, on_now_done, &now) == NULL) {
		err_set(e, "look up %s: out of memory", host);
		goto out;
	}
	ev_timer_init(&limit, on_now_late, seconds, 0.);
	limit.data = &now;
	ev_timer_start(now.loop, &limit);
	ev_run(now.loop, 0);
out:
	resolver_free(resolver);
	ev_loop_destroy(now.loop);
	return now.count;
}
