"""An allocation that fails refuses one stream, or one carrier: the program goes on, its other streams
notice nothing, and the next stream passes."""

import contextlib
import mmap
import struct
import subprocess
import threading

import pytest

from harness import pairs, waiting
from harness.pairs import ROOT, Pair
from harness.programs import Ending, legacy_program
from harness.talks import WORDS, echo

WORKERS = [1]
MOST = 400  # allocations of which each fails in its turn; a handshake takes more


class Famine:
    """`inside` starts a program whose allocations fail on demand."""

    def __init__(self, folder):
        library, control = folder / "starve.so", folder / "starve"
        source = ROOT / "tests/integration/harness/starve.c"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
        control.write_bytes(bytes(4))
        with open(control, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 4)
        self.inside = ["env", f"LD_PRELOAD={library}", f"STARVE={control}"]

    def set(self, number):
        """The `number`th allocation from now on fails; -1: all; 0: none."""
        self._map[:] = struct.pack("i", number)

    def left(self):
        """Until one fails; 0: it has."""
        return struct.unpack("i", self._map[:])[0]


@pytest.fixture
def famine(place):
    if pairs.is_sanitized():
        pytest.skip("a sanitizer allocates by itself")
    return Famine(place.folder)


@pytest.fixture(params=["client", "server"])
def starved(request):
    return request.param


@pytest.fixture
def pair(famine, starved, place, app, router, start_server, start_client, kind):
    how = {role: {"inside": famine.inside} if role == starved else {} for role in ("client", "server")}
    options = {"multiplex": {"raw": "no", "h2": "yes"}[kind], "TIMEOUTconnect": 5, "debug": "info"}
    server = start_server(app.address, **options, **how["server"])
    return Pair(start_client(router.port, **options, **how["client"]), server, app)


def attempt(pair):
    """A stream.  It may be cut off, but whatever looks complete is; says whether it was."""
    try:
        program = legacy_program(pair.client.port)
        program.send(WORDS)
        program.finish()
        while program.is_silent_for(0):
            waiting.until(lambda: pair.app.has_visitor() or not program.is_silent_for(0), "something happens")
            while pair.app.has_visitor():  # a stream may be tried elsewhere while it has said nothing
                answer(pair.app.accept())
        heard, ending = program.receive_to_end()
    except OSError:  # it was reset as soon as that
        return False
    assert ending == Ending.RST or heard == WORDS
    return ending == Ending.FIN


def answer(visitor):
    """The app says the words once it has heard them and their end."""
    with contextlib.suppress(OSError):
        heard, ending = visitor.receive_to_end()
        if ending == Ending.FIN:
            assert heard == WORDS
            visitor.send(WORDS)
    visitor.close()


def test_any_allocation_may_fail(pair, famine, starved, kind):
    end = getattr(pair, starved)
    neighbour = pair.open()
    echo(neighbour)
    cut = 0
    for number in range(1, MOST):
        famine.set(number)
        cut += not attempt(pair)
        enough = famine.left() > 0  # a stream takes fewer than that
        famine.set(0)
        assert not end.process.has_ended(), f"it ended by allocation {number}"
        waiting.until(lambda: attempt(pair), "a stream passes again")
        if enough:
            break
    assert cut > 0
    assert end.process.lines_with("no-memory|out of memory|malloc failure")
    if kind == "raw":  # else it may have been its carrier's
        echo(neighbour)


def test_famine_ends(pair, famine, starved):
    """All allocations fail for a while."""
    end = getattr(pair, starved)
    echo(pair.open())
    for _ in range(5):
        famine.set(-1)
        end_of_it = threading.Timer(0.2, famine.set, [0])
        end_of_it.start()
        attempt(pair)
        end_of_it.join()
        assert not end.process.has_ended()
        waiting.until(lambda: attempt(pair), "a stream passes again")
