"""Free TCP ports, and who listens on them."""

import contextlib
import socket

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
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table, encoding="ascii") as rows:
            for row in rows:
                local, _, state = row.split()[1:4]
                if state == LISTEN and local.endswith(f":{port:04X}"):
                    return True
    return False
