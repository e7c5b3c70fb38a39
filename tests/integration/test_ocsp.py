"""Responders are asked before anything is let through, by either end, and nobody else waits for them."""

import pytest

from harness.certificates import HOST
from harness.pairs import parse_line
from harness.programs import is_reset, listen, random_bytes

WORDS = random_bytes(5000)
WORKERS = [1]
VERSIONS = ["TLSv1.2", "TLSv1.3"]


def talk(pair):
    stream = pair.open()
    stream.one.send(WORDS)
    assert stream.other.receive(len(WORDS)) == WORDS
    stream.other.send(WORDS)
    assert stream.one.receive(len(WORDS)) == WORDS
    return stream


@pytest.fixture
def responder_port(place):
    return place.ports.reserve()


@pytest.fixture
def url(responder_port):
    return f"http://127.0.0.1:{responder_port}/"


@pytest.fixture
def start_responder(place, certificates, responder_port):
    def start(about, revoked=False, bare=False):
        process = place.processes.start(certificates.responder(responder_port, about, revoked, bare), name="responder")
        process.wait_line("waiting for OCSP client connections")
        return process

    return start


@pytest.fixture
def named(certificates, url, responder_port):
    """An identity whose certificate names the responder."""
    return certificates.issue(
        f"named-{responder_port}", f"{HOST},DNS:legacy.test", more=f"authorityInfoAccess = OCSP;URI:{url}"
    )


def lines_of(identity):
    return {"cert": identity.certificate, "key": identity.key}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("asks", ["client", "server"])
@pytest.mark.parametrize("how", ["OCSP", "OCSPaia"])
def test_who_is_good_comes_in(make_pair, start_responder, named, url, version, asks, how):
    start_responder(named)
    asking = {"OCSP": {"OCSP": url, "OCSPnonce": "yes"}, "OCSPaia": {"OCSPaia": "yes"}}[how]
    shown = "server" if asks == "client" else "client"
    pair = make_pair(**{asks: asking, shown: lines_of(named)}, sslVersion=version)
    for _ in range(2):
        talk(pair)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("asks", ["client", "server"])
def test_who_was_revoked_does_not(make_pair, app, start_responder, named, version, asks):
    start_responder(named, revoked=True)
    shown = "server" if asks == "client" else "client"
    pair = make_pair(**{asks: {"OCSPaia": "yes"}, shown: lines_of(named)}, sslVersion=version)
    end = pair.client if asks == "client" else pair.server
    for _ in range(3):  # by no session, either
        assert is_reset(pair.client.port, WORDS)
    line = parse_line(end.process.wait_line("event=failed"))
    assert line["why"] == "cert-revoked"
    assert "says revoked" in line["detail"]
    if asks == "server":
        assert not app.has_visitor()


@pytest.mark.parametrize("require", ["yes", "no"])
@pytest.mark.parametrize("asks", ["client", "server"])
def test_a_responder_that_is_not_there(make_pair, url, asks, require):
    pair = make_pair(**{asks: {"OCSP": url, "OCSPrequire": require}})
    end = pair.client if asks == "client" else pair.server
    if require == "yes":
        assert is_reset(pair.client.port, WORDS)
        assert "Connection refused" in end.process.wait_line("event=failed .*why=ocsp-silent")
    else:
        talk(pair)
        end.process.wait_line("warning event=ocsp-silent")


def test_a_responder_that_knows_somebody_else(make_pair, start_responder, certificates, url):
    start_responder(certificates.elsewhere)
    pair = make_pair(client={"OCSP": url})
    assert is_reset(pair.client.port, WORDS)
    assert "says unknown" in pair.client.process.wait_line("event=failed .*why=ocsp-silent")


def test_a_certificate_that_names_no_responder(make_pair):
    pair = make_pair(client={"OCSPaia": "yes"})
    assert is_reset(pair.client.port, WORDS)
    assert "no responder to ask" in pair.client.process.wait_line("event=failed .*why=ocsp-silent")


def test_a_responder_that_is_silent_keeps_nobody_else_waiting(make_pair, kind, place, responder_port, url):
    """One service asks it, the other one on the same worker does not."""
    other = place.ports.reserve()
    with listen(responder_port):
        also = [{"accept": f"127.0.0.1:{other}", "multiplex": {"raw": "no", "h2": "yes"}[kind]}]
        pair = make_pair(client={"OCSP": url, "TIMEOUTocsp": 60, "TIMEOUTconnect": 3, "also": also})
        waiting = pair.dial()
        waiting.send(WORDS)
        if kind == "raw":  # the server was content, and dialled the app
            pair.app.accept()
        usual, pair.client.port = pair.client.port, other
        for _ in range(3):
            talk(pair)
        pair.client.port = usual
        waiting.receive_to_end()
        pair.client.process.wait_line("event=failed .*why=open-timeout")


def test_time_for_a_responder_is_limited(make_pair, responder_port, url):
    with listen(responder_port):
        pair = make_pair(client={"OCSP": url, "TIMEOUTocsp": 1, "TIMEOUTconnect": 30})
        assert is_reset(pair.client.port, WORDS)
        assert "does not answer in time" in pair.client.process.wait_line("event=failed .*why=ocsp-silent")


def test_what_is_no_answer_at_all(make_pair, app, url, responder_port):
    with listen(responder_port) as listener:
        pair = make_pair(client={"OCSP": url, "delay": "yes"})  # that it asks for this stream
        program = pair.dial()
        asked = listener.accept()[0]
        asked.recv(65536)
        asked.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<html>")
        asked.close()
        program.receive_to_end()
        pair.client.process.wait_line("event=failed .*why=ocsp-silent.*cannot be read")


# Our own answers


def test_a_server_staples_what_its_responder_says(
    make_pair, start_client, router, start_responder, certificates, responder_port, url, kind
):
    """Its certificate demands that; the client asks nobody.  The CA signs the answer and leaves itself out."""
    demanding = certificates.issue(
        f"demanding-{responder_port}", HOST, more=f"authorityInfoAccess = OCSP;URI:{url}\ntlsfeature = status_request"
    )
    pair = make_pair(server=lines_of(demanding))
    pair.server.process.wait_line("warning event=staple-failed .*Connection refused")
    assert is_reset(pair.client.port, WORDS)
    pair.client.process.wait_line("why=staple-missing")
    start_responder(demanding, bare=True)
    # It would ask again in a minute; a certificate that is written anew is asked about at once.
    demanding.certificate.write_bytes(demanding.certificate.read_bytes())
    pair.server.process.wait_line("event=stapled")
    pair.client = start_client(router.port)
    talk(pair)


def test_a_server_staples_for_who_asks_by_ocspaia(place, make_pair, start_responder, named, router):
    start_responder(named)
    make_pair(server=lines_of(named) | {"OCSPaia": "yes", "requireCert": "no"}).server.process.wait_line("event=stapled")
    s_client = place.processes.start(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{router.port}", "-servername", HOST, "-status", "-ign_eof"],
        name="s_client",
    )
    s_client.wait_line("OCSP Response Status: successful")
    s_client.wait_line("Cert Status: good")


def test_a_server_that_was_revoked_says_so_itself(make_pair, start_responder, named):
    start_responder(named, revoked=True)
    pair = make_pair(server=lines_of(named) | {"OCSPaia": "yes"})
    pair.server.process.wait_line("error event=cert-revoked")
    assert is_reset(pair.client.port, WORDS)
    pair.client.process.wait_line("why=cert-revoked")
