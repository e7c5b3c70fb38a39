/*
 * A fuzzer's input as a script: what the peer of an h2 carrier sends, and in between what
 * the owners of its channels do.  The carrier is the real one, over a socket, with
 * plain_ssl in the place of TLS.
 *
 * Each step is a byte, the lower half of which says what happens and the upper half to
 * which owner, or in steps 0 how often: as many times doubled.  What it takes stands
 *behind it; what is missing at the end counts as zero.
 *
 *	 0 frame	type flags id length payload	a frame with a header that fits
 *	 1 bytes	length length bytes		anything
 *	 2 turn						the loop turns
 *	 3 sleep	seconds				the time goes on
 *	 4 begin	early				client: ask for a channel; server:
 *accept one 5 refuse	reason				server: refuse one 6 give
 *units of 64 bytes 7 finish 8 reset 9 release
 *	10 stall					take nothing; again: take
 *	11 drain
 *	12 deaf						the peer does not read; again: it
 *does 13 fill	type flags id units		a frame with 64 zeros a unit 14 shut
 *the peer's close_notify and FIN
 *	15 cut						the peer's FIN alone
 *
 * A script of odd length ends with its worker, any other with the peer's going.
 */
#ifndef TESTS_FUZZ_H2_SCRIPT_H
#define TESTS_FUZZ_H2_SCRIPT_H

#include "common/config/settings.h"

#include <stddef.h>
#include <stdint.h>

/** Play it with a carrier of that role, then end everything. */
void h2_script_play(enum role role, const uint8_t *data, size_t size);

#endif
