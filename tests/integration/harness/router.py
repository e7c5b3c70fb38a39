"""A stand-in for the OpenShift router: the distribution's haproxy, set up as the router's
template does it.  Passthrough routes are chosen by SNI and never decrypted; for any other
name the router ends the TLS itself, with its default certificate, and speaks HTTP."""

import re

SETTINGS = """
global
    log stdout format raw local0
    maxconn 4000
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

UNAVAILABLE = "HTTP/1.0 503 Service Unavailable\r\n\r\nApplication is not available\n"


class Router:
    """One router.

    `routes` maps a host to the ports of its pods; `tunnel` is the limit of silence; `check` is
    how often pods are looked after where there are several; `hard_stop` is how long a process
    lives on after a reload; `decrypted_to` is the port that gets whatever the router decrypts with its default
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
        folder.mkdir()
        self.process = self._start()
        self.process.wait_listening(port)

    def reload(self, routes=None):
        """Perhaps other routes, in another process; the old one stays while it has connections."""
        self._routes = self._routes if routes is None else routes
        old = self.process
        self.process = self._start("-sf", old.pid)
        old.wait_line("Proxy public_ssl stopped")

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
        return self._processes.start(["haproxy", "-db", "-f", path, *words], name=f"router-{self._generation}")

    def _settings(self):
        own_server = f"server reader 127.0.0.1:{self._decrypted_to}" if self._decrypted_to else ""
        return SETTINGS.format(
            folder=self._folder,
            port=self.port,
            address=self._address,
            tunnel=self._tunnel,
            default=self._default.both,
            own=f"routeport_test_{self.port}_{self._generation}",
            own_mode="tcp" if self._decrypted_to else "http",
            own_server=own_server,
            hard_stop=f"hard-stop-after {self._hard_stop}" if self._hard_stop else "",
        ) + "".join(self._route(host, pods) for host, pods in self._routes.items())

    def _route(self, host, pods):
        check = f" check inter {self._check}" if len(pods) > 1 else ""
        servers = (f"    server pod:{port} 127.0.0.1:{port}{check}\n" for port in pods)
        return ROUTE.format(host=host, balance=self._balance) + "".join(servers)
