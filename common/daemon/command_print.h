/*
 * The ways to call a program, in one table: the help, the manual pages' and the shells'
 * words for them.  Part of command.
 */
#ifndef COMMON_DAEMON_COMMAND_PRINT_H
#define COMMON_DAEMON_COMMAND_PRINT_H

#include <stdio.h>

/** What a program does when it is called so. */
enum call {
	CALL_RUN,
	CALL_CHECK,
	CALL_IMPORT,
	CALL_OPTIONS,
	CALL_VERSION,
	CALL_HELP,
	CALL_PRINT, /* for tools/generated.py */
	CALLS
};

/** Which call begins with @word; CALL_RUN for what is no option; CALLS: there is none. */
enum call command_call(const char *word);

/** The usage, with a line for each call. */
void command_print_help(FILE *out, const char *program);

/** The calls as a list in mdoc(7). */
void command_print_mdoc(FILE *out);

/** A script that completes command lines of both programs, for bash or for zsh. */
void command_print_bash(FILE *out);
void command_print_zsh(FILE *out);

#endif
