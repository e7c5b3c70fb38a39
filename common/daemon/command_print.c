#include "common/daemon/command_print.h"

#include "common/config/settings.h"

#include <ctype.h>
#include <string.h>

/* A call that is for those who build has no help. */
static const struct {
	const char *word, *argument, *help;
} calls[] = {
    [CALL_RUN] = {"", "FILE", "run the services of this .ini file"},
    [CALL_CHECK] = {"--check", "FILE", "tell all that is wrong with it (exit 0, or 2)"},
    [CALL_IMPORT] = {"--import", "FILE",
	"write this file of stunnel as one of ours to stdout"},
    [CALL_OPTIONS] = {"--options", "[NAME]", "each option of the file, or this one"},
    [CALL_VERSION] = {"--version", "", "its version, and those of the libraries"},
    [CALL_HELP] = {"--help", "", "this help"},
    [CALL_PRINT] = {"--print", "WHAT", NULL},
};

enum call
command_call(const char *word)
{
	enum call call = CALL_CHECK;

	if (word[0] != '-')
		return CALL_RUN;
	while (call < CALLS && strcmp(calls[call].word, word) != 0)
		call++;
	return call;
}

void
command_print_help(FILE *out, const char *program)
{
	for (enum call call = CALL_RUN; call < CALLS; call++) {
		char words[64];

		if (calls[call].help == NULL)
			continue;
		snprintf(words, sizeof(words), "%s%s%s", calls[call].word,
		    call == CALL_RUN || *calls[call].argument == '\0' ? "" : " ",
		    calls[call].argument);
		fprintf(out, "%s %s %-17s %s\n", call == CALL_RUN ? "usage:" : "      ",
		    program, words, calls[call].help);
	}
}

void
command_print_mdoc(FILE *out)
{
	fputs(".Bl -tag -width Ds\n", out);
	for (enum call call = CALL_RUN; call < CALLS; call++) {
		const char *name = calls[call].argument;
		bool may_lack = name[0] == '[';

		if (calls[call].help == NULL || call == CALL_HELP)
			continue;
		fputs(".It", out);
		if (call != CALL_RUN)
			fprintf(out, " Fl Fl %s", calls[call].word + 2);
		if (may_lack)
			fprintf(out, " Op Ar %.*s", (int)strlen(name) - 2, name + 1);
		else if (*name != '\0')
			fprintf(out, " Ar %s", name);
		fprintf(out, "\n%c%s.\n", toupper((unsigned char)calls[call].help[0]),
		    calls[call].help + 1);
	}
	fputs(".El\n", out);
}

/* ---- completion ------------------------------------------------------------------ */

static void
print_words(FILE *out)
{
	const char *space = "";

	for (enum call call = CALL_CHECK; call < CALLS; call++) {
		if (calls[call].help == NULL)
			continue;
		fprintf(out, "%s%s", space, calls[call].word);
		space = " ";
	}
}

void
command_print_bash(FILE *out)
{
	fputs(
	    "# bash completion for routeport-client and routeport-server\n"
	    "_routeport() {\n"
	    "\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
	    "\n"
	    "\tCOMPREPLY=()\n"
	    "\tif [ \"$COMP_CWORD\" -gt 2 ]; then\n"
	    "\t\treturn\n"
	    "\tfi\n"
	    "\tcase $before in\n"
	    "\t--options)\n"
	    "\t\tmapfile -t COMPREPLY < <(compgen -W '",
	    out);
	settings_print_names(out, " ");
	fputs("' -- \"$word\")\n"
	      "\t\treturn\n"
	      "\t\t;;\n"
	      "\t--check | --import) ;;\n"
	      "\t-*) return ;;\n"
	      "\t*)\n"
	      "\t\tif [ \"$COMP_CWORD\" -gt 1 ]; then\n"
	      "\t\t\treturn\n"
	      "\t\tfi\n"
	      "\t\tif [[ $word == -* ]]; then\n"
	      "\t\t\tmapfile -t COMPREPLY < <(compgen -W '",
	    out);
	print_words(out);
	fputs("' -- \"$word\")\n"
	      "\t\t\treturn\n"
	      "\t\tfi\n"
	      "\t\t;;\n"
	      "\tesac\n"
	      "\tcompopt -o filenames\n"
	      "\tmapfile -t COMPREPLY < <(compgen -d -- \"$word\"\n"
	      "\t\tcompgen -f -X '!*.ini' -- \"$word\"\n"
	      "\t\tcompgen -f -X '!*.conf' -- \"$word\")\n"
	      "}\n"
	      "complete -F _routeport routeport-client routeport-server\n",
	    out);
}

void
command_print_zsh(FILE *out)
{
	fputs("#compdef routeport-client routeport-server\n"
	      "# zsh completion for routeport-client and routeport-server\n"
	      "local -a names=(",
	    out);
	settings_print_names(out, " ");
	fputs(")\n_arguments -S \\\n", out);
	for (enum call call = CALL_CHECK; call < CALLS; call++) {
		if (calls[call].help == NULL)
			continue;
		fprintf(out, "\t'(- *)%s[%s]%s' \\\n", calls[call].word, calls[call].help,
		    call == CALL_CHECK || call == CALL_IMPORT
			? ":file:_files -g \"*.(ini|conf)(-.)\""
		    : call == CALL_OPTIONS ? "::option:($names)"
					   : "");
	}
	fputs("\t'(-)1:file:_files -g \"*.(ini|conf)(-.)\"'\n", out);
}
