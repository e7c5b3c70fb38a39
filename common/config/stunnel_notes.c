#include "common/config/check.h"
#include "common/config/check_identity.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What is remarked on. */
enum kind {
	LAX = 1,  /* stunnel would not verify */
	NAME = 2, /* stunnel would check no name */
	ROLE = 4, /* either program takes the section */
};

static bool
is_among(const struct ini_section *section, const char *name)
{
	for (size_t i = 0; i < section->count; i++)
		if (strcasecmp(section->entries[i].name, name) == 0)
			return true;
	return false;
}

/* Does the file say any of this, for this service? */
static bool
says(const struct draft *d, const char *const *names)
{
	for (; *names != NULL; names++)
		if (is_among(d->ini->sections, *names) || is_among(d->section, *names))
			return true;
	return false;
}

static void __attribute__((format(printf, 3, 4)))
remark(const struct draft *d, enum kind kind, const char *format, ...)
{
	struct err text;
	va_list args;

	if ((d->faults->remarked & kind) != 0)
		return;
	va_start(args, format);
	vsnprintf(text.text, sizeof(text.text), format, args);
	va_end(args);
	settings_add_error(d, NULL, &text);
	d->faults->remark(d->faults->owner, text.text);
	d->faults->remarked |= kind;
}

/* stunnel verifies nothing until a line tells it to. */
static const char *const verifying[] = {
    "verifyChain", "verifyPeer", "verify", "requireCert", "PSKsecrets", NULL};

static void
remark_on_client(const struct draft *d)
{
	static const char *const trusting[] = {
	    "CAfile", "CApath", "CAstore", "checkHost", "checkIP", NULL};

	/* What lacks this line is a server to stunnel. */
	if (settings_given(d, "client") == NULL)
		return;
	if (!d->s->verify_chain || says(d, verifying))
		return;
	if (says(d, trusting))
		remark(d, LAX,
		    "stunnel would take any server here, for no verifyChain is written; "
		    "routeport verifies it: add \"verifyChain = yes\" to have stunnel do "
		    "so too; \"verifyChain = no\" does as stunnel does, which is unsafe");
	else
		remark(d, LAX,
		    "stunnel would take any server here; routeport takes one whose "
		    "certificate leads to the system's CAs and has the name that is "
		    "asked for: add \"CAfile = FILE\" for a CA of your own, and "
		    "\"verifyChain = yes\" to have stunnel verify too; \"verifyChain = "
		    "no\" "
		    "does as stunnel does, which is unsafe");
}

/* Where stunnel verifies, and no rule is written, it checks no name. */
static void
remark_on_name(const struct draft *d)
{
	const struct service_settings *s = d->s;
	bool by_name = s->check_host.count > 0;

	if (settings_given(d, "client") == NULL || !s->verify_chain ||
	    !says(d, verifying) || settings_has_rules(d) ||
	    s->check_host.count + s->check_ip.count == 0)
		return;
	remark(d, NAME,
	    "stunnel would take any certificate of these CAs here, for no checkHost is "
	    "written; routeport also checks the %s: add \"%s = %s\" to have stunnel do "
	    "so too; \"checkHost =\" does as stunnel does, which is unsafe",
	    by_name ? "name" : "address", by_name ? "checkHost" : "checkIP",
	    by_name ? s->check_host.items[0] : s->check_ip.items[0]);
}

static void
remark_on_server(const struct draft *d)
{
	if (!d->s->require_cert || says(d, verifying))
		return;
	remark(d, LAX,
	    "stunnel would let anyone in here, for no verifyChain is written; routeport "
	    "lets in who has a certificate of CAfile or CApath: add \"verifyChain = "
	    "yes\" to have stunnel do so too; \"requireCert = no\" does as stunnel does, "
	    "which is unsafe");
}

/* ---- either program -------------------------------------------------------------- */

static bool
is_of_this_host(const struct address_name *name)
{
	struct address addresses[2];

	if (name->path != NULL)
		return true;
	if (address_name_addresses(name, addresses) == 0)
		return false;
	if (addresses[0].any.sa_family == AF_INET)
		return ntohl(addresses[0].in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(&addresses[0].in6.sin6_addr) != 0;
}

/* A client listens on this host and dials another one, a server the other way round; sni
 * tells for certain. */
static bool
reads_like_client(const struct draft *d)
{
	const struct ini_entry *sni = settings_given(d, "sni");
	bool has_cert = settings_given(d, "cert") != NULL;
	int client = 0;

	if (sni != NULL)
		return strchr(sni->value, ':') == NULL;
	if (d->s->accept.count > 0)
		client += is_of_this_host(&d->s->accept.items[0]) ? 1 : -1;
	if (d->s->connect.count > 0)
		client += is_of_this_host(&d->s->connect.items[0]) ? -2 : 2;
	client += has_cert ? -1 : 1;
	return client > 0;
}

static void
remark_on_role(const struct draft *d)
{
	bool client;

	if (settings_given(d, "client") != NULL)
		return;
	client = reads_like_client(d);
	remark(d, ROLE,
	    "no line says client, so either program takes this section (and stunnel "
	    "takes "
	    "it for a server's); it reads like one for routeport-%s: add \"client = %s\"",
	    client ? "client" : "server", client ? "yes" : "no");
}

void
settings_note_stunnel(const struct draft *d)
{
	if (d->faults->remark == NULL || d->faulty)
		return;
	remark_on_role(d);
	if (d->s->role == ROLE_SERVER) {
		remark_on_server(d);
		return;
	}
	remark_on_client(d);
	remark_on_name(d);
}
