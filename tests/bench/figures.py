"""What is measured, read from it and wanted: three tables of rows.

RUNS says what load, FIGURES what is read from a run, GOALS what ours has to reach.  A
figure is the median over the rounds, a ratio is that of two medians.  CPU time and memory
are whole-process measures of both ends together; see load.c.
"""

import dataclasses
import statistics
import typing

from contestants import Contestant
from path import Wire

DELAY = 20.0  # ms each way on the long path
ROUND_TRIP = 2 * DELAY * 1e3  # us


@dataclasses.dataclass(frozen=True)
class Run:
    name: str
    mode: str  # of load.c
    streams: int
    quick: int = 0  # streams when QUICK, 0: the same
    seconds: "float | None" = None  # None: as asked for
    rounds: int = 1000  # at most: what hardly varies needs not many
    repeat: int = 1  # in a round, each with a fresh pair: what varies from pair to pair
    far: bool = False  # over the long path
    wire: "Wire | None" = None  # over a path of packets that is like that
    warm_up: float = 1.0  # s, there
    default: bool = True


RUNS = [
    Run("bulk-1", "bulk", 1),
    Run("bulk-4", "bulk", 4),
    Run("echo-1", "echo", 1, repeat=3),  # on which CPU whose thread is decides the slowest
    Run("echo-32", "echo", 32),
    Run("open", "open", 8),
    Run("idle", "idle", 2000, quick=500, seconds=0, rounds=2),
    Run("first", "first", 8, quick=4, seconds=0, rounds=2, far=True),
]

SCALE = [500, 2000, 8000]  # streams
SCALE_RUNS = [run for streams in SCALE for run in (
    Run(f"idle-{streams}", "idle", streams, seconds=10),
    Run(f"busy-{streams}", "echo", streams))]


@dataclasses.dataclass(frozen=True)
class Figure:
    run: str
    key: str
    title: str
    unit: str
    of: "typing.Callable[[dict], float]"  # from what the load printed
    more_is_better: bool = False
    digits: int = 0
    table: bool = True  # false: in the JSON alone
    chart: bool = False


def bulk(run: str, title: str) -> "list[Figure]":
    return [
        Figure(run, "rate", title, "MB/s", lambda r: r["done"] / r["seconds"] / 1e6, True,
               chart=True),
        Figure(run, "cpu", title, "CPU s/GB", lambda r: r["cpu"] / r["done"] * 1e9, digits=2,
               chart=True),
    ]


def echo(run: str, title: str) -> "list[Figure]":
    return [
        Figure(run, "rate", title, "per s", lambda r: r["done"] / r["seconds"], True, chart=True),
        Figure(run, "p50", title, "p50 us", lambda r: r["p50"]),
        Figure(run, "p99", title, "p99 us", lambda r: r["p99"], chart=True),
        Figure(run, "p999", title, "p99.9 us", lambda r: r["p999"]),
        Figure(run, "cpu", title, "CPU us each", lambda r: r["cpu"] / r["done"] * 1e6, digits=1,
               table=False),
    ]


FIGURES = [
    *bulk("bulk-1", "bulk, 1 stream"),
    *bulk("bulk-4", "bulk, 4 streams"),
    *echo("echo-1", "64 bytes, 1 stream"),
    *echo("echo-32", "64 bytes, 32 streams"),
    Figure("open", "rate", "new streams", "per s", lambda r: r["done"] / r["seconds"], True,
           chart=True),
    Figure("open", "cpu", "new streams", "CPU s/1,000", lambda r: r["cpu"] / r["done"] * 1e3,
           digits=2, chart=True),
    Figure("idle", "memory", "idle stream", "KiB", lambda r: r["bytes"] / r["done"] / 1024,
           digits=1, chart=True),
    Figure("first", "p50", "first byte", "round trips", lambda r: r["p50"] / ROUND_TRIP,
           digits=2, chart=True),
]

def scale_figures(streams: int) -> "list[Figure]":
    idle, busy = f"idle-{streams}", f"busy-{streams}"
    return [
        Figure(idle, "memory", "idle", "KiB each", lambda r: r["bytes"] / r["done"] / 1024,
               digits=1),
        Figure(idle, "whole", "idle", "MiB in all", lambda r: r["whole"] / 2**20, digits=1),
        Figure(idle, "cpu", "idle", "CPU %", lambda r: r["cpu"] / r["seconds"] * 100, digits=2),
        Figure(busy, "rate", "all busy", "per s", lambda r: r["done"] / r["seconds"], True),
        Figure(busy, "cpu", "all busy", "CPU us each", lambda r: r["cpu"] / r["done"] * 1e6,
               digits=1),
    ]


# Over paths of packets: bulk where TCP's own buffers are the limit, and where the path's rate
# is; then one that asks beside four that fill a path.  A queue holds one round trip.
FAST, RATED, BUSY = Wire(20), Wire(20, rate=200), Wire(5, rate=100)
FAR_RUNS = [
    Run("up", "bulk", 1, wire=FAST),
    Run("down", "fetch", 1, wire=FAST),
    Run("rated-up", "bulk", 1, wire=RATED),
    Run("rated-down", "fetch", 1, wire=RATED),
    Run("alone", "echo", 1, wire=BUSY),
    Run("beside-up", "beside-bulk", 4, wire=BUSY),
    Run("beside-down", "beside-fetch", 4, wire=BUSY),
]


def far_bulk(run: str, title: str) -> Figure:
    return Figure(run, "rate", title, "MB/s", lambda r: r["done"] / r["seconds"] / 1e6, True,
                  digits=1)


def far_asking(run: str, title: str) -> "list[Figure]":
    return [Figure(run, "p50", title, "p50 ms", lambda r: r["p50"] / 1e3, digits=1),
            Figure(run, "p99", title, "p99 ms", lambda r: r["p99"] / 1e3, digits=1)]


FAR_FIGURES = [
    far_bulk("up", "bulk up"),
    far_bulk("down", "bulk down"),
    far_bulk("rated-up", "bulk up, 200 Mbit/s"),
    far_bulk("rated-down", "bulk down, 200 Mbit/s"),
    *far_asking("alone", "64 bytes alone"),
    *far_asking("beside-up", "beside 4 bulk up"),
    far_bulk("beside-up", "beside 4 bulk up"),
    *far_asking("beside-down", "beside 4 bulk down"),
    far_bulk("beside-down", "beside 4 bulk down"),
]


@dataclasses.dataclass(frozen=True)
class Goal:
    ours: str
    run: str
    key: str
    wanted: float  # at least if more is better, else at most
    rival: str = "tls"  # the best TLS peer of the column, a contestant, or "": wanted as it is
    rival_run: str = ""  # the rival's run, if it is another one


GOALS = [
    Goal("h2", "open", "rate", 7.0),
    Goal("h2", "open", "rate", 1.2, "plain"),
    Goal("h2", "open", "cpu", 0.12),
    Goal("h2", "idle", "memory", 2.0, ""),
    Goal("h2", "echo-32", "rate", 1.2),
    Goal("h2", "echo-32", "rate", 1.0, "plain"),
    Goal("h2", "echo-32", "p99", 0.75),
    Goal("h2", "echo-1", "p99", 1.0),
    Goal("h2", "bulk-1", "cpu", 0.82),
    Goal("h2", "bulk-4", "cpu", 0.82),
    Goal("h2", "first", "p50", 1.2, ""),
    Goal("raw", "open", "rate", 1.3),
    Goal("raw", "open", "cpu", 0.8),
    Goal("raw", "idle", "memory", 0.7, "haproxy"),
    Goal("raw", "echo-32", "rate", 1.1),
    Goal("raw", "echo-32", "p99", 0.85),
    Goal("raw", "echo-1", "p99", 1.0),
    Goal("raw", "bulk-1", "cpu", 0.82),
    Goal("raw", "bulk-4", "cpu", 0.82),
]


FAR_BULK = ["up", "down", "rated-up", "rated-down"]
FAR_GOALS = [
    *(Goal(ours, run, "rate", 0.9, "iperf3")
      for ours in ("h2", "h2-router", "raw") for run in FAR_BULK),
    *(Goal("h2-1-carrier", run, "p50", 5.0, "h2-1-carrier", "alone")
      for run in ("beside-up", "beside-down")),
]


class Results:
    """All that was measured: by contestant and run, one entry a round."""

    def __init__(self, who: "list[Contestant]") -> None:
        self.who = who
        self.runs: "dict[tuple[str, str], list[dict]]" = {}

    def add(self, who: str, run: str, measured: dict) -> None:
        self.runs.setdefault((who, run), []).append(measured)

    def values(self, who: str, figure: Figure) -> "list[float]":
        return [figure.of(measured) for measured in self.runs.get((who, figure.run), [])]

    def median(self, who: str, figure: Figure) -> "float | None":
        values = self.values(who, figure)
        return statistics.median(values) if values else None

    def best_peer(self, figure: Figure) -> "tuple[str, float] | None":
        """The best of the others that speak TLS, and its median."""
        peers = [(who.name, self.median(who.name, figure)) for who in self.who
                 if who.tls and not who.ours]
        peers = [(name, median) for name, median in peers if median is not None]
        if not peers:
            return None
        return (max if figure.more_is_better else min)(peers, key=lambda peer: peer[1])

    def disturbance(self) -> float:
        """The share of the CPUs' time that other programs took, over all that was kept."""
        shares = [measured["disturbance"] for runs in self.runs.values() for measured in runs]
        return statistics.mean(shares) if shares else 0.0


@dataclasses.dataclass(frozen=True)
class Judgement:
    goal: Goal
    figure: Figure
    rival: "str | None"  # its name; None: there is none
    theirs: "float | None"
    ours: float

    @property
    def value(self) -> float:
        """What is held against `wanted`: a ratio, or the figure itself."""
        return self.ours / self.theirs if self.theirs else self.ours

    @property
    def is_reached(self) -> bool:
        if self.figure.more_is_better:
            return self.value >= self.goal.wanted
        return self.value <= self.goal.wanted


def judge(results: Results, goals: "list[Goal]", figures: "list[Figure]") -> "list[Judgement]":
    """Only what could be compared."""
    def figure_of(run: str, key: str) -> Figure:
        return next(f for f in figures if (f.run, f.key) == (run, key))

    judged = []
    for goal in goals:
        figure = figure_of(goal.run, goal.key)
        ours = results.median(goal.ours, figure)
        rival, theirs = None, None
        if goal.rival == "tls":
            rival, theirs = results.best_peer(figure) or (None, None)
        elif goal.rival:
            theirs = results.median(goal.rival, figure_of(goal.rival_run or goal.run, goal.key))
            rival = f"{goal.rival} {goal.rival_run}".strip()
        if ours is not None and (theirs or not goal.rival):
            judged.append(Judgement(goal, figure, rival, theirs, ours))
    return judged
