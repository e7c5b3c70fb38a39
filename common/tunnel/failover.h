/*
 * The targets of one opening, tried one after the other: whose turn it is, how much of
 * TIMEOUTconnect it has, and why those before it failed.
 */
#ifndef COMMON_TUNNEL_FAILOVER_H
#define COMMON_TUNNEL_FAILOVER_H

#include "common/base/buf.h"
#include "common/base/reason.h"
#include "common/carrier/service.h"

#include <stdbool.h>
#include <stddef.h>

struct failover_walk {
	struct service *service;
	bool *tried;        /* by target; the caller's */
	size_t beginning;   /* the target to begin the round with */
	size_t current;     /* the one whose turn it is */
	size_t untried;     /* how many are left */
	double deadline;    /* of them all; both by reactor_now() */
	double share_ends;  /* of the current one */
	enum reason reason; /* of the first failure */
	struct buf words;   /* why each failed */
};

/** @tried has room for as many as @service has targets; both outlive the walk. */
void failover_init(struct failover_walk *a, struct service *service, bool *tried);

/** What is left of the memory for words. */
void failover_clear(struct failover_walk *a);

/** It is the next target's turn.  False: there is none, or no time is left. */
bool failover_next(struct failover_walk *a);

/** Whose turn it is. */
struct target *failover_target(const struct failover_walk *a);

/** Client: another one that has rested, for pool_look().  NULL: there is none. */
struct target *failover_look(const struct failover_walk *a);

/** Seconds that it has, perhaps less than none. */
double failover_left(const struct failover_walk *a);

/** All the time that is left is for this one.  False: it has that already. */
bool failover_extend(struct failover_walk *a);

/** It failed, and if there are others it is left alone for a while.  @detail in words, or
 * NULL. */
void failover_fail(struct failover_walk *a, enum reason reason, const char *detail);

/** It failed, which says nothing of the target. */
void failover_blame(struct failover_walk *a, enum reason reason, const char *detail);

/** It answered. */
void failover_succeed(struct failover_walk *a);

/** None is reached: one line in the log for somebody to act on.  Returns why each failed,
 * in words, which the caller clears; empty where there was no memory for them. */
struct buf failover_give_up(struct failover_walk *a);

#endif
