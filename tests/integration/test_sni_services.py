"""Several routes lead to one sidecar, which picks the service by the name that the client asks for:
each has its own certificate, CA, limits and app."""

import contextlib
import signal
import socket
import ssl

import pytest

from harness import pairs, waiting
from harness.certificates import Authority
from harness.h2_peer import ALPN, H2Peer
from harness.programs import App, Ending, is_reset, legacy_program, random_bytes
from harness.status_port import StatusPort
from harness.tls_peer import TlsPeer, context_for

WORKERS = [1, 3]
WORDS = random_bytes(5000)
NAMES = ("orders.apps.test", "stock.apps.test", "a.b.shared.test")


@pytest.fixture(scope="session")
def authorities(tmp_path_factory):
    """One for each service: who may come in to one may not to another."""
    folder = tmp_path_factory.mktemp("authorities")
    return [Authority(folder / name, f"CA of {name}") for name in NAMES]


@pytest.fixture(scope="session")
def shown(authorities):
    """What each service shows, and what its clients do."""
    return [
        (authority.issue("server", name), authority.issue("client", f"client-of.{name}"))
        for authority, name in zip(authorities, NAMES)
    ]


@pytest.fixture
def apps(place):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(contextlib.closing(App(place.ports.reserve()))) for _ in NAMES]


SECTIONS = ("[orders]", "[stock]", "[shared]")


class Sidecar:
    """A server of three services behind one address; the first one is dialled."""

    def __init__(self, place, port, authorities, shown, apps, workers, kind, **of_first):
        self.port = port
        self.status = StatusPort(place.ports.reserve())
        self.path = place.folder / "sidecar.ini"
        before = f"debug = 7\nworkers = {workers}\nTIMEOUTlinger = 0\nstatus = 127.0.0.1:{self.status.port}\n"
        before += f"multiplex = {'no' if kind == 'raw' else 'auto'}\n"
        before += "sandbox = no\n" if pairs.is_sanitized() else ""
        ways = [
            {"accept": f"127.0.0.1:{port}", **of_first},
            {"sni": "orders:stock.apps.test"},
            {"sni": "orders:*.shared.test"},
        ]
        text = before
        for section, authority, (server, _), app, way in zip(SECTIONS, authorities, shown, apps, ways):
            options = {"connect": app.address, "cert": server.certificate, "key": server.key}
            options |= {"CAfile": authority.certificate} | way
            text += section + "\n" + "".join(f"{name} = {value}\n" for name, value in options.items())
        self.path.write_text(text, encoding="ascii")
        self.process = place.processes.start([pairs.routeport("server"), self.path], name="sidecar")
        self.process.wait_line("event=ready")

    def rewrite(self, old, new):
        text = self.path.read_text(encoding="ascii")
        assert old in text
        self.path.write_text(text.replace(old, new), encoding="ascii")
        self.process.send_signal(signal.SIGHUP)


@pytest.fixture
def make_sidecar(place, pod_port, authorities, shown, apps, workers, kind):
    def make(**of_first):
        return Sidecar(place, pod_port, authorities, shown, apps, workers, kind, **of_first)

    return make


@pytest.fixture
def sidecar(make_sidecar):
    return make_sidecar()


@pytest.fixture
def routes(make_router, pod_port):
    """A router with a route for each name, and one for a name that no service has."""
    return make_router({name: [pod_port] for name in (*NAMES, "elsewhere.apps.test")})


@pytest.fixture
def start_each(place, routes, authorities, shown, kind):
    """A client of service `which`, which asks for another `name` if told to."""

    def start(which, name=None, program=pairs.routeport_client, **options):
        identity = shown[which][1]
        usual = {"sni": name or NAMES[which], "checkHost": NAMES[which]}
        usual |= {"cert": identity.certificate, "key": identity.key, "CAfile": authorities[which].certificate}
        usual["multiplex"] = "no" if kind == "raw" else "auto"
        return program(place, routes.port, **usual | options)

    return start


def echo(client, app):
    """One stream to the app that it should lead to."""
    program = legacy_program(client.port)
    program.send(WORDS)
    visitor = app.accept()
    assert visitor.receive(len(WORDS)) == WORDS
    visitor.send(WORDS)
    assert program.receive(len(WORDS)) == WORDS
    return program, visitor


def finish(stream):
    program, visitor = stream
    program.finish()
    assert visitor.receive_to_end() == (b"", Ending.FIN)
    visitor.close()
    assert program.receive_to_end() == (b"", Ending.FIN)


def test_each_name_leads_to_its_own_app(sidecar, start_each, apps):
    for which, section in enumerate(("orders", "stock", "shared")):
        finish(echo(start_each(which), apps[which]))
        line = pairs.parse_line(sidecar.process.wait_line("event=close", which + 1))
        assert (line["service"], line["sni"], line["why"]) == (section, NAMES[which], "finished")
        assert line["names"] == f"DNS:client-of.{NAMES[which]}"


def test_stunnel_dials_each_of_them(sidecar, start_each, apps):
    for which, section in enumerate(("orders", "stock", "shared")):
        finish(echo(start_each(which, program=pairs.stunnel_client), apps[which]))
        assert f"service={section} " in sidecar.process.wait_line("event=close", which + 1)


def test_a_name_that_nobody_has_goes_to_the_primary_service(sidecar, start_each, apps):
    finish(echo(start_each(0, "elsewhere.apps.test"), apps[0]))
    assert "service=orders " in sidecar.process.wait_line("event=close")


def test_strict_names_refuse_it(make_sidecar, start_each, apps):
    sidecar = make_sidecar(sniStrict="yes")
    client = start_each(0, "elsewhere.apps.test")
    assert is_reset(client.port, WORDS)
    line = sidecar.process.wait_line("event=failed why=sni-unknown service=orders")
    assert "no service is for elsewhere.apps.test" in line
    assert "elsewhere.apps.test" in client.process.wait_line("event=failed why=sni-unknown")
    finish(echo(start_each(1), apps[1]))


def test_strict_names_refuse_by_the_right_alert(make_sidecar, pod_port, place):
    make_sidecar(sniStrict="yes")
    for name in ("elsewhere.apps.test", None):
        words = ["openssl", "s_client", "-connect", f"127.0.0.1:{pod_port}"]
        words += ["-servername", name] if name else ["-noservername"]
        process = place.processes.start(words, name="s_client")
        process.wait_exit()
        assert process.lines_with("alert unrecognized name|alert number 112")


def test_strict_names_may_have_one_of_the_primary_service(make_sidecar, start_each, apps):
    make_sidecar(sniStrict="yes", sni="orders:orders.apps.test")
    finish(echo(start_each(0), apps[0]))
    assert is_reset(start_each(0, "elsewhere.apps.test").port, WORDS)


def test_who_may_come_in_to_one_may_not_to_another(sidecar, start_each, authorities):
    """The client of the first service asks for the second, and trusts it."""
    client = start_each(0, NAMES[1], checkHost=NAMES[1], CAfile=authorities[1].certificate)
    assert is_reset(client.port, WORDS)
    line = sidecar.process.wait_line("event=failed why=unknown-ca")
    assert "service=stock " in line and NAMES[0] in line


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_of_one_is_not_resumed_in_another(sidecar, shown, apps, version):
    """A client that verifies nothing offers its session under whatever name it likes."""
    identity = shown[1][1]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = version
    context.load_cert_chain(identity.certificate, identity.key)

    def dial(name, session=None):
        sock = socket.create_connection(("127.0.0.1", sidecar.port), waiting.LIMIT)
        return TlsPeer(sock, context, server_hostname=name, session=session)

    def talk(session):
        peer = dial(NAMES[1], session)
        visitor = apps[1].accept()
        visitor.send(WORDS)
        assert peer.receive(len(WORDS)) == WORDS
        return peer, visitor

    held = [talk(None)]
    held.append(talk(held[0][0].session))
    with contextlib.suppress(ssl.SSLError, AssertionError):  # in TLS 1.3 it hears of it later
        held.append((dial(NAMES[0], held[0][0].session), None))
    assert "service=orders " in sidecar.process.wait_line("event=failed why=unknown-ca")
    for number, resumed in ((0, "no"), (1, "yes")):
        held[number][1].reset()
        line = pairs.parse_line(sidecar.process.wait_line("event=close", number + 1))
        assert (line["service"], line["resumed"]) == ("stock", resumed)


def test_limits_are_each_services_own(sidecar, start_each, apps, kind):
    sidecar.rewrite("[orders]\n", "[orders]\nmaxStreams = 1\n")
    sidecar.process.wait_line("event=reloaded")
    sidecar.rewrite("[stock]\n", "[stock]\nmaxStreams = 1\n")
    sidecar.process.wait_line("event=reloaded", 2)
    clients = [start_each(0), start_each(1)]
    held = [echo(client, app) for client, app in zip(clients, apps)]
    for client, section in zip(clients, ("orders", "stock")):
        assert is_reset(client.port, WORDS)
        if kind == "raw":
            line = sidecar.process.wait_line(f"event=failed why=full service={section} ")
            assert "maxStreams is reached" in line
            client.process.wait_line("event=failed why=no-pod")
        else:
            client.process.wait_line("event=failed why=full")
    finish(echo(start_each(2), apps[2]))
    for stream in held:
        finish(stream)
    for client, app in zip(clients, apps):
        waiting.until(lambda: not is_refused(client, app), "there is room again")


def is_refused(client, app):
    """A stream that finds no room ends before the app hears of it."""
    program = legacy_program(client.port)
    program.send(WORDS)
    waiting.until(lambda: app.has_visitor() or not program.is_silent_for(0), "it is served or refused")
    if not app.has_visitor():
        return True
    visitor = app.accept()
    assert visitor.receive(len(WORDS)) == WORDS
    finish((program, visitor))
    return False


def test_a_reload_may_bring_and_take_names(sidecar, start_each, apps, place):
    client = start_each(1)
    long = echo(client, apps[1])
    sidecar.rewrite("sni = orders:stock.apps.test", "sni = orders:other.apps.test")
    sidecar.process.wait_line("event=reloaded")
    refused = start_each(1)  # the primary service shows another certificate
    assert is_reset(refused.port, WORDS)
    refused.process.wait_line("event=failed why=(unknown-ca|name-mismatch)")
    sidecar.rewrite("sni = orders:other.apps.test", "sni = orders:*.apps.test")
    sidecar.process.wait_line("event=reloaded", 2)
    finish(echo(start_each(1), apps[1]))
    long[0].send(WORDS)
    assert long[1].receive(len(WORDS)) == WORDS
    finish(long)


def test_metrics_are_each_services_own(sidecar, start_each, apps, kind):
    for which, section in enumerate(("orders", "stock", "shared")):
        client = start_each(which)
        stream = echo(client, apps[which])
        sidecar.status.wait_value(1, "open_streams", service=section)
        assert sidecar.status.value("open_carriers", service=section, kind=kind) >= 1
        finish(stream)
        sidecar.status.wait_value(len(WORDS), "bytes_total", service=section, direction="up")
        assert sidecar.status.value("handshakes_total", service=section) >= 1


def test_the_authority_of_h2_chooses_nothing(sidecar, shown, authorities, apps, kind):
    """A carrier belongs to the service of its SNI, whatever its requests are about."""
    if kind == "raw":
        pytest.skip("raw carriers have no requests")
    context = context_for(ssl.PROTOCOL_TLS_CLIENT, shown[1][1], authorities[1].certificate)
    context.set_alpn_protocols([ALPN])
    sock = socket.create_connection(("127.0.0.1", sidecar.port), waiting.LIMIT)
    peer = H2Peer(sock, context, client=True, server_hostname=NAMES[1])
    stream = peer.open(authority=f"{NAMES[0]}:443")
    visitor = apps[1].accept()
    assert stream.wait_answer() == {":status": "200"}
    assert not apps[0].has_visitor()
    visitor.send(WORDS)
    assert stream.receive(len(WORDS)) == WORDS
