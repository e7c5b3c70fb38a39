"""Starting and ending a pair, and one measurement with it."""

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import typing

import path
from contestants import IPERF, Contestant, Place
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


def is_listening(pid: int, port: int) -> bool:
    """From the kernel's table of where the process is: a connection just to see would be a
    stream of the pair."""
    wanted = f":{port:04X}"
    with contextlib.suppress(OSError), open(f"/proc/{pid}/net/tcp") as table:
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
    while not is_listening(process.pid, port) or len(children(process.pid)) < forks:
        if process.poll() is not None or time.monotonic() > limit:
            raise Broken(f"{pathlib.Path(words[0]).name} does not listen: {tail(log)}")
        time.sleep(0.01)
    return [process.pid, *(children(process.pid) if forks else [])]


def places(who: Contestant, folder: pathlib.Path, entry: int, app: int,
           is_far: bool) -> "list[Place]":
    """Of each end, from the app to the program.  What the last one dials is at the far end
    of the path, if there is one."""
    ports = [app, *free_ports(len(who.ends) - 1), entry]
    found = [Place(folder, accept, connect) for connect, accept in zip(ports, ports[1:])]
    if is_far:
        found[-2] = dataclasses.replace(found[-2], accept_host=path.FAR)
        found[-1] = dataclasses.replace(found[-1], connect_host=path.FAR)
    return found


@contextlib.contextmanager
def running(who: Contestant, folder: pathlib.Path, entry: int, app: int,
            delay: "list | None" = None, over: "path.Path | None" = None):
    """The pair between the ports entry and app; gives its processes.  With `delay` (the
    program) the route leads over the long path that it is, with `over` over that one."""
    with contextlib.ExitStack() as stack:
        pids = []
        if not who.ends:
            yield pids
            return
        chain = places(who, folder, entry, app, over is not None)
        if delay:
            dialled, = free_ports(1)
            start(stack, [delay, dialled, chain[-1].connect, DELAY], dialled,
                  folder / "delay.log")
            chain[-1] = dataclasses.replace(chain[-1], connect=dialled)
        for end, place in zip(who.ends, chain):
            enter = []
            if over:
                enter = over.enter_near() if place is chain[-1] else over.enter_far()
            pids += start(stack, enter + end(place), place.accept,
                          folder / f"{place.accept}.log", who.children)
        yield pids


class Bench(typing.NamedTuple):
    """What measuring takes."""

    folder: pathlib.Path  # for configurations, certificates and logs
    tools: pathlib.Path  # where load, delay and path are
    seconds: float
    is_quick: bool


def output_of(command: list, seconds: float) -> dict:
    """The JSON that a load printed, which should take that long.  Raises Broken."""
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                              timeout=seconds + RUN_LIMIT)
    except subprocess.TimeoutExpired:
        raise Broken("the load did not end") from None
    if done.returncode != 0:
        raise Broken(done.stderr.strip() or done.stdout.strip())
    return json.loads(done.stdout)


def measure(who: Contestant, run: Run, bench: Bench) -> dict:
    """What the load printed.  Raises Broken."""
    seconds = bench.seconds if run.seconds is None else run.seconds
    with contextlib.ExitStack() as stack:
        over = None
        if run.wire:
            over = stack.enter_context(path.long_path(bench.tools / "path", run.wire))
        if who is IPERF:
            return measure_iperf(run, seconds, over)
        entry, app = free_ports(2)
        load = [bench.tools / "load", run.mode, entry, app]
        if over:
            load[1:1] = ["-w", run.warm_up / (2 if bench.is_quick else 1), "-n", over.far]
            load[:0] = over.enter_near()
        if not who.ends:
            load[-2:] = [f"{path.FAR if over else '127.0.0.1'}:{app}"] * 2
        streams = run.quick if bench.is_quick and run.quick else run.streams
        delay = bench.tools / "delay" if run.far else None
        pids = stack.enter_context(running(who, bench.folder, entry, app, delay, over))
        try:
            return output_of([*load, streams, seconds, *pids], seconds)
        except Broken as why:
            ends = ", ".join(tail(log) for log in sorted(bench.folder.glob("*.log")))
            raise Broken(f"{why} ({ends})") from None


def measure_iperf(run: Run, seconds: float, over: path.Path) -> dict:
    """The same of iperf3, which counts at the end that receives."""
    with contextlib.ExitStack() as stack:
        port, = free_ports(1)
        start(stack, [*over.enter_far(), "iperf3", "-s", "-1", "-B", path.FAR, "-p", port], port,
              pathlib.Path(os.devnull))
        whole = max(1, round(seconds))  # it knows no parts of one
        command = [*over.enter_near(), "iperf3", "-c", path.FAR, "-p", port, "-J", "-O",
                   round(run.warm_up), "-t", whole, *(["-R"] if run.mode == "fetch" else [])]
        received = output_of(command, whole)["end"]["sum_received"]
        return {"done": received["bytes"], "seconds": received["seconds"], "cpu": 0}


def refusal(who: Contestant, folder: pathlib.Path) -> str:
    """Why this contestant cannot take part; empty: it can."""
    try:
        with running(who, folder, *free_ports(2)):
            return ""
    except Broken as why:
        return str(why).replace(f"{folder}/", "")
