"""Who is compared: one row each.

A contestant is a pair of processes.  The client end accepts plaintext and dials TLS, the
server end accepts TLS and dials plaintext; all on 127.0.0.1.  Every pair gets the same
certificates (ECDSA P-256, both ends verify the other's chain, the client also the name),
TLS 1.3 alone, no log line per stream, TCP_NODELAY, as many threads as it takes by itself,
and whatever makes its sessions resume best.  Nothing else is tuned, for nobody.
"""

import dataclasses
import pathlib
import shutil
import subprocess
import typing

NAME = "app.apps.test"


@dataclasses.dataclass(frozen=True)
class Place:
    """Where one end of a pair finds things."""

    folder: pathlib.Path  # the certificates; configurations are written there
    accept: int
    connect: int

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
    ends: "tuple[End, ...]"  # server, client: write their configuration, return the command
    default: bool = True  # measured unless ONLY names others


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


# routeport: as it comes, with raw carriers.

def routeport(build: pathlib.Path, name: str = "routeport") -> Contestant:
    def end(side: str, more: str) -> End:
        def command(at: Place) -> "list[str]":
            ini = at.write(f"routeport-{side}.ini", f"""\
debug = 4
[bench]
accept = 127.0.0.1:{at.accept}
connect = 127.0.0.1:{at.connect}
cert = {at.path(side + ".crt")}
key = {at.path(side + ".key")}
CAfile = {at.path("ca.pem")}
sslVersionMin = TLSv1.3
{more}""")
            return [str(build / f"routeport-{side}"), ini]
        return command
    return Contestant(name, (end("server", ""), end("client", f"sni = {NAME}\n")))


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
accept = 127.0.0.1:{at.accept}
connect = 127.0.0.1:{at.connect}
cert = {at.path(side + ".crt")}
key = {at.path(side + ".key")}
CAfile = {at.path("ca.pem")}
verifyChain = yes
sslVersionMin = TLSv1.3
{role}""")]
    return command


STUNNEL = Contestant("stunnel4", (
    stunnel_end("server", "requireCert = yes\n"),
    stunnel_end("client", f"client = yes\nsni = {NAME}\ncheckHost = {NAME}\n")))


# haproxy: nbthread is the number of CPUs by itself; in TCP mode it sets TCP_NODELAY.
# The client end reuses sessions unless told not to (no-ssl-reuse).  The server end keeps them
# in a cache of its own, made large enough, instead of in tickets: no-tls-tickets gains it
# a fifth in new streams and a fifteenth in memory, by not having to carry and check the
# client's certificate in each ticket.

HAPROXY_COMMON = """\
global
    maxconn 9000
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
    bind 127.0.0.1:{at.accept} {bind.format(pem=pem, ca=ca)}
    server far 127.0.0.1:{at.connect} {server.format(pem=pem, ca=ca)}
""")]
    return command


# "sni" also makes haproxy check the certificate for that name.
HAPROXY = Contestant("haproxy", (
    haproxy_end("server", "ssl crt {pem} ca-file {ca} verify required no-tls-tickets", ""),
    haproxy_end("client", "",
                f"ssl verify required ca-file {{ca}} crt {{pem}} sni str({NAME})")))


# The load by itself: what no pair can reach, and whether the load is what limits one.
DIRECT = Contestant("direct", (), default=False)

OTHERS = [STUNNEL, HAPROXY, DIRECT]
