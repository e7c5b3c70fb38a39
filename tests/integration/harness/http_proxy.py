"""An HTTP proxy between the client and the router: the distribution's tinyproxy, or one of
the test's own that answers as it is told."""

import contextlib
import socket
import threading
import time

from .programs import Connection, listen

USER, PASSWORD = "legacy", "opensesame"

SETTINGS = """
Port {port}
Listen 127.0.0.1
Timeout 600
MaxClients 100
LogLevel Connect
{more}
"""


class Tinyproxy:
    """A process; `allowed` is the only port that it connects to, if not None."""

    def __init__(self, place, *, authentication=False, allowed=None):
        self.port = place.ports.reserve()
        more = []
        if authentication:
            more.append(f"BasicAuth {USER} {PASSWORD}")
        if allowed:
            more.append(f"ConnectPort {allowed}")
        path = place.folder / f"tinyproxy-{self.port}.conf"
        path.write_text(SETTINGS.format(port=self.port, more="\n".join(more)), encoding="ascii")
        self.process = place.processes.start(["tinyproxy", "-d", "-c", path], name="tinyproxy")
        self.process.wait_listening(self.port)


class Visitor(Connection):
    """Who asks a scripted proxy."""

    def relay_to(self, port, answer, *, byte_by_byte=False):
        """Agree, and be the proxy from now on."""
        pieces = [answer[at : at + 1] for at in range(len(answer))] if byte_by_byte else [answer]
        for piece in pieces:
            self.send(piece)
            time.sleep(0.002)  # so that they travel one by one
        far = socket.create_connection(("127.0.0.1", port))
        for pair in ((self._socket, far), (far, self._socket)):
            threading.Thread(target=_pump, args=pair, daemon=True).start()


def _pump(source, sink):
    with contextlib.suppress(OSError):
        source.settimeout(None)
        while piece := source.recv(65536):
            sink.sendall(piece)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


class ScriptedProxy:
    """Reads each question whole, keeps it in `requests`, and hands the visitor to `answer`."""

    def __init__(self, port, answer):
        self.port = port
        self.requests = []
        self._answer = answer
        self._socket = listen(port)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        with contextlib.suppress(OSError, AssertionError):
            while True:
                visitor = Visitor(self._socket.accept()[0])
                request = b""
                while not request.endswith(b"\r\n\r\n"):
                    request += visitor.receive(1)
                self.requests.append(request)
                with contextlib.suppress(OSError):
                    self._answer(visitor)

    def close(self):
        self._socket.close()
