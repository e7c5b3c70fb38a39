#include "common/config/import_internal.h"

#include "common/config/options_table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What stunnel made of a section, and of the lines before the first one. */
struct old {
	struct service_settings s; /* by the lines alone: no default is in it */
	bool chain, peer;          /* of the peer's certificate: is it verified, pinned */
	bool require;              /* one */
	bool says_chain, says_level, says_peer, says_require; /* there is such a line */
	bool says_security;
};

/* ---- reading --------------------------------------------------------------------- */

/* The obsolete one stands for four. */
static void
take_level(struct old *old, enum verify_level level)
{
	old->chain = level != VERIFY_IGNORE && level != VERIFY_PEER;
	old->peer = level >= VERIFY_CHAIN_AND_PEER;
	old->require = level >= VERIFY_CHAIN;
	old->says_level = true;
}

/* In stunnel the last line holds, and a yes requires a certificate until a line says no.
 */
static void
take_line(struct old *old, const struct import_line *line)
{
	const struct option *o = import_option(line);
	struct err ignored;

	if (o == NULL || o->scope == OPTION_GLOBAL ||
	    !option_set(o, &old->s, line->value, &ignored))
		return;
	if (strcmp(o->name, "verify") == 0) {
		take_level(old, old->s.verify_level);
	} else if (strcmp(o->name, "verifyChain") == 0) {
		old->chain = old->s.verify_chain;
		old->require |= old->chain;
		old->says_chain = true;
	} else if (strcmp(o->name, "verifyPeer") == 0) {
		old->peer = old->s.verify_peer;
		old->require |= old->peer;
		old->says_peer = true;
	} else if (strcmp(o->name, "requireCert") == 0) {
		old->require = old->s.require_cert;
		old->says_require = true;
	} else if (strcmp(o->name, "securityLevel") == 0) {
		old->says_security = true;
	}
}

static void
take_lines(struct old *old, const struct import_section *section)
{
	for (size_t i = 0; i < section->count; i++)
		take_line(old, &section->lines[i]);
}

static struct old
read_old(const struct import *im, const struct import_section *section)
{
	struct old old = {.s = {.role = ROLE_SERVER}};

	take_lines(&old, im->sections);
	if (section != im->sections)
		take_lines(&old, section);
	return old;
}

static void
clear_old(struct old *old)
{
	for (size_t i = 0; i < settings_rows.count; i++)
		if (settings_rows.rows[i].scope == OPTION_SERVICE)
			option_clear(&settings_rows.rows[i], &old->s);
}

/* Does the chain that we verify by these lines differ from stunnel's? */
static bool
chain_differs(const struct old *old)
{
	bool ours = !old->peer;

	if (old->says_chain)
		ours = old->s.verify_chain;
	else if (old->says_level)
		ours = old->s.verify_level != VERIFY_IGNORE &&
		       old->s.verify_level != VERIFY_PEER;
	return ours != old->chain;
}

static bool
has_ca(const struct old *old)
{
	return old->s.ca_file != NULL || old->s.ca_path != NULL ||
	       old->s.ca_store != NULL;
}

static bool
has_rules(const struct old *old)
{
	return old->s.check_host.count + old->s.check_ip.count +
		   old->s.check_email.count + old->s.check_subject.count >
	       0;
}

/* ---- who runs it, and its name ---------------------------------------------------- */

/* Do the sections before it have this name? */
static bool
is_taken(const struct import *im, size_t before, const char *name)
{
	for (size_t i = 1; i < before; i++)
		if (strcmp(im->sections[i].name, name) == 0)
			return true;
	return false;
}

static void
rename_section(struct import *im, size_t which)
{
	struct import_section *section = &im->sections[which];
	char name[INI_LINE_MAX + 16];
	unsigned number = 2;

	if (!is_taken(im, which, section->name))
		return;
	do
		snprintf(name, sizeof(name), "%s %u", section->name, number++);
	while (is_taken(im, im->count, name));
	import_note(im, &section->note, "was another \"[%s]\"", section->name);
	free(section->name);
	section->name = strdup(name);
	im->failed |= section->name == NULL;
}

void
import_roles(struct import *im)
{
	for (size_t i = 1; i < im->count && !im->failed; i++) {
		struct old old = read_old(im, &im->sections[i]);

		im->sections[i].role = old.s.role;
		clear_old(&old);
		rename_section(im, i);
	}
}

/* ---- lines that had no effect ---------------------------------------------------- */

/* Revocations count in stunnel only where it verifies a chain (it refuses checkHost and
 * its like without), and what is to be said to a proxy only where there is one. */
static bool
is_idle(const struct old *old, const char *name)
{
	static const char *const lists[] = {"CRLfile", "CRLpath", "OCSP", "OCSPaia"};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (strcmp(lists[i], name) == 0)
			return !old->chain;
	return strncmp(name, "protocol", 8) == 0 && name[8] != '\0' &&
	       old->s.protocol == PROTOCOL_NONE;
}

static void
drop_idle(struct import *im, const struct old *old, struct import_section *section)
{
	for (size_t i = 0; i < section->count; i++) {
		struct import_line *line = &section->lines[i];
		const struct option *o = import_option(line);

		if (o == NULL || !is_idle(old, o->name))
			continue;
		line->out = true;
		import_note(im, &line->note,
		    "left out: it had no effect in stunnel, for no %s is written",
		    *o->name == 'p' ? "protocol" : "verifyChain");
	}
}

/* A line before the first section stands in each that it has an effect on, if there is
 * one in which it has none. */
static void
spread_idle(struct import *im, const char *name, const char *value)
{
	for (size_t i = 1; i < im->count; i++) {
		struct import_section *section = &im->sections[i];
		struct old old = read_old(im, section);

		if (import_is_ours(im, section) && !is_idle(&old, name))
			import_add(im, section, name, value);
		clear_old(&old);
	}
}

static bool
is_idle_somewhere(const struct import *im, const char *name)
{
	bool idle = false;

	for (size_t i = 1; i < im->count && !idle; i++) {
		struct old old = read_old(im, &im->sections[i]);

		idle = import_is_ours(im, &im->sections[i]) && is_idle(&old, name);
		clear_old(&old);
	}
	return idle;
}

static void
drop_idle_defaults(struct import *im)
{
	struct import_section *head = im->sections;

	for (size_t i = 0; i < head->count; i++) {
		struct import_line *line = &head->lines[i];
		const struct option *o = import_option(line);

		if (o == NULL || !is_idle_somewhere(im, o->name))
			continue;
		spread_idle(im, o->name, line->value);
		line->out = true;
		import_note(im, &line->note,
		    "left out: it had an effect in stunnel only on the services that "
		    "verify, and those have it below");
	}
}

/* ---- lines that safer defaults make necessary ------------------------------------- */

static void __attribute__((format(printf, 5, 6)))
need(struct import *im, struct import_section *section, const char *name,
    const char *value, const char *format, ...)
{
	struct import_line *line = import_add(im, section, name, value);
	struct err why;
	va_list args;

	if (line == NULL)
		return;
	va_start(args, format);
	vsnprintf(why.text, sizeof(why.text), format, args);
	va_end(args);
	import_note(im, &line->note, "%s", why.text);
}

/* Is "*" and the rest of this name among the rules, or the name itself one? */
static bool
has_wildcard(const struct old *old, const char *name)
{
	const char *rest = strchr(name, '.');
	const struct strlist *list = &old->s.check_host;

	if (rest == NULL || rest == name || *name == '*' || strchr(rest + 1, '.') == NULL)
		return true;
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i][0] == '*' && strcasecmp(list->items[i] + 1, rest) == 0)
			return true;
	return false;
}

static void
need_wildcards(struct import *im, struct old *old, struct import_section *section)
{
	const size_t count = old->s.check_host.count;

	for (size_t i = 0; i < count && !old->peer; i++) {
		const char *name = old->s.check_host.items[i];
		char value[INI_LINE_MAX + 1];

		if (has_wildcard(old, name))
			continue;
		snprintf(value, sizeof(value), "*%s", strchr(name, '.'));
		im->failed |= !strlist_add(&old->s.check_host, value);
		need(im, section, "checkHost", value,
		    "stunnel took a certificate of %s for %s, and this line does. It "
		    "opens the way to who else has such a certificate: often the router "
		    "itself. To close it, remove the line once the server's certificate "
		    "has %s itself",
		    value, name, name);
	}
}

static void
need_of_client(struct import *im, struct old *old, struct import_section *section)
{
	if (!old->chain && !old->peer) {
		if (old->s.psk_secrets != NULL && !has_ca(old))
			return;
		if (chain_differs(old))
			need(im, section, "verifyChain", "no",
			    "stunnel verified nothing, for neither verifyChain nor "
			    "verifyPeer is written: whoever answers is taken for the "
			    "server, and reads and writes all that passes. To close it, "
			    "remove the line%s; the server's name is then checked, too",
			    has_ca(old) ? ""
					: " and write \"CAfile = FILE\" with the CA of "
					  "the server's certificate, unless the system "
					  "trusts it");
		return;
	}
	if (old->chain && !has_rules(old) && old->s.check_uri.count == 0)
		need(im, section, "checkHost", "",
		    "stunnel checked no name, for no checkHost is written: whoever has "
		    "any "
		    "certificate of these CAs is taken for the server. To close it, "
		    "remove the line (the host of sni or connect is then checked), or "
		    "write \"checkHost = NAME\"");
	need_wildcards(im, old, section);
}

static void
need_of_server(struct import *im, const struct old *old, struct import_section *section)
{
	bool verifies = old->chain || old->peer;

	if (old->s.cert.count == 0 || (verifies && old->require))
		return;
	if (!verifies && has_ca(old) && chain_differs(old))
		need(im, section, "verifyChain", "no",
		    "stunnel verified no client, for neither verifyChain nor verifyPeer "
		    "is written");
	if (old->says_level && !old->says_require && !old->says_chain && !old->says_peer)
		return; /* the level says so here, too */
	if (old->says_require && !old->s.require_cert)
		return;
	need(im, section, "requireCert", "no",
	    "stunnel let in %s. To close it, remove %s",
	    verifies ? "who shows no certificate"
		     : "anyone who reaches this port, or the route",
	    verifies      ? "the line"
	    : has_ca(old) ? "both lines"
			  : "the line, and write \"CAfile = FILE\" with the CA of the "
			    "clients' certificates");
}

/* A list of ciphers may lower the level in stunnel, and only raise it here. */
static void
need_security_level(
    struct import *im, const struct old *old, struct import_section *section)
{
	static const char word[] = "@SECLEVEL=";
	const char *at = old->s.ciphers != NULL ? strstr(old->s.ciphers, word) : NULL;
	long level = old->says_security ? old->s.security_level : 2;
	char value[2] = "";

	if (at == NULL || at[sizeof(word) - 1] < '0' ||
	    at[sizeof(word) - 1] - '0' >= level)
		return;
	value[0] = at[sizeof(word) - 1];
	need(im, section, "securityLevel", value,
	    "ciphers lowered it in stunnel: keys and digests that can be broken are "
	    "taken. "
	    "To close it, remove the line");
}

/* The lines say another thing here where old and new ones of stunnel's contradict each
 * other, of which the last holds there. */
static void
settle(struct import *im, const struct old *old, struct import_section *section)
{
	if ((old->chain || old->peer) && chain_differs(old))
		need(im, section, "verifyChain", old->chain ? "yes" : "no",
		    "of several lines about verifying the last one holds in stunnel");
}

void
import_rules(struct import *im)
{
	struct import_section *head = im->sections;
	bool says_foreground = false;

	for (size_t i = 0; i < head->count; i++) {
		const struct option *o = import_option(&head->lines[i]);

		says_foreground |= o != NULL && strcmp(o->name, "foreground") == 0;
	}
	if (!says_foreground)
		need(im, head, "foreground", "no",
		    "stunnel became a daemon unless told otherwise. Write yes where a "
		    "container or systemd (Type=notify, simple or exec) runs it");
	drop_idle_defaults(im);
	for (size_t i = 1; i < im->count && !im->failed; i++) {
		struct import_section *section = &im->sections[i];
		struct old old = read_old(im, section);

		if (import_is_ours(im, section)) {
			drop_idle(im, &old, section);
			settle(im, &old, section);
			need_security_level(im, &old, section);
			if (section->role == ROLE_CLIENT)
				need_of_client(im, &old, section);
			else
				need_of_server(im, &old, section);
		}
		clear_old(&old);
	}
}
