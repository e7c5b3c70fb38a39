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

struct attempts {
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

/** @tried has room for as many as @service has targets; both outlive the attempts. */
void attempts_init(struct attempts *a, struct service *service, bool *tried);

/** What is left of the memory for words. */
void attempts_clear(struct attempts *a);

/** It is the next target's turn.  False: there is none, or no time is left. */
bool attempts_next(struct attempts *a);

/** Whose turn it is. */
struct target *attempts_target(const struct attempts *a);

/** Seconds that it has, perhaps less than none. */
double attempts_left(const struct attempts *a);

/** All the time that is left is for this one.  False: it has that already. */
bool attempts_extend(struct attempts *a);

/** It failed, and if there are others it is left alone for a while.  @detail in words, or
 * NULL. */
void attempts_fail(struct attempts *a, enum reason reason, const char *detail);

/** It failed, which says nothing of the target. */
void attempts_blame(struct attempts *a, enum reason reason, const char *detail);

/** It answered. */
void attempts_succeed(struct attempts *a);

/** None is reached: one line in the log for somebody to act on.  Returns why each failed,
 * in words, which the caller clears; empty where there was no memory for them. */
struct buf attempts_give_up(struct attempts *a);

#endif
