/*
 * A file for stunnel, written anew so that our programs do what stunnel did with it.  The
 * lines stay as they are and in their order, with those of included files in their
 * places. Added are the lines that our safer defaults make necessary; what we will not do
 * is commented out.  A comment above each says why: what it opens, and what would close
 * it.
 */
#ifndef COMMON_CONFIG_IMPORT_H
#define COMMON_CONFIG_IMPORT_H

#include "common/config/diagnostics.h"
#include "common/config/option.h"

#include <stdbool.h>
#include <stdio.h>

/**
 * Read @file as stunnel reads it and write to @out what a program of @role needs;
 * services of the other one are only named.  @faults is told of each service that is left
 * out, as remarks, and of what keeps the file from being read.  False: a service was not
 * found, or
 * @out takes no more.  Opens no certificate and looks up no name.
 */
bool import_file(const char *file, enum role role, FILE *out, struct diagnostics *faults);

#endif
