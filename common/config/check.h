/*
 * What follows from the lines of a section, and what they lack: names to send and to
 * check, whom to trust, and every combination that would be less safe than it looks.
 * Part of settings.
 */
#ifndef COMMON_CONFIG_CHECK_H
#define COMMON_CONFIG_CHECK_H

#include "common/config/ini.h"
#include "common/config/settings.h"

/** A service being read. */
struct draft {
	struct service_settings *s; /* every option set, by a line or by its fallback */
	const struct ini *ini;
	const struct ini_section *section;
	/** By row of settings_rows: the last line that set it; NULL: its fallback. */
	const struct ini_entry **given;
	struct diagnostics *faults;
	bool faulty;          /* one of them is about this service */
	enum log_level debug; /* that its own lines ask for; 0: none does */
};

/** As settings_load_all(), of what was read already. */
struct settings *
settings_read(const struct ini *ini, enum role role, struct diagnostics *faults);

/** Keep the lines of @d and where they stand, in the settings that its service belongs
 * to. False: out of memory. */
bool settings_keep_lines(const struct draft *d, const struct settings *settings);

/** Derive and judge.  Each of the faults says FILE:LINE: "the line": why.  False: look no
 * further. */
bool settings_check(struct draft *d);

/** Remark on a service that is stricter here than the same lines are in stunnel, and tell
 * the line that makes both safe, or both lax. */
void settings_note_stunnel(const struct draft *d);

/** A fault of this service.  False: look no further. */
bool settings_add_error_text(struct draft *d, const struct err *e);

/** The part of it that is about `protocol`. */
bool settings_check_protocol(const struct draft *d, struct err *e);

/** The part of it that is about `sni` in a server. */
bool settings_check_sni(const struct draft *d, struct err *e);

/** What the `sni` lines of @s say of other sections, once all are read.  On failure @e
 * says FILE:LINE: "[section]": why. */
bool settings_check_names(
    const struct settings *settings, const struct service_settings *s, struct err *e);

/** Is this service chosen by the name that is asked for at the listen sockets of another
 * one? */
bool settings_is_chosen(const struct service_settings *s);

void settings_clear_sni(struct service_settings *s);
/** The part of it that is about sessions, and how weak TLS may be. */
bool settings_check_tls(const struct draft *d, struct err *e);

/** The names in `options`.  False: look no further. */
bool settings_check_options(const struct draft *d);

/** The line that set this option, or NULL. */
const struct ini_entry *settings_given(const struct draft *d, const char *name);

/** The line that says so, of the section or before the first one; or NULL. */
const struct ini_entry *
settings_line(const struct draft *d, const char *option, const char *value);

/** What `syslog` and `debug`, before the first section, say of the system's log.  On
 * failure @e says FILE:LINE: "the line": why. */
bool settings_check_log(
    struct settings *settings, const struct ini_section *head, struct err *e);
/** The later of two lines; either may be NULL. */
const struct ini_entry *
settings_later(const struct ini_entry *a, const struct ini_entry *b);

/** What works but deserves a word. */
void settings_warn(const struct draft *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** A word of warning about the status port, where it deserves one. */
void settings_check_status(const struct settings *settings, enum role role);

/** Does this line stand in the service's own section, not before the first one? */
bool settings_is_own(const struct draft *d, const struct ini_entry *entry);

/** Forget what lines said of this option. */
void settings_forget(const struct draft *d, const char *name);

/** Put the line, or the section's line where @entry is NULL, in front of @e.  Always
 * returns false. */
bool
settings_add_error(const struct draft *d, const struct ini_entry *entry, struct err *e);

#endif
