#include "common/config/check.h"

#include <string.h>
#include <strings.h>
#include <syslog.h>

static const struct {
	const char *name;
	int facility;
} facilities[] = {
    {"auth", LOG_AUTH},
    {"authpriv", LOG_AUTHPRIV},
    {"cron", LOG_CRON},
    {"daemon", LOG_DAEMON},
    {"ftp", LOG_FTP},
    {"kern", LOG_KERN},
    {"local0", LOG_LOCAL0},
    {"local1", LOG_LOCAL1},
    {"local2", LOG_LOCAL2},
    {"local3", LOG_LOCAL3},
    {"local4", LOG_LOCAL4},
    {"local5", LOG_LOCAL5},
    {"local6", LOG_LOCAL6},
    {"local7", LOG_LOCAL7},
    {"lpr", LOG_LPR},
    {"mail", LOG_MAIL},
    {"news", LOG_NEWS},
    {"syslog", LOG_SYSLOG},
    {"user", LOG_USER},
    {"uucp", LOG_UUCP},
};

/* The last line that sets this option, or NULL. */
static const struct ini_entry *
last_line(const struct ini_section *head, const char *name)
{
	for (size_t i = head->count; i-- > 0;)
		if (strcasecmp(head->entries[i].name, name) == 0)
			return &head->entries[i];
	return NULL;
}

/* debug = FACILITY.LEVEL */
static bool
find_facility(const char *value, int *facility, struct err *e)
{
	const char *point = strchr(value, '.');
	size_t length = point != NULL ? (size_t)(point - value) : 0;

	if (point == NULL)
		return true;
	for (size_t i = 0; i < sizeof(facilities) / sizeof(facilities[0]); i++) {
		if (strlen(facilities[i].name) == length &&
		    strncasecmp(facilities[i].name, value, length) == 0) {
			*facility = facilities[i].facility;
			return true;
		}
	}
	return err_set(e,
	    "%.*s is no facility: those are auth, authpriv, cron, daemon, ftp, kern, "
	    "local0 to local7, lpr, mail, news, syslog, user, uucp",
	    (int)length, value);
}

bool
settings_check_log(
    struct settings *settings, const struct ini_section *head, struct err *e)
{
	const struct ini_entry *debug = last_line(head, "debug");

	settings->facility = LOG_DAEMON;
	if (last_line(head, "syslog") == NULL)
		settings->syslog = settings->foreground == FOREGROUND_NO;
	if (debug == NULL || find_facility(debug->value, &settings->facility, e))
		return true;
	return ini_blame(&debug->at, debug->text, e);
}
