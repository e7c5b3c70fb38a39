"""A silent stream lives, whatever the router's idle limit; a path that is dead is found out, and
a far end that hangs on h2.  TIMEOUTidle knows of none of this."""

import contextlib
import os

import pytest

from harness import pairs
from harness.certificates import HOST
from harness.pairs import Pair, parse_line
from harness.programs import App, Ending
from harness.talks import WORDS, echo

KINDS = ["h2"]
WORKERS = [1]


# Seconds of silence, and the router's limit, which is much shorter.
SILENCE = 65 if os.environ.get("ROUTEPORT_SLOW") else 20
LIMIT = "3s"


def expect_silence(streams, seconds):
    """Neither end of any of them sees a byte or an end within that time."""
    ends = [end for stream in streams for end in (stream.one, stream.other)]
    assert ends[0].is_silent_for(seconds)
    assert all(end.is_silent_for(0) for end in ends)


@pytest.fixture
def make_silent_pair(place, make_router):
    """A pair with heartbeats at its own router, which cuts at LIMIT; `client` and `server` start its ends."""
    options = {"keepalive": 1, "keepaliveTimeout": 5}
    with contextlib.ExitStack() as apps:

        def make(client, server, multiplex="no"):
            port = place.ports.reserve()
            router = make_router({HOST: [port]}, tunnel=LIMIT)
            app = apps.enter_context(contextlib.closing(App(place.ports.reserve())))
            server_end = server(place, app.address, port=port, multiplex=multiplex, **options)
            return Pair(client(place, router.port, multiplex=multiplex, **options), server_end, app)

        yield make


def test_silent_streams_outlive_the_router_s_limit(make_silent_pair):
    ours = pairs.routeport_client, pairs.routeport_server
    raw = make_silent_pair(*ours)
    others = [
        make_silent_pair(*ours, multiplex="yes"),
        make_silent_pair(pairs.routeport_client, pairs.stunnel_server),
        make_silent_pair(pairs.stunnel_client, pairs.routeport_server),
    ]
    streams = [pair.open() for pair in (raw, *others)]
    for stream in streams:
        echo(stream)
    # The one that has finished cannot send heartbeats any more; the other one does.
    halves = [raw.open("legacy program"), raw.open("app")]
    for half in halves:
        half.one.send(WORDS)
        half.one.finish()
        assert half.other.receive_to_end() == (WORDS, Ending.FIN)
    expect_silence(streams, SILENCE)
    for stream in streams:
        echo(stream)
    for half in halves:
        assert half.one.is_silent_for(0)
        half.other.send(WORDS)
        half.other.finish()
        assert half.one.receive_to_end() == (WORDS, Ending.FIN)


def test_silent_stream_without_heartbeats_is_cut_by_the_router(make_silent_pair):
    """So it is they that keep the others."""
    stream = make_silent_pair(pairs.stunnel_client, pairs.stunnel_server).open()
    echo(stream)
    assert stream.one.is_silent_for(1)
    assert stream.one.receive_to_end()[0] == b""


def lose_in_silence(pair, multiplex):
    """A carrier, or a raw stream, goes: the former is dialled anew by itself.  What the client has to say of that stands
    in its log by then."""
    if multiplex == "no":
        lost = len(pair.client.process.lines_with("why=carrier-lost"))
        stream = pair.open()  # both ends of it are held open
        assert stream.one.receive_to_end()[0] == b""
        pair.client.process.wait_line("why=carrier-lost", lost + 1)


@pytest.mark.parametrize("multiplex", ["no", "yes"])
def test_an_idle_limit_below_keepalive_is_learnt(place, make_router, app, pod_port, multiplex):
    """From the second loss on what is silent stays, and one line says what to set."""
    router = make_router({HOST: [pod_port]}, tunnel=LIMIT)
    server = pairs.routeport_server(place, app.address, port=pod_port, multiplex=multiplex)
    pair = Pair(pairs.routeport_client(place, router.port, multiplex=multiplex, keepalive=30), server, app)
    learnt = "warning .*event=idle-limit"
    for _ in range(8):  # two, if this machine notices both of them in time
        if pair.client.process.lines_with(learnt):
            break
        lose_in_silence(pair, multiplex)
    fields = parse_line(pair.client.process.wait_line(learnt))
    assert 2.5 < float(fields["silence"]) < 4 and float(fields["keepalive"]) < 3
    assert "haproxy.router.openshift.io/timeout-tunnel" in fields["detail"]
    stream = pair.open()
    echo(stream)
    lost = len(pair.client.process.lines_with("why=carrier-lost"))
    expect_silence([stream], 8)
    echo(stream)
    assert len(pair.client.process.lines_with("why=carrier-lost")) == lost
    assert len(pair.client.process.lines_with("event=idle-limit")) == 1


@pytest.mark.parametrize("multiplex", ["no", "yes"])
def test_heartbeats_do_not_count_for_the_idle_limit(place, router, app, pod_port, multiplex):
    options = {"multiplex": multiplex, "keepalive": 1}
    server = pairs.routeport_server(place, app.address, port=pod_port, TIMEOUTidle=3, **options)
    stream = Pair(pairs.routeport_client(place, router.port, **options), server, app).open()
    echo(stream)
    assert stream.one.receive_to_end() == (b"", Ending.RST)
    assert stream.other.receive_to_end() == (b"", Ending.RST)
    server.expect_close("idle")


# Dead paths


@pytest.fixture
def apart(place, two_hosts, short_folder):
    """A raw pair on two hosts, without a router; the programs are at Unix sockets."""
    options = {"multiplex": "no", "keepalive": 1, "keepaliveTimeout": 1}
    accept, far = str(short_folder / "accept"), f"{two_hosts.addresses[1]}:4433"
    with contextlib.closing(App(str(short_folder / "app"))) as app:
        server = pairs.routeport_server(place, app.address, inside=two_hosts.inside[1], accept=far, **options)
        client = pairs.routeport_client(
            place, None, inside=two_hosts.inside[0], accept=accept, connect=far, **options
        )
        client.port = accept
        yield Pair(client, server, app)


def expect_dead_path(end):
    fields = end.expect_close("carrier-lost")
    assert fields["detail"].startswith("no acknowledgement for ")


def test_silent_stream_finds_a_dead_path_out(apart, two_hosts):
    stream = apart.open()
    echo(stream)
    assert stream.one.is_silent_for(4)
    two_hosts.cut()
    for end in apart.ends():
        expect_dead_path(end)


def test_stream_that_sends_finds_a_dead_path_out(apart, two_hosts):
    stream = apart.open()
    echo(stream)
    two_hosts.cut()
    stream.one.send_until_blocked()
    expect_dead_path(apart.client)


def test_reader_that_takes_nothing_is_no_dead_path(apart, two_hosts):
    """It acknowledges the probes of its closed window; TCP_USER_TIMEOUT would cut it."""
    stream = apart.open()
    sent = stream.one.send_until_blocked()
    assert stream.one.is_silent_for(8)
    assert len(stream.other.receive(sent)) == sent
    echo(stream)
    stream.one.send_until_blocked()
    two_hosts.cut()
    expect_dead_path(apart.client)


# A peer's requests, and TLS 1.2


def test_request_for_a_key_update_is_answered_at_once(place, app, pod_port):
    pairs.routeport_server(place, app.address, port=pod_port, multiplex="no")
    program = pairs.openssl_client(place, pod_port, "-msg", "-msgfile", "/dev/stderr")
    visitor = app.accept()
    for number in (1, 2):
        program.write(b"K\n")  # s_client's word for a request
        program.wait_line(r"<<< .* KeyUpdate", number)
    assert visitor.is_silent_for(0)
    program.write(b"hello\n")
    assert visitor.receive(6) == b"hello\n"


def test_tls_1_2_is_said_to_have_no_heartbeat_once(place, router, app, pod_port):
    options = {"multiplex": "no", "sslVersion": "TLSv1.2"}
    server = pairs.routeport_server(place, app.address, port=pod_port, workers=3, **options)
    pair = Pair(pairs.routeport_client(place, router.port, workers=3, **options), server, app)
    for _ in range(4):
        echo(pair.open())
    for end in pair.ends():
        (line,) = end.complaints()
        fields = parse_line(line)
        assert (fields["event"], fields["service"], fields["tls"]) == ("no-heartbeat", "svc", "TLSv1.2")
        assert "sslVersionMin" in fields["detail"]


# h2 alone


def test_far_end_that_hangs_is_a_lost_carrier(make_pair):
    pair = make_pair(keepalive=1, keepaliveTimeout=1)
    stream = pair.open()
    stream.one.send(WORDS)
    assert stream.other.receive(len(WORDS)) == WORDS
    pair.server.process.pause()
    assert stream.one.receive_to_end() == (b"", Ending.RST)
    pair.client.expect_close("carrier-lost")
    pair.server.process.resume()
    assert stream.other.receive_to_end() == (b"", Ending.RST)


def test_bytes_for_a_carrier_that_was_silent_wait_for_a_sign_of_life(start_client, start_server, place, app):
    """It is dead, and nothing was said to it, so that the other target may have all of it."""
    dead, alive = (start_server(app.address, port=place.ports.reserve(), multiplex="yes") for _ in range(2))
    targets = [f"127.0.0.1:{server.port}" for server in (dead, alive)]
    client = start_client(None, connect=targets, multiplex="yes", keepaliveTimeout=1, TIMEOUTconnect=4)
    pair = Pair(client, dead, app)
    first = pair.open()
    first.one.send(WORDS)
    assert first.other.receive(len(WORDS)) == WORDS
    assert first.one.is_silent_for(5.5)
    dead.process.pause()
    program = pair.dial()
    program.send(WORDS)
    visitor = app.accept()
    assert visitor.receive(len(WORDS)) == WORDS
    visitor.send(WORDS)
    assert program.receive(len(WORDS)) == WORDS


def test_far_ends_reason_stands_in_the_near_ends_log(make_pair, app):
    pair = make_pair()
    app.close()
    pair.dial().receive_to_end()
    pair.client.process.wait_line(f"event=failed why=app-unreachable .*{app.address}: Connection refused")


def test_server_logs_the_legacy_program_s_address(make_pair):
    pair = make_pair()
    stream = pair.open()
    address = "{}:{}".format(*stream.one.address)
    stream.one.finish()
    stream.other.finish()
    assert pair.server.expect_close("finished")["peer"] == address
    assert pair.client.expect_close("finished")["peer"] == address


def test_streams_share_a_carrier(make_pair, certificates):
    pair = make_pair()
    streams = [pair.open() for _ in range(20)]
    for stream in streams:
        stream.one.send(WORDS)
        assert stream.other.receive(len(WORDS)) == WORDS
    sockets = pair.server.process.open_descriptors()
    more = [pair.open() for _ in range(10)]
    # A stream more is a socket to the app more, and no carrier.
    assert pair.server.process.open_descriptors() == sockets + len(more)
