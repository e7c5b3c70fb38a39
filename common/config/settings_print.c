#include "common/config/settings.h"
#include "common/config/options_table.h"

void
settings_print_options(FILE *out, enum role role)
{
	option_print(&settings_rows, out, role);
}

void
settings_print_markdown(FILE *out)
{
	option_print_markdown(&settings_rows, out);
}

void
settings_print_mdoc(FILE *out)
{
	option_print_mdoc(&settings_rows, out);
}

bool
settings_print_option(FILE *out, const char *name, struct err *e)
{
	const struct option *o = option_find(&settings_rows, name, e);

	if (o != NULL)
		option_print_one(o, out);
	return o != NULL;
}

void
settings_print_names(FILE *out, const char *between)
{
	for (size_t i = 0; i < settings_rows.count; i++) {
		const struct option *o = &settings_rows.rows[i];

		fprintf(out, "%s%s", i > 0 ? between : "", o->name);
		if (o->alias != NULL)
			fprintf(out, "%s%s", between, o->alias);
	}
}
