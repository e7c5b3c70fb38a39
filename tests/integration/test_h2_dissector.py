"""tshark, which is not ours, reads a recorded carrier and names its frames.

The secrets of TLS come from the end that is not ours: routeport never writes any.
"""

import contextlib
import shutil
import signal
import socket
import subprocess

import pytest

from harness import waiting
from harness.h2_meeting import Pod, meet_client, meet_server, start_client, start_server
from harness.programs import random_bytes

LARGE = random_bytes(300_000)  # more than a window
OUR_FRAMES = {"HEADERS", "DATA", "RST_STREAM", "SETTINGS", "PING", "GOAWAY", "WINDOW_UPDATE"}


class Recording:
    """What passes on a port of the loopback."""

    def __init__(self, place, port):
        self._path = place.folder / "carrier.pcapng"
        self._sign = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sign.bind(("127.0.0.1", 0))
        what = f"tcp port {port} or udp port {self._sign.getsockname()[1]}"
        self._process = place.processes.start(["dumpcap", "-q", "-i", "lo", "-f", what, "-w", self._path])
        self._wait_for(b"the beginning")

    def _wait_for(self, sign):
        """Everything up to now is in the file, once a sign is."""

        def is_there():
            self._sign.sendto(sign, self._sign.getsockname())
            return self._process.has_ended() or (self._path.exists() and sign in self._path.read_bytes())

        waiting.until(is_there, f"{sign} was recorded")
        if self._process.has_ended():
            pytest.skip("recording is not allowed here: " + " ".join(self._process.lines))

    def finish(self):
        self._wait_for(b"the end")
        self._process.stop(signal.SIGINT)
        self._sign.close()

    def packets(self, keys, condition):
        """Those that meet a condition, as tshark sees them: port, frames, and the first header."""
        done = subprocess.run(
            [
                *("tshark", "-n", "-r", self._path, "-o", f"tls.keylog_file:{keys}", "-Y", condition),
                *("-T", "fields", "-e", "tcp.srcport", "-e", "_ws.col.Info"),
                *("-e", "http2.header.value", "-E", "occurrence=f"),
            ],
            check=True,
            capture_output=True,
            text=True,
        )
        return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.fixture
def record(place):
    if not shutil.which("dumpcap") or not shutil.which("tshark"):
        pytest.skip("tshark is not installed")
    return lambda port: Recording(place, port)


def live(meeting):
    """A life in which every kind of frame has its turn."""
    stream, program = meeting.open_another()
    program.reset()
    stream.receive_to_end()
    meeting.stream.send(LARGE)
    assert meeting.program.receive(len(LARGE)) == LARGE
    meeting.program.send(LARGE)
    assert meeting.stream.receive(len(LARGE)) == LARGE
    meeting.stream.finish()
    meeting.program.finish()
    assert meeting.stream.receive_to_end() == (b"", True)
    meeting.peer.ping()
    meeting.end.process.send_signal(signal.SIGTERM)
    meeting.peer.wait_lost()
    meeting.peer.end_with_fin()
    meeting.end.process.wait_exit()


def judge(recording, keys, is_ours, header):
    """Nothing is malformed, and our end, whose packets `is_ours` knows by their port, has sent
    every kind of frame, and that header."""
    recording.finish()
    assert not recording.packets(keys, '_ws.malformed || _ws.expert.severity == "error"')
    ours = [rest for port, *rest in recording.packets(keys, "http2") if is_ours(int(port))]
    frames = " ".join(frames for frames, _ in ours)
    assert {kind for kind in OUR_FRAMES if f"{kind}[" in frames} == OUR_FRAMES, frames
    assert {headers for _, headers in ours if headers} == {header}


def test_dissector_names_the_frames_of_our_server(place, router, app, pod_port, record):
    keys = place.folder / "keys"
    server = start_server(place, app, pod_port)
    recording = record(pod_port)
    live(meet_server(place, router, app, server, keys=keys))
    judge(recording, keys, lambda port: port == pod_port, "200")


def test_dissector_names_the_frames_of_our_client(place, router, pod_port, record):
    keys = place.folder / "keys"
    recording = record(pod_port)
    with contextlib.closing(Pod(place, pod_port)) as pod:
        client = start_client(place, router)
        live(meet_client(client, pod, keys=keys))
        judge(recording, keys, lambda port: port != pod_port, "CONNECT")
