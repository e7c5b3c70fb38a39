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
	box->end = &box->mail.handoffs;
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
    struct mailbox *box, struct service *service, int fd, const struct address *peer)
{
	struct handoff *handoff = malloc(sizeof(*handoff));

	if (handoff == NULL)
		return false;
	*handoff =
	    (struct handoff){.service = service_hold(service), .fd = fd, .peer = *peer};
	pthread_mutex_lock(&box->lock);
	*box->end = handoff;
	box->end = &handoff->next;
	pthread_mutex_unlock(&box->lock);
	ev_async_send(box->loop, &box->came);
	return true;
}

void
mailbox_post_generation(struct mailbox *box, struct generation *generation)
{
	struct generation *missed;

	pthread_mutex_lock(&box->lock);
	missed = box->mail.generation;
	box->mail.generation = generation_hold(generation);
	pthread_mutex_unlock(&box->lock);
	generation_release(missed);
	ev_async_send(box->loop, &box->came);
}

void
mailbox_post_command(struct mailbox *box, enum command order)
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
	box->mail.handoffs = NULL;
	box->mail.generation = NULL;
	box->mail.shortage = false;
	box->end = &box->mail.handoffs;
	pthread_mutex_unlock(&box->lock);
	return mail;
}

struct handoff *
handoff_free(struct handoff *handoff)
{
	struct handoff *next = handoff->next;

	service_release(handoff->service);
	free(handoff);
	return next;
}
