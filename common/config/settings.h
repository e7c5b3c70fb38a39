/*
 * What one .ini file says.  Read once, checked, then never changed: any thread may look.
 * All text is owned by the struct settings; settings_free() gives everything back.
 */
#ifndef COMMON_CONFIG_SETTINGS_H
#define COMMON_CONFIG_SETTINGS_H

#include "common/base/address.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/socket_option.h"
#include "common/config/diagnostics.h"
#include "common/config/option.h"
#include "common/config/passphrase.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/** `multiplex`: many streams on a TLS connection never, if the peer can, or always. */
enum multiplex {
	MULTIPLEX_NO,
	MULTIPLEX_AUTO,
	MULTIPLEX_YES
};

/** `failover`: of several targets the first that does not rest, or each in turn. */
enum failover_order {
	FAILOVER_PRIO,
	FAILOVER_RR
};

/** `protocol`: what is said ahead of TLS in the client, ahead of a stream's bytes in the
 * server.  After settings_load() it is none, in a client connect or in a server proxy;
 * the others are understood to be refused with their reason. */
enum protocol {
	PROTOCOL_NONE,
	PROTOCOL_PROXY,      /* the app gets a PROXY header */
	PROTOCOL_CONNECT,    /* an HTTP proxy is asked for the way to the route */
	PROTOCOL_NEGOTIATED, /* TLS begins in the middle of another protocol */
	PROTOCOL_SOCKS,
};

/** `protocolAuthentication`; ntlm is understood to be refused with its reason. */
enum authentication {
	AUTHENTICATION_BASIC,
	AUTHENTICATION_NTLM
};

/** The obsolete `verify`. */
enum verify_level {
	VERIFY_IGNORE,
	VERIFY_IF_SHOWN,
	VERIFY_CHAIN,
	VERIFY_CHAIN_AND_PEER,
	VERIFY_PEER
};

/** `log`: what becomes of an output file at the start. */
enum log_mode {
	LOG_APPEND,
	LOG_OVERWRITE
};

/** `logId`: what stands behind "stream=" in the log. */
enum log_id {
	LOG_ID_SEQUENTIAL,
	LOG_ID_UNIQUE,
	LOG_ID_THREAD,
	LOG_ID_PROCESS,
	LOG_ID_NONE
};

/** `foreground`: yes, no (become a daemon) or quiet (stay, without stderr). */
enum foreground {
	FOREGROUND_YES,
	FOREGROUND_NO,
	FOREGROUND_QUIET
};

/** `sni` in a server: who comes through the listen sockets of @section and asks for such
 * a name is served by the section of this line. */
struct sni_rule {
	char *section;
	char *pattern; /* see hostname_fits() */
};

struct sni_rule_list {
	struct sni_rule *items;
	size_t count;
};

/** Where one line of a section, or of the defaults before the first, stands. */
struct settings_line {
	const char *file; /* of struct settings */
	int line;
	size_t place; /* how many lines were read before it */
};

/** One section: one thing that is forwarded.  Times are in seconds. */
struct service_settings {
	char *name;
	char
	    *text; /* the lines that it was read from: the same text, the same settings */
	char *file; /* where its [section] stands; not that of struct settings, perhaps */
	int line;
	size_t place;                /* how many lines were read before that one */
	struct settings_line *lines; /* where those of @text stand, in their order */
	size_t line_count;
	bool faulty; /* something is wrong with it: only for who checks */
	enum role role;

	struct name_list accept;
	struct name_list connect;
	enum log_id log_id;
	long max_streams; /* 0: no limit of its own */
	struct socket_option_list
	    socket;  /* those of `a` hold as long as a listen socket is open */
	char *local; /* NULL: none, and no addresses */
	struct address local_addresses[2]; /* the source of what we dial, by family */
	size_t local_count;
	enum failover_order failover;

	struct strlist cert; /* at most SETTINGS_CERTIFICATES, of different kinds */
	struct strlist key;  /* one for each of them, the same file unless given */
	char *key_pass_file; /* NULL: none */
	struct passphrases *phrases; /* that open the others; NULL: none does */
	char *psk_secrets;           /* a file; NULL: none */
	char *psk_identity;          /* client; NULL: the first in the file */
	char *ca_file;               /* NULL: none */
	char *ca_path;               /* NULL: none */
	char *ca_store;              /* NULL: none */
	bool system_ca; /* trust the system's store: a client that verifies, without
			   CAfile, CApath, CAstore */
	char *crl_file; /* NULL: none */
	char *crl_path; /* NULL: none */
	bool verify_chain;
	bool verify_peer; /* the peer's own certificate must be among the trusted ones;
			     without verify_chain that is enough */
	enum verify_level
	    verify_level;  /* of the obsolete option; only while settings are read */
	bool require_cert; /* a client always verifies a server that shows one */
	bool ask_cert;     /* server: send a CertificateRequest */
	/* Rules: any one that fits lets the peer in; all empty: there is no rule. */
	struct strlist check_host;
	struct strlist check_ip;
	struct strlist check_email;
	struct strlist check_uri;
	struct strlist check_subject;
	struct strlist check_fingerprint; /* 64 hexadecimal digits in lower case */
	char *sni;                        /* client: the name sent; NULL: none */
	/** Server, and the next.  If they name other sections `accept` is empty. */
	struct sni_rule_list sni_rules;
	bool sni_strict; /* refuse a name that no rule for these listen sockets fits */

	int tls_min;            /* TLS1_2_VERSION ... */
	int tls_max;            /* 0: the newest that OpenSSL has */
	char *ciphers;          /* NULL: OpenSSL's */
	char *ciphersuites;     /* NULL: OpenSSL's */
	char *curves;           /* NULL: OpenSSL's */
	struct strlist options; /* OpenSSL's names, "-" in front clears */
	struct strlist config;  /* COMMAND or COMMAND:PARAMETER for SSL_CONF_cmd(3) */
	long security_level;
	bool renegotiation; /* refused where it is true */
	bool fips;

	bool ocsp_aia;  /* ask the responders that a certificate names */
	char *ocsp_url; /* ask this one; NULL: none */
	bool ocsp_require;
	bool ocsp_nonce;
	struct strlist ocsp_flag; /* as written */
	unsigned long ocsp_flags; /* the same, for OCSP_basic_verify(3) */
	double timeout_ocsp;

	bool session_resume;
	long session_cache_size;    /* of the server; 0: any number */
	long session_cache_timeout; /* seconds, at least 1 */
	char *ticket_key_secret;    /* server: hexadecimal digits; both or none; never to
				       be logged */
	char *ticket_mac_secret;
	enum multiplex multiplex;
	long carriers;      /* client: h2 carriers to a target, per worker */
	bool delay;         /* client: open none before the first stream */
	double fresh_for;   /* client: of h2 carriers, for new streams; 0: any */
	double max_age;     /* client: of h2 carriers; 0: any */
	long stream_window; /* both: of h2 carriers, MiB */
	double keepalive;   /* both, and the next */
	double keepalive_timeout;
	enum protocol protocol;
	int protocol_version; /* server: of PROXY, 1 or 2 */

	/* Client with protocol = connect; the targets are HTTP proxies then. */
	char *protocol_host;       /* as it was written; NULL: no proxy */
	struct address_name route; /* the same: what the proxy is asked for */
	enum authentication protocol_authentication;
	char *protocol_username; /* these two: both, or both NULL */
	char *protocol_password; /* never to be logged */
	struct strlist protocol_header;

	double timeout_busy;
	double timeout_close;
	double timeout_connect;
	double timeout_idle;
};

enum {
	/** Of a service: certificates, and files that it is made from. */
	SETTINGS_CERTIFICATES = 4,
	SETTINGS_FILES = 16,
};

struct settings {
	atomic_int holders;
	char *file;             /* as given on the command line */
	struct strlist folders; /* that it includes */
	struct strlist parts;   /* the files in them */
	enum log_level debug;
	char *output; /* NULL: none */
	enum log_mode log_mode;
	bool syslog;
	char *service; /* the name there; never NULL */
	int facility;  /* LOG_DAEMON and the like */
	char *pid;     /* NULL: none */
	char *setuid;  /* these three: NULL: none */
	char *setgid;
	char *chroot;
	bool sandbox;            /* give up rights that are not needed after the start */
	struct name_list status; /* where the status port listens */
	struct strlist status_hosts; /* by what more names it may be asked */
	enum foreground foreground;
	long workers;          /* 0: as many as the machine allows */
	long max_connections;  /* 0: from the descriptor limit */
	long window_budget;    /* MiB */
	double timeout_linger; /* these two in seconds */
	double timeout_drain;

	/** Those of this role alone, in the file's order; at least one. */
	struct service_settings *services;
	size_t service_count;
};

/**
 * Read @file for a program of @role.  NULL: @e says FILE:LINE: "the line": why.
 * Things that work but deserve a word are logged as warnings.  Opens no certificate
 * and looks up no name.  The caller holds it.
 */
struct settings *settings_load(const char *file, enum role role, struct err *e);

/**
 * The same for who only checks: @faults is told of everything that is wrong, and
 * services that something is wrong with are there too, as faulty ones.  NULL: the file
 * cannot be read.
 */
struct settings *
settings_load_all(const char *file, enum role role, struct diagnostics *faults);

/** From now on encrypted keys are opened by @phrases, which outlive the settings. */
void settings_lend_phrases(struct settings *settings, struct passphrases *phrases);

/** The files and folders that certificates, keys and lists of @s come from, none of them
 * NULL.  Returns how many. */
size_t
settings_files(const struct service_settings *s, const char *paths[SETTINGS_FILES]);

/** @e, which tells why @s does not work, begins with OPTION VALUE or OPTION = VALUE: put
 * the line that says so in front.  False: no line does, and @e is as it was. */
bool settings_blame_line(const struct service_settings *s, struct err *e);

/** Returns @settings. */
struct settings *settings_hold(struct settings *settings);

/** Whoever lets go last frees it.  NULL is fine. */
void settings_release(struct settings *settings);

/** Every option with its default, range and meaning, for --options. */
void settings_print_options(FILE *out, enum role role);

/** One of them, with nothing left out.  False: there is none of this name, and @e says
 * what is. */
bool settings_print_option(FILE *out, const char *name, struct err *e);

/** All names and aliases, @between each two. */
void settings_print_names(FILE *out, const char *between);

/** Lists in mdoc(7), for routeport.ini(5). */
void settings_print_mdoc(FILE *out);

/** The same as OPTIONS.md's table in Markdown, for both roles. */
void settings_print_markdown(FILE *out);

#endif
