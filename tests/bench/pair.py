"""Starting and ending a pair, and one measurement with it."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import typing

from contestants import Contestant, Place
from figures import DELAY, Run

START_LIMIT = 10.0  # s for a process to listen
RUN_LIMIT = 40.0  # s for a run beyond the seconds it measures


class Broken(Exception):
    """A pair that did not start or did not do its work; the text says what was seen."""


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


def children(pid: int) -> "list[int]":
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def tail(log: pathlib.Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return " / ".join(lines[-3:]) or "it said nothing"


def stop(process: subprocess.Popen, forks: int) -> None:
    """Streams are over and there is nothing to drain, so most are not asked to.  One with
    children is, because it must wait for them: their CPU time is then known as ours."""
    if forks:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=2)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # its session is its own
    process.wait()


def start(stack: contextlib.ExitStack, command: list, port: int, log: pathlib.Path,
          forks: int = 0) -> "list[int]":
    """Once it listens: its processes.  The stack ends them."""
    words = [str(word) for word in command]
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=output, start_new_session=True)
    except OSError as why:
        raise Broken(f"cannot start: {why}") from None
    stack.callback(stop, process, forks)
    limit = time.monotonic() + START_LIMIT
    while not is_listening(port) or len(children(process.pid)) < forks:
        if process.poll() is not None or time.monotonic() > limit:
            raise Broken(f"{pathlib.Path(words[0]).name} does not listen: {tail(log)}")
        time.sleep(0.01)
    return [process.pid, *(children(process.pid) if forks else [])]


@contextlib.contextmanager
def running(who: Contestant, folder: pathlib.Path, ports: "list[int]", delay: "list | None"):
    """The pair between the ports entry, route and app; gives its processes.  With `delay`
    (the program) the route leads over the long path."""
    entry, route, app = ports
    with contextlib.ExitStack() as stack:
        pids = []
        dialled = route
        if delay and who.ends:
            dialled, = free_ports(1)
            start(stack, [delay, dialled, route, DELAY], dialled, folder / "delay.log")
        for end, accept, connect in zip(who.ends, (route, entry), (app, dialled)):
            command = end(Place(folder, accept, connect))
            pids += start(stack, command, accept, folder / f"{accept}.log", who.children)
        yield pids


class Bench(typing.NamedTuple):
    """What measuring takes."""

    folder: pathlib.Path  # for configurations, certificates and logs
    load: pathlib.Path
    delay: pathlib.Path
    seconds: float
    is_quick: bool


def measure(who: Contestant, run: Run, bench: Bench) -> dict:
    """What the load printed.  Raises Broken."""
    ports = free_ports(3)
    entry, route, app = ports
    if not who.ends:
        entry = app
    streams = run.quick if bench.is_quick and run.quick else run.streams
    seconds = bench.seconds if run.seconds is None else run.seconds
    with running(who, bench.folder, ports, bench.delay if run.far else None) as pids:
        command = [bench.load, run.mode, entry, app, streams, seconds, *pids]
        try:
            done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                                  timeout=seconds + RUN_LIMIT)
        except subprocess.TimeoutExpired:
            raise Broken("the load did not end") from None
        if done.returncode != 0:
            ends = ", ".join(tail(bench.folder / f"{port}.log") for port in (entry, route))
            raise Broken(f"{done.stderr.strip()} ({ends})")
        return json.loads(done.stdout)


def refusal(who: Contestant, folder: pathlib.Path) -> str:
    """Why this contestant cannot take part; empty: it can."""
    try:
        with running(who, folder, free_ports(3), None):
            return ""
    except Broken as why:
        return str(why).replace(f"{folder}/", "")
