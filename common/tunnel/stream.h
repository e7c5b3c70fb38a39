/*
 * A stream: a plain socket, a channel, and the two flows between them.
 *
 *	opening --far side reached--> moving --both flows over--> closed
 *	   |                            |
 *	   +--no way, program gone------+--a limit of ours--> cut off: RST on both sides
 *
 * It lives and dies on one worker.  When it ends it writes its one close line.
 */
#ifndef COMMON_TUNNEL_STREAM_H
#define COMMON_TUNNEL_STREAM_H

#include "common/tunnel/stream_open.h"

#include <sys/queue.h>

struct stream;

/** All streams of a worker. */
struct stream_set {
	struct dialer dialer;
	LIST_HEAD(, stream) streams;
	size_t count;
	unsigned long next_id, id_step; /* ids are unique among workers */
	unsigned long unique_id;        /* no other process has begun there */
	void (*ended)(void *owner);     /* one is gone; called from the loop */
	void *owner;
};

/** Client: a program has connected; find it a channel.  Takes @fd.  @peer: its address
 * in text. */
void stream_from_program(
    struct stream_set *set, struct service *service, int fd, const char *peer);

/** Server: a channel has come; connect it to the app.  @peer: who connected, in text. */
void stream_from_channel(struct stream_set *set, struct service *service,
    struct channel *channel, const char *peer);

/** Cut every stream off. */
void stream_set_cut(struct stream_set *set, enum reason reason);

#endif
