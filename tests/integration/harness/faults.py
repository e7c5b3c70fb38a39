"""What goes wrong, how it is put right again, and what streams may see of it.

Of streams that run, and of those that open meanwhile:

	goes on		nobody notices
	waits		all is well once the fault is over, and not a byte is lost
	RST		cut off, and both programs are told so
	FIN		the same, where that is how the kernel of a process that is gone ends its connections

Whatever it is, no byte is lost unseen, none comes twice, and no stream that was cut looks
complete.
"""

import dataclasses
import pathlib
import random
import resource
import signal
import time
from collections.abc import Callable
from typing import NamedTuple

from . import waiting
from .certificates import HOST
from .changes import put_certificate
from .dns import NameServer
from .fault_scene import Scene
from .loads import LOADS

KINDS = ("raw", "h2")
USR = pathlib.Path("/usr")
# The library that lies about the time; None: it is not installed.
FAKETIME = next((path for folder in ("lib/*", "lib64") for path in USR.glob(f"{folder}/faketime/libfaketimeMT.so.1")), None)

GOES_ON, WAITS, RST, FIN = "goes on", "waits", "RST", "FIN"


@dataclasses.dataclass(frozen=True)
class Fault:
    """`running` and `opening` are words from above, by load and by kind where these differ.  What
    the log of either end must have, beside the close lines, are patterns: for every load, where
    streams run, where they open; `log` is that in words."""

    name: str
    inflict: Callable[[Scene], None]
    heal: Callable[[Scene], None]
    running: object
    opening: object
    log: str
    says: str = ""
    says_running: object = ""
    says_opening: object = ""
    lasts: float = 1  # seconds
    prepare: Callable[[Scene], None] | None = None
    options: dict = dataclasses.field(default_factory=dict)
    router: dict = dataclasses.field(default_factory=dict)
    needs: str = ""  # "hosts", "root" or "faketime"

    def expected(self, load, kind):
        return _pick(self.opening if load == "opening" else self.running, load, kind)

    def patterns(self, load, kind):
        also = self.says_opening if load == "opening" else self.says_running
        return [pattern for pattern in (self.says, _pick(also, load, kind)) if pattern]


def _pick(words, load, kind):
    while isinstance(words, dict):
        words = words[load] if load in words else words[kind]
    return words


def nothing(_):
    """It is over by itself."""


# How


def kill_server(scene):
    scene.server.process.kill()


def kill_app(scene):
    """In the middle of its work: what was not read yet its kernel answers with an RST."""
    scene.load.hang_app()
    if scene.load.speaks:
        scene.load.wait_unread()
    scene.load.kill_app()


def restart_app(scene):
    scene.load.restart_app()
    scene.load.app_runs.set()


def cut_cable(scene):
    scene.hosts.cut()


def mend_cable(scene):
    scene.hosts.mend()


def call_by_name(scene):
    """The client finds the router by a name, at a name server of its own."""
    scene.names = scene.closing(NameServer({HOST: scene.address}))
    path = scene.place.folder / "resolv.conf"
    path.write_text(f"nameserver {scene.names.address}\n", encoding="ascii")
    scene.name = HOST
    scene.inside = ["unshare", "-m", "sh", "-c", f'mount --bind {path} /etc/resolv.conf && exec "$@"', "sh"]


def silence_names(scene):
    scene.names.is_silent = True


def answer_names(scene):
    scene.names.is_silent = False


def keep_certificates_apart(scene):
    """In files that may change."""
    for role in ("client", "server"):
        scene.files[role] = put_certificate(getattr(scene.certificates, role), scene.place.folder / f"secret-{role}")


def rotate_certificates(scene):
    """Of both ends.  A pair that does not fit yet is no harm."""
    put_certificate(scene.certificates.renewed_server, scene.place.folder / "secret-server")
    put_certificate(scene.certificates.renewed_client, scene.place.folder / "secret-client")
    for end in scene.both():
        end.process.wait_line("event=renewed")


def limit_descriptors(role, soft=3):
    """No new descriptor is below that; those which are open stay."""

    def inflict(scene):
        pid = getattr(scene, role).process.pid
        hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft or hard, hard))

    return inflict


def log_to_files(scene):
    for role in ("client", "server"):
        path = scene.place.folder / f"{role}.log"
        scene.files[role] = {"output": path}


def fill_disk(scene):
    """The log's files are on a full disk from now on."""
    for role, end in zip(("client", "server"), scene.both()):
        path = scene.place.folder / f"{role}.log"
        path.rename(path.with_suffix(".old"))
        path.symlink_to("/dev/full")
        end.process.send_signal(signal.SIGUSR1)
        end.process.wait_line("event=log-opened")


def empty_disk(scene):
    """And what is said then is in them again."""
    for role, end in zip(("client", "server"), scene.both()):
        path = scene.place.folder / f"{role}.log"
        path.unlink()
        end.process.send_signal(signal.SIGUSR1)
        waiting.until(lambda path=path: path.exists() and "log-opened" in path.read_text(), "the log goes on")


def fake_time(scene):
    scene.clock = scene.place.folder / "clock"
    scene.clock.write_text("+0\n", encoding="ascii")
    scene.inside = [
        *("env", f"LD_PRELOAD={FAKETIME}", f"FAKETIME_TIMESTAMP_FILE={scene.clock}"),
        *("FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"),
    ]


def set_clock(scene, offset):
    beside = scene.clock.with_suffix(".new")
    beside.write_text(f"{offset}\n", encoding="ascii")
    beside.rename(scene.clock)


def step_clock(scene):
    """Two days ahead, and one back."""
    set_clock(scene, "+2d")
    time.sleep(0.5)  # nothing tells when they have looked
    set_clock(scene, "+1d")


CARRIER_LOST = r"event=close why=carrier-lost"

FAULTS = [
    Fault(
        "router reload",
        lambda scene: scene.router.reload(),
        nothing,
        running=GOES_ON,
        opening=GOES_ON,
        log="one line for each stream",
    ),
    Fault(
        "router killed",
        lambda scene: scene.router.kill(),
        lambda scene: scene.router.start(),
        running=RST,
        opening=RST,
        log="`carrier-lost`, `connect-failed`",
        says_running=CARRIER_LOST,
        says_opening="event=failed why=connect-failed .*Connection refused",
    ),
    Fault(
        "router hard stop",
        lambda scene: scene.router.reload(),
        nothing,
        running=RST,
        opening=GOES_ON,
        log="`carrier-lost`",
        says_running=CARRIER_LOST,
        router={"hard_stop": "1s"},
        lasts=1.5,
    ),
    Fault(
        "pod gone",
        kill_server,
        lambda scene: scene.start_server(),
        running=RST,
        opening=RST,
        log="`carrier-lost`, `no-pod` or `open-timeout`",
        says_running=CARRIER_LOST,
        says_opening="event=failed why=(no-pod|open-timeout)",
        lasts=4,
    ),
    Fault(
        "app killed",
        kill_app,
        restart_app,
        running={"idle": FIN, "bulk": RST, "request-reply": RST},
        opening=RST,
        log="`far-reset`, `app-unreachable`",
        says_running={"idle": "", "bulk": "event=close why=far-reset", "request-reply": "event=close why=far-reset"},
        says_opening="event=failed why=app-unreachable .*Connection refused",
    ),
    Fault(
        "app hung",
        lambda scene: scene.load.hang_app(),
        lambda scene: scene.load.resume_app(),
        running={"idle": GOES_ON, "bulk": WAITS, "request-reply": WAITS},
        opening=WAITS,
        log="one line for each stream",
    ),
    Fault(
        "network black hole",
        cut_cable,
        mend_cable,
        running=RST,
        opening=RST,
        log="`carrier-lost`, `open-timeout`",
        says_running=CARRIER_LOST + ".*no acknowledgement|" + CARRIER_LOST + ".*no sign of life",
        says_opening="event=failed why=open-timeout",
        needs="hosts",
        lasts=5,
    ),
    Fault(
        "DNS gone",
        silence_names,
        answer_names,
        running=GOES_ON,
        opening={"raw": RST, "h2": GOES_ON},
        log="`name-not-found` or `open-timeout`",
        says_opening={"raw": "event=failed why=(name-not-found|open-timeout)", "h2": ""},
        prepare=call_by_name,
        needs="root",
        lasts=4,
    ),
    Fault(
        "certificate rotated",
        rotate_certificates,
        nothing,
        running=GOES_ON,
        opening=GOES_ON,
        log="`event=renewed`",
        says="event=renewed",
        prepare=keep_certificates_apart,
    ),
    Fault(
        "client out of descriptors",
        limit_descriptors("client"),
        limit_descriptors("client", None),
        running=GOES_ON,
        opening=WAITS,
        log="`event=pause`",
        says_opening="event=pause .*Too many open files",
    ),
    Fault(
        "server out of descriptors",
        limit_descriptors("server"),
        limit_descriptors("server", None),
        running=GOES_ON,
        opening=WAITS,
        log="`event=pause`",
        says_opening="event=pause .*(Too many open files|no file descriptor left)",
    ),
    Fault(
        "log on /dev/full",
        fill_disk,
        empty_disk,
        running=GOES_ON,
        opening=GOES_ON,
        log="`event=log-failed` on stderr, `event=log-back`",
        says="event=log-failed .*No space left on device",
        prepare=log_to_files,
        options={"sandbox": "no"},
    ),
    Fault(
        "clock stepped",
        step_clock,
        lambda scene: set_clock(scene, "+0"),
        running=GOES_ON,
        opening=GOES_ON,
        log="one line for each stream",
        prepare=fake_time,
        needs="faketime",
    ),
]


class Cell(NamedTuple):
    fault: Fault
    load: str
    kind: str

    def __str__(self):
        return "-".join((self.fault.name, self.load, self.kind)).replace(" ", "-").replace("/", "")

    @property
    def expected(self):
        return self.fault.expected(self.load, self.kind)


def cells(kinds=KINDS, sample=None, seed=None):
    """All of them, or a `sample` of so many for each fault."""
    chosen = []
    for fault in FAULTS:
        row = [Cell(fault, load, kind) for load in LOADS for kind in kinds]
        if sample:
            row = random.Random(f"{seed}/{fault.name}").sample(row, min(sample, len(row)))
        chosen += row
    return chosen
