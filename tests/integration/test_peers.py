"""Somebody else's TLS at one end, ours at the other.

Which endings a foreign peer can tell at all was measured; the tests ask for those alone.
What every peer can do is carry bytes both ways; stunnel keeps a half-close alive, and
stunnel and haproxy pass our abort on.
"""

import pytest

from harness import pairs
from harness.pairs import Pair
from harness.programs import Ending, random_bytes

WORDS = random_bytes(5000)
LARGE = random_bytes(2_000_000)
WORKERS = [1]
KINDS = ["raw"]


EVERY_PAIR = ["stunnel serves", "stunnel dials", "haproxy serves"]


@pytest.fixture
def mixed_pair(request, place, router, app, pod_port, start_client, start_server):
    """A pair with a foreign program at the end that `request.param` names."""
    match request.param:
        case "stunnel serves":
            ends = start_client(router.port), pairs.stunnel_server(place, app.address, port=pod_port)
        case "haproxy serves":
            ends = start_client(router.port), pairs.haproxy_server(place, app.address, port=pod_port)
        case "stunnel dials":
            ends = pairs.stunnel_client(place, router.port), start_server(app.address)
    return Pair(*ends, app)


@pytest.mark.parametrize("mixed_pair", EVERY_PAIR, indirect=True)
def test_bytes_both_ways(mixed_pair, acts):
    stream = mixed_pair.open(acts)
    for _ in range(3):
        stream.one.send(LARGE)
        assert stream.other.receive(len(LARGE)) == LARGE
        stream.other.send(WORDS)
        assert stream.one.receive(len(WORDS)) == WORDS


@pytest.mark.parametrize("mixed_pair", EVERY_PAIR, indirect=True)
def test_answer_to_a_half_close(mixed_pair):
    """The legacy program asks and finishes, the app answers and finishes."""
    stream = mixed_pair.open()
    stream.one.send(LARGE)
    stream.one.finish()
    assert stream.other.receive_to_end() == (LARGE, Ending.FIN)
    stream.other.send(LARGE)
    stream.other.finish()
    assert stream.one.receive_to_end() == (LARGE, Ending.FIN)


@pytest.mark.parametrize("mixed_pair", ["stunnel serves", "stunnel dials"], indirect=True)
def test_stunnel_keeps_a_half_closed_stream_for_longer_than_the_router(mixed_pair, acts):
    stream = mixed_pair.open(acts)
    stream.one.send(WORDS)
    stream.one.finish()
    assert stream.other.receive_to_end() == (WORDS, Ending.FIN)
    assert stream.one.is_silent_for(2)
    stream.other.send(LARGE)
    stream.other.finish()
    assert stream.one.receive_to_end() == (LARGE, Ending.FIN)


@pytest.mark.parametrize(
    "mixed_pair, acts",
    [("stunnel serves", "legacy program"), ("stunnel dials", "app"), ("haproxy serves", "legacy program")],
    indirect=["mixed_pair"],
)
def test_reset_at_our_end_is_passed_on(mixed_pair, acts):
    stream = mixed_pair.open(acts)
    stream.one.send(WORDS)
    assert stream.other.receive(len(WORDS)) == WORDS
    stream.one.reset()
    assert stream.other.receive_to_end() == (b"", Ending.RST)
    stream.one_end.expect_close("program-reset")


@pytest.mark.parametrize("mixed_pair", ["stunnel serves", "haproxy serves"], indirect=True)
def test_next_stream_resumes_the_foreign_session(mixed_pair):
    for resumed in ("no", "yes"):
        stream = mixed_pair.open()
        stream.other.send(WORDS)
        assert stream.one.receive(len(WORDS)) == WORDS
        stream.one.finish()
        stream.other.receive_to_end()
        stream.other.finish()
        stream.one.receive_to_end()
        assert mixed_pair.client.expect_close("finished")["resumed"] == resumed


def test_s_client_talks_to_our_server(place, router, app, start_server):
    server = start_server(app.address)
    program = pairs.openssl_client(place, router.port)
    visitor = app.accept()
    program.write(WORDS)
    assert visitor.receive(len(WORDS)) == WORDS
    visitor.send(LARGE)
    assert program.read(len(LARGE)) == LARGE
    program.close_stdin()
    assert visitor.receive_to_end() == (b"", Ending.FIN)
    visitor.close()
    server.expect_close("finished")


def test_s_server_talks_to_our_client(place, router, pod_port, start_client):
    app = pairs.openssl_server(place, pod_port)
    client = start_client(router.port)
    program = pairs.legacy_program(client.port)
    program.send(LARGE)
    assert app.read(len(LARGE)) == LARGE
    app.write(WORDS)
    assert program.receive(len(WORDS)) == WORDS
