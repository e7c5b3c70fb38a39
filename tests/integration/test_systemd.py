"""What systemd and the programs tell each other: readiness, reloads, the end and signs of life by
NOTIFY_SOCKET, and listening sockets by LISTEN_FDS.  The test is in systemd's place."""

import os
import shutil
import signal
import socket
import sys

import pytest

from harness import ports, waiting
from harness.pairs import Pair, client_options, is_sanitized, routeport, routeport_server, write_ini
from harness.status_port import StatusPort
from harness.programs import random_bytes

WORKERS = [1, 3]
KINDS = ["raw"]  # the doors are the same
WORDS = random_bytes(5000)

# Takes descriptors as systemd hands them over, then becomes the program.
LAUNCHER = """
import os, sys
fds = [os.dup(int(fd)) for fd in sys.argv[1].split(",")] if sys.argv[1] else []
for i, fd in enumerate(fds):
    os.dup2(fd, 100 + i)
for i in range(len(fds)):
    os.dup2(100 + i, 3 + i, inheritable=True)
    os.close(100 + i)
os.environ["LISTEN_PID"] = str(os.getpid() + int(sys.argv[2]))
os.environ["LISTEN_FDS"] = str(len(fds))
os.execv(sys.argv[3], sys.argv[3:])
"""


class Manager:
    """Hears what a service has to say."""

    def __init__(self, folder):
        self.path = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.settimeout(waiting.LIMIT)

    def hear(self):
        return self._socket.recv(4096).decode()

    def wait_for(self, *states):
        """These, in this order; what else is said is passed over."""
        for state in states:
            while not (said := self.hear()).startswith(state):
                pass
        return said

    def close(self):
        self._socket.close()


@pytest.fixture
def manager(short_folder):
    manager = Manager(short_folder)
    yield manager
    manager.close()


def listening(family=socket.AF_INET, address=("127.0.0.1", 0)):
    sock = socket.socket(family)
    sock.bind(address)
    sock.listen(16)
    return sock


@pytest.fixture
def start(place, router, workers):
    """Starts a client that listens at `accept`, with inherited sockets and an environment."""

    def start(accept, sockets=(), pid_off=0, environment=None, before=None):
        service = {**client_options(place, router.port), "accept": accept, "multiplex": "no"}
        sandbox = {"sandbox": "no"} if is_sanitized() else {}  # a sanitizer reads its own files
        first = {"debug": 7, "workers": workers, **sandbox, **(before or {})}
        path = write_ini(place.folder / "client.ini", first, service)
        program = [routeport("client"), path]
        if sockets:
            for sock in sockets:
                os.set_inheritable(sock.fileno(), True)
            numbers = ",".join(str(sock.fileno()) for sock in sockets)
            program = [sys.executable, "-c", LAUNCHER, numbers, pid_off, *program]
        return place.processes.start(
            program, name="routeport-client", environment=environment, keep=[sock.fileno() for sock in sockets]
        )

    return start


class End:
    def __init__(self, process, port):
        self.process, self.port = process, port


def talk(pair):
    stream = pair.open()
    stream.one.send(WORDS)
    assert stream.other.receive(len(WORDS)) == WORDS
    stream.one.close()
    stream.other.close()


# What it tells


def test_readiness_a_reload_and_the_end_are_told(manager, start, place):
    client = start(f"127.0.0.1:{place.ports.reserve()}", environment={"NOTIFY_SOCKET": manager.path})
    manager.wait_for("READY=1", "STATUS=1 services")
    client.send_signal(signal.SIGHUP)
    assert "\nMONOTONIC_USEC=" in manager.wait_for("RELOADING=1")
    manager.wait_for("STATUS=1 services", "READY=1")
    client.send_signal(signal.SIGTERM)
    manager.wait_for("STOPPING=1")
    assert client.wait_exit() == 0


def test_a_reload_that_fails_is_told_and_over(manager, start, place):
    client = start(f"127.0.0.1:{place.ports.reserve()}", environment={"NOTIFY_SOCKET": manager.path})
    manager.wait_for("READY=1")
    (place.folder / "client.ini").write_text("nonsense\n", encoding="ascii")
    client.send_signal(signal.SIGHUP)
    manager.wait_for("RELOADING=1", "STATUS=a reload failed: ", "READY=1")


def test_a_start_that_fails_says_why(manager, start, app):
    client = start(f"127.0.0.1:{app.address}", environment={"NOTIFY_SOCKET": manager.path})
    assert "already in use" in manager.wait_for("STATUS=")
    assert client.wait_exit() == 1


def test_the_watchdog_gets_its_sign_of_life(manager, start, place):
    start(
        f"127.0.0.1:{place.ports.reserve()}",
        environment={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "200000"},
    )
    manager.wait_for("READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1")


# What it takes over


@pytest.fixture
def server(place, app, workers, pod_port):
    return routeport_server(place, app.address, workers=workers, port=pod_port, multiplex="no")


def test_a_socket_that_is_handed_over_is_used(start, server, app, workers):
    with listening() as sock:
        port = sock.getsockname()[1]
        client = start(f"127.0.0.1:{port}", [sock])
        client.wait_line("event=ready")
        pair = Pair(End(client, port), server, app)
        for _ in range(2 * workers):
            talk(pair)
        client.stop()
        assert ports.is_listening(port), "it is systemd's, and stays"


def test_who_connects_while_the_program_restarts_is_served(start, server, app):
    with listening() as sock:
        port = sock.getsockname()[1]
        first = start(f"127.0.0.1:{port}", [sock])
        first.wait_line("event=ready")
        first.stop()
        pair = Pair(End(None, port), server, app)
        waits = pair.dial()
        second = start(f"127.0.0.1:{port}", [sock])
        waits.send(WORDS)
        visitor = app.accept()
        assert visitor.receive(len(WORDS)) == WORDS
        second.wait_line("event=accept")
        waits.close()
        visitor.close()


def test_an_address_that_was_not_handed_over_is_opened(start, server, app, place):
    with listening() as sock:
        other = place.ports.reserve()
        client = start([f"127.0.0.1:{sock.getsockname()[1]}", f"127.0.0.1:{other}"], [sock])
        client.wait_line("event=ready")
        talk(Pair(End(client, other), server, app))


def test_what_is_handed_over_is_used_though_another_address_is_taken(start, server, app):
    with listening() as sock, listening() as taken:
        port = sock.getsockname()[1]
        client = start([f"127.0.0.1:{port}", f"127.0.0.1:{taken.getsockname()[1]}"], [sock])
        client.wait_line("error event=listen-failed .*already in use")
        client.wait_line("event=ready")
        talk(Pair(End(client, port), server, app))


def test_a_unix_socket_and_the_status_port_may_be_handed_over(start, server, app, short_folder):
    path = short_folder / "accept"
    with listening(socket.AF_UNIX, str(path)) as sock, listening() as status:
        number = status.getsockname()[1]
        client = start(str(path), [status, sock], before={"status": f"127.0.0.1:{number}"})
        client.wait_line("event=ready")
        talk(Pair(End(client, str(path)), server, app))
        assert StatusPort(number).code("/livez") == 200
        client.stop()
        assert path.exists(), "its file is systemd's, too"


def test_a_socket_that_nobody_wants_is_an_error_that_names_it(start, place):
    with listening() as sock:
        client = start(
            f"127.0.0.1:{place.ports.reserve()}", [sock], environment={"LISTEN_FDNAMES": "legacy.socket"}
        )
        assert client.wait_exit() == 1
        (line,) = client.lines_with("error event=exit")
        assert f"127.0.0.1:{sock.getsockname()[1]} (legacy.socket)" in line


@pytest.mark.parametrize("kind_of_socket", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_socket_that_does_not_listen_is_an_error(start, place, kind_of_socket):
    with socket.socket(socket.AF_INET, kind_of_socket) as sock:
        client = start(f"127.0.0.1:{place.ports.reserve()}", [sock])
        assert client.wait_exit() == 2
        assert client.lines_with("no listening stream socket")


def test_what_is_meant_for_another_process_is_left_alone(start, place):
    with listening() as sock:
        client = start(f"127.0.0.1:{place.ports.reserve()}", [sock], pid_off=1)
        client.wait_line("event=ready")


@pytest.mark.skipif(not shutil.which("systemd-socket-activate"), reason="it is not installed")
def test_systemd_s_own_launcher_is_understood(place, start, server, app, router, workers):
    port = place.ports.reserve()
    service = {**client_options(place, router.port), "accept": f"127.0.0.1:{port}", "multiplex": "no"}
    path = write_ini(place.folder / "client.ini", {"debug": 7, "workers": workers}, service)
    launcher = place.processes.start(
        ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", routeport("client"), path], name="launcher"
    )
    launcher.wait_listening(port)
    talk(Pair(End(launcher, port), server, app))
    launcher.wait_line("event=ready")
