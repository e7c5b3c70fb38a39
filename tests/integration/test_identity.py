"""Who may come in: rules on both ends, known certificates, revocation; with the alert that says why."""

import hashlib
import subprocess

import pytest

from harness import pairs
from harness.certificates import HOST, SPIFFE, openssl
from harness.pairs import Pair, parse_line
from harness.programs import is_reset, legacy_program, random_bytes

WORDS = random_bytes(5000)
WORKERS = [1]
VERSIONS = ["TLSv1.2", "TLSv1.3"]


def talk(pair):
    stream = pair.open()
    stream.one.send(WORDS)
    assert stream.other.receive(len(WORDS)) == WORDS
    stream.one.finish()
    stream.other.receive_to_end()
    stream.other.close()
    stream.one.receive_to_end()


def fingerprint(certificate):
    """As certs/README.md tells to make it."""
    public = openssl("x509", "-in", certificate, "-noout", "-pubkey")
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-outform", "DER"], input=public.encode(), capture_output=True, check=True
    ).stdout
    return hashlib.sha256(der).hexdigest()


@pytest.fixture
def shown(certificates):
    """The lines of an end that has names of every kind."""
    return {"cert": certificates.visitor.certificate, "key": certificates.visitor.key}


def with_colons(digits):
    return ":".join(digits[i : i + 2] for i in range(0, len(digits), 2)).upper()


def rule_for(rule, shown):
    return {
        "checkHost": "legacy.test",
        "checkIP": "192.0.2.7",
        "checkEmail": "ops@legacy.test",
        "checkURI": "spiffe://legacy.test/ns/orders/*",
        "checkSubject": "CN=visit*",
        "checkFingerprint": with_colons(fingerprint(shown["cert"])),
    }[rule]


RULES = ["checkHost", "checkIP", "checkEmail", "checkURI", "checkSubject", "checkFingerprint"]
WRONG = {
    "checkHost": "nobody.test",
    "checkIP": "192.0.2.8",
    "checkEmail": "ops@nobody.test",
    "checkURI": "spiffe://legacy.test/ns/stock/*",
    "checkSubject": "CN=visit",
    "checkFingerprint": "00" * 32,
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_of_the_server_lets_in(make_pair, shown, rule, version):
    pair = make_pair(client=shown, server={rule: [WRONG[rule], rule_for(rule, shown)]}, sslVersion=version)
    for _ in range(2):  # the second is resumed
        talk(pair)
    assert not pair.server.process.lines_with("event=failed")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_of_the_server_refuses(make_pair, shown, rule, version):
    pair = make_pair(client=shown, server={rule: WRONG[rule]}, sslVersion=version)
    assert is_reset(pair.client.port, WORDS)
    line = pair.server.process.wait_line("event=failed")
    assert parse_line(line)["why"] == "name-mismatch"
    assert f"{rule} = {WRONG[rule]}" in line
    assert "DNS:legacy.test" in line and SPIFFE in line
    if rule == "checkFingerprint":
        assert fingerprint(shown["cert"]) in line


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_of_the_client_takes_the_place_of_the_name(make_pair, shown, rule, version):
    """The server's certificate does not name the route at all."""
    pair = make_pair(client={rule: rule_for(rule, shown)}, server=shown, sslVersion=version)
    for _ in range(2):
        talk(pair)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_of_the_client_refuses(make_pair, shown, rule):
    pair = make_pair(client={rule: WRONG[rule]}, server=shown)
    assert is_reset(pair.client.port, WORDS)
    line = pair.client.process.wait_line("event=failed")
    assert parse_line(line)["why"] == "name-mismatch"
    assert f"{rule} = {WRONG[rule]}" in line


def test_a_key_alone_is_enough_without_an_authority(make_pair, certificates):
    """Neither end has the other's CA."""
    known = {"CAfile": None, "verifyChain": "no"}
    client = known | {"checkFingerprint": fingerprint(certificates.server.certificate)}
    server = known | {"checkFingerprint": fingerprint(certificates.client.certificate)}
    talk(make_pair(client=client, server=server))


def test_another_key_is_not_enough_without_an_authority(make_pair, certificates):
    known = {"CAfile": None, "verifyChain": "no"}
    server = known | {"checkFingerprint": fingerprint(certificates.expired_client.certificate)}
    pair = make_pair(server=server)
    assert is_reset(pair.client.port, WORDS)
    pair.server.process.wait_line("event=failed .*why=name-mismatch")


def self_signed(place, alt_names):
    """Its common name is that of the route."""
    key, certificate = place.folder / "cn.key", place.folder / "cn.crt"
    openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"),
        *("-subj", f"/CN={HOST}", "-keyout", key, "-out", certificate),
        *(["-addext", f"subjectAltName={alt_names}"] if alt_names else []),
    )
    return {"cert": certificate, "key": key}


def test_a_common_name_is_taken_where_there_is_no_other_name_and_that_is_told(make_pair, place):
    shown = self_signed(place, None)
    pair = make_pair(client={"CAfile": shown["cert"]}, server=shown)
    talk(pair)
    assert f"names=CN:{HOST}" in pair.client.process.wait_line("warning event=common-name")
    assert not pair.server.process.lines_with("event=common-name")


@pytest.mark.parametrize("alt_names", ["URI:https://x.test/", "email:ops@x.test", "IP:192.0.2.1"])
def test_a_common_name_never_counts_beside_another_name(make_pair, place, alt_names):
    shown = self_signed(place, alt_names)
    pair = make_pair(client={"CAfile": shown["cert"]}, server=shown)
    assert is_reset(pair.client.port, WORDS)
    pair.client.process.wait_line("event=failed .*why=name-mismatch")


# Known certificates


@pytest.mark.parametrize("version", VERSIONS)
def test_certificates_that_know_each_other_need_no_issuer(make_pair, certificates, version):
    client = {"CAfile": certificates.server.certificate, "verifyPeer": "yes"}
    server = {"CAfile": certificates.client.certificate, "verify": "4"}
    pair = make_pair(client=client, server=server, sslVersion=version)
    for _ in range(2):
        talk(pair)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_certificate_that_is_not_known_is_refused(make_pair, certificates, version):
    server = {"CAfile": certificates.server.certificate, "verifyPeer": "yes"}
    pair = make_pair(server=server, sslVersion=version)
    assert is_reset(pair.client.port, WORDS)
    assert parse_line(pair.server.process.wait_line("event=failed"))["why"] == "unknown-ca"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_certificate_of_the_authority_is_not_yet_known(make_pair, certificates, version):
    pair = make_pair(server={"verify": "3"}, sslVersion=version)
    assert is_reset(pair.client.port, WORDS)
    assert parse_line(pair.server.process.wait_line("event=failed"))["why"] == "cert-unknown"


@pytest.mark.parametrize("ours", ["client", "server"])
def test_stunnel_and_we_know_each_other(place, start_client, start_server, router, app, pod_port, certificates, ours):
    """The same lines at both ends; stunnel's file has no CA but the peer."""
    client = {"CAfile": certificates.server.certificate, "verifyPeer": "yes"}
    server = {"CAfile": certificates.client.certificate, "verifyPeer": "yes"}
    if ours == "client":
        theirs = pairs.server_options(place, app.address) | server
        ends = start_client(router.port, **client), pairs.stunnel_as_is(place, "server", pod_port, theirs)
    else:
        theirs = pairs.client_options(place, router.port) | client
        ends = pairs.stunnel_as_is(place, "client", place.ports.reserve(), theirs), start_server(app.address, **server)
    talk(Pair(*ends, app))


# Revocation


@pytest.mark.parametrize("version", VERSIONS)
def test_a_revoked_client_is_told_so(make_pair, certificates, version):
    pair = make_pair(server={"CRLfile": certificates.revocations(certificates.client)}, sslVersion=version)
    assert is_reset(pair.client.port, WORDS)
    line = pair.server.process.wait_line("event=failed")
    assert parse_line(line)["why"] == "cert-revoked"
    assert "certificate revoked" in pair.client.process.wait_line("event=failed")


def test_who_is_not_on_the_list_comes_in(make_pair, certificates):
    lists = {"CRLfile": certificates.revocations(certificates.elsewhere)}
    talk(make_pair(client=lists, server=lists))


def test_a_list_that_changes_is_taken_up(make_pair, start_client, router, certificates, place):
    path = place.folder / "crl.pem"
    path.write_bytes(certificates.revocations().read_bytes())
    pair = make_pair(server={"CRLfile": path})
    talk(pair)
    path.write_bytes(certificates.revocations(certificates.client).read_bytes())
    pair.server.process.wait_line("event=renewed")
    assert is_reset(start_client(router.port).port, WORDS)
    pair.server.process.wait_line("event=failed .*why=cert-revoked")


# Stapled answers


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("demands", [True, False], ids=["demanded", "not demanded"])
@pytest.mark.parametrize("state", ["good", "revoked", "missing"])
def test_a_stapled_answer_is_heeded(place, router, pod_port, start_client, certificates, version, demands, state):
    identity = certificates.demanding_server if demands else certificates.server
    staple = []
    if state != "missing":
        staple = ["-status_file", certificates.answer(identity, revoked=state == "revoked")]
    app = pairs.openssl_server(place, pod_port, version, *staple, identity=identity)
    client = start_client(router.port)
    if state == "revoked":
        assert is_reset(client.port, WORDS)
        client.process.wait_line("event=failed .*why=cert-revoked")
    elif state == "missing" and demands:
        assert is_reset(client.port, WORDS)
        client.process.wait_line("event=failed .*why=staple-missing")
    else:
        program = legacy_program(client.port)
        program.send(WORDS)
        assert app.read(len(WORDS)) == WORDS


# Alerts, as somebody else's program hears them


def alert_to(place, router, identity):
    process = place.processes.start(
        [
            *("openssl", "s_client", "-connect", f"127.0.0.1:{router.port}", "-servername", HOST, "-ign_eof"),
            *(("-cert", identity.certificate, "-key", identity.key) if identity else ()),
        ],
        name="s_client",
        piped=True,
    )
    return process.wait_line("alert")


@pytest.mark.parametrize(
    "identity, alert",
    [
        (None, "alert number 116"),  # certificate_required
        ("stranger_client", "alert number 48"),  # unknown_ca
        ("expired_client", "alert number 45"),  # certificate_expired
        ("client", "alert number 44"),  # certificate_revoked
    ],
)
def test_the_alert_says_why(place, router, app, start_server, certificates, identity, alert):
    start_server(app.address, CRLfile=certificates.revocations(certificates.client))
    assert alert in alert_to(place, router, identity and getattr(certificates, identity))
