#!/usr/bin/env python3
"""What the tests pass of common/, in lines by folder, the least first; fails below LEAST percent of all.

	coverage.py BUILD	a folder built with clang's coverage, in which profiles/ is what tests left

`make coverage` builds and runs all that is needed.
"""

import json
import os
import pathlib
import subprocess
import sys

LEAST = 90
ROOT = pathlib.Path(__file__).resolve().parent.parent


def merge(folder):
    """One profile of all that processes left, of those that were killed too."""
    names, merged = folder / "profiles.txt", folder / "profile"
    profiles = [str(path) for path in (folder / "profiles").glob("*.profraw") if path.stat().st_size]
    if not profiles:
        sys.exit(f"coverage: no process has left a profile in {folder}/profiles")
    names.write_text("\n".join(profiles), encoding="utf-8")
    # One that was killed as it began may have left half a file.
    words = ["llvm-profdata", "merge", "-sparse", "-failure-mode=all", "-o", merged, "-f", names]
    subprocess.run(words, check=True, stderr=subprocess.DEVNULL)
    return merged


def programs(folder):
    """Everything that was run."""
    places = [folder, *(folder / "tests/unit").iterdir(), folder / "tests/fuzz"]
    names = ("routeport-", "test_", "fuzz_")
    found = [path for place in places for path in place.glob("*") if path.name.startswith(names)]
    return [path for path in found if path.is_file() and not path.suffix and os.access(path, os.X_OK)]


def lines_by_file(folder):
    """(covered, all) of each file of common/."""
    first, *others = programs(folder)
    words = ["llvm-cov", "export", "-summary-only", f"-instr-profile={merge(folder)}", first]
    words += [word for path in others for word in ("-object", path)]
    words += sorted((ROOT / "common").glob("*/*.[ch]"))
    done = subprocess.run(list(map(str, words)), check=True, capture_output=True, text=True, cwd=ROOT)
    files = json.loads(done.stdout)["data"][0]["files"]
    return {
        pathlib.Path(file["filename"]): (file["summary"]["lines"]["covered"], file["summary"]["lines"]["count"])
        for file in files
        if file["filename"].endswith(".c")
    }


def main():
    totals = {}
    for file, (covered, count) in lines_by_file(pathlib.Path(sys.argv[1])).items():
        folder = totals.setdefault(file.parent.name, [0, 0])
        folder[0] += covered
        folder[1] += count
    covered, count = (sum(folder[i] for folder in totals.values()) for i in (0, 1))
    print("| folder | lines | of them run |\n| --- | --- | --- |")
    for name, folder in sorted(totals.items(), key=lambda item: item[1][0] / item[1][1]):
        print(f"| {name} | {folder[1]} | {100 * folder[0] / folder[1]:.1f} % |")
    print(f"| all | {count} | {100 * covered / count:.1f} % |")
    if 100 * covered < LEAST * count:
        sys.exit(f"coverage: less than {LEAST} % of the lines of common/ are run")


main()
