"""Long paths, as `make bench FAR=1` measures them.  A test is no place for figures: what is asked here
is far from what is reached, and farther still from what a window that never grows would give, or
bulk that goes first."""

import json
import os
import subprocess

import pytest

from harness.pairs import ROOT, routeport


@pytest.fixture
def measure(tmp_path):
    """Tells what the bench says of some contestants in some runs: {(run, key): {name: figure}}."""
    for role in "client", "server":
        (tmp_path / f"routeport-{role}").symlink_to(routeport(role))

    def measure(who, *runs):
        words = ["--far", "--quick", "--seconds", "0.8", "--only", who, "--columns", ",".join(runs)]
        done = subprocess.run(
            ["sh", ROOT / "tests/bench/bench.sh", *words],
            env={**os.environ, "ROUTEPORT_BUILD": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=100,
        )
        if "no long path can be made here" in done.stderr:
            pytest.skip(done.stderr.strip())
        assert done.returncode == 0, done.stderr
        figures = json.loads((tmp_path / "far.json").read_text(encoding="ascii"))["figures"]
        return {(figure["run"], figure["key"]): figure["median"] for figure in figures}

    return measure


def test_windows_grow_as_a_long_path_needs_it(measure):
    found = measure("iperf3,h2", "rated-up", "rated-down")
    for run in "rated-up", "rated-down":
        rate = found[run, "rate"]
        assert rate["h2"] > 0.6 * rate["iperf3"], (run, rate)


def test_small_request_does_not_wait_behind_bulk(measure):
    found = measure("h2-1-carrier", "alone", "beside-up", "beside-down")
    alone = found["alone", "p50"]["h2-1-carrier"]
    for run in "beside-up", "beside-down":
        assert found[run, "p50"]["h2-1-carrier"] < 8 * alone, (run, alone, found)
