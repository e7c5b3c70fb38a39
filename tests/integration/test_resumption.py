"""A TLS handshake is paid once: the next stream resumes the session."""

import shutil

import pytest

from harness import waiting
from harness.certificates import HOST, openssl
from harness.programs import is_reset, random_bytes

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


SECRETS = {"ticketKeySecret": "0f" * 32, "ticketMacSecret": ":".join(["a5"] * 16)}


def restart(pair, start_server, app, **options):
    pair.server.process.stop()
    pair.server = start_server(app.address, **options)


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_with_secrets_a_session_outlives_a_restart(make_pair, start_server, app, version):
    pair = make_pair(server=SECRETS, sslVersion=version)
    assert talk(pair)[0]["resumed"] == "no"
    restart(pair, start_server, app, **SECRETS)
    for _ in range(2):
        client, server = talk(pair)
        assert client["resumed"] == server["resumed"] == "yes"
        assert "legacy.test" in server["names"]


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("change", [{"ticketKeySecret": "10" * 32}, {"checkURI": "spiffe://x/y"}])
def test_after_a_restart_with_other_secrets_or_rules_a_session_is_worth_nothing(
    make_pair, start_server, app, version, change
):
    pair = make_pair(server=SECRETS, sslVersion=version)
    talk(pair)
    restart(pair, start_server, app, **SECRETS | change)
    if "checkURI" in change:
        assert is_reset(pair.client.port, WORDS)
        pair.server.process.wait_line("event=failed .*why=name-mismatch")
    else:
        assert talk(pair)[0]["resumed"] == "no"


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_a_ca_that_left_the_folder_meanwhile_lets_nobody_resume(make_pair, start_server, app, place, certificates, version):
    folder = place.folder / "authorities"
    folder.mkdir()
    for name in ("authority", "other_authority"):
        shutil.copy(getattr(certificates, name), folder / f"{name}.pem")
    openssl("rehash", folder)
    trust = SECRETS | {"CAfile": None, "CApath": folder}
    stranger = {"cert": certificates.stranger_client.certificate, "key": certificates.stranger_client.key}
    pair = make_pair(server=trust, client=stranger, sslVersion=version)
    talk(pair)
    restart(pair, start_server, app, **trust)
    assert talk(pair)[0]["resumed"] == "yes"
    (folder / "other_authority.pem").unlink()
    openssl("rehash", folder)
    restart(pair, start_server, app, **trust)
    assert is_reset(pair.client.port, WORDS)
    pair.server.process.wait_line("event=failed .*why=unknown-ca")


def test_a_client_that_was_revoked_meanwhile_cannot_resume(make_pair, start_server, app, certificates):
    pair = make_pair(server=SECRETS | {"CRLfile": certificates.revocations()})
    talk(pair)
    restart(pair, start_server, app, **SECRETS, CRLfile=certificates.revocations(certificates.client))
    assert is_reset(pair.client.port, WORDS)
    pair.server.process.wait_line("event=failed .*why=cert-revoked")


@pytest.mark.parametrize("end", ["client", "server"])
def test_an_end_that_resumes_nothing(make_pair, end):
    pair = make_pair(**{end: {"sessionResume": "no"}})
    for _ in range(2):
        assert talk(pair)[0]["resumed"] == "no"


def test_a_session_that_is_too_old_is_not_resumed(make_pair):
    pair = make_pair(server={"sessionCacheTimeout": 1})
    talk(pair)
    waiting.until(lambda: talk(pair)[0]["resumed"] == "no", "the session is too old")


# Pre-shared keys


def write_keys(path, key):
    path.write_text(f"orders:{key * 32}\n", encoding="ascii")
    path.chmod(0o600)
    return {"cert": None, "key": None, "CAfile": None, "PSKsecrets": path}


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_the_session_of_a_key_is_resumed_and_known_by_its_identity(make_pair, place, version):
    pair = make_pair(**write_keys(place.folder / "keys", "5a"), sslVersion=version)
    for resumed in ["no", "yes", "yes"]:
        for line in talk(pair):
            assert (line["resumed"], line["names"]) == (resumed, "PSK:orders")


def test_the_ticket_of_a_key_outlives_a_restart_but_not_the_key(make_pair, place, start_server, app):
    server = SECRETS | write_keys(place.folder / "server.keys", "5a")
    pair = make_pair(client=write_keys(place.folder / "keys", "5a"), server=server)
    talk(pair)
    restart(pair, start_server, app, **server)
    assert [line["resumed"] for line in talk(pair)] == ["yes", "yes"]
    restart(pair, start_server, app, **server | write_keys(place.folder / "server.keys", "a5"))
    assert is_reset(pair.client.port, WORDS)
    pair.server.process.wait_line("event=failed .*why=psk-refused")
