"""A stand-in for the OpenShift router: the distribution's haproxy, set up as the router's
template does it.  Passthrough routes are chosen by SNI and never decrypted; for any other
name the router ends the TLS itself, with the certificate of an edge or reencrypt route or
else with its default one, and speaks HTTP."""

import csv
import dataclasses
import os
import pathlib
import re
import socket

from . import waiting
from .certificates import Identity

SETTINGS = """
global
    log stdout format raw local0
    maxconn 4000
    stats socket unix@{control} expose-fd listeners
    tune.bufsize 32768
    tune.maxrewrite 8192
    ssl-default-bind-options ssl-min-ver TLSv1.2
    {hard_stop}

defaults
    log global
    timeout connect 5s
    timeout client 30s
    timeout client-fin 1s
    timeout server 30s
    timeout server-fin 1s
    timeout tunnel {tunnel}
    timeout http-request 10s
    timeout http-keep-alive 300s
    errorfile 503 {folder}/503.http

frontend public_ssl
    mode tcp
    bind {address}:{port}
    log-format "event=routed sni=%[var(sess.sni)] backend=%b end=%ts"
    tcp-request inspect-delay 5s
    tcp-request content set-var(sess.sni) req.ssl_sni
    tcp-request content accept if {{ req_ssl_hello_type 1 }}
    acl sni req.ssl_sni -m found
    acl passthrough req.ssl_sni,lower,map_reg({folder}/routes.map) -m found
    use_backend %[req.ssl_sni,lower,map_reg({folder}/routes.map)] if sni passthrough
    use_backend own_sni if sni
    default_backend own_no_sni

backend own_sni
    mode tcp
    server own abns@{own}_sni send-proxy

backend own_no_sni
    mode tcp
    server own abns@{own}_no_sni send-proxy

frontend decrypted
    mode {own_mode}
    bind abns@{own}_sni ssl crt {default} crt-list {folder}/certificates.list {client_tls} accept-proxy
    bind abns@{own}_no_sni ssl crt {default} {client_tls} accept-proxy
    log-format "event=decrypted bytes=%U end=%ts"
    {own_routes}
    default_backend no_application

backend no_application
    mode {own_mode}
    {own_server}
"""

ROUTE = """
backend be_tcp:{host}
    mode tcp
    balance {balance}
    hash-type consistent
    timeout check 5000ms
    option log-health-checks
"""

# Of the source address; what the annotations rate-limit-connections make of it.
LIMITS = """
    stick-table type ip size 100k expire 30s store conn_cur,conn_rate(3s)
    tcp-request content track-sc2 src
"""

# Where the router reads HTTP itself: the name in the request leads to the route.
OWN_ROUTES = """
    acl route req.hdr(host),field(1,:),lower,map_str({folder}/own-routes.map) -m found
    use_backend %[req.hdr(host),field(1,:),lower,map_str({folder}/own-routes.map)] if route
"""

OWN_ROUTE = """
backend be_http:{host}
    mode http
    balance {balance}
"""

UNAVAILABLE = "HTTP/1.0 503 Service Unavailable\r\n\r\nApplication is not available\n"


@dataclasses.dataclass
class Route:
    """A passthrough route: the ports of its pods, and its annotations.  `concurrent_tcp` and `rate_tcp`
    count the connection that is judged, so that one less gets in: at a time, and in 3 s.
    `pod_concurrent` is how many a pod gets at a time; who comes then waits as long as a dial may take."""

    pods: list
    balance: str = "source"
    concurrent_tcp: int | None = None
    rate_tcp: int | None = None
    pod_concurrent: int | None = None

    def limits(self):
        """Lines of the backend."""
        if self.concurrent_tcp is None and self.rate_tcp is None:
            return ""
        limits = (("conn_cur", self.concurrent_tcp), ("conn_rate", self.rate_tcp))
        rules = (f"    tcp-request content reject if {{ src_{what} ge {most} }}\n" for what, most in limits if most)
        return LIMITS + "".join(rules)


@dataclasses.dataclass(frozen=True)
class OwnRoute:
    """A route that is not passthrough: the router shows `identity` for its host, and hands the HTTP
    in it to the ports `pods`: as it is (edge), or in TLS to pods that `authority` vouches for (reencrypt)."""

    identity: Identity
    pods: list
    authority: pathlib.Path | None = None


class Router:
    """One router.

    `routes` maps a host to a Route, to the ports of its pods, or to an OwnRoute; `balance` is that of
    routes that do not say; `tunnel` is the limit of silence; `check` is how often pods are looked after
    where there are several; `hard_stop` is how long a process lives on after a reload; `client_tls` is
    the CA of clientTLS, with which the router's own TLS asks for a certificate; `decrypted_to` is the
    port that gets whatever the router decrypts, where the real one would read it as HTTP.
    """

    def __init__(
        self,
        processes,
        folder,
        port,
        *,
        default,
        routes,
        tunnel="1h",
        balance="source",
        check="5000ms",
        hard_stop=None,
        client_tls=None,
        decrypted_to=None,
        address="127.0.0.1",
    ):
        self.port = port
        self._processes = processes
        self._folder = folder
        self._default = default
        self._routes = routes
        self._tunnel = tunnel
        self._balance = balance
        self._check = check
        self._hard_stop = hard_stop
        self._client_tls = client_tls
        self._decrypted_to = decrypted_to
        self._address = address
        self._generation = 0
        self._old = []  # processes of before a reload
        folder.mkdir()
        self.process = self._start()
        self.process.wait_listening(port)

    def reload(self, routes=None):
        """Perhaps other routes, in another process, which takes over the listening sockets; those of
        before stay while they have connections."""
        self._routes = self._routes if routes is None else routes
        old = self.process
        self._old = [process for process in [*self._old, old] if not process.has_ended()]
        self.process = self._start("-x", self._control, "-sf", *(process.pid for process in self._old))
        old.wait_line("Proxy public_ssl stopped")

    def statistics(self, host):
        """What haproxy counts for a route since the last reload, by the names in its manual: `stot` are
        the connections that came, `dreq` those of them that a limit turned away, `scur` those open."""
        rows = csv.DictReader(self._ask("show stat").removeprefix("# ").splitlines())
        (row,) = [row for row in rows if row["pxname"] == f"be_tcp:{host}" and row["svname"] == "BACKEND"]
        return {name: int(value) for name, value in row.items() if value.isdigit()}

    def _ask(self, question):
        folder = os.open(self._folder, os.O_PATH)
        try:
            with socket.socket(socket.AF_UNIX) as control:
                control.settimeout(waiting.LIMIT)
                # The path of a socket must be short.
                control.connect(f"/proc/self/fd/{folder}/{self._control}")
                control.sendall(f"{question}\n".encode())
                return b"".join(iter(lambda: control.recv(65536), b"")).decode()
        finally:
            os.close(folder)

    @property
    def _control(self):
        """Where the process of now is asked, in its folder."""
        return f"control-{self._generation}"

    def kill(self):
        self.process.kill()

    def start(self, routes=None):
        """Anew, after its death, perhaps with other routes."""
        self._routes = self._routes if routes is None else routes
        self.process = self._start()
        self.process.wait_listening(self.port)

    def _start(self, *words):
        self._generation += 1
        (self._folder / "503.http").write_text(UNAVAILABLE, encoding="ascii")
        self._write("routes.map", (f"^{re.escape(host)}$ be_tcp:{host}" for host, _ in self._passthrough()))
        self._write("own-routes.map", (f"{host} be_http:{host}" for host, _ in self._own()))
        self._write(
            "certificates.list", (f"{route.identity.both} [alpn h2,http/1.1] {host}" for host, route in self._own())
        )
        path = self._folder / f"haproxy-{self._generation}.cfg"
        path.write_text(self._settings(), encoding="ascii")
        return self._processes.start(["haproxy", "-db", "-f", path, *words], name=f"router-{self._generation}", directory=self._folder)

    def _write(self, name, lines):
        (self._folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="ascii")

    def _passthrough(self):
        return [(host, pods) for host, pods in self._routes.items() if not isinstance(pods, OwnRoute)]

    def _own(self):
        return [(host, route) for host, route in self._routes.items() if isinstance(route, OwnRoute)]

    def _settings(self):
        own_server = f"server reader 127.0.0.1:{self._decrypted_to}" if self._decrypted_to else ""
        return SETTINGS.format(
            folder=self._folder,
            port=self.port,
            address=self._address,
            tunnel=self._tunnel,
            default=self._default.both,
            control=self._control,
            own=f"routeport_test_{self.port}_{self._generation}",
            own_mode="tcp" if self._decrypted_to else "http",
            own_server=own_server,
            own_routes="" if self._decrypted_to else OWN_ROUTES.format(folder=self._folder),
            client_tls=f"ca-file {self._client_tls} verify optional" if self._client_tls else "",
            hard_stop=f"hard-stop-after {self._hard_stop}" if self._hard_stop else "",
        ) + "".join(
            [self._route(host, route) for host, route in self._passthrough()]
            + [self._own_route(host, route) for host, route in self._own()]
        )

    def _own_route(self, host, route):
        tls = f" ssl verify required ca-file {route.authority}" if route.authority else ""
        servers = (f"    server pod:{port} 127.0.0.1:{port}{tls}\n" for port in route.pods)
        return OWN_ROUTE.format(host=host, balance=self._balance) + "".join(servers)

    def _route(self, host, route):
        if not isinstance(route, Route):
            route = Route(route, self._balance)
        check = f" check inter {self._check}" if len(route.pods) > 1 else ""
        most = f" maxconn {route.pod_concurrent}" if route.pod_concurrent else ""
        servers = (f"    server pod:{port} 127.0.0.1:{port}{most}{check}\n" for port in route.pods)
        return ROUTE.format(host=host, balance=route.balance) + route.limits() + "".join(servers)
