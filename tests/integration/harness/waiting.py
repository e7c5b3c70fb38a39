"""Waiting.  Nearly everything announces itself: a line in a log, a socket, the end of a
process.  What does not, as a state in /proc, is looked at until it is so."""

import os
import time

# Seconds until a test gives up waiting: generous, for it is only spent by tests that fail.
LIMIT = float(os.environ.get("ROUTEPORT_TEST_LIMIT", "60"))


def until(condition, what, limit=None):
    """Look at `condition` until it is true, and return what it said."""
    deadline = time.monotonic() + (limit or LIMIT)
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain until {what}")
        time.sleep(0.005)
    return result
