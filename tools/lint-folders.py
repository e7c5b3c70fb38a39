#!/usr/bin/python3
"""A folder uses only folders below it, and of those only what they show.

	lint-folders.py [BUILD]

BUILD: a folder with our object files; then symbols are looked at as well as includes, since
a header that several files share hides which of them uses which.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# From the ground up: a folder of common/ and its face, the headers that other folders may
# include.  *: all of them.
FOLDERS = {
    "base": "*",
    "config": "check_identity import settings settings_options",
    "net": "acceptor connect dial proxy_protocol reactor resolver",
    "pki": "credentials identity ocsp ocsp_client own_chain psk_file",
    "tls": "conn context",
    "carrier": "channel endpoint link link_dial raw route_check service",
    "h2": "carrier",
    "tunnel": "pool stream",
    "worker": "generation watchdog worker",
    "status": "server",
    "daemon": "command daemon",
}

# Libraries and calls with traps, and the only files or folders of common/ that use them.
ONLY = {
    "<ini.h>": "config/ini",
    "<nghttp2/": "h2",
    "<ares.h>": "net/dns daemon/command",
    "SSL_get_error(": "tls",
    # Not safe with threads.
    "strtok(": "", "localtime(": "", "gmtime(": "", "ctime(": "", "asctime(": "",
    "inet_ntoa(": "", "setenv(": "", "getpwnam(": "", "getpwuid(": "",
    # They ask NSS, which a static file does not have, and wait.
    "getaddrinfo(": "", "gethostbyname(": "", "getservbyname(": "",
}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
FLOORS = {name: floor for floor, name in enumerate(FOLDERS)}
TOP = len(FOLDERS)


def folder_of(name):
    """common/net/dns.h is in folder net, client/main.c in client; None: neither."""
    parts = pathlib.PurePath(name).parts
    if len(parts) == 3 and parts[0] == "common":
        return parts[1]
    return parts[0] if len(parts) == 2 and parts[0] in ("client", "server") else None


def floor_of(folder):
    """client and server stand on top of all."""
    return TOP if folder in ("client", "server") else FLOORS.get(folder)


def is_face(header):
    """May other folders include common/FOLDER/@header?"""
    folder, stem = folder_of(header), pathlib.PurePath(header).stem
    return FOLDERS[folder] == "*" or stem in FOLDERS[folder].split()


def judge_include(name, target):
    """What is wrong with @name including @target; None: nothing."""
    mine, other = folder_of(name), folder_of(target)
    if mine == other:
        return None
    if floor_of(other) is None or floor_of(other) == TOP:
        return f'{name} includes "{target}", which is in no folder of common/'
    if floor_of(other) > floor_of(mine):
        return f"{name} includes {target}: {other}/ is above {mine}/"
    return None if is_face(target) else f"{name} includes {target}, which {other}/ keeps to itself"


def judge_words(name, code):
    """Which words of @code are for other files."""
    inside = name.removeprefix("common/").rsplit(".", 1)[0]
    return [
        f"{name}: {word} is for {places or 'nobody'}"
        for word, places in ONLY.items()
        if inside not in places.split() and folder_of(name) not in places.split()
        and re.search(r"(?<!\w)" + re.escape(word), code)
    ]


def judge_sources():
    """All that includes and words say."""
    faults = []
    for path in (p for top in ("common", "client", "server") for p in sorted((ROOT / top).rglob("*.[ch]"))):
        name = path.relative_to(ROOT).as_posix()
        code = COMMENT.sub("", path.read_text(encoding="utf-8"))
        if floor_of(folder_of(name)) is None:
            # common/static: what stands in for calls of libc belongs to no folder.
            faults += [f"{name}: includes {target}, but is in no folder" for target in INCLUDE.findall(code)]
            continue
        faults += [fault for target in INCLUDE.findall(code) if (fault := judge_include(name, target))]
        faults += judge_words(name, code)
    return faults


def symbols(build):
    """(who defines each symbol, what each file uses), by the name of its source."""
    defines, uses = {}, {}
    for top in ("common", "client", "server"):
        for path in sorted((build / top).rglob("*.o")):
            name = path.relative_to(build).with_suffix(".c").as_posix()
            rows = subprocess.run(["nm", "-P", path], check=True, capture_output=True, text=True).stdout
            for symbol, kind in (row.split()[:2] for row in rows.splitlines()):
                if kind == "U":
                    uses.setdefault(name, set()).add(symbol)
                elif kind.isupper() and top == "common":
                    defines[symbol] = name
    return defines, uses


def judge_symbols(build):
    """What uses something of a folder above its own."""
    defines, uses = symbols(build)
    if not defines:
        sys.exit(f"lint-folders: no object files in {build}")
    return [
        f"{name} uses {symbol} of {defines[symbol]}: it is above"
        for name, used in sorted(uses.items())
        for symbol in sorted(used)
        if symbol in defines and floor_of(folder_of(name)) is not None
        and floor_of(folder_of(defines[symbol])) is not None
        and floor_of(folder_of(defines[symbol])) > floor_of(folder_of(name))
    ]


def main():
    faults = judge_sources()
    if len(sys.argv) > 1:
        faults += judge_symbols(pathlib.Path(sys.argv[1]))
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
