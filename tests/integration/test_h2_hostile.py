"""Peers that mean harm, at either end: such a peer loses its own carrier, or its stream, and the
log says for what; a neighbour's stream on another carrier of the same worker notices nothing,
and memory stays bounded."""

import contextlib
import dataclasses
import itertools
import resource
import time
from collections.abc import Callable

import pytest

from harness import pairs, waiting
from harness.h2_meeting import Meeting, Pod, meet_client, meet_server, start_client, start_server
from harness.h2_peer import ACK, ALPN, CANCEL, CONNECT, CONTINUATION, DATA, END_HEADERS, GOAWAY, HEADERS, PING
from harness.h2_peer import PREFACE, PRIORITY, PROTOCOL_ERROR, PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE
from harness.h2_peer import frame, h2_client, literal, number, setting
from harness.pairs import Stream
from harness.programs import Ending, legacy_program
from harness.tls_peer import tls_client
from harness.talks import WORDS, echo

MOST_GROWTH = 32 * 1024 * 1024  # bytes that a process may keep of an attack
OK = b"\x88"
MOST_CARRIERS = 64  # whatever maxConnections is


def for_ever(piece):
    """As fast as it goes, since every limit is one of frames in a time."""
    return itertools.repeat(piece * (65536 // len(piece)))


def streams(first, frames):
    """The same on one stream of a client after the other; `frames` makes them for a number."""
    return (b"".join(map(frames, range(at, at + 200, 2))) for at in range(first, 2**30, 200))


@dataclasses.dataclass
class Siege:
    """Our end with a neighbour on one carrier, and a hostile peer that `meets` it on another."""

    neighbour: Stream
    meets: Callable[[], Meeting]

    def __post_init__(self):
        self.begin_again()
        self.process = self.meeting.end.process
        echo(self.neighbour)
        self._resident = self.process.resident_bytes()

    def begin_again(self):
        self.meeting = self.meets()
        self.peer, self.stream = self.meeting.peer, self.meeting.stream

    def check_neighbour(self):
        echo(self.neighbour)
        assert not self.process.has_ended()
        if not pairs.is_sanitized():
            assert self.process.resident_bytes() - self._resident < MOST_GROWTH

    def expect_carrier_lost(self, why):
        self.peer.wait_lost()
        self.check_neighbour()
        self.process.wait_line(rf'event=carrier-fault .*names=DNS:\S+ detail="{why}')
        assert len(self.process.lines_with("event=carrier-fault")) == 1
        assert self.meeting.program.receive_to_end()[1] == Ending.RST

    def expect_stream_lost(self):
        """And no more than that: the carrier is of use still."""
        assert self.meeting.program.receive_to_end()[1] == Ending.RST
        self.check_neighbour()
        stream, program = self.meeting.open_another()
        stream.send(WORDS)
        assert program.receive(len(WORDS)) == WORDS


def besiege_server(place, router, app, pod_port):
    server = start_server(place, app, pod_port, debug="info")
    client = start_client(place, router)
    legacy = legacy_program(client.port)
    neighbour = Stream(legacy, app.accept(), client, server)
    return Siege(neighbour, lambda: meet_server(place, router, app, server))


def besiege_client(place, router, app, pod):
    """The neighbour is a second service of the client, with a server of ours."""
    server = start_server(place, app, place.ports.reserve())
    port = place.ports.reserve()
    also = {"accept": f"127.0.0.1:{port}", "connect": f"127.0.0.1:{server.port}", "multiplex": "yes"}
    client = start_client(place, router, also=[also], debug="info")
    legacy = legacy_program(port)
    return Siege(Stream(legacy, app.accept(), client, server), lambda: meet_client(client, pod))


@pytest.fixture
def server_siege(place, router, app, pod_port):
    return besiege_server(place, router, app, pod_port)


@pytest.fixture
def client_siege(place, router, app, pod_port):
    with contextlib.closing(Pod(place, pod_port)) as pod:
        yield besiege_client(place, router, app, pod)


@pytest.fixture(params=["server", "client"])
def siege(request):
    return request.getfixturevalue(f"{request.param}_siege")


# What no honest peer does so often

BOMB = literal(b"x-bomb", b"x" * 100)
FLOODS = {
    "SETTINGS": frame(SETTINGS),
    "PING": frame(PING, 0, 0, bytes(8)),
    "empty DATA": frame(DATA, 0, 1),
    "PRIORITY": frame(PRIORITY, 0, 1, number(0) + b"\1"),
}


@pytest.mark.parametrize("name", FLOODS)
def test_flood_of_frames_that_get_nobody_any_further(siege, name):
    siege.peer.flood(for_ever(FLOODS[name]))
    siege.expect_carrier_lost(f"too many {name}")


def test_flood_of_window_updates(siege):
    siege.peer.flood(for_ever(frame(WINDOW_UPDATE, 0, 0, number(1))))
    siege.expect_carrier_lost("too many WINDOW_UPDATE")


def test_flood_of_resets_of_one_stream(siege):
    """The first ends it; whoever goes on has lost its way."""
    siege.peer.flood(for_ever(frame(RST_STREAM, 0, 1, number(CANCEL))))
    siege.expect_carrier_lost("too many RST_STREAM of streams that are gone")


def test_flood_of_continuations(siege):
    siege.peer.flood([frame(HEADERS, 0, 3, CONNECT), *[frame(CONTINUATION, 0, 3, BOMB)] * 20_000])
    siege.expect_carrier_lost("")


# Floods of a client


GET = b"\x82\x86\x84" + literal(b":authority", b"app")
# A header of 400 bytes is remembered, and then named by one byte again and again.
GROWING = b"\x40\x01x\x7f\x91\x02" + b"y" * 400 + b"\xbe" * 15_000
MANY = b"".join(literal(b"x-%d" % i, b"") for i in range(1500))


def test_carriers_without_a_stream_are_not_endless(place, router, app, pod_port):
    server = start_server(place, app, pod_port, maxConnections=8)
    peers = [h2_client(place.certificates, router.port) for _ in range(MOST_CARRIERS)]
    for peer in peers:
        peer.ping()
    too_many = h2_client(place.certificates, router.port)
    too_many.wait_lost()
    server.process.wait_line("event=failed why=full .*too many carriers")
    stream = peers[0].connect()
    program = app.accept()
    assert stream.wait_answer() == {":status": "200"}
    program.send(WORDS)
    assert stream.receive(len(WORDS)) == WORDS


def test_rapid_reset(server_siege):
    def come_and_go(stream):
        return frame(HEADERS, END_HEADERS, stream, CONNECT) + frame(RST_STREAM, 0, stream, number(CANCEL))

    server_siege.peer.flood(streams(3, come_and_go))
    server_siege.expect_carrier_lost("too many RST_STREAM before the answer")


@pytest.mark.parametrize("block", [GET, CONNECT + GROWING, CONNECT + MANY], ids=["no CONNECT", "growing", "many"])
def test_flood_of_requests_that_are_refused(server_siege, block):
    server_siege.peer.flood(streams(3, lambda stream: frame(HEADERS, END_HEADERS, stream, block)))
    server_siege.expect_carrier_lost("too many (invalid frames|header bytes)")


def test_headers_too_large_cost_the_stream_alone(server_siege):
    peer = server_siege.peer
    stream = peer.connect(x="y" * 9000)
    assert not stream.wait_answer() and stream.reset
    server_siege.check_neighbour()
    peer.connect()
    peer.ping()


def test_more_streams_than_were_allowed(server_siege):
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 10_000:
        pytest.skip("each of 8,192 streams costs the server a descriptor, and it gets fewer")
    server_siege.peer.flood(streams(3, lambda stream: frame(HEADERS, END_HEADERS, stream, CONNECT)))
    server_siege.expect_carrier_lost("the far end broke the rules of HTTP/2")


# Floods of a server


@pytest.mark.parametrize("block", [literal(b":status", b"103"), OK + GROWING], ids=["without end", "growing"])
def test_flood_of_answers(client_siege, block):
    program = legacy_program(client_siege.meeting.end.port)
    client_siege.peer.wait_asked()
    client_siege.peer.flood([frame(HEADERS, END_HEADERS, 3, block) * 100] * 10)
    assert program.receive_to_end() == (b"", Ending.RST)
    client_siege.check_neighbour()


def test_second_answer_costs_the_stream(client_siege):
    client_siege.peer.send_raw(frame(HEADERS, END_HEADERS, 1, OK))
    client_siege.expect_stream_lost()


@pytest.mark.parametrize("answer", [b"", literal(b":status", b"2x0"), literal(b":status", b"101"), OK + OK, CONNECT])
def test_answer_that_is_none(client_siege, answer):
    program = legacy_program(client_siege.meeting.end.port)
    client_siege.peer.wait_asked()
    client_siege.peer.send_raw(frame(HEADERS, END_HEADERS, 3, answer) + frame(HEADERS, END_HEADERS, 3, OK))
    assert program.receive_to_end() == (b"", Ending.RST)
    client_siege.check_neighbour()
    assert not client_siege.peer.lost


def test_stream_that_a_server_begins(client_siege):
    client_siege.peer.flood([frame(HEADERS, END_HEADERS, 2, CONNECT)])
    client_siege.expect_carrier_lost("")


# What breaks the rules at once

BREACHES = {
    "garbage": bytes(range(255, 0, -1)),
    "a huge frame": b"\xff\xff\xff" + frame(DATA, 0, 1)[3:] + bytes(1000),
    "SETTINGS of a wrong length": frame(SETTINGS, 0, 0, b"odd"),
    "SETTINGS on a stream": frame(SETTINGS, 0, 1),
    "an acknowledgement of nothing": frame(SETTINGS, ACK) * 9,
    "a window above the most": frame(SETTINGS, 0, 0, setting(4, 2**31)),
    "a frame size below the least": frame(SETTINGS, 0, 0, setting(5, 1)),
    "PING of a wrong length": frame(PING, 0, 0, b"short"),
    "DATA on no stream": frame(DATA, 0, 0, b"x"),
    "DATA on an idle stream": frame(DATA, 0, 99, b"x"),
    "DATA shorter than its padding": frame(DATA, 8, 1, b"\xff"),
    "RST_STREAM on an idle stream": frame(RST_STREAM, 0, 99, number(0)),
    "the connection's window overflows": frame(WINDOW_UPDATE, 0, 0, number(2**31 - 1)) * 2,
    "the connection's window grows by nothing": frame(WINDOW_UPDATE, 0, 0, number(0)),
    "a header that cannot be decoded": frame(HEADERS, END_HEADERS, 3, b"\xff\xff\xff\xff\xff\xff"),
    "CONTINUATION of nothing": frame(CONTINUATION, END_HEADERS, 1, b"x"),
    "DATA in the middle of HEADERS": frame(HEADERS, 0, 3, CONNECT) + frame(DATA, 0, 1, b"x"),
    "PUSH_PROMISE": frame(PUSH_PROMISE, END_HEADERS, 1, number(2) + CONNECT),
}


def test_breach_of_the_rules(siege):
    for count, (name, breach) in enumerate(BREACHES.items(), 1):
        print(name)  # which pytest shows if this is the one that fails
        if count > 1:
            siege.begin_again()
        siege.peer.flood([breach])
        siege.peer.wait_lost()
        siege.check_neighbour()
        siege.process.wait_line("event=carrier-end why=carrier-lost .*detail=", count)
        assert siege.meeting.program.receive_to_end()[1] == Ending.RST


@pytest.mark.parametrize("first", [7, 5], ids=["an id that was left out", "a stream that is over"])
def test_headers_on_a_smaller_stream_id(server_siege, first):
    """RFC 9113, 5.1.1.  The neighbour's carrier is another one, and stays."""
    over = frame(HEADERS, END_HEADERS, first, CONNECT) + frame(RST_STREAM, 0, first, number(CANCEL))
    server_siege.peer.flood([over, frame(HEADERS, END_HEADERS, 5, CONNECT)])
    server_siege.expect_carrier_lost("the far end broke the rules of HTTP/2: PROTOCOL_ERROR")
    assert [body[4:8] for kind, _, _, body in server_siege.peer.frames if kind == GOAWAY] == [number(PROTOCOL_ERROR)]


def test_stream_window_that_overflows(siege):
    siege.peer.send_raw(frame(WINDOW_UPDATE, 0, 1, number(2**31 - 1)))
    siege.expect_stream_lost()


def test_data_beyond_the_window(siege):
    """The program takes nothing; the peer sends on when its window is used up."""
    siege.peer.send_raw(frame(DATA, 0, 1, bytes(16384)) * 1024)
    siege.peer.until(lambda: siege.stream.reset is not None, "the stream is reset")
    siege.check_neighbour()
    received, ending = siege.meeting.program.receive_to_end()
    assert ending == Ending.RST and len(received) < 16384 * 1024
    siege.check_neighbour()


def test_data_on_a_closed_stream_is_ignored(siege):
    siege.meeting.program.reset()
    assert siege.stream.receive_to_end()[1]
    siege.peer.send_raw(frame(DATA, 0, 1, bytes(16384)) * 1024)
    siege.peer.ping()
    siege.check_neighbour()
    stream, program = siege.meeting.open_another()
    stream.send(WORDS)
    assert program.receive(len(WORDS)) == WORDS


# Slowness, and silence


def test_bytes_that_come_one_by_one_are_a_slow_peer_and_no_harm(siege):
    for byte in frame(DATA, 0, 1, b"slowly") + frame(PING, 0, 0, bytes(8)):
        siege.peer.send_raw(bytes([byte]))
        time.sleep(0.01)  # slowness is what is asked for here
        siege.check_neighbour()
    assert siege.meeting.program.receive(6) == b"slowly"


def test_peer_that_lets_everything_come_and_reads_nothing(siege):
    """Its windows are wide open; what it does not read stays where it comes from."""
    siege.peer.send_raw(frame(SETTINGS, 0, 0, setting(4, 2**31 - 1)) + frame(WINDOW_UPDATE, 0, 0, number(2**30)))
    siege.check_neighbour()
    sent = siege.meeting.program.send_until_blocked(patience=0.3)
    assert sent < 64 * 1024 * 1024
    siege.check_neighbour()


PREFACES = {
    "another protocol": b"GET / HTTP/1.1\r\nHost: app\r\n\r\n",
    "another byte at the end": PREFACE[:-1] + b"x",
    "no SETTINGS": PREFACE + frame(PING, 0, 0, bytes(8)),
    "garbage behind it": PREFACE + bytes(range(255, 0, -1)),
}


@pytest.mark.parametrize("preface", PREFACES.values(), ids=PREFACES.keys())
def test_carrier_that_begins_with_something_else(server_siege, router, certificates, preface):
    peer = tls_client(certificates, router.port, protocol=ALPN)
    peer.send(preface)
    peer.wait_alert()
    server_siege.process.wait_line("event=carrier-fault")
    server_siege.check_neighbour()


def test_carrier_that_never_begins_is_given_up(place, router, app, pod_port, certificates):
    """TLS is done, and then nothing comes, or a preface a byte now and then."""
    server = start_server(place, app, pod_port, keepalive=1, keepaliveTimeout=1)
    neighbour = Stream(legacy_program(start_client(place, router).port), app.accept(), None, server)
    silent = tls_client(certificates, router.port, protocol=ALPN)
    slow = tls_client(certificates, router.port, protocol=ALPN)
    slow.send(PREFACE[:5])
    for peer in (silent, slow):
        peer.wait_alert()
    server.process.wait_line("event=carrier-end why=carrier-lost", 2)
    echo(neighbour)


# An honest client may look like an attack


def test_program_that_comes_and_goes_three_thousand_times_keeps_the_carrier(place, router, app, pod_port):
    server = start_server(place, app, pod_port)
    client = start_client(place, router)
    neighbour = Stream(legacy_program(client.port), app.accept(), client, server)
    echo(neighbour)
    for _ in range(3000):
        program = legacy_program(client.port)
        program.send(b"x")
        program.reset()

    def count(event):
        return len(client.process.lines_with(f"event={event} "))

    # On a busy machine some are reset before they are accepted, of which accept(2) says nothing.
    waiting.until(lambda: count("close") == count("accept") - 1 > 300, "all but the neighbour have ended")
    echo(neighbour)
    for end in (server, client):
        assert not end.process.lines_with("event=carrier-(fault|end)")
