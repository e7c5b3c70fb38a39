"""`protocol = connect`: an HTTP proxy stands between the host and the route."""

import contextlib

import pytest

from harness.certificates import HOST
from harness.http_proxy import PASSWORD, USER, ScriptedProxy, Tinyproxy
from harness.pairs import Pair, parse_line
from harness.programs import Ending, is_reset, legacy_program, random_bytes

WORKERS = [1]
WORDS = random_bytes(300000)


@pytest.fixture
def start_through(start_client, router):
    """Starts a client that goes through the proxies at these ports.  The proxy is asked for an
    address, since no name server here knows the route's host."""

    def start(*ports, **options):
        through = {
            "connect": [f"127.0.0.1:{port}" for port in ports],
            "protocol": "connect",
            "protocolHost": f"127.0.0.1:{router.port}",
        }
        return start_client(0, **{**through, **options})

    return start


def exchange(pair):
    stream = pair.open()
    stream.one.send(WORDS)
    stream.one.finish()
    assert stream.other.receive_to_end() == (WORDS, Ending.FIN)
    stream.other.send(WORDS)
    stream.other.close()
    assert stream.one.receive_to_end() == (WORDS, Ending.FIN)


def errors(end):
    return [parse_line(line) for line in end.process.lines_with(r"^\S+ error ")]


def expect_failure(client, why, *words):
    assert is_reset(client.port, b"hello")
    client.expect_close(why)
    (fields,) = errors(client)
    assert (fields["event"], fields["why"]) == ("failed", why)
    for word in words:
        assert word in fields["detail"]


# A real proxy


def test_streams_pass_a_real_proxy(place, start_through, start_server, app):
    server = start_server(app.address)
    pair = Pair(start_through(Tinyproxy(place).port), server, app)
    for _ in range(3):
        exchange(pair)
    assert errors(pair.client) == []


def test_real_proxy_that_wants_a_password_gets_it(place, start_through, start_server, app):
    server = start_server(app.address)
    proxy = Tinyproxy(place, authentication=True)
    pair = Pair(start_through(proxy.port, protocolUsername=USER, protocolPassword=PASSWORD), server, app)
    exchange(pair)
    for process in place.processes.all:
        if process.name.startswith("routeport"):
            assert not process.lines_with(PASSWORD)


@pytest.mark.parametrize("password, status", [(None, "407"), ("wrong", "401")])
def test_real_proxy_that_wants_another_password_refuses(place, start_through, password, status):
    options = {"protocolUsername": password and USER, "protocolPassword": password}
    client = start_through(Tinyproxy(place, authentication=True).port, **options)
    expect_failure(client, "proxy-refused", status, "protocolUsername and protocolPassword")


def test_real_proxy_that_forbids_the_port(place, start_through):
    client = start_through(Tinyproxy(place, allowed=1).port)
    expect_failure(client, "proxy-refused", "403")


def test_real_proxy_that_does_not_reach_the_route(place, start_through):
    nowhere = f"127.0.0.1:{place.ports.reserve()}"
    client = start_through(Tinyproxy(place).port, protocolHost=nowhere)
    expect_failure(client, "proxy-refused", f"CONNECT {nowhere}: 5")


def test_proxy_is_passed_over_when_it_is_down(place, start_through, start_server, app):
    server = start_server(app.address)
    dead = place.ports.reserve()
    pair = Pair(start_through(dead, Tinyproxy(place).port), server, app)
    for _ in range(3):
        exchange(pair)
    assert parse_line(pair.client.process.wait_line("event=target-rests"))["target"] == f"127.0.0.1:{dead}"


def test_stream_through_a_proxy_ends_as_others_do(place, start_through, start_server, app):
    server = start_server(app.address)
    pair = Pair(start_through(Tinyproxy(place).port), server, app)
    stream = pair.open()
    stream.one.send(WORDS)
    assert stream.other.receive(len(WORDS)) == WORDS
    stream.other.reset()
    assert stream.one.receive_to_end() == (b"", Ending.RST)


# A proxy of our own


@pytest.fixture
def make_proxy(place):
    with contextlib.ExitStack() as proxies:

        def make(answer):
            return proxies.enter_context(contextlib.closing(ScriptedProxy(place.ports.reserve(), answer)))

        yield make


def says(*pieces):
    def answer(visitor):
        for piece in pieces:
            visitor.send(piece)

    return answer


def test_what_a_proxy_is_asked(make_proxy, start_through):
    proxy = make_proxy(says(b"HTTP/1.1 403 No\r\n\r\n"))
    client = start_through(
        proxy.port,
        protocolHost="orders.example:443",
        protocolHeader=["User-Agent: routeport", "X-Site: 7"],
        protocolUsername=USER,
        protocolPassword=PASSWORD,
    )
    expect_failure(client, "proxy-refused", "403 No")
    assert proxy.requests[0] == (
        b"CONNECT orders.example:443 HTTP/1.1\r\nHost: orders.example:443\r\n"
        b"Proxy-Authorization: Basic bGVnYWN5Om9wZW5zZXNhbWU=\r\n"
        b"User-Agent: routeport\r\nX-Site: 7\r\n\r\n"
    )


@pytest.mark.parametrize(
    "pieces, words",
    [
        ([b"HTTP/1.1 407 Who\r\nProxy-Authenticate: NTLM\r\n\r\n"], ["407 Who", "NTLM", "Basic"]),
        ([b"HTTP/1.1 502 Bad Gateway\r\n\r\n<html>"], ["502 Bad Gateway", "does not reach"]),
        ([b"SSH-2.0-OpenSSH_9.2\r\n"], ["this is no HTTP proxy"]),
        ([bytes(100)], ["this is no HTTP proxy"]),
        ([b"HTTP/1.1 200 OK\r\nX: " + bytes([0x78] * 9000)], ["longer than 8192 bytes"]),
    ],
    ids=["407", "502", "another protocol", "zeros", "too long"],
)
def test_proxy_that_says_no(make_proxy, start_through, pieces, words):
    client = start_through(make_proxy(says(*pieces)).port)
    expect_failure(client, "proxy-refused", *words)


def test_proxy_that_closes(make_proxy, start_through):
    client = start_through(make_proxy(lambda visitor: visitor.close()).port)
    expect_failure(client, "proxy-refused", "closed without an answer")


def test_proxy_that_never_answers(make_proxy, start_through):
    held = []
    client = start_through(make_proxy(held.append).port, TIMEOUTconnect=1)
    program = legacy_program(client.port)
    assert program.receive_to_end() == (b"", Ending.RST)
    client.expect_close("open-timeout")


def test_proxy_that_speaks_behind_its_answer_is_no_route(make_proxy, start_through):
    """What follows the header comes from the far end, where TLS would not speak first."""
    client = start_through(make_proxy(says(b"HTTP/1.1 200 OK\r\n\r\n220 mail ESMTP\r\n")).port)
    expect_failure(client, "not-tls")


def test_name_and_check_follow_the_route_behind_the_proxy(make_proxy, start_through, router, start_server, app):
    """The router finds the route by protocolHost, which nobody here could look up."""
    server = start_server(app.address)

    def relay(visitor):
        visitor.relay_to(router.port, b"HTTP/1.1 200 OK\r\n\r\n")

    pair = Pair(start_through(make_proxy(relay).port, protocolHost=f"{HOST}:443", sni=None), server, app)
    exchange(pair)
    assert pair.client.expect_close("finished")["sni"] == HOST


def test_header_that_comes_byte_by_byte(make_proxy, start_through, router, start_server, app):
    server = start_server(app.address)

    def relay(visitor):
        visitor.relay_to(router.port, b"HTTP/1.1 200 OK\r\nVia: 1.1 slow\r\n\r\n", byte_by_byte=True)

    exchange(Pair(start_through(make_proxy(relay).port), server, app))
