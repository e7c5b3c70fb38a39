/*
 * A target: libFuzzer's entry.  replay.c calls the same for every file of a corpus.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/** A rule that must hold, whatever the input is; broken, it ends the program. */
#define MUST(condition)                                                                  \
	((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__))

_Noreturn void fuzz_fail(const char *condition, const char *file, int line);

/** Always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
