/*
 * A network of the test case's own, of which nothing is there but the loopback: so that a
 * path can die, with both ends alive and silent.
 */
#ifndef TESTS_UNIT_OWN_NETWORK_H
#define TESTS_UNIT_OWN_NETWORK_H

#include <stdbool.h>

/** Leave the machine's network for one of our own.  False: not allowed here, or the test
 * cases share one process (CK_FORK=no), which must not lose its network. */
bool own_network_enter(void);

/** From now on every packet is lost, and nobody is told. */
void own_network_cut(void);

#endif
