#include "common/worker/mailbox.h"

#include <stdlib.h>

static void
on_came(struct ev_loop *loop, ev_async *came, int events)
{
	struct mailbox *box = came->data;

	(void)loop;
	(void)events;
	box->wake(box->owner);
}

void
mailbox_init(
    struct mailbox *box, struct ev_loop *loop, void (*wake)(void *owner), void *owner)
{
	*box = (struct mailbox){.loop = loop, .wake = wake, .owner = owner};
	box->end = &box->mail.parcels;
	pthread_mutex_init(&box->lock, NULL);
	ev_async_init(&box->came, on_came);
	box->came.data = box;
	ev_async_start(loop, &box->came);
}

void
mailbox_clear(struct mailbox *box)
{
	ev_async_stop(box->loop, &box->came);
	pthread_mutex_destroy(&box->lock);
}

bool
mailbox_post_connection(
    struct mailbox *box, struct service *service, int fd, const struct net_address *peer)
{
	struct parcel *parcel = malloc(sizeof(*parcel));

	if (parcel == NULL)
		return false;
	*parcel =
	    (struct parcel){.service = service_hold(service), .fd = fd, .peer = *peer};
	pthread_mutex_lock(&box->lock);
	*box->end = parcel;
	box->end = &parcel->next;
	pthread_mutex_unlock(&box->lock);
	ev_async_send(box->loop, &box->came);
	return true;
}

void
mailbox_post_plan(struct mailbox *box, struct plan *plan)
{
	struct plan *missed;

	pthread_mutex_lock(&box->lock);
	missed = box->mail.plan;
	box->mail.plan = plan_hold(plan);
	pthread_mutex_unlock(&box->lock);
	plan_release(missed);
	ev_async_send(box->loop, &box->came);
}

void
mailbox_post_order(struct mailbox *box, enum order order)
{
	pthread_mutex_lock(&box->lock);
	if (order > box->mail.order)
		box->mail.order = order;
	pthread_mutex_unlock(&box->lock);
	ev_async_send(box->loop, &box->came);
}

void
mailbox_post_shortage(struct mailbox *box)
{
	pthread_mutex_lock(&box->lock);
	box->mail.shortage = true;
	pthread_mutex_unlock(&box->lock);
	ev_async_send(box->loop, &box->came);
}

struct mail
mailbox_empty(struct mailbox *box)
{
	struct mail mail;

	pthread_mutex_lock(&box->lock);
	mail = box->mail;
	box->mail.parcels = NULL;
	box->mail.plan = NULL;
	box->mail.shortage = false;
	box->end = &box->mail.parcels;
	pthread_mutex_unlock(&box->lock);
	return mail;
}

struct parcel *
parcel_free(struct parcel *parcel)
{
	struct parcel *next = parcel->next;

	service_release(parcel->service);
	free(parcel);
	return next;
}
