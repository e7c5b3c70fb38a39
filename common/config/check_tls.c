#include "common/config/check.h"
#include "common/config/settings_options.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* 16 or 32 bytes, colons between them or not.  What is wrong with them is never shown. */
static bool
is_secret(const char *digits)
{
	unsigned char bytes[32];
	size_t length = 0;
	bool ok =
	    OPENSSL_hexstr2buf_ex(bytes, sizeof(bytes), &length, digits, ':') == 1 &&
	    (length == 16 || length == 32);

	OPENSSL_cleanse(bytes, sizeof(bytes));
	ERR_clear_error();
	return ok;
}

static bool
check_secret(const struct draft *d, const char *option, const char *digits, struct err *e)
{
	if (digits == NULL || is_secret(digits))
		return true;
	err_set(e,
	    "%s is 32 or 64 hexadecimal digits, of 16 or 32 bytes: openssl rand -hex 32 "
	    "makes them",
	    option);
	return settings_add_error(d, settings_given(d, option), e);
}

/* Either alone would look like protection. */
static bool
check_both_secrets(const struct draft *d, struct err *e)
{
	const struct service_settings *s = d->s;

	if ((s->ticket_key_secret == NULL) == (s->ticket_mac_secret == NULL))
		return true;
	err_set(e, "%s is missing: ticketKeySecret and ticketMacSecret belong together",
	    s->ticket_key_secret == NULL ? "ticketKeySecret" : "ticketMacSecret");
	return settings_add_error(d, NULL, e);
}

/* Those that would have an answer believed whoever gave it are left out. */
static bool
check_ocsp_flags(const struct draft *d, struct err *e)
{
	static const struct {
		const char *name;
		unsigned long flag;
	} flags[] = {
	    {"NOCERTS", OCSP_NOCERTS},
	    {"NOINTERN", OCSP_NOINTERN},
	    {"NOCHAIN", OCSP_NOCHAIN},
	    {"NOEXPLICIT", OCSP_NOEXPLICIT},
	    {"TRUSTOTHER", OCSP_TRUSTOTHER},
	};
	const size_t count = sizeof(flags) / sizeof(flags[0]);
	struct service_settings *s = d->s;

	for (size_t i = 0; i < s->ocsp_flag.count; i++) {
		size_t j = 0;

		while (j < count && strcasecmp(flags[j].name, s->ocsp_flag.items[i]) != 0)
			j++;
		if (j == count) {
			err_set(e,
			    "OCSPflag takes NOCERTS, NOINTERN, NOCHAIN, NOEXPLICIT, "
			    "TRUSTOTHER; others have answers believed that nobody "
			    "vouches for");
			return settings_add_error(d, settings_given(d, "OCSPflag"), e);
		}
		s->ocsp_flags |= flags[j].flag;
	}
	return true;
}

static bool
check_ocsp(const struct draft *d, struct err *e)
{
	const struct service_settings *s = d->s;

	if (s->ocsp_url != NULL && strncasecmp(s->ocsp_url, "http://", 7) != 0) {
		err_set(e, "OCSP is http://HOST[:PORT]/PATH: its answers are signed, and "
			   "need no TLS");
		return settings_add_error(d, settings_given(d, "OCSP"), e);
	}
	return check_ocsp_flags(d, e);
}

/* What is none is left out, so that the files of the service are looked at all the same.
 */
bool
settings_check_options(const struct draft *d)
{
	struct strlist *list = &d->s->options;
	size_t kept = 0;
	bool go_on = true;

	for (size_t i = 0; i < list->count; i++) {
		struct err e = {.text = ""};
		uint64_t bits;
		bool off;

		if (settings_option_bits(list->items[i], &bits, &off, &e)) {
			list->items[kept++] = list->items[i];
			continue;
		}
		settings_add_error(d, settings_line(d, "options", list->items[i]), &e);
		go_on = diagnostics_note(d->faults, &e) && go_on;
		free(list->items[i]);
	}
	list->count = kept;
	return go_on;
}

bool
settings_check_tls(const struct draft *d, struct err *e)
{
	const struct service_settings *s = d->s;

	if (s->renegotiation) {
		err_set(e,
		    "renegotiation = yes is refused: it lets a peer ask for "
		    "handshakes without end, and TLS 1.3 has none: remove the line");
		return settings_add_error(d, settings_given(d, "renegotiation"), e);
	}
	if (s->security_level < 2)
		settings_warn(d,
		    "securityLevel = %ld takes keys and digests that can be broken",
		    s->security_level);
	return check_ocsp(d, e) &&
	       check_secret(d, "ticketKeySecret", s->ticket_key_secret, e) &&
	       check_secret(d, "ticketMacSecret", s->ticket_mac_secret, e) &&
	       check_both_secrets(d, e);
}
