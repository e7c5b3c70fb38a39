"""Free TCP ports, and who listens on them."""

import contextlib
import os
import socket
import subprocess

LOCALHOST = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
LISTEN = "0A"  # as /proc/net/tcp writes the state


class Ports:
    """Ports that are ours until close().

    Each is held by a socket that is bound and never listens.  With SO_REUSEADDR, set after
    binding, our programs may listen there; nobody else gets the port, neither as free nor
    for a connection of their own, and connecting to it is refused until somebody listens.
    """

    def __init__(self):
        self._held = contextlib.ExitStack()

    def reserve(self, family=socket.AF_INET):
        holder = self._held.enter_context(socket.socket(family))
        holder.bind((LOCALHOST[family], 0))
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return holder.getsockname()[1]

    def close(self):
        self._held.close()


def is_listening(port):
    for table in ("/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"):
        with open(table, encoding="ascii") as rows:
            for row in rows:
                local, _, state = row.split()[1:4]
                if state == LISTEN and local.endswith(f":{port:04X}"):
                    return True
    return False


def count_descriptors(pid, own=(), others=()):
    """The open descriptors of a process: how many are TCP connections with one of the ports `own`
    on its side, or of `others` on the other one; and how many are not."""
    names = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):  # it was closed meanwhile
            names.append(os.readlink(f"/proc/{pid}/fd/{name}"))
    with open("/proc/thread-self/net/tcp", encoding="ascii") as table:
        rows = [row.split() for row in table][1:]
    chosen = set()
    for row in rows:
        here, there = (int(address.split(":")[1], 16) for address in row[1:3])
        if row[3] != LISTEN and (here in own or there in others):
            chosen.add(f"socket:[{row[9]}]")
    among = sum(name in chosen for name in names)
    return among, len(names) - among


def destroy_connection(port, which):
    """Let the kernel end one of the connections to `port`, under the feet of both sides; `which`
    is between 0 and 1.  Only root may."""
    chosen = ("-tnH", "state", "established", "dport", "=", f":{port}")
    rows = subprocess.run(["ss", *chosen], capture_output=True, text=True, check=True).stdout.splitlines()
    if rows and os.geteuid() == 0:
        near = rows[int(which * len(rows))].split()[2].rsplit(":", 1)[1]
        subprocess.run(["ss", "-K", *chosen, "sport", "=", f":{near}"], capture_output=True, check=True)
