#!/usr/bin/python3
"""A file includes only rooms below its own: tools/rooms.txt says which those are."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "tools" / "rooms.txt"
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def read_table():
    floors, beside, only, parts = {}, set(), {}, {}
    for number, line in enumerate(TABLE.read_text().splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0] == "floor" and len(words) > 2:
            for room in words[2:]:
                floors[room] = int(words[1])
        elif words[0] == "beside" and len(words) == 3:
            beside.add((words[1], words[2]))
        elif words[0] == "part" and len(words) == 3:
            parts[words[1]] = words[2]
        elif words[0] == "only" and len(words) > 1:
            only[words[1]] = set(words[2:])
        else:
            sys.exit(f"{TABLE.name}:{number}: not understood: {line}")
    return floors, beside, only, parts


def room_of(path, parts):
    """common/net.h is room net; client/main.c is room client; None: outside the house."""
    path = pathlib.PurePath(path)
    if len(path.parts) == 2 and path.parts[0] == "common":
        return parts.get(path.stem, path.stem)
    if len(path.parts) == 2 and path.parts[0] in ("client", "server"):
        return path.parts[0]
    return None


def main():
    floors, beside, only, parts = read_table()
    faults, used = [], set()
    files = [p for folder in ("common", "client", "server")
             for p in sorted((ROOT / folder).rglob("*.[ch]"))]
    for path in files:
        name = path.relative_to(ROOT).as_posix()
        code = COMMENT.sub("", path.read_text())
        room = room_of(name, parts)
        included = INCLUDE.findall(code)
        if room is None:
            # common/static: what replaces libc's calls knows no room.
            faults += [f"{name}: includes {i}, but stands in no room" for i in included]
            continue
        if room not in floors:
            faults.append(f"{name}: room {room} stands on no floor of {TABLE.name}")
            continue
        used.add(room)
        for target in included:
            other = room_of(target, parts)
            if other == room:
                continue
            if other not in floors:
                faults.append(f'{name}: includes "{target}", which is no room of {TABLE.name}')
            elif floors[other] >= floors[room] and (room, other) not in beside:
                faults.append(
                    f"{name}: room {room} (floor {floors[room]}) includes room {other} "
                    f"(floor {floors[other]}); a room includes only rooms below it")
        for word, rooms in only.items():
            if room not in rooms and re.search(r"(?<!\w)" + re.escape(word), code):
                whose = ", ".join(sorted(rooms)) or "nobody"
                faults.append(f"{name}: {word} is for {whose}")
    faults += [f"{TABLE.name}: room {room} has no file" for room in floors if room not in used]
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
