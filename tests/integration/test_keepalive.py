"""A silent stream lives on an h2 carrier, whatever the router's idle limit; a path that is dead is
found out."""

from harness.certificates import HOST
from harness.pairs import Pair
from harness.programs import Ending, random_bytes

KINDS = ["h2"]
WORKERS = [1]

WORDS = random_bytes(5000)


def test_silent_stream_outlives_the_router_s_idle_limit(start_client, start_server, make_router, app, pod_port):
    router = make_router({HOST: [pod_port]}, tunnel="2s")
    options = {"multiplex": "yes", "keepalive": 1}
    server = start_server(app.address, **options)
    pair = Pair(start_client(router.port, **options), server, app)
    stream = pair.open()
    assert stream.one.is_silent_for(7)
    stream.one.send(WORDS)
    assert stream.other.receive(len(WORDS)) == WORDS
    stream.other.send(WORDS)
    assert stream.one.receive(len(WORDS)) == WORDS


def test_far_end_that_hangs_is_a_lost_carrier(make_pair):
    pair = make_pair(keepalive=1, keepaliveTimeout=1)
    stream = pair.open()
    stream.one.send(WORDS)
    assert stream.other.receive(len(WORDS)) == WORDS
    pair.server.process.pause()
    assert stream.one.receive_to_end() == (b"", Ending.RST)
    pair.client.expect_close("carrier-lost")
    pair.server.process.resume()
    assert stream.other.receive_to_end() == (b"", Ending.RST)


def test_far_ends_reason_stands_in_the_near_ends_log(make_pair, app):
    pair = make_pair()
    app.close()
    pair.dial().receive_to_end()
    pair.client.process.wait_line(f"event=failed why=app-unreachable .*{app.address}: Connection refused")


def test_server_logs_the_legacy_program_s_address(make_pair):
    pair = make_pair()
    stream = pair.open()
    address = "{}:{}".format(*stream.one.address)
    stream.one.finish()
    stream.other.finish()
    assert pair.server.expect_close("finished")["peer"] == address
    assert pair.client.expect_close("finished")["peer"] == address


def test_streams_share_a_carrier(make_pair, certificates):
    pair = make_pair()
    streams = [pair.open() for _ in range(20)]
    for stream in streams:
        stream.one.send(WORDS)
        assert stream.other.receive(len(WORDS)) == WORDS
    sockets = pair.server.process.open_descriptors()
    more = [pair.open() for _ in range(10)]
    # A stream more is a socket to the app more, and no carrier.
    assert pair.server.process.open_descriptors() == sockets + len(more)
