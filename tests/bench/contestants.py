"""Who is compared: one row each.

A contestant is a pair of processes.  The client end accepts plaintext and dials TLS, the
server end accepts TLS and dials plaintext; all on 127.0.0.1.  Every pair gets the same
certificates (ECDSA P-256, both ends verify the other's chain, the client also the name),
TLS 1.3 alone, no log line per stream, TCP_NODELAY, as many threads as there are CPUs, or
as it takes by itself, and whatever makes its sessions resume best.  Nothing else is tuned,
for nobody.  One pair has no TLS at all: what relaying alone costs.
"""

import dataclasses
import os
import pathlib
import shutil
import subprocess
import typing

NAME = "app.apps.test"
CPUS = len(os.sched_getaffinity(0))
MAXIMUM = 9000  # streams of one pair, where it wants to be told


@dataclasses.dataclass(frozen=True)
class Place:
    """Where one end of a pair finds things."""

    folder: pathlib.Path  # the certificates; configurations are written there
    accept: int
    connect: int
    accept_host: str = "127.0.0.1"
    connect_host: str = "127.0.0.1"

    @property
    def here(self) -> str:
        return f"{self.accept_host}:{self.accept}"

    @property
    def there(self) -> str:
        return f"{self.connect_host}:{self.connect}"

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def write(self, name: str, text: str) -> str:
        path = self.folder / f"{self.accept}-{name}"
        path.write_text(text)
        return str(path)


End = typing.Callable[[Place], "list[str]"]


@dataclasses.dataclass(frozen=True)
class Contestant:
    name: str
    title: str
    # From the app to the program: each writes its configuration and returns the command.
    # The first is the server, the last the client, between them perhaps a router.
    ends: "tuple[End, ...]"
    children: int = 0  # processes that each end starts, and that do its work
    ours: bool = False
    tls: bool = True  # false: a peer only in what it costs
    default: bool = True  # measured unless ONLY names others
    modes: "tuple[str, ...]" = ()  # of the load that it can be measured with; empty: all


def make_certificates(folder: pathlib.Path) -> None:
    """ca.pem, and for server and client NAME.crt, NAME.key and both in NAME.pem."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
            "-subj", "/CN=bench CA")
    for end, names in (("server", f"DNS:{NAME}"), ("client", "DNS:legacy.test")):
        (folder / f"{end}.ext").write_text(
            f"subjectAltName={names}\nextendedKeyUsage={end}Auth\nkeyUsage=digitalSignature\n")
        openssl("req", *new_key, "-keyout", f"{end}.key", "-out", f"{end}.csr",
                "-subj", f"/CN={names[4:]}")
        openssl("x509", "-req", "-in", f"{end}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "2", "-extfile", f"{end}.ext", "-out", f"{end}.crt")
        pem = (folder / f"{end}.crt").read_text() + (folder / f"{end}.key").read_text()
        (folder / f"{end}.pem").write_text(pem)


# routeport: as it comes, with each of its two kinds of carrier.

def routeport(build: pathlib.Path, kind: str, name: str = "", whole: str = "",
              section: str = "") -> Contestant:
    """`whole` and `section`: further lines of the configuration, before and in its section."""
    multiplex = {"h2": "yes", "raw": "no"}[kind]

    def end(side: str, role: str) -> End:
        def command(at: Place) -> "list[str]":
            ini = at.write(f"routeport-{side}.ini", f"""\
debug = 4
{whole}[bench]
accept = {at.here}
connect = {at.there}
cert = {at.path(side + ".crt")}
key = {at.path(side + ".key")}
CAfile = {at.path("ca.pem")}
sslVersionMin = TLSv1.3
multiplex = {multiplex}
{role}{section}""")
            return [str(build / f"routeport-{side}"), ini]
        return command
    return Contestant(name or kind, f"routeport {name or kind}",
                      (end("server", ""), end("client", f"sni = {NAME}\n")), ours=True)


# stunnel: one thread per stream; it resumes by itself (sessionResume, a cache of 1,000;
# a larger cache or no tickets gain it nothing).
# TCP_NODELAY is off on the dialled sockets of some versions, so it is asked for.

def stunnel_end(side: str, role: str) -> End:
    def command(at: Place) -> "list[str]":
        return ["stunnel4", at.write(f"stunnel-{side}.conf", f"""\
foreground = yes
pid =
syslog = no
debug = 4
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
[bench]
accept = {at.here}
connect = {at.there}
cert = {at.path(side + ".crt")}
key = {at.path(side + ".key")}
CAfile = {at.path("ca.pem")}
verifyChain = yes
sslVersionMin = TLSv1.3
{role}""")]
    return command


STUNNEL = Contestant("stunnel4", "stunnel4", (
    stunnel_end("server", "requireCert = yes\n"),
    stunnel_end("client", f"client = yes\nsni = {NAME}\ncheckHost = {NAME}\n")))


# haproxy: nbthread is the number of CPUs by itself; in TCP mode it sets TCP_NODELAY.
# The client end reuses sessions unless told not to (no-ssl-reuse).  The server end keeps them
# in a cache of its own, made large enough, instead of in tickets: no-tls-tickets gains it
# a fifth in new streams and a fifteenth in memory, by not having to carry and check the
# client's certificate in each ticket.

HAPROXY_COMMON = f"""\
global
    maxconn {MAXIMUM}
    tune.ssl.cachesize 100000
    ssl-default-bind-options ssl-min-ver TLSv1.3
    ssl-default-server-options ssl-min-ver TLSv1.3
defaults
    mode tcp
    timeout connect 10s
    timeout client 12h
    timeout server 12h
listen bench
"""


def haproxy_end(side: str, bind: str, server: str) -> End:
    def command(at: Place) -> "list[str]":
        pem, ca = at.path(side + ".pem"), at.path("ca.pem")
        return ["haproxy", "-db", "-q", "-f", at.write(f"haproxy-{side}.cfg", HAPROXY_COMMON + f"""\
    bind {at.here} {bind.format(pem=pem, ca=ca)}
    server far {at.there} {server.format(pem=pem, ca=ca)}
""")]
    return command


# "sni" also makes haproxy check the certificate for that name.
HAPROXY = Contestant("haproxy", "haproxy TLS", (
    haproxy_end("server", "ssl crt {pem} ca-file {ca} verify required no-tls-tickets", ""),
    haproxy_end("client", "",
                f"ssl verify required ca-file {{ca}} crt {{pem}} sni str({NAME})")))

ROUTER = haproxy_end("router", "", "")

PLAIN = Contestant("plain", "haproxy plaintext", (haproxy_end("server", "", ""),
                                                  haproxy_end("client", "", "")), tls=False)


# nginx: a process per CPU, as in Debian's configuration; TCP_NODELAY is its default.  It
# keeps sessions in a cache or in tickets; the cache is the better one here, as in haproxy.

def nginx_end(side: str, role: str) -> End:
    def command(at: Place) -> "list[str]":
        words = {"pem": at.path(side + ".pem"), "ca": at.path("ca.pem")}
        return ["nginx", "-e", "stderr", "-p", str(at.folder), "-c",
                at.write(f"nginx-{side}.conf", f"""\
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
pid {at.path(f"{at.accept}-nginx.pid")};
error_log stderr warn;
worker_processes {CPUS};
events {{
    worker_connections {2 * MAXIMUM};
}}
stream {{
    proxy_timeout 12h;
    server {{
        listen {at.here}{role.format(**words)}
        proxy_pass {at.there};
    }}
}}
""")]
    return command


NGINX = Contestant("nginx", "nginx TLS", (
    nginx_end("server", """ ssl;
        ssl_protocols TLSv1.3;
        ssl_certificate {pem};
        ssl_certificate_key {pem};
        ssl_verify_client on;
        ssl_client_certificate {ca};
        ssl_session_cache shared:bench:10m;
        ssl_session_tickets off;"""),
    nginx_end("client", f""";
        proxy_ssl on;
        proxy_ssl_protocols TLSv1.3;
        proxy_ssl_session_reuse on;
        proxy_ssl_server_name on;
        proxy_ssl_name {NAME};
        proxy_ssl_verify on;
        proxy_ssl_trusted_certificate {{ca}};
        proxy_ssl_certificate {{pem}};
        proxy_ssl_certificate_key {{pem}};""")), children=CPUS)


# The load by itself: what no pair can reach, and whether the load is what limits one.
DIRECT = Contestant("direct", "no pair", (), tls=False, default=False)

# One TCP connection of a program that everybody knows, for bulk alone.
IPERF = Contestant("iperf3", "iperf3", (), tls=False, modes=("bulk", "fetch"))

OTHERS = [STUNNEL, HAPROXY, NGINX, PLAIN, DIRECT]
