/*
 * What the files of a link share:
 *
 *	link        the handshake, what its carrier asks of it, and its life
 *	link_close  its end
 *	link_wait   what its loop is to wake it for
 *	link_set    all links of a worker, and the strangers among them
 *	peer_info   what is known of the far end
 */
#ifndef COMMON_CARRIER_LINK_INTERNAL_H
#define COMMON_CARRIER_LINK_INTERNAL_H

#include "common/carrier/link.h"

static inline struct ev_loop *
link_loop(const struct link *link)
{
	return link->set->reactor->loop;
}

/* ---- strangers ------------------------------------------------------------------- */

void link_enter_strangers(struct link *link, enum link_progress progress);

/** Fine when it has left already. */
void link_leave_strangers(struct link *link);

/** For one that is among them; else nothing happens. */
void link_advance(struct link *link, enum link_progress progress);

/** Any of those who came least far.  NULL: there is nobody. */
struct link *link_set_draw(struct link_set *set);

/** May no more handshakes be worked on in this turn?  Who is not is told again in the
 * next. */
bool link_set_is_turn_over(struct link_set *set);

/* ---- the end --------------------------------------------------------------------- */

/** From now on only its end is waited for, for at most @seconds.  May free it. */
void link_enter_closing(struct link *link, double seconds);

/** CLOSING: its socket is ready, or the time set is over.  Either may free it. */
void link_closing_step(struct link *link);
void link_closing_timeout(struct link *link);

/** Close its descriptor and free it.  @reset: by RST. */
void link_reap(struct link *link, bool reset);

#endif
