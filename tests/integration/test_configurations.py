"""Files of the kind that packages and operators write for stunnel, unchanged but for ports and folders:
what --check says of each, and some of them at work, with stunnel4 reading the same file at either end."""

import contextlib
import pathlib
import re
import shutil
import subprocess

import pytest

from harness import pairs
from harness.certificates import Authority
from harness.programs import App, Ending, legacy_program, random_bytes

WORDS = random_bytes(5000)
FILES = pathlib.Path(__file__).parent / "configurations"
HOSTS = ("vpn", "cache-1", "cache-2", "backup", "pg", "my", "mail")
FOLDERS = ("/etc/stunnel", "/var/run/stunnel", "/var/log/stunnel")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Where the folders are that the files name."""
    root = tmp_path_factory.mktemp("root")
    for folder in FOLDERS:
        (root / folder[1:]).mkdir(parents=True)
    etc = root / "etc/stunnel"
    authority = Authority(root / "authority", "operators' CA")
    shutil.copy(authority.certificate, etc / "ca.pem")
    server = authority.issue("server", ",DNS:".join(f"{host}.apps.test" for host in HOSTS))
    client = authority.issue("client", "legacy.test")
    for name, identity in (("server", server), ("client", client)):
        shutil.copy(identity.both, etc / f"{name}.pem")
        shutil.copy(identity.certificate, etc / f"{name}.crt")
        shutil.copy(identity.key, etc / f"{name}.key")
    (etc / "conf.d").mkdir()
    (etc / "conf.d/20-client.conf").write_text(
        f"[intranet]\nclient = yes\naccept = 127.0.0.1:8081\nconnect = vpn.apps.test:443\nCAfile = {etc}/ca.pem\n"
    )
    for path in [*etc.iterdir(), *authority.certificate.parent.iterdir()]:
        if path.is_file():
            path.chmod(0o600)
    return root


def text_of(name, root):
    text = (FILES / name).read_bytes().decode()
    for folder in FOLDERS:
        text = text.replace(folder, str(root / folder[1:]))
    return text


def check(name, role, root, tmp_path):
    path = tmp_path / name
    path.write_bytes(text_of(name, root).encode())
    result = subprocess.run(
        [pairs.routeport(role), "--check", path], capture_output=True, text=True, timeout=20, check=False
    )
    faults = [line.removeprefix(f"{path}:") for line in result.stderr.splitlines() if line.startswith(str(path))]
    return result, faults


GOOD = [
    *[("openvpn-client.conf", "client"), ("openvpn-server.conf", "server")],
    *[("redis-client.conf", "client"), ("redis-server.conf", "server")],
    *[("rsync-client.conf", "client"), ("rsync-server.conf", "server")],
    *[("databases.conf", "client"), ("databases.conf", "server")],
    *[("submission.conf", "client"), ("submission-server.conf", "server")],
    *[("sample.conf", "server"), ("sample.conf", "client")],
]


@pytest.mark.parametrize("name, role", GOOD)
def test_a_file_is_understood(name, role, root, tmp_path):
    result, _ = check(name, role, root, tmp_path)
    assert result.returncode == 0, result.stderr


# What stands in a fault, in the order of the lines.
REFUSED = {
    "mail-server.conf": ("server", [
        (':3: "[pop3s]": ', '"requireCert = no" to let anyone in'),
        (':6: "[imaps]": ', '"requireCert = no"'),
        (':9: "[submissions]": ', '"CAfile = FILE"'),
        (':12: "exec = ', "run the program as a TCP server"),
        (':13: "execArgs = ', "is refused"),
    ]),
    "starttls.conf": ("client", [
        (':5: "protocol = smtp": ', "a passthrough route wants TLS from the first byte"),
        (':9: "protocol = pgsql": ', "remove the line"),
        (':13: "protocol = socks": ', "a section with accept and connect for each app"),
    ]),
    "windows.conf": ("client", [
        (':2: "taskbar = yes": ', "there is no window to show it in"),
        (':3: "iconActive = a.ico": ', "remove the line"),
        (':4: "engine = capi": ', "name files by cert and key"),
        (':10: "engineId = capi": ', "name files by cert and key"),
        (':11: "transparent = destination": ', "protocol = proxy tells the app who connected"),
        (':12: "redirect = 80": ', "remove the line"),
    ]),
    "lax-server.conf": ("server", [
        (':2: "[app]": ', 'add "CAfile = FILE" with the CA of the clients\' certificates, or "requireCert = no"'),
    ]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_done_is_refused_by_name_with_a_way_out(name, root, tmp_path):
    role, expected = REFUSED[name]
    result, faults = check(name, role, root, tmp_path)
    assert result.returncode == 2
    assert len(faults) == len(expected), result.stderr
    for fault, (place, words) in zip(faults, expected):
        assert f":{fault}".startswith(place) and words in fault, fault


def test_the_one_line_that_is_told_makes_a_lax_file_run(root, tmp_path):
    for line in ("requireCert = no", f"CAfile = {root}/etc/stunnel/ca.pem"):
        path = tmp_path / "lax.conf"
        path.write_text(text_of("lax-server.conf", root) + line + "\n", encoding="utf-8")
        result = subprocess.run(
            [pairs.routeport("server"), "--check", path], capture_output=True, text=True, timeout=20, check=False
        )
        assert result.returncode == 0, result.stderr


# At work


class Site:
    """The programs around a file: its ports are free ones, its routes lead through the router."""

    def __init__(self, place, root, make_router):
        self._place = place
        self._root = root
        self._make_router = make_router
        self.pod = place.ports.reserve()
        self.doors = {}  # by the port that the file has
        self.apps = {}
        self._router = None

    def route(self):
        if not self._router:
            self._router = self._make_router({f"{host}.apps.test": [self.pod] for host in HOSTS})
        return self._router.port

    def _door(self, port):
        if port not in self.doors:
            self.doors[port] = self._place.ports.reserve()
        return self.doors[port]

    def _app(self, port):
        if port not in self.apps:
            self.apps[port] = App(self._place.ports.reserve())
        return self.apps[port].address

    def _address(self, line):
        """A line with its address exchanged; the pod accepts at 8443, routes are at 443."""
        option, before, host, port = re.fullmatch(r"\s*(\w+)(\s*=\s*)(\S+:)?(\d+)\s*", line).groups()
        if option.lower() == "accept":
            return f"{option}{before}127.0.0.1:{self.pod if port == '8443' else self._door(port)}"
        return f"{option}{before}127.0.0.1:{self.route() if port == '443' else self._app(port)}"

    def start(self, name, role, program):
        lines = text_of(name, self._root).splitlines()
        lines = [self._address(line) if re.match(r"\s*(accept|connect)\s*=", line, re.I) else line for line in lines]
        text = "\n".join(lines) + "\n"
        if pairs.is_sanitized():
            text = "sandbox = no\n" + text if program == "routeport" else text
        path = self._place.folder / f"{program}-{role}-{name}"
        path.write_text(text, encoding="utf-8")
        argv = [pairs.routeport(role), path] if program == "routeport" else ["stunnel4", path]
        process = self._place.processes.start(argv, name=f"{program}-{role}")
        for port in re.findall(r"^\s*accept\s*=\s*127\.0\.0\.1:(\d+)", text, re.MULTILINE | re.IGNORECASE):
            if program != "routeport" or (int(port) == self.pod) == (role == "server"):
                process.wait_listening(int(port))
        return process

    def talk(self, accept, app):
        """A stream from who dials port `accept` of the file to the app at its port `app`."""
        program = legacy_program(self.doors[accept])
        program.send(WORDS)
        visitor = self._visitor(app)
        visitor.send(WORDS)
        assert program.receive(len(WORDS)) == WORDS
        program.finish()
        assert visitor.receive_to_end() == (b"", Ending.FIN)
        visitor.close()
        assert program.receive_to_end() == (b"", Ending.FIN)

    def _visitor(self, app):
        """Who brings bytes.  A client that asks whether the far end speaks h2 brings none."""
        while True:
            visitor = self.apps[app].accept()
            received, _ = visitor.receive_to_end(most=len(WORDS))
            if received:
                assert received == WORDS
                return visitor

    def close(self):
        for app in self.apps.values():
            app.close()


@pytest.fixture
def site(place, root, make_router):
    with contextlib.closing(Site(place, root, make_router)) as site:
        yield site


# The client's file, the server's, and which port of the first leads to which app of the other.
PAIRS = {
    "openvpn": ("openvpn-client.conf", "openvpn-server.conf", {"1194": "1194"}),
    "redis": ("redis-client.conf", "redis-server.conf", {"6379": "6379", "6380": "6380"}),
    "rsync": ("rsync-client.conf", "rsync-server.conf", {"8730": "873"}),
    "mail": ("submission.conf", "submission-server.conf", {"1465": "25"}),
    "databases": ("databases.conf", "databases.conf", {"5432": "15432", "3306": "13306"}),
}


ENDS = [("routeport", "routeport"), ("routeport", "stunnel4"), ("stunnel4", "routeport")]
# stunnel4 runs both halves of a file; see below.
CASES = [(name, ends) for name in PAIRS for ends in ENDS if name != "databases" or ends == ENDS[0]]


@pytest.mark.parametrize("name, ends", CASES, ids=lambda case: case if isinstance(case, str) else "-".join(case))
def test_a_pair_of_files_runs_with_either_program_at_either_end(name, ends, site):
    client, server, ways = PAIRS[name]
    site.start(server, "server", ends[1])
    site.start(client, "client", ends[0])
    for accept, app in ways.items():
        for _ in range(2):
            site.talk(accept, app)


def test_stunnel_with_both_halves_of_a_file_is_a_peer_of_ours(site):
    """It runs the whole of databases.conf; routeport-server then takes the server's half over."""
    stunnel = site.start("databases.conf", "client", "stunnel4")
    site.talk("5432", "15432")
    stunnel.stop()
    site.start("databases.conf", "server", "routeport")
    site.start("databases.conf", "client", "routeport")
    site.talk("5432", "15432")
    site.talk("3306", "13306")


def test_another_target_is_taken_when_the_first_is_down(site, place):
    """submission.conf names two."""
    site.start("submission-server.conf", "server", "routeport")
    process = site.start("submission.conf", "client", "routeport")
    path = pathlib.Path(process.argv[-1])
    process.stop()
    text = path.read_text(encoding="utf-8")
    dead = place.ports.reserve()
    path.write_text(text.replace(f"127.0.0.1:{site.route()}", f"127.0.0.1:{dead}", 1), encoding="utf-8")
    place.processes.start(process.argv, name="routeport-client").wait_listening(site.doors["1465"])
    site.talk("1465", "25")
