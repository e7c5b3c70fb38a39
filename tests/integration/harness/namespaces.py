"""Two hosts of the test's own, with a cable between them that can be cut: network namespaces."""

import contextlib
import ctypes
import os
import subprocess

ADDRESSES = ("192.0.2.1", "192.0.2.2")
CARDS = ("02:00:00:00:00:01", "02:00:00:00:00:02")
NOBODY = "02:00:00:00:00:99"

_libc = ctypes.CDLL(None, use_errno=True)
NEW_NETWORK = 0x40000000  # CLONE_NEWNET


def _enter(namespace):
    """Of this thread."""
    if _libc.setns(namespace, NEW_NETWORK) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _ip(*words):
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def _inside(name, *words):
    return _ip("-n", name, *words)


class TwoHosts:
    """`inside[0]` and `inside[1]` are the words before a program's own that start it there."""

    def __init__(self):
        self._names = [f"routeport-{os.getpid()}-{number}" for number in (1, 2)]
        self._made = []
        self.addresses = ADDRESSES
        self.inside = [("ip", "netns", "exec", name) for name in self._names]
        try:
            self._make()
        except (OSError, subprocess.CalledProcessError):
            self.close()
            raise

    def _make(self):
        for name in self._names:
            _ip("netns", "add", name)
            self._made.append(name)
        one, other = self._names
        _ip("link", "add", "cable", "netns", one, "type", "veth", "peer", "name", "cable", "netns", other)
        for name, address, card in zip(self._names, ADDRESSES, CARDS):
            _inside(name, "link", "set", "lo", "up")
            _inside(name, "link", "set", "cable", "address", card)
            _inside(name, "address", "add", f"{address}/24", "dev", "cable")
            _inside(name, "link", "set", "cable", "up")
        self.mend()

    def cut(self):
        """From now on every packet is lost, and nobody is told: it is addressed to a card that
        is not there."""
        self._address_packets_to((NOBODY, NOBODY))

    def mend(self):
        self._address_packets_to(CARDS)

    def _address_packets_to(self, cards):
        for name, neighbour in zip(self._names, (1, 0)):
            _inside(
                name, "neighbour", "replace", ADDRESSES[neighbour], "lladdr", cards[neighbour], "dev", "cable"
            )

    @contextlib.contextmanager
    def at(self, number):
        """This thread, and processes that it starts, are on that host meanwhile."""
        with open("/proc/thread-self/ns/net", "rb") as before, open(f"/run/netns/{self._names[number]}", "rb") as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(before.fileno())

    def close(self):
        for name in self._made:
            subprocess.run(["ip", "netns", "delete", name], check=False)
