/*
 * A link: one TLS connection on a loop, from its handshake to the last byte of TCP.  In
 * between it belongs to a carrier, which decides what its bytes mean.
 *
 *	HANDSHAKE --good--> OPEN --link_close()--> CLOSING --> freed
 *	    |                                         ^
 *	    +--refused, timed out, cancelled----------+
 *
 * CLOSING outlives the carrier: the bytes given and the end behind them must pass the
 * router, which throws away what it holds when TCP ends too early.  So
 *   - after a clean end, who read the second close_notify closes TCP, who wrote it waits;
 *   - after our alert, TCP stays open until the far end closes it;
 *   - where no alert can be sent any more, an RST follows once the bytes have left;
 * each for at most TIMEOUTclose.
 *
 * Handshakes are what strangers can ask for: there are only so many of them, unfinished
 * or refused, and only some are worked on in one turn of the loop.  Who came least far
 * gives way, among equals a random one, so that a flood drives out itself most of all.
 */
#ifndef COMMON_CARRIER_LINK_H
#define COMMON_CARRIER_LINK_H

#include "common/base/byte_budget.h"
#include "common/pki/ocsp_client.h"
#include "common/net/proxy_protocol.h"
#include "common/carrier/service.h"
#include "common/tls/conn.h"

#include <sys/queue.h>

struct link;

/** How far a stranger has come; who gives way first stands first. */
enum link_progress {
	LINK_REFUSED,   /* only its socket is left, until the alert was heard */
	LINK_SILENT,    /* no whole ClientHello */
	LINK_GREETED,   /* no certificate */
	LINK_CERTIFIED, /* waits for OCSP, or for the rest of its flight */
	LINK_PROGRESS_COUNT,
};

/** What its worker is about to do. */
enum link_set_phase {
	LINK_SET_SERVES,
	LINK_SET_ENDS, /* told to stop: it lingers or drains */
	LINK_SET_CUTS, /* what is still open is cut off */
};

/** All links of a worker, so that it can wait for them and end them. */
struct link_set {
	struct reactor *reactor;
	struct resolver *resolver;   /* to ask OCSP responders; NULL: none is asked */
	struct byte_budget *windows; /* of h2 carriers; shared by all workers */
	uint64_t instance;           /* of a server's process, for its clients; 0: none */
	enum link_set_phase phase;
	LIST_HEAD(, link) links;
	size_t count; /* of them, and of those who hold the set */
	TAILQ_HEAD(link_queue, link) strangers[LINK_PROGRESS_COUNT];
	size_t stranger_counts[LINK_PROGRESS_COUNT];
	size_t stranger_count;
	size_t stranger_most; /* see link_set_limit() */
	unsigned long dice;   /* begins where no peer can know */
	unsigned turn;        /* of the loop, in which this many more may be worked on: */
	int turn_left;
	void (*emptied)(void *owner); /* the last one is gone; called from the loop */
	void *owner;
};

struct link_events {
	/** Server: which service is for a client that asks for @name ("": for none)?
	 * NULL: none, and the handshake fails for @reason, which tls/conn.h tells more
	 * of. The service is held by the callee until the handshake ends.  NULL: any name
	 * is for the service that the link began with. */
	struct service *(*choose)(void *owner, const char *name, enum reason *reason);
	/** The handshake is good; @link is the callee's until link_close() or
	 * link_refuse(). */
	void (*opened)(void *owner, struct link *link);
	/** It is not; the link ends by itself.  @detail, perhaps NULL, only for the call.
	 */
	void (*failed)(void *owner, enum reason reason, const char *detail);
	/** After `failed`: its descriptor is closed, too.  NULL: nobody asks. */
	void (*gone)(void *owner);
};

/** What an open link tells its carrier.  Each may end the link and the carrier. */
struct link_carrier {
	/** @events: EV_READ, EV_WRITE or WATCH_BROKEN. */
	void (*ready)(void *owner, int events);
	/** The time set by link_set_timer() is over. */
	void (*timer)(void *owner);
	/** Take nothing new.  NULL: there is nothing to do. */
	void (*drain)(void *owner);
	/** The worker ends, all channels are released: close the link now.  NULL: the
	 * link has no carrier without a channel. */
	void (*end)(void *owner);
};

enum link_state {
	LINK_HANDSHAKE,
	LINK_OPEN,
	LINK_CLOSING
};

struct link {
	struct tls tls;
	struct watch watch;
	ev_timer timer; /* HANDSHAKE, CLOSING: the limit; OPEN: the carrier's */
	enum link_state state;
	struct link_set *set;
	LIST_ENTRY(link) entry;
	TAILQ_ENTRY(link) stranger_entry;
	struct service *service; /* held */
	struct counts *counts;   /* of the service, for this worker */
	struct target *target;   /* the client's; NULL in the server */
	bool offers_h2;          /* the client offered it */
	uint64_t offered;        /* whose session */
	uint64_t instance;       /* who the far end is, once it is */
	bool is_named;           /* known that: */
	SSL_SESSION *session;    /* kept until then; NULL: none */
	struct ocsp_client *ask; /* about the peer, while that is waited for */

	const struct link_events *events; /* of the handshake */
	const struct link_carrier *carrier;
	void *owner; /* of either */

	enum count_kind kind; /* once OPEN */
	enum link_progress progress;
	bool counted;    /* among the strangers */
	bool refused;    /* the handshake failed, or link_refuse() came */
	bool must_rst;   /* no alert could be sent */
	bool shut;       /* our TCP FIN is sent */
	double close_by; /* by reactor_now() */
};

/** An empty set. */
void
link_set_init(struct link_set *set, struct reactor *reactor, struct byte_budget *windows);

/**
 * Start TLS over @fd, which is the link's from now on even on failure.  @target: the
 * client's, NULL in the server.  Exactly one event comes, from the loop, within
 * @seconds, unless link_cancel() comes first.  NULL: out of memory.
 */
struct link *
link_new(struct link_set *set, struct service *service, struct target *target, int fd,
    double seconds, const struct link_events *events, void *owner);

/** Client, right behind link_new(): nobody needs the link but to see whether the target
 * speaks h2.  If not, the handshake ends before our Finished leaves, so that no app hears
 * of it: `opened` comes all the same, and the link is good for link_close() alone. */
void link_look(struct link *link);

/** In the handshake: what it still waits for, in words, for whoever has no more time. */
const char *link_silence(const struct link *link);

/** Nobody waits for the handshake any more.  Not for use inside an event. */
void link_cancel(struct link *link);

/** An open link gets a carrier. */
void link_adopt(struct link *link, const struct link_carrier *carrier, void *owner);

/** Of strangers, whose handshakes are unfinished or refused, at most @most at a time, and
 * never more than link.c allows. */
void link_set_limit(struct link_set *set, size_t most);

/** Let a stranger give way to somebody else, at once.  False: there is none. */
bool link_set_give_way(struct link_set *set);

/** Client: the far end is this process of a server, or does not say (0).  Its sessions
 * are kept by that, and until then by the link alone. */
void link_name(struct link *link, uint64_t instance);

/** What to wait for beside the room to send what is kept, which always is waited for. */
void link_wait(struct link *link, bool readable);

/** Call the carrier's timer in @seconds, instead of any time set before. */
void link_set_timer(struct link *link, double seconds);

/** The carrier is done with it.  @abort: tell the far end by a fatal alert behind the
 * bytes, or, where none can be sent any more, by an RST. */
void link_close(struct link *link, bool abort);

/** Server: turn an open link away, of which no carrier was made, though its handshake was
 * good.  It ends like one whose handshake failed: `failed` comes within the call, it is a
 * stranger again, and `gone` comes with its end. */
void link_refuse(struct link *link, enum reason reason, const char *detail);

/** Look whether TCP broke while nobody was reading it; the connection is then deaf. */
void link_check(struct link *link);

/** What is known of the far end. */
struct link_facts {
	const char *tls; /* "TLSv1.3" */
	bool resumed;
	char sni[256]; /* "" for none */
	char names[IDENTITY_NAMES_SIZE];

	/* For a service with protocol = proxy alone: */
	struct address ours, peers; /* of TCP; see socket_ends() */
	const char *cipher;
	bool shown;    /* a certificate, now or earlier in the session */
	bool verified; /* and it is good */
	char common_name[PROXY_PROTOCOL_TEXT + 1];
};

void link_facts(const struct link *link, struct link_facts *facts);

/** Until link_set_release() the set is not empty: for a carrier that outlives its link.
 */
void link_set_hold(struct link_set *set);
void link_set_release(struct link_set *set);

/** Tell every carrier to take nothing new, but for those of services that @spares,
 * perhaps NULL, says true of. */
void link_set_drain(struct link_set *set,
    bool (*spares)(const void *arg, const struct service *service), const void *arg);

/** Close every link now; for the end of a worker. */
void link_set_clear(struct link_set *set);

#endif
