"""A host of its own for files that were written for stunnel, so that they run to the letter, with
their ports, folders and host names: namespaces for mounts, network and processes.

    unshare --mount --net --pid --fork --kill-child /usr/bin/python3 -m harness.stunnel_world JOB

JOB is a file in JSON: the folder of the files, their names, our programs, a folder with certificates,
a folder to write in.  What comes back, on stdout, in JSON: for each service that stunnel serves what
became of it behind an imported file ("" if bytes pass)."""

import contextlib
import itertools
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

WORDS = random.Random(1).randbytes(3000)
LIMIT = 20  # seconds; spent by failures alone
DOOR = "127.0.0.4"  # where programs reach a server under test, through stunnel
ECHO = 7
ETC = pathlib.Path("/etc/stunnel")

# The far end of a service: a certificate other than that for all names, and lines of its own.
FAR_ENDS = {
    ("provider-with-a-wildcard.conf", "pop3"): {"cert": "wildcard"},
    ("verify-level-2.conf", "ldap"): {"cert": "elsewhere"},
    ("verify-level-2-by-address.conf", "mqtt"): {"cert": "elsewhere"},
    ("defaults-for-all.conf", "feed-c"): {"cert": "stranger"},
    ("managed-cache.conf", "cache-cli"): {"cert": "stranger"},
    ("vpn-client.conf", "openvpn"): {"lines": ["requireCert = yes", "verifyChain = yes", f"CAfile = {ETC}/ca.pem"]},
    ("log-sender.conf", "5140"): {"lines": ["verify = 3", f"CAfile = {ETC}/clients.pem"]},
    ("keys-client.conf", "PSK client 1"): {"lines": [f"PSKsecrets = {ETC}/keys.txt", "ciphers = PSK"]},
    ("keys-server.conf", "PSK server"): {"lines": [f"PSKsecrets = {ETC}/keys.txt"]},
    ("starttls.conf", "postgresql"): {"lines": ["protocol = pgsql"]},
    ("pinned-peer.conf", "nas"): {"cert": "self"},
    ("pinned-peer-old.conf", "nas"): {"cert": "self"},
    ("meant-to-verify.conf", "shop"): {"cert": "stranger"},
    ("meant-to-ask.conf", "metrics"): {"cert": None},
    ("revoked-ones.conf", "audit"): {"cert": "stranger"},
    ("no-name-sent.conf", "by-address"): {"cert": "elsewhere"},
    ("other-checks.conf", "by-mail"): {"cert": "agent"},
    ("other-checks.conf", "by-address"): {"cert": "agent"},
    ("other-checks.conf", "by-common-name"): {"cert": "number"},
    ("virtual-hosts.conf", "sni1"): {"lines": ["sni = server1.shop.example"]},
    ("virtual-hosts.conf", "sni2"): {"lines": ["sni = any.wild.example"]},
    ("any-certificate.conf", "any"): {"cert": "stranger"},
    ("any-certificate.conf", "if-shown"): {"cert": None},
    ("any-certificate.conf", "asked"): {"cert": "stranger"},
    ("old-appliance.conf", "appliance"): {"lines": ["securityLevel = 0", "ciphers = ALL:@SECLEVEL=0", "sslVersion = TLSv1.1"]},
    ("weak-key.conf", "ups"): {"cert": "weak", "lines": ["securityLevel = 0"]},
    ("signed-by-itself.conf", "router"): {"cert": "self"},
    ("last-word.conf", "first"): {"cert": "stranger"},
    ("last-word.conf", "second"): {"cert": "stranger"},
}


class Service:
    """A section as stunnel reads it."""

    def __init__(self, file, name, options):
        self.file = file
        self.name = name
        self.client = options.get("client", ["no"])[-1].lower() == "yes"
        self.accept = [address(one, "127.0.0.1") for one in options.get("accept", [])]
        self.connect = [address(one, "127.0.0.1") for one in options.get("connect", [])]
        self.route = [address(one, None) for one in options.get("protocolhost", [])]
        self.sni = [one for one in options.get("sni", []) if ":" in one]
        self.far = FAR_ENDS.get((file, name), {})

    def primary(self, services):
        """The section that accepts for it."""
        if self.sni and not self.client:
            return next(one for one in services if one.name == self.sni[0].split(":")[0])
        return self


def address(text, host):
    """(host, port) or the path of a socket."""
    if text.startswith("/"):
        return text
    name, _, port = text.rpartition(":")
    name = {"localhost": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1", "": host}.get(name, name)
    return name, int(port) if port.isdigit() else socket.getservbyname(port)


def parts(path):
    """The lines of a file, with those of its folders in their places."""
    for line in path.read_bytes().decode("utf-8-sig").splitlines():
        option, _, value = (word.strip() for word in line.partition("="))
        if option.lower() == "include":
            for part in sorted((ETC / value).iterdir()):
                yield from parts(part)
        else:
            yield line.strip(), option.lower(), value


def services_of(file):
    """All of it, in a manner that is good enough for these files."""
    defaults, sections = {}, []
    for line, option, value in parts(ETC / file):
        if line.startswith("["):
            sections.append((line.strip("[]").strip(), {name: list(values) for name, values in defaults.items()}))
        elif option and value and line[0] not in "#;":
            of = sections[-1][1] if sections else defaults
            of.setdefault(option, []).append(value)
    return [Service(file, name, options) for name, options in sections]


# Who is there besides


def listen(where):
    family = socket.AF_UNIX if isinstance(where, str) else socket.AF_INET6 if ":" in where[0] else socket.AF_INET
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(where)
    if family == socket.AF_UNIX:
        os.chmod(where, 0o777)
    sock.listen(64)
    return sock


def serve(where, talk):
    """Each visitor is talked to on a thread of its own."""

    def accept(sock):
        while True:
            visitor = sock.accept()[0]
            threading.Thread(target=guarded, args=(visitor,), daemon=True).start()

    def guarded(visitor):
        with contextlib.suppress(OSError), visitor:
            talk(visitor)

    threading.Thread(target=accept, args=(listen(where),), daemon=True).start()


def pump(source, sink):
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)


def echo(visitor):
    pump(visitor, visitor)


def proxy(visitor):
    """An HTTP proxy."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        if not (byte := visitor.recv(1)):
            return
        head += byte
    host, _, port = head.split()[1].decode().rpartition(":")
    with socket.create_connection((host, int(port)), LIMIT) as far:
        far.settimeout(None)
        visitor.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        back = threading.Thread(target=pump, args=(far, visitor), daemon=True)
        back.start()
        pump(visitor, far)
        back.join()


def talk(where):
    """Bytes pass both ways: stunnel itself cuts some of them at the end, where TIMEOUTclose is 0.  "" or what went wrong; None: nobody listens."""
    family = socket.AF_UNIX if isinstance(where, str) else socket.AF_INET6 if ":" in where[0] else socket.AF_INET
    with socket.socket(family) as sock:
        sock.settimeout(LIMIT)
        try:
            sock.connect(where)
        except OSError:
            return None
        try:
            sock.sendall(WORDS)
            received = b""
            while not received.endswith(WORDS) and (piece := sock.recv(65536)):
                received += piece
        except OSError as error:
            return str(error)
    return "" if received.endswith(WORDS) else f"{len(received)} of {len(WORDS)} bytes came back"


# The host


def addresses(job):
    """Each name has one of its own."""
    return {name: f"127.0.1.{number}" for number, name in enumerate(job["hosts"], 1)}


def make_host(job):
    """Folders and names that the files know, for this process and its children alone."""
    run = lambda *words: subprocess.run(words, check=True, capture_output=True)
    run("mount", "--make-rprivate", "/")
    run("mount", "-t", "proc", "proc", "/proc")
    for folder in ("/run", "/var/log", "/var/lib"):
        run("mount", "-t", "tmpfs", "tmpfs", folder)
    run("mount", "--bind", job["etc"], "/etc/stunnel")
    run("ip", "link", "set", "lo", "up")
    for literal in ("192.0.2.10",):
        run("ip", "address", "add", f"{literal}/32", "dev", "lo")
    os.mkdir("/var/lib/stunnel4")
    os.chmod("/run", 0o777)
    os.chmod("/var/lib/stunnel4", 0o777)
    hosts = pathlib.Path(job["folder"]) / "hosts"
    lines = [f"{at} {name}\n" for name, at in addresses(job).items()]
    hosts.write_text("127.0.0.1 localhost\n" + "".join(lines), encoding="ascii")
    run("mount", "--bind", str(hosts), "/etc/hosts")


def end_all_others():
    """This process is the first of its namespace."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


class Host:
    def __init__(self, job):
        self._folder = pathlib.Path(job["folder"])
        self._programs = job["programs"]
        self._addresses = addresses(job)
        self._served = set()
        self._logs = itertools.count()

    def serve(self, where, how):
        if where not in self._served:
            self._served.add(where)
            serve(where, how)

    def start(self, *words):
        """A program that stays, or becomes a daemon; returns its log."""
        log = self._folder / f"log-{next(self._logs)}"
        with open(log, "wb") as out:
            process = subprocess.Popen(
                [*map(str, words)], stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=ETC
            )
        return process, log

    def _routes(self, one):
        """Where the far end of a client listens."""
        return [(self._addresses.get(host, host), port) for host, port in one.route or one.connect]

    def far_end(self, services):
        """stunnel at the far end of each of them."""
        lines = ["foreground = yes", "pid =", "debug = 5"]
        for number, one in enumerate(services):
            cert = one.far.get("cert", "client" if not one.client else "server")
            shown = [f"cert = {ETC}/{cert}.pem"] if cert else []
            more = shown + one.far.get("lines", [])
            if one.client:
                for at, port in self._routes(one):
                    lines += [f"[{number} {at}]", f"accept = {at}:{port}", f"connect = 127.0.0.1:{ECHO}", *more]
            else:
                host, port = one.primary(services).accept[0]
                lines += [f"[{number}]", "client = yes", f"accept = {DOOR}:{1000 + number}", f"connect = {host}:{port}", *more]
        path = self._folder / "far.conf"
        path.write_text("\n".join(lines) + "\n", encoding="ascii")
        return self.start("stunnel4", path)

    def doors(self, services):
        return [one.accept[0] if one.client else (DOOR, 1000 + number) for number, one in enumerate(services)]

    def results(self, services, processes):
        """What becomes of each service's bytes, once all listen or the programs have given up."""
        doors, deadline = self.doors(services), time.monotonic() + LIMIT
        waiting = {one.primary(services).accept[0] for one in services} | set(doors)
        waiting |= {where for one in services if one.client for where in self._routes(one)}
        while waiting and time.monotonic() < deadline:
            waiting = {where for where in waiting if not is_listening(where)}
            if waiting and any(process.poll() not in (None, 0) for process in processes):
                break
            if waiting and all(where in self.absent for where in waiting):
                break
            time.sleep(0.02)
        return [talk(door) if one.primary(services).accept[0] not in waiting else None for one, door in zip(services, doors)]

    def run(self, file):
        services = services_of(file)
        for one in services:
            for where in one.connect if not one.client else []:
                self.serve(where, echo)
            if one.route:
                host, port = one.connect[0]
                self.serve((self._addresses[host], port), proxy)
        self.absent = set()
        far, _ = self.far_end(services)
        near, log = self.start("stunnel4", ETC / file)
        before = self.results(services, [far, near])
        said = log.read_text(errors="replace")
        end_all_others()
        clean_up()
        after, words = self.imported(file, services)
        return {
            "stunnel": {one.name: result for one, result in zip(services, before)},
            "routeport": after,
            "said": said if any(result != "" for result in before) else "",
            "words": words,
        }

    def imported(self, file, services):
        words, processes = "", []
        far, _ = self.far_end(services)
        for role in ("client", "server"):
            mine = [one for one in services if one.client == (role == "client")]
            if not mine:
                continue
            program = self._programs[role]
            made = subprocess.run([program, "--import", ETC / file], capture_output=True, text=True, cwd=ETC, check=False)
            path = self._folder / f"{role}.ini"
            path.write_text(made.stdout, encoding="utf-8")
            words += made.stdout + made.stderr
            left_out = set(re.findall(r"^;\[(.*)\]$", made.stdout, re.MULTILINE))
            self.absent |= {one.accept[0] for one in mine if one.name in left_out and one.accept}
            if made.returncode != 0:
                self.absent |= {one.accept[0] for one in mine if one.accept}
                continue
            checked = subprocess.run([program, "--check", path], capture_output=True, text=True, cwd=ETC, check=False)
            if checked.returncode != 0:
                return {one.name: "--check: " + checked.stderr for one in services}, words
            process, log = self.start(program, path)
            processes.append((process, log))
        results = self.results(services, [far, *(process for process, _ in processes)])
        if any(result != "" for result in results):
            words += "".join(log.read_text(errors="replace") for _, log in processes[-1:])
        end_all_others()
        clean_up()
        return {one.name: "nobody listens" if result is None else result for one, result in zip(services, results)}, words


def is_listening(where):
    """Looked up, not tried: whoever dials brings a handshake about."""
    if isinstance(where, str):
        return os.path.exists(where)
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table, encoding="ascii") as rows:
            if any(row.split()[3] == "0A" and row.split()[1].endswith(f":{where[1]:04X}") and fits(row.split()[1], where[0]) for row in rows):
                return True
    return False


def fits(local, host):
    """Is it that address, or all of them?"""
    number = local.split(":")[0]
    if set(number) == {"0"}:
        return True
    if len(number) == 8:
        return ":" not in host and number == socket.inet_aton(host)[::-1].hex().upper()
    return ":" in host


def clean_up():
    """Sockets of those that were killed."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink("/run/door.sock")
    for pattern in ("run/*.pid", "var/lib/stunnel4/*.pid", "var/log/*.log"):
        for path in pathlib.Path("/").glob(pattern):
            path.unlink()


def main(path):
    job = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    make_host(job)
    host = Host(job)
    host.serve(("127.0.0.1", ECHO), echo)
    json.dump({file: host.run(file) for file in job["files"]}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
