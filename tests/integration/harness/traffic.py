"""Many short streams, each known by its number: what it says, what comes back and how it ends
follow from that number and a seed.  Both programs write down what they saw."""

import asyncio
import contextlib
import dataclasses
import random
import select
import socket
import threading
import time

from .relay import abort

NUMBER = 10  # bytes of a stream's first line
GREETING = b"220 ready\n"
PIECE = 65536
SECOND = 250  # streams that begin in one, at the most

# What the streams say lies somewhere in here, so that no two say the same.
_MOST = 400_000
_WORDS = random.Random(0).randbytes(_MOST + (1 << 20))


def _words(number, way, count):
    at = (number * 7919 + way * 524_287) % (1 << 20)
    return _WORDS[at : at + count]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a stream does.  In each round the program says `ups[i]` bytes and the app answers
    `downs[i]`."""

    number: int
    ups: list
    downs: list
    greeted: bool = False  # the program waits for the app's greeting
    fin_first: bool = False  # the program ends before the last answer, else behind it
    app_waits: bool = False  # for that end before it answers
    # After how many bytes one of them resets the stream.
    program_resets_sent: int | None = None
    program_resets_heard: int | None = None
    app_resets_heard: int | None = None

    @property
    def has_resets(self):
        return {self.program_resets_sent, self.program_resets_heard, self.app_resets_heard} != {None}

    @property
    def up(self):
        return b"%09d\n" % self.number + _words(self.number, 0, sum(self.ups))

    @property
    def down(self):
        return GREETING + _words(self.number, 1, sum(self.downs))


def _size(dice):
    least, most = dice.choice(((0, 100), (0, 100), (100, 20_000), (100, 20_000), (70_000, 300_000)))
    return dice.randrange(least, most)


def plan(seed, number):
    dice = random.Random(f"{seed}/{number}")
    rounds = dice.choice((1, 1, 1, 2, 5))
    ups = [_size(dice) // rounds for _ in range(rounds)]
    downs = [_size(dice) // rounds for _ in range(rounds)]
    fin_first = dice.random() < 0.5
    how = {
        "greeted": dice.random() < 0.3,
        "fin_first": fin_first,
        "app_waits": fin_first and dice.random() < 0.5,
    }
    fate = dice.random()
    if fate < 0.06:
        how["program_resets_sent"] = NUMBER + dice.randrange(sum(ups) + 1)
    elif fate < 0.12:
        how["program_resets_heard"] = len(GREETING) + dice.randrange(sum(downs) + 1)
    elif fate < 0.24:
        how["app_resets_heard"] = NUMBER + dice.randrange(sum(ups) + 1)
    return Plan(number, ups, downs, **how)


class Ended(Exception):
    """How a connection ended: "FIN", "RST", or "own" for a reset that is planned here."""


class Seen:
    """A connection as one of the programs sees it."""

    def __init__(self, sock):
        self._sock = sock
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
            f"{type(self).__name__}(heard={self.heard} sent={self.sent} finished={self.finished} "
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
        self.lasted = time.monotonic() - self.began
        if self.end == "FIN" and self.finished:
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


class Program(Seen):
    """The legacy program of one stream."""

    def __init__(self, plan, address):
        super().__init__(socket.socket())
        self._sock.setblocking(False)
        self._sock.bind(("127.0.0.1", 0))  # so that its port is known, whatever comes
        self._address = address
        self.plan = plan
        self.port = self._sock.getsockname()[1]
        self.expected = plan.down

    async def _talk(self):
        plan, up = self.plan, memoryview(self.plan.up)
        said, heard = NUMBER, len(GREETING)
        await asyncio.get_running_loop().sock_connect(self._sock, self._address)
        if plan.greeted:
            await self._receive_until(len(GREETING))
        for i, (up_count, down_count) in enumerate(zip(plan.ups, plan.downs)):
            said += up_count
            await self._send(up[self.sent : said], plan.program_resets_sent)
            if plan.fin_first and i == len(plan.ups) - 1:
                self._finish()
            heard += down_count
            await self._receive_until(heard, plan.program_resets_heard)
        if not plan.fin_first:
            self._finish()
        while True:
            await self._receive()


class Visit(Seen):
    """A connection that came to the app."""

    def __init__(self, sock, seed):
        super().__init__(sock)
        self._sock.setblocking(False)
        self._seed = seed

    async def _talk(self):
        await self._send(GREETING)
        await self._receive_until(NUMBER)
        self.plan = plan(self._seed, int(self.line))
        self.expected = self.plan.up
        down, heard = memoryview(self.plan.down), NUMBER
        for i, (up_count, down_count) in enumerate(zip(self.plan.ups, self.plan.downs)):
            heard += up_count
            await self._receive_until(heard, self.plan.app_resets_heard)
            if self.plan.app_waits and i == len(self.plan.ups) - 1:
                await self._receive_fin()
            await self._send(down[self.sent : self.sent + down_count])
        self._finish()
        await self._receive_fin()
        raise Ended("FIN")


class Traffic:
    """Programs that dial `client_port`, and the app on `port`, in a thread of its own.  At most
    `most` streams at a time."""

    def __init__(self, seed, client_port, port, most=100):
        self._seed = seed
        self._client = ("127.0.0.1", client_port)
        self.port = port
        self._most = most
        self.programs = []
        self.visits = []
        self._active = 0
        self._running = True
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._do(self._open_app)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _do(self, step):
        """Take a step on the thread, and return what it says."""

        async def wrapped():
            return step()

        return asyncio.run_coroutine_threadsafe(wrapped(), self._loop).result(30)

    # On its thread

    def _open_app(self):
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=1024)
        self._listener.setblocking(False)
        self._loop.add_reader(self._listener, self._accept)

    def _close_app(self):
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            visit = Visit(self._listener.accept()[0], self._seed)
            self.visits.append(visit)
            visit.task = self._loop.create_task(visit.run())

    async def _start_streams(self):
        dice = random.Random(f"{self._seed}/pace")
        while self._running:
            if self._active < self._most:
                self._start()
            await asyncio.sleep(dice.expovariate(SECOND))

    def _start(self):
        program = Program(plan(self._seed, len(self.programs)), self._client)
        self.programs.append(program)
        self._active += 1
        program.task = self._loop.create_task(program.run())
        program.task.add_done_callback(self._ended)
        return program

    def _ended(self, _):
        self._active -= 1

    def _crash_app(self):
        self._close_app()
        for visit in self.visits:
            if visit.lasted is None:
                visit.task.cancel()
                self._loop.call_soon(visit.done, "own")

    def _close(self):
        self._running = False
        self._close_app()
        for seen in self.open_ones():
            seen.task.cancel()
            self._loop.call_soon(seen.give_up)
        self._loop.call_later(0.1, self._loop.stop)

    # For the test

    def start(self):
        """Streams begin, many a second."""
        self._do(lambda: self._loop.create_task(self._start_streams()))

    def crash_app(self):
        """The app dies: it listens no more, and its connections are reset."""
        self._do(self._crash_app)

    def restart_app(self):
        self._do(self._open_app)

    def stop(self):
        """No new streams from now on."""
        self._running = False

    def one_more(self):
        """A stream that begins now, and is not to be reset by anybody."""
        program = self._do(self._start)
        while program.plan.has_resets:
            program = self._do(self._start)
        return program

    def open_ones(self):
        """Those that have not ended."""
        return [seen for seen in self.programs + self.visits if seen.lasted is None]

    def close(self):
        self._do(self._close)
        self._thread.join()
        self._loop.close()
