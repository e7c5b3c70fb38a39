#include "common/carrier/link_internal.h"

#include "common/base/socket.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Seconds between two looks at an emptying socket. */
static const double empty_look = 0.005;

/* An open link is closed, whatever is left to be said. */
static void
leave_open(struct link *l)
{
	if (l->state == LINK_OPEN)
		count_add(&l->counts->carriers_closed[l->kind], 1);
}

void
link_reap(struct link *l, bool reset)
{
	struct link_set *set = l->set;
	int fd = l->tls.fd;

	leave_open(l);
	ocsp_client_cancel(l->ask);
	SSL_SESSION_free(l->session);
	watch_stop(&l->watch);
	ev_timer_stop(link_loop(l), &l->timer);
	tls_clear(&l->tls);
	if (reset)
		socket_reset(fd);
	else
		close(fd);
	LIST_REMOVE(l, entry);
	link_leave_strangers(l);
	if (l->refused && l->events->gone != NULL)
		l->events->gone(l->owner);
	service_release(l->service);
	free(l);
	link_set_release(set);
}

/* Does TCP have nothing more to wait for?  @sent: nothing of ours is kept. */
static bool
is_over(const struct link *l, bool sent)
{
	const struct tls *t = &l->tls;

	return t->deaf || t->alerted || (t->eof && sent && !l->must_rst);
}

/* Is it for us to close TCP first?  After a clean end, if we read the second
 * close_notify; and when we refused the peer. */
static bool
closes_first(const struct link *l)
{
	const struct tls *t = &l->tls;

	return l->refused || (t->finished && t->state == TLS_FINISHED && !t->answered);
}

/* Send an RST as soon as the bytes before it have left. */
static void
reset_when_empty(struct link *l)
{
	if (socket_unacknowledged(l->tls.fd) == 0 || reactor_now() >= l->close_by)
		link_reap(l, true);
	else
		link_set_timer(l, empty_look);
}

void
link_closing_step(struct link *l)
{
	struct tls *t = &l->tls;
	bool sent = tls_flush(t);

	tls_discard(t);
	if (is_over(l, sent)) {
		link_reap(l, l->must_rst);
		return;
	}
	link_wait(l, !t->eof);
	if (sent && l->must_rst) {
		reset_when_empty(l);
	} else if (sent && closes_first(l) && !l->shut) {
		l->shut = true;
		shutdown(t->fd, SHUT_WR);
	}
}

void
link_closing_timeout(struct link *l)
{
	if (tls_room(&l->tls) == 0)
		link_reap(l, true);
	else if (l->must_rst)
		reset_when_empty(l);
	else
		link_reap(l, false);
}

void
link_enter_closing(struct link *l, double seconds)
{
	assert(l->state != LINK_CLOSING);
	leave_open(l);
	l->state = LINK_CLOSING;
	l->close_by = reactor_now() + seconds;
	link_set_timer(l, seconds);
	link_closing_step(l);
}

void
link_close(struct link *l, bool abort)
{
	if (abort)
		l->must_rst = !tls_abort(&l->tls);
	link_enter_closing(l, l->service->settings->timeout_close);
}
