"""--import: files for stunnel of the kinds that are found in public, each run by stunnel and then, as
--import writes it, by routeport.  A service counts as carried over if bytes pass to a stunnel at its far end
wherever they did before; one that is left out does not."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from harness import pairs, stunnel_world
from harness.certificates import RSA, Authority, openssl

FILES = pathlib.Path(__file__).parent / "stunnel_files"
LEAST = 0.95
GROUPS = 3


def hosts():
    """All names that the files connect to."""
    text = "\n".join(path.read_text(encoding="utf-8-sig") for path in FILES.rglob("*.conf"))
    found = re.findall(r"^\s*(?:connect|protocolhost)\s*=\s*([^\s:]+\.example):\w+\s*$", text, re.MULTILINE | re.IGNORECASE)
    return sorted(set(found) | {"server1.shop.example", "any.wild.example"})


@pytest.fixture(scope="module")
def etc(tmp_path_factory):
    """What is /etc/stunnel there."""
    root = tmp_path_factory.mktemp("import")
    etc = root / "etc"
    shutil.copytree(FILES, etc)
    ours, theirs = Authority(root / "ours", "a private CA"), Authority(root / "theirs", "another CA")
    names = ",DNS:".join(hosts())
    identities = {
        "server": ours.issue("server", names),
        "mail": ours.issue("mail", names, kind=RSA),
        "default": ours.issue("default", "default.example"),
        "wildcard": ours.issue("wildcard", "*.hoster.example"),
        "elsewhere": ours.issue("elsewhere", "elsewhere.example"),
        "agent": ours.issue("agent", "agent.example,email:ops@corp.example,IP:192.0.2.10"),
        "client": ours.issue("client", "legacy.corp.example"),
        "weak": theirs.issue("weak", "ups.corp.example", kind=("RSA", "-pkeyopt", "rsa_keygen_bits:1024")),
        "stranger": theirs.issue("stranger", "stranger.example"),
    }
    for name, identity in identities.items():
        shutil.copy(identity.both, etc / f"{name}.pem")
        shutil.copy(identity.certificate, etc / f"{name}.crt")
        shutil.copy(identity.key, etc / f"{name}.key")
    for name, subject in (("self", "nas.home.example"), ("number", "192.0.2.10")):
        sign(root / "ours", etc / name, subject, None if name == "self" else ours)
    join(etc / "ca.pem", ours.certificate)
    join(etc / "clients.pem", ours.certificate, etc / "client.crt")
    join(etc / "peers.pem", ours.certificate, etc / "server.crt")
    shutil.copy(ours.revocations(), etc / "crl.pem")
    (etc / "keys.txt").write_text("first:" + "0123456789abcdef" * 4 + "\n", encoding="ascii")
    (etc / "certs").mkdir()
    shutil.copy(ours.certificate, etc / "certs")
    subprocess.run(["openssl", "rehash", etc / "certs"], check=True)
    for path in etc.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644 if path.suffix != ".key" else 0o600)
    return etc


def join(path, *sources):
    path.write_bytes(b"".join(source.read_bytes() for source in sources))


def sign(folder, path, name, authority):
    """A certificate with nothing but a common name, signed by itself or by an authority."""
    key, certificate, request = (path.with_suffix(suffix) for suffix in (".key", ".crt", ".csr"))
    subject = ("-subj", f"/CN={name}")
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
    if authority:
        openssl("req", "-new", "-key", key, "-out", request, *subject)
        issuer = ("-CA", authority.certificate, "-CAkey", folder / "authority.key", "-CAcreateserial")
        openssl("x509", "-req", "-in", request, *issuer, "-days", "3650", "-out", certificate)
    else:
        openssl("req", "-new", "-x509", "-key", key, "-days", "3650", *subject, "-out", certificate)
    join(path.with_suffix(".pem"), certificate, key)


def run_group(number, etc, folder):
    files = sorted(path.name for path in FILES.glob("*.conf"))[number::GROUPS]
    folder = folder / f"group-{number}"
    folder.mkdir()
    folder.chmod(0o755)
    job = folder / "job.json"
    programs = {role: str(pairs.routeport(role)) for role in ("client", "server")}
    job.write_text(json.dumps({"etc": str(etc), "files": files, "programs": programs, "folder": str(folder), "hosts": hosts()}))
    return subprocess.Popen(
        ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", sys.executable, "-m", "harness.stunnel_world", job],
        stdout=subprocess.PIPE, text=True, cwd=pathlib.Path(stunnel_world.__file__).parent.parent,
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces with their own mounts need root")
def test_what_stunnel_serves_is_served_by_the_imported_files(etc, tmp_path):
    results = {}
    for process in [run_group(number, etc, tmp_path) for number in range(GROUPS)]:
        output, _ = process.communicate(timeout=600)
        assert process.returncode == 0
        results |= json.loads(output)
    assert len(results) >= 40
    served = {(file, name) for file, result in results.items() for name, words in result["stunnel"].items() if words == ""}
    carried = {(file, name) for file, name in served if results[file]["routeport"][name] == ""}
    print(f"{len(results)} files, {len(served)} services that stunnel serves, {len(carried)} carried over: {len(carried) / len(served):.1%}")
    for file, name in sorted(served - carried):
        print(f"{file} [{name}]: {results[file]['routeport'][name]}")
    for file, result in results.items():
        assert "" in result["stunnel"].values(), f"stunnel serves nothing of {file}: {result['stunnel']} {result['said']}"
    lost = "\n".join(f"{file} [{name}]:\n{results[file]['words']}" for file, name in sorted(served - carried))
    assert len(carried) >= LEAST * len(served), lost


# What is written


BOTH = """; of the whole host
foreground = yes
libwrap = yes
; mail
[mail]
cert = {etc}/server.pem
accept = 993
connect = 143
; and the way out
[queue]
client = yes
accept = 127.0.0.1:5671
connect = mq.corp.example:5671
verifyChain = yes
CAfile = {etc}/ca.pem
checkHost = mq.corp.example
[submission]
client = yes
accept = 127.0.0.1:2525
connect = mx.corp.example:587
protocol = smtp
protocolUsername = me
"""


@pytest.fixture
def write(tmp_path, etc):
    """What --import makes of a text."""

    def write(text, role, out=subprocess.PIPE):
        path = tmp_path / "stunnel.conf"
        path.write_text(text.format(etc=etc), encoding="utf-8")
        words = [pairs.routeport(role), "--import", path]
        return subprocess.run(words, stdout=out, stderr=subprocess.PIPE, text=True, timeout=20, check=False)

    return write


def lines_of(text):
    """Without what --import says."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def in_one_line(text):
    return " ".join(text.replace("\n# ", " ").split())


def test_each_program_writes_its_own_part_in_the_order_of_the_file_and_names_the_rest(write, etc):
    client, server = write(BOTH, "client"), write(BOTH, "server")
    assert (client.returncode, server.returncode) == (0, 0), client.stderr + server.stderr
    head = ["; of the whole host", "foreground = yes", ";libwrap = yes", "; mail"]
    assert lines_of(server.stdout) == [
        *(*head, "[mail]", f"cert = {etc}/server.pem", "accept = 993", "connect = 143", "requireCert = no"),
        "; and the way out",
    ]
    assert lines_of(client.stdout) == [
        *(*head, "; and the way out", "[queue]", "client = yes", "accept = 127.0.0.1:5671", "connect = mq.corp.example:5671"),
        *("verifyChain = yes", f"CAfile = {etc}/ca.pem", "checkHost = mq.corp.example", "checkHost = *.corp.example"),
        *(";[submission]", ";client = yes", ";accept = 127.0.0.1:2525", ";connect = mx.corp.example:587", ";protocol = smtp"),
        ";protocolUsername = me",
    ]
    assert "# [queue], [submission]: for routeport-client" in server.stdout
    assert "# [mail]: for routeport-server" in client.stdout


def test_what_cannot_be_had_is_told_with_a_way_out_and_what_is_opened_with_what_closes_it(write):
    client, server = write(BOTH, "client"), write(BOTH, "server")
    said = in_one_line(client.stdout)
    assert "[submission] is left out: protocol = smtp is refused: a passthrough route wants TLS" in said
    assert "connect to port 465 (submissions), remove the line ;[submission]" in said
    assert "stunnel.conf:17: [submission] is left out: protocol = smtp is refused" in client.stderr
    assert "It opens the way to who else has such a certificate" in said and "To close it, remove the line once" in said
    assert "left out: libwrap is refused" in said
    said = in_one_line(server.stdout)
    assert "let in anyone who reaches this port, or the route. To close it, remove the line, and write" in said


def test_a_level_2_client_gets_a_line_for_the_name_that_it_never_checked(write):
    text = "client = yes\nverify = 2\nCAfile = {etc}/ca.pem\n[a]\naccept = 127.0.0.1:1\nconnect = 192.0.2.1:2\n"
    made = write(text, "client")
    assert lines_of(made.stdout)[-5:] == ["foreground = no", "[a]", "accept = 127.0.0.1:1", "connect = 192.0.2.1:2", "checkHost ="]


def test_a_check_that_would_be_lost_takes_its_service_along(write):
    """Without the line the service would let through more than before."""
    made = write("[a]\naccept = 1\nconnect = 2\ncert = c.pem\nident = operator\n[b]\naccept = 3\nconnect = 4\ncert = c.pem\n", "server")
    assert ";[a]" in made.stdout and "\n[b]\n" in made.stdout and "[a] is left out: ident is refused" in made.stderr


def test_a_file_of_which_nothing_is_left_or_that_is_none_fails(write):
    nothing = write("[a]\nclient = yes\naccept = 1\nexec = sh\n", "client")
    assert nothing.returncode == 2 and "no service in it can be run by routeport-client" in nothing.stderr
    none = write("[a]\naccept 1\n", "client")
    assert none.returncode == 2 and none.stdout == "" and 'stunnel.conf:2: "accept 1": there is no "="' in none.stderr


def test_what_no_line_can_do_is_told(write):
    """A file for inetd, and keys that are no files."""
    inetd = write("cert = c.pem\nexec = sh\n", "server")
    assert inetd.returncode == 2 and "there is no [section] in it: to be started by inetd" in inetd.stderr
    tokens = write("engine = pkcs11\n[a]\naccept = 1\nconnect = 2\ncert = pkcs11:a\n[b]\naccept = 3\nconnect = 4\ncert = c\n", "server")
    assert tokens.returncode == 0 and "[a] is left out: certificates and keys are read from files alone" in tokens.stderr
    assert lines_of(tokens.stdout)[0] == ";engine = pkcs11"


def test_a_full_disk_is_told(write):
    with open("/dev/full", "wb") as full:
        made = write(BOTH, "client", out=full)
    assert made.returncode == 1 and "No space left on device" in made.stderr
