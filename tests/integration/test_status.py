"""The status port: what it says is what happened, and nothing that is sent there does harm."""

import pathlib
import re
import signal
import socket
import time

import pytest

from harness import ports, waiting
from harness.pairs import RouteportEnd, client_options, routeport, routeport_client, routeport_server, write_ini
from harness.programs import App, random_bytes
from harness.status_port import StatusPort, codes, read_all
from harness.thread_stop import StoppedThread

from test_reload import reload, rewrite

WORDS = random_bytes(5000)
README = pathlib.Path(__file__).resolve().parents[2] / "server/README.md"


@pytest.fixture
def watched(place, make_pair):
    """Starts the pair with a status port at each end, which `client_status` and
    `server_status` of it are."""

    def make(**options):
        asked = {end: place.ports.reserve() for end in ("client", "server")}
        ends = {end: {"status": f"127.0.0.1:{port}", **options.pop(end, {})} for end, port in asked.items()}
        pair = make_pair(**ends, **options)
        pair.client_status, pair.server_status = StatusPort(asked["client"]), StatusPort(asked["server"])
        return pair

    return make


def both(pair):
    return pair.client_status, pair.server_status


def talk(pair):
    """One stream to its end: WORDS up, and twice as many down."""
    stream = pair.open()
    stream.one.send(WORDS)
    stream.one.finish()
    assert stream.other.receive_to_end()[0] == WORDS
    stream.other.send(WORDS * 2)
    stream.other.close()
    assert stream.one.receive_to_end()[0] == WORDS * 2
    stream.one.close()
    stream.expect_close(one="finished", other="finished")


# Metrics


def test_streams_bytes_and_endings_are_counted(watched):
    pair = watched()
    talk(pair)
    talk(pair)
    stream = pair.open()
    stream.one.send(WORDS)
    stream.other.receive(len(WORDS))
    for status in both(pair):
        status.wait_value(1, "open_streams", service="svc")
        assert status.value("streams_total", service="svc") == 3
        assert status.value("stream_endings_total", reason="finished") == 2
        assert status.value("stream_endings_total") == 2
        assert status.value("bytes_total", direction="up") == 3 * len(WORDS)
        assert status.value("bytes_total", direction="down") == 4 * len(WORDS)
    stream.one.reset()
    stream.other.wait_reset()
    pair.client_status.wait_value(1, "stream_endings_total", reason="program-reset")
    pair.server_status.wait_value(3, "stream_endings_total")
    for status in both(pair):
        status.wait_value(0, "open_streams")


def test_bytes_are_counted_while_they_move(watched):
    pair = watched()
    stream = pair.open()
    for number in range(1, 4):
        stream.one.send(WORDS)
        stream.other.receive(len(WORDS))
        for status in both(pair):
            status.wait_value(number * len(WORDS), "bytes_total", direction="up")


def test_carriers_and_handshakes_are_counted_by_kind(watched, kind):
    pair = watched()
    talk(pair)
    talk(pair)
    stream = pair.open()
    for status in both(pair):
        assert status.value("open_carriers", kind=kind) >= 1
        assert status.value("carriers_total", kind=kind) == status.value("handshakes_total")
        assert status.value("carriers_total", kind={"raw": "h2", "h2": "raw"}[kind]) == 0
        if kind == "raw":
            assert status.value("handshakes_total", kind="full") == 1
            assert status.value("handshakes_total", kind="resumed") == 2
    stream.one.close()
    stream.other.close()
    if kind == "raw":
        for status in both(pair):
            status.wait_value(0, "open_carriers")


def test_handshakes_that_fail_are_counted_by_reason(watched, certificates, kind):
    stranger = {"cert": certificates.stranger_client.certificate, "key": certificates.stranger_client.key}
    pair = watched(client={**stranger, "delay": "yes"})
    program = pair.dial()
    program.wait_reset() if kind == "h2" else program.receive_to_end()
    waiting.until(
        lambda: pair.server_status.value("handshake_failures_total", reason="unknown-ca") >= 1, "it is counted"
    )
    assert pair.server_status.value("handshakes_total") == 0
    assert pair.server_status.value("streams_total") == 0


def test_a_certificate_and_a_program_are_told_of(watched):
    pair = watched()
    end_of_2049 = 2524607999
    for status, name in zip(both(pair), ("routeport-client", "routeport-server")):
        assert status.value("certificate_expiry_timestamp_seconds", service="svc") == end_of_2049
        assert status.value("build_info", program=name) == 1
        assert abs(status.value("start_time_seconds") - time.time()) < 600
        assert 0 < status.value("open_descriptors") < status.value("max_descriptors")
        assert status.value("workers_stuck") == status.value("stopping") == 0


def test_counts_go_on_through_reloads_and_renewed_certificates(watched, certificates):
    pair = watched()
    talk(pair)
    stream = pair.open()
    rewrite(pair.server, "[svc]", "[svc]\nTIMEOUTclose = 59")
    reload(pair.server)
    talk(pair)
    rewrite(pair.server, "[svc]", f"[svc]\ncheckHost = legacy.test")
    reload(pair.server, 2)
    pair.server_status.wait_value(2, "stream_endings_total", reason="finished")
    assert pair.server_status.value("open_streams") == 1
    stream.one.close()
    stream.other.close()
    pair.server_status.wait_value(0, "open_streams")
    assert pair.server_status.value("stream_endings_total") == 3


def test_every_metric_stands_in_the_readme_and_no_other(watched):
    told = {}
    for family in watched().server_status.families().values():
        name = family.name + ("_total" if family.type == "counter" else "")
        told[name] = family.type
        assert family.documentation
        assert len(family.samples) > 0
    rows = re.findall(r"^\| (`routeport_[^|]*) \| (\w+) \|", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert {name: kind for names, kind in rows for name in re.findall(r"`(\w+)`", names)} == told


def test_any_name_of_a_service_is_a_label(place, make_pair):
    port = place.ports.reserve()
    pair = make_pair(client={"status": f"127.0.0.1:{port}"})
    odd = 'quo"te and back\\slash ü'
    rewrite(pair.client, "[svc]", f"[{odd}]")
    reload(pair.client)
    assert StatusPort(port).value("open_streams", service=odd) == 0


# Probes


def test_all_is_well(watched):
    for status in both(watched()):
        assert status.get("/livez") == (200, "live\n")
        assert status.get("/readyz") == (200, "ready\n")
        assert status.get("/livez?verbose") == (200, "live\n")


def test_a_server_without_its_app_lives_and_is_not_ready(watched, app, place):
    pair = watched()
    app.close()
    code, body = waiting.until(
        lambda: (said := pair.server_status.get("/readyz"))[0] == 503 and said, "it is not ready"
    )
    assert body == f"[svc] the app: connect 127.0.0.1:{app.address}: Connection refused\n"
    assert pair.server_status.code("/livez") == 200
    assert pair.client_status.code("/readyz") == 200
    again = App(app.address)
    waiting.until(lambda: pair.server_status.code("/readyz") == 200, "it is ready again")
    again.close()


def test_an_app_that_answers_streams_is_not_dialled(watched):
    pair = watched()
    stream = pair.open()
    for _ in range(5):
        assert pair.server_status.code("/readyz") == 200
    assert not pair.app.has_visitor()
    stream.one.close()
    stream.other.close()


def test_an_app_is_not_dialled_for_each_question(watched):
    pair = watched()
    begun = time.monotonic()
    for _ in range(10):
        assert pair.server_status.code("/readyz") == 200
    took = time.monotonic() - begun
    visits = 0
    while pair.app.has_visitor():
        pair.app.accept().close()
        visits += 1
    assert 1 <= visits <= 1 + took / 2


def test_a_server_that_was_told_to_stop_is_not_ready_and_lives(watched):
    pair = watched(server={"TIMEOUTlinger": 60})
    assert pair.server_status.code("/readyz") == 200
    stream = pair.open()
    pair.server.process.send_signal(signal.SIGTERM)
    pair.server.process.wait_line("event=stop")
    assert pair.server_status.get("/readyz") == (503, "told to stop: lingering\n")
    assert pair.server_status.code("/livez") == 200
    assert pair.server_status.value("stopping") == 1
    stream.one.close()
    stream.other.close()


def test_a_client_that_drains_is_not_ready(watched):
    pair = watched()
    stream = pair.open()
    pair.client.process.send_signal(signal.SIGTERM)
    pair.client.process.wait_line("event=drain")
    assert pair.client_status.get("/readyz") == (503, "told to stop: draining\n")
    stream.one.close()
    stream.other.close()


def test_a_worker_that_is_stuck_is_named_and_so_is_its_return(place, app, pod_port):
    status = StatusPort(place.ports.reserve())
    server = routeport_server(
        place, app.address, workers=1, port=pod_port, multiplex="no", status=f"127.0.0.1:{status.port}"
    )
    with socket.socket() as peer:
        worker = StoppedThread(server.process, lambda: peer.connect(("127.0.0.1", pod_port)))
        assert status.code("/livez") == 200
        server.process.wait_line('error event=stuck worker=0 seconds=10 doing="a TLS handshake"')
        assert status.get("/livez") == (503, "worker 0 has not turned for 10 s: a TLS handshake\n")
        assert status.value("workers_stuck") == 1
        worker.release()
        server.process.wait_line("warning event=turns-again worker=0")
        assert status.get("/livez") == (200, "live\n")


# HTTP


@pytest.fixture
def status(place, router):
    """The status port of a client that is alone."""
    port = place.ports.reserve()
    routeport_client(place, router.port, status=f"127.0.0.1:{port}", multiplex="no")
    return StatusPort(port)


def test_head_has_the_same_head_and_no_body(status):
    head, body = status.exchange(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").split(b"\r\n\r\n")
    alone, nothing = status.exchange(b"HEAD /livez HTTP/1.1\r\nHost: a\r\n\r\n").split(b"\r\n\r\n")
    assert body == b"live\n" and nothing == b""
    dateless = [re.sub(rb"Date: [^\r]*", b"", text) for text in (head, alone)]
    assert dateless[0] == dateless[1]
    assert b"\r\nContent-Length: 5\r\n" in head


def test_what_does_not_exist_and_what_is_not_allowed(status):
    assert status.code("/") == status.code("/metrics/") == status.code("/../etc/passwd") == 404
    assert status.code("/" + "x" * 2000) == 404
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"):
        answer = status.exchange(f"{method} /livez HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert codes(answer) == [405]
        assert b"\r\nAllow: GET, HEAD\r\n" in answer


def test_a_web_site_cannot_read_it_through_a_visitor(place, router):
    """Its name may lead to this address (DNS rebinding), but it is the name that the browser sends."""
    port = place.ports.reserve()
    options = {"status": f"127.0.0.1:{port}", "statusHost": ["metrics.example.com"], "multiplex": "no"}
    client = routeport_client(place, router.port, **options)
    status = StatusPort(port)

    def code(path, host):
        return status.get(path, "-H", f"Host: {host}")[0]

    for host in (f"127.0.0.1:{port}", "localhost", "[::1]:9080", "orders.shop.svc", "Metrics.Example.com."):
        assert code("/metrics", host) == 200
    assert code("/metrics", "site.example") == code("/", "site.example") == 421
    assert code("/livez", "site.example") == code("/readyz", "site.example") == 200
    assert "statusHost" in status.get("/metrics", "-H", "Host: site.example")[1]
    rewrite(client, "statusHost = metrics.example.com", "statusHost = site.example")
    reload(client)
    assert code("/metrics", "site.example") == 200
    assert code("/metrics", "metrics.example.com") == 421


def test_a_request_in_pieces_is_understood(status):
    request = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
    answer = status.exchange(*(request[i : i + 1] for i in range(len(request))))
    assert codes(answer) == [200]


def test_the_first_of_several_is_answered_and_the_connection_closed(status):
    """Whole, although more was sent than anybody reads."""
    answer = status.exchange(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n" * 250000)
    assert codes(answer) == [200]
    assert answer.endswith(b"live\n") and b"\r\nConnection: close\r\n" in answer


@pytest.mark.parametrize(
    "request_bytes, code",
    [
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"GET /livez\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 9000, 431),
        (b"x" * 9000, 431),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ],
)
def test_garbage_is_refused(status, request_bytes, code):
    assert codes(status.exchange(request_bytes)) == [code]


def test_who_is_slow_is_cut_off(status):
    with status.dial() as slow, status.dial() as silent:
        slow.sendall(b"GET /livez HTTP/1.1\r\n")
        begun = time.monotonic()
        assert read_all(slow) == read_all(silent) == b""
        assert time.monotonic() - begun > 2
    assert status.code("/livez") == 200


def test_the_oldest_of_too_many_goes(status):
    held = [status.dial() for _ in range(32)]
    waiting.until(lambda: status.code("/livez") == 200, "it answers beside those that hold it")
    assert read_all(held[0]) == b""
    last = held[-1]
    last.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
    assert codes(read_all(last)) == [200]
    for sock in held:
        sock.close()


def test_an_answer_that_does_not_fit_the_socket_is_sent_as_it_drains(place, router, certificates):
    """Many services make the metrics long; who asks reads little by little."""
    port = place.ports.reserve()
    services = [
        {"accept": f"127.0.0.1:{place.ports.reserve()}", **client_options(place, router.port), "multiplex": "no"}
        for _ in range(60)
    ]
    path = write_ini(place.folder / "many.ini", {"status": f"127.0.0.1:{port}", "workers": 1}, *services)
    RouteportEnd(place.processes.start([routeport("client"), path], name="routeport-client"), port)
    expected = StatusPort(port).get("/metrics")[1]
    assert len(expected) > 200000
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(waiting.LIMIT)
        sock.connect(("127.0.0.1", port))
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = read_all(sock)
    head, body = answer.split(b"\r\n\r\n", 1)
    assert f"Content-Length: {len(body)}\r\n".encode() in head
    assert body.count(b"\n") == expected.count("\n")


def test_a_unix_socket_will_do(place, router, short_folder):
    path = short_folder / "status"
    client = routeport_client(place, router.port, status=path, multiplex="no")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        sock.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
        assert codes(read_all(sock)) == [200]
    client.process.stop()
    assert not path.exists()


# Change


def test_the_port_may_change_and_one_that_stays_is_not_closed(place, watched):
    pair = watched()
    first, second = pair.client_status, StatusPort(place.ports.reserve())
    with first.dial() as held:
        rewrite(pair.client, f"127.0.0.1:{first.port}", f"127.0.0.1:{first.port}\nstatus = 127.0.0.1:{second.port}")
        reload(pair.client)
        assert first.code("/livez") == second.code("/livez") == 200
        held.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
        assert codes(read_all(held)) == [200]
    rewrite(pair.client, f"status = 127.0.0.1:{first.port}\n", "")
    reload(pair.client, 2)
    waiting.until(lambda: not ports.is_listening(first.port), "the old port is closed")
    assert second.code("/readyz") == 200


def test_a_port_that_is_taken_changes_nothing(watched, app):
    pair = watched()
    rewrite(pair.client, "status = ", f"status = 127.0.0.1:{app.address}\nstatus = ")
    pair.client.process.send_signal(signal.SIGHUP)
    assert "already in use" in pair.client.process.wait_line("error event=reload-failed .*status")
    assert pair.client_status.code("/livez") == 200


def test_a_client_that_answers_everybody_says_so(place, router):
    client = routeport_client(place, router.port, status=place.ports.reserve(), multiplex="no")
    assert client.process.lines_with('warning event=settings warning="status listens everywhere')
