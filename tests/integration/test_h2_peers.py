"""An HTTP/2 library that is not ours at one end of the carrier, ours at the other."""

import contextlib
import signal
import struct

import pytest

from harness.certificates import HOST
from harness.h2_meeting import Pod, meet_client, meet_server, start_client, start_server
from harness.h2_peer import ACK, CANCEL, CONNECT_ERROR, DATA, GOAWAY, NO_ERROR, PRIORITY, REFUSED_STREAM, RST_STREAM, SETTINGS
from harness.h2_peer import frame, h2_client, number, setting
from harness.programs import Ending, legacy_program, random_bytes

WORDS = random_bytes(5000)
LARGE = random_bytes(2_000_000)
FIRST_WINDOW = 65535  # of a stream, unless SETTINGS say otherwise
OUR_WINDOW = 64 * 1024
CREDIT_STEP = 8 * 1024  # an eighth of that: less is not worth a WINDOW_UPDATE


@pytest.fixture
def pod(place, pod_port):
    with contextlib.closing(Pod(place, pod_port)) as pod:
        yield pod


@pytest.fixture
def server(place, app, pod_port):
    return start_server(place, app, pod_port)


@pytest.fixture
def client(place, router, pod):
    return start_client(place, router)


@pytest.fixture
def peer(server, certificates, router):
    """In the place of our client."""
    return h2_client(certificates, router.port)


@pytest.fixture(params=["server", "client"])
def meet(request, place, router, app):
    """Lets that end of ours meet a peer, with options of the peer's."""

    def meet(**how):
        if request.param == "server":
            return meet_server(place, router, app, request.getfixturevalue("server"), **how)
        return meet_client(request.getfixturevalue("client"), request.getfixturevalue("pod"), **how)

    return meet


@pytest.fixture
def meeting(meet):
    return meet()


def echo(stream, program):
    """Bytes pass both ways."""
    stream.send(WORDS)
    assert program.receive(len(WORDS)) == WORDS
    program.send(WORDS)
    assert stream.receive(len(WORDS)) == WORDS


def send_all_that_is_let_in(meeting):
    """While the program takes nothing; says how many bytes these are."""
    stream = meeting.stream
    while meeting.peer.ping() or stream.room():
        stream.send(LARGE[: stream.room()])
    return OUR_WINDOW + stream.credit


# A stream's life


def test_bytes_pass_both_ways(meeting):
    meeting.stream.send(LARGE)
    assert meeting.program.receive(len(LARGE)) == LARGE
    meeting.program.send(LARGE)
    assert meeting.stream.receive(len(LARGE)) == LARGE


def test_end_stream_is_a_half_close(meeting):
    meeting.stream.send(LARGE)
    meeting.stream.finish()
    assert meeting.program.receive_to_end() == (LARGE, Ending.FIN)
    meeting.program.send(LARGE)
    assert meeting.stream.receive(len(LARGE)) == LARGE
    meeting.program.finish()
    assert meeting.stream.receive_to_end() == (b"", True)
    meeting.end.expect_close("finished")
    meeting.peer.ping()
    assert not meeting.peer.has(RST_STREAM)


def test_half_close_is_an_end_stream(meeting):
    meeting.program.send(LARGE)
    meeting.program.finish()
    assert meeting.stream.receive_to_end() == (LARGE, True)
    meeting.stream.send(LARGE)
    assert meeting.program.receive(len(LARGE)) == LARGE
    meeting.stream.finish()
    assert meeting.program.receive_to_end() == (b"", Ending.FIN)
    meeting.end.expect_close("finished")
    meeting.peer.ping()
    assert not meeting.peer.has(RST_STREAM)


def test_rst_stream_is_a_reset_behind_the_bytes(meeting):
    meeting.stream.send(WORDS)
    meeting.stream.abort()
    assert meeting.program.receive_to_end() == (WORDS, Ending.RST)
    meeting.end.expect_close("far-reset")


def test_rst_stream_without_an_error_is_a_reset_all_the_same(meeting):
    meeting.stream.abort(NO_ERROR)
    assert meeting.program.receive_to_end() == (b"", Ending.RST)


def test_reset_is_an_rst_stream_behind_the_bytes(meeting):
    meeting.program.send(WORDS)
    assert meeting.stream.receive(len(WORDS)) == WORDS
    meeting.program.reset()
    assert meeting.stream.receive_to_end() == (b"", CONNECT_ERROR)
    meeting.end.expect_close("program-reset")


def test_carrier_that_breaks_off_is_a_reset(meeting):
    meeting.stream.send(WORDS)
    meeting.peer.ping()
    meeting.peer.end_with_fin()
    assert meeting.program.receive_to_end() == (WORDS, Ending.RST)
    meeting.end.expect_close("carrier-lost")


def test_lost_carrier_is_gone_before_the_program_ends(meeting):
    """Its last stream still had bytes to deliver, and nothing else is left to wait for."""
    meeting.program.keep_little()
    sent = send_all_that_is_let_in(meeting)
    meeting.end.process.send_signal(signal.SIGTERM)
    meeting.end.process.wait_line("event=drain")
    meeting.peer.end_with_fin()
    meeting.end.process.wait_line("event=carrier .*to=lost")
    received, ending = meeting.program.receive_to_end()
    assert (len(received), ending) == (sent, Ending.RST)
    assert meeting.end.process.wait_exit() == 0
    meeting.end.process.wait_line("event=carrier-end why=carrier-lost")


def test_goaway_and_close_notify_end_an_idle_carrier_in_good_order(meeting):
    meeting.program.finish()
    meeting.stream.receive_to_end()
    meeting.stream.finish()
    meeting.program.receive_to_end()
    meeting.peer.end_in_good_order()
    meeting.end.process.wait_line("event=carrier-end why=finished")


# Windows


def test_no_byte_is_sent_beyond_the_window(meeting):
    meeting.peer.acknowledges = False
    meeting.program.send(LARGE[:200_000])
    meeting.peer.until(lambda: len(meeting.stream.body) >= FIRST_WINDOW, "the window is used")
    for more in (1, 1000, 16384):
        meeting.peer.ping()
        before = len(meeting.stream.body)
        meeting.stream.let_in(more)
        meeting.peer.until(lambda: len(meeting.stream.body) == before + more, "as many came")
    meeting.peer.ping()
    assert meeting.stream.body == LARGE[: FIRST_WINDOW + 1 + 1000 + 16384]


def test_credit_comes_only_as_the_program_takes(meeting):
    meeting.program.keep_little()
    stream, peer = meeting.stream, meeting.peer
    sent = send_all_that_is_let_in(meeting)
    assert stream.credit < sent
    assert len(meeting.program.receive(sent)) == sent
    peer.until(lambda: stream.room() > OUR_WINDOW - CREDIT_STEP, "what was taken may come again")


def test_windows_of_one_byte_are_enough(meet):
    meeting = meet(settings={"INITIAL_WINDOW_SIZE": 1})
    meeting.program.send(WORDS[:300])
    assert meeting.stream.receive(300) == WORDS[:300]
    assert max(len(payload) for kind, *_, payload in meeting.peer.frames if kind == DATA) == 1
    meeting.stream.send(WORDS)
    assert meeting.program.receive(len(WORDS)) == WORDS


def test_window_that_becomes_negative_holds_everything_back(meeting):
    stream, peer = meeting.stream, meeting.peer
    peer.acknowledges = False
    meeting.program.send(LARGE[:300_000])
    peer.until(lambda: len(stream.body) >= FIRST_WINDOW, "the window is used")
    peer.set(INITIAL_WINDOW_SIZE=1000)  # the window is 1000 - 65535 now
    stream.let_in(FIRST_WINDOW - 1000)  # and 0 now
    peer.ping()
    assert len(stream.body) == FIRST_WINDOW
    stream.let_in(1)
    peer.until(lambda: len(stream.body) > FIRST_WINDOW, "a byte came")
    peer.ping()
    assert len(stream.body) == FIRST_WINDOW + 1


def test_window_that_grows_by_settings_lets_more_come(meeting):
    stream, peer = meeting.stream, meeting.peer
    peer.acknowledges = False
    peer.h2.increment_flow_control_window(1_000_000)
    meeting.program.send(LARGE[:300_000])
    peer.until(lambda: len(stream.body) >= FIRST_WINDOW, "the window is used")
    peer.set(INITIAL_WINDOW_SIZE=100_000)
    peer.until(lambda: len(stream.body) >= 100_000, "the rest of the window is used")
    peer.ping()
    assert stream.body == LARGE[:100_000]


def test_window_that_shrinks_on_an_idle_stream_is_obeyed(meeting):
    meeting.peer.acknowledges = False
    meeting.peer.set(INITIAL_WINDOW_SIZE=100)
    meeting.program.send(WORDS)
    meeting.peer.until(lambda: len(meeting.stream.body) >= 100, "the window is used")
    meeting.peer.ping()
    assert meeting.stream.body == WORDS[:100]


# What the protocol allows and few do


def test_padded_data_comes_without_its_padding(meeting):
    for length in (0, 1, 100, 255):
        meeting.peer.h2.send_data(meeting.stream.id, WORDS[:1000], pad_length=length)
    meeting.peer.h2.send_data(meeting.stream.id, b"", pad_length=100)
    meeting.peer.flush()
    assert meeting.program.receive(4000) == WORDS[:1000] * 4
    echo(meeting.stream, meeting.program)


def test_padding_takes_no_credit_away(meeting):
    """A window full of nothing but padding, many times over."""
    both = 2 * (1 + 1 + 255)  # a byte, its padding and the length of that, twice
    for _ in range(900):
        meeting.peer.until(lambda: meeting.stream.room() >= both, "padding is given back")
        meeting.peer.h2.send_data(meeting.stream.id, b"x", pad_length=255)
        meeting.peer.h2.send_data(meeting.stream.id, b"y", pad_length=255)
        meeting.peer.flush()
    assert meeting.program.receive(1800) == b"xy" * 900


def test_unknown_frames_settings_and_priorities_are_ignored(meeting):
    odd = setting(0x99, 7) + setting(0xFFFF, 2**32 - 1) + setting(6, 100)  # MAX_HEADER_LIST_SIZE
    meeting.peer.send_raw(
        frame(0xFA, 0xFF, meeting.stream.id, b"what is this?")
        + frame(0x0B, 0, 0, bytes(16384))
        + frame(SETTINGS, 0, 0, odd)
        + frame(PRIORITY, 0, meeting.stream.id, number(0) + b"\x10")
        + frame(PRIORITY, 0, 99, number(meeting.stream.id) + b"\xff")
    )
    echo(meeting.stream, meeting.program)


def test_headers_in_several_frames_are_one(peer, app, server):
    first = peer.open()
    visitor = app.accept()
    other = peer.connect(pieces=True, forwarded="for=192.0.2.43")
    assert other.wait_answer() == {":status": "200"}
    echo(other, app.accept())
    echo(first, visitor)


def test_peer_that_remembers_no_headers_is_served(peer, app):
    peer.set(HEADER_TABLE_SIZE=0)
    for _ in range(3):
        stream = peer.open()
        echo(stream, app.accept())


# Our server


def test_authority_never_chooses_a_destination(peer, app):
    for authority in ("elsewhere.test:22", "127.0.0.1:1", "[::1]:5432", "*", "x" * 300):
        stream = peer.open(authority=authority)
        echo(stream, app.accept())


def test_forwarded_address_is_logged_and_cannot_forge_a_line(peer, app, server):
    for forwarded, peer_in_log in (
        ("for=192.0.2.43", "peer=192.0.2.43 "),
        ('for="[2001:db8::17]:4711";by=x', r"peer=\[2001:db8::17\]:4711 "),
        ('for="x why=finished"', 'peer="x why=finished" '),
    ):
        stream = peer.open(forwarded=forwarded)
        app.accept().close()
        stream.finish()
        server.process.wait_line("event=close why=finished .*" + peer_in_log)


def test_app_that_cannot_be_reached_is_a_502_with_words(peer, app):
    app.close()
    answer = peer.connect().wait_answer()
    assert answer[":status"] == "502"
    words = answer["routeport-error"]
    assert words.startswith("app-unreachable: ") and words.endswith(f":{app.address}: Connection refused")
    assert peer.connect().wait_answer()[":status"] == "502"


def test_full_server_is_a_503(place, app, pod_port, certificates, router):
    start_server(place, app, pod_port, maxConnections=1)
    peer = h2_client(certificates, router.port)
    stream = peer.open()
    visitor = app.accept()
    assert peer.connect().wait_answer() == {":status": "503", "routeport-error": "full"}
    echo(stream, visitor)


BAD_REQUESTS = {
    "GET": [(":method", "GET"), (":authority", "app"), (":scheme", "https"), (":path", "/")],
    "no authority": [(":method", "CONNECT")],
    "empty authority": [(":method", "CONNECT"), (":authority", "")],
    "path": [(":method", "CONNECT"), (":authority", "app"), (":path", "/")],
    "scheme": [(":method", "CONNECT"), (":authority", "app"), (":scheme", "https")],
    "no method": [(":authority", "app")],
    "two methods": [(":method", "CONNECT"), (":method", "CONNECT"), (":authority", "app")],
    "a status": [(":method", "CONNECT"), (":authority", "app"), (":status", "200")],
    "a protocol": [(":method", "CONNECT"), (":authority", "app"), (":protocol", "websocket")],
}


@pytest.mark.parametrize("headers", BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
def test_request_that_is_no_connect_is_refused_and_harms_no_neighbour(peer, app, headers):
    neighbour = peer.open()
    visitor = app.accept()
    bad = peer.request(headers)
    answer = bad.wait_answer()
    assert answer.get(":status") == "400" or bad.reset is not None
    echo(neighbour, visitor)
    assert not app.has_visitor()


def test_trailers_reset_the_stream_and_harm_no_neighbour(meeting):
    other = meeting.open_another()
    meeting.peer.h2.send_headers(meeting.stream.id, [("x", "y")], end_stream=True)
    meeting.peer.flush()
    assert meeting.program.receive_to_end() == (b"", Ending.RST)
    echo(*other)


def test_drained_server_lets_its_streams_finish(peer, app, server):
    stream = peer.open()
    visitor = app.accept()
    server.process.send_signal(signal.SIGTERM)
    peer.until(lambda: peer.counts[GOAWAY] == 2, "the second GOAWAY came")
    notice, last = [payload for kind, *_, payload in peer.frames if kind == GOAWAY]
    assert notice == number(2**31 - 1) + number(NO_ERROR)
    assert last == number(stream.id) + number(NO_ERROR)
    echo(stream, visitor)
    stream.finish()
    visitor.finish()
    assert stream.receive_to_end() == (b"", True)
    peer.wait_lost()
    peer.end_with_fin()
    assert server.process.wait_exit() == 0


def test_server_that_lingers_tells_at_once_who_is_there_and_serves_who_comes(place, app, pod_port, certificates, router):
    server = start_server(place, app, pod_port, TIMEOUTlinger=2, TIMEOUTdrain=20)
    before = h2_client(certificates, router.port)
    before.ping()
    server.process.send_signal(signal.SIGTERM)
    before.until(lambda: before.counts[GOAWAY] >= 2, "it was told")
    after = h2_client(certificates, router.port)
    stream = after.connect()
    visitor = app.accept()
    assert stream.wait_answer() == {":status": "200"}
    echo(stream, visitor)
    app.close()
    refused = after.connect().wait_answer()
    assert refused[":status"] == "503"
    assert refused["routeport-error"].startswith("stopped: ")
    assert after.counts[GOAWAY] == 0
    after.until(lambda: after.counts[GOAWAY] == 2, "the linger is over")
    echo(stream, visitor)


def test_server_tells_which_process_it_is(place, app, pod_port, certificates, router):
    def instance():
        peer = h2_client(certificates, router.port)
        peer.ping()
        (first,) = [payload for kind, flags, _, payload in peer.frames if kind == SETTINGS and not flags & ACK]
        told = dict(struct.iter_unpack("!HI", first))
        return told[0xF2A1], told[0xF2A2]

    server = start_server(place, app, pod_port)
    one = instance()
    assert one != (0, 0)
    assert instance() == one
    server.process.stop()
    start_server(place, app, pod_port)
    assert instance() != one


# Our client


def test_program_s_connection_is_a_connect_with_its_address(client, pod, router):
    peer = pod.accept()
    program = legacy_program(client.port)
    stream = peer.wait_asked()
    assert stream.headers == {
        ":method": "CONNECT",
        ":authority": f"{HOST}:{router.port}",
        "forwarded": 'for="{}:{}"'.format(*program.address),
    }
    program.reset()


def test_first_bytes_come_before_the_answer_and_not_more_than_64_kib(client, pod):
    peer = pod.accept(settings={"INITIAL_WINDOW_SIZE": 10_000_000})
    peer.h2.increment_flow_control_window(10_000_000)
    peer.ping()
    program = legacy_program(client.port)
    program.send(LARGE)
    stream = peer.wait_asked()
    peer.until(lambda: len(stream.body) >= 65536, "the first bytes came")
    peer.ping()
    assert stream.body == LARGE[:65536]
    stream.answer(200)
    assert stream.receive(len(LARGE)) == LARGE


def test_refusal_s_words_are_logged(client, pod):
    peer = pod.accept()
    program = legacy_program(client.port)
    peer.wait_asked().answer(502, end=True, routeport_error="app-unreachable: connect 127.0.0.1:5432: no way")
    assert program.receive_to_end() == (b"", Ending.RST)
    client.process.wait_line('event=failed why=app-unreachable .*detail="connect 127.0.0.1:5432: no way"')
    client.expect_close("app-unreachable")


def test_refusal_without_words_is_a_refusal(client, pod):
    peer = pod.accept()
    for status, why in ((403, "app-unreachable"), (504, "open-timeout"), (503, "full")):
        program = legacy_program(client.port)
        peer.wait_asked().answer(status, end=True)
        assert program.receive_to_end() == (b"", Ending.RST)
        client.expect_close(why)


@pytest.fixture
def two_pods(place, router, pod):
    """A client with two targets, and a peer behind the first; the second's come later."""
    with contextlib.closing(Pod(place, place.ports.reserve())) as other:
        targets = [f"127.0.0.1:{port}" for port in (router.port, other.port)]
        client = start_client(place, router, connect=targets)
        yield client, pod.accept(), other


def refuse(stream, how):
    if how == "503":
        stream.answer(503, end=True, routeport_error="full")
    else:
        stream.abort(REFUSED_STREAM)


@pytest.mark.parametrize("how", ["503", "REFUSED_STREAM"])
def test_stream_that_a_target_refuses_is_tried_at_the_next(two_pods, how):
    client, peer, other = two_pods
    program = legacy_program(client.port)
    program.send(WORDS)
    stream = peer.wait_asked()
    assert stream.receive(len(WORDS)) == WORDS
    refuse(stream, how)
    again = other.accept().wait_asked()
    again.answer(200)
    assert again.receive(len(WORDS)) == WORDS
    echo(again, program)
    peer.ping()
    assert len(peer.streams) == 1


def test_goaway_leaves_open_streams_and_sends_new_ones_elsewhere(client, pod):
    meeting = meet_client(client, pod)
    meeting.peer.send_raw(frame(GOAWAY, 0, 0, number(meeting.stream.id) + number(NO_ERROR)))
    meeting.peer.ping()
    other = meet_client(client, pod)
    echo(other.stream, other.program)
    echo(meeting.stream, meeting.program)
    meeting.program.finish()
    meeting.stream.receive_to_end()
    meeting.stream.finish()
    assert meeting.program.receive_to_end() == (b"", Ending.FIN)
    meeting.peer.wait_lost()
    echo(other.stream, other.program)


def test_streams_above_the_last_id_of_goaway_are_opened_elsewhere_unseen(client, pod):
    meeting = meet_client(client, pod)
    programs = [legacy_program(client.port) for _ in range(3)]
    for program in programs:
        program.send(WORDS)
        stream = meeting.peer.wait_asked()
        assert stream.receive(len(WORDS)) == WORDS
    meeting.peer.send_raw(frame(GOAWAY, 0, 0, number(meeting.stream.id) + number(NO_ERROR)))
    peer = pod.accept()
    addresses = {'for="{}:{}"'.format(*program.address): program for program in programs}
    for _ in programs:
        stream = peer.wait_asked()
        stream.answer(200)
        echo_after_first_words(stream, addresses.pop(stream.headers["forwarded"]))
    echo(meeting.stream, meeting.program)


def echo_after_first_words(stream, program):
    assert stream.receive(len(WORDS)) == WORDS
    echo(stream, program)


def test_goaway_with_an_error_is_a_reset(client, pod):
    meeting = meet_client(client, pod)
    meeting.peer.send_raw(frame(GOAWAY, 0, 0, number(meeting.stream.id) + number(2)))
    assert meeting.program.receive_to_end() == (b"", Ending.RST)
    meeting.end.expect_close("carrier-lost")


def test_server_that_never_answers_is_a_reset_within_the_limit(place, router, pod):
    client = start_client(place, router, TIMEOUTconnect=1)
    peer = pod.accept()
    program = legacy_program(client.port)
    program.send(WORDS)
    stream = peer.wait_asked()
    assert program.receive_to_end() == (b"", Ending.RST)
    client.expect_close("open-timeout")
    assert stream.receive_to_end() == (WORDS, CANCEL)


def test_server_that_dies_after_the_answer_is_a_reset(client, pod):
    meeting = meet_client(client, pod)
    meeting.stream.send(WORDS)
    meeting.peer.ping()
    meeting.peer.end_with_reset()
    assert meeting.program.receive_to_end() == (WORDS, Ending.RST)
    meeting.end.expect_close("carrier-lost")


def test_server_that_takes_one_stream_gets_no_second(client, pod):
    peer = pod.accept(settings={"MAX_CONCURRENT_STREAMS": 1})
    peer.ping()
    programs = [legacy_program(client.port)]
    streams = [peer.wait_asked()]
    programs.append(legacy_program(client.port))
    other = pod.accept(settings={"MAX_CONCURRENT_STREAMS": 1})
    streams.append(other.wait_asked())
    for stream, program in zip(streams, programs):
        stream.answer(200)
        echo(stream, program)
    peer.ping()
    assert len(peer.streams) == 1
