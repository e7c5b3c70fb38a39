"""Who talks through the pair, on a loop in a thread of their own: legacy programs, and the app with
its visits.  Each writes down what it said, what it heard and how that ended, so that every byte
can be accounted for."""

import asyncio
import contextlib
import select
import socket
import time

from .loop_thread import LoopThread
from .relay import abort

NUMBER = 10  # bytes of a stream's first line, which is its number
PIECE = 65536


class Ended(Exception):
    """How a connection ended: "FIN", "RST", "own" for a reset that is planned here, or "gone" with
    the process whose it was."""


class Seen:
    """A connection as one of the programs sees it."""

    def __init__(self, sock):
        self._sock = sock
        self.number = None  # of its stream
        self.plan = None
        self.line = b""  # the first bytes
        self.heard = 0  # bytes
        self.sent = 0
        self.expected = None  # what the other one says
        self.wrong = False  # something else came
        self.finished = False  # said FIN
        self.end = None  # how it ended
        self.began = time.monotonic()
        self.lasted = None  # seconds; None: it has not ended

    def __repr__(self):
        plan = f"{self.plan}" if self.plan else "no plan"
        return (
            f"{type(self).__name__}({self.number} heard={self.heard} sent={self.sent} finished={self.finished} "
            f"end={self.end} began={self.began:.3f} lasted={self.lasted} wrong={self.wrong} {plan})"
        )

    async def run(self):
        try:
            await self._talk()
        except OSError:
            self.done("RST")
        except Ended as end:
            self.done(str(end))

    def done(self, end):
        self.end = self.end or end
        self.expected = None  # of many streams that would be much
        self.lasted = time.monotonic() - self.began
        if self.end == "gone" or (self.end == "FIN" and self.finished):
            self._sock.close()
        else:
            abort(self._sock)

    def give_up(self):
        """To be followed by the end of its task."""
        abort(self._sock)

    def _is_reset(self):
        """Was it a FIN, or an RST whose error somebody else was told?"""
        poller = select.poll()
        poller.register(self._sock, 0)
        happened = sum(events for _, events in poller.poll(0))
        return bool(happened & select.POLLERR or (happened & select.POLLHUP and not self.finished))

    async def _receive(self, most=PIECE):
        piece = await asyncio.get_running_loop().sock_recv(self._sock, most)
        if not piece:
            raise Ended("RST" if self._is_reset() else "FIN")
        if self.expected is None:
            self.line += piece
        elif self.expected[self.heard : self.heard + len(piece)] != piece:
            self.wrong = True
        self.heard += len(piece)

    async def _receive_until(self, count, reset_at=None):
        """Until `count` bytes were heard, or fewer if it is planned to reset then."""
        resets = reset_at is not None and reset_at <= count
        count = reset_at if resets else count
        while self.heard < count:
            await self._receive(min(PIECE, count - self.heard))
        if resets:
            raise Ended("own")

    async def _send(self, data, reset_at=None):
        resets = reset_at is not None and reset_at <= self.sent + len(data)
        if resets:
            data = data[: reset_at - self.sent]
        for at in range(0, len(data), PIECE):
            piece = data[at : at + PIECE]
            await asyncio.get_running_loop().sock_sendall(self._sock, piece)
            self.sent += len(piece)
        if resets:
            raise Ended("own")

    async def _receive_fin(self):
        """The app goes on behind it."""
        if self.end == "FIN":
            return
        try:
            while True:
                await self._receive()
        except Ended as end:
            if str(end) != "FIN":
                raise
            self.end = "FIN"

    def _finish(self):
        self.finished = True
        self._sock.shutdown(socket.SHUT_WR)


class Cast(LoopThread):
    """All programs that dial `client_port`, and the app on `port`.  `near` and `far` are where their
    sockets are made: contexts, such as that of a host."""

    def __init__(self, client_port, port, near=contextlib.nullcontext, far=contextlib.nullcontext):
        self.client = ("127.0.0.1", client_port)
        self.port = port
        self.programs = []
        self.visits = []
        self._near = near
        self._far = far
        super().__init__()
        self._do(self._open_app)

    # On its thread

    def _new_visit(self, sock):
        raise NotImplementedError

    def _new_program(self, sock, number):
        raise NotImplementedError

    def _open_app(self):
        with self._far():
            self._listener = socket.create_server(("127.0.0.1", self.port), backlog=1024)
        self._listener.setblocking(False)
        self._loop.add_reader(self._listener, self._accept)

    def _close_app(self):
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            visit = self._new_visit(self._listener.accept()[0])
            self.visits.append(visit)
            visit.task = self._loop.create_task(visit.run())

    def _start_program(self):
        with self._near():
            sock = socket.socket()
            sock.setblocking(False)
            sock.bind(("127.0.0.1", 0))  # so that its port is known, whatever comes
        program = self._new_program(sock, len(self.programs))
        self.programs.append(program)
        program.task = self._loop.create_task(program.run())
        return program

    def _crash_app(self, how):
        self._close_app()
        for visit in self.visits:
            if visit.lasted is None:
                visit.task.cancel()
                self._loop.call_soon(visit.done, how)

    def _close(self):
        with contextlib.suppress(ValueError):  # it is down
            self._close_app()
        for seen in self.open_ones():
            seen.task.cancel()
            self._loop.call_soon(seen.give_up)

    # For the test

    def crash_app(self):
        """The app dies: it listens no more, and its connections are reset."""
        self._do(lambda: self._crash_app("own"))

    def kill_app(self):
        """The same, but its connections end as a kernel ends those of a process that is gone: by FIN
        where it had read everything."""
        self._do(lambda: self._crash_app("gone"))

    def restart_app(self):
        self._do(self._open_app)

    def open_ones(self):
        """Those that have not ended."""
        return [seen for seen in self.programs + self.visits if seen.lasted is None]

    def close(self):
        self._do(self._close)
        self._end_loop()
