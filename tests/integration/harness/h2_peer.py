"""An end of an h2 carrier that is not ours: python3-h2 over TLS with ALPN routeport/1.

It is worked by hand, one TLS connection over memory: nothing is read or answered but while a
test waits for something.  h2's validation is off, for it knows a request without :scheme and
:path only as a fault.  Frames that no library would send are sent past it, as bytes.
"""

import contextlib
import select
import socket
import ssl
import struct
import time

import h2.config
import h2.connection
import h2.events
from h2.settings import SettingCodes, Settings

from . import waiting
from .certificates import HOST
from .programs import remember
from .tls_peer import context_for

ALPN = "routeport/1"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CHUNK = 65536

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, CANCEL, CONNECT_ERROR = 0, 1, 7, 8, 10


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def number(value):
    return struct.pack("!I", value)


def setting(name, value):
    return struct.pack("!HI", name, value)


def literal(name, value):
    """A header for HEADERS that nobody is to remember; each part of less than 127 bytes."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


CONNECT = b"\x02\x07CONNECT" + literal(b":authority", b"app:443")


def _in_pieces(headers, most=8):
    """A HEADERS frame as one with fewer bytes and CONTINUATIONs, an empty one among them."""
    stream, block = struct.unpack_from("!I", headers, 5)[0], headers[9:]
    size = len(block) // (most - 2)
    pieces = [block[at : at + size] for at in range(0, len(block), size)]
    return b"".join(
        [frame(HEADERS, 0, stream, pieces[0]), frame(CONTINUATION, 0, stream)]
        + [frame(CONTINUATION, 0, stream, piece) for piece in pieces[1:-1]]
        + [frame(CONTINUATION, END_HEADERS, stream, pieces[-1])]
    )


def _by_code(settings):
    return {SettingCodes[name]: value for name, value in settings.items()}


class PeerStream:
    """A stream of a peer: what came on it."""

    def __init__(self, peer, number):
        self._peer = peer
        self.id = number
        self.headers = {}
        self.body = bytearray()
        self.ended = False  # by END_STREAM
        self.reset = None  # the code of RST_STREAM
        self.credit = 0  # bytes that WINDOW_UPDATEs brought
        self.is_claimed = False  # wait_asked() has told of it

    @property
    def is_over(self):
        return self.ended or self.reset is not None

    # What it does

    def send(self, data):
        """As much at a time as the far end's windows allow."""
        view = memoryview(data)
        while view:
            self._peer.until(lambda: self.room() or self._is_gone(), "the far end let more bytes in")
            assert not self._is_gone(), "the far end is gone"
            piece = view[: min(self.room(), self._peer.h2.max_outbound_frame_size)]
            self._peer.h2.send_data(self.id, bytes(piece))
            self._peer.flush()
            view = view[len(piece) :]

    def room(self):
        return self._peer.h2.local_flow_control_window(self.id)

    def _is_gone(self):
        return self.reset is not None or self._peer.lost

    def finish(self):
        self._peer.h2.end_stream(self.id)
        self._peer.flush()

    def abort(self, code=CONNECT_ERROR):
        self._peer.h2.reset_stream(self.id, code)
        self._peer.flush()

    def answer(self, status, end=False, **headers):
        """Server: `headers` with _ for -."""
        more = [(name.replace("_", "-"), value) for name, value in headers.items()]
        self._peer.h2.send_headers(self.id, [(":status", str(status)), *more], end_stream=end)
        self._peer.flush()

    def let_in(self, count):
        """Let the far end send as many bytes more."""
        self._peer.h2.increment_flow_control_window(count)
        self._peer.h2.increment_flow_control_window(count, self.id)
        self._peer.flush()

    # What it sees

    def receive(self, count):
        self._peer.until(lambda: len(self.body) >= count or self.is_over or self._peer.lost, f"{count} bytes came")
        assert len(self.body) >= count, f"the end came after {len(self.body)} of {count} bytes"
        data = bytes(self.body[:count])
        del self.body[:count]
        return data

    def receive_to_end(self):
        """All bytes that come, and True for END_STREAM or the code of RST_STREAM."""
        self._peer.until(lambda: self.is_over or self._peer.lost, "the stream ended")
        assert self.is_over, "the carrier was lost"
        data = bytes(self.body)
        self.body.clear()
        return data, True if self.reset is None else self.reset

    def wait_answer(self):
        """The headers of the answer; none if it was reset before."""
        self._peer.until(lambda: self.headers or self.is_over or self._peer.lost, "an answer came")
        return self.headers


class H2Peer:
    """One carrier.  What came is in `streams` by id, in `frames` as (kind, flags, stream,
    payload), the SETTINGS among them, and `lost` once the far end has given it up."""

    def __init__(self, sock, context, *, client, settings=None, **role):
        self._socket = sock
        remember(sock)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, **role)
        self._unsent = bytearray()  # ciphertext
        self._partial = bytearray()  # of a frame
        self._preface_comes = not client
        self._deaf_library = False
        self.acknowledges = True  # what came may be sent again, as h2 sees fit; else see let_in()
        self.streams = {}
        self.frames = []
        self.counts = [0] * 256  # of frames, by kind
        self.lost = False
        self.pongs = 0
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=client,
                header_encoding="utf-8",
                validate_inbound_headers=False,
                validate_outbound_headers=False,
                normalize_inbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._handshake()
        if settings:
            self.h2.local_settings = Settings(client=client, initial_values=_by_code(settings))
        self.h2.initiate_connection()
        self.flush()

    # TLS

    def _handshake(self):
        deadline = time.monotonic() + waiting.LIMIT
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._move(deadline)
                assert not self.lost, "the connection ended in the handshake"
        assert self._tls.selected_alpn_protocol() == ALPN

    def _fetch_outgoing(self):
        if self._outgoing.pending:
            self._unsent += self._outgoing.read()

    def _move(self, deadline):
        """Send what is to be sent and fetch what has come, once either is possible."""
        self._fetch_outgoing()
        events = select.POLLIN | (select.POLLOUT if self._unsent else 0)
        poller = select.poll()
        poller.register(self._socket, events)
        left = deadline - time.monotonic()
        happened = sum(event for _, event in poller.poll(max(0, left) * 1000))
        try:
            if happened & select.POLLOUT:
                sent = self._socket.send(self._unsent[: 4 * CHUNK])
                del self._unsent[:sent]
            if happened & ~select.POLLOUT:
                piece = self._socket.recv(4 * CHUNK)
                self._incoming.write(piece)
                self.lost = self.lost or not piece
        except (ConnectionResetError, BrokenPipeError):
            self.lost = True

    # HTTP/2

    def _take(self):
        """Everything that has arrived."""
        try:
            while piece := self._tls.read(CHUNK):
                self._partial += piece
            self.lost = True  # close_notify
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self.lost = True
        if self._preface_comes and len(self._partial) >= len(PREFACE):
            self._preface_comes = False
            self.h2.receive_data(bytes(self._partial[: len(PREFACE)]))
            del self._partial[: len(PREFACE)]
        while not self._preface_comes and len(self._partial) >= 9:
            size = int.from_bytes(self._partial[:3], "big")
            if len(self._partial) < 9 + size:
                break
            self._take_frame(bytes(self._partial[: 9 + size]))
            del self._partial[: 9 + size]

    def _take_frame(self, data):
        kind, flags, stream = struct.unpack_from("!BBI", data, 3)
        self.counts[kind] += 1
        if len(self.frames) < 1000:
            self.frames.append((kind, flags, stream, data[9:]))
        # Behind a GOAWAY this library would say nothing any more.
        if self._deaf_library or kind == GOAWAY:
            return
        for event in self.h2.receive_data(data):
            self._note(event)
        self.flush()

    def _note(self, event):
        match event:
            case h2.events.RequestReceived() | h2.events.ResponseReceived():
                self._stream(event).headers = dict(event.headers)
            case h2.events.DataReceived():
                self._stream(event).body += event.data
                if self.acknowledges:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                self._stream(event).ended = True
            case h2.events.StreamReset():
                if event.remote_reset:
                    self._stream(event).reset = int(event.error_code)
            case h2.events.WindowUpdated():
                if event.stream_id:
                    self._stream(event).credit += event.delta
            case h2.events.PingAckReceived():
                self.pongs += 1

    def _stream(self, event):
        return self.streams.setdefault(event.stream_id, PeerStream(self, event.stream_id))

    def flush(self):
        """What the library has to say is on its way once somebody waits for something; what
        the socket takes now leaves now."""
        if data := self.h2.data_to_send():
            self._tls.write(data)
        self._fetch_outgoing()
        self._socket.setblocking(False)
        with contextlib.suppress(BlockingIOError, ConnectionResetError, BrokenPipeError):
            while self._unsent:
                sent = self._socket.send(self._unsent[: 4 * CHUNK])
                del self._unsent[:sent]

    def until(self, condition, what, limit=None):
        """Be a peer until `condition` holds."""
        deadline = time.monotonic() + (limit or waiting.LIMIT)
        self._take()
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain until {what}"
            self._move(deadline)
            self._take()

    # What it does

    def connect(self, authority="app:443", pieces=False, **headers):
        """Client: a stream, asked for, perhaps in HEADERS and several CONTINUATIONs.
        `headers` with _ for -."""
        more = [(name.replace("_", "-"), value) for name, value in headers.items()]
        return self.request([(":method", "CONNECT"), (":authority", authority), *more], pieces)

    def request(self, headers, pieces=False):
        stream = PeerStream(self, self.h2.get_next_available_stream_id())
        self.streams[stream.id] = stream
        self.flush()
        self.h2.send_headers(stream.id, headers)
        self.send_raw(_in_pieces(self.h2.data_to_send()) if pieces else self.h2.data_to_send())
        return stream

    def open(self, **how):
        """Client: a stream whose app has accepted."""
        stream = self.connect(**how)
        assert stream.wait_answer().get(":status") == "200"
        return stream

    def wait_asked(self):
        """Server: the next stream that the far end asks for."""

        def asked():
            return [stream for stream in self.streams.values() if stream.headers and not stream.is_claimed]

        self.until(lambda: asked() or self.lost, "a stream was asked for")
        stream = asked()[0]
        stream.is_claimed = True
        return stream

    def ping(self):
        """Everything before it is in the far end's hands now, and what that said to it here."""
        pongs = self.pongs
        self.h2.ping(b"the test")
        self.flush()
        self.until(lambda: self.pongs > pongs or self.lost, "PING was answered")
        assert not self.lost, "the carrier was lost"

    def set(self, **settings):
        """Change our SETTINGS, named as in RFC 9113; the far end has obeyed on return."""
        self.h2.update_settings(_by_code(settings))
        self.flush()
        self.ping()

    def send_raw(self, data):
        """Bytes that the library knows nothing of."""
        self._tls.write(data)
        self.flush()

    def flood(self, pieces):
        """Send bytes of which the library would not like the answer, piece by piece, until the
        far end has given the carrier up or has them all.  Only `counts` and `frames` know what
        comes back."""
        self._deaf_library = True
        deadline = time.monotonic() + waiting.LIMIT
        for piece in pieces:
            if self.lost:
                return
            assert time.monotonic() < deadline, "the far end bears it"
            self._tls.write(piece)
            self._fetch_outgoing()
            self.until(lambda: not self._unsent or self.lost, "the bytes were taken")

    def wait_lost(self):
        self.until(lambda: self.lost, "the far end gave the carrier up")

    def has(self, kind, flags=0, stream=None):
        """Has such a frame come?"""
        return any(k == kind and f & flags == flags and stream in (None, s) for k, f, s, _ in self.frames)

    # The ends

    def end_in_good_order(self):
        """GOAWAY and close_notify; TCP stays open until the far end closes it."""
        self.h2.close_connection()
        self.flush()
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        self.flush()

    def end_with_fin(self):
        self._socket.close()

    def end_with_reset(self):
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


def _context(certificates, role, keys):
    identity = {"client": certificates.client, "server": certificates.server}[role]
    purpose = {"client": ssl.PROTOCOL_TLS_CLIENT, "server": ssl.PROTOCOL_TLS_SERVER}[role]
    context = context_for(purpose, identity, certificates.authority)
    context.set_alpn_protocols([ALPN])
    if keys:
        context.keylog_filename = str(keys)
    return context


def h2_client(certificates, router_port, *, keys=None, settings=None):
    """In the place of our client.  `keys`: a file for the secrets of TLS."""
    context = _context(certificates, "client", keys)
    sock = socket.create_connection(("127.0.0.1", router_port), waiting.LIMIT)
    return H2Peer(sock, context, client=True, settings=settings, server_hostname=HOST)


def h2_server(certificates, listener, *, keys=None, settings=None):
    """In the place of our server: takes the next connection of `listener`."""
    context = _context(certificates, "server", keys)
    return H2Peer(listener.accept()[0], context, client=False, settings=settings, server_side=True)
