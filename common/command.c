#include "common/command.h"

#include <ares.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
print_help(const struct program *program, FILE *out)
{
	fprintf(out,
	    "%s: %s\n\n"
	    "usage: %s FILE           run the services of this .ini file\n"
	    "       %s --check FILE   say whether it would run (exit 0, or 2 and why)\n"
	    "       %s --options      every option with default, range and meaning\n"
	    "       %s --version      its version and the libraries'\n"
	    "       %s --help         this\n\n"
	    "SIGTERM and SIGINT go on accepting for TIMEOUTlinger, then let streams "
	    "finish\n"
	    "for TIMEOUTdrain; a second one does not wait.  SIGHUP reads the file "
	    "again,\n"
	    "SIGUSR1 opens the log anew.\n",
	    program->name, program->purpose, program->name, program->name, program->name,
	    program->name, program->name);
}

static void
print_version(const struct program *program)
{
	printf("%s %s\n%s\nlibev %d.%d\nc-ares %s\n", program->name, ROUTEPORT_VERSION,
	    OpenSSL_version(OPENSSL_VERSION), ev_version_major(), ev_version_minor(),
	    ares_version(NULL));
}

static void
tell_fault(void *owner, const char *text)
{
	(void)owner;
	fprintf(stderr, "%s\n", text);
}

static void
tell_remark(void *owner, const char *text)
{
	(void)owner;
	fprintf(stderr, "note: %s\n", text);
}

/* All that is wrong with it, one a line. */
static int
check(const struct program *program, const char *file)
{
	struct faults faults = {.tell = tell_fault, .remark = tell_remark};

	daemon_check(program, file, &faults);
	if (faults.count > 0)
		return EXIT_USAGE;
	printf("%s: good\n", file);
	return EXIT_SUCCESS;
}

static int
wrong(const struct program *program)
{
	print_help(program, stderr);
	return EXIT_USAGE;
}

int
command_main(const struct program *program, int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	if (argc == 3 && strcmp(word, "--check") == 0)
		return check(program, argv[2]);
	if (argc != 2 || word[0] == '\0')
		return wrong(program);
	if (strcmp(word, "--help") == 0)
		print_help(program, stdout);
	else if (strcmp(word, "--version") == 0)
		print_version(program);
	else if (strcmp(word, "--options") == 0)
		settings_print_options(stdout, program->role);
	else if (strcmp(word, "--options-markdown") == 0)
		settings_print_markdown(stdout);
	else if (word[0] == '-')
		return wrong(program);
	else
		return daemon_run(program, word);
	return EXIT_SUCCESS;
}
