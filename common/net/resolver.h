/*
 * Names to addresses, without ever blocking a loop.  One resolver belongs to one loop and
 * its thread.  Only this room knows c-ares.
 *
 * A and AAAA are asked for side by side, each with its own limit of time, so that a
 * server which leaves one of them unanswered does not hold back the other.  Answers
 * are kept for their TTL and no longer.  When resolv.conf has changed the next question
 * reads it again, and nothing that was kept before counts.
 *
 * A name in the hosts file is not asked for at all, as nsswitch.conf orders; the
 * environment variable CARES_HOSTS names another hosts file.
 */
#ifndef COMMON_NET_RESOLVER_H
#define COMMON_NET_RESOLVER_H

#include "common/base/address.h"
#include "common/base/err.h"

#include <ev.h>
#include <stddef.h>
#include <stdint.h>

struct resolver;
struct resolver_query;

/** What a question brought: @count addresses, IPv6 and IPv4 in turn (RFC 8305, 4), none
 * twice; or 0 and @why (plain words: "no such name", "the name server does not answer",
 * ...).  Both are only valid during the call, which may free the resolver. */
typedef void
resolve_done(void *arg, const struct address *addresses, size_t count, const char *why);

/** NULL: out of memory, or c-ares could not start (@e). */
struct resolver *resolver_new(struct ev_loop *loop, struct err *e);

/** Open queries end without a call to their resolve_done.  NULL is fine. */
void resolver_free(struct resolver *resolver);

/**
 * For tests and special setups: from the next question on read @resolv_conf, which must
 * outlive the resolver, ask its servers at @port (host byte order), and ask again after
 * @try_ms milliseconds, then a last time for twice as long.
 */
void resolver_configure(
    struct resolver *resolver, const char *resolv_conf, uint16_t port, int try_ms);

/**
 * Look @host up; every address gets @port (host byte order).  A literal address and
 * localhost are answered here, without a question.  @done is called exactly once, never
 * from inside this call, unless resolver_cancel() or resolver_free() comes first.  NULL:
 * out of memory.  The query is gone once @done is called.
 */
struct resolver_query *resolver_start(struct resolver *resolver, const char *host,
    uint16_t port, resolve_done *done, void *arg);

/** @address has answered.  While the answer that brought it is kept it is the first that
 * @host leads to, so that one that is dead does not cost every connection a wait. */
void resolver_prefer(
    struct resolver *resolver, const char *host, const struct address *address);

/** Forget a query; its @done is not called.  NULL is fine.  Not for use inside @done. */
void resolver_cancel(struct resolver_query *query);

/** For start-up alone: waits, on a loop of its own, for at most @seconds.  Returns how
 * many addresses were written, at most @most; 0: @e says why ("look up db.example: no
 * such name"). */
size_t resolver_now(const char *host, uint16_t port, double seconds,
    struct address *addresses, size_t most, struct err *e);

#endif
