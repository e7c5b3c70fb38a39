/*
 * The server's role: TLS arrives from the router, and what is inside goes to the app.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "common/daemon/daemon.h"

extern const struct program server_program;

#endif
