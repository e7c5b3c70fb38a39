/*
 * What follows from the lines of a section, and what they lack: names to send and to
 * check, whom to trust, and every combination that would be less safe than it looks.
 * Part of settings.
 */
#ifndef COMMON_SETTINGS_CHECK_H
#define COMMON_SETTINGS_CHECK_H

#include "common/ini.h"
#include "common/settings.h"

/** A service being read. */
struct draft {
	struct service_settings *s; /* every option set, by a line or by its fallback */
	const struct ini *ini;
	const struct ini_section *section;
	/** By row of settings_rows: the last line that set it; NULL: its fallback. */
	const struct ini_entry **given;
};

/** Derive and judge.  On failure @e says FILE:LINE: "the line": why. */
bool settings_check(struct draft *d, struct err *e);

/** The part of it that is about `protocol`. */
bool settings_check_protocol(const struct draft *d, struct err *e);

/** The part of it that is about sessions, and how weak TLS may be. */
bool settings_check_tls(const struct draft *d, struct err *e);

/** The line that set this option, or NULL. */
const struct ini_entry *settings_given(const struct draft *d, const char *name);

/** The later of two lines; either may be NULL. */
const struct ini_entry *
settings_later(const struct ini_entry *a, const struct ini_entry *b);

/** What works but deserves a word. */
void settings_warn(const struct draft *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** A word of warning about the status port, where it deserves one. */
void settings_check_status(const struct settings *settings, enum role role);

/** Put the line, or the section's line where @entry is NULL, in front of @e.  Always
 * returns false. */
bool settings_blame(const struct draft *d, const struct ini_entry *entry, struct err *e);

#endif
