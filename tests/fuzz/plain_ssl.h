/*
 * TLS without a cipher: OpenSSL's calls that move bytes, put in their place by the linker
 * (--wrap), hand them on as they are.  So a fuzzer's bytes reach the h2 carrier as its
 * peer's frames, through the same code that reads and writes TLS records otherwise, and a
 * handshake costs nothing.
 */
#ifndef TESTS_FUZZ_PLAIN_SSL_H
#define TESTS_FUZZ_PLAIN_SSL_H

#include <stdbool.h>

/** The peer's close_notify stands behind the bytes it sent. */
void plain_ssl_set_finished(bool finished);

#endif
