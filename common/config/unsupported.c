#include "common/config/unsupported.h"

const struct option_refusal settings_unsupported[] = {
    /* what routeport will not do */
    {
	.names = "exec execArgs pty",
	.why = "is refused: routeport starts no programs; run the program as a TCP "
	       "server and name it by connect",
    },
    {
	.names = "transparent",
	.why = "is refused: routeport does not dial under foreign addresses; remove the "
	       "line: protocol = proxy tells the app who connected",
    },
    {
	.names = "ident libwrap",
	.why =
	    "is refused: TCP wrappers are no protection any more; remove the line: "
	    "verifyChain and checkHost say who may come in, a firewall says from where",
    },
    {
	.names = "redirect",
	.why = "is refused: a peer that is not let in is not sent elsewhere; remove the "
	       "line, and have another section accept whom it was for",
    },
    {
	.names = "compression",
	.why = "is refused: compression inside TLS gives secrets away; remove the line",
    },
    {
	.names = "engine*",
	.why = "is refused: OpenSSL is giving engines up; name files by cert and key",
    },
    {
	.names = "provider*",
	.why = "is refused: providers are chosen by OpenSSL's own configuration "
	       "(openssl.cnf); remove the line",
    },
    {
	.names = "CAengine",
	.why = "is refused: name the trusted certificates by CAfile or CApath",
    },
    {
	.names = "EGD RND*",
	.why = "is refused: OpenSSL takes its random numbers from the kernel; remove "
	       "the line",
    },
    {
	.names = "sessiond",
	.why = "is refused: sessions are not shared between hosts; remove the line",
    },
    {
	.names = "stack",
	.why = "is refused: streams have no stacks of their own; remove the line",
    },
    {
	.names = "taskbar icon*",
	.why = "is refused: there is no window to show it in; remove the line",
    },
    {
	.names = "setEnv",
	.why = "is refused: set the variable in the environment of the program",
    },
    {
	.names = "protocolDomain",
	.why = "is refused: it is for NTLM, which routeport does not speak; to an HTTP "
	       "proxy it only proves itself by protocolAuthentication = basic",
    },
    {NULL, NULL},
};
