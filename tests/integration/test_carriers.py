"""h2 carriers as a program meets them: who waits for one, when another is opened, what becomes of
the old one when it is renewed, or when its pod drains."""

import contextlib
import signal
import threading
import time

import pytest

from harness import waiting
from harness.certificates import HOST
from harness.pairs import (
    Pair,
    Stream,
    openssl_server,
    parse_line,
    routeport_client,
    routeport_server,
    stunnel_server,
)
from harness.programs import App, Ending, legacy_program, listen
from harness.relay import Relay
from harness.router import Route
from harness.talks import WORDS, echo

KINDS = ["h2"]
WORKERS = [1]

CROWD = 300  # more than may be asked for before the far end's SETTINGS are here


def carriers(client):
    """How many the client has opened."""
    return len(client.process.lines_with("event=carrier-open"))


def test_crowd_that_waits_for_the_first_carrier_goes_on(make_pair, app):
    pair = make_pair(client={"delay": "yes", "carriers": 1, "TIMEOUTconnect": 20})
    pair.server.process.pause()
    crowd = [pair.dial() for _ in range(CROWD)]
    for program in crowd:
        program.send(WORDS)
    pair.server.process.resume()
    for _ in crowd:
        visitor = app.accept()
        assert visitor.receive(len(WORDS)) == WORDS
    assert carriers(pair.client) == 1


def test_dial_that_hangs_holds_nobody_up(place, router, start_client, start_server, app, pod_port):
    """Such as one to a pod that stands still."""
    port = place.ports.reserve()
    start_server(app.address, port=pod_port)
    client = start_client(port, delay="yes", carriers=1, TIMEOUTconnect=600)
    with listen(port) as listener:
        program = legacy_program(client.port)
        program.send(WORDS)
        hung, _ = listener.accept()
    with hung, contextlib.closing(Relay(port, router.port)):
        assert app.accept().receive(len(WORDS)) == WORDS


def test_small_stream_passes_beside_many_that_fill_the_carrier(make_pair, app):
    pair = make_pair(client={"carriers": 1})
    over = threading.Event()

    def pour(one):
        with contextlib.suppress(OSError):
            while not over.is_set():
                one.send(bytes(1 << 20))

    def drink(other):
        with contextlib.suppress(OSError):
            while other.receive(1 << 16):
                pass

    bulk = [pair.open() for _ in range(12)]
    threads = [threading.Thread(target=pour, args=[stream.one], daemon=True) for stream in bulk]
    threads += [threading.Thread(target=drink, args=[stream.other], daemon=True) for stream in bulk]
    for thread in threads:
        thread.start()
    for _ in range(10):
        echo(pair.open())
    over.set()


def test_stream_passes_though_the_carrier_died_in_silence(place, router, start_client, start_server, app, pod_port):
    """It waits for a sign of life, and in a while another carrier is dialled."""
    start_server(app.address, port=pod_port)
    with contextlib.closing(Relay(place.ports.reserve(), router.port)) as relay:
        client = start_client(relay.port, carriers=1)
        first = legacy_program(client.port)
        first.send(WORDS)
        visitor = app.accept()
        assert visitor.receive(len(WORDS)) == WORDS
        relay.hold(0, (0, 1), 600)
        assert first.is_silent_for(5.5)
        program = legacy_program(client.port)
        program.send(WORDS)
        assert app.accept().receive(len(WORDS)) == WORDS
        assert carriers(client) == 2


def test_stop_waits_for_no_dial_that_nobody_needs(place, start_client):
    port = place.ports.reserve()
    with listen(port) as listener:
        client = start_client(port, TIMEOUTconnect=600, TIMEOUTdrain=600)
        hung, _ = listener.accept()
        with hung:
            client.process.send_signal(signal.SIGTERM)
            assert client.process.wait_exit() == 0


def test_one_is_open_before_the_first_stream(make_pair):
    pair = make_pair()
    pair.client.process.wait_line("event=carrier-open")
    echo(pair.open())
    assert carriers(pair.client) == 1


def test_with_delay_none_is_open_before_the_first_stream(make_pair):
    pair = make_pair(client={"delay": "yes"})
    assert carriers(pair.client) == 0
    echo(pair.open())
    assert carriers(pair.client) == 1


def test_another_is_opened_when_one_is_busy_and_never_too_many(make_pair):
    pair = make_pair(client={"carriers": 2})
    streams = [pair.open() for _ in range(70)]
    pair.client.process.wait_line("event=carrier-open", 2)
    streams += [pair.open() for _ in range(150)]
    for stream in streams:
        echo(stream, b"words")
    assert carriers(pair.client) == 2


def test_old_one_is_renewed_and_keeps_its_streams(make_pair):
    pair = make_pair(client={"maxAge": 1})
    old = pair.open()
    echo(old)
    pair.client.process.wait_line("event=carrier-open", 2)
    young = pair.open()
    echo(old)
    echo(young)
    old.one.finish()
    assert old.other.receive_to_end() == (b"", Ending.FIN)
    old.other.finish()
    pair.client.process.wait_line("event=carrier-end why=finished")
    echo(young)


def visit(pair, *apps):
    """A stream there and back.  Says which of the apps had it."""
    program = pair.dial()
    program.send(WORDS)
    waiting.until(lambda: any(app.has_visitor() for app in apps), "an app has a visitor")
    (app,) = [app for app in apps if app.has_visitor()]
    stream = Stream(program, app.accept(), pair.client, pair.server)
    assert stream.other.receive(len(WORDS)) == WORDS
    return app, stream


def test_new_streams_go_where_the_router_sends_them_now(
    place, make_router, app, start_client, start_server, pod_port
):
    """The old pod lives, and its streams with it; it has only left the route."""
    other_port = place.ports.reserve()
    router = make_router({HOST: [pod_port]})
    pair = Pair(start_client(router.port, freshFor=0.3), start_server(app.address), app)
    with contextlib.closing(App(place.ports.reserve())) as other:
        routeport_server(place, other.address, port=other_port)
        _, old = visit(pair, app, other)
        router.reload({HOST: [other_port]})
        waiting.until(lambda: visit(pair, app, other)[0] is other, "the other pod has a stream")
        assert [visit(pair, app, other)[0] for _ in range(5)] == [other] * 5
        echo(old)


def test_sessions_are_resumed_where_pods_come_in_turn(place, make_router, app, start_client):
    ports = [place.ports.reserve() for _ in range(3)]
    for port in ports:
        routeport_server(place, app.address, port=port)
    router = make_router({HOST: Route(ports, balance="roundrobin")})
    client = start_client(router.port, freshFor=0.1)
    pair = Pair(client, None, app)

    def resumed():
        opened = client.process.lines_with("event=carrier-open")
        return ["resumed=yes" in line for line in opened]

    def open_streams():
        visit(pair, app)
        return len(resumed()) >= 9

    waiting.until(open_streams, "carriers were renewed")
    assert resumed()[4:] == [True] * len(resumed()[4:])


@pytest.mark.parametrize("limit", ["concurrent_tcp", "rate_tcp"])
def test_limits_of_the_route_that_carriers_pass_stay_passed(place, make_router, start_server, app, pod_port, limit):
    """A dial for freshness is refused, and no stream notices.  One worker: on a busy machine it may dial twice before
    its first carrier is there, which is all that these limits let in."""
    router = make_router({HOST: Route([pod_port], **{limit: 3})})
    server = start_server(app.address)
    client = routeport_client(place, router.port, workers=1, multiplex="auto", freshFor=0.5)
    pair = Pair(client, server, app)
    client.process.wait_line("event=carrier-open")
    began, kept = time.monotonic(), []
    while time.monotonic() - began < 5:
        kept.append(visit(pair, app)[1])
        time.sleep(0.1)
    client.process.wait_line("event=carrier-not-renewed .*why=no-pod")
    for stream in kept:
        echo(stream, b"words")


def test_new_streams_leave_a_pod_that_drains(place, make_router, app, start_client, start_server, pod_port):
    """The old pod is gone for the router, as after a rollout; its streams go on."""
    other_port = place.ports.reserve()
    router = make_router({HOST: [pod_port]})
    options = {"multiplex": "yes"}
    old_pod = start_server(app.address, TIMEOUTdrain=20, **options)
    new_pod = routeport_server(place, app.address, port=other_port, **options)
    pair = Pair(start_client(router.port, **options), old_pod, app)
    old = pair.open()
    echo(old)
    router.reload({HOST: [other_port]})
    old_pod.process.send_signal(15)
    pair.client.process.wait_line("event=carrier service=svc from=open to=draining")
    young = pair.open()
    echo(young)
    echo(old)
    old.one.finish()
    old.other.finish()
    assert old.one.receive_to_end() == (b"", Ending.FIN)
    assert old_pod.process.wait_exit() == 0
    young.one.finish()
    young.other.finish()
    new_pod.expect_close("finished")


@pytest.mark.parametrize("server", ["no", "auto", "yes"])
@pytest.mark.parametrize("client", ["no", "auto", "yes"])
def test_either_end_says_whether_streams_share(place, app, router, start_client, start_server, client, server):
    pair = Pair(
        start_client(router.port, multiplex=client), start_server(app.address, multiplex=server), app
    )
    if (client, server) in (("no", "yes"), ("yes", "no")):
        refused = legacy_program(pair.client.port)
        refused.send(WORDS)
        assert refused.receive_to_end() == (b"", Ending.RST)
        at_fault = pair.server if server == "yes" else pair.client
        at_fault.process.wait_line("why=no-protocol")
        return
    first = pair.open()
    echo(first)
    echo(pair.open())
    shared = "no" not in (client, server)
    assert bool(carriers(pair.client)) == shared


@pytest.mark.parametrize("words", [(), ("-alpn", "other")], ids=["ignores", "refuses"])
def test_peer_without_our_protocol_is_spoken_to_raw(place, router, pod_port, start_client, words):
    """One that refuses it, by no_application_protocol, is dialled again without it."""
    app = openssl_server(place, pod_port, *words)
    client = start_client(router.port, multiplex="auto", delay="yes")
    for _ in range(2):
        program = legacy_program(client.port)
        program.send(WORDS)
        assert app.read(len(WORDS)) == WORDS
        app.write(WORDS)
        assert program.receive(len(WORDS)) == WORDS
        program.close()
        client.wait_close()
    assert carriers(client) == 0
    assert len(client.process.lines_with("no-protocol")) == 0


# What the first dial finds, before any stream comes


def first_words(client):
    """Why the carrier that is opened ahead did not come to be."""
    line = parse_line(client.process.wait_line("error event=failed"))
    assert not client.process.lines_with("event=accept")
    return line["why"]


@pytest.mark.parametrize("multiplex", ["auto", "yes"])
def test_the_dial_ahead_tells_why_it_failed(place, make_router, start_server, app, pod_port, certificates, multiplex):
    start_server(app.address)
    router = make_router({HOST: [pod_port]})
    options = {"multiplex": multiplex}
    assert first_words(routeport_client(place, place.ports.reserve(), **options)) == "connect-failed"
    assert first_words(routeport_client(place, make_router({}).port, **options)) == "route-unknown"
    other = routeport_client(place, router.port, CAfile=certificates.other_authority, **options)
    assert first_words(other) == "unknown-ca"
    named = routeport_client(place, router.port, checkHost="elsewhere.test", **options)
    assert first_words(named) == "name-mismatch"
    with listen(place.ports.reserve()) as silent:
        client = routeport_client(place, silent.getsockname()[1], TIMEOUTconnect=1, **options)
        assert first_words(client) == "open-timeout"


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_app_behind_a_foreign_peer_sees_no_look(place, router, pod_port, app, start_client, version):
    """The client finds out ahead of the first stream whether its peer is routeport; one that is not hands
    nothing of that to its app."""
    stunnel_server(place, app.address, port=pod_port)
    client = start_client(router.port, multiplex="auto", sslVersionMax=version)

    def look_is_over():
        counts = router.statistics(HOST)
        return app.has_visitor() or (counts["stot"] > 0 and counts["scur"] == 0)

    waiting.until(look_is_over, "the client has looked")
    for _ in range(2):
        echo(Stream(legacy_program(client.port), app.accept(), client, None))
    assert not app.has_visitor()
