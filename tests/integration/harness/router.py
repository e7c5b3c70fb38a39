"""A stand-in for the OpenShift router: the distribution's haproxy, set up as the router's
template does it.  Passthrough routes are chosen by SNI and never decrypted; for any other
name the router ends the TLS itself, with its default certificate, and speaks HTTP."""

import csv
import dataclasses
import os
import re
import socket

from . import waiting

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
    bind abns@{own}_sni ssl crt {default} accept-proxy
    bind abns@{own}_no_sni ssl crt {default} accept-proxy
    log-format "event=decrypted bytes=%U end=%ts"
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

UNAVAILABLE = "HTTP/1.0 503 Service Unavailable\r\n\r\nApplication is not available\n"


@dataclasses.dataclass
class Route:
    """A passthrough route: the ports of its pods, and its annotations.  `concurrent_tcp` and `rate_tcp`
    count the connection that is judged, so that one less gets in: at a time, and in 3 s."""

    pods: list
    balance: str = "source"
    concurrent_tcp: int | None = None
    rate_tcp: int | None = None

    def limits(self):
        """Lines of the backend."""
        if self.concurrent_tcp is None and self.rate_tcp is None:
            return ""
        limits = (("conn_cur", self.concurrent_tcp), ("conn_rate", self.rate_tcp))
        rules = (f"    tcp-request content reject if {{ src_{what} ge {most} }}\n" for what, most in limits if most)
        return LIMITS + "".join(rules)


class Router:
    """One router.

    `routes` maps a host to a Route, or to the ports of its pods; `balance` is that of routes that do
    not say; `tunnel` is the limit of silence; `check` is how often pods are looked after where there
    are several; `hard_stop` is how long a process lives on after a reload; `decrypted_to` is the port that gets whatever the router decrypts with its default
    certificate, where the real one would read it as HTTP.
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

    def start(self):
        """Anew, after its death."""
        self.process = self._start()
        self.process.wait_listening(self.port)

    def _start(self, *words):
        self._generation += 1
        (self._folder / "503.http").write_text(UNAVAILABLE, encoding="ascii")
        (self._folder / "routes.map").write_text(
            "".join(f"^{re.escape(host)}$ be_tcp:{host}\n" for host in self._routes), encoding="ascii"
        )
        path = self._folder / f"haproxy-{self._generation}.cfg"
        path.write_text(self._settings(), encoding="ascii")
        return self._processes.start(["haproxy", "-db", "-f", path, *words], name=f"router-{self._generation}", directory=self._folder)

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
            hard_stop=f"hard-stop-after {self._hard_stop}" if self._hard_stop else "",
        ) + "".join(self._route(host, route) for host, route in self._routes.items())

    def _route(self, host, route):
        if not isinstance(route, Route):
            route = Route(route, self._balance)
        check = f" check inter {self._check}" if len(route.pods) > 1 else ""
        servers = (f"    server pod:{port} 127.0.0.1:{port}{check}\n" for port in route.pods)
        return ROUTE.format(host=host, balance=route.balance) + route.limits() + "".join(servers)
