"""Floods of strangers who speak TLS as it should be spoken: an honest client gets in all the same, and the
log stays readable."""

import collections
import contextlib
import socket
import ssl
import subprocess
import threading
import time

import pytest

from harness import waiting
from harness.certificates import HOST
from harness.talks import echo
from harness.tls_peer import TlsPeer, tls_client

WORKERS = [1]
TEXTS = 8  # a minute, of each kind
NAMES, CERTIFICATES = 300, 30


def client_hello(name=HOST):
    outgoing = ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


class Flood:
    """Strangers who say `words` and then nothing, one after the other; the latest of them stay."""

    def __init__(self, port, words):
        self._port, self._words = port, words
        self._guests = collections.deque(maxlen=1000)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._over.is_set():
            with contextlib.suppress(OSError):
                self._guests.append(socket.create_connection(("127.0.0.1", self._port)))
                self._guests[-1].sendall(self._words)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
        for guest in self._guests:
            guest.close()


@pytest.mark.parametrize("words", [b"", client_hello()], ids=["nothing", "a ClientHello"])
def test_a_flood_that_goes_on_keeps_nobody_out(make_pair, app, certificates, words, kind):
    if kind == "h2":
        pytest.skip("there a carrier is open already")
    pair = make_pair(server={"maxConnections": 200})
    stream = pair.open()
    echo(stream)

    def gets_in():
        try:
            peer = tls_client(certificates, pair.server.port)
            peer.send(b"x")
            return app.accept().receive(1) == b"x"
        except (AssertionError, OSError):
            return False

    with Flood(pair.server.port, words):
        pair.server.process.wait_line("too many unfinished handshakes")
        for _ in range(5):
            waiting.until(gets_in, "an honest client gets in", 20)
        echo(stream)
    assert not pair.server.process.lines_with("maxConnections is reached")


def is_refused(port, context, name):
    sock = socket.create_connection(("127.0.0.1", port), waiting.LIMIT)
    with contextlib.closing(sock), contextlib.suppress(ssl.SSLError, OSError, AssertionError):
        TlsPeer(sock, context, server_hostname=name).receive(1)
        return False
    return True


def context_of_a_stranger(place, name=None):
    """`name`: in a certificate that it signed itself."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if name:
        key, certificate = place.folder / "stranger.key", place.folder / "stranger.crt"
        words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        words += ["-subj", f"/CN={name}", "-keyout", key, "-out", certificate]
        subprocess.run(words, check=True, capture_output=True)
        context.load_cert_chain(certificate, key)
    return context


def test_words_of_strangers_do_not_flood_the_log(make_pair, place, kind):
    if kind == "h2":
        pytest.skip("the handshake is the same")
    pair = make_pair(server={"sniStrict": "yes", "sni": f"svc:{HOST}"})
    port = pair.server.port
    begun = time.monotonic()
    nobody = context_of_a_stranger(place)
    for number in range(NAMES):
        assert is_refused(port, nobody, f"n{number}.apps.test")
    for number in range(CERTIFICATES):
        assert is_refused(port, context_of_a_stranger(place, f"c{number}.test"), HOST)
    kinds = {f"event=failed why={why} service=svc .*": count for why, count in (("sni-unknown", NAMES), ("unknown-ca", CERTIFICATES))}
    minutes = 1 + int((time.monotonic() - begun) / 60)
    for pattern in kinds:
        assert 1 <= len(pair.server.process.lines_with(pattern + "peer=")) <= TEXTS * minutes
    echo(pair.open())

    def counted(pattern):
        lines = pair.server.process.lines_with(pattern + "left-out=")
        return sum(int(line.rsplit("left-out=", 1)[1]) for line in lines) + len(pair.server.process.lines_with(pattern + "peer="))

    waiting.until(lambda: all(counted(p) == count for p, count in kinds.items()), "the rest is told of", 150)
