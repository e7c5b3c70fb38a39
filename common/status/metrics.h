/*
 * What the status port tells, in Prometheus' text format 0.0.4.  Part of status.  One row
 * is all there is to a metric; server/README.md's table follows these rows.
 */
#ifndef COMMON_STATUS_METRICS_H
#define COMMON_STATUS_METRICS_H

#include "common/status/subject.h"
#include "common/worker/generation.h"

#include <stdio.h>

/** Write every metric; @generation: whose services are told of.  False: out of memory. */
bool metrics_write(FILE *out, const struct status_subject *about,
    const struct generation *generation, bool stopping);

#endif
