"""Our own certificate: PEM or PKCS#12, with a key that is locked or not, alone or beside others."""

import shutil
import subprocess

import pytest

from harness import pairs
from harness.certificates import HOST, openssl
from harness.programs import random_bytes
from harness.terminal import Terminal

WORDS = random_bytes(5000)
WORKERS = [1]
KINDS = ["raw"]
PHRASE = "open sesame"


def talk(pair):
    stream = pair.open()
    stream.one.send(WORDS)
    assert stream.other.receive(len(WORDS)) == WORDS
    stream.one.close()
    stream.other.close()


def lock(key, path, phrase=PHRASE):
    """The same key, encrypted."""
    openssl("pkey", "-in", key, "-aes256", "-passout", f"pass:{phrase}", "-out", path)
    return path


def pack(identity, path, phrase=PHRASE, *words):
    """The same certificate and key as PKCS#12."""
    openssl(
        *("pkcs12", "-export", "-in", identity.certificate, "-inkey", identity.key, "-out", path),
        *("-passout", f"pass:{phrase}", *words),
    )
    return path


@pytest.fixture
def pass_file(place):
    path = place.folder / "pass"
    path.write_text(PHRASE + "\n", encoding="ascii")
    path.chmod(0o600)
    return path


def test_pkcs12_without_a_pass_phrase(make_pair, certificates, place):
    server = {"cert": pack(certificates.server, place.folder / "server.p12", ""), "key": None}
    client = {"cert": pack(certificates.client, place.folder / "client.p12", ""), "key": None}
    talk(make_pair(client=client, server=server))


def test_pkcs12_with_a_pass_phrase_in_a_file(make_pair, certificates, place, pass_file):
    server = {"cert": pack(certificates.server, place.folder / "server.p12"), "key": None, "keyPassFile": pass_file}
    talk(make_pair(server=server))


def test_pkcs12_in_an_old_way_is_refused_with_a_way_out(place, certificates, pass_file):
    path = pack(certificates.server, place.folder / "server.p12", PHRASE, "-legacy")
    assert "pkcs12 -legacy" in check(place, certificates, cert=path, keyPassFile=pass_file)


def check(place, certificates, **options):
    """What --check has against a server with these options."""
    usual = pairs.server_options(place, 1) | {"accept": "127.0.0.1:1", "key": None}
    path = pairs.write_ini(place.folder / "server.ini", {}, usual | options)
    result = subprocess.run(
        [pairs.routeport("server"), "--check", path],
        capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL, start_new_session=True,
    )
    assert result.returncode == 2
    return result.stderr


def test_a_locked_key_without_a_terminal_is_refused_with_a_way_out(place, certificates):
    key = lock(certificates.server.key, place.folder / "locked.key")
    assert 'add "keyPassFile = FILE"' in check(place, certificates, key=key)


def test_a_wrong_pass_phrase_is_never_shown(place, certificates, pass_file):
    key = lock(certificates.server.key, place.folder / "locked.key", "another phrase")
    words = check(place, certificates, key=key, keyPassFile=pass_file)
    assert "does not fit" in words and PHRASE not in words


def test_a_locked_key_is_opened_by_what_is_typed_in(make_pair, certificates, place):
    key = lock(certificates.server.key, place.folder / "locked.key")
    terminal = Terminal("a slip", PHRASE)
    pair = make_pair(server={"key": key, "terminal": terminal})
    talk(pair)
    assert PHRASE.encode() not in terminal.seen
    assert not [line for line in pair.server.process.lines if PHRASE in line]
    terminal.close()


@pytest.mark.parametrize("typed", [True, False], ids=["typed in", "from a file"])
def test_a_renewed_key_is_opened_by_the_same_pass_phrase(
    make_pair, start_client, router, certificates, place, pass_file, typed
):
    """Nobody is asked again; what was locked with another phrase leaves the old one in use."""
    cert = place.folder / "renewed.crt"
    shutil.copy(certificates.server.certificate, cert)
    key = lock(certificates.server.key, place.folder / "locked.key")
    terminal = Terminal(PHRASE) if typed else None
    more = {"terminal": terminal} if typed else {"keyPassFile": pass_file}
    pair = make_pair(server={"cert": cert, "key": key, **more})
    if typed:
        terminal.close()
    talk(pair)
    lock(certificates.renewed_server.key, key)
    shutil.copy(certificates.renewed_server.certificate, cert)
    pair.server.process.wait_line("event=renewed")
    pair.client = start_client(router.port)
    talk(pair)
    assert "renewed.test" in pair.client.wait_close()["names"]
    lock(certificates.server.key, key, "another phrase")
    shutil.copy(certificates.server.certificate, cert)
    assert "does not fit" in pair.server.process.wait_line("event=renewal-failed .*phrase")
    talk(pair)


# Several side by side


@pytest.fixture
def kinds(certificates):
    return [certificates.server, certificates.rsa_server, certificates.ed25519_server]


def shown_to(place, router, signatures):
    """Whose certificate s_client is shown, which takes these signatures alone."""
    process = place.processes.start(
        [
            *("openssl", "s_client", "-connect", f"127.0.0.1:{router.port}", "-servername", HOST),
            *("-sigalgs", signatures, "-ign_eof"),
        ],
        name="s_client",
        piped=True,
    )
    return process.wait_line("depth=0 CN = ").split()[-1]


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_each_client_is_shown_the_kind_that_it_takes(place, router, app, start_server, kinds, version):
    start_server(
        app.address, sslVersion=version, requireCert="no", CAfile=None,
        cert=[one.certificate for one in kinds], key=[one.key for one in kinds],
    )
    assert shown_to(place, router, "RSA-PSS+SHA256:RSA+SHA256") == "rsa-server"
    assert shown_to(place, router, "ECDSA+SHA256") == "server"
    assert shown_to(place, router, "ed25519") == "ed25519-server"


def test_routeport_talks_to_a_server_of_three_kinds(make_pair, kinds):
    server = {"cert": [one.certificate for one in kinds], "key": [one.key for one in kinds]}
    talk(make_pair(server=server))
