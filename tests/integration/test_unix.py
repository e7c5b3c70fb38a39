"""Unix sockets and IPv6, for `accept` and for `connect`."""

import concurrent.futures
import contextlib
import socket

import pytest

from harness import pairs
from harness.certificates import HOST
from harness.programs import App, Ending, legacy_program, random_bytes

LARGE = random_bytes(2_000_000)


def say_all(speaker):
    speaker.send(LARGE)
    speaker.finish()


def carry_both_ways(program, app):
    """A question and an answer; each end of the stream arrives.  They are larger than what
    Unix sockets and windows hold, so somebody must read meanwhile."""
    visitor = app.accept()
    with concurrent.futures.ThreadPoolExecutor(1) as background:
        background.submit(say_all, program)
        assert visitor.receive_to_end() == (LARGE, Ending.FIN)
        background.submit(say_all, visitor)
        assert program.receive_to_end() == (LARGE, Ending.FIN)


def test_legacy_program_on_a_unix_socket(make_pair, app, short_folder):
    path = str(short_folder / "accept")
    make_pair(client={"accept": path})
    carry_both_ways(legacy_program(path), app)


def test_app_on_a_unix_socket(start_client, start_server, router, short_folder):
    with contextlib.closing(App(str(short_folder / "app"))) as app:
        start_server(app.address)
        carry_both_ways(legacy_program(start_client(router.port).port), app)


def test_unix_sockets_at_both_ends(start_client, start_server, router, short_folder):
    accept, connect = str(short_folder / "accept"), str(short_folder / "app")
    with contextlib.closing(App(connect)) as app:
        start_server(connect)
        start_client(router.port, accept=accept)
        carry_both_ways(legacy_program(accept), app)


def test_unix_socket_that_a_killed_client_left_behind_is_taken_over(make_pair, start_client, router, app, short_folder):
    path = str(short_folder / "accept")
    make_pair(client={"accept": path}).client.process.kill()
    start_client(router.port, accept=path)
    carry_both_ways(legacy_program(path), app)


def test_app_that_is_gone_from_its_unix_socket_ends_the_stream(make_pair, short_folder):
    pair = make_pair(server={"connect": str(short_folder / "nobody")})
    program = pair.dial()
    assert program.receive_to_end() == (b"", Ending.RST)
    pair.server.expect_close("app-unreachable")


@pytest.fixture
def ipv6(place):
    """Ports of ::1, if this machine has it."""
    try:
        return lambda: place.ports.reserve(socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 here")


def test_ipv6_at_both_ends(start_client, start_server, router, ipv6):
    accept = ipv6()
    with contextlib.closing(App(("::1", ipv6()))) as app:
        start_server(app.address, connect=f"::1:{app.address[1]}")
        start_client(router.port, accept=f"::1:{accept}")
        carry_both_ways(legacy_program(("::1", accept)), app)


def test_ipv6_on_the_route(start_client, start_server, app, ipv6):
    """Without the router, which listens on IPv4 alone."""
    port = ipv6()
    start_server(app.address, accept=f"::1:{port}")
    client = start_client(port, connect=f"::1:{port}", sni=HOST)
    carry_both_ways(legacy_program(client.port), app)


def test_many_accepts_of_one_service(make_pair, place, app):
    ports = [place.ports.reserve() for _ in range(3)]
    make_pair(client={"accept": [f"127.0.0.1:{port}" for port in ports]})
    for port in ports:
        carry_both_ways(legacy_program(port), app)


def test_many_services_in_one_file(place, router, start_server, app, kind):
    start_server(app.address)
    ports = [place.ports.reserve() for _ in range(3)]
    options = {**pairs.client_options(place, router.port), "multiplex": "yes" if kind == "h2" else "no"}
    services = [{**options, "accept": f"127.0.0.1:{port}"} for port in ports]
    path = pairs.write_ini(place.folder / "services.ini", {"debug": 7}, *services)
    client = place.processes.start([pairs.routeport("client"), path])
    client.wait_line("event=ready")
    for port, name in zip(ports, ("svc", "svc-2", "svc-3")):
        carry_both_ways(legacy_program(port), app)
        client.wait_line(f"event=close .*service={name} ")
