#!/usr/bin/python3
"""What is made of the program's own tables: OPTIONS.md, the manual pages' lists, the completion
for bash and zsh, the comments that begin with "#:" in the examples; and the manual pages'
DIAGNOSTICS, made of the table of log words in client/README.md.

    generated.py --check BUILD-FOLDER    differs: shows how, exit 1
    generated.py --write BUILD-FOLDER    puts in what the program says
"""

import difflib
import pathlib
import re
import subprocess
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parent.parent
WIDTH = 88


def between(text, begin, end, new):
    """`text` with `new` between two lines of it."""
    head, found, rest = text.partition(begin + "\n")
    _, closed, tail = rest.partition(end + "\n")
    if not found or not closed:
        sys.exit(f"generated: no lines {begin} and {end}")
    return head + found + new + closed + tail


def first_sentences(table):
    """The meaning of each option, up to its first full stop."""
    meanings = {}
    for row in table.splitlines()[2:]:
        names, *_, meaning = re.split(r"(?<!\\) \| ", row.removeprefix("| ").removesuffix(" |"))
        sentence = re.split(r"\. (?=[A-Z])", meaning.replace("\\|", "|"))[0]
        for name in re.findall(r"`(\w+)`", names):
            meanings[name.lower()] = sentence
    return meanings


def comment(text, meanings):
    """An example with a "#:" comment above the first line of each option."""
    lines, seen = [], set()
    for line in text.splitlines():
        if line.startswith("#:"):
            continue
        option = re.match(r";?(\w+) = ", line)
        if option and option[1].lower() not in seen:
            seen.add(option[1].lower())
            words = textwrap.wrap(meanings[option[1].lower()] + ".", WIDTH - 3, break_long_words=False)
            lines += [f"#: {piece}" for piece in words]
        lines.append(line)
    return "\n".join(lines) + "\n"


def roff(markdown):
    """A cell of a table as lines of a manual page, a sentence on each."""
    text = markdown.replace("\\|", "|").replace("\\", "\\e").replace("`", "").replace("…", "...")
    sentences = re.split(r"(?<=[.?!]) ", text)
    lines = [line for sentence in sentences for line in textwrap.wrap(sentence, 78, break_on_hyphens=False)]
    return "".join(("\\&" if line[0] in ".'" else "") + line + "\n" for line in lines)


def ended(text, capital=True):
    """The same as a sentence."""
    return (text[0].upper() if capital else text[0]) + text[1:] + ("" if text[-1] in ".?!" else ".")


def diagnostics():
    """The log words with cause and cure, for the manual pages."""
    _, found, rest = (ROOT / "client/README.md").read_text().partition("<!-- reasons -->\n")
    table, closed, _ = rest.partition("<!-- /reasons -->\n")
    if not found or not closed:
        sys.exit("generated: no table of log words in client/README.md")
    page = ".Bl -tag -width Ds\n"
    for row in table.splitlines()[2:]:
        words, cause, cure = (cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1])
        page += f".It Sy {words}\n{roff(ended(cause))}"
        if cure:
            page += ".Pp\n" + roff("Cure: " + ended(cure, capital=False))
    return page + ".El\n"


def files(say):
    """Each file with what it should be."""
    table = say("markdown")
    options = ROOT / "common/config/OPTIONS.md"
    yield options, between(options.read_text(), "<!-- options -->", "<!-- /options -->", table)
    page = ROOT / "man/routeport.ini.5"
    yield page, between(page.read_text(), '.\\" <options>', '.\\" </options>', say("mdoc"))
    for page in sorted((ROOT / "man").glob("*.8")):
        text = between(page.read_text(), '.\\" <calls>', '.\\" </calls>', say("calls"))
        yield page, between(text, '.\\" <reasons>', '.\\" </reasons>', diagnostics())
    yield ROOT / "completion/routeport.bash", say("bash")
    yield ROOT / "completion/_routeport", say("zsh")
    for example in ("client.ini", "server.ini"):
        path = ROOT / "examples" / example
        yield path, comment(path.read_text(), first_sentences(table))


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("--check", "--write"):
        sys.exit(__doc__)
    program = pathlib.Path(sys.argv[2]) / "routeport-client"

    def say(what):
        return subprocess.run([program, "--print", what], check=True, capture_output=True, text=True).stdout

    old = []
    for path, text in files(say):
        before = path.read_text() if path.exists() else ""
        if before == text:
            continue
        if sys.argv[1] == "--write":
            path.write_text(text)
            continue
        old.append(path)
        name = str(path.relative_to(ROOT))
        sys.stdout.writelines(difflib.unified_diff(
            before.splitlines(True), text.splitlines(True), name, f"{name}, as the program has it"))
    if old:
        sys.exit("generated: old: python3 tools/generated.py --write " + sys.argv[2])


if __name__ == "__main__":
    main()
