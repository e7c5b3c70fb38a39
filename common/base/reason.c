#include "common/base/reason.h"

static const struct {
	const char *word;
	const char *text;
} rows[] = {
#define REASON_ROW(name, word, text) {word, text},
    REASONS(REASON_ROW)
#undef REASON_ROW
};

const char *
reason_word(enum reason reason)
{
	return rows[reason].word;
}

const char *
reason_text(enum reason reason)
{
	return rows[reason].text;
}
