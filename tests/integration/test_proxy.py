"""`protocol = proxy`: the app learns who connected, and whoever parses such headers for a
living understands what it is told."""

import socket

import pytest

from harness import pairs, proxy_readers
from harness.certificates import HOST
from harness.pairs import Pair
from harness.programs import Ending, legacy_program, random_bytes
from harness.proxy_readers import read_header

WORKERS = [1]

WORDS = random_bytes(5000)
LARGE = random_bytes(2_000_000)


@pytest.fixture(params=["haproxy", "nginx"])
def reader(request, place, app):
    """A real program between our server and the app."""
    return getattr(proxy_readers, request.param)(place, app.address)


@pytest.fixture(params=[1, 2])
def version(request):
    return request.param


@pytest.fixture
def make_proxy_pair(start_client, start_server, router, app, kind):
    """The pair, with a server that sends the header to `port`; of both ends with options."""

    def make(port, version=1, client=None, server=None):
        multiplex = "yes" if kind == "h2" else "no"
        server = {"protocol": "proxy", "protocolVersion": version, **(server or {})}
        server_end = start_server(port, multiplex=multiplex, **server)
        return Pair(start_client(router.port, multiplex=multiplex, **(client or {})), server_end, app)

    return make


def talk(stream):
    """A question and its answer."""
    stream.one.send(WORDS)
    assert stream.other.receive(len(WORDS)) == WORDS
    stream.other.send(LARGE)
    assert stream.one.receive(len(LARGE)) == LARGE


def end(stream):
    stream.one.finish()
    assert stream.other.receive_to_end() == (b"", Ending.FIN)
    stream.other.finish()
    assert stream.one.receive_to_end() == (b"", Ending.FIN)


def bars(address):
    """An address as the readers log it."""
    return "{}|{}".format(*address[:2])


def test_reader_sees_who_connected_and_where(make_proxy_pair, reader, version, kind, pod_port):
    pair = make_proxy_pair(reader.port, version)
    stream = pair.open()
    talk(stream)
    end(stream)
    closed = pair.server.expect_close("finished")
    seen = reader.seen()
    assert seen["from"] == closed["peer"].replace(":", "|")
    assert seen["to"] == f"127.0.0.1|{pod_port}"
    if version == 2:
        assert seen.get("sni", HOST) == HOST  # nginx has no word for it
    # On an h2 carrier that is the legacy program, on a raw one the router.
    assert (seen["from"] == bars(stream.one.address)) == (kind == "h2")
    # The header is none of the stream's bytes.
    assert (closed["up"], closed["down"]) == (str(len(WORDS)), str(len(LARGE)))


def test_app_that_speaks_first_gets_the_header_before(make_proxy_pair, app):
    pair = make_proxy_pair(app.address)
    stream = pair.open()
    read_header(stream.other)
    talk(stream)


def test_second_version_tells_of_tls_and_of_the_certificate(make_proxy_pair, app):
    stream = make_proxy_pair(app.address, 2).open()
    header = read_header(stream.other)
    assert header.tlv == {
        "AUTHORITY": HOST.encode(),
        "SSL": True,
        "SSL_CLIENT": 0x07,
        "SSL_VERIFY": 0,
        "SSL_VERSION": b"TLSv1.3",
        "SSL_CN": b"client",
        "SSL_CIPHER": b"TLS_AES_256_GCM_SHA384",
    }
    talk(stream)


def test_every_stream_has_a_header_of_its_own(make_proxy_pair, app, kind):
    pair = make_proxy_pair(app.address, 2)
    ports = set()
    for _ in range(10):
        stream = pair.open()
        header = read_header(stream.other)
        assert kind == "raw" or (str(header.src_addr), header.src_port) == stream.one.address
        ports.add(header.src_port)
        talk(stream)
    assert len(ports) == 10


@pytest.mark.parametrize("tls", ["TLSv1.2", "TLSv1.3"])
def test_certificate_of_a_resumed_session_is_one_of_the_session(make_proxy_pair, app, kind, tls):
    if kind == "h2":
        pytest.skip("its streams share a connection")
    pair = make_proxy_pair(app.address, 2, client={"sslVersion": tls})
    for client in (0x07, 0x05):
        stream = pair.open()
        tlv = read_header(stream.other).tlv
        assert (tlv["SSL_CLIENT"], tlv["SSL_VERIFY"], tlv["SSL_CN"]) == (client, 0, b"client")
        assert (tlv["SSL_VERSION"], tlv["AUTHORITY"]) == (tls.encode(), HOST.encode())
        talk(stream)
        end(stream)
        pair.client.wait_close()


def test_client_without_a_certificate_has_proved_nothing(make_proxy_pair, app):
    pair = make_proxy_pair(
        app.address, 2, client={"cert": None, "key": None}, server={"CAfile": None, "requireCert": "no"}
    )
    tlv = read_header(pair.open().other).tlv
    assert tlv["SSL_CLIENT"] == 0x01
    assert tlv["SSL_VERIFY"] != 0
    assert "SSL_CN" not in tlv


def test_certificate_that_nobody_verified_is_not_called_verified(make_proxy_pair, app, certificates):
    stranger = certificates.stranger_client
    pair = make_proxy_pair(
        app.address,
        2,
        client={"cert": stranger.certificate, "key": stranger.key},
        server={"CAfile": None, "verify": 0},
    )
    tlv = read_header(pair.open().other).tlv
    assert tlv["SSL_CLIENT"] == 0x07
    assert tlv["SSL_VERIFY"] != 0


def test_ipv4_beside_ipv6_is_mapped(place, make_proxy_pair, version, app, kind, pod_port):
    """The legacy program comes over IPv6, the router over IPv4."""
    if kind == "raw":
        pytest.skip("only an h2 carrier tells of the legacy program")
    port = place.ports.reserve(socket.AF_INET6)
    reader = proxy_readers.haproxy(place, app.address)
    make_proxy_pair(reader.port, version, client={"accept": f"::1:{port}"})
    program = legacy_program(("::1", port))
    app.accept()
    seen = reader.seen()
    assert seen["from"] == bars(program.address)
    assert seen["to"] == f"::ffff:127.0.0.1|{pod_port}"


def test_legacy_program_without_an_address_is_the_router(make_proxy_pair, app, short_folder):
    path = str(short_folder / "accept")
    pair = make_proxy_pair(app.address, client={"accept": path})
    program = legacy_program(path)
    visitor = app.accept()
    header = read_header(visitor)
    assert str(header.src_addr) == "127.0.0.1"
    assert header.src_port > 0
    program.close()
    assert visitor.receive_to_end() == (b"", Ending.FIN)
    visitor.close()
    pair.server.expect_close("finished")


def test_stunnel_in_front_of_our_server(place, router, start_server, app, reader, version, kind, pod_port):
    if kind == "h2":
        pytest.skip("stunnel has no h2 carriers")
    server = start_server(reader.port, protocol="proxy", protocolVersion=version)
    stream = Pair(pairs.stunnel_client(place, router.port), server, app).open()
    talk(stream)
    end(stream)
    seen = reader.seen()
    assert seen["from"] == server.expect_close("finished")["peer"].replace(":", "|")
    assert seen["to"] == f"127.0.0.1|{pod_port}"


def test_app_that_resets_at_once_resets_the_program(make_proxy_pair, app):
    pair = make_proxy_pair(app.address)
    program = pair.dial()
    app.accept().reset()
    assert program.receive_to_end() == (b"", Ending.RST)
    pair.server.expect_close({"program-reset", "app-unreachable"})


def test_app_that_is_not_there_is_told_as_ever(make_proxy_pair, app):
    pair = make_proxy_pair(app.address)
    app.close()
    assert pair.dial().receive_to_end() == (b"", Ending.RST)
    pair.server.expect_close("app-unreachable")


def test_probe_of_the_port_does_not_reach_the_app(make_proxy_pair, app, pod_port):
    pair = make_proxy_pair(app.address)
    probe = socket.create_connection(("127.0.0.1", pod_port))
    probe.close()
    stream = pair.open()  # had the probe reached the app, this would be its visitor
    read_header(stream.other)
    talk(stream)
    assert not app.has_visitor()
