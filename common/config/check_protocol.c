#include "common/config/check.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* What only an HTTP proxy has a use for. */
static bool
check_without_proxy(const struct draft *d, struct err *e)
{
	static const char *const names[] = {"protocolHost", "protocolAuthentication",
	    "protocolUsername", "protocolPassword", "protocolHeader"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct ini_entry *line = settings_given(d, names[i]);

		if (line == NULL || !settings_is_own(d, line))
			continue;
		err_set(e,
		    "%s is for an HTTP proxy: add \"protocol = connect\" if connect is "
		    "one",
		    names[i]);
		return settings_add_error(d, line, e);
	}
	return true;
}

/* RFC 9110, 5: NAME: VALUE. */
static bool
check_headers(const struct draft *d, struct err *e)
{
	const struct strlist *list = &d->s->protocol_header;

	for (size_t i = 0; i < list->count; i++) {
		const char *text = list->items[i];
		size_t n = strcspn(text, ":");

		for (size_t j = 0; j < n; j++)
			if (!isgraph((unsigned char)text[j]))
				n = 0;
		if (n > 0 && text[n] == ':')
			continue;
		err_set(e, "a header field is NAME: VALUE");
		return settings_add_error(d, settings_given(d, "protocolHeader"), e);
	}
	return true;
}

static bool
check_credentials(const struct draft *d, struct err *e)
{
	const struct service_settings *s = d->s;
	const struct ini_entry *line = settings_given(d, "protocolUsername");

	if (s->protocol_authentication == AUTHENTICATION_NTLM) {
		line = settings_given(d, "protocolAuthentication");
		err_set(e,
		    "protocolAuthentication = ntlm is refused: NTLM is broken, and "
		    "routeport does not speak it; write basic, or go through a "
		    "program that does (cntlm, for one)");
	} else if (s->protocol_username != NULL && s->protocol_password == NULL) {
		err_set(e, "protocolPassword is missing");
	} else if (s->protocol_username == NULL && s->protocol_password != NULL) {
		line = settings_given(d, "protocolPassword");
		err_set(e, "protocolUsername is missing");
	} else if (s->protocol_username != NULL &&
		   strchr(s->protocol_username, ':') != NULL) {
		err_set(e, "a name for an HTTP proxy has no colon");
	} else {
		return true;
	}
	return settings_add_error(d, line, e);
}

/* The client's targets are HTTP proxies, and the route is behind them. */
static bool
check_proxy(const struct draft *d, struct err *e)
{
	struct service_settings *s = d->s;
	const char *text = s->protocol_host;

	if (text == NULL) {
		err_set(e,
		    "protocolHost is missing: add \"protocolHost = HOST:PORT\", the "
		    "route behind the HTTP proxy");
		return settings_add_error(d, settings_given(d, "protocol"), e);
	}
	if (text[0] == '/' || strchr(text, ':') == NULL)
		err_set(e, "protocolHost is HOST:PORT, the route behind the HTTP proxy");
	else if (address_name_parse(&s->route, text, "", e))
		return check_credentials(d, e) && check_headers(d, e);
	return settings_add_error(d, settings_given(d, "protocolHost"), e);
}

/* The port at which such a server speaks TLS from the first byte, with words around it;
 * or nothing. */
static const char *
other_port(const struct draft *d, const char *protocol)
{
	static const struct {
		const char *protocol, *advice;
	} all[] = {
	    {"smtp", "connect to port 465 (submissions), "},
	    {"imap", "connect to port 993 (imaps), "},
	    {"pop3", "connect to port 995 (pop3s), "},
	    {"nntp", "connect to port 563 (nntps), "},
	    {"ldap", "connect to port 636 (ldaps), "},
	};

	for (size_t i = 0; d->s->role == ROLE_CLIENT && i < sizeof(all) / sizeof(all[0]);
	     i++)
		if (strcasecmp(all[i].protocol, protocol) == 0)
			return all[i].advice;
	return "";
}

/* What may be said ahead of TLS, or of a stream. */
bool
settings_check_protocol(const struct draft *d, struct err *e)
{
	const struct ini_entry *line = settings_given(d, "protocol");

	switch (d->s->protocol) {
	case PROTOCOL_NONE:
		return check_without_proxy(d, e);
	case PROTOCOL_PROXY:
		if (d->s->role == ROLE_SERVER)
			return true;
		err_set(e, "protocol = proxy is for services of routeport-server alone, "
			   "which has the app to tell: write the line there");
		break;
	case PROTOCOL_CONNECT:
		if (d->s->role == ROLE_CLIENT)
			return check_proxy(d, e);
		err_set(e,
		    "protocol = connect is for services of routeport-client alone, "
		    "which may have an HTTP proxy on its way: remove the line");
		break;
	case PROTOCOL_NEGOTIATED:
		err_set(e,
		    "protocol = %s is refused: a passthrough route wants TLS from the "
		    "first byte, so nothing can be said ahead of it; %sremove the line",
		    line->value, other_port(d, line->value));
		break;
	case PROTOCOL_SOCKS:
		err_set(e, "protocol = socks is refused: no peer chooses where a stream "
			   "goes; write a section with accept and connect for each app");
		break;
	}
	return settings_add_error(d, line, e);
}
