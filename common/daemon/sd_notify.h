/*
 * Tells systemd how it goes (sd_notify(3)), without its library: datagrams to the socket
 * that NOTIFY_SOCKET names, lines of VARIABLE=value.  Without that variable every call
 * does nothing.  And its watchdog: a sign of life at half of WATCHDOG_USEC, for as long
 * as `alive` says so.
 */
#ifndef COMMON_DAEMON_SD_NOTIFY_H
#define COMMON_DAEMON_SD_NOTIFY_H

#include "common/base/address.h"

#include <ev.h>

/** All zero: nobody wants to know. */
struct sd_notify {
	int fd;
	struct address to;    /* its length is 0: as above */
	struct ev_loop *loop; /* NULL: no watchdog runs */
	ev_timer watchdog;
	bool (*alive)(void *owner);
	void *owner;
};

/** Read the environment.  sd_notify_close() follows. */
void sd_notify_open(struct sd_notify *n);
void sd_notify_close(struct sd_notify *n);

/** READY=1: at work, also again after sd_notify_reloading(). */
void sd_notify_ready(struct sd_notify *n);

/** RELOADING=1: the settings are being read. */
void sd_notify_reloading(struct sd_notify *n);

/** STOPPING=1. */
void sd_notify_stopping(struct sd_notify *n);

/** STATUS=: one line for systemctl status. */
void sd_notify_status(struct sd_notify *n, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Begin to give signs of life, if the watchdog wants any. */
void sd_notify_watch(
    struct sd_notify *n, struct ev_loop *loop, bool (*alive)(void *owner), void *owner);

#endif
