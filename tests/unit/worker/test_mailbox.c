#include "common/worker/mailbox.h"
#include "tests/unit/unit.h"

#include <string.h>

/** A mailbox, and how often its owner was woken. */
struct scene {
	struct ev_loop *loop;
	struct mailbox box;
	int woken;
	struct service service;
};

static void
on_wake(void *owner)
{
	struct scene *s = owner;

	s->woken++;
}

static void
scene_init(struct scene *s)
{
	memset(s, 0, sizeof(*s));
	s->loop = ev_loop_new(0);
	atomic_init(&s->service.holders, 1);
	mailbox_init(&s->box, s->loop, on_wake, s);
}

static void
scene_clear(struct scene *s)
{
	mailbox_clear(&s->box);
	ev_loop_destroy(s->loop);
}

START_TEST(connections_come_in_the_order_in_which_they_were_posted)
{
	const struct address peer = {.length = 1};
	struct scene s;
	struct handoff *handoff;

	scene_init(&s);
	for (int fd = 100; fd < 103; fd++)
		ck_assert(mailbox_post_connection(&s.box, &s.service, fd, &peer));
	ck_assert_int_eq(atomic_load(&s.service.holders), 4);
	ev_run(s.loop, EVRUN_NOWAIT);
	ck_assert_int_eq(s.woken, 1); /* once for all of them */
	handoff = mailbox_empty(&s.box).handoffs;
	for (int fd = 100; fd < 103; fd++) {
		ck_assert_int_eq(handoff->fd, fd);
		ck_assert_int_eq((int)handoff->peer.length, 1);
		handoff = handoff_free(handoff);
	}
	ck_assert_ptr_null(handoff);
	ck_assert_int_eq(atomic_load(&s.service.holders), 1);
	scene_clear(&s);
}
END_TEST

START_TEST(it_can_be_filled_again_once_it_was_emptied)
{
	const struct address peer = {.length = 1};
	struct scene s;

	scene_init(&s);
	ck_assert(mailbox_post_connection(&s.box, &s.service, 100, &peer));
	ck_assert_ptr_null(handoff_free(mailbox_empty(&s.box).handoffs));
	ck_assert_ptr_null(mailbox_empty(&s.box).handoffs);
	ck_assert(mailbox_post_connection(&s.box, &s.service, 101, &peer));
	ck_assert_ptr_null(handoff_free(mailbox_empty(&s.box).handoffs));
	scene_clear(&s);
}
END_TEST

START_TEST(the_most_urgent_order_stays)
{
	struct scene s;

	scene_init(&s);
	ck_assert_int_eq(mailbox_empty(&s.box).order, COMMAND_NONE);
	mailbox_post_command(&s.box, COMMAND_STOP);
	mailbox_post_command(&s.box, COMMAND_DRAIN);
	ev_run(s.loop, EVRUN_NOWAIT);
	ck_assert_int_eq(s.woken, 1);
	ck_assert_int_eq(mailbox_empty(&s.box).order, COMMAND_STOP);
	ck_assert_int_eq(mailbox_empty(&s.box).order, COMMAND_STOP);
	scene_clear(&s);
}
END_TEST

UNIT_MAIN("mailbox", connections_come_in_the_order_in_which_they_were_posted,
    it_can_be_filled_again_once_it_was_emptied, the_most_urgent_order_stays)
