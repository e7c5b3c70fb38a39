"""Nobody is in for good by rules that hold no more: a reload comes in the middle of a handshake, a
certificate expires on an open carrier."""

import datetime
import socket
import ssl
import struct

import pytest

from harness import waiting
from harness.certificates import HOST
from harness.changes import reload, rewrite
from harness.h2_peer import ALPN, GOAWAY
from harness.programs import is_reset
from harness.talks import WORDS, echo
from harness.tls_peer import TlsPeer, context_for, tls_client

WORKERS = [1]
STRICTER = "checkURI = spiffe://somebody/else"
HARMLESS = "TIMEOUTidle = 4321"


@pytest.fixture
def change(pair):
    """The server's file gets one more line, and is read again."""

    def do(line):
        rewrite(pair.server, "[svc]", f"[svc]\n{line}")
        reload(pair.server)

    return do


def come_in(pair, certificates, kind, meanwhile=None):
    protocol = ALPN if kind == "h2" else None
    return tls_client(certificates, pair.server.port, protocol=protocol, meanwhile=meanwhile)


def wait_goaway(peer):
    """Until the carrier is to be left."""
    while True:
        length, kind = struct.unpack("!IB", b"\0" + peer.receive(9)[:4])
        peer.receive(length)
        if kind == GOAWAY:
            return


def test_who_was_let_in_by_other_rules_does_not_stay(pair, app, certificates, kind, change):
    peer = come_in(pair, certificates, kind, meanwhile=lambda: change(STRICTER))
    if kind == "h2":
        wait_goaway(peer)
    else:
        peer.wait_alert()
        pair.server.process.wait_line("event=failed why=stopped .*a reload changed whom to let in")
    assert not app.has_visitor()


def test_who_would_be_let_in_again_is_served(pair, app, certificates, kind, change):
    peer = come_in(pair, certificates, kind, meanwhile=lambda: change(HARMLESS))
    if kind == "h2":
        wait_goaway(peer)
    else:
        peer.send(WORDS)
        assert app.accept().receive(len(WORDS)) == WORDS


def test_who_expires_meanwhile_opens_no_more_streams(make_pair, certificates, kind):
    """What is open goes on."""
    if kind == "raw":
        pytest.skip("there each stream is judged")
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=10)
    soon = certificates.issue("soon", "legacy.test", end=end.strftime("%Y%m%d%H%M%SZ"))
    pair = make_pair(client={"cert": soon.certificate, "key": soon.key, "carriers": 1})
    stream = pair.open()
    echo(stream)
    pair.client.process.wait_line("event=cert-expires")
    waiting.until(lambda: datetime.datetime.now(datetime.timezone.utc) > end, "the certificate expires")
    assert is_reset(pair.client.port, WORDS)
    pair.server.process.wait_line("event=failed why=cert-expired")
    echo(stream)


def test_who_says_the_first_word_later_is_judged_by_the_new_rules(pair, certificates, kind, change):
    if kind == "h2":
        pytest.skip("who is let in there is drained, and the neighbour is refused as well")
    sock = socket.create_connection(("127.0.0.1", pair.server.port), waiting.LIMIT)
    echo(pair.open())  # it was accepted before this one
    change(STRICTER)
    context = context_for(ssl.PROTOCOL_TLS_CLIENT, certificates.client, certificates.authority)
    with pytest.raises((ssl.SSLError, OSError, AssertionError)):
        TlsPeer(sock, context, server_hostname=HOST).receive(1)
    pair.server.process.wait_line("event=failed why=name-mismatch")
