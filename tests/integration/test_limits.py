"""Limits: too many streams, floods of handshakes that never end, no descriptors left.  Whoever behaves
is served all the same."""

import contextlib
import os
import pathlib
import re
import resource
import signal
import socket
import ssl
import struct
import subprocess
import time

import pytest

from harness import pairs, waiting
from harness.certificates import HOST
from harness.h2_peer import ALPN
from harness.pairs import Pair, routeport, server_options, write_ini
from harness.programs import legacy_program, random_bytes
from harness.talks import WORDS, echo, finish
from harness.tls_peer import tls_client

WORKERS = [1]

FLOOD = 1500  # more unfinished handshakes than a worker bears


@contextlib.contextmanager
def strangers(port, count):
    """Connections of whoever reaches the port."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(count)]


def seconds_of_cpu(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("limit", ["maxConnections", "maxStreams"])
def test_a_program_too_many_waits_for_one_to_end(make_pair, app, limit):
    pair = make_pair(client={limit: 2, "delay": "yes"})
    first, second = pair.open(), pair.open()
    echo(first)
    echo(second)
    third = pair.dial()
    third.send(WORDS)
    pair.client.process.wait_line("event=pause .*maxConnections or maxStreams is reached")
    assert third.is_silent_for(0.5)
    assert not app.has_visitor()
    finish(first)
    visitor = app.accept()
    assert visitor.receive(len(WORDS)) == WORDS
    echo(second)


def test_a_full_server_sends_its_client_to_the_next_target(start_client, start_server, app, place, router, kind):
    options = {"multiplex": {"raw": "no", "h2": "yes"}[kind]}
    full = start_server(app.address, maxStreams=1, **options)
    spare = pairs.routeport_server(place, app.address, **options)
    client = start_client(router.port, connect=[f"127.0.0.1:{router.port}", f"127.0.0.1:{spare.port}"], **options)
    pair = Pair(client, full, app)
    first = pair.open()
    echo(first)
    second = pair.open()
    echo(second)
    finish(second)
    spare.expect_close("finished")


def test_handshakes_that_never_end_keep_nobody_out(pair):
    stream = pair.open()
    echo(stream)
    before = pair.server.process.resident_bytes()
    with strangers(pair.server.port, FLOOD):
        pair.server.process.wait_line("too many unfinished handshakes")
        echo(stream)
        echo(pair.open())
        grown = pair.server.process.resident_bytes() - before
    assert grown < 100 << 20
    echo(stream)


def test_handshakes_that_never_end_take_no_connection_from_anybody(make_pair):
    """Neither from a stream on a carrier that is open, nor from who comes in anew."""
    most = 40
    pair = make_pair(server={"maxConnections": most})
    stream = pair.open()
    echo(stream)
    with strangers(pair.server.port, 3 * most // 4):  # not so many that there would be no room
        pair.server.process.wait_line("too many unfinished handshakes")
        others = [pair.open() for _ in range(3 * most // 4)]
        for other in [stream, *others]:
            echo(other)
    assert not pair.server.process.lines_with("maxConnections is reached")


def has_ended(guest):
    guest.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        return not guest.recv(1, socket.MSG_PEEK)
    return False


def test_silent_strangers_drive_nobody_out_who_has_greeted(make_pair, router, certificates, kind):
    """Whose handshake takes a round trip more than theirs, and began before all of them."""
    pair = make_pair(server={"maxConnections": 40})
    with contextlib.ExitStack() as stack:

        def flood():
            guests = stack.enter_context(strangers(pair.server.port, 200))
            waiting.until(lambda: sum(map(has_ended, guests)) >= 150, "most of them gave way")

        peer = tls_client(certificates, router.port, meanwhile=flood, protocol=ALPN if kind == "h2" else None)
    peer.send(b"x")


def send_junk(port, certificates):
    guest = socket.create_connection(("127.0.0.1", port))
    with contextlib.suppress(OSError):
        guest.sendall(b"GET / HTTP/1.0\r\n\r\n")
    return guest


def come_without_h2(port, certificates):
    return tls_client(certificates, port)


def come_with_h2(port, certificates):
    return tls_client(certificates, port, protocol=ALPN)


@pytest.mark.parametrize(
    "come, kinds, refusal",
    [
        (send_junk, ["raw", "h2"], "why=(probe|not-tls)"),
        (come_without_h2, ["h2"], "why=no-protocol .*does not offer"),
        (come_with_h2, ["h2"], "why=full .*too many carriers"),
    ],
    ids=["junk", "without h2", "too many carriers"],
)
def test_refused_connections_are_counted_until_they_are_gone(make_pair, certificates, kind, come, kinds, refusal):
    """And the first to give way: they take neither descriptors nor places."""
    if kind not in kinds:
        pytest.skip("nobody is refused for that")
    most = 40
    pair = make_pair(server={"maxConnections": most})
    process = pair.server.process
    stream = pair.open()
    echo(stream)
    guests = []
    while not process.lines_with(f"event=failed {refusal}"):
        guests.append(come(pair.server.port, certificates))
    before = process.open_descriptors()
    for _ in range(4):
        guests += [come(pair.server.port, certificates) for _ in range(most)]
        assert process.open_descriptors() - before <= most
    echo(stream)
    echo(pair.open())
    assert not process.lines_with("maxConnections is reached")


def test_garbage_is_named_once_and_keeps_nobody_out(pair):
    stream = pair.open()
    with strangers(pair.server.port, 50) as guests:
        for number, guest in enumerate(guests):
            with contextlib.suppress(OSError):
                guest.sendall(random_bytes(2000, seed=number))
        for guest in guests:
            with contextlib.suppress(OSError):
                while guest.recv(1000):
                    pass
        echo(stream)
    pair.server.process.wait_line("event=failed why=(not-tls|tls-failed)")
    assert len(pair.server.process.lines_with("event=failed why=(not-tls|tls-failed)")) <= 10


def read_to_end(guest):
    received = b""
    with contextlib.suppress(OSError):
        while piece := guest.recv(1000):
            received += piece
    return received


def test_a_handshake_that_is_too_large_is_ended_by_an_alert(pair):
    stream = pair.open()
    record = b"\x16\x03\x01\x40\x00" + b"\x00" * 0x4000
    for hello in (record[:5] + b"\x01\x00\x80\x01", record[:5] + b"\x01\x0f\xff\xff" + record[:-4]):
        with strangers(pair.server.port, 1) as (guest,):
            with contextlib.suppress(OSError):
                guest.sendall(hello)
            answer = read_to_end(guest)
            assert answer[0] == 21 and answer[5] == 2, "a fatal alert"
    echo(stream)
    pair.server.process.wait_line("event=failed why=tls-failed .*ClientHello is too large")


def test_a_stranger_s_end_in_the_middle_of_the_handshake_opens_nothing(pair, app):
    """A close_notify that nobody encrypted is no end in good order, and no stream."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=HOST)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    with strangers(pair.server.port, 1) as (guest,):
        guest.sendall(outgoing.read())
        guest.recv(1)  # the server's answer begins
        guest.sendall(b"\x15\x03\x03\x00\x02\x01\x00")
        pair.server.process.wait_line("event=failed why=tls-failed .*close_notify")
    assert not app.has_visitor()
    echo(pair.open())


def test_a_handshake_of_a_byte_now_and_then_ends_in_time(make_pair):
    pair = make_pair(server={"TIMEOUTbusy": 2})
    stream = pair.open()
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500
    with strangers(pair.server.port, 1) as (guest,):
        guest.settimeout(0.2)
        begun = time.monotonic()
        ended = False
        for at in range(len(hello)):
            try:
                guest.sendall(hello[at : at + 1])
                ended = guest.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
            if ended or time.monotonic() > begun + waiting.LIMIT:
                break
        assert ended
    pair.server.process.wait_line("event=failed why=open-timeout")
    echo(stream)


def test_out_of_descriptors_accepting_pauses_and_comes_back(place, app, start_client, router, pod_port, kind):
    """No spin, no exit, one line."""
    multiplex = {"raw": "no", "h2": "yes"}[kind]
    options = {"accept": f"127.0.0.1:{pod_port}", **server_options(place, app.address), "multiplex": multiplex}
    options["TIMEOUTbusy"] = 30
    path = write_ini(place.folder / "server.ini", {"maxConnections": 1000, "workers": 1, "debug": 7}, options)
    process = place.processes.start(["prlimit", "--nofile=40:40", routeport("server"), path], name="routeport-server")
    process.wait_line("event=ready")
    with strangers(pod_port, 60):
        process.wait_line("event=pause .*Too many open files")
        before = seconds_of_cpu(process)
        time.sleep(1)  # the time in which a spin would show
        assert seconds_of_cpu(process) - before < 0.5
    client = start_client(router.port, multiplex=multiplex)
    waiting.until(lambda: process.open_descriptors() < 35, "the strangers are gone")
    program = legacy_program(client.port)
    program.send(WORDS)
    visitor = app.accept()
    assert visitor.receive(len(WORDS)) == WORDS
    assert len(process.lines_with("event=pause")) == 1


@pytest.mark.parametrize("soft, hard, starts", [(64, 1024, True), (64, 128, False)])
def test_the_limit_of_descriptors_is_raised_before_it_listens(place, app, soft, hard, starts):
    """Each of 16 services takes one descriptor for each of 16 workers."""
    also = [{**server_options(place, app.address), "accept": f"127.0.0.1:{place.ports.reserve()}"} for _ in range(16)]
    path = write_ini(place.folder / "server.ini", {"workers": 16}, *also)
    process = place.processes.start(["prlimit", f"--nofile={soft}:{hard}", routeport("server"), path], name="server")
    if starts:
        process.wait_line("event=ready")
    else:
        assert process.wait_exit() == 1
        (line,) = process.lines_with("event=exit")
        assert f"(RLIMIT_NOFILE) is {hard}" in line and "LimitNOFILE" in line and "Too many open files" in line


@pytest.fixture
def without_ipv4():
    """Words that start a program on a host which has it on the loopback alone."""
    name = f"routeport-six-{os.getpid()}"
    try:
        subprocess.run(["ip", "netns", "add", name], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"network namespaces need root and iproute2: {error}")
    try:
        for words in ("link set lo up", "link add eth0 type veth peer name far", "link set eth0 up", "link set far up", "address add 2001:db8::7/64 dev eth0 nodad"):
            subprocess.run(["ip", "-n", name, *words.split()], check=True)
        yield ["ip", "netns", "exec", name]
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False)


@pytest.mark.parametrize("ipv4", [False, True], ids=["no IPv4", "IPv4"])
def test_a_port_alone_is_reached_on_a_host_without_ipv4(place, app, without_ipv4, ipv4):
    """By both, so that a probe on 127.0.0.1 works too; where there is IPv4 all stays as it was."""
    if ipv4:
        subprocess.run([*without_ipv4, "ip", "address", "add", "192.0.2.7/24", "dev", "eth0"], check=True)
    path = write_ini(place.folder / "server.ini", {"workers": 2, "status": 9080}, {**server_options(place, app.address), "accept": 8443})
    process = place.processes.start([*without_ipv4, routeport("server"), path], name="routeport-server")
    process.wait_line("event=ready")

    def codes():
        hosts = ["127.0.0.1", "192.0.2.7"] if ipv4 else ["127.0.0.1", "[2001:db8::7]"]
        return {
            subprocess.run([*without_ipv4, "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://{host}:9080/livez"], capture_output=True, text=True, check=False).stdout
            for host in hosts
        }

    assert codes() == {"200"}
    listening = subprocess.run([*without_ipv4, "ss", "-Hltn"], capture_output=True, text=True, check=True).stdout
    assert {line.split()[3] for line in listening.splitlines()} == ({"0.0.0.0:8443", "0.0.0.0:9080"} if ipv4 else {"*:8443", "*:9080"})
    if not ipv4:  # it gets some: what is open stays, and takes it
        subprocess.run([*without_ipv4, "ip", "address", "add", "192.0.2.7/24", "dev", "eth0"], check=True)
        process.send_signal(signal.SIGHUP)
        process.wait_line("event=reloaded")
        assert codes() == {"200"}


def test_carriers_opened_ahead_leave_descriptors_to_streams(place, app, pod_port):
    """A hundred services, and a limit that their carriers alone would use up."""
    server = pairs.routeport_server(place, app.address, port=pod_port, multiplex="yes")
    options = {**pairs.client_options(place, pod_port), "multiplex": "yes"}
    services = [{**options, "accept": f"127.0.0.1:{place.ports.reserve()}"} for _ in range(100)]
    path = write_ini(place.folder / "client.ini", {"workers": 1, "debug": 7}, *services)
    process = place.processes.start(["prlimit", "--nofile=190:190", routeport("client"), path], name="routeport-client")
    streams = int(re.search(r"streams=(\d+)", process.wait_line("event=ready"))[1])
    assert 5 <= streams <= 60
    waiting.until(lambda: process.open_descriptors() > 125, "carriers are opened ahead")
    port = services[-1]["accept"].rsplit(":", 1)[1]
    client = pairs.RouteportEnd(process, int(port))
    for _ in range(5):
        echo(Pair(client, server, app).open())
    assert not process.lines_with("event=pause")


def test_carriers_without_streams_make_room_for_programs(place, app, pod_port):
    """Of all workers; they are opened again once the programs have gone."""
    pairs.routeport_server(place, app.address, port=pod_port, multiplex="yes")
    options = {**pairs.client_options(place, pod_port), "multiplex": "yes"}
    services = [{**options, "accept": f"127.0.0.1:{place.ports.reserve()}"} for _ in range(8)]
    path = write_ini(place.folder / "client.ini", {"workers": 2, "debug": 7, "maxConnections": 1000}, *services)
    process = place.processes.start(["prlimit", "--nofile=140:140", routeport("client"), path], name="routeport-client")
    process.wait_line("event=ready")
    idle = 2 * (len(services) - 1)  # the first service has the programs

    def opened():
        return len(process.lines_with("event=carrier-open"))

    waiting.until(lambda: opened() == 2 * len(services), "each worker opens its carriers ahead")
    port = int(services[0]["accept"].rsplit(":", 1)[1])
    with strangers(port, 200) as programs:
        for program in programs:  # no stream waits for the app's FIN
            program.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        process.wait_line("event=pause .*Too many open files")
        process.wait_line("event=carrier-end why=finished", idle)
        before = opened()
        time.sleep(3)  # they would be dialled again within 1.25 s
        assert opened() == before
    waiting.until(lambda: opened() >= before + idle, "they are back")


def lowest_free_descriptor(process):
    taken = {int(name) for name in os.listdir(f"/proc/{process.pid}/fd")}
    return min(set(range(max(taken) + 2)) - taken)


def test_a_dial_without_a_descriptor_gets_that_of_an_idle_carrier(place, app, pod_port):
    """A program is accepted with the last one; its stream is not reset for want of another."""
    server = pairs.routeport_server(place, app.address, port=pod_port)
    options = pairs.client_options(place, pod_port)
    raw, *others = ({**options, "accept": f"127.0.0.1:{place.ports.reserve()}"} for _ in range(4))
    raw["multiplex"] = "no"
    path = write_ini(place.folder / "client.ini", {"workers": 1, "debug": 7}, raw, *({**one, "multiplex": "yes"} for one in others))
    process = place.processes.start([routeport("client"), path], name="routeport-client")
    process.wait_line("event=ready")
    process.wait_line("event=carrier-open", len(others))
    last = lowest_free_descriptor(process)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (last + 1, last + 1))
    echo(Pair(pairs.RouteportEnd(process, int(raw["accept"].rsplit(":", 1)[1])), server, app).open())
    process.wait_line("event=carrier-end why=finished", len(others))
    process.wait_line("event=pause .*dialling pauses: this process has no file descriptor left")
