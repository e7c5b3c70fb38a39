/*
 * Programs that open streams through real pools to targets of the test's own, all in one
 * loop, as on one worker.  Whatever fails here fails the test.
 */
#ifndef TESTS_UNIT_OPENING_STAGE_H
#define TESTS_UNIT_OPENING_STAGE_H

#include "common/tunnel/stream_open.h"
#include "tests/unit/tls_bench.h"

#include <check.h>

enum {
	DOORS = 2,
	CALLERS = 300,
	ARRIVALS = 64, /* h2 carriers */
	PODS = 4,
};

struct stage;

/** A program's words, as stream_open_feed() takes them; and what becomes of its opening.
 */
struct caller {
	struct endpoint program;
	const char *words; /* not taken yet */
	bool gone;         /* as is found out when it is asked for them */
	struct stage *s;
	struct stream_open *opening;
	int opened, failed;
	enum reason reason;
	struct channel *channel;
	struct buf rest;
	size_t fed;
};

/** A channel that was asked for, on the server's side. */
struct visit {
	int listen_socket; /* where its carrier came in, */
	int arrival;       /* and the carrier's number, from 1 on; 0: raw */
	struct channel *channel;
	char words[64];
	size_t length;
};

/** A target: h2 carriers come in, or raw ones. */
struct gate {
	struct stage *s;
	struct address_name name;
	int fd;
	ev_io io;
	int came;                   /* TCP connections */
	struct h2_carrier *carrier; /* the newest; NULL: none */
	bool raw;                   /* does not select h2 */
	bool mute;                  /* takes connections, says nothing */
};

/** An h2 carrier that came in. */
struct arrival {
	struct gate *listen_socket;
	int pod;                    /* that it led to; 0: it does not say */
	struct h2_carrier *carrier; /* NULL: it has ended */
};

struct stage {
	struct bench bench;
	struct ev_loop *loop;
	struct reactor reactor;
	struct resolver *resolver;
	struct link_set client_links, server_links;
	struct pool_set pools;
	struct dialer dialer;
	struct service *client, *server, *raw_server;
	struct service_settings raw_settings;
	struct address_name names[DOORS];
	struct byte_budget windows;
	struct gate listen_sockets[DOORS];
	struct caller callers[CALLERS];
	struct visit visits[CALLERS];
	struct arrival arrivals[ARRIVALS];
	int arrived; /* of them, in all */
	int asked, refused;
	bool accepts;              /* each channel that is asked for, */
	enum reason refuses[PODS]; /* but for pods that refuse; NONE: they do not */
	int pods; /* carriers lead to pods 1 to so many in turn; 0: they do not say */
	ev_timer timer;
	bool gave_up;
};

void stage_init(struct stage *s);

/** With the settings as they are now. */
void stage_begin(struct stage *s);
void stage_clear(struct stage *s);

/** A program opens a stream as callers[i], and has something to say. */
struct caller *call(struct stage *s, int i, const char *words);
void caller_end(struct caller *c);

void visit_accept(struct visit *v);
void visit_end(struct visit *v);

int count_opened(const struct stage *s);

/** h2 carriers that are open at the far end. */
int count_carriers(const struct stage *s);

void stage_turn(struct stage *s);
void stage_turns(struct stage *s, int count);
void stage_begin_to_wait(struct stage *s);

/* Turn the loop until @condition holds; fails when it never does. */
#define EXPECT(s, condition)                                                             \
	do {                                                                             \
		stage_begin_to_wait(s);                                                  \
		while (!(condition)) {                                                   \
			ck_assert_msg(!(s)->gave_up, "never: %s", #condition);           \
			stage_turn(s);                                                   \
		}                                                                        \
		ev_timer_stop((s)->loop, &(s)->timer);                                   \
	} while (0)

#endif
