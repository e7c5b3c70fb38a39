"""`foreground`, `output`, `log`, `pid`, `syslog` and `logId`: where the program runs, and where it logs."""

import contextlib
import os
import re
import signal
import socket
import subprocess

import pytest

from harness import pairs, ports, waiting
from harness.programs import legacy_program


class Daemon:
    """A client with foreground = no, which ends with the test."""

    def __init__(self, place, port=None, **options):
        self.port = port or place.ports.reserve()
        self.pid_file = place.folder / "client.pid"
        self.log = place.folder / "client.log"
        before = {"foreground": "no", "pid": self.pid_file, "output": self.log, "syslog": "no"} | options
        if pairs.is_sanitized():
            before["sandbox"] = "no"
        service = {"accept": f"127.0.0.1:{self.port}", **pairs.client_options(place, 1), "delay": "yes"}
        self.path = pairs.write_ini(place.folder / "daemon.ini", before, service)
        self.started = subprocess.run(
            [pairs.routeport("client"), self.path],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=waiting.LIMIT, check=False,
        )

    def pid(self):
        return int(self.pid_file.read_text(encoding="ascii"))

    def close(self):
        if self.pid_file.exists():
            os.kill(self.pid(), signal.SIGTERM)
            waiting.until(lambda: not self.pid_file.exists(), "the daemon ends and takes its pid file away")


@pytest.fixture
def start_daemon(place):
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(contextlib.closing(Daemon(place, **options)))


def test_a_daemon_listens_when_its_parent_returns(start_daemon):
    daemon = start_daemon()
    assert daemon.started.returncode == 0, daemon.started.stderr
    assert ports.is_listening(daemon.port)
    assert daemon.pid() != os.getpid()
    assert os.getsid(daemon.pid()) == daemon.pid()
    for fd in range(3):
        assert os.readlink(f"/proc/{daemon.pid()}/fd/{fd}") == "/dev/null"
    assert "event=ready" in daemon.log.read_text(encoding="utf-8")


def test_a_daemon_that_cannot_start_says_so_to_who_started_it(start_daemon):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        daemon = start_daemon(port=taken.getsockname()[1])
    assert daemon.started.returncode == 1
    assert "Address already in use" in daemon.started.stderr
    assert not daemon.pid_file.exists()
    assert not ports.is_listening(daemon.port)


def test_a_wrong_file_becomes_no_daemon(start_daemon):
    daemon = start_daemon(conect="1")
    assert daemon.started.returncode == 2
    assert "nearest one is connect" in daemon.started.stderr


def test_a_second_start_leaves_the_first_one_s_number(start_daemon):
    daemon = start_daemon()
    pid = daemon.pid()
    again = subprocess.run(
        [pairs.routeport("client"), daemon.path], capture_output=True, text=True, timeout=waiting.LIMIT, check=False
    )
    assert again.returncode == 1
    assert "Address already in use" in again.stderr
    assert daemon.pid() == pid


def test_quiet_stays_and_says_nothing(place):
    log = place.folder / "quiet.log"
    port = place.ports.reserve()
    before = {"foreground": "quiet", "output": log}
    service = {"accept": f"127.0.0.1:{port}", **pairs.client_options(place, 1), "delay": "yes"}
    path = pairs.write_ini(place.folder / "quiet.ini", before, service)
    process = place.processes.start([pairs.routeport("client"), path], name="quiet")
    process.wait_listening(port)
    process.stop()
    assert not process.lines_with("event=ready")
    assert "event=ready" in log.read_text(encoding="utf-8")


@pytest.mark.parametrize("mode, kept", [("append", True), ("overwrite", False), (None, True)])
def test_a_log_file_is_appended_to_or_emptied_at_the_start(place, mode, kept):
    log = place.folder / "client.log"
    log.write_text("from yesterday\n", encoding="ascii")
    before = {"output": log, "log": mode}
    service = {"accept": f"127.0.0.1:{place.ports.reserve()}", **pairs.client_options(place, 1), "delay": "yes"}
    path = pairs.write_ini(place.folder / "log.ini", before, service)
    process = place.processes.start([pairs.routeport("client"), path], name="client")
    process.wait_line("event=ready")
    process.send_signal(signal.SIGHUP)
    process.wait_line("event=reloaded")
    text = log.read_text(encoding="utf-8")
    assert ("from yesterday" in text) == kept
    assert "event=ready" in text


@pytest.mark.parametrize(
    "log_id, pattern",
    [("sequential", r"[1-9]\d?"), ("unique", r"\d{15,}"), ("thread", r"\d+"), ("process", r"\d+"), ("none", "0")],
)
def test_streams_are_numbered_as_the_file_says(place, log_id, pattern):
    client = pairs.routeport_client(place, 1, logId=log_id)
    for number in (1, 2):
        legacy_program(client.port).receive_to_end()
        line = client.process.wait_line("event=close", number)
        found = re.search(r" stream=(\d+) ", line).group(1)
        assert re.fullmatch(pattern, found)
        if log_id == "process":
            assert int(found) == client.process.pid
        if log_id == "thread":
            assert os.path.exists(f"/proc/{client.process.pid}/task/{found}")
