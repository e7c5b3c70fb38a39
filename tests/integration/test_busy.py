"""Addresses that another program has: the others are served, and those are taken once they are free."""

import contextlib
import signal
import socket

import pytest

from harness.changes import rewrite
from harness.pairs import Pair
from harness.status_port import StatusPort
from harness.talks import echo

KINDS = ["raw"]
WORKERS = [1, 3]


@pytest.fixture
def busy():
    """A port that is somebody else's, who is closed to give it free."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as other:
        yield other


def port_of(sock):
    return sock.getsockname()[1]


@pytest.fixture
def client(start_client, router, place, busy):
    """It cannot have one address of its first service, nor the only one of its second."""
    status = place.ports.reserve()
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as stays:
        port = place.ports.reserve()
        client = start_client(
            router.port, port=port, status=status, multiplex="no",
            accept=[f"127.0.0.1:{port}", f"127.0.0.1:{port_of(stays)}"],
            also=[{"multiplex": "no", "accept": f"127.0.0.1:{port_of(busy)}"}],
        )
        client.status, client.stays = StatusPort(status), port_of(stays)
        yield client


def test_one_of_several_is_taken_once_it_is_free(client, start_server, app, busy):
    pair = Pair(client, start_server(app.address, multiplex="no"), app)
    echo(pair.open())
    for service, port in (("svc", client.stays), ("svc-2", port_of(busy))):
        assert client.process.lines_with(f"error event=listen-failed service={service} .*127.0.0.1:{port}: Address already in use")
        assert f"[{service}] listen on 127.0.0.1:{port}: Address already in use" in client.status.get("/readyz")[1]
    assert client.status.code("/readyz") == 503 and client.status.code("/livez") == 200
    port = port_of(busy)
    busy.close()
    client.process.wait_line(f"info event=listening service=svc-2 accept=127.0.0.1:{port}$")
    code, text = client.status.get("/readyz")
    assert code == 503 and f":{client.stays}:" in text and f":{port}:" not in text
    client.port = port
    echo(pair.open())


def test_a_reload_goes_on_without_it_and_refuses_another(client, app):
    rewrite(client, "[svc]", "[svc]\nTIMEOUTidle = 77")
    client.process.send_signal(signal.SIGHUP)
    client.process.wait_line("event=reloaded")
    assert f":{client.stays}:" in client.status.get("/readyz")[1]
    rewrite(client, "[svc]", f"[svc]\naccept = 127.0.0.1:{app.address}")
    client.process.send_signal(signal.SIGHUP)
    assert "already in use" in client.process.wait_line("error event=reload-failed")


def test_a_status_port_that_is_taken_keeps_no_stream_out(start_client, start_server, router, app, busy):
    client = start_client(router.port, status=f"127.0.0.1:{port_of(busy)}", multiplex="no")
    assert client.process.lines_with("error event=listen-failed service=status .*already in use")
    echo(Pair(client, start_server(app.address, multiplex="no"), app).open())
