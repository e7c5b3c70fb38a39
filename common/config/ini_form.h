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
#include <stdio.h>

/** Why @stream, a file that was just opened, is none of settings, and what to do about
 * it; NULL: it may be one.  Its position stays; a pipe is not looked into, for what was
 * read of it would be gone. */
const char *ini_form_of_file(FILE *stream);

/** Judge a line without the blanks at its ends, its first "=" at @equals, perhaps NULL.
 * False: @e says what is wrong with it. */
bool ini_form_of_line(const char *text, const char *equals, struct err *e);

#endif
