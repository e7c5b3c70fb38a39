#include "common/carrier/link_internal.h"

#include <poll.h>

/* Of a timer, in seconds. */
static const double least_time = 0.001;

void
link_set_timer(struct link *l, double seconds)
{
	ev_timer_stop(link_loop(l), &l->timer);
	ev_timer_set(&l->timer, seconds > least_time ? seconds : least_time, 0);
	ev_timer_start(link_loop(l), &l->timer);
}

void
link_wait(struct link *l, bool readable)
{
	bool reads = readable && !tls_is_choked(&l->tls);

	watch_wait(
	    &l->watch, (reads ? EV_READ : 0) | (tls_room(&l->tls) > 0 ? 0 : EV_WRITE));
}

void
link_check(struct link *l)
{
	struct pollfd look = {.fd = l->tls.fd};

	if (poll(&look, 1, 0) == 1 && (look.revents & (POLLERR | POLLHUP)))
		tls_lose(&l->tls);
}
