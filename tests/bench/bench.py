"""The routeport pair beside others: starts each in turn, several rounds, prints medians and
ratios, and what the goals are.  `make bench`, or see --help; QUICK=1 for a first look.

Three tables of rows say what is done: contestants.py who, RUNS what load, FIGURES what is
read from a run; GOALS then compares figures.  Every run gets a pair of its own, freshly
started, so that none leaves anything to the next; contestants change places within a run,
and the order turns with every round.  A figure is the median over the rounds, a ratio is
that of two medians.  CPU time and memory are whole-process measures of both ends together; see
load.c.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import platform
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import typing

import contestants
from contestants import Contestant, Place

START_LIMIT = 10.0  # s for a process to listen
RUN_LIMIT = 30.0  # s for a run beyond the seconds it measures
TOTAL_LIMIT = 250.0  # s after which no round is begun
CALM = 0.05  # share of the CPUs that others may take beside a run
SPARE = 40.0  # s for making runs again that were disturbed


@dataclasses.dataclass(frozen=True)
class Run:
    name: str
    mode: str  # of load.c
    streams: int
    quick: int = 0  # streams when QUICK, 0: the same


RUNS = [
    Run("bulk-1", "bulk", 1),
    Run("bulk-4", "bulk", 4),
    Run("echo-1", "echo", 1),
    Run("echo-32", "echo", 32),
    Run("open", "open", 8),
    Run("idle", "idle", 1000, quick=300),
]


@dataclasses.dataclass(frozen=True)
class Figure:
    run: str
    key: str
    title: str
    unit: str
    of: "typing.Callable[[dict], float]"  # from what the load printed
    more_is_better: bool = False
    digits: int = 0


def bulk(run: str, title: str) -> "list[Figure]":
    return [
        Figure(run, "rate", title, "MB/s", lambda r: r["done"] / r["seconds"] / 1e6, True),
        Figure(run, "cpu", title, "CPU s/GB", lambda r: r["cpu"] / r["done"] * 1e9, digits=2),
    ]


def echo(run: str, title: str) -> "list[Figure]":
    return [
        Figure(run, "rate", title, "per s", lambda r: r["done"] / r["seconds"], True),
        Figure(run, "p50", title, "p50 us", lambda r: r["p50"]),
        Figure(run, "p99", title, "p99 us", lambda r: r["p99"]),
        Figure(run, "cpu", title, "CPU us each", lambda r: r["cpu"] / r["done"] * 1e6, digits=1),
    ]


FIGURES = [
    *bulk("bulk-1", "bulk, 1 stream"),
    *bulk("bulk-4", "bulk, 4 streams"),
    *echo("echo-1", "64 bytes, 1 stream"),
    *echo("echo-32", "64 bytes, 32 streams"),
    Figure("open", "rate", "new streams", "per s", lambda r: r["done"] / r["seconds"], True),
    Figure("open", "cpu", "new streams", "CPU s/1,000", lambda r: r["cpu"] / r["done"] * 1e3,
           digits=2),
    Figure("open", "p50", "new streams", "p50 us", lambda r: r["p50"]),
    Figure("open", "p99", "new streams", "p99 us", lambda r: r["p99"]),
    Figure("idle", "memory", "idle streams", "KiB each", lambda r: r["bytes"] / r["done"] / 1024,
           digits=1),
]


@dataclasses.dataclass(frozen=True)
class Goal:
    run: str
    key: str
    rivals: "tuple[str, ...]"  # the best of them is what counts
    ratio: float  # ours to theirs: at least if more is better, else at most


ALL = ("stunnel4", "haproxy")
GOALS = [
    Goal("bulk-1", "cpu", ("haproxy",), 0.8),
    Goal("bulk-4", "cpu", ("haproxy",), 0.8),
    Goal("echo-1", "p99", ALL, 1.0),
    Goal("echo-32", "p99", ALL, 1.0),
    Goal("open", "rate", ALL, 1.3),
    Goal("idle", "memory", ("haproxy",), 0.7),
]


class Broken(Exception):
    """A pair that did not start or did not do its work; the text says what was seen."""


# Starting and ending a pair.

def free_ports(count: int) -> "list[int]":
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


def is_listening(port: int) -> bool:
    """From the kernel's table: a connection just to see would be a stream of the pair."""
    wanted = f":{port:04X}"
    with open("/proc/net/tcp") as table:
        for line in table:
            fields = line.split()
            if fields[1].endswith(wanted) and fields[3] == "0A":
                return True
    return False


def await_listening(process: subprocess.Popen, port: int, log: pathlib.Path) -> None:
    limit = time.monotonic() + START_LIMIT
    while not is_listening(port):
        if process.poll() is not None or time.monotonic() > limit:
            raise Broken(f"{process.args[0]} does not listen: {tail(log)}")
        time.sleep(0.01)


def tail(log: pathlib.Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return " / ".join(lines[-3:]) or "it said nothing"


def stop(process: subprocess.Popen) -> None:
    """Its streams are over and there is nothing to drain, so it is not asked to."""
    process.kill()
    process.wait()


@contextlib.contextmanager
def running(who: Contestant, folder: pathlib.Path, entry: int, route: int, app: int):
    """The pair between the ports `entry` and `app`; gives its processes."""
    with contextlib.ExitStack() as stack:
        processes = []
        for end, accept, connect in zip(who.ends, (route, entry), (app, route)):
            log = folder / f"{accept}.log"
            command = end(Place(folder, accept, connect))
            try:
                with log.open("wb") as output:
                    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                               stderr=output)
            except OSError as why:
                raise Broken(f"cannot start: {why}") from None
            stack.callback(stop, process)
            await_listening(process, accept, log)
            processes.append(process)
        yield processes


def measure(who: Contestant, run: Run, folder: pathlib.Path, options) -> dict:
    """What the load printed.  Raises Broken."""
    entry, route, app = free_ports(3)
    if not who.ends:
        entry = app
    streams = run.quick if options.quick and run.quick else run.streams
    with running(who, folder, entry, route, app) as pair:
        command = [options.load, run.mode, entry, app, streams, options.seconds,
                   *(process.pid for process in pair)]
        try:
            done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                                  timeout=options.seconds + RUN_LIMIT)
        except subprocess.TimeoutExpired:
            raise Broken("the load did not end") from None
        if done.returncode != 0:
            ends = ", ".join(tail(folder / f"{port}.log") for port in (entry, route))
            raise Broken(f"{done.stderr.strip()} ({ends})")
        return json.loads(done.stdout)


# What is measured.

class Results:
    """All that was measured: by contestant and run, one entry a round."""

    def __init__(self) -> None:
        self.runs: "dict[tuple[str, str], list[dict]]" = {}

    def add(self, who: str, run: str, measured: dict) -> None:
        self.runs.setdefault((who, run), []).append(measured)

    def values(self, who: str, figure: Figure) -> "list[float]":
        return [figure.of(measured) for measured in self.runs.get((who, figure.run), [])]

    def disturbance(self) -> float:
        """The share of the CPUs' time that other programs took, over all that was kept."""
        shares = [measured["disturbance"] for runs in self.runs.values() for measured in runs]
        return statistics.mean(shares) if shares else 0.0

    def median(self, who: str, figure: Figure) -> "float | None":
        values = self.values(who, figure)
        return statistics.median(values) if values else None


class Disturbance:
    """What others do on the machine meanwhile: all busy time less ours and our children's."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.before = self.others()

    @staticmethod
    def others() -> float:
        with open("/proc/stat") as stat:
            user, nice, system, _, _, irq, softirq, steal = map(int, stat.readline().split()[1:9])
        busy = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
        for who in resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN:
            usage = resource.getrusage(who)
            busy -= usage.ru_utime + usage.ru_stime
        return busy

    def share(self) -> float:
        there = (time.monotonic() - self.begun) * os.cpu_count()
        return max(0.0, (self.others() - self.before) / there)


def measure_calmly(who: Contestant, run: Run, folder: pathlib.Path, options) -> dict:
    """Again while others disturb and time is left for that; the calmest counts."""
    best = None
    while True:
        disturbance = Disturbance()
        measured = measure(who, run, folder, options)
        measured["disturbance"] = disturbance.share()
        if best is None or measured["disturbance"] < best["disturbance"]:
            best = measured
        if measured["disturbance"] < CALM or options.spare <= 0:
            return best
        options.spare -= time.monotonic() - disturbance.begun


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def measure_all(who: "list[Contestant]", runs: "list[Run]", options) -> Results:
    results = Results()
    said = set()  # each failure once, not in every round
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = pathlib.Path(name)
        contestants.make_certificates(folder)
        for number in range(options.rounds):
            if time.monotonic() - begun > TOTAL_LIMIT and not options.patient:
                say(f"time is up after {number} rounds")
                break
            turn = number % len(who)
            for run in runs:
                for contestant in who[turn:] + who[:turn]:
                    try:
                        results.add(contestant.name, run.name,
                                    measure_calmly(contestant, run, folder, options))
                    except Broken as why:
                        text = f"{contestant.name}, {run.name}: {why}"
                        if text not in said:
                            say(text)
                        said.add(text)
            say(f"round {number + 1} of {options.rounds} done,"
                f" {time.monotonic() - begun:.0f} s")
    return results


# What is printed.

def table(rows: "list[list[str]]", words: int) -> str:
    """Columns as wide as needed; the first `words` of them to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) if i < words else cell.rjust(width)
                  for i, (cell, width) in enumerate(zip(row, widths))).rstrip()
        for row in rows)


def number(value: "float | None", digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def ratio(ours: "float | None", theirs: "float | None") -> "float | None":
    return ours / theirs if ours is not None and theirs else None


def figures_table(results: Results, names: "list[str]", figures: "list[Figure]") -> str:
    """Medians, then ours (the first) to each other's; * where ours is the better one."""
    rows = [["", "", *names, *(f"/{name}" for name in names[1:])]]
    title = None
    for figure in figures:
        medians = [results.median(name, figure) for name in names]
        if all(median is None for median in medians):
            continue
        row = [figure.title if figure.title != title else "", figure.unit]
        title = figure.title
        row += [number(median, figure.digits) for median in medians]
        for theirs in medians[1:]:
            r = ratio(medians[0], theirs)
            better = r is not None and (r > 1) == figure.more_is_better
            row.append(number(r, 2) + ("*" if better else " "))
        rows.append(row)
    return table(rows, 2)


def judge(results: Results, ours: str) -> "list[dict]":
    judged = []
    for goal in GOALS:
        figure = next(f for f in FIGURES if (f.run, f.key) == (goal.run, goal.key))
        rivals = {name: results.median(name, figure) for name in goal.rivals}
        rivals = {name: median for name, median in rivals.items() if median is not None}
        mine = results.median(ours, figure)
        if mine is None or not rivals:
            continue
        best = (max if figure.more_is_better else min)(rivals, key=rivals.__getitem__)
        r = mine / rivals[best]
        judged.append({
            "figure": f"{figure.title}, {figure.unit}", "rival": best, "ratio": round(r, 3),
            "goal": goal.ratio, "at": "least" if figure.more_is_better else "most",
            "reached": r >= goal.ratio if figure.more_is_better else r <= goal.ratio,
        })
    return judged


def goals_table(judged: "list[dict]") -> str:
    return table([["goal", "", "", "ratio", "reached"]] + [
        [j["figure"], f"at {j['at']} {j['goal']:.2f} of {j['rival']}'s", "",
         f"{j['ratio']:.2f}", "yes" if j["reached"] else "no"] for j in judged], 3)


def first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return "not there"
    lines = (done.stdout + done.stderr).splitlines()
    return next((line for line in lines if any(c.isdigit() for c in line)), "")


def kernel_setting(name: str) -> str:
    with contextlib.suppress(OSError):
        return pathlib.Path("/proc/sys", name).read_text().strip()
    return "unknown"


def machine() -> dict:
    model = "unknown"
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as info:
        model = next((line.split(":", 1)[1].strip() for line in info
                      if line.startswith("model name")), model)
    return {
        "cpu": model, "cpus": len(os.sched_getaffinity(0)), "kernel": platform.release(),
        "congestion_control": kernel_setting("net/ipv4/tcp_congestion_control"),
        "openssl": first_line("openssl", "version"),
        "haproxy": first_line("haproxy", "-v"), "stunnel4": first_line("stunnel4", "-version"),
    }


def as_json(results: Results, names: "list[str]", options, judged: "list[dict]") -> dict:
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine(), "disturbance": round(results.disturbance(), 3),
        "rounds": options.rounds, "seconds": options.seconds,
        "contestants": names,
        "figures": [{
            "run": f.run, "key": f.key, "title": f.title, "unit": f.unit,
            "more_is_better": f.more_is_better,
            "median": {name: results.median(name, f) for name in names},
            "values": {name: results.values(name, f) for name in names},
        } for f in FIGURES],
        "goals": judged,
    }


# What was asked for.

def chosen(rows: list, names: "str | None", what: str) -> list:
    """The rows of those names, separated by commas or blanks; all without names."""
    if not names:
        return [row for row in rows if getattr(row, "default", True)]
    wanted = names.replace(",", " ").split()
    unknown = set(wanted) - {row.name for row in rows}
    if unknown:
        sys.exit(f"no {what} {', '.join(sorted(unknown))}; there are: "
                 + ", ".join(row.name for row in rows))
    return [row for row in rows if row.name in wanted]


def parse() -> argparse.Namespace:
    env = os.environ
    quick = env.get("QUICK", "") not in ("", "0")
    columns = env.get("COLUMNS", "")
    parser = argparse.ArgumentParser(
        description="Each option can also be given as a variable: make bench ROUNDS=3 ONLY=...")
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--load", required=True)
    parser.add_argument("--rounds", type=int, default=int(env.get("ROUNDS", 1 if quick else 5)))
    parser.add_argument("--seconds", type=float, help="measured, of each run",
                        default=float(env.get("SECONDS", 1.5 if quick else 2)))
    parser.add_argument("--only", default=env.get("ONLY"), help="contestants, by name")
    parser.add_argument("--columns", help="runs, by name: " + ", ".join(run.name for run in RUNS),
                        # A terminal's width is often in that variable.
                        default=None if columns.isdigit() else columns)
    parser.add_argument("--other", default=env.get("OTHER"),
                        help="folder of another build of routeport, to compare with")
    parser.add_argument("--quick", action="store_true", default=quick)
    options = parser.parse_args()
    options.spare = SPARE / 4 if options.quick else SPARE
    options.patient = "ROUNDS" in env or "--rounds" in " ".join(sys.argv)  # as many as asked
    return options


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # not without ending the pair
    options = parse()
    everyone = [contestants.routeport(options.build)]
    if options.other:
        everyone.append(contestants.routeport(pathlib.Path(options.other), "other"))
    everyone += contestants.OTHERS
    who = chosen(everyone, options.only, "contestant")
    runs = chosen(RUNS, options.columns, "column")

    results = measure_all(who, runs, options)
    names = [contestant.name for contestant in who]
    judged = judge(results, everyone[0].name)
    print(figures_table(results, names, FIGURES))
    if judged:
        print("\n" + goals_table(judged))
    file = options.build / "bench.json"
    file.write_text(json.dumps(as_json(results, names, options, judged), indent=1) + "\n")
    print(f"\nMedians of {options.rounds} rounds of {options.seconds:g} s; * ours is better;"
          f" all of it in {file}")
    if results.disturbance() > CALM:
        print(f"Other programs took {results.disturbance():.0%} of the CPUs meanwhile: rates and"
              " latencies are doubtful, CPU time and memory less so.")


if __name__ == "__main__":
    main()
