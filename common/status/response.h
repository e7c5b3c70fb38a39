/*
 * What the status port says to a request: the whole answer, as bytes.  Part of status.
 */
#ifndef COMMON_STATUS_RESPONSE_H
#define COMMON_STATUS_RESPONSE_H

#include "common/status/http_request.h"
#include "common/status/readiness.h"
#include "common/status/subject.h"
#include "common/worker/generation.h"

/** What it is said from. */
struct status_facts {
	const struct status_subject *about;
	struct readiness *readiness;
	struct generation *generation; /* held; NULL: none yet */
	struct settings *settings;     /* held, with it */
	const char *stopping;          /* why; NULL: it is not */
};

/** Is the request about what readiness_ask() tells? */
bool status_needs_apps(const struct status_facts *facts, const struct request *request);

/** Answer @request; @code, unless 0, is what it is refused with.  *@answer is the
 * caller's to free, also on failure.  False: out of memory. */
bool status_answer(const struct status_facts *facts, const struct request *request,
    int code, char **answer, size_t *length);

#endif
