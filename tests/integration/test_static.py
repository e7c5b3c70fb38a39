"""The static programs, in a root folder with nothing in it but themselves and their files,
under a user that nobody has heard of: as in an image FROM scratch."""

import contextlib
import fcntl
import os
import shutil
import subprocess

import pytest

from harness import pairs
from harness.certificates import HOST
from harness.dns import NameServer
from harness.pairs import BUILD, ROOT, Pair, write_ini
from harness.programs import Ending, is_reset, random_bytes

LARGE = random_bytes(2_000_000)
USER = 12345

pytestmark = pytest.mark.skipif(
    "ROUTEPORT_SKIP_STATIC" in os.environ, reason="ROUTEPORT_SKIP_STATIC is set: no static programs here"
)


@pytest.fixture(scope="module")
def static():
    """The folder with the static programs; `make` builds them unless they are there."""
    plain = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "SANITIZE")}
    make = ["make", "-C", ROOT, f"BUILD={BUILD}", "static"]
    with open(BUILD / "static.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run of these tests may be building it too
        subprocess.run(make, env=plain, check=True, capture_output=True)
    return BUILD / "static"


class EmptyRoot:
    """A root folder for one program."""

    def __init__(self, place, static, role, hosts="", resolv_conf=""):
        self._place = place
        self._program = f"routeport-{role}"
        self.folder = place.folder / f"root-{role}"
        (self.folder / "etc").mkdir(parents=True)
        self.folder.chmod(0o755)
        (self.folder / "etc/hosts").write_text(hosts, encoding="ascii")
        (self.folder / "etc/resolv.conf").write_text(resolv_conf, encoding="ascii")
        shutil.copy(static / self._program, self.folder)

    def start(self, **options):
        """Run the program there; the files that its options name are put in first."""
        inside = dict(options)
        for name in ("cert", "key", "CAfile"):
            shutil.copy(options[name], self.folder / name)
            (self.folder / name).chmod(0o444)
            inside[name] = f"/{name}"
        write_ini(self.folder / "routeport.ini", {"debug": 7, "workers": 1}, inside)
        if os.geteuid() == 0:
            enter = ["chroot", f"--userspec={USER}:0", "--groups=", self.folder]
        else:
            enter = ["unshare", "--map-root-user", f"--root={self.folder}"]
        return self._place.processes.start(
            [*enter, f"/{self._program}", "/routeport.ini"], name=f"static {self._program}"
        )


@pytest.fixture
def make_end(place, static):
    """Starts an end of the pair in an empty root, with a name in `connect`."""

    def make(role, options, connect, **files):
        port = place.ports.reserve()
        root = EmptyRoot(place, static, role, **files)
        process = root.start(**{**options, "accept": f"127.0.0.1:{port}", "connect": connect})
        return pairs.RouteportEnd(process, port)

    return make


@pytest.mark.parametrize("program", ["client", "server"])
def test_program_needs_no_library(static, program):
    headers = subprocess.run(
        ["readelf", "--program-headers", "--dynamic", static / f"routeport-{program}"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "INTERP" not in headers
    assert "NEEDED" not in headers


def carry_both_ways(pair):
    stream = pair.open()
    stream.one.send(LARGE)
    stream.one.finish()
    assert stream.other.receive_to_end() == (LARGE, Ending.FIN)
    stream.other.send(LARGE)
    stream.other.close()
    assert stream.one.receive_to_end() == (LARGE, Ending.FIN)


def test_pair_in_empty_roots_finds_names_in_the_hosts_file(make_end, place, make_router, app):
    server = make_end(
        "server",
        pairs.server_options(place, app.address),
        connect=f"app.pod.test:{app.address}",
        hosts="127.0.0.1 app.pod.test\n",
    )
    router = make_router({HOST: [server.port]})
    client = make_end(
        "client",
        pairs.client_options(place, router.port),
        connect=f"{HOST}:{router.port}",
        hosts=f"127.0.0.1 localhost {HOST}\n",
    )
    carry_both_ways(Pair(client, server, app))


@pytest.fixture
def name_server():
    try:
        server = NameServer({HOST: "127.0.0.1"})
    except PermissionError:
        pytest.skip("only root may be a name server here")
    with contextlib.closing(server):
        yield server


def test_client_in_an_empty_root_asks_a_name_server(make_end, place, router, pod_port, app, name_server):
    server = pairs.routeport_server(place, app.address, port=pod_port)
    client = make_end(
        "client",
        pairs.client_options(place, router.port),
        connect=f"{HOST}:{router.port}",
        resolv_conf=f"nameserver {name_server.address}\n",
    )
    carry_both_ways(Pair(client, server, app))


def test_name_that_no_server_knows_is_said_in_words(make_end, place, name_server):
    client = make_end(
        "client",
        pairs.client_options(place, 443),
        connect="nowhere.apps.test:443",
        resolv_conf=f"nameserver {name_server.address}\n",
    )
    for _ in range(3):
        assert is_reset(client.port, LARGE)
        client.expect_close("name-not-found")
    (line,) = [line for line in client.complaints() if "event=key-readable" not in line]
    assert "why=name-not-found" in line
    assert "nowhere.apps.test" in line
