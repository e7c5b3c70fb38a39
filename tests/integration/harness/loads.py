"""Loads: what passes while something goes wrong.  Streams last until the test has had enough of
them, so that it chooses what happens meanwhile; what each of them says follows from its number."""

import array
import asyncio
import contextlib
import fcntl
import random
import termios
import time

from . import waiting
from .actors import NUMBER, PIECE, Cast, Ended, Seen

PERIOD = 1_000_003  # bytes until the words come again
_RING = random.Random(0).randbytes(PERIOD)
_RING += _RING[:PIECE]

WORD, REQUEST = 1000, 64  # bytes
EACH = 0.02  # seconds from one stream that opens to the next
BREATH = 0.002  # between two pieces of bulk; others want to live as well
MOST_OPEN = 60


class Words:
    """All that a stream says one way, however much it is."""

    def __init__(self, number, way):
        self._begin = number * 7919 + way * 524_287

    def __getitem__(self, piece):
        at = (self._begin + piece.start) % PERIOD
        return _RING[at : at + piece.stop - piece.start]


class Talker(Seen):
    """Speaks and hears at the same time."""

    words = None

    async def _converse(self):
        self._news = asyncio.Event()
        self.fin_heard = False
        tasks = [asyncio.create_task(self._hear()), asyncio.create_task(self._speak())]
        try:
            for task in asyncio.as_completed(tasks):
                await task
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        raise Ended("FIN")

    async def _hear(self):
        try:
            while True:
                await self._receive()
                self._news.set()
        except Ended as end:
            if str(end) != "FIN":
                raise
        self.fin_heard = True
        self._news.set()

    async def _until(self, condition):
        while not condition():
            self._news.clear()
            await self._news.wait()

    async def _say(self, count):
        await self._send(self.words[self.sent : self.sent + count])


class Program(Talker):
    """A legacy program.  An end of the app's that comes too early it takes for what it is."""

    def __init__(self, sock, number, load):
        super().__init__(sock)
        self._load = load
        self.number = number
        self.port = sock.getsockname()[1]
        self.words = Words(number, 0)
        self.expected = Words(number, 1)

    async def _talk(self):
        await asyncio.get_running_loop().sock_connect(self._sock, self._load.client)
        await self._send(b"%09d\n" % self.number)
        await self._converse()

    async def _speak(self):
        with contextlib.suppress(_Cut):
            await self._load.say(self)
        self._finish()

    async def exchange(self, count):
        """Say so much and hear as much."""
        await self._say(count)
        await self._until(lambda: self.heard >= self.sent - NUMBER or self.fin_heard)
        if self.fin_heard:
            raise _Cut

    async def pour(self, count):
        await self._say(count)
        if self.fin_heard:
            raise _Cut


class _Cut(Exception):
    """The app said FIN before we had finished."""


class Visit(Talker):
    """The app's side.  It answers what it hears byte by byte, or pours out of its own accord."""

    def __init__(self, sock, load):
        super().__init__(sock)
        self._sock.setblocking(False)
        self._load = load

    async def _talk(self):
        await self._receive_until(NUMBER)
        self.number = int(self.line)
        self.words = Words(self.number, 1)
        self.expected = Words(self.number, 0)
        await self._converse()

    async def _receive(self, most=PIECE):
        await self._readable()
        while not self._load.app_runs.is_set():
            await self._load.app_runs.wait()
            await self._readable()
        await super()._receive(most)

    async def _readable(self):
        """A look at what came, without taking it."""
        loop = asyncio.get_running_loop()
        there = loop.create_future()
        loop.add_reader(self._sock, lambda: there.done() or there.set_result(None))
        try:
            await there
        finally:
            loop.remove_reader(self._sock)

    def unread(self):
        """Bytes that the kernel has for the app."""
        count = array.array("i", [0])
        fcntl.ioctl(self._sock, termios.FIONREAD, count)
        return count[0]

    async def _speak(self):
        if self._load.pours:
            while not self.fin_heard:
                await self._load.app_runs.wait()
                await self._say(PIECE)
                await asyncio.sleep(BREATH)
        else:
            await self._answer()
        self._finish()

    async def _answer(self):
        while True:
            await self._until(lambda: self._owed() or self.fin_heard)
            if not self._owed():
                return
            await self._say(min(PIECE, self._owed()))

    def _owed(self):
        return self.heard - NUMBER - self.sent


class Load(Cast):
    """Streams of one kind.  `running` of them are there before anything happens."""

    running = 0
    pours = False
    speaks = True  # all the time, that is

    def __init__(self, *addresses, **hosts):
        self._enough = False
        self.app_runs = asyncio.Event()
        self.app_runs.set()
        super().__init__(*addresses, **hosts)

    async def say(self, program):
        """What a program does until it finishes."""
        raise NotImplementedError

    def _new_visit(self, sock):
        return Visit(sock, self)

    def _new_program(self, sock, number):
        return Program(sock, number, self)

    # For the test

    def begin(self):
        """Until every stream of them is at work."""
        for _ in range(self.running):
            self.one_more()
        self.wait_progress()

    def enough(self):
        """Streams end as soon as they have said what they began to say."""
        self._enough = True

    def one_more(self):
        return self._do(self._start_program)

    def runners(self):
        """The streams that run all the time."""
        return self.programs[: self.running]

    def wait_progress(self):
        """Until each of those that run has heard more."""
        had = [program.heard for program in self.runners()]

        def went_on():
            return all(program.heard > heard or program.end for program, heard in zip(self.runners(), had))

        waiting.until(went_on, "every stream goes on")
        assert not any(program.end for program in self.runners()), self.runners()

    def progress(self):
        """How much those that run have heard."""
        return [program.heard for program in self.runners()]

    def wait_unread(self):
        """Until there is something for the app from each of those that run."""

        def step():
            return all(visit.unread() for visit in self.visits if visit.lasted is None)

        waiting.until(lambda: self._do(step), "every stream has bytes for the app")

    def hang_app(self):
        """It takes nothing any more, no connection either, and begins to say nothing."""

        def step():
            self._loop.remove_reader(self._listener)
            self.app_runs.clear()

        self._do(step)

    def resume_app(self):
        def step():
            self._loop.add_reader(self._listener, self._accept)
            self.app_runs.set()

        self._do(step)


class Idle(Load):
    """They have said something, and say nothing for a while."""

    running = 3
    speaks = False

    async def say(self, program):
        await program.exchange(WORD)
        while not self._enough:
            if program.fin_heard:
                return
            await asyncio.sleep(EACH)
        await program.exchange(WORD)

    def wait_progress(self):
        """They are to be silent; what they hear once is all."""
        waiting.until(lambda: all(program.heard >= WORD or program.end for program in self.runners()), "all were heard")


class Bulk(Load):
    """Both sides say as much as they can."""

    running = 2
    pours = True

    async def say(self, program):
        while not self._enough:
            await program.pour(PIECE)
            await asyncio.sleep(BREATH)


class RequestReply(Load):
    """A small request, and its answer, again and again."""

    running = 4

    async def say(self, program):
        while not self._enough:
            await program.exchange(REQUEST)


class Opening(Load):
    """New streams all the time, each with one request."""

    speaks = False

    async def say(self, program):
        await program.exchange(REQUEST)

    def begin(self):
        self._do(lambda: self._loop.create_task(self._open_many()))
        self.wait_progress()

    async def _open_many(self):
        while not self._enough:
            if sum(program.lasted is None for program in self.programs[-2 * MOST_OPEN :]) < MOST_OPEN:
                self._start_program()
            await asyncio.sleep(EACH)

    def wait_progress(self):
        """Until some that begin from now on have passed whole."""
        since = time.monotonic()
        waiting.until(lambda: sum(p.began > since and p.end == "FIN" for p in self.programs) >= 5, "streams pass again")


LOADS = {"idle": Idle, "bulk": Bulk, "request-reply": RequestReply, "opening": Opening}
