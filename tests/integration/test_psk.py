"""Pre-shared keys in place of certificates, with stunnel at either end and with ourselves."""

import secrets

import pytest

from harness import pairs
from harness.pairs import Pair, parse_line
from harness.programs import is_reset, random_bytes

WORDS = random_bytes(5000)
WORKERS = [1]
VERSIONS = ["TLSv1.2", "TLSv1.3"]
NO_CERTIFICATES = {"cert": None, "key": None, "CAfile": None}

HEX_KEY = secrets.token_hex(32)
TEXT_KEY = "a key of letters, quite long enough"


def write(path, *lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
    path.chmod(0o600)
    return path


@pytest.fixture
def server_keys(place):
    return write(place.folder / "server.psk", f"stock:{HEX_KEY[::-1]}", f"orders:{HEX_KEY}", "", f"text:{TEXT_KEY}")


@pytest.fixture
def client_keys(place):
    return write(place.folder / "client.psk", f"orders:{HEX_KEY.upper()}", f"text:{TEXT_KEY}", f"wrong:{'00' * 16}")


def with_keys(path, **more):
    return {**NO_CERTIFICATES, "PSKsecrets": path, **more}


def talk(pair, count=2):
    """Streams one behind the other; the close lines of the last."""
    for _ in range(count):
        stream = pair.open()
        stream.one.send(WORDS)
        assert stream.other.receive(len(WORDS)) == WORDS
        stream.one.finish()
        stream.other.receive_to_end()
        stream.other.finish()
        stream.one.receive_to_end()
        lines = stream.expect_close(one="finished", other="finished")
    return lines


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("identity", [None, "text"], ids=["the first", "another"])
def test_both_ends_know_each_other_by_a_key(make_pair, client_keys, server_keys, version, identity):
    client = with_keys(client_keys, PSKidentity=identity)
    pair = make_pair(client=client, server=with_keys(server_keys), sslVersion=version)
    for line in talk(pair):
        assert line["names"] == f"PSK:{identity or 'orders'}"
        assert line["tls"] == version
    assert not pair.server.process.lines_with(HEX_KEY)


@pytest.mark.parametrize("version", VERSIONS)
def test_who_has_no_key_of_this_identity_is_refused(make_pair, client_keys, server_keys, version):
    client = with_keys(client_keys, PSKidentity="wrong")
    pair = make_pair(client=client, server=with_keys(server_keys), sslVersion=version)
    assert is_reset(pair.client.port, WORDS)
    for end in pair.ends():
        line = parse_line(end.process.wait_line("event=failed"))
        assert line["why"] == "psk-refused"
        assert "PSK identity wrong" in line["detail"]


@pytest.mark.parametrize("version", VERSIONS)
def test_another_key_of_the_same_identity_is_refused(make_pair, place, server_keys, version):
    keys = write(place.folder / "other.psk", f"orders:{'5a' * 32}")
    pair = make_pair(client=with_keys(keys), server=with_keys(server_keys), sslVersion=version)
    assert is_reset(pair.client.port, WORDS)
    for end in pair.ends():
        line = parse_line(end.process.wait_line("event=failed"))
        assert line["why"] == "psk-refused"
        assert "another key for" in line["detail"]
        assert "5a5a" not in line["detail"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_certificate_is_no_key(make_pair, client_keys, server_keys, version):
    """Neither end is content with a certificate of the other, whoever issued it."""
    pair = make_pair(server=with_keys(server_keys), sslVersion=version)
    assert is_reset(pair.client.port, WORDS)
    pair.server.process.wait_line("event=failed")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_with_a_certificate_alone_is_not_trusted(make_pair, client_keys, version):
    server = {"requireCert": "no", "CAfile": None}
    pair = make_pair(client=with_keys(client_keys), server=server, sslVersion=version)
    assert is_reset(pair.client.port, WORDS)
    words = {"TLSv1.2": "why=psk-refused", "TLSv1.3": "not trusted"}
    assert words[version] in pair.client.process.wait_line("event=failed")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_may_take_keys_and_certificates(
    make_pair, start_client, router, client_keys, server_keys, version, certificates
):
    pair = make_pair(server={"PSKsecrets": server_keys}, sslVersion=version)
    assert talk(pair)[1]["names"] == "DNS:legacy.test"
    pair.client = start_client(router.port, **with_keys(client_keys), sslVersion=version)
    assert talk(pair)[1]["names"] == "PSK:orders"
    stranger = certificates.stranger_client
    shown = {"cert": stranger.certificate, "key": stranger.key}
    assert is_reset(start_client(router.port, sslVersion=version, **shown).port, WORDS)


def test_keys_that_change_are_taken_up(make_pair, start_client, router, client_keys, server_keys):
    pair = make_pair(client=with_keys(client_keys), server=with_keys(server_keys))
    talk(pair, 1)
    write(server_keys, f"another:{HEX_KEY}")
    pair.server.process.wait_line("event=renewed")
    client = start_client(router.port, **with_keys(client_keys))
    assert is_reset(client.port, WORDS)
    client.process.wait_line("event=failed .*psk-refused")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("theirs", ["client", "server"])
@pytest.mark.parametrize("identity", ["orders", "text"])
def test_stunnel_at_the_other_end(
    place, start_client, start_server, router, app, pod_port, client_keys, server_keys, version, theirs, identity
):
    """The same file, hexadecimal digits in another case."""
    how = {"sslVersion": version}
    if theirs == "server":
        lines = {"connect": app.address, "PSKsecrets": server_keys, **how}
        far = pairs.stunnel_as_is(place, "server", pod_port, lines)
        near = start_client(router.port, **with_keys(client_keys, PSKidentity=identity), **how)
    else:
        lines = {"connect": router.port, "sni": "app.apps.test", "PSKsecrets": client_keys, "PSKidentity": identity}
        near = pairs.stunnel_as_is(place, "client", place.ports.reserve(), {**lines, **how})
        far = start_server(app.address, **with_keys(server_keys), **how)
    pair = Pair(near, far, app)
    for _ in range(2):
        stream = pair.open()
        stream.one.send(WORDS)
        assert stream.other.receive(len(WORDS)) == WORDS
        stream.other.send(WORDS)
        assert stream.one.receive(len(WORDS)) == WORDS
