#include "common/daemon/command.h"

#include "common/daemon/command_print.h"
#include "common/config/import.h"
#include "common/h2/carrier.h"

#include <ares.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
print_help(const struct program *program, FILE *out)
{
	fprintf(out, "%s: %s\n\n", program->name, program->purpose);
	command_print_help(out, program->name);
	fputs("\nSIGTERM and SIGINT go on accepting for TIMEOUTlinger, then let streams "
	      "finish\n"
	      "for TIMEOUTdrain; a second one does not wait.  SIGHUP reads the file "
	      "again,\n"
	      "SIGUSR1 opens the log anew.\n",
	    out);
}

static void
print_version(const struct program *program)
{
	printf("%s %s\n%s\nnghttp2 %s\nlibev %d.%d\nc-ares %s\n", program->name,
	    ROUTEPORT_VERSION, OpenSSL_version(OPENSSL_VERSION),
	    h2_carrier_library_version(), ev_version_major(), ev_version_minor(),
	    ares_version(NULL));
#ifdef INIH_VERSION
	/* It does not say so itself: the one that was there when this was built. */
	printf("inih %s\n", INIH_VERSION);
#endif
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
	struct diagnostics faults = {.tell = tell_fault, .remark = tell_remark};

	daemon_check(program, file, &faults);
	diagnostics_print(&faults);
	if (faults.count > 0)
		return EXIT_USAGE;
	if (faults.useless)
		printf(
		    "%s: would start, but no peer takes our certificate today\n", file);
	else
		printf("%s: good\n", file);
	return EXIT_SUCCESS;
}

/* A file for stunnel, as one of ours. */
static int
import(const struct program *program, const char *file)
{
	struct diagnostics faults = {.tell = tell_fault, .remark = tell_remark};
	bool ok = import_file(file, program->role, stdout, &faults);

	diagnostics_print(&faults);
	if (fflush(stdout) == 0)
		return ok ? EXIT_SUCCESS : EXIT_USAGE;
	fprintf(stderr, "it cannot be written: %s\n", strerror(errno));
	return EXIT_FAILURE;
}

static int
print_option(const char *name)
{
	struct err e = {.text = ""};

	/* A name that is refused is named in the reason. */
	if (settings_print_option(stdout, name, &e))
		return EXIT_SUCCESS;
	fprintf(stderr, "%s\n", e.text);
	return EXIT_USAGE;
}

/* What tools/generated.py puts into files. */
static bool
print_generated(const char *what)
{
	static const struct {
		const char *what;
		void (*print)(FILE *out);
	} all[] = {
	    {"markdown", settings_print_markdown},
	    {"mdoc", settings_print_mdoc},
	    {"calls", command_print_mdoc},
	    {"bash", command_print_bash},
	    {"zsh", command_print_zsh},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strcmp(all[i].what, what) == 0) {
			all[i].print(stdout);
			return true;
		}
	}
	return false;
}

/* What is wrong with the call, and how to call. */
static int __attribute__((format(printf, 2, 3)))
wrong(const struct program *program, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("\n\n", stderr);
	print_help(program, stderr);
	return EXIT_USAGE;
}

/* One that has an argument behind it. */
static int
call_with(const struct program *program, const char *word, const char *argument)
{
	switch (command_call(word)) {
	case CALL_CHECK:
		return check(program, argument);
	case CALL_IMPORT:
		return import(program, argument);
	case CALL_OPTIONS:
		return print_option(argument);
	case CALL_PRINT:
		return print_generated(argument)
			   ? EXIT_SUCCESS
			   : wrong(program, "--print has no %s", argument);
	case CALLS:
		return wrong(program, "there is no %s", word);
	default:
		return wrong(
		    program, "%s has nothing behind it: what is %s?", word, argument);
	}
}

int
command_main(const struct program *program, int argc, char **argv)
{
	if (argc < 2 || argv[1][0] == '\0')
		return wrong(program, "the FILE is missing");
	if (argc == 3)
		return call_with(program, argv[1], argv[2]);
	if (argc > 3)
		return wrong(program, "that is too much: what is %s?", argv[3]);
	switch (command_call(argv[1])) {
	case CALL_RUN:
		return daemon_run(program, argv[1]);
	case CALL_OPTIONS:
		settings_print_options(stdout, program->role);
		return EXIT_SUCCESS;
	case CALL_VERSION:
		print_version(program);
		return EXIT_SUCCESS;
	case CALL_HELP:
		print_help(program, stdout);
		return EXIT_SUCCESS;
	case CALLS:
		return wrong(program, "there is no %s", argv[1]);
	default:
		return wrong(program, "what %s is about is missing", argv[1]);
	}
}
