"""What goes wrong is said in clear words, once per cause; what is nobody's fault is not
said at all.

The word is that of the close line and of one line at level error or warning; the
table of log words in client/README.md says what to do about each.
"""

import pytest

from harness import pairs, waiting
from harness.certificates import HOST, WILDCARD
from harness.pairs import Pair, parse_line, write_ini
from harness.programs import Connection, Ending, legacy_program, listen
from harness.refusals import TIMES, expect_refusal, expect_words
from harness.router import Route

WORKERS = [1]
KINDS = ["raw"]


# The way to the pod


def test_route_unknown(start_client, make_router):
    client = start_client(make_router({}).port)
    expect_refusal(client)
    expect_words(client, "route-unknown", WILDCARD)


def test_no_pod(start_client, make_router):
    client = start_client(make_router({HOST: []}).port)
    expect_refusal(client)
    expect_words(client, "no-pod", "closed at once", "no ready pod")


def test_refused_pod(start_client, make_router, place):
    """A router tries four times, a second apart."""
    client = start_client(make_router({HOST: [place.ports.reserve()]}).port)
    program = legacy_program(client.port)
    client.process.wait_line("event=failed why=no-pod .*about 3 s .*nothing listens on the route's targetPort")
    assert program.receive_to_end() == (b"", Ending.RST)


def test_full_pod(start_client, make_router, place):
    """A router has a connection wait 5 s for a pod that is full."""
    with listen(place.ports.reserve()) as pod:
        router = make_router({HOST: Route([pod.getsockname()[1]], pod_concurrent=1)})
        client = start_client(router.port, TIMEOUTconnect=60)
        first = legacy_program(client.port)
        stays = Connection(pod.accept()[0])
        second = legacy_program(client.port)
        client.process.wait_line("event=failed why=no-pod .*about 5 s .*pod-concurrent-connections")
        assert second.receive_to_end() == (b"", Ending.RST)
        stays.close()
        first.close()


def test_connect_failed(start_client, place):
    port = place.ports.reserve()
    client = start_client(port)
    expect_refusal(client)
    expect_words(client, "connect-failed", f"127.0.0.1:{port}")


@pytest.mark.parametrize("multiplex", ["no", "auto"])
def test_open_timeout(start_client, make_router, place, multiplex):
    """As behind a targetPort without TLS, or with a pod that is not reached."""
    with listen(place.ports.reserve()) as silent:
        router = make_router({HOST: [silent.getsockname()[1]]})
        client = start_client(router.port, TIMEOUTconnect=2, multiplex=multiplex)
        programs = [legacy_program(client.port) for _ in range(TIMES)]
        for program in programs:
            assert program.receive_to_end() == (b"", Ending.RST)
        expect_words(client, "open-timeout", "address does not answer", "a port without TLS, which waits")


@pytest.mark.parametrize(
    "greeting, shown",
    [
        (b"220 mail.example ESMTP ready\r\n", "220 mail.example ESMTP ready"),
        (b"HTTP/1.1 400 Bad request\r\n\r\n", "HTTP/1.1 400 Bad request"),
        (b"J\0\0\0\n5.5.5-10.11 why=no-pod\n", "J????5.5.5-10.11 why=no-pod?"),
    ],
    ids=["SMTP", "HTTP", "MySQL"],
)
def test_not_tls(start_client, place, greeting, shown):
    """As behind a route that is not passthrough, or with the wrong targetPort."""
    with listen(place.ports.reserve()) as listener:
        client = start_client(listener.getsockname()[1])
        for _ in range(TIMES):
            program = legacy_program(client.port)
            far_end = Connection(listener.accept()[0])
            far_end.send(greeting)
            assert program.receive_to_end() == (b"", Ending.RST)
            far_end.close()
        expect_words(client, "not-tls", f'it sent \\"{shown}\\"')


# Certificates


def test_name_mismatch(make_pair, certificates):
    identity = certificates.elsewhere
    pair = make_pair(server={"cert": identity.certificate, "key": identity.key})
    expect_refusal(pair.client)
    expect_words(pair.client, "name-mismatch", "elsewhere.test", HOST, "the router's own certificate")


@pytest.mark.parametrize("identity, why", [("stranger_server", "unknown-ca"), ("expired_server", "cert-expired")])
def test_certificate_for_our_host_is_not_the_routers(make_pair, certificates, identity, why):
    """Who made it, or when, is what is wrong: the route is there."""
    shown = getattr(certificates, identity)
    pair = make_pair(server={"cert": shown.certificate, "key": shown.key})
    expect_refusal(pair.client)
    assert "router" not in expect_words(pair.client, why, HOST)


def test_unknown_ca_of_the_router(start_client, make_router, certificates):
    client = start_client(make_router({}).port, CAfile=certificates.other_authority)
    expect_refusal(client)
    expect_words(client, "unknown-ca", WILDCARD, "the router's own certificate")


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize(
    "identity, why",
    [(None, "cert-missing"), ("stranger_client", "unknown-ca"), ("expired_client", "cert-expired")],
    ids=["missing", "unknown CA", "expired"],
)
def test_client_certificate_is_refused(make_pair, app, certificates, identity, why, version):
    shown = getattr(certificates, identity) if identity else None
    options = {"cert": shown and shown.certificate, "key": shown and shown.key}
    pair = make_pair(client=options, sslVersion=version)
    expect_refusal(pair.client)
    expect_words(pair.client, "cert-refused")
    (line,) = pair.server.complaints()
    fields = parse_line(line)
    assert (fields["event"], fields["why"]) == ("failed", why)
    assert not app.has_visitor()


MISFITS = {
    "not yet valid": ({"start": "20480101000000Z"}, "cert-not-yet-valid", "this host's clock says 20"),
    "extendedKeyUsage": ({"purpose": "emailProtection"}, "cert-purpose", "(extendedKeyUsage)"),
    "keyUsage": ({"usage": "keyCertSign"}, "cert-purpose", "(keyUsage)"),
}


@pytest.mark.parametrize("judge, shown", [("client", "server"), ("server", "client")])
@pytest.mark.parametrize("misfit", MISFITS)
def test_a_certificate_that_does_not_fit_is_no_unknown_ca(make_pair, certificates, judge, shown, misfit):
    wish, why, words = MISFITS[misfit]
    identity = certificates.issue(f"misfit-{shown}-{misfit.replace(' ', '-')}", HOST, **wish)
    pair = make_pair(**{shown: {"cert": identity.certificate, "key": identity.key}})
    expect_refusal(pair.client)
    line = getattr(pair, judge).process.wait_line("event=failed")
    assert parse_line(line)["why"] == why
    assert words in line


# The app


def test_app_unreachable(make_pair, app):
    pair = make_pair()
    app.close()
    expect_refusal(pair.client)
    expect_words(pair.server, "app-unreachable", f"127.0.0.1:{app.address}")


# Once per cause


def test_another_cause_is_said_although_one_was_said_already(start_client, make_router):
    router = make_router({HOST: []})
    client = start_client(router.port)
    expect_refusal(client)
    router.reload({})
    expect_refusal(client)
    assert [parse_line(line)["why"] for line in client.complaints()] == ["no-pod", "route-unknown"]


# Visitors that want nothing


def connect_and_close(port):
    legacy_program(port).close()


def connect_and_reset(port):
    legacy_program(port).reset()


@pytest.fixture
def expect_only_a_stream(app):
    """Opens and ends a stream: all visitors before it were seen then.  Its own two lines
    are all that the server has logged above debug, and nobody else came to the app."""

    def expect(pair, descriptors):
        stream = pair.open()
        stream.one.send(b"a stream")
        assert stream.other.receive(8) == b"a stream"
        stream.one.close()
        stream.other.close()
        pair.server.expect_close("finished")
        server = pair.server.process
        waiting.until(lambda: server.open_descriptors() == descriptors, "the server has closed all")
        assert len([line for line in server.lines if " debug " not in line]) == len(["ready", "close"])
        assert not app.has_visitor()

    return expect


@pytest.mark.parametrize("probe", [connect_and_close, connect_and_reset])
def test_probe_leaves_no_word_and_never_reaches_the_app(make_pair, expect_only_a_stream, probe):
    pair = make_pair()
    descriptors = pair.server.process.open_descriptors()
    for _ in range(20):
        probe(pair.server.port)
    expect_only_a_stream(pair, descriptors)


def test_health_check_of_the_router_leaves_no_word_and_never_reaches_the_app(
    start_client, start_server, make_router, place, app, pod_port, expect_only_a_stream
):
    server = start_server(app.address)
    descriptors = server.process.open_descriptors()
    dead_pod = place.ports.reserve()
    router = make_router({HOST: [pod_port, dead_pod]})
    router.process.wait_line(f"Health check for server .*/pod:{pod_port} succeeded")
    router.process.wait_line(f"Server .*/pod:{dead_pod} is DOWN")
    expect_only_a_stream(Pair(start_client(router.port), server, app), descriptors)


@pytest.mark.parametrize(
    "words, name",
    [
        (b"GET /secret HTTP/1.0\r\n\r\n", "this is HTTP;"),
        (b"SSH-2.0-secret\r\n", "this is SSH;"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nsecret", "this is a PROXY header;"),
        (b"\0\0\0\x08\x04\xd2\x16\x2f", "this is PostgreSQL;"),
        (b"secret" * 10, ""),
        (bytes(100), ""),
    ],
    ids=["HTTP", "SSH", "PROXY", "PostgreSQL", "unknown", "zeros"],
)
def test_port_scan_leaves_no_error_and_never_reaches_the_app(start_server, app, words, name):
    """What it speaks is named, where that is known; what it said is a secret."""
    server = start_server(app.address)
    scanner = legacy_program(server.port)
    scanner.send(words)
    scanner.receive_to_end()
    line = server.process.wait_line("event=failed why=not-tls")
    assert name in parse_line(line)["detail"]
    assert not server.process.lines_with("secret")
    assert server.process.lines_with(r"^\S+ error ") == []
    assert not app.has_visitor()


# At the start


@pytest.fixture(params=["client", "server"])
def role(request):
    return request.param


@pytest.fixture
def usual(role, place, pod_port, app):
    """The usual options of a client or a server."""
    accept = {"accept": f"127.0.0.1:{place.ports.reserve()}"}
    options = pairs.client_options(place, pod_port) if role == "client" else pairs.server_options(place, app.address)
    return {**accept, **options}


@pytest.fixture
def fails_at_the_start(role, usual, place):
    """Runs a program that cannot start; returns what it says about it.  `--check` says it
    too, unless only starting can tell."""

    def run(options, checkable=True):
        path = write_ini(place.folder / f"{role}.ini", {}, {**usual, **options})
        program = pairs.routeport(role)
        process = place.processes.start([program, path], name=f"routeport-{role}")
        assert process.wait_exit() in (1, 2)
        (line,) = process.lines_with(r"^\S+ error ")
        check = place.processes.start([program, "--check", path], name="check")
        assert check.wait_exit() == (2 if checkable else 0)
        return line

    return run


def test_port_taken(fails_at_the_start, usual):
    with listen(int(usual["accept"].rpartition(":")[2])):
        line = fails_at_the_start({}, checkable=False)
    assert usual["accept"] in line
    assert "in use" in line


@pytest.mark.parametrize("option", ["cert", "key", "CAfile"])
def test_file_that_is_not_there(fails_at_the_start, place, option):
    line = fails_at_the_start({option: place.folder / "nowhere.pem"})
    assert "nowhere.pem" in line
    assert "No such file" in line


@pytest.mark.parametrize("option", ["cert", "key", "CAfile"])
def test_file_with_something_else_in_it(fails_at_the_start, place, option):
    path = place.folder / "shopping-list.pem"
    path.write_text("milk\nbread\n", encoding="ascii")
    assert "shopping-list.pem" in fails_at_the_start({option: path})


def test_key_of_another_certificate(fails_at_the_start, certificates):
    key = certificates.wildcard.key
    line = fails_at_the_start({"key": key})
    assert str(key) in line
    assert "match" in line
