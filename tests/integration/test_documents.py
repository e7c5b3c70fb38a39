"""The commands in the documents do what they are there for: those of every fenced `sh` block are
run, document by document, in a folder that looks like this one.

Marked, and not run: what needs a cluster.  Rehearsed by `make -n`: what would run this very test,
install packages or need an engine for containers.  `ELSEWHERE`: what needs an app as well.
"""

import os
import re
import signal
import subprocess

import pytest

from harness.pairs import BUILD, ROOT
from harness.ports import Ports
from harness.processes import Process

FENCE = re.compile(r"^ *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
FOR_A_CLUSTER = ("oc ", "kubectl ", "helm ")
REHEARSED = {"deps", "check", "image"}
ELSEWHERE = {
    "redis-cli -h 127.0.0.1 -p 6379 ping": "test_programs.py has redis behind a pair, tools/demo.sh as well",
    'psql "host=127.0.0.1 port=5432 user=orders dbname=orders"': "test_programs.py has pgbench through a pair",
    "ssh -p 2222 user@127.0.0.1": "no sshd is among what `make deps` installs",
}
STUNNEL_FILE = "/etc/stunnel/stunnel.conf"
STUNNEL = "client = yes\n[orders]\naccept = 127.0.0.1:6379\nconnect = orders.apps.example.com:443\n"


def commands(document):
    """Of all sh blocks: a command each, without its comment, continued lines made one."""
    found = []
    for block in FENCE.findall(document.read_text(encoding="utf-8")):
        lines = re.sub(r"\\\n\s*", "", block).splitlines()
        found += [re.sub(r"\s+# .*", "", line).strip() for line in lines if line.strip()]
    return found


def is_marked(command):
    return command.startswith(FOR_A_CLUSTER)


DOCUMENTS = {
    str(path.relative_to(ROOT)): commands(path)
    for path in sorted(ROOT.rglob("*.md"))
    if not path.is_relative_to(BUILD) and commands(path)
}
TO_RUN = {name: [c for c in found if not is_marked(c) and c not in ELSEWHERE] for name, found in DOCUMENTS.items()}


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    folder = tmp_path_factory.mktemp("documents") / "pki"
    subprocess.run(["sh", ROOT / "certs/make-certs.sh", "orders.apps.example.com", folder],
                   check=True, capture_output=True)
    return folder


def lay_out(folder, document, pki):
    """What the reader of this document has: our files, an .ini for either end, certificates."""
    for path in ROOT.iterdir():
        if path.name not in (".git", "build"):
            (folder / path.name).symlink_to(path)
    (folder / STUNNEL_FILE.rpartition("/")[2]).write_text(STUNNEL)
    for name in ("tls.crt", "ca.crt"):
        (folder / name).write_bytes((pki / "server" / name).read_bytes())
    ports = Ports()
    for role in ("client", "server"):
        beside = ROOT / document.rpartition("/")[0] / f"{role}.ini"
        text = (beside if beside.exists() else ROOT / "examples" / f"{role}.ini").read_text()
        text = re.sub(r"^((?:cert|key|CAfile) = ).*/", rf"\g<1>{pki}/{role}/", text, flags=re.MULTILINE)
        text = re.sub(r"^((?:accept|status) = ).*", lambda m: f"{m[1]}127.0.0.1:{ports.reserve()}", text,
                      flags=re.MULTILINE)
        (folder / f"{role}.ini").write_text(text)
    return ports


def rehearse(command):
    """`make` with targets that are only rehearsed, and then with the others, which build nothing."""
    words = command.split()
    asked = [word for word in words[1:] if word in REHEARSED]
    rest = [word for word in words[1:] if word not in REHEARSED]
    only = [f"make -n {' '.join(asked)}"] if asked else []
    return only + ([f"make -o all {' '.join(rest)}"] if rest else [])


def run(command, folder):
    environment = {**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}", "BUILD": str(BUILD)}
    environment.pop("MAKEFLAGS", None)
    result = subprocess.run(["sh", "-c", command], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"


def run_until_told(command, folder):
    """One of our programs that serves."""
    program, *words = command.split()
    process = Process([BUILD / program, *words], directory=folder)
    try:
        process.wait_line("event=ready")
        process.send_signal(signal.SIGTERM)
        process.wait_line("event=stop")
    finally:
        process.send_signal(signal.SIGTERM)  # and now
    assert process.wait_exit() == 0


@pytest.mark.parametrize("document", [name for name, found in TO_RUN.items() if found])
def test_commands_of(document, tmp_path, pki):
    ports = lay_out(tmp_path, document, pki)
    try:
        for command in TO_RUN[document]:
            command = command.replace(STUNNEL_FILE, str(tmp_path / "stunnel.conf"))
            if command.startswith("make "):
                for part in rehearse(command):
                    run(part, tmp_path)
            elif re.fullmatch(r"routeport-\w+ \w+\.ini", command):
                run_until_told(command, tmp_path)
            else:
                run(command, tmp_path)
    finally:
        ports.close()


def test_each_command_is_run_or_marked(record_property):
    """What runs elsewhere stands in a document; how many there are is told at the end of the run."""
    found = [command for commands_of in DOCUMENTS.values() for command in commands_of]
    assert set(ELSEWHERE) <= set(found)
    ran = sum(map(len, TO_RUN.values()))
    marked = sum(map(is_marked, found))
    assert ran > 10
    record_property("summary", f"documents: {ran} commands ran, {marked} are for a cluster, {len(ELSEWHERE)} run elsewhere")
