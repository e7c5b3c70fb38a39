#include "common/settings_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

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

static void __attribute__((format(printf, 2, 3)))
remark(const struct draft *d, const char *format, ...)
{
	struct err text;
	va_list args;

	va_start(args, format);
	vsnprintf(text.text, sizeof(text.text), format, args);
	va_end(args);
	settings_blame(d, NULL, &text);
	d->faults->remark(d->faults->owner, text.text);
	d->faults->remarked = true;
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
		remark(d,
		    "stunnel would take any server here, for no verifyChain is written; "
		    "routeport verifies it: add \"verifyChain = yes\" to have stunnel do "
		    "so too; \"verifyChain = no\" does as stunnel does, which is unsafe");
	else
		remark(d,
		    "stunnel would take any server here; routeport takes one whose "
		    "certificate leads to the system's CAs and has the name that is "
		    "asked for: add \"CAfile = FILE\" for a CA of your own, and "
		    "\"verifyChain = yes\" to have stunnel verify too; \"verifyChain = "
		    "no\" "
		    "does as stunnel does, which is unsafe");
}

static void
remark_on_server(const struct draft *d)
{
	if (!d->s->require_cert || says(d, verifying))
		return;
	remark(d,
	    "stunnel would let anyone in here, for no verifyChain is written; routeport "
	    "lets in who has a certificate of CAfile or CApath: add \"verifyChain = "
	    "yes\" to have stunnel do so too; \"requireCert = no\" does as stunnel does, "
	    "which is unsafe");
}

void
settings_remark(const struct draft *d)
{
	if (d->faults->remark == NULL || d->faulty || d->faults->remarked)
		return;
	if (d->s->role == ROLE_CLIENT)
		remark_on_client(d);
	else
		remark_on_server(d);
}
