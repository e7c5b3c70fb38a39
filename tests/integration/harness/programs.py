"""The two programs that talk through the pair: the legacy program and the app.  Each is a
plain socket of the test, so that it can do what a program can do and see what it sees."""

import array
import enum
import errno
import fcntl
import itertools
import random
import select
import socket
import struct
import termios
import time
import weakref

from . import waiting

CHUNK = 65536

# All sockets of the programs of a test: whatever is still open is closed at its end, since
# our processes would wait for it when they stop.
_sockets = weakref.WeakSet()


def remember(sock):
    _sockets.add(sock)
    sock.settimeout(waiting.LIMIT)


def close_all():
    for sock in _sockets:
        sock.close()
    _sockets.clear()


class Ending(enum.Enum):
    FIN = "FIN"
    RST = "RST"


def random_bytes(count, seed=1):
    """Bytes in which no piece stands twice, and which are the same in every run."""
    return random.Random(seed).randbytes(count)


class Connection:
    """One end of a TCP (or Unix) connection, and what a program can do with it."""

    def __init__(self, sock):
        self._socket = sock
        remember(sock)

    def __repr__(self):
        return f"<connection {self._socket.fileno()}>"

    @property
    def address(self):
        return self._socket.getsockname()

    def keep_little(self):
        """Let the kernel keep few bytes for this program: the rest waits on the way."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, CHUNK)

    # What it does

    def send(self, data):
        self._socket.sendall(data)

    def finish(self):
        """Half-close: no more from here."""
        self._socket.shutdown(socket.SHUT_WR)

    def close(self):
        """Close for good; the kernel makes it an RST if bytes were left unread."""
        self._socket.close()

    def reset(self):
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def send_until_blocked(self, chunk=random_bytes(CHUNK), patience=0.5):
        """Send until nothing has been taken for `patience` seconds; says how many bytes were."""
        sent = 0
        self._socket.setblocking(False)
        while self._poll(select.POLLOUT, patience) & select.POLLOUT:
            at = sent % len(chunk)
            sent += self._socket.send(chunk[at:])
        self._socket.settimeout(waiting.LIMIT)
        return sent

    # What it sees

    def receive(self, count):
        """Exactly `count` bytes, which the other side has to send without an end before."""
        received = bytearray()
        while len(received) < count:
            piece = self._socket.recv(min(count - len(received), CHUNK))
            assert piece, f"FIN after {len(received)} of {count} bytes"
            received += piece
        return bytes(received)

    def receive_to_end(self, pause=0, most=None):
        """All bytes that come, and how they ended; or None for how, once there are `most`.
        `pause` makes it a slow reader: seconds between two looks at the socket."""
        received = bytearray()
        while most is None or len(received) < most:
            if pause:
                time.sleep(pause)  # slowness is what is asked for here, nothing is waited for
            try:
                piece = self._socket.recv(CHUNK)
            except ConnectionResetError:
                return bytes(received), Ending.RST
            if not piece:
                return bytes(received), Ending.FIN
            received += piece
        return bytes(received), None

    def is_silent_for(self, seconds):
        """Neither a byte nor an end comes within that time."""
        return not self._poll(select.POLLIN | select.POLLRDHUP, seconds)

    def wait_reset(self):
        """An RST, which may follow a FIN: then recv() alone would never tell."""
        happened = self._poll(0, waiting.LIMIT)
        assert happened & select.POLLERR, "the connection was not reset"
        error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        assert error in (errno.ECONNRESET, errno.EPIPE), errno.errorcode[error]

    def send_until_reset(self):
        """Go on sending, as a program does that has seen no end."""
        try:
            for _ in itertools.repeat(None, int(waiting.LIMIT / 0.02)):
                self._socket.send(b"more")
                if self._poll(0, 0.02) & select.POLLERR:
                    break
        except (ConnectionResetError, BrokenPipeError):
            return
        self.wait_reset()

    def wait_sent(self):
        """Until the kernel at the other end has every byte that was sent."""
        waiting.until(lambda: not self._unsent(), "every byte was acknowledged")

    def _unsent(self):
        count = array.array("i", [0])
        fcntl.ioctl(self._socket, termios.TIOCOUTQ, count)
        return count[0]

    def _poll(self, events, seconds):
        poller = select.poll()
        poller.register(self._socket, events)
        return sum(event for _, event in poller.poll(seconds * 1000))


def legacy_program(address):
    """The program on the legacy host: connects to the client's `accept`, a port of
    127.0.0.1, an (address, port) or the path of a Unix socket."""
    sock = socket.socket(_family(address))
    sock.settimeout(waiting.LIMIT)
    sock.connect(_full(address))
    return Connection(sock)


def is_reset(address, words):
    """A legacy program that has nothing but `words` to say meets an RST, however early, and
    not a byte before it."""
    try:
        program = legacy_program(address)
        program.send(words)
        return program.receive_to_end() == (b"", Ending.RST)
    except (ConnectionResetError, BrokenPipeError):
        return True


def listen(address):
    sock = socket.socket(_family(address))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(_full(address))
    sock.listen(1024)
    sock.settimeout(waiting.LIMIT)
    return sock


class App:
    """The app in the pod: listens where the server connects to."""

    def __init__(self, address):
        self._socket = listen(address)
        self.address = address

    def accept(self):
        return Connection(self._socket.accept()[0])

    def has_visitor(self):
        return bool(select.select([self._socket], [], [], 0)[0])

    def close(self):
        self._socket.close()


def _family(address):
    if isinstance(address, str):
        return socket.AF_UNIX
    return socket.AF_INET6 if ":" in _full(address)[0] else socket.AF_INET


def _full(address):
    return ("127.0.0.1", address) if isinstance(address, int) else address
