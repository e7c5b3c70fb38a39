"""The fault matrix as tests/README.md shows it."""

from .faults import FAULTS, KINDS, Cell, cells
from .loads import LOADS
from .pairs import ROOT

README = ROOT / "tests/README.md"
BEGIN, END = "<!-- faults -->\n", "<!-- /faults -->\n"


def _row(words):
    return "| " + " | ".join(words) + " |\n"


def _words(fault, load):
    words = {kind: Cell(fault, load, kind).expected for kind in KINDS}
    if len(set(words.values())) == 1:
        return words[KINDS[0]]
    return ", ".join(f"{kind}: {word}" for kind, word in words.items())


def expected():
    head = _row(["fault", *LOADS, "in the log"]) + _row(["---"] * (len(LOADS) + 2))
    rows = (_row([fault.name, *(_words(fault, load) for load in LOADS), fault.log]) for fault in FAULTS)
    return head + "".join(rows)


def in_readme():
    return _parts()[1]


def _parts():
    """What stands before it, itself, and behind it."""
    before, rest = README.read_text(encoding="utf-8").split(BEGIN)
    table, behind = rest.split(END)
    return before, table, behind


def write(seen):
    """Once each cell was `seen` to be as expected.  Says what is missing."""
    missing = sorted({str(cell) for cell in cells()} - set(seen))
    if not missing:
        before, _, behind = _parts()
        README.write_text(before + BEGIN + expected() + END + behind, encoding="utf-8")
    return missing
