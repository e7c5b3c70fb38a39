"""The pair between the two sides of a load, with all that can break around it."""

import contextlib

from . import pairs
from .certificates import HOST
from .router import Router

MULTIPLEX = {"raw": "no", "h2": "yes"}
LIMITS = {"TIMEOUTconnect": 3, "TIMEOUTclose": 2, "keepalive": 1, "keepaliveTimeout": 3}
WORKERS = 2


class Scene:
    """`fault` says what is special about it; `hosts`: the two ends live on two of them."""

    def __init__(self, place, kind, load, fault, hosts=None):
        self.place = place
        self.certificates = place.certificates
        self.options = {"multiplex": MULTIPLEX[kind], "workers": WORKERS, **LIMITS, **fault.options}
        self.inside = []  # words before a program's own
        self.address = "127.0.0.1"  # of the router
        self.name = None  # for that, if there is one
        self.near = self.far = contextlib.nullcontext
        self.files = {"client": {}, "server": {}}  # options of one end
        self.hosts = hosts
        self.ends = {"client": [], "server": []}  # their processes, the youngest last
        self._closing = contextlib.ExitStack()
        if hosts:
            self.near, self.far = (lambda: hosts.at(0)), (lambda: hosts.at(1))
            self.address = hosts.addresses[1]
        if fault.prepare:
            fault.prepare(self)
        self._build(load, fault)

    def _build(self, load, fault):
        ports = self.place.ports
        with self.far():
            self.pod_port, app_port, router_port = (ports.reserve() for _ in range(3))
            self.start_server(app_port)
            self.router = Router(
                self.place.processes,
                self.place.folder / "router",
                router_port,
                default=self.certificates.wildcard,
                routes={HOST: [self.pod_port]},
                address=self.address,
                **fault.router,
            )
        with self.near():
            client = self._start_client(ports.reserve(), router_port)
        self.load = self.closing(load(client.port, app_port, near=self.near, far=self.far))

    def closing(self, thing):
        return self._closing.enter_context(contextlib.closing(thing))

    def close(self):
        self._closing.close()

    def start_server(self, app_port=None):
        """The pod's; another one if there was one already."""
        self._app_port = app_port or self._app_port
        options = {**self.options, **self.files["server"]}
        self.ends["server"].append(
            pairs.routeport_server(
                self.place, self._app_port, port=self.pod_port, inside=self.inside, **options
            )
        )

    def _start_client(self, port, router_port):
        options = {**self.options, **self.files["client"]}
        target = f"{self.name or self.address}:{router_port}"
        client = pairs.routeport_client(
            self.place, None, port=port, inside=self.inside, connect=target, **options
        )
        self.ends["client"].append(client)
        return client

    @property
    def client(self):
        return self.ends["client"][0]

    @property
    def server(self):
        return self.ends["server"][-1]

    def both(self):
        return (self.client, self.server)

    def says(self, pattern):
        """Does a line of either end have it?"""
        return any(end.process.lines_with(pattern) for ends in self.ends.values() for end in ends)
