"""What was measured, for people (terminal, Markdown) and for programs (JSON).

A table here is a list of rows of text, the first its head; it is only given its looks at
the end.
"""

import time
import typing

from figures import (FAR_BULK, FAR_FIGURES, FIGURES, Figure, Judgement, Results, SCALE,
                     scale_figures)

Table = typing.List[typing.List[str]]


def number(value: "float | None", digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def as_text(rows: Table, words: int = 1) -> str:
    """Columns as wide as needed; the first `words` of them to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) if i < words else cell.rjust(width)
                  for i, (cell, width) in enumerate(zip(row, widths))).rstrip()
        for row in rows)


def as_markdown(rows: Table, words: int = 1) -> str:
    def line(cells: "list[str]") -> str:
        return "| " + " | ".join(cells) + " |"

    rule = ["---" if i < words else "--:" for i in range(len(rows[0]))]
    return "\n".join([line(rows[0]), line(rule), *map(line, rows[1:])])


def measured(results: Results) -> "list[Figure]":
    return [figure for figure in FIGURES if figure.table
            and any(results.values(who.name, figure) for who in results.who)]


def heads(figures: "list[Figure]", is_one_line: bool) -> Table:
    """Title over unit, the title once for all columns that share it; or both in one."""
    if is_one_line:
        return [["", *(f"{figure.title}: {figure.unit}" for figure in figures)]]
    titles, before = [""], None
    for figure in figures:
        titles.append(figure.title if figure.title != before else "")
        before = figure.title
    return [titles, ["", *(figure.unit for figure in figures)]]


def figures_rows(results: Results, figures: "list[Figure]") -> Table:
    return [[who.title, *(number(results.median(who.name, figure), figure.digits)
                          for figure in figures)] for who in results.who]


def ratios_rows(results: Results, figures: "list[Figure]") -> Table:
    """Each to the best TLS peer of the column; * where it is the better one."""
    rows = []
    for who in results.who:
        row = [who.title]
        for figure in figures:
            best, median = results.best_peer(figure), results.median(who.name, figure)
            if best is None or median is None or best[1] == 0:
                row.append("-")
                continue
            ratio = median / best[1]
            is_better = ratio != 1 and (ratio > 1) == figure.more_is_better
            row.append(f"{ratio:.2f}" + ("*" if is_better else ""))
        rows.append(row)
    return rows


GROUP = 8  # figures side by side on a terminal


def terminal_tables(results: Results) -> str:
    """The figures, then the ratios, so many columns at a time that lines stay readable."""
    texts = []
    figures = measured(results)
    for rows in figures_rows, ratios_rows:
        if rows is ratios_rows and not any(results.best_peer(figure) for figure in figures):
            continue
        if rows is ratios_rows:
            texts.append("as a ratio to the best TLS peer of each column, * better than it:")
        for i in range(0, len(figures), GROUP):
            part = figures[i:i + GROUP]
            # A title stands over several columns, so it must not widen the first of them.
            widths = heads(part, False)
            table = as_text([widths[1], *rows(results, part)])
            texts.append(title_line(table.splitlines()[0], part, table) + table)
    return "\n\n".join(texts)


def title_line(head: str, figures: "list[Figure]", table: str) -> str:
    """Each title over the first of its columns, to the left."""
    line, at, before = "", 0, None
    for figure in figures:
        at = head.index(figure.unit, at)
        if figure.title != before:
            line = line.ljust(at) + ("" if len(line) <= at else " ") + figure.title
        before = figure.title
        at += len(figure.unit)
    return line + "\n"


def goals_table(judged: "list[Judgement]") -> Table:
    rows = [["ours", "figure", "wanted", "against", "theirs", "ours", "ratio", "reached"]]
    for j in judged:
        sign = ">=" if j.figure.more_is_better else "<="
        is_ratio = j.rival is not None
        unit = " x" if is_ratio else ""
        rows.append([
            j.goal.ours, f"{j.figure.title}, {j.figure.unit}",
            f"{sign} {j.goal.wanted:g}{unit}",
            (f"best TLS peer: {j.rival}" if j.goal.rival == "tls" else j.rival or ""),
            number(j.theirs, j.figure.digits) if is_ratio else "",
            number(j.ours, j.figure.digits), f"{j.value:.3f}" if is_ratio else "",
            "yes" if j.is_reached else "no",
        ])
    return rows


def scale_table(results: Results) -> Table:
    units = [f"{figure.title}: {figure.unit}" for figure in scale_figures(0)]
    rows = [["", "streams", *units]]
    for who in results.who:
        for streams in SCALE:
            figures = scale_figures(streams)
            rows.append([who.title, f"{streams:,}",
                         *(number(results.median(who.name, f), f.digits) for f in figures)])
    return rows


def far_table(results: Results) -> Table:
    """A row for each figure: bulk with its ratio to one TCP connection, latencies with that
    to being alone."""
    rows = [["", *(who.title for who in results.who)]]
    for figure in FAR_FIGURES:
        row = [f"{figure.title}, {figure.unit}"]
        alone = next((f for f in FAR_FIGURES if (f.run, f.key) == ("alone", figure.key)), None)
        for who in results.who:
            median = results.median(who.name, figure)
            rival = results.median(who.name, alone) if alone else None
            if figure.run in FAR_BULK:
                rival = results.median("iperf3", figure)
            text = number(median, figure.digits)
            row.append(f"{text} ({median / rival:.2f})" if median and rival else text)
        rows.append(row)
    return rows


def as_json(results: Results, figures: "list[Figure]", judged: "list[Judgement]",
            about: dict) -> dict:
    names = [who.name for who in results.who]
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **about,
        "disturbance": round(results.disturbance(), 3),
        "contestants": names,
        "figures": [{
            "run": f.run, "key": f.key, "title": f.title, "unit": f.unit,
            "more_is_better": f.more_is_better,
            "best_tls_peer": (results.best_peer(f) or (None,))[0],
            "median": {name: results.median(name, f) for name in names},
            "values": {name: results.values(name, f) for name in names},
        } for f in figures],
        "goals": [{
            "ours": j.goal.ours, "figure": f"{j.figure.title}, {j.figure.unit}",
            "rival": j.rival, "value": round(j.value, 4), "wanted": j.goal.wanted,
            "at": "least" if j.figure.more_is_better else "most", "reached": j.is_reached,
        } for j in judged],
    }


METHOD = """\
Load, app and both ends of a pair run on the same machine. All pairs but the plaintext one: mutual
certificates (ECDSA P-256), TLS 1.3, sessions resumed. Every run gets a freshly started pair;
contestants take turns within a run and change places with every round; figures are medians over
the rounds. CPU time and memory (Pss; not what the kernel holds for sockets) are those of all
processes of both ends. The best TLS peer is the best of stunnel4, haproxy and nginx in that
column. "First byte" is from connect() at the legacy program's side to the reply, over a path of
40 ms round trip, in round trips; the long path is tests/bench/delay.c."""


def markdown(results: Results, judged: "list[Judgement]", about: dict, words: "list[str]",
             chart: str) -> str:
    """The comparison as a page; `chart` is its picture's name."""
    figures = measured(results)
    parts = [f"![the comparison as bars]({chart})"]
    for title, rows in (("Figures", figures_rows), ("Ratios to the best TLS peer", ratios_rows)):
        parts.append(f"## {title}")
        for i in range(0, len(figures), GROUP):
            part = figures[i:i + GROUP]
            parts.append(as_markdown(heads(part, True) + rows(results, part)))
    if judged:
        parts += ["## Goals", as_markdown(goals_table(judged), 4)]
    return "\n\n".join([f"# {words[0]}", *words[1:], METHOD, *parts, machine_part(about)]) + "\n"


FAR_METHOD = """\
Both ends of a pair, the program and the app stand at the ends of a path of packets
(tests/bench/path.c), so that TCP runs over it from end to end; no other relay is in between but
for the pair that goes through a router, which stands beside the server. Bulk, one stream: 40 ms
round trip; in brackets the ratio to iperf3, one TCP connection over the same path. The rest: 10
ms and 100 Mbit/s; in brackets the ratio to being alone. Where a path has a rate, its queue holds
one round trip."""


def far_markdown(results: Results, judged: "list[Judgement]", about: dict,
                 words: "list[str]") -> str:
    return "\n\n".join([f"# {words[0]}", *words[1:], FAR_METHOD, as_markdown(far_table(results), 1),
                        "## Goals", as_markdown(goals_table(judged), 4),
                        machine_part(about)]) + "\n"


def scale_markdown(results: Results, about: dict, words: "list[str]") -> str:
    return "\n\n".join([f"# {words[0]}", *words[1:], as_markdown(scale_table(results), 1),
                        machine_part(about)]) + "\n"


def machine_part(about: dict) -> str:
    rows = [["", ""]] + [[key, value] for key, value in about["machine"].items()]
    return "\n\n".join(["## The machine", as_markdown(rows, 2), "## How to repeat it",
                        f"    {about['command']}"])


def configurations_part(texts: "dict[str, str]") -> str:
    """For RESULTS.md: what each contestant was told."""
    parts = ["## How each was set up",
             "ENTRY, ROUTE and APP are ports of 127.0.0.1; the server end comes first."]
    for title, text in texts.items():
        parts.append(f"<details><summary>{title}</summary>\n\n```\n{text.rstrip()}\n```\n"
                     "</details>")
    return "\n" + "\n\n".join(parts) + "\n"
