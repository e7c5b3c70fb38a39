/*
 * The client's role: a legacy program connects in plaintext, and gets a channel to the
 * far end of the route.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "common/daemon/daemon.h"

extern const struct program client_program;

#endif
