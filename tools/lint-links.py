#!/usr/bin/python3
"""Every link of every .md file leads to a file that is there, and its #anchor to a heading;
every path of ours in `code` is there; README.md stays short.

	lint-links.py [FOLDER]
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent).resolve()
README_LINES, README_COLUMNS = 150, 120

FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
PATH = re.compile(r"`((?:certs|client|common|examples|server|tests)/[\w./-]*)`")


def documents():
    return sorted(page for page in ROOT.rglob("*.md") if page.relative_to(ROOT).parts[0] not in (".git", "build"))


def anchors(page):
    """As GitHub makes them of headings."""
    seen, made = {}, set()
    for heading in HEADING.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        name = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        count = seen[name] = seen.get(name, -1) + 1
        made.add(f"{name}-{count}" if count else name)
    return made


def broken(page, link):
    """What is wrong with this link; None: nothing."""
    if re.match(r"[a-z]+:", link):
        return None
    path, _, anchor = link.partition("#")
    there = (page.parent / path).resolve() if path else page
    if not there.exists():
        return "is not there"
    if anchor and (there.suffix != ".md" or anchor not in anchors(there)):
        return "has no such heading"
    return None


def main():
    faults, links = [], 0
    for page in documents():
        name = page.relative_to(ROOT)
        text = FENCE.sub(lambda m: "\n" * m[0].count("\n"), page.read_text(encoding="utf-8"))
        for number, line in enumerate(text.splitlines(), 1):
            for link in LINK.findall(line):
                links += 1
                if words := broken(page, link):
                    faults.append(f"{name}:{number}: {link} {words}")
            faults += [f"{name}:{number}: {path} is not there" for path in PATH.findall(line)
                       if not (ROOT / path).exists()]
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    if len(readme) > README_LINES:
        faults.append(f"README.md: {len(readme)} lines, at most {README_LINES}")
    faults += [f"README.md:{number}: {len(line)} columns, at most {README_COLUMNS}"
               for number, line in enumerate(readme, 1) if len(line) > README_COLUMNS]
    print("\n".join([*faults, f"links: {links} looked at, {len(faults)} faults"]))
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
