"""The pair between the two programs: ours, or somebody else's at one end or at both.

An end is a process with a port; the client end dials the router, the server end dials the
app.  Any two ends make a pair.
"""

import dataclasses
import functools
import os
import pathlib
import re

import pytest

from .certificates import HOST, Certificates
from .ports import Ports
from .processes import Processes
from .programs import Connection, legacy_program

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("ROUTEPORT_BUILD", ROOT / "build"))

# What stunnel knows of the options that tests set; the others are left out for it.
STUNNEL_KNOWS = {"cert", "key", "CAfile", "sni", "accept", "connect", "checkHost", "sslVersion", "sslVersionMax"}
STUNNEL_KNOWS |= {"TIMEOUTidle", "TIMEOUTclose", "TIMEOUTconnect", "TIMEOUTbusy", "verifyChain", "requireCert"}

# Those that hold for all services: they stand before the first section.
OF_THE_PROGRAM = {"debug", "status", "statusHost", "maxConnections", "TIMEOUTlinger", "TIMEOUTdrain", "output"}
OF_THE_PROGRAM |= {"setuid", "setgid", "chroot", "sandbox", "windowBudget"}



@dataclasses.dataclass
class Place:
    """Where a test happens."""

    folder: pathlib.Path
    certificates: Certificates
    processes: Processes
    ports: Ports


def routeport(role):
    return BUILD / f"routeport-{role}"


@functools.cache
def is_sanitized():
    """Sanitizers take memory and time of their own."""
    program = routeport("client").read_bytes()
    return b"__asan_init" in program or b"__tsan_init" in program


def write_ini(path, before, *services):
    """An INI file with options `before` its sections, which are called svc, svc-2 and so on.
    An option with a list of values is written once for each of them, one with None never."""

    def rows(options):
        for name, value in options.items():
            for one in value if isinstance(value, list) else [value]:
                if one is not None:
                    yield f"{name} = {one}\n"

    text = "".join(rows(before))
    for number, service in enumerate(services, 1):
        text += f"[svc-{number}]\n" if number > 1 else "[svc]\n"
        text += "".join(rows(service))
    path.write_text(text, encoding="utf-8")
    return path


def unquote(value):
    """What stands in quotes in our log, as it was before."""
    if not value.startswith('"'):
        return value
    return re.sub(r"\\(?:x(..)|(.))", lambda found: found[2] or chr(int(found[1], 16)), value[1:-1])


def parse_line(line):
    """The key=value pairs of a line in our log."""
    return {key: unquote(value) for key, value in re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)', line)}


def client_options(place, router_port):
    return {
        "connect": f"127.0.0.1:{router_port}",
        "sni": HOST,
        "cert": place.certificates.client.certificate,
        "key": place.certificates.client.key,
        "CAfile": place.certificates.authority,
    }


def server_options(place, app):
    return {
        "connect": app if isinstance(app, str) else f"127.0.0.1:{app}",
        "cert": place.certificates.server.certificate,
        "key": place.certificates.server.key,
        "CAfile": place.certificates.authority,
    }


class RouteportEnd:
    """A process of routeport-client or routeport-server that listens on `port`."""

    def __init__(self, process, port):
        self.process = process
        self.port = port
        self._closed = 0
        process.wait_line("event=ready")

    def wait_close(self):
        """The next close line, as a dictionary."""
        self._closed += 1
        return parse_line(self.process.wait_line("event=close", self._closed))

    def expect_close(self, why):
        """The next close line says `why`, or one of several words."""
        fields = self.wait_close()
        assert fields["why"] in ({why} if isinstance(why, str) else why), fields
        return fields

    def complaints(self):
        """But for those about its own certificate, which tests let expire."""
        return [line for line in self.process.lines_with(r"^\S+ (warning|error) ") if "event=cert-" not in line]


class ForeignEnd:
    """Somebody else's program.  What it logs is not on trial, only what its side sees."""

    def __init__(self, process, port):
        self.process = process
        self.port = port
        process.wait_listening(port)

    def wait_close(self):
        pytest.skip("it has no close lines")

    def expect_close(self, why):
        """What its program saw has to do."""


def _routeport(place, role, port, usual, workers, inside, options):
    terminal = options.pop("terminal", None)
    also = [{**usual, **service} for service in options.pop("also", [])]
    service = {"accept": f"127.0.0.1:{port}", **usual, **options}
    before = {"debug": 7, "workers": workers, "TIMEOUTlinger": 0}
    if is_sanitized():
        before["sandbox"] = "no"  # a sanitizer reads its own files, and traces its own threads
    before |= {name: service.pop(name) for name in OF_THE_PROGRAM & service.keys()}
    path = write_ini(place.folder / f"{role}-{port}.ini", before, service, *also)
    process = place.processes.start([*inside, routeport(role), path], name=f"routeport-{role}", terminal=terminal)
    if terminal:
        terminal.answer()
    return RouteportEnd(process, port)


def routeport_client(place, router_port, *, workers=1, port=None, inside=(), **options):
    """routeport-client; `options` change the usual ones, `also` lists those of more services, `inside`
    are words that start it elsewhere, `terminal` is who answers its questions."""
    port = port or place.ports.reserve()
    return _routeport(place, "client", port, client_options(place, router_port), workers, inside, options)


def routeport_server(place, app, *, workers=1, port=None, inside=(), **options):
    """routeport-server; the same holds for it."""
    port = port or place.ports.reserve()
    return _routeport(place, "server", port, server_options(place, app), workers, inside, options)


def _stunnel(place, role, port, usual, options):
    service = {"accept": f"127.0.0.1:{port}", **usual, **options, "verifyChain": "yes"}
    known = {name: value for name, value in service.items() if name in STUNNEL_KNOWS}
    before = {"foreground": "yes", "pid": "", "debug": "info", "client": "yes" if role == "client" else "no"}
    path = write_ini(place.folder / f"stunnel-{role}-{port}.ini", before, known)
    return ForeignEnd(place.processes.start(["stunnel4", path], name=f"stunnel-{role}"), port)


def stunnel_as_is(place, role, port, options):
    """stunnel with these options of its own and no others."""
    before = {"foreground": "yes", "pid": "", "debug": "info", "client": "yes" if role == "client" else "no"}
    service = {"accept": f"127.0.0.1:{port}", **options}
    path = write_ini(place.folder / f"stunnel-{role}-{port}.ini", before, service)
    return ForeignEnd(place.processes.start(["stunnel4", path], name=f"stunnel-{role}"), port)


def stunnel_client(place, router_port, *, workers=None, port=None, **options):
    usual = {**client_options(place, router_port), "checkHost": HOST}
    return _stunnel(place, "client", port or place.ports.reserve(), usual, options)


def stunnel_server(place, app, *, workers=None, port=None, **options):
    usual = {**server_options(place, app), "requireCert": "yes"}
    return _stunnel(place, "server", port or place.ports.reserve(), usual, options)


HAPROXY_SERVER = """
global
    log stdout format raw local0
defaults
    log global
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
frontend tls
    bind 127.0.0.1:{port} ssl crt {server} ca-file {authority} verify required
    default_backend app
backend app
    server app 127.0.0.1:{app}
"""


def haproxy_server(place, app, *, port=None):
    port = port or place.ports.reserve()
    path = place.folder / f"haproxy-server-{port}.cfg"
    text = HAPROXY_SERVER.format(
        port=port, app=app, server=place.certificates.server.both, authority=place.certificates.authority
    )
    path.write_text(text, encoding="ascii")
    return ForeignEnd(place.processes.start(["haproxy", "-db", "-f", path], name="haproxy-server"), port)


def openssl_client(place, router_port, *how):
    """`openssl s_client`, which is the legacy program and our client in one: it is talked to
    over its pipes."""
    certificates = place.certificates
    return place.processes.start(
        [
            *("openssl", "s_client", "-verify_return_error", *(how or ("-quiet", "-no_ign_eof"))),
            *("-connect", f"127.0.0.1:{router_port}", "-servername", HOST, "-verify_hostname", HOST),
            *("-cert", certificates.client.certificate, "-key", certificates.client.key),
            *("-CAfile", certificates.authority),
        ],
        name="s_client",
        piped=True,
    )


def openssl_server(place, port, *words, identity=None):
    """`openssl s_server`, which is our server and the app in one; `words`: more options."""
    certificates = place.certificates
    identity = identity or certificates.server
    process = place.processes.start(
        [
            *("openssl", "s_server", "-quiet", "-accept", f"127.0.0.1:{port}"),
            *("-cert", identity.certificate, "-key", identity.key),
            *("-CAfile", certificates.authority, "-Verify", "1", "-verify_return_error"),
            *words,
        ],
        name="s_server",
        piped=True,
    )
    process.wait_listening(port)
    return process


@dataclasses.dataclass
class Stream:
    """A stream, seen from the program that acts (`one`) and from the one that watches
    (`other`); `one_end` is the end of the pair next to the first."""

    one: Connection
    other: Connection
    one_end: object
    other_end: object

    def expect_close(self, *, one, other):
        return self.one_end.expect_close(one), self.other_end.expect_close(other)


class Pair:
    """Two ends with the router between them, and the app behind."""

    def __init__(self, client, server, app):
        self.client = client
        self.server = server
        self.app = app

    def dial(self):
        return legacy_program(self.client.port)

    def open(self, acts="legacy program"):
        """A stream; `acts` says which of the programs is its `one`."""
        legacy = self.dial()
        app = self.app.accept()
        if acts == "app":
            return Stream(app, legacy, self.server, self.client)
        return Stream(legacy, app, self.client, self.server)

    def ends(self):
        return (self.client, self.server)
