"""Who asks the status port: curl, as probes do, and Prometheus' own parser for the metrics."""

import socket
import subprocess

from prometheus_client.parser import text_string_to_metric_families

from . import waiting


class StatusPort:
    """The port of one end."""

    def __init__(self, port):
        self.port = port

    def get(self, path, *words):
        """The code and the body, as curl has them; `words`: more options."""
        result = subprocess.run(
            ["curl", "-s", "-w", "\n%{http_code}", *words, f"http://127.0.0.1:{self.port}{path}"],
            capture_output=True, text=True, timeout=waiting.LIMIT, check=False,
        )
        body, code = result.stdout.rsplit("\n", 1)
        return int(code), body

    def code(self, path):
        return self.get(path)[0]

    def families(self):
        """All metrics, by name."""
        code, body = self.get("/metrics")
        assert code == 200, body
        return {family.name: family for family in text_string_to_metric_families(body)}

    def value(self, name, **labels):
        """The sum of all samples of a metric that bear these labels."""
        samples = [
            sample
            for family in self.families().values()
            for sample in family.samples
            if sample.name == f"routeport_{name}" and labels.items() <= sample.labels.items()
        ]
        assert samples, f"there is no {name} with {labels}"
        return sum(sample.value for sample in samples)

    def wait_value(self, expected, name, **labels):
        waiting.until(lambda: self.value(name, **labels) == expected, f"{name} is {expected} for {labels}")

    def dial(self):
        sock = socket.create_connection(("127.0.0.1", self.port), waiting.LIMIT)
        sock.settimeout(waiting.LIMIT)
        return sock

    def exchange(self, *pieces):
        """Send pieces of bytes, one after the other, and return all that comes."""
        with self.dial() as sock:
            for piece in pieces:
                sock.sendall(piece)
            return read_all(sock)


def read_all(sock):
    """Until FIN."""
    received = b""
    while piece := sock.recv(65536):
        received += piece
    return received


def codes(answer):
    """Of all answers in these bytes."""
    return [int(line.split()[1]) for line in answer.decode().splitlines() if line.startswith("HTTP/1.1 ")]
