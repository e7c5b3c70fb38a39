"""How things end: each row of the table of that name, each way, through the router.

A test says which of the two programs acts (`one`) and what the other one must see, which is
what it would see without us; and why the stream ended, as each end of the pair logs it.
"""

import itertools
import signal
import ssl
import time

import pytest

from harness import ports, waiting
from harness.certificates import HOST
from harness.pairs import Pair
from harness.programs import Connection, Ending, is_reset, legacy_program, listen, random_bytes
from harness.tls_peer import TlsPeer, tls_client, tls_server

WORDS = random_bytes(5000)
LARGE = random_bytes(2_000_000)
# After its own close_notify an end can abort only by a TCP reset, which anybody may have sent.
ABORTED = {"far-reset", "carrier-lost"}
SLOW = 0.04  # seconds between two looks: LARGE then outlives the router's second of patience


@pytest.fixture
def slow_stream(stream):
    """A stream whose watching program keeps few bytes: the rest waits on the way."""
    stream.other.keep_little()
    return stream


# Both directions finish


def test_half_close_arrives_as_fin_after_every_byte(stream):
    stream.one.send(WORDS)
    stream.one.finish()
    assert stream.other.receive_to_end() == (WORDS, Ending.FIN)


def test_fin_without_a_byte_arrives_as_fin(stream):
    stream.one.finish()
    assert stream.other.receive_to_end() == (b"", Ending.FIN)


def test_both_directions_finished_end_in_good_order(stream):
    stream.one.send(WORDS)
    stream.one.finish()
    assert stream.other.receive_to_end() == (WORDS, Ending.FIN)
    stream.other.send(LARGE)
    stream.other.finish()
    assert stream.one.receive_to_end() == (LARGE, Ending.FIN)
    stream.expect_close(one="finished", other="finished")


def test_answer_after_five_silent_seconds_comes_whole(stream):
    stream.one.send(WORDS)
    stream.one.finish()
    assert stream.other.receive_to_end() == (WORDS, Ending.FIN)
    assert stream.one.is_silent_for(5)
    stream.other.send(LARGE)
    stream.other.finish()
    assert stream.one.receive_to_end() == (LARGE, Ending.FIN)
    stream.expect_close(one="finished", other="finished")


@pytest.mark.parametrize("first", ["other", "one"], ids=["last to end", "first to end"])
def test_slow_reader_gets_every_byte_before_fin(slow_stream, first):
    if first == "other":
        slow_stream.other.finish()
        assert slow_stream.one.receive_to_end() == (b"", Ending.FIN)
    slow_stream.one.send(LARGE)
    slow_stream.one.finish()
    assert slow_stream.other.receive_to_end(pause=SLOW) == (LARGE, Ending.FIN)
    if first == "one":
        slow_stream.other.finish()
        assert slow_stream.one.receive_to_end() == (b"", Ending.FIN)
    slow_stream.expect_close(one="finished", other="finished")


def test_answer_travels_while_the_question_still_does(slow_stream):
    """Half-closed one way, and bytes under way in both."""
    slow_stream.one.send(LARGE)
    slow_stream.one.finish()
    slow_stream.other.send(WORDS)
    assert slow_stream.one.receive(len(WORDS)) == WORDS
    assert slow_stream.other.receive_to_end(pause=SLOW) == (LARGE, Ending.FIN)
    slow_stream.other.finish()
    assert slow_stream.one.receive_to_end() == (b"", Ending.FIN)


def open_descriptors(pair):
    return [end.process.open_descriptors() for end in pair.ends()]


def settled_descriptors(pair):
    """Their numbers, once they have been the same for half a second."""
    same, last = 0, None
    while same < 10:
        now = open_descriptors(pair)
        same, last = (same + 1 if now == last else 0), now
        time.sleep(0.05)  # nothing tells that nothing will happen
    return last


def both_finish(stream):
    stream.one.finish()
    stream.other.finish()
    stream.one.receive_to_end()
    stream.other.receive_to_end()


def one_resets(stream):
    stream.one.reset()
    stream.other.receive_to_end()


def both_reset(stream):
    stream.one.reset()
    stream.other.reset()


def one_closes_and_does_not_read(stream):
    stream.other.send(WORDS)
    stream.one.send(WORDS)
    stream.one.close()
    stream.other.receive_to_end()


@pytest.mark.parametrize("end", [both_finish, one_resets, both_reset, one_closes_and_does_not_read])
def test_nothing_is_left_open(pair, acts, end):
    """Ten times, since some endings are a race between the two programs; and ten times
    before, so that carriers which stay are there."""
    before = None
    for _ in range(2):
        for _ in range(10):
            end(pair.open(acts))
        before = before or settled_descriptors(pair)
    waiting.until(lambda: open_descriptors(pair) == before, "both ends have closed their sockets")


def test_close_lines_count_the_bytes_of_each_direction(pair):
    stream = pair.open()
    stream.one.send(WORDS)
    stream.one.finish()
    stream.other.receive_to_end()
    stream.other.send(LARGE)
    stream.other.finish()
    stream.one.receive_to_end()
    for end in pair.ends():
        line = end.wait_close()
        assert (line["up"], line["down"], line["dropped"]) == (str(len(WORDS)), str(len(LARGE)), "0")


# A program resets


def test_reset_arrives_as_reset_after_every_byte(stream):
    stream.one.send(WORDS)
    assert stream.other.receive(len(WORDS)) == WORDS
    stream.one.reset()
    assert stream.other.receive_to_end() == (b"", Ending.RST)
    stream.expect_close(one="program-reset", other="far-reset")


def test_slow_reader_gets_every_byte_before_a_reset(slow_stream):
    slow_stream.one.send(LARGE)
    slow_stream.one.wait_sent()
    slow_stream.one.reset()
    assert slow_stream.other.receive_to_end(pause=SLOW) == (LARGE, Ending.RST)
    slow_stream.expect_close(one="program-reset", other="far-reset")


def test_reset_after_its_own_fin_stays_a_reset(stream):
    stream.one.send(WORDS)
    stream.one.finish()
    assert stream.other.receive_to_end() == (WORDS, Ending.FIN)
    stream.one.reset()
    stream.other.send_until_reset()
    stream.expect_close(one="program-reset", other=ABORTED)


def test_reset_after_the_others_fin_stays_a_reset(stream):
    stream.other.finish()
    assert stream.one.receive_to_end() == (b"", Ending.FIN)
    stream.one.send(WORDS)
    assert stream.other.receive(len(WORDS)) == WORDS
    stream.one.reset()
    assert stream.other.receive_to_end() == (b"", Ending.RST)
    stream.expect_close(one="program-reset", other="far-reset")


def test_bytes_for_a_program_that_reset_are_dropped_and_counted(stream):
    stream.other.send_until_blocked()
    stream.one.reset()
    stream.other.wait_reset()
    line = stream.one_end.wait_close()
    assert line["why"] == "program-reset"
    assert int(line["dropped"]) > 0


def test_close_with_unread_bytes_gives_the_answer_and_then_a_reset(slow_stream):
    slow_stream.other.send(LARGE)
    slow_stream.one.receive(1000)
    slow_stream.one.send(WORDS)
    slow_stream.one.wait_sent()
    slow_stream.one.close()
    assert slow_stream.other.receive_to_end() == (WORDS, Ending.RST)
    slow_stream.expect_close(one="program-reset", other="far-reset")


def test_full_close_that_looked_like_fin_resets_whoever_goes_on_sending(stream):
    stream.one.send(WORDS)
    stream.one.close()
    assert stream.other.receive_to_end() == (WORDS, Ending.FIN)
    stream.other.send_until_reset()
    stream.expect_close(one="program-reset", other=ABORTED)


# TLS or the carrier is cut

CUTS = {
    "FIN without close_notify": TlsPeer.end_with_fin,
    "TCP reset": TlsPeer.end_with_reset,
    "half a record": TlsPeer.end_inside_a_record,
    "a record that is not authentic": TlsPeer.end_with_garbage,
    "a fatal alert": TlsPeer.end_with_alert,
}
VERSIONS = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}


@pytest.fixture(params=VERSIONS.values(), ids=VERSIONS.keys())
def version(request):
    return request.param


@pytest.fixture(params=CUTS.values(), ids=CUTS.keys())
def cut(request):
    return request.param


@pytest.fixture(params=["client", "server"])
def program_and_peer(request, start_client, start_server, router, app, pod_port, certificates, version):
    """A program beside one end of the pair, and a TLS peer in the place of the other end."""
    if request.param == "server":
        start_server(app.address)
        peer = tls_client(certificates, router.port, version)
        return app.accept(), peer
    with listen(pod_port) as listener:
        # The peer knows one connection; nobody else may dial it ahead of time.
        program = legacy_program(start_client(router.port, delay="yes").port)
        return program, tls_server(certificates, listener, version)


def test_cut_tls_gives_the_bytes_before_it_and_then_a_reset(program_and_peer, cut):
    program, peer = program_and_peer
    peer.send(WORDS)
    assert program.receive(len(WORDS)) == WORDS
    cut(peer)
    assert program.receive_to_end() == (b"", Ending.RST)


def test_cut_tls_under_load_gives_the_bytes_before_it_and_then_a_reset(program_and_peer):
    program, peer = program_and_peer
    peer.send(LARGE)
    peer.end_with_alert()
    assert program.receive_to_end(pause=SLOW) == (LARGE, Ending.RST)


def test_reset_is_told_to_the_peer_by_an_alert_after_the_bytes(program_and_peer):
    program, peer = program_and_peer
    program.send(WORDS)
    assert peer.receive(len(WORDS)) == WORDS
    program.reset()
    assert "ALERT" in peer.wait_alert()


@pytest.fixture(params=["client", "server"])
def dying(request):
    return request.param


def survivor(pair, dying):
    """A stream: the program at the end that survives is its `other`."""
    return pair.open("legacy program" if dying == "client" else "app")


def test_death_of_the_far_end_is_a_reset(pair, dying):
    stream = survivor(pair, dying)
    stream.one.send(WORDS)
    assert stream.other.receive(len(WORDS)) == WORDS
    stream.one_end.process.kill()
    assert stream.other.receive_to_end() == (b"", Ending.RST)
    stream.other_end.expect_close("carrier-lost")


def test_death_of_the_far_end_under_load_never_looks_complete(pair, dying):
    stream = survivor(pair, dying)
    stream.other.keep_little()
    stream.one.send(LARGE)
    stream.one_end.process.kill()
    received, ending = stream.other.receive_to_end()
    assert ending is Ending.RST
    assert LARGE.startswith(received)


def test_death_of_the_near_end_is_a_reset(pair, dying):
    """A kernel that closes a dead process' socket says FIN, unless told beforehand."""
    stream = survivor(pair, dying)
    stream.other.send(WORDS)
    assert stream.one.receive(len(WORDS)) == WORDS
    stream.one_end.process.kill()
    assert stream.one.receive_to_end() == (b"", Ending.RST)


def test_death_of_the_router_resets_both_programs(pair, router):
    stream = pair.open()
    for sender, receiver in ((stream.one, stream.other), (stream.other, stream.one)):
        sender.send(WORDS)
        assert receiver.receive(len(WORDS)) == WORDS
    router.process.kill()
    assert stream.one.receive_to_end() == (b"", Ending.RST)
    assert stream.other.receive_to_end() == (b"", Ending.RST)
    stream.expect_close(one="carrier-lost", other="carrier-lost")


def test_tunnel_limit_of_the_router_resets_both_programs(
    start_client, start_server, make_router, app, pod_port
):
    router = make_router({HOST: [pod_port]}, tunnel="1s")
    pair = Pair(start_client(router.port), start_server(app.address), app)
    stream = pair.open()
    assert stream.one.receive_to_end() == (b"", Ending.RST)
    assert stream.other.receive_to_end() == (b"", Ending.RST)
    stream.expect_close(one="carrier-lost", other="carrier-lost")


# The stream never begins


@pytest.fixture(params=[b"", WORDS], ids=["silent program", "program that speaks"])
def first_words(request):
    return request.param


def test_app_out_of_reach_is_a_reset(pair, app, kind, first_words):
    app.close()
    assert is_reset(pair.client.port, first_words)
    pair.server.expect_close("app-unreachable")
    pair.client.expect_close("app-unreachable" if kind == "h2" else "far-reset")


def test_route_without_a_pod_is_a_reset(start_client, make_router, first_words):
    client = start_client(make_router({HOST: []}).port)
    assert is_reset(client.port, first_words)
    client.expect_close("no-pod")


def test_no_router_is_a_reset(start_client, place, first_words):
    client = start_client(place.ports.reserve())
    assert is_reset(client.port, first_words)
    client.expect_close("connect-failed")


def test_far_end_that_never_answers_is_a_reset_within_the_limit(start_client, place):
    with listen(place.ports.reserve()) as silent:
        client = start_client(silent.getsockname()[1], TIMEOUTconnect=1)
        program = legacy_program(client.port)
        assert program.receive_to_end() == (b"", Ending.RST)
    client.expect_close("open-timeout")


def first_words_of(visits):
    for visit in visits:
        words, _ = visit.receive_to_end(most=6)
        if words:
            return words


def test_program_that_resets_before_the_answer_never_reaches_the_app(pair, app, kind):
    pair.server.process.pause()
    program = pair.dial()
    pair.client.process.wait_line("event=accept")  # of one that is reset before, accept(2) says nothing
    program.reset()
    pair.client.expect_close("program-gone")
    pair.server.process.resume()
    second = pair.dial()
    second.send(b"second")
    visits = itertools.starmap(app.accept, itertools.repeat((), 2))
    # On a carrier that was open the question was on its way; it may have come to a dial.
    assert (first_words_of(visits) if kind == "h2" else app.accept().receive(6)) == b"second"


def test_program_that_finishes_before_the_answer_is_served(pair, app):
    pair.server.process.pause()
    program = pair.dial()
    program.send(WORDS)
    program.finish()
    program.wait_sent()
    pair.server.process.resume()
    visitor = app.accept()
    assert visitor.receive_to_end() == (WORDS, Ending.FIN)
    visitor.send(LARGE)
    visitor.finish()
    assert program.receive_to_end() == (LARGE, Ending.FIN)
    pair.client.expect_close("finished")
    pair.server.expect_close("finished")


def test_full_server_turns_a_stream_away(make_pair, kind):
    pair = make_pair(server={"maxConnections": 1}, client={"delay": "yes"})
    first = pair.open()
    assert is_reset(pair.client.port, b"")
    pair.client.expect_close({"full", "no-pod"} if kind == "h2" else "no-pod")
    first.one.send(WORDS)
    assert first.other.receive(len(WORDS)) == WORDS


def test_place_in_a_full_server_is_free_again_after_a_stream(make_pair):
    pair = make_pair(server={"maxConnections": 1}, client={"delay": "yes"})
    first = pair.open()
    first.one.close()
    first.other.close()
    settled_descriptors(pair)  # its sockets are closed
    second = pair.open()
    second.one.send(WORDS)
    assert second.other.receive(len(WORDS)) == WORDS


def test_next_target_is_tried_when_a_server_is_full(start_client, start_server, place, app):
    with listen(place.ports.reserve()) as elsewhere:
        full = start_server(app.address, maxConnections=1)
        free = start_server(elsewhere.getsockname()[1], port=place.ports.reserve())
        targets = [f"127.0.0.1:{end.port}" for end in (full, free)]
        client = start_client(full.port, connect=targets, delay="yes")
        first = Pair(client, full, app).open()
        program = legacy_program(client.port)
        program.send(WORDS)
        assert Connection(elsewhere.accept()[0]).receive(len(WORDS)) == WORDS
        first.one.send(WORDS)
        assert first.other.receive(len(WORDS)) == WORDS


# Limits of time


def test_idle_stream_is_reset(make_pair, acts):
    pair = make_pair(TIMEOUTidle=1)
    stream = pair.open(acts)
    stream.one.send(WORDS)
    assert stream.other.receive(len(WORDS)) == WORDS
    assert stream.one.receive_to_end() == (b"", Ending.RST)
    assert stream.other.receive_to_end() == (b"", Ending.RST)


@pytest.mark.parametrize("strict", ["client", "server"])
def test_idle_limit_of_one_end_is_told_to_the_other(make_pair, strict):
    pair = make_pair(**{strict: {"TIMEOUTidle": 1}})
    stream = survivor(pair, strict)
    assert stream.other.receive_to_end() == (b"", Ending.RST)
    assert stream.one.receive_to_end() == (b"", Ending.RST)
    stream.expect_close(one="idle", other="far-reset")


def test_bytes_in_one_direction_keep_a_stream_from_being_idle(make_pair, acts):
    stream = make_pair(TIMEOUTidle=1).open(acts)
    for _ in range(6):
        stream.one.send(WORDS)
        assert stream.other.receive(len(WORDS)) == WORDS
        assert stream.one.is_silent_for(0.3)


def test_half_closed_and_silent_lives_until_the_idle_limit(make_pair, acts):
    stream = make_pair(TIMEOUTidle=3, TIMEOUTclose=1).open(acts)
    stream.one.send(WORDS)
    stream.one.finish()
    assert stream.other.receive_to_end() == (WORDS, Ending.FIN)
    assert stream.one.is_silent_for(2)
    assert stream.one.receive_to_end() == (b"", Ending.RST)
    stream.other.wait_reset()


def test_reader_that_has_stopped_holds_a_reset_up_no_longer_than_the_close_limit(make_pair, acts):
    # The far end hears of it once its reader goes on: nothing passes a full raw carrier.
    stream = make_pair(TIMEOUTclose=1).open(acts)
    stream.other.keep_little()
    stream.one.send_until_blocked()
    stream.one.reset()
    stream.one_end.expect_close("program-reset")
    assert stream.other.receive_to_end()[1] == Ending.RST


def test_dialler_that_says_nothing_is_closed_after_the_busy_limit(start_server, app):
    server = start_server(app.address, TIMEOUTbusy=1)
    dialler = legacy_program(server.port)
    assert dialler.receive_to_end()[0] == b""
    assert not app.has_visitor()


# Stopping


@pytest.fixture(params=["client", "server"])
def stops(request):
    return request.param


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_end_without_streams_stops_at_once(pair, stops, how):
    process = getattr(pair, stops).process
    process.send_signal(how)
    assert process.wait_exit(limit=3) == 0


def test_streams_go_on_while_an_end_drains(make_pair, stops):
    stream = survivor(make_pair(TIMEOUTdrain=30), stops)
    drained = stream.one_end
    drained.process.send_signal(signal.SIGTERM)
    waiting.until(lambda: not ports.is_listening(drained.port), "listening stops")
    stream.one.send(WORDS)
    stream.one.finish()
    assert stream.other.receive_to_end() == (WORDS, Ending.FIN)
    stream.other.send(LARGE)
    stream.other.finish()
    assert stream.one.receive_to_end() == (LARGE, Ending.FIN)
    assert drained.process.wait_exit(limit=5) == 0
    stream.expect_close(one="finished", other="finished")


def test_streams_that_outlive_the_drain_are_reset(make_pair, stops, kind):
    stream = survivor(make_pair(TIMEOUTdrain=1), stops)
    stream.one.send(WORDS)
    assert stream.other.receive(len(WORDS)) == WORDS
    stream.one_end.process.send_signal(signal.SIGTERM)
    assert stream.one.receive_to_end() == (b"", Ending.RST)
    assert stream.other.receive_to_end() == (b"", Ending.RST)
    assert stream.one_end.process.wait_exit(limit=5) == 0
    _, other = stream.expect_close(one="stopped", other="stopped" if kind == "h2" else "far-reset")
    assert other["detail"] == ("the far end's drain is over" if kind == "h2" else "the far end cut the stream")


def test_stream_that_begins_when_all_are_cut_is_cut_too(start_client, start_server, router, app, certificates):
    """Its handshake was under way, so that the stop found no stream yet."""
    server = start_server(app.address)
    early = Pair(start_client(router.port), server, app).open("app")

    def stop():
        for _ in range(2):  # the second does not wait
            server.process.send_signal(signal.SIGTERM)
            waiting.until(lambda: not ports.is_listening(server.port), "listening stops")
        assert early.one.receive_to_end() == (b"", Ending.RST)

    late = tls_client(certificates, server.port, meanwhile=stop)
    assert app.accept().receive_to_end() == (b"", Ending.RST)
    assert "ALERT" in late.wait_alert()
    assert server.process.wait_exit() == 0
    assert len(server.process.lines_with("event=close why=stopped")) == 2
