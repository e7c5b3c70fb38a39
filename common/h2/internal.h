/*
 * What the files of the h2 carrier share: the carrier itself and its channels.  Each file
 * uses only those above it:
 *
 *	state        what is noted: changes of state, faults, news for a channel's owner
 *	rate_limit   how much a peer may ask of us
 *	headers      the text in HEADERS
 *	request      HEADERS of a stream: the request and its answer
 *	rtt          PING and the round trip
 *	scheduler    which channel gives next, and how much
 *	output       how frames become TLS records
 *	receive      the bytes that come for a channel, and its window
 *	channel      what a stream sees
 *	frames       nghttp2's callbacks for what comes in
 *	liveness     is the far end alive?
 *	deliver      waking owners
 *	shutdown     how a carrier ends, and drain
 *	session      nghttp2's session
 *	carrier      the link's events, and its owner's calls
 *
 * Upwards there are only notes.  carrier.c's step looks at them; it alone wakes owners
 * and frees.  nghttp2's callbacks only note; a channel only notes and sends.
 */
#ifndef COMMON_H2_INTERNAL_H
#define COMMON_H2_INTERNAL_H

#include "common/base/byte_budget.h"
#include "common/base/buf.h"
#include "common/h2/carrier.h"
#include "common/h2/rate_limit.h"

#include <nghttp2/nghttp2.h>

enum {
	H2_WINDOW = 64 * 1024, /* of a stream, at the start */
	H2_CONNECTION_WINDOW = 1 << 30,
	H2_UPDATE_STEP = 64 * 1024, /* the most that is held back */
	H2_EARLY = 64 * 1024,       /* bytes before the answer */
	H2_STREAMS = 8192,
	H2_STREAMS_BEFORE_SETTINGS = 100, /* until the peer's SETTINGS are here */
	H2_HEADER_TABLE = 512,
	H2_HEADER_LIST = 8 * 1024,
	H2_LAST_ID = 1 << 30,
	H2_FRAME_HEADER = 9,
	H2_FRAME = 16384,
	H2_RECORD = 16384,
	H2_PAYLOAD = H2_RECORD - H2_FRAME_HEADER, /* one frame is one record */
	H2_SMALL = 2 * 1024,                      /* frames below are gathered, */
	H2_GATHERED = 2 * 1024,                   /* at first in so much space */
	H2_CHUNK = 16 * 1024, /* at a time, while the path takes less than it is given */
	H2_UNREAD =
	    1024 *
	    1024, /* bytes in TLS for a peer that does not read: then ours is not read */
	H2_PIECES = 1024,     /* of DATA, in one step */
	H2_RECORDS = 1 << 22, /* under one key */
	H2_AUTHORITY_SIZE = 300,
	H2_FAILURE_SIZE = 160,

	/* Of the experimental ranges (RFC 9113, 11.3 and 7): others ignore the first two,
	 * and take the last for any error. */
	H2_SETTING_INSTANCE_HIGH = 0xf2a1, /* of 64 random bits of the server's process */
	H2_SETTING_INSTANCE_LOW = 0xf2a2,
	H2_CODE_STOPPED = 0xf2a0, /* RST_STREAM: its end's drain was over */
};

/** Bytes of a channel among those just received, not copied yet. */
struct h2_piece {
	const uint8_t *bytes;
	size_t length;
	int16_t next; /* of the same channel; -1: none */
};

/** What one step of the carrier received; on the stack of that step. */
struct h2_received {
	int16_t count;
	struct h2_piece pieces[H2_PIECES];
};

enum h2_state {
	H2_OPEN,
	H2_DRAINING,  /* no new channels */
	H2_FINISHING, /* our close_notify is written, the peer's is waited for */
	H2_LOST,      /* no session and no link any more */
};

/** How the far end answered. */
enum h2_answer {
	H2_UNANSWERED,
	H2_ACCEPTED,
	H2_REFUSED,
};

TAILQ_HEAD(h2_queue, h2_channel);

/* There may be thousands that are silent: kept small, numbers of bytes in 32 bits. */
struct h2_channel {
	struct channel channel;
	struct h2_carrier *carrier;
	LIST_ENTRY(h2_channel) entry;
	TAILQ_ENTRY(h2_channel) ready_entry;
	TAILQ_ENTRY(h2_channel) waiting_entry;
	struct h2_queue *waiting; /* in which it is; NULL: in none */
	const char *detail;       /* what broke it, in words; static, or the carrier's */
	int32_t id;               /* of the stream */

	/* opening */
	const struct channel_events *events; /* the client's; NULL in the server */
	void *events_owner;
	char *text; /* server: forwarded; client: the far end's words; perhaps NULL */
	uint32_t header_bytes;
	int status; /* client: of the answer */
	enum h2_answer answer : 8;
	enum reason refusal : 8;
	bool is_connect : 1; /* server: the method */
	bool has_authority : 1;
	bool announced : 1;       /* server: its owner knows it */
	bool answer_reported : 1; /* client: to its owner */
	bool again : 1;           /* a refusal, and no byte can have reached an app */
	bool refused_late : 1;    /* REFUSED_STREAM or a lower GOAWAY */

	/* coming in */
	enum source end : 8;  /* behind the bytes */
	bool end_taken : 1;   /* the owner knows it */
	bool reader_lags : 1; /* half a window was pending */

	/* going out */
	bool can_send : 1;     /* our HEADERS are serialized, more may follow */
	bool out_ended : 1;    /* FIN was asked for */
	bool out_finished : 1; /* END_STREAM is serialized */
	bool reset : 1;        /* RST_STREAM by us */
	bool closed : 1;       /* nghttp2 has forgotten the stream */

	/* the owner */
	bool is_ready : 1;       /* in that list */
	bool window_blocked : 1; /* waits for its own window */
	bool wants_bytes : 1;
	bool broke : 1; /* to be woken whatever it waits for */

	/* coming in: bytes */
	struct buf pending; /* what the owner did not take in the step in which it came */
	uint32_t borrowed;  /* bytes of it that the owner looks at */
	int16_t first, last; /* pieces of this step; -1: none */
	uint64_t taken;
	uint32_t consumed;    /* bytes used by the owner, not in a WINDOW_UPDATE yet */
	uint32_t window;      /* how much the peer may send ahead */
	uint32_t excess;      /* of it, to be taken back */
	uint32_t cycle_bytes; /* consumed in this cycle; up to a window */
	double last_at;       /* when a byte came last */
	double cycle_start;   /* both by reactor_now() */
	float last_cycle_seconds;  /* seconds that the cycle before took, */
	uint32_t last_cycle_bytes; /* and its bytes */

	/* going out: bytes */
	uint32_t last_given; /* bytes, when it gave last */
	uint64_t given;
	uint64_t data_at; /* where in the carrier's output its first DATA stands */
};

/** How far the GOAWAY has come by which a server says which request was the last. */
enum h2_goaway {
	H2_GOAWAY_NONE,
	H2_GOAWAY_NOTICE, /* the shutdown notice left, and a PING behind it */
	H2_GOAWAY_DUE,    /* no request can be under way any more */
	H2_GOAWAY_SENT,   /* serialized; of a client too, at its end */
};

/** What came from the far end. */
struct h2_in {
	struct h2_received *received; /* NULL outside of the carrier's step */
	bool settings_came;
	uint64_t instance; /* of the far end's process, by SETTINGS; 0: none */
	double last_at;    /* when a byte came last, by reactor_now() */
	uint64_t bytes;    /* of DATA */
	struct h2_rate_limits limits;
	struct byte_budget *windows; /* of what all windows of the program grow by */
	size_t window_most;
};

/** What a channel gives at the moment, and how much of it nghttp2 took. */
struct h2_giving {
	const struct batch *batch; /* NULL: none */
	int part;                  /* of it, the present one */
	size_t offset, left;       /* bytes: taken of that part; left of all */
	struct h2_channel *channel;
};

/** What leaves. */
struct h2_out {
	uint8_t *gathered; /* small frames for one record; NULL: none */
	size_t gathered_length, gathered_space;
	uint64_t written;   /* bytes of frames that went to TLS */
	bool encrypted;     /* in this call, to be sent before it ends */
	unsigned records;   /* under the present key */
	uint64_t bytes;     /* of DATA */
	ev_prepare prepare; /* sends what was gathered, before the loop waits */
	struct h2_giving giving;
};

/** The channels that wait for the socket or for the connection's window. */
struct h2_scheduler {
	struct h2_queue small; /* gave little the last time, or nothing yet */
	struct h2_queue bulk;
	size_t waiting_count; /* in both */
	size_t small_given;   /* bytes since one of `bulk` gave */
	size_t chunk;         /* the most to give at a time */
	int unsent_most;      /* bytes that TCP holds back unsent (TCP_NOTSENT_LOWAT) */
	uint64_t flushed;     /* how much of `out.written` TCP was given */
};

struct h2_liveness {
	double idle, limit; /* seconds; see h2_carrier_set_keepalive() */
	double asked_at;    /* PING without any sign of life; 0: none */
	bool overdue;       /* that took too long */
};

struct h2_rtt {
	double settings_at;         /* when ours were sent; 0: acknowledged */
	double seconds;             /* 0: not known yet */
	double least, least_before; /* of this period, and of the one before */
	double least_since, measured_at;
};

struct h2_drain {
	enum h2_goaway goaway;
	double asked_at;  /* when the notice was submitted */
	bool goaway_came; /* the far end's, the notice too */
	bool superseded;  /* client: to end once it is empty */
	bool retiring;    /* its owner does not know of it yet */
};

struct h2_carrier {
	struct link *link; /* NULL once closed */
	struct link_set *links;
	struct reactor *reactor;
	const char *service; /* its name, for the log */
	const struct h2_carrier_events *events;
	void *owner;
	nghttp2_session *session; /* NULL once lost */
	bool server;
	enum h2_state state;
	bool failed;                   /* to be lost at the next step */
	char failure[H2_FAILURE_SIZE]; /* why, in words */
	enum reason reason;            /* why it ended */
	struct link_facts facts;
	char authority[H2_AUTHORITY_SIZE];
	double opened;
	ev_timer later; /* step soon */

	LIST_HEAD(, h2_channel) channels;
	size_t channel_count;
	size_t streams; /* that nghttp2 has, released ones among them */
	uint64_t streams_ever;
	struct h2_channel *current; /* being woken; NULL once it is released */
	struct h2_queue ready;      /* have news for their owners */
	size_t ready_count;

	struct h2_in in;
	struct h2_out out;
	struct h2_scheduler scheduler;
	struct h2_liveness liveness;
	struct h2_rtt rtt;
	struct h2_drain drain;
};

/* ---- state.c --------------------------------------------------------------------- */

/** The one place that changes the state. */
void h2_carrier_enter(struct h2_carrier *c, enum h2_state next);

/** Take it as far as it will go, soon, from the loop. */
void h2_carrier_later(struct h2_carrier *c);

/** No new channels from now on. */
void h2_carrier_retire(struct h2_carrier *c);

/** The carrier is to be lost, in printf()'s words; the first ones stay. */
void h2_carrier_fail(struct h2_carrier *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** It has news for its owner. */
void h2_channel_ready(struct h2_channel *ch);

/** Nothing can be submitted on its stream any more. */
bool h2_channel_is_over(const struct h2_channel *ch);

/** Its stream is cut off, behind the bytes that came. */
void h2_channel_break(struct h2_channel *ch, enum reason reason, const char *detail);

/** The answer to our request is here, or is not to be expected any more. */
void h2_channel_refuse(struct h2_channel *ch, enum reason reason);

/* ---- request.c ------------------------------------------------------------------- */

/** Ask for the app.  False: out of memory. */
bool h2_request_send(struct h2_channel *ch, const char *forwarded);

/** Answer it. */
void h2_request_accept(struct h2_channel *ch);
void h2_request_refuse(struct h2_channel *ch, enum reason reason, const char *detail);

/* ---- rtt.c ----------------------------------------------------------------------- */

/** What a PING is for, its first byte. */
enum h2_ping_kind {
	H2_PING_LIFE = 'l',
	H2_PING_DRAIN = 'd',
	H2_PING_MEASURE = 'm',
};

/** Any PING measures the round trip. */
void h2_rtt_ping(struct h2_carrier *c, enum h2_ping_kind what);

/** Measure the round trip, if that was not done of late. */
void h2_rtt_measure(struct h2_carrier *c, double now);

/** When the PING was sent that was answered. */
double h2_rtt_sent_at(const struct h2_carrier *c, const nghttp2_ping *ping);

/** A round trip took that long, in seconds. */
void h2_rtt_note(struct h2_carrier *c, double seconds);

/* ---- scheduler.c ----------------------------------------------------------------- */

void h2_scheduler_init(struct h2_carrier *c);

/** It waits until it may give; its `wake` then comes from the loop. */
void h2_scheduler_wait(struct h2_channel *ch);
void h2_scheduler_leave(struct h2_channel *ch);

/** Its own window, or the answer it waited for, has come. */
void h2_scheduler_window_opened(struct h2_channel *ch);

/** Which channel gives next; it leaves the queue.  NULL: none waits. */
struct h2_channel *h2_scheduler_next(struct h2_carrier *c);

/** A channel has given @n bytes. */
void h2_scheduler_note(struct h2_channel *ch, size_t n);

/** Send what was encrypted, and learn from it how much to give next. */
void h2_scheduler_flush(struct h2_carrier *c);

/* ---- output.c -------------------------------------------------------------------- */

void h2_output_set_callbacks(nghttp2_session_callbacks *callbacks);

void h2_output_init(struct h2_carrier *c);
void h2_output_clear(struct h2_carrier *c);

/** Serialize all that nghttp2 has; large frames are sent at once, small ones before the
 * loop waits.  Not for use inside a callback of nghttp2. */
void h2_output_pump(struct h2_carrier *c);

/** Send all that was gathered now, or hand it to the link that ends. */
void h2_output_send(struct h2_carrier *c);

/** Serialize a channel's bytes that are being given, or its end. */
void h2_output_data(struct h2_channel *ch);

/** Give bytes of a channel; returns how many went. */
size_t h2_output_give(struct h2_channel *ch, const struct batch *batch, size_t most);

/** What to wait for on the socket. */
void h2_output_wait(struct h2_carrier *c);

/* ---- receive.c ------------------------------------------------------------------- */

/** Bytes came; they are noted, or copied. */
void h2_receive_add(struct h2_channel *ch, const uint8_t *bytes, size_t n);

/** Copy what came in this step and was not taken. */
void h2_receive_copy_rest(struct h2_channel *ch);

/** As endpoint_take() and endpoint_credit(). */
enum source h2_receive_take(struct h2_channel *ch, size_t most, struct batch *batch);
void h2_receive_consumed(struct h2_channel *ch, uint32_t n);

bool h2_receive_has_bytes(const struct h2_channel *ch);

/** At its end: what its window grew by is for others. */
void h2_receive_release_window(struct h2_channel *ch);

/** The owner looks no more at the pending bytes that it took. */
void h2_receive_return_borrowed(struct h2_channel *ch);
void h2_receive_clear(struct h2_channel *ch);

/* ---- channel.c ------------------------------------------------------------------- */

/** A channel without a stream.  NULL: out of memory. */
struct h2_channel *h2_channel_new(struct h2_carrier *c);
void h2_channel_free(struct h2_channel *ch);

/** nghttp2 has closed its stream. */
void h2_channel_closed(struct h2_channel *ch, uint32_t code);

/* ---- frames.c -------------------------------------------------------------------- */

void h2_frames_set_callbacks(nghttp2_session_callbacks *callbacks);

/* ---- liveness.c ------------------------------------------------------------------ */

void h2_liveness_init(struct h2_carrier *c);

/** See h2_carrier_set_keepalive(). */
void h2_liveness_set_keepalive(struct h2_carrier *c, double idle, double limit);

/** A byte came. */
void h2_liveness_note(struct h2_carrier *c);

/** Ask for a sign of life. */
void h2_liveness_ask(struct h2_carrier *c, double now);

/** What the far end was let in by counts no longer. */
bool h2_liveness_is_out_of_date(const struct h2_carrier *c);

/** Have the link's timer run in @seconds, or once it is out of date. */
void h2_liveness_set_timer(struct h2_carrier *c, double seconds);

/** The link's timer ran.  True: the answer is overdue; read what the socket has, and then
 * h2_liveness_check(). */
bool h2_liveness_on_timer(struct h2_carrier *c);
void h2_liveness_check(struct h2_carrier *c);

/* ---- deliver.c ------------------------------------------------------------------- */

/** Tell the owners of channels what is new; they may release any channel. */
void h2_deliver_news(struct h2_carrier *c);

/** Let those give who wait for it, a chunk each, while the socket takes any. */
void h2_deliver_room(struct h2_carrier *c);

/** Tell the carrier's owner, once, that it takes no new channels. */
void h2_deliver_retired(struct h2_carrier *c);

/* ---- shutdown.c ------------------------------------------------------------------ */

/** Has the link or the session ended, or is the carrier to end?  Then end it. */
void h2_shutdown_check(struct h2_carrier *c);

/** A clean end of an empty carrier: GOAWAY and close_notify; then the peer's. */
void h2_shutdown_finish(struct h2_carrier *c);

/** Give the link away, and the session with it. */
void h2_shutdown_close_link(struct h2_carrier *c, bool abort);

/** Once there is no session any more, or none that is called: free the channels that no
 * owner knows of, whose requests have not come whole. */
void h2_shutdown_free_unannounced(struct h2_carrier *c);

/** Log and free it. */
void h2_shutdown_free(struct h2_carrier *c);

/** See h2_carrier_drain(). */
void h2_shutdown_drain(struct h2_carrier *c);

/** Submit the GOAWAY with the last id if it is time; nothing may be fed to nghttp2
 * between this and h2_output_pump(). */
void h2_shutdown_submit_goaway(struct h2_carrier *c);

/* ---- session.c ------------------------------------------------------------------- */

/** False: out of memory. */
bool h2_session_init(struct h2_carrier *c);

/** Feed what was received. */
void h2_session_receive(struct h2_carrier *c, const struct batch *batch);

#endif
