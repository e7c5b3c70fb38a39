/*
 * How channels share what the path takes: which one gives next, and how much, so that
 * a small frame does not wait behind bulk.
 *
 * What was given waits in three places: here, in TCP's buffer before it is sent, and in
 * the path.  The last is the path's own.  Of the first two we see to it that they hold
 * little: chunks are small while TCP does not send all that it is given, and TCP takes
 * no more than it will soon send (TCP_NOTSENT_LOWAT).
 */
#include "common/h2/internal.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum {
	/* Bytes that TCP may hold unsent; see unsent_for(). */
	UNSENT_LEAST = 16 * 1024,
	UNSENT_MOST = REACTOR_BATCH,
};

/* ---- which is next --------------------------------------------------------------- */

void
h2_scheduler_wait(struct h2_channel *ch)
{
	struct h2_carrier *c = ch->carrier;

	if (ch->waiting != NULL)
		return;
	ch->waiting =
	    ch->last_given < H2_SMALL ? &c->scheduler.small : &c->scheduler.bulk;
	TAILQ_INSERT_TAIL(ch->waiting, ch, waiting_entry);
	c->scheduler.waiting_count++;
}

void
h2_scheduler_leave(struct h2_channel *ch)
{
	if (ch->waiting == NULL)
		return;
	TAILQ_REMOVE(ch->waiting, ch, waiting_entry);
	ch->waiting = NULL;
	ch->carrier->scheduler.waiting_count--;
}

void
h2_scheduler_window_opened(struct h2_channel *ch)
{
	if (ch->window_blocked) {
		ch->window_blocked = false;
		h2_scheduler_wait(ch);
	}
}

/*
 * Small ones go first: a channel that gave little the last time is interactive, and waits
 * behind no chunk of bulk.  But many small ones together must not starve bulk: once they
 * have given a chunk, one of the bulk queue gives.
 */
struct h2_channel *
h2_scheduler_next(struct h2_carrier *c)
{
	struct h2_channel *small = TAILQ_FIRST(&c->scheduler.small),
			  *bulk = TAILQ_FIRST(&c->scheduler.bulk);
	struct h2_channel *next = small;

	if (small == NULL ||
	    (bulk != NULL && c->scheduler.small_given >= c->scheduler.chunk)) {
		next = bulk;
		c->scheduler.small_given = 0;
	}
	if (next != NULL)
		h2_scheduler_leave(next);
	return next;
}

void
h2_scheduler_note(struct h2_channel *ch, size_t n)
{
	ch->last_given = (uint32_t)n; /* of one batch */
	if (n < H2_SMALL)
		ch->carrier->scheduler.small_given += n;
}

/* ---- how much -------------------------------------------------------------------- */

static void
set_unsent_most(struct h2_carrier *c, int n)
{
	c->scheduler.unsent_most = n;
	(void)setsockopt(c->link->tls.fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &n, sizeof(n));
}

void
h2_scheduler_init(struct h2_carrier *c)
{
	TAILQ_INIT(&c->scheduler.small);
	TAILQ_INIT(&c->scheduler.bulk);
	c->scheduler.chunk = REACTOR_BATCH;
	set_unsent_most(c, 64 * 1024);
}

/* Bytes that TCP was given and has not sent. */
static int
unsent_bytes(const struct h2_carrier *c)
{
	int n = 0;

	return ioctl(c->link->tls.fd, SIOCOUTQNSD, &n) == 0 ? n : 0;
}

/*
 * What may lie unsent where @under_way bytes are: a quarter of that, which costs a
 * quarter of a round trip at most.
 *
 * But TCP asks for more only once a third of its buffer is free.  On a path that needs
 * all of the largest buffer there is, the rest has to be filled at once each time, or a
 * third of the rate is lost.
 */
static int
unsent_for(int under_way, int buffer)
{
	if (under_way > buffer / 2)
		return under_way;
	if (under_way / 4 < UNSENT_LEAST)
		return UNSENT_LEAST;
	return under_way / 4 < UNSENT_MOST ? under_way / 4 : UNSENT_MOST;
}

/* True: TCP may take more now. */
static bool
review_unsent_most(struct h2_carrier *c, int left)
{
	int given = 0, buffer = 0, before = c->scheduler.unsent_most, n;
	socklen_t length = sizeof(buffer);

	if (ioctl(c->link->tls.fd, SIOCOUTQ, &given) < 0 ||
	    getsockopt(c->link->tls.fd, SOL_SOCKET, SO_SNDBUF, &buffer, &length) < 0)
		return false;
	n = unsent_for(given - left, buffer);
	if (n > before - before / 4 && n < before + before / 4)
		return false;
	set_unsent_most(c, n);
	return n > before;
}

/* As much as TCP will send soon.  If it has sent all that it was given, it may have
 * waited for us: twice as much.  A full socket gets H2_CHUNK, one record, so that a small
 * frame waits behind no more than that. */
static size_t
next_chunk(const struct h2_carrier *c, int left)
{
	size_t n;

	if (left == 0)
		n = 2 * c->scheduler.chunk;
	else
		n = left < c->scheduler.unsent_most
			? (size_t)(c->scheduler.unsent_most - left)
			: 0;
	if (n < H2_CHUNK)
		return H2_CHUNK;
	return n < REACTOR_BATCH ? n : REACTOR_BATCH;
}

/*
 * A large write, or one that the socket did not take whole, says what the path takes;
 * only then the system calls that ask TCP are worth it.  When the limit of unsent bytes
 * grows, TCP takes more at once, without an event, so that what is left is flushed again.
 */
void
h2_scheduler_flush(struct h2_carrier *c)
{
	struct tls *t = &c->link->tls;
	bool small = c->out.written - c->scheduler.flushed < H2_CHUNK;
	bool taken = tls_flush(t);
	int left;

	c->scheduler.flushed = c->out.written;
	if (taken && small)
		return; /* it says nothing of the path */
	left = unsent_bytes(c);
	if ((!taken || left > c->scheduler.unsent_most / 2) &&
	    review_unsent_most(c, left))
		taken = tls_flush(t);
	c->scheduler.chunk = taken ? next_chunk(c, left) : H2_CHUNK;
}
