"""Messages of TLS itself without end, once the handshake is done: for another handshake (TLS 1.2), tickets
(TLS 1.3).  Each costs far more to take than to send; a few are borne, and neighbours notice nothing."""

import contextlib
import ssl

import pytest

from harness import pairs
from harness.h2_meeting import Pod
from harness.h2_peer import ALPN
from harness.pairs import Pair
from harness.programs import legacy_program
from harness.talks import echo
from harness.tls_forger import CLIENT_HELLO, HANDSHAKE, HELLO_REQUEST, NEW_SESSION_TICKET
from harness.tls_forger import forging_client, forging_server

WORKERS = [1]
FLOOD = 1 << 20  # bytes at least, and 500 records
MOST_GROWTH = 8 << 20  # bytes that a process may keep of it
OLD, NEW = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def protocol_of(kind):
    return ALPN if kind == "h2" else None


def check_flood(peer, end, neighbour, content, reads):
    """Our `end` cuts the peer off, keeps nothing of it, and serves its neighbour all the while."""
    before = end.process.resident_bytes()
    peer.flood(HANDSHAKE, content, max(FLOOD, 500 * len(content)), reads)
    end.process.wait_line("the far end floods us with messages of TLS")
    echo(neighbour)
    if not pairs.is_sanitized():
        assert end.process.resident_bytes() - before < MOST_GROWTH


@pytest.mark.parametrize("together", [1, 3000], ids=["one a record", "a record full"])
@pytest.mark.parametrize("reads", [True, False], ids=["reads", "reads nothing"])
def test_client_that_asks_for_another_handshake_without_end(place, app, router, pair, kind, together, reads):
    neighbour = pair.open()
    peer = forging_client(place, router.port, OLD, protocol_of(kind))
    check_flood(peer, pair.server, neighbour, CLIENT_HELLO * together, reads)


CLIENT_FLOODS = {
    "requests, one a record": (OLD, HELLO_REQUEST),
    "requests, a record full": (OLD, HELLO_REQUEST * 4000),
    "tickets, one a record": (NEW, NEW_SESSION_TICKET),
    "tickets, a record full": (NEW, NEW_SESSION_TICKET * 800),
}


@pytest.mark.parametrize("reads", [True, False], ids=["reads", "reads nothing"])
@pytest.mark.parametrize("flood", CLIENT_FLOODS.values(), ids=CLIENT_FLOODS.keys())
def test_server_that_goes_on_shaking_hands_without_end(place, app, start_client, start_server, kind, flood, reads):
    """The neighbour is a second service of the client, with a server of ours."""
    version, content = flood
    multiplex = {"raw": "no", "h2": "yes"}[kind]
    server = start_server(app.address, multiplex=multiplex)
    with contextlib.closing(Pod(place, place.ports.reserve())) as pod:
        hostile = place.ports.reserve()
        also = [{"accept": f"127.0.0.1:{hostile}", "connect": f"127.0.0.1:{pod.port}", "multiplex": multiplex}]
        client = start_client(server.port, also=also, multiplex=multiplex, delay="yes", retry="no", TIMEOUTconnect=2)
        neighbour = Pair(client, server, app).open()
        echo(neighbour)
        program = legacy_program(hostile)
        peer = forging_server(place, pod.listener, version, protocol_of(kind))
        check_flood(peer, client, neighbour, content, reads)
        program.receive_to_end()
