/*
 * Whose name may stand in the Host field of a request to the status port.  A browser
 * sends the name of the page's own site, whoever that is: a site that has its name lead
 * to this address (DNS rebinding) could have visitors read the port for it.  Part of
 * status.
 */
#ifndef COMMON_STATUS_HOST_H
#define COMMON_STATUS_HOST_H

#include "common/base/strlist.h"

#include <stdbool.h>

/** Is @host, in lower case and without a port, ours?  That is an address, localhost, this
 * host's name, a name inside of a cluster (NAME, NAME.NAMESPACE.svc with or without
 * cluster.local), or one of @more; "": there was none, which no browser leaves out. */
bool status_host_is_ours(const char *host, const struct strlist *more);

#endif
