/*
 * Two h2 carriers that meet over loopback in one loop, as on one worker; or one, and a
 * peer that the test moves by hand, frame by frame.  Whatever fails here fails the test.
 */
#ifndef TESTS_UNIT_H2_SCENE_H
#define TESTS_UNIT_H2_SCENE_H

#include "common/h2/carrier.h"
#include "tests/unit/tls_bench.h"

#include <check.h>

enum {
	OWNERS = 1000,
	SCRIPT = 1024 * 1024, /* bytes, at the most */

	FRAME_DATA = 0,
	FRAME_HEADERS = 1,
	FRAME_PRIORITY = 2,
	FRAME_RST_STREAM = 3,
	FRAME_SETTINGS = 4,
	FRAME_PING = 6,
	FRAME_GOAWAY = 7,
	FRAME_WINDOW_UPDATE = 8,
	FRAME_KINDS = 10,

	END_STREAM = 1,
	ACK = 1,
	END_HEADERS = 4,
};

struct scene;

/** Stands for a stream: takes what comes and gives what it has. */
struct owner {
	struct scene *s;
	struct owner *other;
	struct channel *channel; /* NULL before, and once released */
	bool answered;           /* bytes may be taken */
	int accepted, refused;
	enum reason reason;
	bool again;
	char detail[128], forwarded[64];

	bool stalled;   /* takes nothing */
	bool patterned; /* only pattern() may come */
	enum source source;
	size_t got;
	char text[64]; /* the first bytes of it */

	size_t to_send, sent;
	bool fin, fin_told;
	bool elsewhere; /* its bytes do not lie in the reactor's scratch space */
};

/** One end. */
struct side {
	struct scene *s;
	struct link_set set;
	struct service service;
	struct target target;
	struct h2_carrier *carrier; /* NULL before and after */
	int retired, ended, rooms;
	enum reason reason;
};

struct scene {
	struct bench bench;
	struct ev_loop *loop;
	struct reactor reactor;
	struct byte_budget windows; /* of both ends together */
	struct side client, server;
	struct owner near[OWNERS], far[OWNERS]; /* the client's and the server's */
	int asked;
	bool auto_accept, release_all_at_wake;

	struct tls peer; /* a scripted end; its fd is -1 while there is none */
	bool peer_is_server;
	uint8_t *script; /* not sent yet */
	size_t script_length;
	bool batching; /* frames are collected until peer_sends() */
	size_t magic_left;
	uint8_t header[9];
	size_t header_length, payload_left;
	int seen[FRAME_KINDS];      /* frames that came, by type */
	size_t data;                /* bytes of DATA that came, */
	size_t data_before[OWNERS]; /* and of these before that of near[i] */

	ev_timer timer;
	bool gave_up;
};

void scene_init(struct scene *s);
void scene_clear(struct scene *s);

/** Both carriers are open, or one and the scripted peer. */
void meet(struct scene *s);
void meet_client(struct scene *s);
void meet_server(struct scene *s);

/** near[i] asks; far[i] is asked, in the order of asking. */
void open_channel(struct scene *s, int i);
void accept_channel(struct scene *s, int i);
void connect_channel(struct scene *s, int i);
void release(struct owner *o);

void give_text(struct owner *o, const char *text);
/** Give @n bytes of the pattern as room allows, then, with @fin, FIN. */
void send_pattern(struct owner *o, size_t n, bool fin);
void unstall(struct owner *o);
uint8_t pattern(size_t position);

/** The client's preface and SETTINGS, or the server's SETTINGS. */
void peer_settings(struct scene *s);
void peer_gives(struct scene *s, const void *bytes, size_t n);
void peer_frame(
    struct scene *s, int type, int flags, int32_t id, const void *payload, size_t n);
/** A CONNECT with an authority. */
void peer_connects(struct scene *s, int32_t id);
/** One header, not indexed; returns its length. */
size_t peer_block(char *out, const char *name, const char *value);
/** Send what was collected. */
void peer_sends(struct scene *s);
/** Count what came in `seen` and `data`.  Returns true. */
bool peer_reads(struct scene *s);
void end_peer(struct scene *s);

void turns(struct scene *s, int count);
void begin_to_wait(struct scene *s);

/** Turn the loop until @condition holds; fails when it never does. */
#define EXPECT(s, condition)                                                             \
	do {                                                                             \
		begin_to_wait(s);                                                        \
		while (!(condition)) {                                                   \
			ck_assert_msg(!(s)->gave_up, "never: %s", #condition);           \
			turns(s, 1);                                                     \
		}                                                                        \
		ev_timer_stop((s)->loop, &(s)->timer);                                   \
	} while (0)

#endif
