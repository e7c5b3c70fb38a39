"""Who reads PROXY headers for the tests: real programs before the app, which log what they
understood, and a parser that also knows what version 2 may have besides the addresses."""

import asyncio

from aiosmtpd.proxy_protocol import get_proxy

from .pairs import parse_line

HAPROXY = """
global
    log stdout format raw local0
defaults
    log global
    mode tcp
    option logasap
    timeout connect 5s
    timeout client 1h
    timeout server 1h
frontend header
    bind 127.0.0.1:{port} accept-proxy
    log-format "event=seen from=%[src]|%[src_port] to=%[dst]|%[dst_port] sni=%[fc_pp_authority]"
    default_backend app
backend app
    server app 127.0.0.1:{app}
"""

NGINX = """
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
master_process off;
pid {folder}/nginx.pid;
events {{ worker_connections 100; }}
stream {{
    log_format seen "event=seen from=$proxy_protocol_addr|$proxy_protocol_port "
                    "to=$proxy_protocol_server_addr|$proxy_protocol_server_port";
    access_log /dev/stdout seen;
    server {{
        listen 127.0.0.1:{port} proxy_protocol;
        proxy_pass 127.0.0.1:{app};
    }}
}}
"""


class Reader:
    """A program that takes the header on `port`, and passes what is behind it on to the app."""

    def __init__(self, process, port):
        self._process = process
        self.port = port
        process.wait_listening(port)

    def seen(self):
        """What it logs of the first stream, nginx at the end of it."""
        return parse_line(self._process.wait_line("event=seen"))


def haproxy(place, app):
    port = place.ports.reserve()
    path = place.folder / f"haproxy-reader-{port}.cfg"
    path.write_text(HAPROXY.format(port=port, app=app), encoding="ascii")
    return Reader(place.processes.start(["haproxy", "-db", "-f", path], name="haproxy-reader"), port)


def nginx(place, app):
    port = place.ports.reserve()
    path = place.folder / f"nginx-reader-{port}.conf"
    path.write_text(NGINX.format(port=port, app=app, folder=place.folder), encoding="ascii")
    argv = ["nginx", "-e", "stderr", "-p", place.folder, "-c", path]
    return Reader(place.processes.start(argv, name="nginx-reader"), port)


class _Bytes:
    """A connection, as the parser wants to read it: not a byte more than it asks for."""

    def __init__(self, connection):
        self._connection = connection

    async def read(self, count):
        return self._connection.receive(count)

    async def readexactly(self, count):
        return self._connection.receive(count)

    async def readuntil(self):
        line = b""
        while not line.endswith(b"\n"):
            line += self._connection.receive(1)
        return line


def read_header(connection):
    """The header with which `connection` begins; what is behind it is left there."""
    header = asyncio.run(get_proxy(_Bytes(connection)))
    assert header.valid, header.error
    return header
