/*
 * What is wrong with the form of a file or of a line, before anybody asks what it means:
 * bytes that no editor shows, another encoding, a template that nobody has filled in.
 * Part of ini.
 */
#ifndef COMMON_CONFIG_INI_FORM_H
#define COMMON_CONFIG_INI_FORM_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	/** So many bytes at the start of a file tell what it is. */
	INI_FORM_BYTES = 4096,
};

/** Why a file that begins with these bytes is none of settings, and what to do about it;
 * NULL: it may be one. */
const char *ini_form_of_file(const unsigned char *bytes, size_t length);

/** Judge a line without the blanks at its ends, its first "=" at @equals, perhaps NULL.
 * False: @e says what is wrong with it. */
bool ini_form_of_line(const char *text, const char *equals, struct err *e);

/** The name of the option whose value nobody is to read, though the line be misspelt; or
 * NULL. */
const char *ini_form_secret(const char *text);

#endif
