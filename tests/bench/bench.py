"""The routeport pair beside others: starts each in turn, several rounds, prints medians and
ratios, and which goals are reached.  `make bench`, or see --help; QUICK=1 for a first look,
SCALE=1 for what many streams cost, FAR=1 for long paths (as root).

Tables of rows say what is done: contestants.py who, figures.py what load, what is read from
it and what is wanted.  Every run gets a pair of its own, freshly started, so that none
leaves anything to the next; contestants change places within a run, and the order turns
with every round.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import signal
import sys
import tempfile
import time

import chart
import contestants
import report
from contestants import Contestant
from figures import (FAR_FIGURES, FAR_GOALS, FAR_RUNS, FAST, FIGURES, GOALS, RUNS, SCALE,
                     SCALE_RUNS, Results, Run, judge, scale_figures)
from machine import Disturbance, allow_descriptors, configuration, machine
from pair import Bench, Broken, measure, refusal
from path import NoPath, long_path

TOTAL_LIMIT = 450.0  # s after which no round is begun that would not fit
CALM = 0.05  # share of the CPUs that others may take beside a run
SPARE = 30.0  # s for making runs again that were disturbed


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def measure_calmly(who: Contestant, run: Run, bench: Bench, options) -> dict:
    """Again while others disturb and time is left for that; the calmest counts."""
    best = None
    while True:
        disturbance = Disturbance()
        measured = measure(who, run, bench)
        measured["disturbance"] = disturbance.share()
        if best is None or measured["disturbance"] < best["disturbance"]:
            best = measured
        if measured["disturbance"] < CALM or options.spare <= 0:
            return best
        options.spare -= time.monotonic() - disturbance.begun


def those_that_run(who: "list[Contestant]", folder: pathlib.Path) -> "list[Contestant]":
    able = []
    for contestant in who:
        why = refusal(contestant, folder)
        if why:
            say(f"{contestant.title} is left out: {why}")
        else:
            able.append(contestant)
    return able


def measure_round(results: Results, runs: "list[Run]", number: int, bench: Bench, options,
                  said: "set[str]") -> None:
    turn = number % len(results.who)
    for run in runs:
        if number >= run.rounds:
            continue
        for who in results.who[turn:] + results.who[:turn]:
            if who.modes and run.mode not in who.modes:
                continue
            try:
                for _ in range(run.repeat):
                    results.add(who.name, run.name, measure_calmly(who, run, bench, options))
            except Broken as why:
                text = f"{who.title}, {run.name}: {why}"
                if text not in said:  # each failure once, not in every round
                    say(text)
                said.add(text)


def measure_all(who: "list[Contestant]", runs: "list[Run]", options) -> Results:
    tools = options.build / "tests/bench"
    begun = time.monotonic()
    said: "set[str]" = set()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        bench = Bench(pathlib.Path(name), tools, options.seconds, options.quick)
        bench.folder.chmod(0o755)
        contestants.make_certificates(bench.folder)
        results = Results(those_that_run(who, bench.folder))
        if not results.who:
            sys.exit("nobody is left to be measured")
        took = 0.0
        for number in range(options.rounds):
            start = time.monotonic()
            if start - begun + took > TOTAL_LIMIT and not options.patient:
                say(f"time is up after {number} rounds")
                options.rounds = number
                break
            measure_round(results, runs, number, bench, options, said)
            took = time.monotonic() - start
            say(f"round {number + 1} of {options.rounds} done,"
                f" {time.monotonic() - begun:.0f} s")
        options.configurations = {c.title: configuration(c, bench.folder) for c in results.who
                                  if c.ends}
    return results


# Who and what was asked for.

def everyone(options) -> "list[Contestant]":
    builds = [("", options.build)]
    if options.other:
        builds.append(("other-", pathlib.Path(options.other)))
    ours = [contestants.routeport(build, kind, prefix + kind)
            for prefix, build in builds for kind in ("h2", "raw")]
    return ours + contestants.OTHERS


def scaled(options) -> "list[Contestant]":
    """The h2 pair as it comes, and with less of what it spreads streams over."""
    def h2(name: str, whole: str = "", section: str = "") -> Contestant:
        whole += f"maxConnections = {contestants.MAXIMUM}\n"
        return contestants.routeport(options.build, "h2", name, whole, section)

    return [h2("h2"), h2("h2-1-carrier", section="carriers = 1\n"),
            h2("h2-1-worker", "workers = 1\n")]


def faraway(options) -> "list[Contestant]":
    """h2 as it comes, on one carrier alone, and through a router; raw; and who needs no pair."""
    h2 = contestants.routeport(options.build, "h2")
    server, client = h2.ends
    through = dataclasses.replace(h2, name="h2-router", title="h2, router",
                                  ends=(server, contestants.ROUTER, client))
    one = contestants.routeport(options.build, "h2", "h2-1-carrier", "workers = 1\n",
                                "carriers = 1\n")
    return [contestants.IPERF, dataclasses.replace(h2, title="h2"),
            dataclasses.replace(one, title="h2, 1 carrier"), through,
            dataclasses.replace(contestants.routeport(options.build, "raw"), title="raw"),
            dataclasses.replace(contestants.DIRECT, default=True)]


def expect_path(program: pathlib.Path) -> None:
    try:
        with long_path(program, FAST):
            pass
    except NoPath as why:
        sys.exit(f"no long path can be made here: {why}")


def chosen(rows: list, names: "str | None", what: str) -> list:
    """The rows of those names, separated by commas or blanks; all without names."""
    if not names:
        return [row for row in rows if row.default]
    wanted = names.replace(",", " ").split()
    unknown = set(wanted) - {row.name for row in rows}
    if unknown:
        sys.exit(f"no {what} {', '.join(sorted(unknown))}; there are: "
                 + ", ".join(row.name for row in rows))
    return [row for row in rows if row.name in wanted]


def is_set(variable: str) -> bool:
    return os.environ.get(variable, "") not in ("", "0")


def parse() -> argparse.Namespace:
    env = os.environ
    quick, scale, far = (is_set(word.upper()) or f"--{word}" in sys.argv
                         for word in ("quick", "scale", "far"))
    columns = env.get("COLUMNS", "")
    rounds = 1 if quick or scale else 3 if far else 5
    parser = argparse.ArgumentParser(
        description="Each option can also be given as a variable: make bench ROUNDS=3 ONLY=...")
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=int(env.get("ROUNDS", rounds)))
    parser.add_argument("--seconds", type=float, help="measured, of each run",
                        default=float(env.get("SECONDS", 0.8 if quick else 3 if far else 1.5)))
    parser.add_argument("--only", default=env.get("ONLY"), help="contestants, by name")
    parser.add_argument("--columns", help="runs, by name: " + ", ".join(run.name for run in RUNS + FAR_RUNS),
                        # A terminal's width is often in that variable.
                        default=None if columns.isdigit() else columns)
    parser.add_argument("--other", default=env.get("OTHER"),
                        help="folder of another build of routeport, to compare with")
    parser.add_argument("--results", type=pathlib.Path, default=env.get("RESULTS") or None,
                        help="write the page there too, with its chart beside it")
    parser.add_argument("--scale", action="store_true", default=scale,
                        help=f"instead: what {', '.join(map(str, SCALE))} streams cost, h2 alone")
    parser.add_argument("--far", action="store_true", default=far,
                        help="instead: bulk, and asking beside it, over long paths; as root")
    parser.add_argument("--quick", action="store_true", default=quick)
    options = parser.parse_args()
    options.spare = SPARE
    if options.quick:
        options.spare = 0 if options.far else SPARE / 4
    options.patient = "ROUNDS" in env or "--rounds" in " ".join(sys.argv)  # as many as asked
    return options


def words(results: Results, options) -> "list[str]":
    """The title and what the figures stand on."""
    few = ""
    if options.rounds > 2 and not options.scale and not options.far:
        few = " (idle and first byte: of 2)"
    lines = ["What many streams cost" if options.scale else
             "Over long paths" if options.far else "routeport beside others",
             f"Medians of {options.rounds} round{'s' if options.rounds != 1 else ''} of"
             f" {options.seconds:g} s{few}, {time.strftime('%Y-%m-%d', time.gmtime())}."]
    if results.disturbance() > CALM:
        lines.append(f"Other programs took {results.disturbance():.0%} of the CPUs meanwhile:"
                     " rates and latencies are doubtful, CPU time and memory less so.")
    return lines


def command(options) -> str:
    given = {"SCALE": "1" if options.scale else "", "FAR": "1" if options.far else "", "ONLY": options.only or "",
             "COLUMNS": options.columns or "", "ROUNDS": str(options.rounds),
             "SECONDS": f"{options.seconds:g}"}
    return " ".join(["make bench", *(f"{key}='{value}'" if " " in value else f"{key}={value}"
                                     for key, value in given.items() if value)])


def write(path: pathlib.Path, text: str) -> None:
    path.write_text(text)
    say(f"wrote {path}")


def report_comparison(results: Results, options, about: dict) -> None:
    judged = judge(results, GOALS, FIGURES)
    said = words(results, options)
    print(report.terminal_tables(results))
    if judged:
        print("\n" + report.as_text(report.goals_table(judged), 4))
    print("\n" + "\n".join(said[1:]), flush=True)
    picture = chart.svg(results, said)
    write(options.build / "bench.svg", picture)
    write(options.build / "bench.md",
          report.markdown(results, judged, about, said, "bench.svg"))
    write(options.build / "bench.json", json.dumps(
        report.as_json(results, FIGURES, judged, about), indent=1) + "\n")
    if options.results:
        beside = options.results.with_suffix(".svg")
        write(beside, picture)
        write(options.results, report.markdown(results, judged, about, said, beside.name)
              + report.configurations_part(options.configurations))


def report_scale(results: Results, options, about: dict) -> None:
    said = words(results, options)
    print(report.as_text(report.scale_table(results)))
    print("\n" + "\n".join(said[1:]), flush=True)
    page = report.scale_markdown(results, about, said)
    figures = [figure for streams in SCALE for figure in scale_figures(streams)]
    write(options.build / "scale.md", page)
    write(options.build / "scale.json", json.dumps(
        report.as_json(results, figures, [], about), indent=1) + "\n")
    if options.results:
        write(options.results, page + report.configurations_part(options.configurations))


def report_far(results: Results, options, about: dict) -> None:
    judged = judge(results, FAR_GOALS, FAR_FIGURES)
    said = words(results, options)
    print(report.as_text(report.far_table(results)))
    if judged:
        print("\n" + report.as_text(report.goals_table(judged), 4))
    print("\n" + "\n".join(said[1:]), flush=True)
    page = report.far_markdown(results, judged, about, said)
    write(options.build / "far.md", page)
    write(options.build / "far.json", json.dumps(
        report.as_json(results, FAR_FIGURES, judged, about), indent=1) + "\n")
    if options.results:
        write(options.results, page + report.configurations_part(options.configurations))


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # not without ending the pair
    options = parse()
    allow_descriptors()
    show = report_comparison
    if options.scale:
        who, runs = chosen(scaled(options), options.only, "contestant"), SCALE_RUNS
        show = report_scale
    elif options.far:
        expect_path(options.build / "tests/bench/path")
        who = chosen(faraway(options), options.only, "contestant")
        runs = chosen(FAR_RUNS, options.columns, "column")
        show = report_far
    else:
        who = chosen(everyone(options), options.only, "contestant")
        runs = chosen(RUNS, options.columns, "column")
    results = measure_all(who, runs, options)
    about = {"machine": machine(options.build), "rounds": options.rounds,
             "seconds": options.seconds, "command": command(options)}
    show(results, options, about)


if __name__ == "__main__":
    main()
