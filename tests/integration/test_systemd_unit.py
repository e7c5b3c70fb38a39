"""The shipped units under a real systemd, as they are: start, end, reload, what its filter of system calls
does to the program, and which ends are worth another start."""

import os
import re
import shutil

import pytest

from harness import pairs, ports, waiting
from harness.pairs import ROOT, Pair, client_options, is_sanitized, routeport
from harness.systemd import Missing, Systemd
from harness.talks import echo

KINDS = ["raw"]
WORKERS = [1]
UNITS = ROOT / "examples/systemd"
UNIT = "routeport-client.service"
LOG = "/var/log/routeport-client.log"

pytestmark = pytest.mark.skipif(is_sanitized(), reason="the unit forbids what a sanitizer does with memory")


@pytest.fixture(scope="module")
def booted(tmp_path_factory):
    """A systemd with the program, its units and a user for it."""
    try:
        systemd = Systemd(tmp_path_factory.mktemp("systemd") / "root")
    except Missing as missing:
        pytest.skip(f"no systemd boots here: {missing}")
    systemd.put("/etc/passwd", "root:x:0:0::/root:/bin/sh\nrouteport:x:64999:64999::/:/usr/sbin/nologin\n")
    systemd.put("/etc/group", "root:x:0:\nrouteport:x:64999:\n")
    systemd.put("/usr/local/bin/routeport-client", routeport("client"), 0o755)
    for unit in UNITS.iterdir():
        systemd.put(f"/etc/systemd/system/{unit.name}", unit)
    yield systemd
    systemd.close()


class Client:
    """The client as a service.  It takes the place of an end of a pair."""

    def __init__(self, systemd, place, router):
        self.systemd = systemd
        self.port = place.ports.reserve()
        self._drop_ins = set()
        options = {"accept": f"127.0.0.1:{self.port}", **client_options(place, router.port), "multiplex": "no"}
        for name in ("cert", "key", "CAfile"):
            self._put(f"/etc/routeport/{name}.pem", options[name])
            options[name] = f"/etc/routeport/{name}.pem"
        self.ini = "workers = 1\n[svc]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())
        self.configure(self.ini)
        self.drop_in(f"[Service]\nStandardError=append:{LOG}", "log")

    def _put(self, inside, content):
        """For its user's eyes alone."""
        self.systemd.put(inside, content, 0o640)
        os.chown(self.systemd.path(inside), 0, 64999)

    def configure(self, ini):
        self._put("/etc/routeport/client.ini", ini)

    def drop_in(self, text, name="more", unit=UNIT):
        folder = f"/etc/systemd/system/{unit}.d"
        self.systemd.put(f"{folder}/{name}.conf", text + "\n")
        self._drop_ins.add(folder)
        assert self.systemd.systemctl("daemon-reload").returncode == 0

    def start(self, unit=UNIT):
        return self.systemd.systemctl("start", unit).returncode == 0

    def log(self):
        return self.systemd.path(LOG).read_text(encoding="utf-8")

    def state(self):
        return self.systemd.show(UNIT, "ActiveState", "SubState", "NRestarts")

    def close(self):
        self.systemd.systemctl("stop", "routeport-client.socket", UNIT)
        self.systemd.systemctl("reset-failed")
        for folder in self._drop_ins:
            shutil.rmtree(self.systemd.path(folder))
        self.systemd.path(LOG).unlink(missing_ok=True)


@pytest.fixture
def client(booted, place, router):
    client = Client(booted, place, router)
    yield client
    client.close()


@pytest.fixture
def pair(client, place, app, pod_port):
    return Pair(client, pairs.routeport_server(place, app.address, port=pod_port, multiplex="no"), app)


def test_it_starts_serves_and_ends(client, pair):
    assert client.start(), client.log()
    assert client.state() == ["active", "running", "0"]
    assert client.systemd.show(UNIT, "StatusText") == ["1 services"]
    echo(pair.open())
    assert client.systemd.systemctl("stop", UNIT).returncode == 0
    assert client.state() == ["inactive", "dead", "0"]
    assert not re.search("(warning|error) event=(?!cert-)", client.log())


def test_it_reloads(client):
    assert client.start(), client.log()
    client.configure(client.ini + "TIMEOUTidle = 77\n")
    assert client.systemd.systemctl("reload", UNIT).returncode == 0
    waiting.until(lambda: "event=reloaded" in client.log(), "the settings are read")


def test_the_filter_lets_landlock_through(client):
    """What it lists beside @system-service; older lists do not have it, and newer ones need not be told."""
    assert client.start(), client.log()
    if "the kernel has no Landlock" in client.log():
        pytest.skip("the kernel has no Landlock")
    assert "event=sandbox" not in client.log()


LANDLOCK = ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self")


@pytest.mark.parametrize("calls", [LANDLOCK, *((call,) for call in LANDLOCK)], ids=["all", "create", "add", "restrict"])
def test_without_landlock_it_warns_and_goes_on(client, pair, calls):
    client.drop_in(f"[Service]\nSystemCallFilter=~{' '.join(calls)}")
    assert client.start(), client.log()
    assert "warning event=sandbox" in client.log()
    echo(pair.open())


def test_wrong_settings_are_not_tried_again(client):
    client.configure("nonsense\n")
    assert not client.start()
    assert client.state() == ["failed", "failed", "0"]
    assert "nonsense" in client.log()


def test_what_may_pass_is_tried_again(client):
    client.configure(client.ini.replace("accept = 127.0.0.1:", "accept = 192.0.2.77:"))
    assert not client.start()
    assert client.state()[:2] == ["activating", "auto-restart"]


def test_its_socket_unit_starts_it(client, pair):
    client.drop_in(f"[Socket]\nListenStream=\nListenStream=127.0.0.1:{client.port}", unit="routeport-client.socket")
    assert client.start("routeport-client.socket")
    assert ports.is_listening(client.port) and client.state()[0] == "inactive"
    echo(pair.open())
    assert client.state()[:2] == ["active", "running"]
