"""Not one byte of a program reaches who is not the far end, though his certificate is good: the
router ends the TLS itself where it has no passthrough route, often with a wildcard that fits."""

import re
import ssl

import pytest

from harness.certificates import HOST, WILDCARD
from harness.changes import reload, rewrite
from harness.pairs import Pair, openssl_server, routeport_client, routeport_server
from harness.programs import Connection, legacy_program, listen
from harness.refusals import WORDS, expect_refusal, expect_words
from harness.router import OwnRoute
from harness.talks import echo, finish
from harness.tls_peer import tls_client

WORKERS = [1]


@pytest.fixture(params=["TLSv1.2", "TLSv1.3"])
def version(request):
    return request.param


@pytest.fixture
def reader(place):
    """Gets all that the router decrypts."""
    with listen(place.ports.reserve()) as reader:
        yield reader


@pytest.fixture(params=["asks nothing", "asks for our certificate"])
def make_trap(request, make_router, reader, certificates):
    """A router whose words `reader` gets.  With clientTLS it asks for a certificate, too."""
    client_tls = certificates.authority if request.param == "asks for our certificate" else None

    def make(routes):
        return make_router(routes, decrypted_to=reader.getsockname()[1], client_tls=client_tls)

    return make


@pytest.fixture
def read_by(certificates, reader):
    """All bytes that a router has decrypted.  A client that is content with its certificate comes
    last, so that there is an end to wait for, and a sign that bytes would have been seen."""

    def read(router):
        # In TLS 1.2 its handshake is over at the router, too: haproxy gives one up whose FIN it sees meanwhile.
        peer = tls_client(certificates, router.port, ssl.TLSVersion.TLSv1_2)
        peer.send(b"content")
        peer.end_with_fin()
        read = []
        while not read or read[-1] != b"content":
            read.append(Connection(reader.accept()[0]).receive_to_end()[0])
        return b"".join(read[:-1])

    return read


def talk(pair):
    stream = pair.open()
    echo(stream)
    finish(stream)
    return stream.expect_close(one="finished", other="finished")[0]


# The router's default certificate: a wildcard


def test_router_without_the_route(start_client, make_trap, read_by, version):
    trap = make_trap({})
    client = start_client(trap.port, sslVersion=version)
    expect_refusal(client)
    expect_words(client, "route-unknown", WILDCARD)
    assert read_by(trap) == b""


def test_router_that_lost_the_route(start_client, start_server, make_trap, read_by, pod_port, app, version):
    """The client then has a session of the real server to resume."""
    router = make_trap({HOST: [pod_port]})
    pair = Pair(start_client(router.port, sslVersion=version), start_server(app.address), app)
    talk(pair)
    router.kill()
    router.start({})
    expect_refusal(pair.client)
    pair.client.process.wait_line(f"event=failed why=route-unknown .*{re.escape(WILDCARD)}")
    assert read_by(router) == b""


# The same wildcard at the app


@pytest.fixture
def make_wildcard_pair(make_pair, certificates, version):
    """A pair whose server has a wildcard for a certificate."""
    shown = {"cert": certificates.wildcard.certificate, "key": certificates.wildcard.key}

    def make(**client):
        return make_pair(client=client, server=shown, sslVersion=version)

    return make


def test_wildcard_counts_on_h2_alone_full_and_resumed(make_wildcard_pair, app, kind):
    pair = make_wildcard_pair(maxAge=1)
    if kind == "h2":
        echo(pair.open())
        pair.client.process.wait_line("event=carrier-open .*resumed=yes")
        echo(pair.open())
        return
    expect_refusal(pair.client)
    expect_words(pair.client, "route-unknown", WILDCARD)
    while app.has_visitor():
        assert app.accept().receive_to_end()[0] == b""


def test_wildcard_is_good_where_it_is_the_rule_itself(make_wildcard_pair, kind):
    pair = make_wildcard_pair(checkHost=WILDCARD)
    assert [talk(pair)["resumed"] for _ in range(2)] == ["no", "yes" if kind == "raw" else "no"]


def test_wildcard_is_good_where_the_certificate_is_pinned(make_wildcard_pair, certificates, kind):
    pair = make_wildcard_pair(verifyPeer="yes", CAfile=certificates.wildcard.certificate, checkHost=HOST)
    assert [talk(pair)["resumed"] for _ in range(2)] == ["no", "yes" if kind == "raw" else "no"]


# A target that spoke routeport/1, and does not any more


@pytest.fixture
def meet(place, app, pod_port):
    """A client and a server that have met on an h2 carrier, with multiplex as by default."""

    def meet(router):
        pair = Pair(routeport_client(place, router.port), routeport_server(place, app.address, port=pod_port), app)
        stream = pair.open()
        echo(stream)
        finish(stream)
        pair.client.process.wait_line("event=carrier-open")
        return pair

    return meet


def expect_downgrade(client):
    expect_refusal(client)
    client.process.wait_line("event=failed why=route-unknown .*has spoken routeport/1 before")


def test_route_with_the_exact_name_that_is_not_passthrough_any_more(make_trap, meet, read_by, reader, pod_port, certificates):
    """A reload keeps that it was, until the operator says that it is meant."""
    router = make_trap({HOST: [pod_port]})
    client = meet(router).client
    router.kill()
    router.start({HOST: OwnRoute(certificates.server, [])})
    expect_downgrade(client)
    reload(client)
    expect_refusal(client)
    assert read_by(router) == b""
    rewrite(client, "[svc]", "[svc]\nTIMEOUTidle = 1000")
    reload(client, 2)
    legacy_program(client.port).send(WORDS)
    while (visitor := Connection(reader.accept()[0]).receive_to_end(most=len(WORDS))[0]) == b"":
        pass
    assert visitor == WORDS


def test_server_that_refuses_what_it_spoke_before(place, router, meet, pod_port):
    """By the alert no_application_protocol."""
    pair = meet(router)
    pair.server.process.kill()
    openssl_server(place, pod_port, "-alpn", "other")
    expect_downgrade(pair.client)


# A route that never was passthrough


@pytest.mark.parametrize("asks", [False, True])
def test_edge_route_is_warned_of_once(make_router, start_client, certificates, asks):
    """The router has the exact name; what it decrypts it takes for HTTP.  Sessions are resumed."""
    router = make_router(
        {HOST: OwnRoute(certificates.server, [])}, client_tls=certificates.authority if asks else None
    )
    client = start_client(router.port)
    for _ in range(3):
        program = legacy_program(client.port)
        program.send(WORDS)
        assert program.receive_to_end()[0].startswith(b"HTTP/1.1 400 ")
    assert len(client.process.lines_with(" warning event=not-asked .*passthrough")) == (0 if asks else 1)


def test_far_end_that_asked_is_not_complained_of_when_it_is_resumed(make_pair):
    pair = make_pair()
    for _ in range(3):
        talk(pair)
    assert not pair.client.process.lines_with("event=not-asked")
