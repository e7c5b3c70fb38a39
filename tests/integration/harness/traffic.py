"""Many short streams, each known by its number: what it says, what comes back and how it ends
follow from that number and a seed.  Both programs write down what they saw."""

import asyncio
import dataclasses
import random

from .actors import NUMBER, Cast, Ended, Seen

GREETING = b"220 ready\n"
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


class Program(Seen):
    """The legacy program of one stream."""

    def __init__(self, sock, plan, address):
        super().__init__(sock)
        self._address = address
        self.plan = plan
        self.number = plan.number
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
        self.number = int(self.line)
        self.plan = plan(self._seed, self.number)
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


class Traffic(Cast):
    """Streams by their plans, at most `most` at a time."""

    def __init__(self, seed, client_port, port, most=100):
        self._seed = seed
        self._most = most
        self._active = 0
        self._running = True
        super().__init__(client_port, port)

    # On its thread

    def _new_visit(self, sock):
        return Visit(sock, self._seed)

    def _new_program(self, sock, number):
        return Program(sock, plan(self._seed, number), self.client)

    async def _start_streams(self):
        dice = random.Random(f"{self._seed}/pace")
        while self._running:
            if self._active < self._most:
                self._start()
            await asyncio.sleep(dice.expovariate(SECOND))

    def _start(self):
        program = self._start_program()
        self._active += 1
        program.task.add_done_callback(self._ended)
        return program

    def _ended(self, _):
        self._active -= 1

    # For the test

    def start(self):
        """Streams begin, many a second."""
        self._do(lambda: self._loop.create_task(self._start_streams()))

    def stop(self):
        """No new streams from now on."""
        self._running = False

    def one_more(self):
        """A stream that begins now, and is not to be reset by anybody."""
        program = self._do(self._start)
        while program.plan.has_resets:
            program = self._do(self._start)
        return program

    def close(self):
        self.stop()
        super().close()
