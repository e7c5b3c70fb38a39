"""A TLS handshake is paid once: the next stream resumes the session."""

import pytest

from harness.certificates import HOST
from harness.programs import random_bytes

WORDS = random_bytes(5000)
# An h2 carrier pays its handshake once, whoever resumes.
KINDS = ["raw"]


def talk(pair):
    """One stream from its beginning to its end, and its close lines."""
    stream = pair.open()
    stream.one.send(WORDS)
    stream.one.finish()
    stream.other.receive_to_end()
    stream.other.send(WORDS)
    stream.other.close()
    stream.one.receive_to_end()
    stream.one.close()
    return stream.expect_close(one="finished", other="finished")


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_next_stream_resumes_the_session(make_pair, version):
    pair = make_pair(sslVersion=version)
    first = talk(pair)
    second = talk(pair)
    assert [(line["tls"], line["resumed"]) for line in first] == [(version, "no")] * 2
    assert [(line["tls"], line["resumed"]) for line in second] == [(version, "yes")] * 2


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_resumed_stream_still_says_who_the_peer_is(make_pair, version):
    pair = make_pair(sslVersion=version)
    for _ in range(2):
        client, server = talk(pair)
        assert "app.apps.test" in client["names"]
        assert "legacy.test" in server["names"]
        assert client["sni"] == server["sni"] == HOST


def test_session_of_a_server_that_is_gone_does_no_harm(make_pair, start_server, app):
    pair = make_pair()
    talk(pair)
    pair.server.process.stop()
    pair.server = start_server(app.address)
    client, _ = talk(pair)
    assert client["resumed"] == "no"
