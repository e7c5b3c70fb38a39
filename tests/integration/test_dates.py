"""What a peer was let in by has a date: its chain, the revocation lists, an OCSP answer.  Behind the first of these it is
judged anew, and neither a session nor a carrier of before goes on letting it in."""

import types

import pytest

from harness import faults
from harness.pairs import Pair, is_sanitized, routeport_client, routeport_server
from harness.programs import is_reset, random_bytes

WORDS = random_bytes(5000)
WORKERS = [1]
LONG = {"sessionCacheTimeout": 7 * 86400}
MULTIPLEX = {"raw": "no", "h2": "yes"}

pytestmark = pytest.mark.skipif(not faults.FAKETIME or is_sanitized(), reason="there is no libfaketime, or it cannot be")


def talk(pair):
    stream = pair.open()
    stream.one.send(WORDS)
    assert stream.other.receive(len(WORDS)) == WORDS
    stream.one.finish()
    stream.other.receive_to_end()
    stream.other.finish()
    stream.one.receive_to_end()
    return stream.expect_close(one="finished", other="finished")


@pytest.fixture
def scene(place):
    scene = types.SimpleNamespace(place=place)
    faults.fake_time(scene)
    return scene


@pytest.fixture
def start(place, scene, kind, router, app, pod_port):
    """A pair of which one end has such a list, and a clock that may be set."""

    def start(end, version, crl_file):
        both = LONG | {"multiplex": MULTIPLEX[kind], "sslVersion": version}
        judge = {"CRLfile": crl_file, "inside": scene.inside, "sandbox": "no"}
        at = {"client": {}, "server": {}} | {end: judge}
        server = routeport_server(place, app.address, port=pod_port, **both, **at["server"])
        return Pair(routeport_client(place, router.port, **both, **at["client"]), server, app)

    return start


@pytest.mark.parametrize("end", ["client", "server"])
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_a_revocation_list_that_runs_out_lets_nobody_in(start, scene, certificates, kind, end, version):
    pair = start(end, version, certificates.revocations(days=1))
    talk(pair)
    if kind == "raw":
        assert talk(pair)[0]["resumed"] == "yes"
    faults.set_clock(scene, "+2d")
    for _ in range(2):
        assert is_reset(pair.client.port, WORDS)
    getattr(pair, end).process.wait_line("event=failed ")
    assert not pair.app.has_visitor()


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_a_list_that_holds_goes_on_letting_in(start, scene, certificates, version):
    pair = start("server", version, certificates.revocations())
    talk(pair)
    faults.set_clock(scene, "+2d")
    for _ in range(2):
        talk(pair)
