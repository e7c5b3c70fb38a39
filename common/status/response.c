#include "common/status/response.h"

#include "common/status/metrics.h"
#include "common/status/host.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Bytes on the heap. */
struct span {
	char *text;
	size_t length;
};

static const char text_type[] = "text/plain; charset=utf-8";
static const char metrics_type[] = "text/plain; version=0.0.4; charset=utf-8";

static const char *
phrase_of(int code)
{
	switch (code) {
	case 200:
		return "OK";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 421:
		return "Misdirected Request";
	case 431:
		return "Request Header Fields Too Large";
	case 500:
		return "Internal Server Error";
	case 503:
		return "Service Unavailable";
	case 505:
		return "HTTP Version Not Supported";
	default:
		return "Bad Request";
	}
}

static void
put_head(FILE *out, int code, const char *type, size_t length)
{
	struct tm tm;
	time_t now = time(NULL);
	char date[64] = "";

	if (gmtime_r(&now, &tm) != NULL)
		strftime(date, sizeof(date), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
	fprintf(out,
	    "HTTP/1.1 %d %s\r\n%sContent-Type: %s\r\nContent-Length: %zu\r\n"
	    "Cache-Control: no-store\r\nConnection: close\r\n%s\r\n",
	    code, phrase_of(code), date, type, length,
	    code == 405 ? "Allow: GET, HEAD\r\n" : "");
}

/* Returns the code; the body goes to @out. */
static int
tell_live(const struct status_facts *f, FILE *out)
{
	const char *what = "";
	long stuck = watchdog_stuck(f->about->watchdog, &what);

	if (stuck < 0) {
		fputs("live\n", out);
		return 200;
	}
	fprintf(out, "worker %ld has not turned for 10 s: %s\n", stuck, what);
	return 503;
}

/* False: there are some. */
static bool
tell_missing(const struct generation *generation, FILE *out)
{
	for (size_t i = 0; i < generation->missing_count; i++) {
		const struct missing *m = &generation->missing[i];

		fprintf(out, "[%s] %s\n",
		    m->service != NULL ? m->service->settings->name : "status", m->why);
	}
	return generation->missing_count == 0;
}

static int
tell_ready(const struct status_facts *f, FILE *out)
{
	bool ready;

	if (f->stopping != NULL) {
		fprintf(out, "%s\n", f->stopping);
		return 503;
	}
	ready = tell_missing(f->generation, out);
	if (!readiness_tell(f->readiness, out) || !ready)
		return 503;
	fputs("ready\n", out);
	return 200;
}

/* Anybody may ask these two, for they say little, and probes ask by any name. */
static bool
is_for_probes(const struct request *r)
{
	return strcmp(r->path, "/livez") == 0 || strcmp(r->path, "/readyz") == 0;
}

static int
tell(const struct status_facts *f, const struct request *r, FILE *out, const char **type)
{
	*type = text_type;
	if (!is_for_probes(r) &&
	    !status_host_is_ours(r->host, &f->settings->status_hosts)) {
		fputs("this is not the host that the request names: ask by an address, "
		      "or let statusHost name it\n",
		    out);
		return 421;
	}
	if (strcmp(r->path, "/livez") == 0)
		return tell_live(f, out);
	if (strcmp(r->path, "/readyz") == 0)
		return tell_ready(f, out);
	if (strcmp(r->path, "/metrics") == 0) {
		*type = metrics_type;
		return metrics_write(out, f->about, f->generation, f->stopping != NULL)
			   ? 200
			   : 500;
	}
	fputs("there are /livez, /readyz and /metrics\n", out);
	return 404;
}

bool
status_needs_apps(const struct status_facts *f, const struct request *r)
{
	return f->stopping == NULL && strcmp(r->path, "/readyz") == 0;
}

/* The head, and the body unless it is not wanted. */
static bool
compose(const struct request *r, int code, const char *type, const struct span *body,
    struct span *whole)
{
	FILE *out = open_memstream(&whole->text, &whole->length);

	if (out == NULL)
		return false;
	put_head(out, code, type, body->length);
	if (!r->head)
		fwrite(body->text, 1, body->length, out);
	return fclose(out) == 0;
}

bool
status_answer(const struct status_facts *f, const struct request *r, int code,
    char **answer, size_t *length)
{
	const char *type = text_type;
	struct span body = {0}, whole = {0};
	FILE *out = open_memstream(&body.text, &body.length);
	bool ok;

	*answer = NULL;
	if (out == NULL)
		return false;
	if (code == 0)
		code = tell(f, r, out, &type);
	else
		fprintf(out, "%s\n", phrase_of(code));
	ok = fclose(out) == 0 && compose(r, code, type, &body, &whole);
	free(body.text);
	*answer = whole.text;
	*length = whole.length;
	return ok;
}
