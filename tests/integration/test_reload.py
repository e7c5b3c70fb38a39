"""Change without a drop: SIGHUP reads the settings again, certificates are taken up as they change,
and SIGTERM lets the router hear of it first.  What runs goes on in the way it began."""

import dataclasses
import datetime
import os
import pathlib
import shutil
import signal
import socket
import subprocess

import pytest

from harness import ports, waiting
from harness.changes import put_certificate, reload, rewrite
from harness.pairs import Pair, parse_line, routeport_client, routeport_server
from harness.programs import App, Ending, is_reset
from harness.talks import WORDS, echo, finish
from harness.thread_stop import StoppedThread

WORKERS = [3]


def test_new_streams_use_the_new_settings_and_old_ones_go_on(pair, place, app):
    other_app = App(place.ports.reserve())
    old = pair.open()
    echo(old)
    rewrite(pair.server, f"connect = 127.0.0.1:{app.address}", f"connect = 127.0.0.1:{other_app.address}")
    reload(pair.server)

    def leads_there():
        program = pair.dial()
        program.send(WORDS)
        waiting.until(lambda: other_app.has_visitor() or app.has_visitor(), "an app is visited")
        if app.has_visitor():  # it went before the server's GOAWAY came
            app.accept()
            return None
        return program, other_app.accept()

    program, visitor = waiting.until(leads_there, "streams lead to the other app")
    assert visitor.receive(len(WORDS)) == WORDS
    visitor.send(WORDS)
    assert program.receive(len(WORDS)) == WORDS
    echo(old)
    finish(old)
    other_app.close()


def test_a_section_that_stays_keeps_its_carriers_and_its_sockets(pair, kind):
    stream = pair.open()
    echo(stream)
    before = len(pair.client.process.lines_with("event=carrier-open"))
    for number in range(1, 4):
        reload(pair.client, number)
        reload(pair.server, number)
    echo(stream)
    echo(pair.open())
    if kind == "h2":
        assert len(pair.client.process.lines_with("event=carrier-open")) <= before + 2  # another worker's


@dataclasses.dataclass
class At:
    """The client's end at another of its ports."""

    process: object
    port: int


def test_port_0_is_a_free_one_that_the_log_tells_and_a_reload_keeps(start_client, start_server, router, app):
    """The same for two services at that address."""
    server = start_server(app.address)
    free = {"accept": "127.0.0.1:0", "multiplex": "no"}
    client = start_client(router.port, **free, also=[free])
    told = [parse_line(line) for line in client.process.lines_with("event=listening")]
    assert [line["service"] for line in told] == ["svc", "svc-2"]
    ports_told = [int(line["accept"].rpartition(":")[2]) for line in told]
    assert len(set(ports_told)) == 2
    rewrite(client, "TIMEOUTlinger = 0", "TIMEOUTlinger = 1")
    reload(client)
    for port in ports_told:
        echo(Pair(At(client.process, port), server, app).open())
    assert len(client.process.lines_with("event=listening")) == 2


def test_streams_of_before_a_reload_count_for_max_streams(make_pair, app):
    pair = make_pair(client={"maxStreams": 2, "delay": "yes"})
    first, second = pair.open(), pair.open()
    echo(first)
    rewrite(pair.client, "maxStreams = 2", "maxStreams = 2\nTIMEOUTidle = 1234")
    reload(pair.client)
    third = pair.dial()
    third.send(WORDS)
    pair.client.process.wait_line("event=pause .*maxConnections or maxStreams is reached")
    assert not app.has_visitor()
    finish(second)
    assert app.accept().receive(len(WORDS)) == WORDS
    echo(first)


def test_no_connection_is_refused_while_files_are_read_again(pair):
    """The client's address stays, so whoever connects meanwhile is served."""
    for number in range(1, 6):
        rewrite(pair.client, "[svc]", f"[svc]\n# {number}")
        pair.client.process.send_signal(signal.SIGHUP)
        for _ in range(5):
            finish(pair.open())
        pair.client.process.wait_line("event=reloaded", number)  # two signals at once would be one
    assert not pair.client.process.lines_with("why=connect-failed")


@pytest.mark.parametrize("what", ["settings", "certificate"])
def test_a_change_is_logged_once_all_workers_have_it(place, app, pod_port, certificates, what):
    """The only worker is stopped; of a second service the main thread logs what it finds behind the change."""
    one, two = place.folder / "one", place.folder / "two"
    unused = {"accept": f"127.0.0.1:{place.ports.reserve()}"}
    server = routeport_server(
        place,
        app.address,
        workers=1,
        port=pod_port,
        multiplex="no",
        **put_certificate(certificates.server, one),
        also=[unused | put_certificate(certificates.server, two)],
    )
    with socket.socket() as peer:
        worker = StoppedThread(server.process, lambda: peer.connect(("127.0.0.1", pod_port)))
        if what == "settings":
            done, failed = "event=reloaded", "event=reload-failed"
            rewrite(server, "workers = 1", "workers = 2")
            server.process.send_signal(signal.SIGHUP)
            server.process.wait_line("event=reload .*workers changes with a restart")
            rewrite(server, "[svc]", "[svc]\nacept = 1")
            server.process.send_signal(signal.SIGHUP)
        else:
            put_certificate(certificates.renewed_server, one)
            done, failed = "event=renewed service=svc", "event=renewal-failed"
            (two / "tls.crt").unlink()
        server.process.wait_line(failed)
        assert not server.process.lines_with(done)
        worker.release()
        server.process.wait_line(done)


def test_an_address_may_come_and_go(place, pair):
    added = place.ports.reserve()
    rewrite(pair.client, "[svc]", f"[svc]\naccept = 127.0.0.1:{added}")
    reload(pair.client)
    old = pair.client.port
    pair.client.port = added
    echo(pair.open())
    rewrite(pair.client, f"accept = 127.0.0.1:{old}\n", "")
    reload(pair.client, 2)

    waiting.until(lambda: not ports.is_listening(old), "the old address is closed")
    echo(pair.open())


def test_parts_in_a_folder_are_read_again(pair, place, app):
    """Although the program has given up to read anything else by then."""
    parts = place.folder / "conf.d"
    parts.mkdir()
    rewrite(pair.server, "[svc]", f"include = {parts}\n[svc]")
    place.processes.all.remove(pair.server.process)
    pair.server.process.stop()
    pair.server.process = place.processes.start(pair.server.process.argv, name="routeport-server")
    pair.server.process.wait_line("event=ready")
    echo(pair.open())
    (parts / "10-other.conf").write_text(
        f"[other]\naccept = 127.0.0.1:{place.ports.reserve()}\nconnect = 1\n"
        f"cert = {place.certificates.server.certificate}\nkey = {place.certificates.server.key}\nrequireCert = no\n",
        encoding="ascii",
    )
    pair.server.process.send_signal(signal.SIGHUP)
    assert "services=2" in pair.server.process.wait_line("event=reloaded")
    (parts / "20-wrong.conf").write_text("acept = 1\n", encoding="ascii")
    pair.server.process.send_signal(signal.SIGHUP)
    assert "20-wrong.conf:1: " in pair.server.process.wait_line("error event=reload-failed")
    echo(pair.open())


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("[svc]", "[svc]\nacept = 1", "acept"),
        ("cert = ", "cert = /nowhere", "/nowhere"),
        ("[svc]", "[svc]\naccept = 127.0.0.1:1x", "1x"),
        ("[svc]", "[svc]\naccept = 127.0.0.1:9\naccept = 9", "[svc] cannot listen here"),
    ],
)
def test_a_file_with_an_error_changes_nothing_and_says_so(pair, old, new, words):
    stream = pair.open()
    rewrite(pair.client, old, new)
    pair.client.process.send_signal(signal.SIGHUP)
    assert words in pair.client.process.wait_line("error event=reload-failed")
    echo(stream)
    echo(pair.open())


def test_an_address_that_is_taken_changes_nothing(place, pair, app):
    rewrite(pair.client, "[svc]", f"[svc]\naccept = 127.0.0.1:{app.address}")
    pair.client.process.send_signal(signal.SIGHUP)
    assert "already in use" in pair.client.process.wait_line("error event=reload-failed")
    echo(pair.open())


def test_a_log_that_was_moved_away_is_opened_anew(place, router):
    log = place.folder / "client.log"
    client = routeport_client(place, router.port, output=log)
    assert "event=ready" in log.read_text(encoding="utf-8")
    log.rename(place.folder / "client.log.1")
    client.process.send_signal(signal.SIGUSR1)
    waiting.until(lambda: log.exists() and "event=log-opened" in log.read_text(encoding="utf-8"), "a new log begins")


# Certificates


def mount(place, name, pair_of):
    """A folder as Kubernetes mounts a Secret: file -> ..data -> a folder of this version."""
    folder = place.folder / name
    folder.mkdir()
    swap(folder, 1, pair_of)
    for file in ("tls.crt", "tls.key"):
        (folder / file).symlink_to(f"..data/{file}")
    return folder


def swap(folder, version, pair_of):
    """The next version: what `..data` leads to is exchanged in one step."""
    there = folder / f"..{version}"
    there.mkdir()
    shutil.copy(pair_of.certificate, there / "tls.crt")
    shutil.copy(pair_of.key, there / "tls.key")
    (folder / "..data_tmp").symlink_to(there.name)
    os.rename(folder / "..data_tmp", folder / "..data")


@pytest.fixture
def rotating(place, start_client, start_server, router, app, certificates, kind):
    """A pair whose server's certificate is on a mounted Secret; and that folder."""
    folder = mount(place, "secret", certificates.server)
    files = {"cert": folder / "tls.crt", "key": folder / "tls.key"}
    options = {"multiplex": {"raw": "no", "h2": "yes"}[kind]}
    server = start_server(app.address, **files, **options)
    return Pair(start_client(router.port, **options), server, app), folder


def certificate_hash(certificate):
    """By which a folder's files are found."""
    words = ["openssl", "x509", "-in", certificate, "-noout", "-subject_hash"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


def names(pair):
    """Of the server's certificate, as the client's next stream finds it."""
    finish(pair.open())
    return pair.client.wait_close()["names"]


def test_a_secret_that_is_swapped_is_taken_up(rotating, certificates):
    pair, folder = rotating
    long = pair.open()
    swap(folder, 2, certificates.renewed_server)
    pair.server.process.wait_line("event=renewed service=svc")
    waiting.until(lambda: "renewed.test" in names(pair), "new streams see the new certificate")
    echo(long)


def test_a_certificate_rewritten_in_place_is_taken_up_once_its_key_fits(rotating, certificates):
    pair, folder = rotating
    shutil.copy(certificates.renewed_server.certificate, folder / "tls.crt")
    pair.server.process.wait_line("error event=renewal-failed .*key")
    finish(pair.open())
    shutil.copy(certificates.renewed_server.key, folder / "tls.key")
    pair.server.process.wait_line("event=renewed service=svc")
    waiting.until(lambda: "renewed.test" in names(pair), "new streams see the new certificate")
    assert len(pair.server.process.lines_with("event=renewal-failed")) == 1


def test_a_certificate_that_is_gone_leaves_the_old_one_in_use(rotating):
    pair, folder = rotating
    (folder / "tls.crt").unlink()
    pair.server.process.wait_line("error event=renewal-failed")
    finish(pair.open())


@pytest.mark.parametrize("linked", [False, True], ids=["file", "link"])
def test_a_list_that_is_rewritten_in_its_folder_is_taken_up(place, make_pair, certificates, linked, kind):
    """By nothing that the folder itself would show."""
    folder = place.folder / "lists"
    folder.mkdir()
    listed = (place.folder if linked else folder) / "revocations.pem"
    shutil.copy(certificates.revocations(), listed)
    named = folder / (certificate_hash(certificates.authority) + ".r0")
    if linked:
        named.symlink_to(listed)
    else:
        listed.rename(named)
    pair = make_pair(server={"CRLpath": folder}, client={"delay": "yes"})
    finish(pair.open())
    named.write_bytes(certificates.revocations(certificates.client).read_bytes())
    pair.server.process.wait_line("event=renewed service=svc")
    if kind == "h2":  # it was drained
        pair.client.process.wait_line("event=carrier-end")
    assert is_reset(pair.client.port, WORDS)
    pair.server.process.wait_line("event=failed .*why=cert-revoked")


def test_a_certificate_that_soon_expires_is_warned_about(place, router, app, certificates):
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=10, hours=1)
    identity = certificates.issue_server(end=soon.strftime("%Y%m%d%H%M%SZ"))
    server = routeport_server(place, app.address, cert=identity.certificate, key=identity.key)
    line = server.process.wait_line("warning event=cert-expires service=svc")
    assert "days=10" in line and f'detail="cert {identity.certificate}: CN=dated-server"' in line
    assert not routeport_client(place, router.port).process.lines_with("event=cert-expires")


# The end


def test_a_server_that_is_told_to_stop_goes_on_accepting_for_a_while(make_pair):
    pair = make_pair(server={"TIMEOUTlinger": 4})
    old = pair.open()
    pair.server.process.send_signal(signal.SIGTERM)
    pair.server.process.wait_line("event=stop .*linger=4")
    young = pair.open()
    echo(young)
    pair.server.process.wait_line("event=drain")
    echo(old)
    finish(old)
    finish(young)
    assert pair.server.process.wait_exit() == 0


def test_as_process_1_of_a_container_too(place, router, app, pod_port):
    inside = ["unshare", "--pid", "--fork", "--kill-child"]
    server = routeport_server(place, app.address, port=pod_port, inside=inside)
    pair = Pair(routeport_client(place, router.port), server, app)
    stream = pair.open()
    children = pathlib.Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    os.kill(int(children.read_text(encoding="ascii")), signal.SIGTERM)
    server.process.wait_line("event=drain")
    echo(stream)
    finish(stream)
    assert server.process.wait_exit() == 0


def test_a_second_signal_does_not_wait(make_pair):
    pair = make_pair(server={"TIMEOUTlinger": 60})
    stream = pair.open()
    pair.server.process.send_signal(signal.SIGTERM)
    pair.server.process.wait_line("event=stop")
    pair.server.process.send_signal(signal.SIGTERM)
    assert stream.other.receive_to_end() == (b"", Ending.RST)
    assert pair.server.process.wait_exit() == 0
