"""The machine and what runs on it: what must be known to believe a figure."""

import contextlib
import os
import pathlib
import platform
import resource
import subprocess
import time

from contestants import Contestant, Place


def first_line(*command: str) -> str:
    """The first that has a number in it."""
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return "not there"
    lines = (done.stdout + done.stderr).splitlines()
    return next((line for line in lines if any(c.isdigit() for c in line)), "")


def kernel_setting(name: str) -> str:
    with contextlib.suppress(OSError):
        return " ".join(pathlib.Path("/proc/sys", name).read_text().split())
    return "unknown"


def machine(build: pathlib.Path) -> "dict[str, str]":
    model = "unknown"
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as info:
        model = next((line.split(":", 1)[1].strip() for line in info
                      if line.startswith("model name")), model)
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "CPU": f"{model}, {len(os.sched_getaffinity(0))} of them for load and both ends together",
        "memory": f"{pages / 2**30:.0f} GiB",
        "kernel": platform.release(),
        "congestion control": kernel_setting("net/ipv4/tcp_congestion_control"),
        "socket buffers": "tcp_rmem " + kernel_setting("net/ipv4/tcp_rmem")
                          + ", tcp_wmem " + kernel_setting("net/ipv4/tcp_wmem"),
        "descriptors": str(resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
        "routeport": first_line(str(build / "routeport-client"), "--version"),
        "OpenSSL": first_line("openssl", "version"),
        "stunnel4": first_line("stunnel4", "-version"),
        "haproxy": first_line("haproxy", "-v"),
        "nginx": first_line("nginx", "-v"),
        "iperf3": first_line("iperf3", "--version"),
    }


class Disturbance:
    """What others do on the machine meanwhile: all busy time less ours and our children's."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.before = self.others()

    @staticmethod
    def others() -> float:
        with open("/proc/stat") as stat:
            user, nice, system, _, _, irq, softirq, steal = map(int, stat.readline().split()[1:9])
        busy = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
        for who in resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN:
            usage = resource.getrusage(who)
            busy -= usage.ru_utime + usage.ru_stime
        return busy

    def share(self) -> float:
        there = (time.monotonic() - self.begun) * os.cpu_count()
        return max(0.0, (self.others() - self.before) / there)


def allow_descriptors() -> None:
    """As many as the machine lets us, here and in what is started from here."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def configuration(who: Contestant, folder: pathlib.Path) -> str:
    """Both ends' command and file, without the places of this machine."""
    texts = []
    sides = ["server", *["router"] * (len(who.ends) - 2), "client"]
    for side, end in zip(sides, who.ends):
        place = Place(folder, 1, 2)
        *command, name = end(place)
        command[0] = pathlib.Path(command[0]).name
        text = " ".join([*command, name]).replace(f"{folder}/", "").replace(str(folder), ".")
        file = pathlib.Path(name).read_text().replace(f"{folder}/", "")
        accept, connect = {"server": ("POD", "APP"), "router": ("ROUTE", "POD"),
                           "client": ("ENTRY", "ROUTE")}[side]
        if len(sides) == 2:
            accept = accept.replace("POD", "ROUTE")
        file = file.replace("127.0.0.1:1", f"127.0.0.1:{accept}")
        file = file.replace("127.0.0.1:2", f"127.0.0.1:{connect}")
        texts.append(f"$ {text}\n{file}")
    return "\n".join(texts)
