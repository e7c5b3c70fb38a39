/*
 * What the files of a running program share.  All of it belongs to the main thread.
 *
 *	daemon		start, signals, end
 *	files		the log and the pid file, and who opens them
 *	limits		how many connections there may be
 *	reload		another generation: by SIGHUP, or because a file has changed
 */
#ifndef COMMON_DAEMON_INTERNAL_H
#define COMMON_DAEMON_INTERNAL_H

#include "common/daemon/daemonize.h"
#include "common/daemon/daemon.h"
#include "common/daemon/sd_notify.h"
#include "common/daemon/pid_file.h"
#include "common/daemon/ocsp_refresh.h"
#include "common/status/server.h"
#include "common/worker/watchdog.h"

/** In the order of life. */
enum daemon_state {
	DAEMON_RUNNING,
	DAEMON_LINGERING, /* told to stop, and still accepting */
	DAEMON_DRAINING,  /* accepts no more, and lets streams finish */
};

struct daemon {
	const struct program *program;
	struct settings *settings; /* these two are held */
	struct generation *generation;
	struct passphrases *phrases;        /* of the settings' keys */
	struct socket_activation inherited; /* until the first generation has them */
	enum daemon_state state;
	struct ev_loop *loop;
	struct worker **workers;
	size_t worker_count;
	struct worker_setup setup;
	long room; /* for streams, by the descriptors left at the start; 0: not known */
	struct byte_budget windows;
	ev_signal term, interrupt, hangup, user1;
	ev_timer limit; /* of lingering, then of draining */
	ev_timer look;  /* at files */
	struct ocsp_refresh *ocsp_refresh;
	double looked_at_dates; /* these two by reactor_now(); 0: never */
	double tried_to_listen; /* on what is missing */
	unsigned long reloaded; /* by the generation of this number, which not all workers
				   follow yet; 0: that was logged */
	ev_async worker_changed;
	struct watchdog *watchdog;
	struct status_subject subject; /* of the next one */
	struct status *status;
	struct sd_notify notify;
	struct daemonize background;
	struct pid_file pid;
	bool log_deferred, pid_deferred;
};

/* ---- limits.c -------------------------------------------------------------------- */

/** How many connections @settings allow. */
long limits_max_connections(const struct daemon *d, const struct settings *settings);

/** How many handshakes may be under way, by the memory that there is. */
long limits_max_handshakes(void);

/** Once all listen: what is left is for streams, but for what is opened ahead of them. */
void limits_share_descriptors(struct daemon *d);

/* ---- files.c --------------------------------------------------------------------- */

/** Open the log and write the pid file, each unless that has to wait until other rights
 * are given up. */
bool daemon_open_log(struct daemon *d, struct err *e);
bool daemon_write_pid(struct daemon *d, struct err *e);

/** Those that had to wait. */
bool daemon_open_deferred(struct daemon *d, struct err *e);

/** Write the log where @settings, perhaps new ones, want it, with the rights that are
 * left.  On failure all stays as it was. */
bool
daemon_reopen_log(const struct daemon *d, const struct settings *settings, struct err *e);

/* ---- reload.c -------------------------------------------------------------------- */

/** Seconds between two attempts to listen on what is missing in the generation. */
extern const double reload_listen_every;

/** SIGHUP: read the settings again.  What is wrong changes nothing, and is logged. */
void reload_settings(struct daemon *d);

/** Log what has been taken up by all workers and was not logged yet: until then a line
 * would say more than is true. */
void reload_report(struct daemon *d);

/** Look every few seconds whether a certificate, key or CA has changed, and once a day
 * when certificates expire. */
void reload_watch_files(struct daemon *d);

#endif
