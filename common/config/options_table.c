#include "common/config/options_table.h"

#include "common/config/settings.h"
#include "common/config/unsupported.h"

#include <openssl/ssl.h>

/* The same default in both programs. */
#define BOTH(text)                                                                       \
	{                                                                                \
		text, text                                                               \
	}

static const struct option_word roles[] = {
    {"yes", ROLE_CLIENT},
    {"no", ROLE_SERVER},
    {NULL, 0},
};

static const struct option_word levels[] = {
    {"emerg", LOG_LEVEL_ERROR},
    {"alert", LOG_LEVEL_ERROR},
    {"crit", LOG_LEVEL_ERROR},
    {"err", LOG_LEVEL_ERROR},
    {"warning", LOG_LEVEL_WARNING},
    {"notice", LOG_LEVEL_INFO},
    {"info", LOG_LEVEL_INFO},
    {"debug", LOG_LEVEL_DEBUG},
    {"0", LOG_LEVEL_ERROR},
    {"1", LOG_LEVEL_ERROR},
    {"2", LOG_LEVEL_ERROR},
    {"3", LOG_LEVEL_ERROR},
    {"4", LOG_LEVEL_WARNING},
    {"5", LOG_LEVEL_INFO},
    {"6", LOG_LEVEL_INFO},
    {"7", LOG_LEVEL_DEBUG},
    {NULL, 0},
};

static const struct option_word yes_no[] = {
    {"yes", 1},
    {"no", 0},
    {NULL, 0},
};

static const struct option_word log_modes[] = {
    {"append", LOG_APPEND},
    {"overwrite", LOG_OVERWRITE},
    {NULL, 0},
};

static const struct option_word log_ids[] = {
    {"sequential", LOG_ID_SEQUENTIAL},
    {"unique", LOG_ID_UNIQUE},
    {"thread", LOG_ID_THREAD},
    {"process", LOG_ID_PROCESS},
    {"none", LOG_ID_NONE},
    {NULL, 0},
};

static const struct option_word foregrounds[] = {
    {"yes", FOREGROUND_YES},
    {"no", FOREGROUND_NO},
    {"quiet", FOREGROUND_QUIET},
    {NULL, 0},
};

static const struct option_word failovers[] = {
    {"prio", FAILOVER_PRIO},
    {"rr", FAILOVER_RR},
    {NULL, 0},
};

static const struct option_word multiplexes[] = {
    {"auto", MULTIPLEX_AUTO},
    {"yes", MULTIPLEX_YES},
    {"no", MULTIPLEX_NO},
    {NULL, 0},
};

/* stunnel's other words are understood, to be refused with their reason. */
static const struct option_word protocols[] = {
    {"none", PROTOCOL_NONE},
    {"proxy", PROTOCOL_PROXY},
    {"connect", PROTOCOL_CONNECT},
    {"capwin", PROTOCOL_NEGOTIATED},
    {"capwinctrl", PROTOCOL_NEGOTIATED},
    {"cifs", PROTOCOL_NEGOTIATED},
    {"imap", PROTOCOL_NEGOTIATED},
    {"ldap", PROTOCOL_NEGOTIATED},
    {"nntp", PROTOCOL_NEGOTIATED},
    {"pgsql", PROTOCOL_NEGOTIATED},
    {"pop3", PROTOCOL_NEGOTIATED},
    {"smtp", PROTOCOL_NEGOTIATED},
    {"socks", PROTOCOL_SOCKS},
    {NULL, 0},
};

static const struct option_word protocol_versions[] = {
    {"1", 1},
    {"2", 2},
    {NULL, 0},
};

/* NTLM is understood, to be refused with its reason. */
static const struct option_word authentications[] = {
    {"basic", AUTHENTICATION_BASIC},
    {"ntlm", AUTHENTICATION_NTLM},
    {NULL, 0},
};

/* 0 is "as far as routeport goes".  What is too old is understood, to be refused with
 * its reason. */
static const struct option_word versions[] = {
    {"all", 0},
    {"SSLv2", SSL2_VERSION},
    {"SSLv3", SSL3_VERSION},
    {"TLSv1", TLS1_VERSION},
    {"TLSv1.1", TLS1_1_VERSION},
    {"TLSv1.2", TLS1_2_VERSION},
    {"TLSv1.3", TLS1_3_VERSION},
    {NULL, 0},
};

static const struct option_word verify_levels[] = {
    {"0", VERIFY_IGNORE},
    {"1", VERIFY_IF_SHOWN},
    {"2", VERIFY_CHAIN},
    {"3", VERIFY_CHAIN_AND_PEER},
    {"4", VERIFY_PEER},
    {NULL, 0},
};

#define VERSIONS "all, TLSv1.2, TLSv1.3"

static const struct option rows[] = {
    {
	.name = "include",
	.type = OPTION_NOTHING,
	.scope = OPTION_GLOBAL,
	.syntax = "folder, repeatable",
	.help = "Stands for all files in this folder, in the order of their names and "
		"without those that begin with a dot, as if their lines were written "
		"here; it may stand in a section too, which they then go on with",
    },
    {
	.name = "debug",
	.type = OPTION_WORD,
	.scope = OPTION_GLOBAL,
	.anywhere = true,
	.offset = OPTION_AT(settings, debug, enum log_level),
	.fallback = BOTH("5"),
	.words = levels,
	.cut_at = '.',
	.syntax = "[FACILITY.]LEVEL, which is 0 to 7, or emerg, alert, crit, err, "
		  "warning, notice, info, debug",
	.help =
	    "How much is logged: up to 3 what somebody must act on, 4 also what is "
	    "degraded, 5 and 6 also the life cycle of every stream, 7 everything. A "
	    "facility in front (daemon.info) is for syslog. In a section it holds for "
	    "all services too, where it asks for more than the others do",
    },
    {
	.name = "output",
	.type = OPTION_TEXT,
	.scope = OPTION_GLOBAL,
	.offset = OPTION_AT(settings, output, char *),
	.syntax = "file",
	.help =
	    "Append the log to this file, besides stderr. Root opens it only where each "
	    "folder and link of the path is root's and nobody else may write to it; "
	    "else it is opened as the user of setuid, in the folder of chroot",
    },
    {
	.name = "log",
	.type = OPTION_WORD,
	.scope = OPTION_GLOBAL,
	.offset = OPTION_AT(settings, log_mode, enum log_mode),
	.fallback = BOTH("append"),
	.words = log_modes,
	.help = "overwrite: empty that file at the start; a reload, or SIGUSR1, appends",
    },
    {
	.name = "syslog",
	.type = OPTION_YES_NO,
	.scope = OPTION_GLOBAL,
	.offset = OPTION_AT(settings, syslog, bool),
	.fallback_help = BOTH("yes with foreground = no, else no"),
	.help =
	    "Send the log to /dev/log too, with the facility that debug names (daemon "
	    "unless it does). Nothing waits for it: what it does not take at once is "
	    "lost there",
    },
    {
	.name = "service",
	.type = OPTION_TEXT,
	.scope = OPTION_GLOBAL,
	.offset = OPTION_AT(settings, service, char *),
	.fallback = {"routeport-client", "routeport-server"},
	.syntax = "name",
	.help = "The name that stands in the system's log",
    },
    {
	.name = "foreground",
	.type = OPTION_WORD,
	.scope = OPTION_GLOBAL,
	.offset = OPTION_AT(settings, foreground, enum foreground),
	.fallback = BOTH("yes"),
	.words = foregrounds,
	.help = "yes stays in the foreground and logs to stderr, quiet stays without "
		"stderr, no becomes a daemon (which is stunnel's default)",
    },
    {
	.name = "pid",
	.type = OPTION_TEXT,
	.scope = OPTION_GLOBAL,
	.offset = OPTION_AT(settings, pid, char *),
	.may_be_empty = true,
	.syntax = "file",
	.help =
	    "Write the process number to this file, in the folder of chroot if there is "
	    "one, and by the same rule as output; empty: to none",
    },
    {
	.name = "status",
	.type = OPTION_ADDRESSES,
	.scope = OPTION_GLOBAL,
	.offset = OPTION_AT(settings, status, struct name_list),
	.any_host = "0.0.0.0",
	.help =
	    "Answer HTTP here: /livez and /readyz for probes, /metrics for Prometheus. "
	    "PORT alone listens on all IPv4 addresses, and where the host has none on "
	    "all "
	    "IPv6 ones, which a kubelet needs",
    },
    {
	.name = "statusHost",
	.type = OPTION_TEXTS,
	.scope = OPTION_GLOBAL,
	.offset = OPTION_AT(settings, status_hosts, struct strlist),
	.syntax = "host name, repeatable",
	.help = "Answer /metrics there by this name, too, besides addresses, localhost, "
		"this host's own name and names inside of a cluster. Who asks by "
		"another one is refused, so that no web site can read it through a "
		"visitor's browser",
    },
    {
	.name = "setuid",
	.type = OPTION_TEXT,
	.scope = OPTION_GLOBAL,
	.offset = OPTION_AT(settings, setuid, char *),
	.syntax = "user or number",
	.help = "Once everything is open become this user, of /etc/passwd, and of the "
		"user's group",
    },
    {
	.name = "setgid",
	.type = OPTION_TEXT,
	.scope = OPTION_GLOBAL,
	.offset = OPTION_AT(settings, setgid, char *),
	.syntax = "group or number",
	.help = "Once everything is open be of this group, of /etc/group, and no other",
    },
    {
	.name = "chroot",
	.type = OPTION_TEXT,
	.scope = OPTION_GLOBAL,
	.offset = OPTION_AT(settings, chroot, char *),
	.syntax = "folder",
	.help =
	    "Once everything is open see nothing outside this folder: files that change "
	    "are then looked for in it by the same names, and so are resolv.conf and "
	    "hosts",
    },
    {
	.name = "sandbox",
	.type = OPTION_YES_NO,
	.scope = OPTION_GLOBAL,
	.offset = OPTION_AT(settings, sandbox, bool),
	.fallback = BOTH("yes"),
	.help =
	    "Once everything is open give up what is not needed any more: no new "
	    "privileges, no debugger or core file, and (Landlock, where the kernel has "
	    "it) no files but the folders of certificates and of this file to read, "
	    "what name lookups need, and the log's folder to write",
    },
    {
	.name = "workers",
	.type = OPTION_INTEGER,
	.scope = OPTION_GLOBAL,
	.offset = OPTION_AT(settings, workers, long),
	.fallback = BOTH("0"),
	.min = 0,
	.max = 1024,
	.help = "Threads that move bytes; 0: as many as the CPU affinity and the "
		"container's CPU limit allow",
    },
    {
	.name = "maxConnections",
	.type = OPTION_INTEGER,
	.scope = OPTION_GLOBAL,
	.offset = OPTION_AT(settings, max_connections, long),
	.fallback = BOTH("0"),
	.min = 0,
	.max = 10000000,
	.help =
	    "Streams open at the same time; 0: as many as the limit of file "
	    "descriptors allows. Above it the client accepts no more until one ends, "
	    "and the server turns away so that another target is tried. In the "
	    "server there may be as many carriers besides, or 64; and of those in a "
	    "handshake, at most half of it and at most one for each 256 KiB of memory "
	    "that the container's limit allows, refused ones among them, "
	    "the one that came least far gives way to whoever else comes",
    },
    {
	.name = "maxStreams",
	.type = OPTION_INTEGER,
	.offset = OPTION_AT(service_settings, max_streams, long),
	.fallback = BOTH("0"),
	.min = 0,
	.max = 10000000,
	.help = "As maxConnections, for one service; 0: no limit of its own",
    },
    {
	.name = "TIMEOUTlinger",
	.type = OPTION_SECONDS,
	.scope = OPTION_GLOBAL,
	.offset = OPTION_AT(settings, timeout_linger, double),
	.fallback = {"0", "10"},
	.min = 0,
	.max = 86400,
	.help =
	    "After SIGTERM, go on accepting for this long before TIMEOUTdrain begins: "
	    "the router hears only later that the pod is going",
    },
    {
	.name = "windowBudget",
	.type = OPTION_INTEGER,
	.scope = OPTION_GLOBAL,
	.offset = OPTION_AT(settings, window_budget, long),
	.fallback = BOTH("64"),
	.min = 0,
	.max = 1048576,
	.syntax = "0 to 1048576 MiB",
	.help = "With multiplex, by how much the windows of all streams together may "
		"grow beyond the 64 KiB that each begins with: so much memory fills when "
		"programs stop reading",
    },
    {
	.name = "TIMEOUTdrain",
	.type = OPTION_SECONDS,
	.scope = OPTION_GLOBAL,
	.offset = OPTION_AT(settings, timeout_drain, double),
	.fallback = BOTH("15"),
	.min = 0,
	.max = 86400,
	.help = "After SIGTERM, wait this long for open streams to end before they are "
		"reset",
    },
    {
	.name = "client",
	.type = OPTION_WORD,
	.offset = OPTION_AT(service_settings, role, enum role),
	.fallback = {"yes", "no"},
	.words = roles,
	.help = "Which program runs a section: routeport-client takes those with yes, "
		"routeport-server those with no, and each takes those that do not say",
    },
    {
	.name = "accept",
	.type = OPTION_ADDRESSES,
	.any_port = true,
	.offset = OPTION_AT(service_settings, accept, struct name_list),
	.fallback_help = BOTH("none, needed"),
	.any_host = "0.0.0.0",
	.help =
	    "Listen here: for legacy programs in the client, for TLS in the server. "
	    "PORT alone listens on all IPv4 addresses, and where the host has none on "
	    "all IPv6 ones; :::PORT on both; port 0 is a free one, which the log tells "
	    "(event=listening). Two that overlap, as 127.0.0.1:PORT and PORT do, are an "
	    "error. Lines of a section add to those before the first section",
    },
    {
	.name = "connect",
	.type = OPTION_ADDRESSES,
	.offset = OPTION_AT(service_settings, connect, struct name_list),
	.fallback_help = BOTH("none, needed"),
	.any_host = "localhost",
	.help =
	    "Forward to this address: the route in the client, the app in the server. "
	    "PORT alone is on localhost. Of several, failover says which one is taken. "
	    "One that leads back to an accept of the same file, without an end, is an "
	    "error. Lines of a section add to those before the first section",
    },
    {
	.name = "failover",
	.type = OPTION_WORD,
	.offset = OPTION_AT(service_settings, failover, enum failover_order),
	.fallback = BOTH("prio"),
	.words = failovers,
	.help = "Of several connect lines: prio takes the first that does not rest after "
		"a failure, rr takes them in turn",
    },
    {
	.name = "logId",
	.type = OPTION_WORD,
	.offset = OPTION_AT(service_settings, log_id, enum log_id),
	.fallback = BOTH("sequential"),
	.words = log_ids,
	.help =
	    "What stands behind stream= in the log: a number that counts up, one that is "
	    "unique among all programs and hosts, that of the thread or of the process, "
	    "or 0",
    },
    {
	.name = "local",
	.type = OPTION_TEXT,
	.offset = OPTION_AT(service_settings, local, char *),
	.fallback_help = BOTH("the system's choice"),
	.syntax = "address of this host, or localhost",
	.help = "Dial from this address; what has no address of its family is not tried",
    },
    {
	.name = "socket",
	.type = OPTION_SOCKETS,
	.offset = OPTION_AT(service_settings, socket, struct socket_option_list),
	.fallback_help = BOTH("r and l:TCP_NODELAY=yes, a:SO_REUSEADDR=yes; towards "
			      "programs SO_KEEPALIVE=yes"),
	.help = "An option of setsockopt(2) for sockets that listen (a), were accepted "
		"(l), or dial (r), such as l:TCP_KEEPIDLE=60. Lines of a section add to "
		"those before the first section; those of a take a restart",
    },
    {
	.name = "retry",
	.type = OPTION_NOTHING,
	.words = yes_no,
	.max = 86400000,
	.syntax = "yes, no, or milliseconds",
	.help = "No effect: in stunnel it concerns programs that exec starts",
    },
    {
	.name = "reset",
	.type = OPTION_NOTHING,
	.words = yes_no,
	.fallback_help = BOTH("yes"),
	.syntax = "yes, no",
	.help = "No effect: an abort is always told from an end",
    },
    {
	.name = "sni",
	.type = OPTION_TEXT,
	.offset = OPTION_AT(service_settings, sni, char *),
	.fallback_help = {"host of connect", "none"},
	.may_be_empty = true,
	.syntax = "host name; in a server SERVICE:PATTERN, repeatable",
	.help =
	    "In the client: the name sent in the TLS handshake, by which the router "
	    "finds the route; empty: none. In the server: who dials the section SERVICE "
	    "and asks for a name that fits PATTERN (*.example.com fits any name that "
	    "ends so) is served by this section, which has no accept then; the first "
	    "that fits is taken, and SERVICE itself where none does",
    },
    {
	.name = "sniStrict",
	.type = OPTION_YES_NO,
	.roles = OPTION_SERVER,
	.offset = OPTION_AT(service_settings, sni_strict, bool),
	.fallback = {NULL, "no"},
	.help =
	    "In a section that others name by sni, yes: refuse who asks for a name that "
	    "fits none of them, with the alert unrecognized_name. The section may name "
	    "itself by sni, for names of its own",
    },
    {
	.name = "cert",
	.type = OPTION_TEXTS,
	.offset = OPTION_AT(service_settings, cert, struct strlist),
	.anew = true,
	.fallback_help = {"none", "none, needed"},
	.syntax = "file, repeatable",
	.help =
	    "Our certificate and its chain, in PEM, or in PKCS#12 with the key. "
	    "Several lines, one for each kind of key (RSA, ECDSA, Ed25519), and the "
	    "far end is shown the one that it takes. Lines of a section replace those "
	    "before the first section",
    },
    {
	.name = "key",
	.type = OPTION_TEXTS,
	.offset = OPTION_AT(service_settings, key, struct strlist),
	.anew = true,
	.fallback_help = BOTH("as cert"),
	.syntax = "file, repeatable",
	.help = "The private key of the certificate, in PEM or PKCS#12; of several, one "
		"line for each cert, in the same order",
    },
    {
	.name = "keyPassFile",
	.type = OPTION_TEXT,
	.offset = OPTION_AT(service_settings, key_pass_file, char *),
	.syntax = "file",
	.help = "The first line of this file is the pass phrase of an encrypted key or "
		"PKCS#12 file. Without it, the terminal is asked at the start",
    },
    {
	.name = "PSKsecrets",
	.type = OPTION_TEXT,
	.offset = OPTION_AT(service_settings, psk_secrets, char *),
	.syntax = "file",
	.help =
	    "Pre-shared keys in place of certificates, IDENTITY:KEY in each line: at "
	    "least 16 bytes, or 32 hexadecimal digits. The server lets in who has one "
	    "of them; beside cert and CAfile, also who has a certificate",
    },
    {
	.name = "PSKidentity",
	.type = OPTION_TEXT,
	.offset = OPTION_AT(service_settings, psk_identity, char *),
	.fallback_help = {"the first of PSKsecrets", "-"},
	.syntax = "identity",
	.help = "Which of them the client uses; without effect in the server",
    },
    {
	.name = "CAfile",
	.type = OPTION_TEXT,
	.offset = OPTION_AT(service_settings, ca_file, char *),
	.fallback_help = {"the system's store", "needed, or CApath"},
	.syntax = "file",
	.help =
	    "Trusted certificates, in PEM; with CAfile or CApath the system's store is "
	    "not used",
    },
    {
	.name = "CApath",
	.type = OPTION_TEXT,
	.offset = OPTION_AT(service_settings, ca_path, char *),
	.syntax = "folder",
	.help = "Trusted certificates, in a folder prepared by openssl rehash. Read at "
		"the start, at a reload, and when the folder changes",
    },
    {
	.name = "CAstore",
	.type = OPTION_TEXT,
	.offset = OPTION_AT(service_settings, ca_store, char *),
	.syntax = "URI",
	.help = "Trusted certificates, wherever OpenSSL's store loaders find them: "
		"file:/etc/ssl/my.pem, or what a provider adds. Read at the start and at "
		"a reload; with it the system's store is not used",
    },
    {
	.name = "CRLfile",
	.type = OPTION_TEXT,
	.offset = OPTION_AT(service_settings, crl_file, char *),
	.syntax = "file",
	.help = "Revocation lists, in PEM: one for each CA in a peer's chain, and in "
		"date, else the peer is refused",
    },
    {
	.name = "CRLpath",
	.type = OPTION_TEXT,
	.offset = OPTION_AT(service_settings, crl_path, char *),
	.syntax = "folder",
	.help = "The same, in a folder prepared by openssl rehash",
    },
    {
	.name = "verifyChain",
	.type = OPTION_YES_NO,
	.offset = OPTION_AT(service_settings, verify_chain, bool),
	.fallback = BOTH("yes"),
	.help =
	    "The peer's certificate must lead to a trusted one (stunnel's default is "
	    "no). Written out, yes implies requireCert = yes, unless requireCert comes "
	    "after it; no also drops the default of checkHost",
    },
    {
	.name = "verifyPeer",
	.type = OPTION_YES_NO,
	.offset = OPTION_AT(service_settings, verify_peer, bool),
	.fallback = BOTH("no"),
	.help =
	    "The peer's own certificate must be in CAfile, CApath or CAstore. Without a "
	    "written verifyChain = yes that is enough: its issuer, and by default its "
	    "names, do not matter",
    },
    {
	.name = "verify",
	.type = OPTION_WORD,
	.offset = OPTION_AT(service_settings, verify_level, enum verify_level),
	.words = verify_levels,
	.help =
	    "Obsolete. 0: ask for a certificate and ignore it; 1: verifyChain, but not "
	    "requireCert; 2: verifyChain; 3: verifyChain and verifyPeer; 4: verifyPeer "
	    "alone",
    },
    {
	.name = "requireCert",
	.type = OPTION_YES_NO,
	.offset = OPTION_AT(service_settings, require_cert, bool),
	.fallback = BOTH("yes"),
	.help = "In the server: refuse a client that shows no certificate (stunnel's "
		"default is no). With no, and neither CAfile nor CApath, anyone may come "
		"in. In the client: no effect, for a server always shows one",
    },
    {
	.name = "checkHost",
	.type = OPTION_TEXTS,
	.offset = OPTION_AT(service_settings, check_host, struct strlist),
	.may_be_empty = true,
	.fallback_help = {"as sni", "none"},
	.syntax = "host name, repeatable; or empty",
	.help =
	    "The peer's certificate must have one of these names (stunnel checks none "
	    "by default). In the client, if only a wildcard fits, that counts with "
	    "multiplex, else only where the wildcard itself is written here, or "
	    "verifyPeer or checkFingerprint names the certificate: the router has such "
	    "a one, too. A certificate without any subjectAltName is taken by its CN, "
	    "and the log says so. Empty: in the client, neither sni nor connect says "
	    "what to check, so that any certificate of these CAs will do (stunnel's "
	    "default); "
	    "it also forgets the lines before it. Lines of a section add to those before "
	    "the first section",
    },
    {
	.name = "checkIP",
	.type = OPTION_TEXTS,
	.offset = OPTION_AT(service_settings, check_ip, struct strlist),
	.fallback_help = {"connect, if it is an address and there is no sni", "none"},
	.syntax = "address, repeatable",
	.help = "The peer's certificate may have one of these addresses instead: of all "
		"check "
		"rules, any one that fits lets the peer in",
    },
    {
	.name = "checkEmail",
	.type = OPTION_TEXTS,
	.offset = OPTION_AT(service_settings, check_email, struct strlist),
	.syntax = "NAME@HOST, repeatable",
	.help = "Or one of these mail addresses",
    },
    {
	.name = "checkURI",
	.type = OPTION_TEXTS,
	.offset = OPTION_AT(service_settings, check_uri, struct strlist),
	.syntax = "URI, repeatable",
	.help = "Or one of these URIs, such as a SPIFFE id, to the letter; a \"*\" at "
		"the end, "
		"behind a whole authority, is any rest, with slashes in it too",
    },
    {
	.name = "checkSubject",
	.type = OPTION_TEXTS,
	.offset = OPTION_AT(service_settings, check_subject, struct strlist),
	.syntax = "CN=, O= or OU= and a pattern, repeatable",
	.help = "Or such a subject, in which \"*\" is any number of letters; of several "
		"parts, "
		"with a comma between two, all must fit: O=Acme, OU=Sales*",
    },
    {
	.name = "checkFingerprint",
	.type = OPTION_TEXTS,
	.offset = OPTION_AT(service_settings, check_fingerprint, struct strlist),
	.syntax = "64 hexadecimal digits, repeatable",
	.help =
	    "Or a public key with this SHA-256 (of the DER SubjectPublicKeyInfo), colons "
	    "optional. With verifyChain = no, and no other rule, the key alone decides",
    },
    {
	.name = "sslVersion",
	.type = OPTION_WORD,
	.offset = OPTION_AT(service_settings, tls_min, int),
	.also = OPTION_AT(service_settings, tls_max, int),
	.fallback_help = BOTH("all"),
	.words = versions,
	.syntax = VERSIONS,
	.help = "Exactly this version of TLS: sslVersionMin and sslVersionMax in one",
    },
    {
	.name = "sslVersionMin",
	.type = OPTION_WORD,
	.offset = OPTION_AT(service_settings, tls_min, int),
	.fallback_help = BOTH("TLSv1.2"),
	.words = versions,
	.syntax = VERSIONS,
	.help = "The oldest version of TLS; anything below TLSv1.2 is raised to it",
    },
    {
	.name = "sslVersionMax",
	.type = OPTION_WORD,
	.offset = OPTION_AT(service_settings, tls_max, int),
	.fallback_help = BOTH("all"),
	.words = versions,
	.syntax = VERSIONS,
	.help = "The newest version of TLS; all: the newest that OpenSSL has",
    },
    {
	.name = "ciphers",
	.type = OPTION_TEXT,
	.offset = OPTION_AT(service_settings, ciphers, char *),
	.fallback_help = BOTH("OpenSSL's, as far as they have forward secrecy"),
	.syntax = "a list of OpenSSL's",
	.help = "Ciphers of TLS 1.2. Those without forward secrecy (static RSA, or a "
		"pre-shared key alone) are used only where they are written here",
    },
    {
	.name = "ciphersuites",
	.type = OPTION_TEXT,
	.offset = OPTION_AT(service_settings, ciphersuites, char *),
	.fallback_help = BOTH("OpenSSL's"),
	.syntax = "a list of OpenSSL's",
	.help = "Ciphers of TLS 1.3",
    },
    {
	.name = "curves",
	.alias = "curve",
	.type = OPTION_TEXT,
	.offset = OPTION_AT(service_settings, curves, char *),
	.fallback_help = BOTH("OpenSSL's"),
	.syntax = "a list of OpenSSL's",
	.help = "Groups for the key exchange, a colon between two",
    },
    {
	.name = "securityLevel",
	.type = OPTION_INTEGER,
	.offset = OPTION_AT(service_settings, security_level, long),
	.fallback = BOTH("2"),
	.min = 0,
	.max = 5,
	.help = "How strong keys, digests and groups must be at least, by OpenSSL's "
		"levels: 2 is 112 bits, RSA and DH of 2048, no SHA-1",
    },
    {
	.name = "options",
	.type = OPTION_TEXTS,
	.offset = OPTION_AT(service_settings, options, struct strlist),
	.syntax = "one of OpenSSL's, repeatable",
	.help = "An option of OpenSSL's, as in SSL_CTX_set_options(3) without SSL_OP_; "
		"with - in front it is cleared",
    },
    {
	.name = "config",
	.type = OPTION_TEXTS,
	.offset = OPTION_AT(service_settings, config, struct strlist),
	.syntax = "COMMAND[:PARAMETER], repeatable",
	.help = "A command of OpenSSL's, as in SSL_CONF_cmd(3) for files; what has an "
		"option of its own here is better written by that",
    },
    {
	.name = "renegotiation",
	.type = OPTION_YES_NO,
	.offset = OPTION_AT(service_settings, renegotiation, bool),
	.fallback = BOTH("no"),
	.syntax = "no",
	.help = "TLS 1.2 is never negotiated anew (stunnel's default is yes)",
    },
    {
	.name = "fips",
	.type = OPTION_YES_NO,
	.offset = OPTION_AT(service_settings, fips, bool),
	.fallback = BOTH("no"),
	.help = "yes: use what OpenSSL's FIPS provider has, and nothing else; an error "
		"where there is none",
    },
    {
	.name = "OCSPaia",
	.type = OPTION_YES_NO,
	.offset = OPTION_AT(service_settings, ocsp_aia, bool),
	.fallback = BOTH("no"),
	.help =
	    "Ask the OCSP responders that the peer's certificate names whether it was "
	    "revoked, before anything is let through. A client needs not ask where the "
	    "server staples a good answer. A server also staples one about its own, and "
	    "gives clients whom it asks about no session to take up again",
    },
    {
	.name = "OCSP",
	.type = OPTION_TEXT,
	.offset = OPTION_AT(service_settings, ocsp_url, char *),
	.syntax = "http://HOST[:PORT]/PATH",
	.help = "Ask this OCSP responder, first; else as OCSPaia",
    },
    {
	.name = "OCSPrequire",
	.type = OPTION_YES_NO,
	.offset = OPTION_AT(service_settings, ocsp_require, bool),
	.fallback = BOTH("yes"),
	.help = "With OCSP or OCSPaia, refuse a peer of whom no responder says that it "
		"is good. no: warn, and let it through",
    },
    {
	.name = "OCSPflag",
	.type = OPTION_TEXTS,
	.offset = OPTION_AT(service_settings, ocsp_flag, struct strlist),
	.syntax = "NOCERTS, NOINTERN, NOCHAIN, NOEXPLICIT, TRUSTOTHER, repeatable",
	.help = "How an answer is verified, as in OCSP_basic_verify(3)",
    },
    {
	.name = "OCSPnonce",
	.type = OPTION_YES_NO,
	.offset = OPTION_AT(service_settings, ocsp_nonce, bool),
	.fallback = BOTH("no"),
	.help = "Send a number along, by which an old answer is found out where the "
		"responder gives it back",
    },
    {
	.name = "TIMEOUTocsp",
	.type = OPTION_SECONDS,
	.offset = OPTION_AT(service_settings, timeout_ocsp, double),
	.fallback = BOTH("5"),
	.min = 1,
	.max = 60,
	.help = "Time for asking OCSP responders, within TIMEOUTconnect or TIMEOUTbusy",
    },
    {
	.name = "sessionResume",
	.type = OPTION_YES_NO,
	.offset = OPTION_AT(service_settings, session_resume, bool),
	.fallback = BOTH("yes"),
	.help = "Take up TLS sessions again, which saves most of a handshake",
    },
    {
	.name = "sessionCacheSize",
	.type = OPTION_INTEGER,
	.offset = OPTION_AT(service_settings, session_cache_size, long),
	.fallback = {NULL, "1000"},
	.fallback_help = {"-", NULL},
	.min = 0,
	.max = 10000000,
	.help = "Sessions that the server keeps, of some 6 KiB each; 0: any number. The "
		"client keeps one for each target, or for each of its servers",
    },
    {
	.name = "sessionCacheTimeout",
	.alias = "session",
	.type = OPTION_INTEGER,
	.offset = OPTION_AT(service_settings, session_cache_timeout, long),
	.fallback = BOTH("300"),
	.min = 1,
	.max = 604800,
	.syntax = "1 to 604800 seconds",
	.help = "A session is good for this long, a ticket too, and the client pays a "
		"full handshake after it, however often it was given another one",
    },
    {
	.name = "ticketKeySecret",
	.type = OPTION_TEXT,
	.offset = OPTION_AT(service_settings, ticket_key_secret, char *),
	.fallback_help = {"-", "none"},
	.syntax = "32 or 64 hexadecimal digits",
	.help = "With ticketMacSecret, sessions are kept in tickets by the clients, and "
		"outlive a restart, or go to another server that has the same two "
		"secrets. The keys made of them change with the time, every "
		"sessionCacheTimeout. Without effect in the client",
    },
    {
	.name = "ticketMacSecret",
	.type = OPTION_TEXT,
	.offset = OPTION_AT(service_settings, ticket_mac_secret, char *),
	.fallback_help = {"-", "none"},
	.syntax = "32 or 64 hexadecimal digits",
	.help = "The same, for the other half of what protects a ticket",
    },
    {
	.name = "protocol",
	.type = OPTION_WORD,
	.offset = OPTION_AT(service_settings, protocol, enum protocol),
	.fallback = BOTH("none"),
	.words = protocols,
	.syntax = "none, connect, proxy",
	.help =
	    "In the client, connect: connect is an HTTP proxy, which is asked for the "
	    "way to protocolHost. In the server, proxy: ahead of the stream's own bytes "
	    "the app gets a PROXY "
	    "header (HAProxy's), which it must expect, with the address of who "
	    "connected: "
	    "with multiplex the legacy program, else whoever dialled us, which is the "
	    "router",
    },
    {
	.name = "protocolVersion",
	.type = OPTION_WORD,
	.roles = OPTION_SERVER,
	.offset = OPTION_AT(service_settings, protocol_version, int),
	.fallback = {NULL, "1"},
	.words = protocol_versions,
	.help =
	    "Of the PROXY header: 1 is a line of text with the two addresses, 2 is "
	    "binary "
	    "and has SNI, TLS version, cipher and the common name (CN) in the client's "
	    "certificate besides",
    },
    {
	.name = "protocolHost",
	.type = OPTION_TEXT,
	.roles = OPTION_CLIENT,
	.offset = OPTION_AT(service_settings, protocol_host, char *),
	.fallback_help = {"none, needed with protocol = connect", NULL},
	.syntax = "HOST:PORT",
	.help = "The route behind the HTTP proxy; sni and checkHost follow from it",
    },
    {
	.name = "protocolAuthentication",
	.type = OPTION_WORD,
	.roles = OPTION_CLIENT,
	.offset =
	    OPTION_AT(service_settings, protocol_authentication, enum authentication),
	.fallback = {"basic", NULL},
	.words = authentications,
	.syntax = "basic",
	.help = "How to prove to the HTTP proxy who we are",
    },
    {
	.name = "protocolUsername",
	.type = OPTION_TEXT,
	.roles = OPTION_CLIENT,
	.offset = OPTION_AT(service_settings, protocol_username, char *),
	.syntax = "name",
	.help = "Who we are to the HTTP proxy",
    },
    {
	.name = "protocolPassword",
	.type = OPTION_TEXT,
	.roles = OPTION_CLIENT,
	.offset = OPTION_AT(service_settings, protocol_password, char *),
	.syntax = "password",
	.help = "The password to that; it travels unencrypted, and is never logged",
    },
    {
	.name = "protocolHeader",
	.type = OPTION_TEXTS,
	.roles = OPTION_CLIENT,
	.offset = OPTION_AT(service_settings, protocol_header, struct strlist),
	.syntax = "NAME: VALUE, repeatable",
	.help = "A header field more for the HTTP proxy. Lines of a section add to those "
		"before the first section",
    },
    {
	.name = "multiplex",
	.type = OPTION_WORD,
	.offset = OPTION_AT(service_settings, multiplex, enum multiplex),
	.fallback = BOTH("auto"),
	.words = multiplexes,
	.help =
	    "Many streams over few TLS connections, which needs routeport at the other "
	    "end. auto: if it can; yes: it must; no: each stream has a TLS connection "
	    "of its own",
    },
    {
	.name = "carriers",
	.type = OPTION_INTEGER,
	.offset = OPTION_AT(service_settings, carriers, long),
	.fallback = {"4", NULL},
	.min = 1,
	.max = 64,
	.help = "With multiplex, at most this many TLS connections to a target, for each "
		"worker; a second is opened when the first is busy",
    },
    {
	.name = "delay",
	.type = OPTION_YES_NO,
	.offset = OPTION_AT(service_settings, delay, bool),
	.fallback = {"no", NULL},
	.help = "With multiplex, yes: open no TLS connection before the first stream",
    },
    {
	.name = "streamWindow",
	.type = OPTION_INTEGER,
	.offset = OPTION_AT(service_settings, stream_window, long),
	.fallback = BOTH("4"),
	.min = 1,
	.max = 1024,
	.syntax = "1 to 1024 MiB",
	.help =
	    "With multiplex, how far the window of one stream may grow: what may be on "
	    "its way to this end, or wait here for its program. More than TCP takes at "
	    "the other end, or in the router, gains nothing",
    },
    {.name = "freshFor",
	.type = OPTION_SECONDS,
	.roles = OPTION_CLIENT,
	.offset = OPTION_AT(service_settings, fresh_for, double),
	.fallback = {"5", NULL},
	.min = 0,
	.max = 86400,
	.help =
	    "With multiplex, new streams leave a TLS connection that is this old for a "
	    "new one, so that they go where the router sends connections by now; the "
	    "old one keeps its streams to their end. It is opened when a stream "
	    "comes, and resumes a session. 0: only maxAge counts"},
    {
	.name = "maxAge",
	.type = OPTION_SECONDS,
	.roles = OPTION_CLIENT,
	.offset = OPTION_AT(service_settings, max_age, double),
	.fallback = {"3600", NULL},
	.min = 0,
	.max = 31536000,
	.help =
	    "With multiplex, open a new TLS connection in place of one that is this "
	    "old, give or take a tenth, also while no stream comes; the old one keeps "
	    "its streams to their end. 0: never",
    },
    {
	.name = "keepalive",
	.type = OPTION_SECONDS,
	.offset = OPTION_AT(service_settings, keepalive, double),
	.fallback = BOTH("30"),
	.min = 1,
	.max = 3600,
	.help =
	    "After so much silence show that the path is in use, so that nobody on it "
	    "cuts it as idle. With multiplex: ask for a sign of life when nothing came; "
	    "without, on TLS 1.3: send a heartbeat that asks for nothing when nothing "
	    "was sent. The client sends sooner once it has seen two TLS connections to "
	    "a target cut after the same, shorter silence (event=idle-limit)",
    },
    {
	.name = "keepaliveTimeout",
	.type = OPTION_SECONDS,
	.offset = OPTION_AT(service_settings, keepalive_timeout, double),
	.fallback = BOTH("10"),
	.min = 1,
	.max = 3600,
	.help =
	    "A TLS connection is lost, and its streams are reset, when what keepalive "
	    "sent is not answered within this long: with multiplex by a sign of life of "
	    "the far end, without by an acknowledgement of TCP",
    },
    {
	.name = "TIMEOUTconnect",
	.type = OPTION_SECONDS,
	.offset = OPTION_AT(service_settings, timeout_connect, double),
	.fallback = BOTH("10"),
	.min = 1,
	.max = 3600,
	.help = "Time for opening a stream as a whole: names, TCP, TLS and the far end's "
		"answer, over all of the connect lines",
    },
    {
	.name = "TIMEOUTbusy",
	.type = OPTION_SECONDS,
	.offset = OPTION_AT(service_settings, timeout_busy, double),
	.fallback = BOTH("30"),
	.min = 1,
	.max = 30,
	.clamped = true,
	.help = "Time for the handshake of a peer that dialled us; more than 30, such as "
		"stunnel's default of 300, is taken as 30",
    },
    {
	.name = "TIMEOUTidle",
	.type = OPTION_SECONDS,
	.offset = OPTION_AT(service_settings, timeout_idle, double),
	.fallback = BOTH("43200"),
	.min = 1,
	.max = 31536000,
	.help =
	    "Reset a stream over which nothing has moved for this long; keepalives do "
	    "not count",
    },
    {
	.name = "TIMEOUTclose",
	.type = OPTION_SECONDS,
	.offset = OPTION_AT(service_settings, timeout_close, double),
	.fallback = BOTH("60"),
	.min = 0,
	.max = 86400,
	.help = "Once both directions are over, wait this long for the peer's "
		"close_notify, or for what is left to be taken, which gets at least a "
		"second; it never cuts a half-closed stream. Behind a fatal alert of "
		"ours TCP stays open for so long, unless the peer closes it sooner: "
		"a FIN could make the router throw bytes away",
    },
};

const struct option_table settings_rows = {
    .rows = rows,
    .count = sizeof(rows) / sizeof(rows[0]),
    .refusals = settings_unsupported,
};
