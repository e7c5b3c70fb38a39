#include "common/daemon/internal.h"

#include "common/base/sysinfo.h"

enum {
	/* Descriptors that are not streams: logs, epolls, listening sockets, h2 carriers,
	 * who asks the status port. */
	SPARE_DESCRIPTORS = 96,
	SPARE_PER_WORKER = 64,
	/* One in so many of those that are left at the start. */
	AHEAD_SHARE = 4,
	/* Bytes that an unfinished handshake may take, with what the kernel holds. */
	HANDSHAKE_MEMORY = 64 << 10,
	/* One in so many bytes of memory may go to them. */
	HANDSHAKE_SHARE = 4,
};

/* Of the dearest service: the plain socket of a stream, its raw carrier, and one that is
 * still closing.  Where both kinds may come, the last is left to chance: out of
 * descriptors accepting pauses. */
static long
descriptors_per_stream(const struct settings *settings)
{
	static const long needed[] = {
	    [MULTIPLEX_NO] = 3, [MULTIPLEX_AUTO] = 2, [MULTIPLEX_YES] = 1};
	long most = 1;

	for (size_t i = 0; i < settings->service_count; i++)
		if (needed[settings->services[i].multiplex] > most)
			most = needed[settings->services[i].multiplex];
	return most;
}

long
limits_max_connections(const struct daemon *d, const struct settings *settings)
{
	long most = settings->max_connections;

	if (most == 0)
		most = (sysinfo_descriptors() - SPARE_DESCRIPTORS -
			   (long)d->worker_count * SPARE_PER_WORKER) /
		       descriptors_per_stream(settings);
	if (settings->max_connections == 0 && d->room > 0 && d->room < most)
		most = d->room;
	return most > 1 ? most : 1;
}

/* All listen now.  What is left is for streams, but for a quarter: carriers that are
 * opened ahead of them. */
void
limits_share_descriptors(struct daemon *d)
{
	long left = sysinfo_descriptors_left();

	d->setup.ahead = left / AHEAD_SHARE / (long)d->worker_count;
	d->room = (left - left / AHEAD_SHARE) / descriptors_per_stream(d->settings);
	atomic_store(&d->setup.most, limits_max_connections(d, d->settings));
}

long
limits_max_handshakes(void)
{
	return (long)(sysinfo_memory() / HANDSHAKE_SHARE / HANDSHAKE_MEMORY);
}
