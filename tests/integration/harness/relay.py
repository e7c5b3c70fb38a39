"""A relay between the client and the router that can do to a TCP connection what a network
does: cut it at any byte, on one side or on both, hold it up, spoil a byte."""

import asyncio
import contextlib
import socket
import struct

from .loop_thread import LoopThread

PIECE = 65536
UP, DOWN = 0, 1  # from the client; to it
SIDES = ("client", "router")


def abort(sock):
    """Close by RST."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class _Pair:
    """One connection on its way through: sockets[UP] is what is read for that direction."""

    def __init__(self, client, router):
        self.sockets = (client, router)
        self.open = [asyncio.Event(), asyncio.Event()]
        self.cut_at = [None, None]  # bytes from now; then it ends as `ending` says
        self.ending = ("rst", "rst")
        self.spoil = [False, False]
        self.pumps = []
        for gate in self.open:
            gate.set()


class Relay(LoopThread):
    """Listens on `port` and dials `to`, in a thread of its own."""

    def __init__(self, port, to):
        self.port = port
        self._to = to
        self._pairs = []
        self._listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self._listener.setblocking(False)
        super().__init__()
        self._server = self._do(lambda: self._loop.create_task(self._accept()))

    # On its thread

    async def _accept(self):
        while True:
            client, _ = await self._loop.sock_accept(self._listener)
            self._loop.create_task(self._serve(client))

    async def _serve(self, client):
        client.setblocking(False)
        router = socket.socket()
        router.setblocking(False)
        for sock in (client, router):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await self._loop.sock_connect(router, ("127.0.0.1", self._to))
        except OSError:
            router.close()
            abort(client)
            return
        pair = _Pair(client, router)
        pair.pumps = [self._loop.create_task(self._pump(pair, way)) for way in (UP, DOWN)]
        self._pairs.append(pair)
        await asyncio.wait(pair.pumps)
        if pair in self._pairs:
            self._pairs.remove(pair)
            for sock in pair.sockets:
                sock.close()

    async def _pump(self, pair, way):
        source, sink = pair.sockets[way], pair.sockets[1 - way]
        try:
            while True:
                await pair.open[way].wait()
                piece = await self._loop.sock_recv(source, PIECE)
                if not piece:
                    sink.shutdown(socket.SHUT_WR)
                    return
                await self._pass(pair, way, sink, piece)
        except (ConnectionError, OSError):
            self._end(pair, ("rst", "rst"))

    async def _pass(self, pair, way, sink, piece):
        if pair.spoil[way]:
            pair.spoil[way] = False
            at = len(piece) // 2
            piece = piece[:at] + bytes([piece[at] ^ 1]) + piece[at + 1 :]
        left = pair.cut_at[way]
        if left is not None:
            piece, pair.cut_at[way] = piece[:left], left - len(piece)
        await self._loop.sock_sendall(sink, piece)
        if left is not None and pair.cut_at[way] <= 0:
            self._end(pair, pair.ending)

    def _end(self, pair, ending):
        """End it; `ending` is "rst" or "fin", for the client's side and for the router's."""
        if pair not in self._pairs:
            return
        self._pairs.remove(pair)
        for pump in pair.pumps:
            pump.cancel()
        # The pumps still wait for these sockets until the loop comes to them.
        self._loop.call_soon(self._close, pair, ending)

    def _close(self, pair, ending):
        for sock, how in zip(pair.sockets, ending):
            abort(sock) if how == "rst" else sock.close()

    def _pick(self, which):
        """One of the connections; `which` is between 0 and 1."""
        return self._pairs[int(which * len(self._pairs))] if self._pairs else None

    def _hold(self, pair, ways, seconds):
        for way in ways:
            pair.open[way].clear()
            self._loop.call_later(seconds, pair.open[way].set)

    # For the test

    def cut(self, which, client_side, router_side):
        """End a connection now, by "rst" or "fin" on each side."""

        def step():
            if pair := self._pick(which):
                self._end(pair, (client_side, router_side))

        self._do(step)

    def cut_after(self, which, way, count, client_side, router_side):
        """End a connection once `count` more bytes have passed one way."""

        def step():
            if pair := self._pick(which):
                pair.cut_at[way], pair.ending = count, (client_side, router_side)

        self._do(step)

    def spoil(self, which, way):
        """Change one bit of what passes next."""

        def step():
            if pair := self._pick(which):
                pair.spoil[way] = True

        self._do(step)

    def hold(self, which, ways, seconds):
        """Let nothing pass for a while."""

        def step():
            if pair := self._pick(which):
                self._hold(pair, ways, seconds)

        self._do(step)

    def close(self):
        def step():
            self._server.cancel()
            for pair in list(self._pairs):
                self._end(pair, ("rst", "rst"))

        self._do(step)
        self._end_loop()
        self._listener.close()
