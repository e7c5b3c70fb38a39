"""The fault matrix: everything that goes wrong, while streams of every kind pass.  Nothing is lost,
doubled or falsely complete, what happened is in the log, and service returns by itself.

	make faults		all of it; then the table in tests/README.md is written anew

`make check` takes a sample.  harness/faults.py says what happens, and what streams may see of it;
harness/loads.py what passes meanwhile.
"""

import contextlib
import os
import time

import pytest

from harness import fault_table, pairs, waiting
from harness.accounts import faults_of_bytes, faults_of_logs
from harness.fault_scene import Scene
from harness.faults import FAKETIME, FIN, GOES_ON, RST, WAITS
from harness.loads import LOADS

SETTLED = 30  # seconds until everything has ended; far more than all limits together


def skip_without_means(needs):
    if needs in ("root", "hosts") and os.geteuid() != 0:
        pytest.skip("only root can do that")
    if needs == "faketime" and pairs.is_sanitized():
        pytest.skip("a sanitizer lets nobody else come first")
    if needs == "faketime" and not FAKETIME:
        pytest.skip("there is no libfaketime")


@pytest.fixture
def scene(request, place, cell):
    skip_without_means(cell.fault.needs)
    hosts = request.getfixturevalue("two_hosts") if cell.fault.needs == "hosts" else None
    with contextlib.closing(Scene(place, cell.kind, LOADS[cell.load], cell.fault, hosts)) as scene:
        yield scene


def suffer(cell, streams):
    """The fault is there, and lasts.  Did streams that always say something go on?"""
    begun = time.monotonic()
    if cell.expected == GOES_ON:
        streams.wait_progress()
    elif cell.expected in (RST, FIN):
        waiting.until(lambda: all(p.end for p in streams.runners()), "every program is told", SETTLED)
    # It lasts for a time, and what was on its way when it began has arrived.
    time.sleep(max(cell.fault.lasts / 2, begun + cell.fault.lasts / 2 - time.monotonic()))
    before = streams.progress()
    time.sleep(cell.fault.lasts / 2)
    return not streams.speaks or streams.progress() != before


def seen(streams, went_on, over):
    """By the streams: a word of harness/faults.py.  `over`: when the fault was."""
    programs = streams.runners() or streams.programs
    ends = {program.end for program in programs}
    if streams.runners():
        if ends != {"FIN"}:
            return RST if ends == {"RST"} else " and ".join(sorted(ends))
        if any(visit.end == "gone" for visit in streams.visits):
            return FIN
        return GOES_ON if went_on else WAITS
    if "RST" in ends:
        return RST
    return WAITS if any(p.began < over - 0.5 and p.began + p.lasted > over for p in programs) else GOES_ON


def end_well(cell, streams, client):
    """Service returns by itself, and everything ends."""
    if cell.expected in (GOES_ON, WAITS) or not streams.runners():
        streams.wait_progress()
    streams.enough()

    def passes():
        program = streams.one_more()
        waiting.until(lambda: program.lasted is not None, "one more stream has ended")
        return program.end == "FIN"

    waiting.until(passes, "a stream passes again")
    waiting.until(lambda: not streams.open_ones(), "every stream has ended", SETTLED)
    closed = "event=close "
    waiting.until(lambda: len(client.process.lines_with(closed)) >= len(streams.programs), "each has a close line")


def test_fault(cell, scene, record_property):
    streams = scene.load
    streams.begin()
    cell.fault.inflict(scene)
    went_on = suffer(cell, streams)
    cell.fault.heal(scene)
    over = time.monotonic()
    end_well(cell, streams, scene.client)
    wrong = [*faults_of_bytes(streams), *faults_of_logs(streams, scene.client)]
    assert not wrong, "\n".join("  ".join(map(str, one)) for one in wrong[:20])
    for pattern in cell.fault.patterns(cell.load, cell.kind):
        assert scene.says(pattern), f"the log does not say {pattern}"
    assert seen(streams, went_on, over) == cell.expected
    record_property("cell", str(cell))


def test_the_table_in_the_readme_is_of_this_matrix():
    """`make faults` writes it."""
    assert fault_table.in_readme() == fault_table.expected()
