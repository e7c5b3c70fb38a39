#include "common/status/metrics.h"

#include "common/base/sysinfo.h"

#include <dirent.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdlib.h>

/* What the rows draw from. */
struct scrape {
	FILE *out;
	const struct status_subject *about;
	const struct generation *generation;
	bool stopping;
	const struct counts *sums; /* one for each service */
	long descriptors;          /* open; -1: not known */
};

struct metric {
	const char *name; /* without routeport_ */
	const char *type;
	const char *help;
	/* One of the two: once, or for each service with its sums. */
	void (*write)(const struct scrape *s, const char *name);
	void (*write_each)(const struct scrape *s, const char *name,
	    const struct service *service, const struct counts *sum);
};

/* ---- samples --------------------------------------------------------------------- */

/* The length of a UTF-8 character, or 0: these bytes are none. */
static size_t
character(const unsigned char *c)
{
	size_t n = c[0] < 0x80   ? 1
		   : c[0] < 0xc2 ? 0
		   : c[0] < 0xe0 ? 2
		   : c[0] < 0xf0 ? 3
		   : c[0] < 0xf5 ? 4
				 : 0;

	for (size_t i = 1; i < n; i++)
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) ||
	    (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f))
		return 0;
	return n;
}

/* A label's value: any text, in UTF-8. */
static void
put_escaped(FILE *out, const char *text)
{
	const unsigned char *c = (const unsigned char *)text;
	size_t n;

	for (; *c != '\0'; c += n) {
		n = character(c);
		if (*c == '\\' || *c == '"')
			fputc('\\', out);
		if (*c == '\n')
			fputs("\\n", out);
		else if (n > 0)
			fwrite(c, 1, n, out);
		else
			fputc('?', out);
		if (n == 0)
			n = 1;
	}
}

/* routeport_NAME{service="..",LABEL="VALUE"} N; @label is NULL where there is none. */
static void
put(const struct scrape *s, const char *name, const struct service *service,
    const char *label, const char *value, uint64_t n)
{
	fprintf(s->out, "routeport_%s{service=\"", name);
	put_escaped(s->out, service->settings->name);
	if (label != NULL)
		fprintf(s->out, "\",%s=\"%s", label, value);
	fprintf(s->out, "\"} %" PRIu64 "\n", n);
}

static void
put_one(const struct scrape *s, const char *name, double value)
{
	fprintf(s->out, "routeport_%s %.15g\n", name, value);
}

static const char *const kinds[COUNT_KINDS] = {[COUNT_RAW] = "raw", [COUNT_H2] = "h2"};

/* ---- the program ----------------------------------------------------------------- */

static void
put_build(const struct scrape *s, const char *name)
{
	fprintf(s->out, "routeport_%s{program=\"%s\",version=\"%s\",openssl=\"%s\"} 1\n",
	    name, s->about->program, ROUTEPORT_VERSION,
	    OpenSSL_version(OPENSSL_VERSION_STRING));
}

static void
put_start(const struct scrape *s, const char *name)
{
	put_one(s, name, s->about->started);
}

static void
put_stopping(const struct scrape *s, const char *name)
{
	put_one(s, name, s->stopping);
}

static void
put_workers(const struct scrape *s, const char *name)
{
	put_one(s, name, (double)s->about->setup->count);
}

static void
put_stuck(const struct scrape *s, const char *name)
{
	put_one(s, name, (double)watchdog_count(s->about->watchdog));
}

static void
put_connections(const struct scrape *s, const char *name)
{
	put_one(s, name, (double)atomic_load(&s->about->setup->total));
}

static void
put_max_connections(const struct scrape *s, const char *name)
{
	put_one(s, name, (double)atomic_load(&s->about->setup->most));
}

static void
put_descriptors(const struct scrape *s, const char *name)
{
	if (s->descriptors >= 0)
		put_one(s, name, (double)s->descriptors);
}

static void
put_max_descriptors(const struct scrape *s, const char *name)
{
	put_one(s, name, (double)sysinfo_descriptors());
}

/* ---- services -------------------------------------------------------------------- */

static void
put_streams(const struct scrape *s, const char *name, const struct service *service,
    const struct counts *sum)
{
	put(s, name, service, NULL, NULL, counts_open_streams(sum));
}

static void
put_all_streams(const struct scrape *s, const char *name, const struct service *service,
    const struct counts *sum)
{
	put(s, name, service, NULL, NULL, count_of(&sum->streams));
}

/* A row for each reason: one that has not come yet is 0, so that its first time shows. */
static void
put_reasons(const struct scrape *s, const char *name, const struct service *service,
    const counter *counts)
{
	for (size_t i = REASON_NONE + 1; i < REASON_COUNT; i++)
		put(s, name, service, "reason", reason_word((enum reason)i),
		    count_of(&counts[i]));
}

static void
put_endings(const struct scrape *s, const char *name, const struct service *service,
    const struct counts *sum)
{
	put_reasons(s, name, service, sum->endings);
}

static void
put_bytes(const struct scrape *s, const char *name, const struct service *service,
    const struct counts *sum)
{
	put(s, name, service, "direction", "up", count_of(&sum->up));
	put(s, name, service, "direction", "down", count_of(&sum->down));
}

static void
put_carriers(const struct scrape *s, const char *name, const struct service *service,
    const struct counts *sum)
{
	for (size_t i = 0; i < COUNT_KINDS; i++)
		put(s, name, service, "kind", kinds[i],
		    counts_open_carriers(sum, (enum count_kind)i));
}

static void
put_all_carriers(const struct scrape *s, const char *name, const struct service *service,
    const struct counts *sum)
{
	for (size_t i = 0; i < COUNT_KINDS; i++)
		put(s, name, service, "kind", kinds[i], count_of(&sum->carriers[i]));
}

static void
put_old_carriers(const struct scrape *s, const char *name, const struct service *service,
    const struct counts *sum)
{
	put(s, name, service, NULL, NULL, counts_old_carriers(sum));
}

static void
put_renewals(const struct scrape *s, const char *name, const struct service *service,
    const struct counts *sum)
{
	static const char *const whys[COUNT_RENEWALS] = {
	    [COUNT_FRESH] = "fresh", [COUNT_AGE] = "age", [COUNT_REFUSED] = "refused"};

	for (size_t i = 0; i < COUNT_RENEWALS; i++)
		put(s, name, service, "why", whys[i], count_of(&sum->renewals[i]));
}

static void
put_retries(const struct scrape *s, const char *name, const struct service *service,
    const struct counts *sum)
{
	put_reasons(s, name, service, sum->retries);
}

static void
put_handshakes(const struct scrape *s, const char *name, const struct service *service,
    const struct counts *sum)
{
	put(s, name, service, "kind", "full", count_of(&sum->full));
	put(s, name, service, "kind", "resumed", count_of(&sum->resumed));
}

static void
put_failures(const struct scrape *s, const char *name, const struct service *service,
    const struct counts *sum)
{
	put_reasons(s, name, service, sum->failures);
}

static void
put_expiry(const struct scrape *s, const char *name, const struct service *service,
    const struct counts *sum)
{
	time_t expiry = service->expiry.at;

	(void)sum;
	if (expiry > 0)
		put(s, name, service, NULL, NULL, (uint64_t)expiry);
}

/* ---- the table ------------------------------------------------------------------- */

static const struct metric metrics[] = {
    {"build_info", "gauge", "Which program this is; always 1", put_build, NULL},
    {"start_time_seconds", "gauge", "When it started, in Unix time", put_start, NULL},
    {"stopping", "gauge", "1 once it was told to stop", put_stopping, NULL},
    {"workers", "gauge", "Threads that move bytes", put_workers, NULL},
    {"workers_stuck", "gauge", "Of those, how many have not turned for 10 s", put_stuck,
	NULL},
    {"connections", "gauge", "What counts for maxConnections now", put_connections, NULL},
    {"max_connections", "gauge", "How many of these there may be", put_max_connections,
	NULL},
    {"open_descriptors", "gauge", "File descriptors in use", put_descriptors, NULL},
    {"max_descriptors", "gauge", "How many of these there may be", put_max_descriptors,
	NULL},
    {"open_streams", "gauge", "Streams open now", NULL, put_streams},
    {"streams_total", "counter", "Streams that began", NULL, put_all_streams},
    {"stream_endings_total", "counter", "Streams that ended, by the why= of the log",
	NULL, put_endings},
    {"bytes_total", "counter",
	"Bytes handed on: up to the app, down to the legacy program", NULL, put_bytes},
    {"open_carriers", "gauge", "TLS connections open now: raw has one stream, h2 many",
	NULL, put_carriers},
    {"carriers_total", "counter", "TLS connections that were opened", NULL,
	put_all_carriers},
    {"old_carriers", "gauge",
	"Of the h2 carriers, those that only live for their streams", NULL,
	put_old_carriers},
    {"carrier_renewals_total", "counter",
	"h2 carriers that took over from others, by why: fresh, age or refused", NULL,
	put_renewals},
    {"stream_retries_total", "counter",
	"Refusals after which a stream tried another far end, by the why= of the log",
	NULL, put_retries},
    {"handshakes_total", "counter", "TLS handshakes that were good: full or resumed",
	NULL, put_handshakes},
    {"handshake_failures_total", "counter",
	"TLS handshakes that were not, by the why= of the log", NULL, put_failures},
    {"certificate_expiry_timestamp_seconds", "gauge",
	"When the first certificate of our own chain expires, in Unix time", NULL,
	put_expiry},
};

/* Those in use, but for the one that looks; -1: /proc does not tell. */
static long
count_descriptors(DIR *folder)
{
	long n = -3; /* ".", ".." and the folder */

	if (folder == NULL)
		return -1;
	rewinddir(folder);
	while (readdir(folder) != NULL)
		n++;
	return n;
}

static void
write_one(const struct scrape *s, const struct metric *m)
{
	fprintf(s->out, "# HELP routeport_%s %s\n# TYPE routeport_%s %s\n", m->name,
	    m->help, m->name, m->type);
	if (m->write != NULL)
		m->write(s, m->name);
	for (size_t i = 0; m->write_each != NULL && i < s->generation->service_count; i++)
		m->write_each(s, m->name, s->generation->services[i], &s->sums[i]);
}

bool
metrics_write(FILE *out, const struct status_subject *about,
    const struct generation *generation, bool stopping)
{
	struct counts *sums =
	    aligned_alloc(COUNTERS_LINE, (generation->service_count + 1) * sizeof(*sums));
	const struct scrape s = {out, about, generation, stopping, sums,
	    count_descriptors(about->descriptors)};

	if (sums == NULL)
		return false;
	for (size_t i = 0; i < generation->service_count; i++)
		counters_sum(generation->services[i]->counters, &sums[i]);
	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
		write_one(&s, &metrics[i]);
	free(sums);
	return true;
}
