"""A long path between two network namespaces, as path.c makes it."""

import contextlib
import dataclasses
import pathlib
import subprocess

NEAR, FAR = "10.0.0.1", "10.0.0.2"  # addresses of its ends


class NoPath(Exception):
    """The machine lets us make none; the text says why."""


@dataclasses.dataclass(frozen=True)
class Wire:
    """What a path is like."""

    delay: float  # ms each way
    rate: "float | None" = None  # Mbit/s each way; None: as fast as the machine can

    @property
    def round_trip(self) -> float:
        """In us."""
        return 2 * self.delay * 1e3


@dataclasses.dataclass(frozen=True)
class Path:
    """Files that are the network namespaces of its ends."""

    near: str
    far: str

    def enter_near(self) -> "list[str]":
        """What stands before a command that is to run there."""
        return ["nsenter", f"--net={self.near}"]

    def enter_far(self) -> "list[str]":
        return ["nsenter", f"--net={self.far}"]


@contextlib.contextmanager
def long_path(program: pathlib.Path, wire: Wire):
    """`program` is what path.c was built to.  Raises NoPath."""
    command = [program, wire.delay, *([wire.rate] if wire.rate else [])]
    process = subprocess.Popen([str(word) for word in command], text=True, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        words = process.stdout.readline().split()
        if not words:
            raise NoPath(process.stderr.read().strip())
        yield Path(near=words[1], far=words[3])
    finally:
        process.communicate()
