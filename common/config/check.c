#include "common/config/check.h"

#include "common/base/log.h"
#include "common/base/hostname.h"
#include "common/config/check_identity.h"
#include "common/config/options_table.h"
#include "common/config/check_trust.h"

#include <assert.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool
settings_add_error(const struct draft *d, const struct ini_entry *entry, struct err *e)
{
	char section[INI_LINE_MAX + 3];

	if (entry != NULL)
		return ini_blame(&entry->at, entry->text, e);
	snprintf(section, sizeof(section), "[%s]", d->section->name);
	return ini_blame(&d->section->at, section, e);
}

static size_t
row_of(const char *name)
{
	size_t i = 0;

	while (i < settings_rows.count && strcmp(settings_rows.rows[i].name, name) != 0)
		i++;
	assert(i < settings_rows.count); /* no such row */
	return i;
}

bool
settings_add_error_text(struct draft *d, const struct err *e)
{
	d->faulty = true;
	return diagnostics_note(d->faults, e);
}

const struct ini_entry *
settings_given(const struct draft *d, const char *name)
{
	return d->given[row_of(name)];
}

/* The line of @section that says so, or NULL. */
static const struct ini_entry *
line_in(const struct ini_section *section, const char *option, const char *value)
{
	for (size_t i = 0; i < section->count; i++)
		if (strcasecmp(section->entries[i].name, option) == 0 &&
		    strcmp(section->entries[i].value, value) == 0)
			return &section->entries[i];
	return NULL;
}

const struct ini_entry *
settings_line(const struct draft *d, const char *option, const char *value)
{
	const struct ini_entry *line = line_in(d->section, option, value);

	return line != NULL ? line : line_in(d->ini->sections, option, value);
}

bool
settings_is_own(const struct draft *d, const struct ini_entry *entry)
{
	return ini_is_behind(&entry->at, &d->section->at);
}

void
settings_forget(const struct draft *d, const char *name)
{
	size_t row = row_of(name);

	option_clear(&settings_rows.rows[row], d->s);
	d->given[row] = NULL;
}

const struct ini_entry *
settings_later(const struct ini_entry *a, const struct ini_entry *b)
{
	if (a == NULL || (b != NULL && ini_is_behind(&b->at, &a->at)))
		return b;
	return a;
}

void
settings_warn(const struct draft *d, const char *format, ...)
{
	struct err text;
	va_list args;

	va_start(args, format);
	vsnprintf(text.text, sizeof(text.text), format, args);
	va_end(args);
	log_event(LOG_LEVEL_WARNING, "settings", LOG_TEXT("service", d->section->name),
	    LOG_TEXT("warning", text.text));
}

static bool
no_memory(const struct draft *d, struct err *e)
{
	return err_errno(e, ENOMEM, "%s: [%s]", d->ini->file, d->section->name);
}

/* Of a service with a wrong line that may be the cause, nothing is said. */
static bool
lacks_accept(const struct draft *d)
{
	if (d->s->accept.count > 0 || settings_given(d, "accept") != NULL)
		return false;
	return !settings_is_chosen(d->s) &&
	       !(d->faulty && settings_given(d, "sni") != NULL);
}

static bool
check_accept(const struct draft *d, struct err *e)
{
	if (!lacks_accept(d))
		return true;
	err_set(e, "accept is missing: add \"accept = [HOST:]PORT\", where to listen");
	return settings_add_error(d, NULL, e);
}

static bool
check_connect(const struct draft *d, struct err *e)
{
	if (d->s->connect.count > 0 || settings_given(d, "connect") != NULL)
		return true;
	err_set(e, "connect is missing: add \"connect = [HOST:]PORT\", where to "
		   "forward to");
	return settings_add_error(d, NULL, e);
}

static bool
check_key(const struct draft *d, struct err *e)
{
	if (d->s->key.count == 0 || d->s->cert.count > 0)
		return true;
	if (d->s->role == ROLE_CLIENT) {
		settings_warn(d, "key has no effect, for there is no cert: add \"cert = "
				 "FILE\" to show a certificate, or remove the line");
		settings_forget(d, "key");
		return true;
	}
	err_set(e, "there is a key but no cert: add \"cert = FILE\"");
	return settings_add_error(d, NULL, e);
}

/* Literals alone, since this host must have the address. */
static bool
check_local(const struct draft *d, struct err *e)
{
	struct service_settings *s = d->s;
	const struct address_name name = {.host = s->local};

	if (s->local == NULL)
		return true;
	s->local_count = address_name_addresses(&name, s->local_addresses);
	if (s->local_count > 0)
		return true;
	err_set(e, "local is an address of this host in numbers, or localhost");
	return settings_add_error(d, settings_given(d, "local"), e);
}

/* Each certificate has a key, in the same file unless there are lines for keys. */
static bool
check_certificates(const struct draft *d, struct err *e)
{
	struct service_settings *s = d->s;

	if (s->cert.count > SETTINGS_CERTIFICATES) {
		err_set(
		    e, "there are more than %d cert lines", (int)SETTINGS_CERTIFICATES);
		return settings_add_error(d, settings_given(d, "cert"), e);
	}
	if (s->cert.count > 0 && s->key.count > 0 && s->key.count != s->cert.count) {
		err_set(e,
		    "there are %zu cert lines and %zu key lines: write a key for each "
		    "cert, in the same order",
		    s->cert.count, s->key.count);
		return settings_add_error(d, settings_given(d, "key"), e);
	}
	while (s->key.count < s->cert.count)
		if (!strlist_add(&s->key, s->cert.items[s->key.count]))
			return no_memory(d, e);
	return true;
}

static bool
check_versions(const struct draft *d, struct err *e)
{
	const struct ini_entry *exact = settings_given(d, "sslVersion");
	const struct ini_entry *min =
	    settings_later(exact, settings_given(d, "sslVersionMin"));
	const struct ini_entry *max =
	    settings_later(exact, settings_given(d, "sslVersionMax"));
	struct service_settings *s = d->s;

	if (s->tls_max != 0 && s->tls_max < TLS1_2_VERSION) {
		err_set(e, "routeport speaks TLS 1.2 and 1.3 alone, for what is older is "
			   "broken: remove the line or write TLSv1.2");
		return settings_add_error(d, max, e);
	}
	if (s->tls_min != 0 && s->tls_min < TLS1_2_VERSION)
		settings_warn(d, "sslVersionMin = %s is raised to TLSv1.2", min->value);
	if (s->tls_min < TLS1_2_VERSION)
		s->tls_min = TLS1_2_VERSION;
	if (s->tls_max != 0 && s->tls_min > s->tls_max) {
		err_set(e, "the oldest version is above the newest one");
		return settings_add_error(d, settings_later(min, max), e);
	}
	return true;
}

/* Where the route may be: what an HTTP proxy is asked for, or the connect lines. */
static const struct address_name *
routes(const struct draft *d, size_t *count)
{
	bool proxied = d->s->route.host != NULL;

	*count = proxied ? 1 : d->s->connect.count;
	return proxied ? &d->s->route : d->s->connect.items;
}

/* The first of them that has a host name, or NULL. */
static const struct address_name *
named_target(const struct draft *d)
{
	size_t count;
	const struct address_name *list = routes(d, &count);

	for (size_t i = 0; i < count; i++)
		if (list[i].host != NULL && !address_is_literal(list[i].host))
			return &list[i];
	return NULL;
}

static bool
default_sni(const struct draft *d, struct err *e)
{
	const struct address_name *named = named_target(d);
	size_t count;
	const struct address_name *list = routes(d, &count);

	if (settings_given(d, "sni") != NULL || named == NULL)
		return true;
	for (size_t i = 0; i < count; i++)
		if (list[i].host != NULL && !address_is_literal(list[i].host) &&
		    strcasecmp(list[i].host, named->host) != 0)
			settings_warn(d,
			    "connect names several hosts: %s is sent as SNI to all of "
			    "them; "
			    "write sni, or a section for each",
			    named->host);
	return (d->s->sni = strdup(named->host)) != NULL || no_memory(d, e);
}

/* The router compares names without the dot that ends a name in the DNS. */
static void
strip_dot(const struct draft *d)
{
	size_t length = d->s->sni == NULL ? 0 : strlen(d->s->sni);

	if (length < 2 || d->s->sni[length - 1] != '.')
		return;
	d->s->sni[length - 1] = '\0';
	if (settings_given(d, "sni") != NULL)
		settings_warn(d, "the dot at the end of sni is not sent");
}

static bool
check_sni(const struct draft *d, struct err *e)
{
	if (!default_sni(d, e))
		return false;
	strip_dot(d);
	if (d->s->sni != NULL && strchr(d->s->sni, ':') != NULL &&
	    !address_is_literal(d->s->sni)) {
		err_set(e, "SERVICE:PATTERN is for services of routeport-server, which "
			   "are chosen so; here it is the host of the route");
		return settings_add_error(d, settings_given(d, "sni"), e);
	}
	if (d->s->sni == NULL && settings_given(d, "sni") == NULL)
		settings_warn(d,
		    "%s is an address and there is no sni, so none is sent and no "
		    "route can match: add sni = HOST of the route",
		    d->s->route.host != NULL ? "protocolHost" : "connect");
	if (d->s->sni != NULL && !hostname_check(d->s->sni, e)) {
		if (settings_given(d, "sni") == NULL)
			err_prefix(e, "%s cannot be sent as SNI", d->s->sni);
		return settings_add_error(d, settings_given(d, "sni"), e);
	}
	return true;
}

/* Check the addresses that we dial, for there is no name. */
static bool
default_check_ip(const struct draft *d, struct err *e)
{
	size_t count;
	const struct address_name *list = routes(d, &count);
	char *host;
	bool added;

	for (size_t i = 0; i < count; i++) {
		if (list[i].host == NULL)
			continue;
		/* A certificate knows no %scope. */
		host = strndup(list[i].host, strcspn(list[i].host, "%"));
		added = host != NULL && strlist_add(&d->s->check_ip, host);
		free(host);
		if (!added)
			return no_memory(d, e);
	}
	if (d->s->check_ip.count > 0)
		return true;
	err_set(e,
	    "connect is a Unix socket, so the server's name is not known: add \"sni = "
	    "HOST\" or \"checkHost = HOST\"");
	return settings_add_error(d, NULL, e);
}

/* Whom the client takes for the server. */
static bool
default_check_host(const struct draft *d, struct err *e)
{
	const struct address_name *named = named_target(d);
	struct service_settings *s = d->s;

	if (!s->verify_chain || settings_has_rules(d))
		return true;
	if (settings_given(d, "checkHost") != NULL) {
		settings_warn(d, "checkHost is empty: whoever has a certificate of these "
				 "CAs is taken for the server");
		return true;
	}
	if (s->sni != NULL)
		return strlist_add(&s->check_host, s->sni) || no_memory(d, e);
	if (named != NULL)
		return strlist_add(&s->check_host, named->host) || no_memory(d, e);
	return default_check_ip(d, e);
}

/* Is one of them all addresses of this host? */
static bool
is_everywhere(const struct name_list *list)
{
	struct address addresses[2];

	for (size_t i = 0; i < list->count; i++)
		if (address_name_addresses(&list->items[i], addresses) == 1 &&
		    address_is_any(&addresses[0]))
			return true;
	return false;
}

void
settings_check_status(const struct settings *settings, enum role role)
{
	if (role == ROLE_CLIENT && is_everywhere(&settings->status))
		log_warning("event=settings warning=\"status listens everywhere: write "
			    "status = 127.0.0.1:PORT if nobody else is to ask\"");
}

static void
warn_of_open_access(const struct draft *d)
{
	if (is_everywhere(&d->s->accept))
		settings_warn(d,
		    "accept listens everywhere, so whoever reaches this port enters as "
		    "this host: write accept = 127.0.0.1:PORT if the programs run "
		    "here");
	if (!settings_knows_peers(d->s))
		settings_warn(d, "verifyChain = no: the server may be anybody");
}

static bool
check_client(const struct draft *d, struct err *e)
{
	if (!check_sni(d, e) || !default_check_host(d, e))
		return false;
	warn_of_open_access(d);
	return true;
}

static bool
check_names(const struct draft *d, struct err *e)
{
	return d->s->role == ROLE_CLIENT || settings_check_sni(d, e);
}

static bool
check_role(const struct draft *d, struct err *e)
{
	if (d->s->role == ROLE_SERVER)
		return settings_check_client_trust(d, e);
	/* Names follow from `connect`; that it is missing was told. */
	return d->s->connect.count == 0 || check_client(d, e);
}

/* One after the other, behind the rules as they were written: what one finds says nothing
 * against the next. */
static bool (*const steps[])(const struct draft *, struct err *) = {
    check_names,
    check_accept,
    check_connect,
    check_key,
    check_local,
    check_certificates,
    check_versions,
    settings_check_protocol,
    settings_check_tls,
    settings_check_trust,
    check_role,
};

bool
settings_check(struct draft *d)
{
	struct err e = {.text = ""};

	if (!settings_check_rules(d) || !settings_check_options(d))
		return false;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (!steps[i](d, &e) && !settings_add_error_text(d, &e))
			return false;
	settings_note_stunnel(d);
	return true;
}
